"""What is held out of training, and general data without it.

A slice of the pool for validation is never measured, picked or trained on; data of another task may hold the
same questions.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asft import registry
from asft.errors import DataError
from asft.types import Example


def held_out(
    examples: Sequence[Example], count: int, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The pool without the slice, and the slice: worked examples, drawn by the run's seed; both in order.

    Raises DataError where there are not enough, or where nothing would be left of the pool.
    """
    worked = [example for example in examples if example.completion]
    most = min(len(worked), len(examples) - 1)
    if count > most:
        raise DataError(
            f"data.validation.examples = {count}: the pool has {len(examples)} examples, {len(worked)} of "
            f"them with worked answers, so at most {most} can be held out; give fewer, or a larger pool"
        )
    drawn = {example.id for example in random.Random(f"{seed} validation").sample(worked, count)}
    pool = tuple(example for example in examples if example.id not in drawn)
    return pool, tuple(example for example in examples if example.id in drawn)


def general(section: Mapping[str, Any], without: Iterable[Example]) -> tuple[Example, ...]:
    """The worked examples of a task's split "seed", but for those with a question that is in `without`.

    Questions are equal that differ in case and space alone. Raises DataError where there are none.
    """
    examples = registry.from_section("task", section).load("seed")
    barred = {_question(example) for example in without}
    found = tuple(example for example in examples if example.completion and _question(example) not in barred)
    if not found:
        raise DataError(
            f"data.replay.of: of {len(examples)} examples in the split 'seed' of the task {section['use']!r} "
            "none has a worked answer and is not in the test split; name the column of the worked answers, "
            "or take another source"
        )
    return found


def _question(example: Example) -> str:
    return " ".join(example.prompt.casefold().split())
