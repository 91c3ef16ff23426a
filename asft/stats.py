"""Intervals and paired tests for accuracies and their differences. Pure functions; numpy only.

Two students answer the same test items, so they are compared item by item: that removes the spread
between items, which is most of the noise. Chance comes in as an explicit generator, so that a report
made twice is the same report.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Resamples are drawn in blocks of at most this many numbers: 8 MB each, however large the data.
BLOCK = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a figure lies, at the level that was asked for."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean paired difference (after minus before) with its interval."""

    mean: float
    low: float
    high: float


def wilson(right: int, items: int, level: float = 0.95) -> Interval:
    """The score interval of a share (Wilson 1927): within [0, 1], and sound for none and for all right."""
    if not 0 <= right <= items or items == 0:
        raise ValueError(f"{right} right of {items} items is no share: give 0 <= right <= items, items > 0")
    z = NormalDist().inv_cdf(0.5 + _checked(level) / 2)
    share = right / items
    centre = share + z * z / (2 * items)
    reach = z * math.sqrt(share * (1 - share) / items + (z / (2 * items)) ** 2)
    scale = 1 + z * z / items
    # At the ends the formula gives exactly 0 and 1; rounding must not move them.
    low = 0.0 if right == 0 else (centre - reach) / scale
    high = 1.0 if right == items else (centre + reach) / scale
    return Interval(low=low, high=high)


def bootstrap(
    grades: Sequence[float],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Interval:
    """The percentile interval of the mean grade over resampled items (Efron 1979).

    For means of anything from 0 to 1, where `wilson` takes counts alone. Where all grades are equal it has no
    width, and says nothing of how sure that is.
    """
    if not len(grades):
        raise ValueError("there are no grades: give at least one")
    found = _resampled(_finite(np.asarray(grades, np.float64)), rng, level, resamples)
    return Interval(low=found.low, high=found.high)


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that one of k answers is right, from `samples` answers of which `right` are.

    1 - C(samples - right, k) / C(samples, k): the unbiased estimate of Chen et al. 2021, in whole numbers up
    to the one division.
    """
    if not 0 <= right <= samples or not 1 <= k <= samples:
        raise ValueError(
            f"{right} right of {samples} answers, k = {k}: give 0 <= right <= samples and 1 <= k <= samples"
        )
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def majority(answers: Sequence[Hashable | None]) -> int | None:
    """Where the commonest answer comes first; None where every answer is None, which is nobody's vote.

    Of answers that are equally common the one that was drawn first wins: for answers drawn alike that is a
    fair lot.
    """
    votes = [answer for answer in answers if answer is not None]
    if not votes:
        return None
    return answers.index(max(dict.fromkeys(votes), key=votes.count))


@dataclass(frozen=True, kw_only=True)
class LabelCounts:
    """How one label of a classification fared. A share of nothing is 0.0, as scikit-learn has it."""

    right: int
    """Items of this label that were called so."""
    called: int
    """Items that were called so."""
    items: int
    """Items of this label."""

    @property
    def precision(self) -> float:
        """right / called."""
        return self.right / self.called if self.called else 0.0

    @property
    def recall(self) -> float:
        """right / items."""
        return self.right / self.items if self.items else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall: 2 right / (called + items)."""
        return 2 * self.right / (self.called + self.items) if self.called + self.items else 0.0


@dataclass(frozen=True, kw_only=True)
class Classified:
    """What a classification amounts to over all its labels."""

    accuracy: float
    """Right / all items."""
    macro_f1: float
    """The mean over labels of their F1, each label as heavy as another, however rare."""
    micro_f1: float
    """F1 of all labels' counts together. It is the accuracy where every answer is a label."""
    labels: dict[str, LabelCounts]
    """By label, in the order of the label set."""


def classified(references: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> Classified:
    """Accuracy, macro and micro F1 over a label set (van Rijsbergen 1979), as scikit-learn's `f1_score`.

    An answer that is None or no label is wrong, and lowers the recall of the item's label and the precision
    of none; so micro F1 lies above the accuracy then. A label of no item that nobody was called by has F1 0
    and counts in the macro mean: give the labels that are there. Raises ValueError for no items, and for a
    reference outside the label set.
    """
    if len(references) != len(answers) or not references:
        raise ValueError(
            f"{len(references)} references and {len(answers)} answers: give as many of each, at least one"
        )
    if strange := sorted(set(references) - set(labels)):
        raise ValueError(f"the reference {strange[0]!r} is not in the label set {sorted(set(labels))}")
    pairs = list(zip(references, answers, strict=True))
    counts = {
        label: LabelCounts(
            right=sum(a == r == label for r, a in pairs),
            called=sum(a == label for _, a in pairs),
            items=sum(r == label for r, _ in pairs),
        )
        for label in labels
    }
    right = sum(one.right for one in counts.values())
    called = sum(one.called for one in counts.values())
    return Classified(
        accuracy=right / len(pairs),
        macro_f1=math.fsum(one.f1 for one in counts.values()) / len(counts),
        micro_f1=LabelCounts(right=right, called=called, items=len(pairs)).f1,
        labels=counts,
    )


def paired_bootstrap(
    before: Sequence[float],
    after: Sequence[float],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Difference:
    """The mean of `after - before` over items, with the percentile interval over resampled items.

    `before[i]` and `after[i]` are grades of the same item. It speaks of these two students on other items
    of this kind; other training seeds are `hierarchical_bootstrap`'s.
    """
    if len(before) != len(after) or not before:
        raise ValueError(
            f"{len(before)} and {len(after)} grades are no pairs: give as many of each, at least one"
        )
    differences = _finite(np.asarray(after, np.float64) - np.asarray(before, np.float64))
    return _resampled(differences, rng, level, resamples)


def hierarchical_bootstrap(
    differences: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Difference:
    """The mean of `differences` [seed, item] with the percentile interval over resampled seeds and items.

    Every training seed answers the same test items, so a resample draws seeds and, once for all of them,
    items (the pigeonhole bootstrap, Owen 2007). Drawing items anew within each seed would treat an item
    that is hard for all seeds as so many independent ones, and give too narrow an interval. With few seeds
    any bootstrap is too narrow: where 5 seeds differ more than chance among the items explains, its 95%
    holds about 85 times in 100 (P(|t| < 1.96 sqrt(4/5)) with 4 degrees of freedom).
    """
    table = _finite(np.asarray(differences, np.float64))
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 1:
        raise ValueError(
            f"differences of shape {table.shape}: give [seed, item] with at least two seeds; "
            "paired_bootstrap takes the items of one"
        )
    seeds, items = table.shape
    means = []
    for size in _blocks(resamples, items):
        drawn_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=size)
        drawn_items = rng.multinomial(items, np.full(items, 1 / items), size=size)
        means.append(((drawn_seeds @ table) * drawn_items).sum(axis=1) / (seeds * items))
    return _difference(float(table.mean()), np.concatenate(means), level)


def mcnemar_exact(gained: int, lost: int) -> float:
    """The two-sided p-value that as many items were gained as lost (McNemar's test, exact binomial).

    `gained` items were wrong before and are right after, `lost` the reverse; items that did not change
    say nothing. 1.0 where none changed.
    """
    if gained < 0 or lost < 0:
        raise ValueError(f"{gained} gained and {lost} lost: counts cannot be negative")
    changed = gained + lost
    tail = sum(math.comb(changed, k) for k in range(min(gained, lost) + 1))
    # Whole numbers up to the one division: 2.0 ** changed overflows at 1024 changes.
    return min(1.0, 2 * tail / (1 << changed))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of one family, adjusted so that the chance of any false alarm is bounded (Holm 1979).

    In the order given; compare each with the level as it is.
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"{p} is no p-value: give numbers from 0 to 1")
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = worst
    return adjusted


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


def _resampled(values: Floats, rng: np.random.Generator, level: float, resamples: int) -> Difference:
    """The mean of values with the percentile interval over resampled ones."""
    # How often each distinct value comes up in a resample is one multinomial draw; grades of 0 and 1 have
    # three differences, so that a test set of any size costs nothing.
    distinct, counts = np.unique(values, return_counts=True)
    means = []
    for size in _blocks(resamples, len(distinct)):
        drawn = rng.multinomial(len(values), counts / len(values), size=size)
        means.append(drawn @ distinct / len(values))
    return _difference(float(values.mean()), np.concatenate(means), level)


def _difference(mean: float, resampled: Floats, level: float) -> Difference:
    edge = (1 - _checked(level)) / 2
    low, high = np.quantile(resampled, [edge, 1 - edge])
    return Difference(mean=mean, low=float(low), high=float(high))


def _blocks(resamples: int, width: int) -> list[int]:
    """How many resamples to draw at a time."""
    if resamples < 1:
        raise ValueError(f"{resamples} resamples: give at least one, 10000 for an interval")
    most = max(1, BLOCK // width)
    return [min(most, resamples - start) for start in range(0, resamples, most)]


def _finite(values: Floats) -> Floats:
    if not np.isfinite(values).all():
        raise ValueError("a grade is not a finite number: count an answer without a grade as wrong (0.0)")
    return values


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level {level}: give a share between 0 and 1, such as 0.95")
    return level


def _ranks(values: Sequence[float]) -> Floats:
    """1 for the smallest; equal ones have the mean of their places."""
    _, place, count = np.unique(np.array(values), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean: Floats = (last - (count - 1) / 2)[place]
    return mean
