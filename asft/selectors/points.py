"""Seeds as points, and the distances between them, exact and in bounded memory.

An array may be far larger than memory and mapped from disk: rows are read a block at a time, always in
the order of the ids, so that the order of the pool does not change even the last bit of a distance.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asft.errors import DataError
from asft.selectors.free import by_id, row_by_id
from asft.types import Example, Measurements

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_CACHED = 1 << 20
"""Bytes of a block that is gone through once: what the cache of a core holds."""
_BLOCK = 1 << 24
"""Bytes of a block that is multiplied with another."""
_ROWS = 1024
"""Rows of a block at most, so that distances between two blocks stay few where points have few dimensions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """k points of d dimensions: rows of an array."""

    array: Floats
    """`[n, d]`; may be mapped."""
    rows: Numbers
    """`[k]`: which rows are the points, in their order."""

    def __len__(self) -> int:
        """How many."""
        return len(self.rows)

    def at(self, where: slice | Numbers) -> Floats:
        """Some of the points, `[b, d]`, copied."""
        return np.asarray(self.array[self.rows[where]], dtype=np.float32)

    def point(self, number: int) -> Floats:
        """One of the points, `[d]`."""
        row: Floats = self.at(np.array([number]))[0]
        return row

    def blocks(self, size: int = _BLOCK) -> Iterator[tuple[slice, Floats]]:
        """All points, in blocks of so many bytes: where each stands, and the block."""
        step = min(_ROWS, max(1, size // (4 * max(1, self.array.shape[1]))))
        for start in range(0, len(self), step):
            where = slice(start, min(start + step, len(self)))
            yield where, self.at(where)

    def squared_from(self, point: Floats) -> Doubles:
        """Squared distance of every point from one, `[k]`: of the difference, so that equal is 0."""
        found = np.empty(len(self))
        for where, block in self.blocks(_CACHED):
            block -= point
            found[where] = np.vecdot(block, block)
        return found


def points(array: Floats, rows: Sequence[int] | Numbers) -> Points:
    """Rows of an array as points; those that hold NaN or infinity are left out."""
    given = Points(array=np.asarray(array), rows=np.asarray(rows, dtype=np.int64))
    there = np.zeros(len(given), dtype=bool)
    for where, block in given.blocks(_CACHED):
        there[where] = np.isfinite(block).all(axis=1)
    return Points(array=given.array, rows=given.rows[there])


def standing(
    measurements: Measurements, name: str, examples: Sequence[Example]
) -> tuple[list[Example], Points]:
    """The seeds that an array has a place for, in the order of their ids, and where they stand.

    Raises DataError where the array is missing, or has other rows than there are seeds.
    """
    array = measurements.arrays.get(name)
    if array is None:
        there = ", ".join(sorted(measurements.arrays)) or "none"
        raise DataError(
            f"the array {name!r} was not measured, and the selector reads it (there are: {there}); have the "
            "measure step done again"
        )
    if array.ndim != 2 or len(array) != len(measurements.examples):
        raise DataError(
            f"the array {name!r} has the shape {list(array.shape)}; for "
            f"{len(measurements.examples)} seeds it is [{len(measurements.examples)}, dimensions]; have the "
            "measure step done again"
        )
    row_of = row_by_id(measurements)
    ordered = by_id(examples)
    example_of = {row_of[example.id]: example for example in ordered}
    found = points(array, [row_of[example.id] for example in ordered])
    return [example_of[int(row)] for row in found.rows], found


def accepted(measurements: Measurements, like: Points) -> Points:
    """What earlier rounds accepted, as points in the space of others; none where the array is missing."""
    name = "accepted_embedding"
    dims = like.array.shape[1]
    array = measurements.arrays.get(name)
    if array is None or not len(array):
        return points(np.empty((0, dims), dtype=np.float32), [])
    if array.ndim != 2 or array.shape[1] != dims:
        raise DataError(
            f"the array {name!r} has the shape {list(array.shape)}, and the seeds have {dims} dimensions; "
            "have both measured by one model"
        )
    return points(array, range(len(array)))


def squared_between(left: Floats | Doubles, right: Floats | Doubles) -> Doubles:
    """Squared distances `[a, b]` of points `[a, d]` from points `[b, d]`, by one product of matrices.

    |x|^2 - 2xy + |y|^2 in float64: in float32 it would lose what tells close points apart. What is nearer
    than rounding lets it tell, 1e-6 of the points' lengths, is at no distance, as points that are equal are.
    """
    x, y = left.astype(np.float64), right.astype(np.float64)
    lengths = np.vecdot(x, x)[:, None] + np.vecdot(y, y)
    found: Doubles = x @ y.T
    found *= -2.0
    found += lengths
    found[found < 1e-12 * lengths] = 0.0
    return found


def spread(seeds: Points, first: int, rng: random.Random) -> Iterator[int]:
    """Points one after the other as k-means++ draws centres, each with p ~ its squared distance from the
    nearest that is there; ends when every point left stands where one is (Arthur and Vassilvitskii 2007).
    """
    nearest = seeds.squared_from(seeds.point(first))
    yield first
    while True:
        sums = np.cumsum(nearest)
        if not sums[-1] > 0.0:
            return
        number = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
        yield number
        np.minimum(nearest, seeds.squared_from(seeds.point(number)), out=nearest)
