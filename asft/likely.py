"""About what a recipe asks of a teacher or judge, told before anything is done.

Where `asft.ceilings` says the most, this says what to expect: the scripts of the recipe are driven with
made-up replies, each as long as what the seeds have in its place, and nothing is dropped or asked twice.
"""

import random
from collections.abc import Sequence
from typing import Any

from asft import ceilings, inquiring, writing
from asft.budget import estimated_tokens
from asft.recipe import Recipe
from asft.types import (
    NO_REQUESTS,
    Answer,
    Ceiling,
    Context,
    Draft,
    Example,
    Inquiry,
    Measurements,
    Observation,
    Reply,
    Request,
    Script,
    Verdict,
)

SAMPLE = 32
"""So many scripts of each kind are driven; the others are taken to be like them."""


def of(recipe: Recipe, context: Context) -> Ceiling | None:
    """In all rounds, were every draft kept; None where no seed has a worked answer to go by.

    A token is taken for every `asft.budget.BYTES_PER_TOKEN` bytes. Teachers that think aloud, and filters
    that drop drafts, make it more.
    """
    worked = [seed for seed in context.seeds if seed.completion]
    if not worked:
        return None
    some = random.Random(0).sample(worked, min(SAMPLE, len(worked)))
    asking = [
        one.filter
        for one in writing.order(recipe.filters, recipe.settings["filters"], context).alone
        if one.filter.looks.ceiling.requests
    ]
    drafts = []
    for seed in some:
        drafts.append(_written(recipe.writer.write(ceilings.pick_of(seed), context, random.Random(0)), seed))
        for one in asking:
            verdict = one.check(Draft(number=0, example=seed), context, ())
            if not isinstance(verdict, Verdict):
                drafts.append(_answered(verdict, seed))
    a_round = _times(drafts, recipe.per_round / len(some))
    return (a_round + _of_pool(recipe, worked, context.seed)) * recipe.rounds


def _of_pool(recipe: Recipe, worked: Sequence[Example], seed: int) -> Ceiling:
    """What is asked about the seeds in a round, of a student that answers as the references do."""
    asking = [need for need in recipe.needs if need.kind == "script"]
    pool = Measurements(
        round=1,
        examples=tuple(worked),
        observations=tuple(
            Observation(
                example_id=one.id,
                own=Answer(text=one.completion or "", token_ids=(), finish="stop"),
            )
            for one in worked
        ),
    )
    found: dict[str, list[Inquiry]] = {need.name: [] for need in asking}
    for name, inquiry in inquiring.inquiries(asking, pool, seed):
        found[name].append(inquiry)
    parts = []
    for several in found.values():
        some = random.Random(0).sample(range(len(several)), min(SAMPLE, len(several)))
        asked = [_answered(several[i].script(), worked[i % len(worked)]) for i in some]
        parts.append(_times(asked, len(several) / max(len(some), 1)))
    return sum(parts, NO_REQUESTS)


def _written(script: Script[Any], seed: Example) -> Ceiling:
    """What a writer asks: a question and then its answer, or both at once."""
    both = f"Question: {seed.prompt}\nAnswer: {seed.completion}"
    batches = _batches(script, [both, seed.completion or ""])
    lengths = [seed.prompt, seed.completion or ""] if len(batches) > 1 else [both]
    return _sum(batches, lengths)


def _answered(script: Script[Any], seed: Example) -> Ceiling:
    """What a script asks whose replies are as long as a worked answer."""
    reply = [seed.completion or ""]
    return _sum(_batches(script, reply), reply)


def _batches(script: Script[Any], texts: Sequence[str]) -> list[Sequence[Request]]:
    """What a script asks at a time, up to where it asks something again.

    `texts`: the reply to each batch, and the last one's to all later ones too.
    """
    batches: list[Sequence[Request]] = []
    known: set[str] = set()
    try:
        requests = next(script)
        while not known & {request.purpose for request in requests}:
            known |= {request.purpose for request in requests}
            text = texts[min(len(batches), len(texts) - 1)]
            batches.append(requests)
            reply = Reply(text=text, finish="stop", input_tokens=0, output_tokens=0)
            requests = script.send([reply] * len(requests))
    except StopIteration:
        pass
    return batches


def _sum(batches: Sequence[Sequence[Request]], lengths: Sequence[str]) -> Ceiling:
    """Of all requests; `lengths`: as `texts` of `_batches`."""
    used = NO_REQUESTS
    for number, requests in enumerate(batches):
        reply = estimated_tokens([lengths[min(number, len(lengths) - 1)]])
        for request in requests:
            used += Ceiling(
                requests=1,
                input_tokens=estimated_tokens(message.content for message in request.messages),
                output_tokens=min(reply, request.sampling.max_tokens),
            )
    return used


def _times(parts: Sequence[Ceiling], factor: float) -> Ceiling:
    whole = sum(parts, NO_REQUESTS)
    return Ceiling(
        requests=round(whole.requests * factor),
        input_tokens=round(whole.input_tokens * factor),
        output_tokens=round(whole.output_tokens * factor),
    )
