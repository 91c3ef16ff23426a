"""The most that a recipe can ask of a teacher or judge, and what it measures, told before anything is done.

The most is what the engine sets aside: every re-ask, every reply as long as it may be. Where a script depends
on what the student will answer, it is taken with the longest answer that there can be.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asft import flops, inquiring, student, writing
from asft.budget import Account, Prices, dearest, input_ceiling, largest
from asft.engine import Endpoint
from asft.recipe import Recipe
from asft.types import (
    NO_REQUESTS,
    Answer,
    Ceiling,
    Chooses,
    Context,
    Example,
    Measurements,
    Need,
    Observation,
    Pick,
)

LONGEST_TOKEN = 256
"""Bytes; vocabularies have tokens of a hundred spaces and more."""
LORA = {"r": 16, "target_modules": "all-linear"}
EPOCHS, A_STEP = 3.0, 16
"""How a student is trained where the recipe is silent, and with how many examples a step; as in
`asft.train.settings` and SFTConfig."""
BATCHES = ("per_device_train_batch_size", "gradient_accumulation_steps")
CHECKPOINTING = ("activation_checkpointing", "gradient_checkpointing")


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """What a recipe asks at most."""

    pool: Mapping[str, Ceiling]
    """Of each need that asks: about the whole pool, in one round."""
    filters: Ceiling
    """Of the filters that ask: about one draft."""
    whole: Ceiling
    """In all rounds, were every draft made."""


def of(recipe: Recipe, context: Context) -> Ceilings:
    """Raises RecipeError for filters that cannot stand in one recipe."""
    filters = writing.order(recipe.filters, recipe.settings["filters"], context).ceiling
    writers = [recipe.writer.ceiling(pick_of(seed), context) for seed in context.seeds]
    most = max(writers, key=lambda one: one.input_tokens + one.output_tokens)
    draft = most + filters
    pool = _of_pool(recipe, context)
    a_round = sum(pool.values(), draft * recipe.max_drafts)
    return Ceilings(pool=pool, filters=filters, whole=a_round * recipe.rounds)


def prices(recipe: Recipe) -> Prices | None:
    """Those that nobody who is asked is above, as the engine counts; None where one is unknown."""
    asked = [recipe.teacher, *([recipe.judge] if recipe.judge else [])]
    return dearest(Endpoint.of(one).prices for one in asked)


def active_params(recipe: Recipe) -> float | None:
    """The most that somebody who is asked has; None where one's are unknown."""
    asked = [recipe.teacher, *([recipe.judge] if recipe.judge else [])]
    return largest(Endpoint.of(one).active_params for one in asked)


def covers(recipe: Recipe, pool: Iterable[Ceiling]) -> bool:
    """Whether the budget would do for what is asked about the pool in a first round, were it all used."""
    account = Account(recipe.budget, [prices(recipe)], active_params=[active_params(recipe)])
    return account.affordable(sum(pool, NO_REQUESTS))


def pick_of(seed: Example) -> Pick:
    """A seed as it might be picked."""
    return Pick(number=0, example=seed, observation=None, score=None, draw=0)


def _of_pool(recipe: Recipe, context: Context) -> dict[str, Ceiling]:
    asking = [need for need in recipe.needs if need.kind == "script"]
    if not asking:
        return {}
    answer = Answer(
        text="x" * (LONGEST_TOKEN * _longest(recipe, context.seeds)), token_ids=(), finish="length"
    )
    pool = Measurements(
        round=1,
        examples=context.seeds,
        observations=tuple(Observation(example_id=seed.id, own=answer) for seed in context.seeds),
    )
    found: dict[str, list[Ceiling]] = {need.name: [] for need in asking}
    for name, one in inquiring.inquiries(asking, pool, context.seed):
        found[name].append(one.ceiling)
    return {name: sum(several, NO_REQUESTS) for name, several in found.items()}


@dataclass(frozen=True, kw_only=True)
class Computing:
    """FLOPs that a recipe takes at most, with a token for each byte of a text; None where it is not known."""

    measure: Mapping[str, int | None]
    """Of each need of the student: on the whole pool, in the last round."""
    drafts: int | None
    """Of what filters need of the student, were every draft of a round made."""
    train: int
    """Of the last round's student, which is trained on most."""
    evaluate: int
    """Of one student."""
    student: int | None
    """Of all rounds, and of evaluating the base."""
    asked: int | None
    """Of teacher and judge, in all rounds, were every draft made."""


def computing(recipe: Recipe, context: Context, whole: Ceiling) -> Computing:
    """`whole`: what is asked of teacher and judge at most.

    What is written is taken to be as long as the longest seed, with an answer as long as the student's may
    be. Raises DataError where the student cannot be found.
    """
    base, revision = student.place(recipe.student.base), recipe.student.revision
    made = flops.of_student(base, revision, False if recipe.lora is False else {**LORA, **recipe.lora})
    most = _longest(recipe, context.seeds)
    longest = max(_read(seed.prompt) for seed in context.seeds)

    def training(rows: int) -> int:
        return flops.training(
            made.work,
            [(longest, most)] * rows,
            passes=passes(recipe.train, rows),
            method=made.method,
            adapter=made.adapter,
            checkpointing=any(recipe.train.get(name) for name in CHECKPOINTING),
            max_length=recipe.train.get("max_length"),
        )

    def measuring(need: Need, of: flops.Lengths) -> int | None:
        member = training(need.options["examples"]) if need.name == "ensemble" else None
        lengths = of.at_most(most, samples=need.options.get("k", 0))
        return flops.measuring(made.work, need, lengths, adapter=made.adapter, member=member)

    pool = flops.Lengths(
        prompts=tuple(_read(seed.prompt) for seed in context.seeds),
        gold=tuple(_bytes(seed.completion) + 1 if seed.completion else 0 for seed in context.seeds),
        accepted=(longest,) * (recipe.per_round * (recipe.rounds - 1)),
    )
    drafts = flops.Lengths(prompts=(longest,) * recipe.max_drafts, gold=(most,) * recipe.max_drafts)
    of_drafts = writing.order(recipe.filters, recipe.settings["filters"], context).needs
    measure = {need.name: measuring(need, pool) for need in recipe.needs if need.kind != "script"}
    drafted = _all([measuring(need, drafts) for need in of_drafts])
    trained = [
        training(examples(recipe, len(context.seeds), number)) for number in range(1, recipe.rounds + 1)
    ]
    evaluate = _evaluating(recipe, context, made, most)
    a_round = _all([*measure.values(), drafted])
    size = active_params(recipe)
    return Computing(
        measure=measure,
        drafts=drafted,
        train=trained[-1],
        evaluate=evaluate,
        student=_all([a_round and recipe.rounds * a_round, *trained, (1 + recipe.rounds) * evaluate]),
        asked=None
        if size is None
        else flops.asked(size, input_tokens=whole.input_tokens, output_tokens=whole.output_tokens),
    )


def _all(parts: Sequence[int | None]) -> int | None:
    """Their sum; None where one is not known."""
    known = [one for one in parts if one is not None]
    return sum(known) if len(known) == len(parts) else None


def _evaluating(recipe: Recipe, context: Context, made: flops.Student, most: int) -> int:
    options = recipe.evaluate
    shots = sorted((_read(one.prompt) + _bytes(one.completion or "") for one in context.seeds), reverse=True)
    before = sum(shots[: options.shots]) + (_read(options.system) if options.system else 0)
    prompts = [before + _read(one.prompt) for one in context.test]
    if options.by != "answers" and isinstance(recipe.task, Chooses):
        rows = [
            (prompt, _bytes(choice) + 1)
            for prompt, one in zip(prompts, context.test, strict=True)
            for choice in recipe.task.choices(one)
        ]
        return flops.scored(made.work, rows, adapter=made.adapter)
    if recipe.validates and recipe.data.validation:
        longest = before + max(_read(seed.prompt) for seed in context.seeds)
        prompts += [longest] * recipe.data.validation.examples
    drawn = [[most] * options.samples.k] * len(prompts) if options.samples else []
    return flops.evaluating(made.work, prompts, [most] * len(prompts), samples=drawn, adapter=made.adapter)


def examples(recipe: Recipe, pool: int, number: int) -> int:
    """That a round's student is trained on, at most; `pool`: how many seeds there are."""
    data = recipe.data
    rows = recipe.per_round * (number if data.rounds is None else min(number, data.rounds))
    if data.include_seeds:
        rows += min(pool, recipe.max_drafts * number)
    return round(rows / (1.0 - data.replay.share)) if data.replay else rows


def passes(train: Mapping[str, Any], rows: int) -> float:
    """How often each row is gone through."""
    steps: int = train.get("max_steps", -1)
    epochs: float = train.get("num_train_epochs", EPOCHS)
    if steps <= 0:
        return epochs
    at_once, together = (train.get(name) for name in BATCHES)
    a_step: int = A_STEP if at_once is together is None else (at_once or A_STEP) * (together or 1)
    # The last step of an epoch takes what is left.
    return steps * min(a_step, rows) / max(rows, 1)


def _read(text: str) -> int:
    return input_ceiling(_bytes(text), 1)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _longest(recipe: Recipe, seeds: Sequence[Example]) -> int:
    """Tokens of an own answer at most. A limit that is made from the references is below this one."""
    if recipe.student.max_new_tokens is not None:
        return recipe.student.max_new_tokens
    # A token is a byte or more; the rest is as in `asft.decoder.limit`.
    lengths = [_bytes(seed.completion) + 1 for seed in seeds if seed.completion]
    return max(256, math.ceil(1.5 * max(lengths, default=0)))


# What is measured of the student


def measuring(need: Need, seeds: Sequence[Example], answer_tokens: int | None) -> str:
    """What it takes to measure a need on the pool, in words."""
    count, options = len(seeds), need.options
    worked = sum(seed.completion is not None for seed in seeds)
    length = "" if answer_tokens is None else f" of at most {answer_tokens} tokens"
    if need.name == "own":
        return f"{count} answers{length}"
    if need.name == "samples":
        return f"{count * options['k']} answers{length}, {options['k']} to each seed"
    if need.name == "gold":
        return f"{worked} forward passes, over worked references"
    if need.name == "embedding":
        by = "" if options["model"] is None else f" of {options['model']}"
        return f"{count} forward passes{by}, over questions; and those accepted before"
    if need.name == "gradient":
        own = options["of"] == "own"
        return (
            f"{count if own else worked} forward passes, over {'own answers' if own else 'worked references'}"
        )
    if need.name == "reference_gradient":
        return f"{min(options['count'], worked)} forward passes, over worked references"
    if need.name == "reward":
        return f"{count} forward passes of {options['model']}, over own answers"
    if need.name == "ensemble":
        members = options["members"]
        return (
            f"{members} trainings on at most {options['examples']} examples, and {members * count} forward "
            "passes, over own answers"
        )
    return f"of {count} seeds"
