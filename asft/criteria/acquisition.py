"""A criterion that weighs how hard a seed is against how new and how good it is."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, cast

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field

from asft import needs, registry
from asft.errors import DataError, PluginError
from asft.registry import plugin
from asft.types import Criterion, Measurements, Need

Scores = Sequence[float | None]
Floats = npt.NDArray[np.float32]
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Weights = Weight | Annotated[tuple[Weight, ...], Field(min_length=1)]

BLOCK = 512
"""Rows whose distances to all others are held at once."""
DIGITS = 6
"""Of a distance; beyond them the order in which numbers are added shows, and would break ties."""


def _written_out(value: object) -> Mapping[str, Any] | None:
    return None if value is None else registry.written_out("criterion", value)


def _criterion(section: Mapping[str, Any]) -> Criterion:
    return cast(Criterion, registry.from_section("criterion", section))


@plugin
class Acquisition:
    """How hard, how new and how good a seed is: alpha x uncertainty + beta x diversity + gamma x quality.

    Each part is a rank in the pool, from 0 (lowest) to 1 (highest), ties sharing their mean; so that parts
    without a common unit can be added. uncertainty and quality are criteria of their own. diversity goes by
    the mean of two ranks: of the cosine distance of a seed's question to the nearest question that was
    accepted before, where there is one, and of its mean distance to its `neighbours` nearest in the pool
    (its rarity). High is chosen first.

    That it is done on ranks is ours, and so are the two distances. A weight may change from round to round:
    [1.0, 0.5] is 1 in the first and 0.5 in all that follow. A seed that lacks a part that counts in the round
    has no score, and a part that never counts is not measured.

    Cost: what its parts cost, and a forward pass over each question for diversity.
    When: a run has many rounds, and what is hardest is soon alike.
    Source: the weighing is that of ADDE.
    """

    uncertainty: Annotated[Mapping[str, Any], BeforeValidator(_written_out)] = Field(
        default_factory=lambda: {"use": "loss"}, validate_default=True
    )
    """A criterion as in the recipe's own section, or its name; what it scores high is hard."""
    quality: Annotated[Mapping[str, Any] | None, BeforeValidator(_written_out)] = None
    """The same, for gamma; what it scores high counts as good, such as llm_pick by informativeness."""
    alpha: Weights = 1.0
    """Weight of uncertainty: a number, or a list by round, the last of which holds for all that follow."""
    beta: Weights = 1.0
    """Weight of diversity."""
    gamma: Weights = 0.0
    """Weight of quality."""
    neighbours: Annotated[int, Field(ge=1)] = 10
    """How many of the pool tell how rare a seed is."""
    embedding: str | None = None
    """Where questions stand: a sentence-transformers model by name; None: the student's hidden states."""

    def __post_init__(self) -> None:
        """Raises PluginError for weights that cannot be meant."""
        if self.quality is None and any(_listed(self.gamma)):
            raise PluginError(f"gamma = {self.gamma!r}: name a criterion as `quality`, or leave gamma out")
        if self.quality is not None and not any(_listed(self.gamma)):
            raise PluginError("quality: has no effect where gamma is 0; give gamma a weight, or leave it out")
        every = [_listed(weights) for weights in (self.alpha, self.beta, self.gamma)]
        for number in range(1, max(map(len, every)) + 1):
            if not any(_at(weights, number) for weights in every):
                raise PluginError(f"alpha, beta and gamma are all 0 in round {number}; give one a weight")

    @cached_property
    def _uncertainty(self) -> Criterion:
        return _criterion(self.uncertainty)

    @cached_property
    def _quality(self) -> Criterion | None:
        return None if self.quality is None else _criterion(self.quality)

    @property
    def needs(self) -> tuple[Need, ...]:
        """What its parts need. Raises RecipeError where they want one measurement with different options."""
        wanted: list[Need] = []
        if any(_listed(self.alpha)):
            wanted += self._uncertainty.needs
        if any(_listed(self.beta)):
            wanted.append(needs.embedding(self.embedding))
        if self._quality is not None:
            wanted += self._quality.needs
        return needs.joined(wanted)

    def score(self, measurements: Measurements) -> list[float | None]:
        """The weighed sum of ranks."""
        total: list[float | None] = [0.0] * len(measurements.examples)
        for weights, part in (
            (self.alpha, self._uncertainty.score),
            (self.beta, self._diversity),
            (self.gamma, self._quality.score if self._quality else None),
        ):
            weight = _at(_listed(weights), measurements.round)
            if part is not None and weight > 0:
                total = _sum(total, [None if r is None else weight * r for r in ranks(part(measurements))])
        return total

    def _diversity(self, measurements: Measurements) -> Scores:
        points = measurements.arrays.get("embedding")
        if points is None:
            return [None] * len(measurements.examples)
        if len(points) != len(measurements.examples):
            raise DataError(
                f"the array 'embedding' has {len(points)} rows for {len(measurements.examples)} seeds; "
                "measure the pool again with --redo measure"
            )
        there = np.flatnonzero(np.isfinite(points).all(axis=1))
        known = np.asarray(points[there])
        rare = ranks(_rarity(known, self.neighbours))
        accepted = measurements.arrays.get("accepted_embedding")
        if accepted is not None and len(accepted):
            new = ranks(_nearest(known, np.asarray(accepted)))
            rare = [None if total is None else total / 2 for total in _sum(rare, new)]
        found: list[float | None] = [None] * len(points)
        for row, value in zip(there, rare, strict=True):
            found[row] = value
        return found


def ranks(scores: Scores) -> list[float | None]:
    """Ranks from 0 to 1 of the scores that there are, ties sharing their mean; 0.5 where there is but one."""
    there = [i for i, score in enumerate(scores) if score is not None]
    values = np.array([scores[i] for i in there], dtype=np.float64)
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    found: list[float | None] = [None] * len(scores)
    for i, group in zip(there, which, strict=True):
        place = below[group] + (counts[group] - 1) / 2
        found[i] = float(place / (len(there) - 1)) if len(there) > 1 else 0.5
    return found


def _rarity(points: Floats, neighbours: int) -> list[float]:
    """Mean distance to the nearest others; 0 where there are none."""
    count = min(neighbours, len(points) - 1)
    if count < 1:
        return [0.0] * len(points)
    found: list[float] = []
    for start in range(0, len(points), BLOCK):
        near = points[start : start + BLOCK] @ points.T
        near[np.arange(len(near)), np.arange(start, start + len(near))] = -np.inf
        nearest = np.partition(near, -count, axis=1)[:, -count:]
        # Sorted, so that the order of the pool does not show in the sum.
        means = 1.0 - np.sort(nearest, axis=1).astype(np.float64).mean(axis=1)
        found += [float(value) for value in means.round(DIGITS)]
    return found


def _nearest(points: Floats, others: Floats) -> Sequence[float]:
    """Distance to the nearest of the others."""
    found: list[float] = []
    for start in range(0, len(points), BLOCK):
        near = (points[start : start + BLOCK] @ others.T).max(axis=1).astype(np.float64)
        found += [float(value) for value in (1.0 - near).round(DIGITS)]
    return found


def _sum(first: Scores, second: Scores) -> list[float | None]:
    return [None if a is None or b is None else a + b for a, b in zip(first, second, strict=True)]


def _listed(weights: Weights) -> tuple[float, ...]:
    return weights if isinstance(weights, tuple) else (weights,)


def _at(weights: Sequence[float], round: int) -> float:
    """The weight in a round, the first of which is 1; before it, the first."""
    return weights[min(max(round, 1), len(weights)) - 1]
