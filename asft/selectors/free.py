"""The seeds that a selector may choose from, and their scores."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from asft.errors import DataError
from asft.types import Example, Measurements

Draws = Annotated[int, Field(ge=1)]


def free(measurements: Measurements, max_draws: int | None) -> list[Example]:
    """The distinct seeds that may come again."""
    distinct = {example.id: example for example in measurements.examples}
    return [
        example
        for example in distinct.values()
        if max_draws is None or measurements.history.get(example.id, 0) < max_draws
    ]


def score_by_id(measurements: Measurements, scores: Sequence[float | None]) -> dict[str, float | None]:
    """The score of each seed. Raises DataError for one that cannot be ranked, and for too few or too many."""
    if len(scores) != len(measurements.examples):
        raise DataError(
            f"there are {len(scores)} scores for {len(measurements.examples)} seeds; "
            "a criterion gives one for each, None where there is none"
        )
    by_id = {example.id: score for example, score in zip(measurements.examples, scores, strict=True)}
    for seed, score in by_id.items():
        if score is not None and not math.isfinite(score):
            raise DataError(
                f"the score of seed {seed} is {score}; a criterion gives a finite number, "
                "or None where there is none"
            )
    return by_id


def scored_of(
    measurements: Measurements, scores: Sequence[float | None], max_draws: int | None
) -> list[tuple[Example, float]]:
    """The seeds that may come again and have a score. Raises DataError for a score that cannot be ranked."""
    by_id = score_by_id(measurements, scores)
    return [(e, score) for e in free(measurements, max_draws) if (score := by_id[e.id]) is not None]


def hardest_first(scored: Iterable[tuple[Example, float]]) -> list[Example]:
    """By score, highest first, then by id."""
    return [example for example, _ in sorted(scored, key=lambda pair: (-pair[1], pair[0].id))]


def by_id(examples: Iterable[Example]) -> list[Example]:
    """In the order of the ids, in which random numbers are dealt out."""
    return sorted(examples, key=lambda example: example.id)


def row_by_id(measurements: Measurements) -> Mapping[str, int]:
    """Where each seed stands among the measurements."""
    return {example.id: row for row, example in enumerate(measurements.examples)}
