"""Rank correlation, and whether what is written from a hard seed is hard too."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

import numpy as np

from asft.stats.intervals import Interval
from asft.stats.resampling import Counts, Floats, blocks, checked


def spearman(first: Sequence[float | None], second: Sequence[float | None]) -> float | None:
    """Rank correlation over the pairs in which neither is None; ties share their mean rank.

    None for fewer than three such pairs, and where one side is the same everywhere. Spearman 1904, as
    Pearson's correlation of the ranks.
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if len(pairs) < 3:
        return None
    ranks = np.array([_ranks([pair[side] for pair in pairs]) for side in (0, 1)])
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    spread = math.sqrt(float((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / spread if spread else None


def spearman_interval(rho: float, pairs: int, level: float = 0.95) -> Interval | None:
    """The interval of a rank correlation of so many pairs that have nothing to do with each other.

    tanh(atanh(rho) -+ z sqrt((1 + rho^2 / 2) / (pairs - 3))): Fisher's, with the variance that Bonett and
    Wright (2000) found to hold for ranks. None for fewer than four pairs, and for -1 and 1, where it would
    have no width.
    """
    if not -1 <= rho <= 1:
        raise ValueError(f"{rho} is no correlation: give a number from -1 to 1")
    if pairs < 4 or abs(rho) == 1:
        return None
    z = NormalDist().inv_cdf(0.5 + checked(level) / 2)
    reach = z * math.sqrt((1 + rho * rho / 2) / (pairs - 3))
    return Interval(low=math.tanh(math.atanh(rho) - reach), high=math.tanh(math.atanh(rho) + reach))


def auroc(above: Sequence[float], below: Sequence[float]) -> float | None:
    """How often one of the first is larger than one of the second, over all pairs; a tie is half.

    The area under the ROC curve, which is Mann and Whitney's U over the number of pairs (Hanley and McNeil
    1982): 0.5 where the two cannot be told apart, 1 where every one of the first is larger. None where one
    side is empty.
    """
    if not above or not below:
        return None
    ranks = _ranks([*above, *below])[: len(above)]
    smallest = len(above) * (len(above) + 1) / 2
    return float((ranks.sum() - smallest) / (len(above) * len(below)))


@dataclass(frozen=True, kw_only=True)
class Written:
    """A seed and something that was written from it."""

    seed: Hashable
    """Which seed: what is written from one seed is alike."""
    asked: float | None
    """The score of the seed."""
    got: float | None
    """The score of what was written, by the same criterion and, where it reads one, the same student."""


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """A rank correlation."""

    rho: float | None
    """None for fewer than three pairs, and where one side is the same everywhere."""
    low: float | None
    high: float | None
    """Its interval; None where there are too few pairs for one."""
    pairs: int
    """Pairs with both scores."""
    left_out: int
    """Pairs in which a score is None."""


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How far the score of a seed tells the score of what is written from it."""

    points: Correlation
    """Over all that was written. The interval is of resampled seeds."""
    medians: Correlation
    """Over data sets: the median score of the seeds against the median score of what was written."""
    within: Mapping[str, float | None]
    """Over what was written, for each data set by itself."""


def fidelity(
    sets: Mapping[str, Sequence[Written]],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> Fidelity:
    """Of data sets by name: a round of an arm, say, at one training seed.

    Medians forget what is by chance in each example, so that theirs is higher than that of points wherever
    there is any (arXiv 2512.00884 finds it high over medians and low per point); it needs data sets that
    differ. Pairs without both scores are left out, and counted.
    """
    known = {
        name: [
            (row.seed, row.asked, row.got) for row in rows if row.asked is not None and row.got is not None
        ]
        for name, rows in sets.items()
    }
    filled = [rows for rows in known.values() if rows]
    middles = [(median(asked for _, asked, _ in rows), median(got for _, _, got in rows)) for rows in filled]
    rho = spearman([asked for asked, _ in middles], [got for _, got in middles])
    interval = None if rho is None else spearman_interval(rho, len(middles), level)
    return Fidelity(
        points=_clustered(
            [row for rows in filled for row in rows], sum(map(len, sets.values())), rng, level, resamples
        ),
        medians=Correlation(
            rho=rho,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            pairs=len(middles),
            left_out=len(sets) - len(middles),
        ),
        within={
            name: spearman([asked for _, asked, _ in rows], [got for _, _, got in rows])
            for name, rows in known.items()
        },
    )


def _clustered(
    rows: Sequence[tuple[Hashable, float, float]],
    given: int,
    rng: np.random.Generator,
    level: float,
    resamples: int,
) -> Correlation:
    """The correlation of all rows, with the percentile interval over resampled seeds and all that is theirs.

    A resample in which one side is the same everywhere has none, and does not count.
    """
    asked, got = np.array([one for _, one, _ in rows]), np.array([one for _, _, one in rows])
    rho = spearman(asked.tolist(), got.tolist())
    numbers = {seed: number for number, seed in enumerate(dict.fromkeys(seed for seed, _, _ in rows))}
    low = high = None
    if rho is not None and len(numbers) > 1:
        owner = np.array([numbers[seed] for seed, _, _ in rows])
        found = []
        for size in blocks(resamples, len(rows)):
            drawn = rng.multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), size=size)
            found.append(_weighted(asked, got, drawn[:, owner]))
        edge = (1 - checked(level)) / 2
        low, high = np.nanquantile(np.concatenate(found), [edge, 1 - edge]).tolist()
    return Correlation(rho=rho, low=low, high=high, pairs=len(rows), left_out=given - len(rows))


def _weighted(first: Floats, second: Floats, times: Counts) -> Floats:
    """The rank correlation `[b]` of pairs that come up so often `[b, pairs]`; NaN where there is none."""
    total = times.sum(axis=1, keepdims=True)
    one, two = (_weighted_ranks(values, times) - (total + 1) / 2 for values in (first, second))
    shared = (times * one * two).sum(axis=1)
    spread = np.sqrt((times * one**2).sum(axis=1) * (times * two**2).sum(axis=1))
    found: Floats = np.divide(shared, spread, out=np.full(len(times), np.nan), where=spread > 0)
    return found


def _weighted_ranks(values: Floats, times: Counts) -> Floats:
    """The mean rank of each value `[b, pairs]`, where each comes up so many times."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    counts = np.add.reduceat(times[:, order], starts, axis=1)
    ranks: Floats = (np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, place]
    return ranks


def _ranks(values: Sequence[float]) -> Floats:
    """1 for the smallest; equal ones have the mean of their places."""
    _, place, count = np.unique(np.array(values), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean: Floats = (last - (count - 1) / 2)[place]
    return mean
