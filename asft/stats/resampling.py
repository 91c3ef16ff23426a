"""Draws of seeds and items with replacement, and what all intervals check alike."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

# Resamples are drawn in blocks of at most this many numbers: 8 MB each, however large the data.
BLOCK = 1_000_000


def blocks(resamples: int, width: int) -> list[int]:
    """How many resamples to draw at a time."""
    if resamples < 1:
        raise ValueError(f"{resamples} resamples: give at least one, 10000 for an interval")
    most = max(1, BLOCK // width)
    return [min(most, resamples - start) for start in range(0, resamples, most)]


def crossed(
    seeds: int, items: int, rng: np.random.Generator, resamples: int
) -> Iterator[tuple[Counts, Counts]]:
    """How often each seed `[b, s]` and each item `[b, i]` comes up in resamples, a block at a time.

    Every training seed answers the same test items, so a resample draws seeds and, once for all of them,
    items: the pigeonhole bootstrap (Owen 2007). Drawing items anew within each seed would treat an item
    that is hard for all seeds as so many independent ones, and give too narrow an interval.
    """
    for size in blocks(resamples, max(seeds, items)):
        yield _times(size, seeds, rng), _times(size, items, rng)


def _times(size: int, of: int, rng: np.random.Generator) -> Counts:
    """How often each of so many comes up, in resamples of as many `[size, of]`."""
    # Several times as fast as multinomial draws, whose numbers are as likely.
    drawn = rng.integers(of, size=(size, of)) + of * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * of).reshape(size, of)


def means_of(table: Floats, drawn_seeds: Counts, drawn_items: Counts) -> Floats:
    """The mean of a table [seed, item] in each of the resamples that `crossed` gives, `[b]`."""
    means: Floats = ((drawn_items @ table.T) * drawn_seeds).sum(axis=1) / table.size
    return means


def finite(values: Floats) -> Floats:
    """The values, where all are numbers."""
    if not np.isfinite(values).all():
        raise ValueError("a grade is not a finite number: count an answer without a grade as wrong (0.0)")
    return values


def checked(level: float) -> float:
    """The level, where it is one."""
    if not 0 < level < 1:
        raise ValueError(f"level {level}: give a share between 0 and 1, such as 0.95")
    return level


def resampled_means(table: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """The mean of a table [seed, item] in resamples of its seeds and items; of one seed, of its items."""
    seeds, items = table.shape
    return np.concatenate([means_of(table, *drawn) for drawn in crossed(seeds, items, rng, resamples)])
