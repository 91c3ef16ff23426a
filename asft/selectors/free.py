"""The seeds that a selector may choose from."""

import math
from collections.abc import Sequence
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


def scored_of(
    measurements: Measurements, scores: Sequence[float | None], max_draws: int | None
) -> list[tuple[Example, float]]:
    """The seeds that may come again and have a score. Raises DataError for a score that cannot be ranked."""
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
    return [(e, score) for e in free(measurements, max_draws) if (score := by_id[e.id]) is not None]
