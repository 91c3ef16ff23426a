"""What the student makes of the references, and its own answers, greedy and drawn at random."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from asft import decoder, scorer
from asft.measure import rows
from asft.measure.records import Found, Pool, Told
from asft.scorer import Tokens
from asft.student import Loaded, prompt_ids
from asft.types import Answer, Example, Measurements, Task, TokenArrays


def gold(loaded: Loaded, pool: Pool, _: Mapping[str, Any], __: Measurements, told: Told) -> Found:
    """Statistics of the worked references; None for an example without one."""
    numbered = rows.gold(loaded, pool.examples)
    scored = scorer.per_token(loaded, list(numbered.values()), progress=told)
    by_number = dict(zip(numbered, scored.tokens, strict=True))
    found = [by_number.get(i) for i in range(len(pool.examples))]
    return Found(gold=[None if row is None else row.stats for row in found], tokens={"gold": ragged(found)})


def own(loaded: Loaded, pool: Pool, _: Mapping[str, Any], __: Measurements, told: Told) -> Found:
    """The greedy answers with grades, and the statistics of their tokens, the end token included."""
    found = decoder.decode(
        loaded,
        [example.prompt for example in pool.examples],
        max_new_tokens=pool.max_new_tokens,
        batch_size=pool.batch_size,
        stats=True,
        by=pool.decoder,
        progress=told,
    )
    tokens = _tokens(loaded, pool.examples, found)
    answers = [replace(one.answer, stats=row.stats) for one, row in zip(found, tokens, strict=True)]
    return Found(own=graded(pool.task, pool.examples, answers), tokens={"own": ragged(tokens)})


def samples(loaded: Loaded, pool: Pool, options: Mapping[str, Any], _: Measurements, told: Told) -> Found:
    """Answers that are drawn at random, with grades and statistics.

    A sample depends on the run's seed, the example and its index alone. The statistics are of the student's
    own distribution, whatever the temperature: what it makes of the tokens that were drawn.
    """
    k = options["k"]
    found = decoder.sample(
        loaded,
        [example.prompt for example in pool.examples],
        [example.id for example in pool.examples],
        k=k,
        temperature=options["temperature"],
        top_p=options["top_p"],
        seed=pool.seed,
        max_new_tokens=pool.max_new_tokens,
        batch_size=pool.batch_size,
        stats=True,
        by=pool.decoder,
        progress=told,
    )
    flat = [one for several in found for one in several]
    examples = [example for example in pool.examples for _ in range(k)]
    tokens = _tokens(loaded, examples, flat)
    answers = [replace(one.answer, stats=row.stats) for one, row in zip(flat, tokens, strict=True)]
    marked = graded(pool.task, examples, answers)
    return Found(samples=[tuple(marked[start : start + k]) for start in range(0, len(marked), k)])


def graded(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> list[Answer]:
    """Answers with their grades and final answers, in order; an example may come several times."""
    known: dict[str, list[str]] = {}
    return [
        _graded(task, example, answer, known.setdefault(example.id, []))
        for example, answer in zip(examples, answers, strict=True)
    ]


def _graded(task: Task, example: Example, answer: Answer, known: list[str]) -> Answer:
    """`known` are the final answers to this example that were found before, each of them once."""
    grade = task.grade(example, answer.text)
    final = grade.extracted
    if final is None:
        return replace(answer, grade=grade.value)
    for before in known:
        # What the task would grade right were the other the reference.
        if before == final or task.grade(replace(example, answer=before), answer.text).value == 1.0:
            return replace(answer, grade=grade.value, final=before)
    known.append(final)
    return replace(answer, grade=grade.value, final=final)


def ragged(found: Sequence[Tokens | None]) -> TokenArrays:
    """The statistics of all rows behind each other; None has no tokens."""
    there = [row for row in found if row is not None]
    empty = np.zeros(0, dtype=np.float32)
    return TokenArrays(
        offsets=np.cumsum([0, *(0 if row is None else len(row.nll) for row in found)], dtype=np.int64),
        nll=np.concatenate([empty, *(row.nll for row in there)]),
        entropy=np.concatenate([empty, *(row.entropy for row in there)]),
        margin=np.concatenate([empty, *(row.margin for row in there)]),
    )


def _tokens(loaded: Loaded, examples: Sequence[Example], found: Sequence[decoder.Decoded]) -> list[Tokens]:
    """What decoding says of the tokens; the scorer says what it does not, of the same token ids."""
    there = [one.tokens for one in found if one.tokens is not None]
    if len(there) == len(found):
        return there
    asked = prompt_ids(loaded.tokenizer, [example.prompt for example in examples])
    scored = scorer.per_token(loaded, [(ids, one.token_ids) for ids, one in zip(asked, found, strict=True)])
    return [
        row if one.nll is None else replace(row, nll=one.nll)
        for one, row in zip(found, scored.tokens, strict=True)
    ]
