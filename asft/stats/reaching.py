"""How much it takes to reach an accuracy, and how many times as much another arm takes.

What lies beyond the last point is not known: an accuracy that was not reached has no number, here and in
every resample, and the interval of a ratio stays open on the side on which that leaves it.
"""

import math
from dataclasses import dataclass

import numpy as np

from asft.stats.curves import Curve, paired
from asft.stats.estimates import calibrated_edge
from asft.stats.resampling import Counts, Floats, crossed, means_of

_ROUNDING = 1e-12
"""An accuracy that falls short of tau by no more reaches it: means of shares are rounded."""


@dataclass(frozen=True, kw_only=True)
class ReachRatio:
    """What the first arm spends to reach an accuracy over what the second does: above 1 the second saves."""

    tau: float
    """The accuracy."""
    first: float | None
    second: float | None
    """What each spends, on the axis of the curves; see `spent_to_reach` for None."""
    ratio: float | None
    """None where one of the two is None, or the second has nothing to spend."""
    low: float | None
    high: float | None
    """Its interval. None: open on that side, towards 0 or without bound: too many resamples do not say."""
    both: float
    only_first: float
    only_second: float
    neither: float
    """The shares of resamples in which both, one or none of them gets to the accuracy."""
    seeds: int
    """How many training seeds it rests on. Of 1 the interval is over items alone."""


def spent_to_reach(curve: Curve, tau: float, *, between: bool = True) -> float | None:
    """N(tau): what the mean curve of the seeds has spent where it first reaches tau.

    None where that is not known: it never gets there, or was there at its first point, with something spent.
    The mean curve goes straight from point to point, each at the mean of what the seeds had spent; with
    `between` False what counts is the first point that is as good. First
    means first, also where it falls again; so it is the same on the curve's monotone envelope. A curve with
    more points, or more noise, gets a lucky one sooner: compare arms of as many. The axis may fall: where
    every student costs about the same, that is what the accuracy costs.
    """
    axis, accuracy = curve.axis.mean(axis=0)[None], curve.accuracy.mean(axis=0)[None]
    low, high = _reached(axis, accuracy, np.array([tau]), between)
    return float(low[0]) if low[0] == high[0] else None


def reach_ratio(
    first: Curve,
    second: Curve,
    rng: np.random.Generator,
    *,
    tau: float | None = None,
    between: bool = True,
    level: float = 0.95,
    resamples: int = 10_000,
) -> ReachRatio:
    """N_first(tau) / N_second(tau), with an interval over resampled seeds and items, the same for both arms.

    tau None is the accuracy that the first ends at, in each resample its own: then the first always gets
    there, and the question is what the second needs to be as good as the first at its end.

    `between` False reads at points alone, the first that is as good: where half of the way to a student does
    not cost half of it, since training takes as many steps with any number of examples.

    A resample in which an arm does not get to tau, or is there at its first point, still says that it needs
    more than its last point, or no more than its first: such a resample is a stretch from the lowest to the
    highest ratio that it allows (from 0 or without bound where it allows all). `low` is read off the lower
    ends, `high` off the upper ones. The percentiles are those at which the difference of the two curves,
    where they reach tau, gets the interval of `estimate`: with few seeds that differ it is wider.
    """
    one, two = paired(first, second)
    aim = float(one.accuracy[:, -1].mean()) if tau is None else tau
    margin = _where_reached(two, aim) - _where_reached(one, aim)
    spent, margins = [], []
    for drawn_seeds, drawn_items in crossed(len(one.seeds), len(one.items), rng, resamples):
        axis, accuracy = _means(one, drawn_seeds, drawn_items)
        taus = accuracy[:, -1] if tau is None else np.full(len(axis), tau)
        other = _reached(*_means(two, drawn_seeds, drawn_items), taus, between)
        spent.append(np.stack([*_reached(axis, accuracy, taus, between), *other]))
        margins.append(means_of(margin, drawn_seeds, drawn_items))
    least, most, other_least, other_most = np.concatenate(spent, axis=1)
    lowest, highest = _ratios(least, most, other_least, other_most)
    edge = calibrated_edge(margin, np.concatenate(margins), level)
    low = float(np.quantile(lowest, edge, method="lower"))
    high = float(np.quantile(highest, 1 - edge, method="higher"))
    got, other_got = np.isfinite(most), np.isfinite(other_most)
    by_first, by_second = (spent_to_reach(curve, aim, between=between) for curve in (one, two))
    return ReachRatio(
        tau=aim,
        first=by_first,
        second=by_second,
        ratio=None if by_first is None or not by_second else by_first / by_second,
        low=low or None,
        high=high if math.isfinite(high) else None,
        both=float((got & other_got).mean()),
        only_first=float((got & ~other_got).mean()),
        only_second=float((~got & other_got).mean()),
        neither=float((~got & ~other_got).mean()),
        seeds=len(one.seeds),
    )


def _means(curve: Curve, drawn_seeds: Counts, drawn_items: Counts) -> tuple[Floats, Floats]:
    """Axis and accuracy of the mean curve, each `[b, p]`, in b resamples."""
    seeds, points, items = curve.right.shape
    by_seed = (drawn_items @ curve.right.reshape(-1, items).T).reshape(-1, seeds, points) / items
    axis: Floats = drawn_seeds @ curve.axis / seeds
    accuracy: Floats = np.einsum("bs,bsp->bp", drawn_seeds / seeds, by_seed)
    return axis, accuracy


def _reached(axis: Floats, accuracy: Floats, taus: Floats, between: bool) -> tuple[Floats, Floats]:
    """The least and the most that curves `[b, p]` may have spent where each first reaches its tau `[b]`."""
    there = accuracy >= taus[:, None] - _ROUNDING
    rows, place = np.arange(len(axis)), there.argmax(axis=1)
    before = np.maximum(place - 1, 0)
    climbed = accuracy[rows, place] - accuracy[rows, before]
    share = np.divide(taus - accuracy[rows, before], climbed, out=np.ones(len(axis)), where=climbed > 0)
    if not between:
        share = np.ones(len(axis))
    crossing = axis[rows, before] + np.minimum(share, 1.0) * (axis[rows, place] - axis[rows, before])
    never, at_once = ~there.any(axis=1), there[:, 0]
    least = np.where(never, axis[:, -1], np.where(at_once, 0.0, crossing))
    return least, np.where(never, np.inf, np.where(at_once, axis[:, 0], crossing))


def _ratios(least: Floats, most: Floats, other_least: Floats, other_most: Floats) -> tuple[Floats, Floats]:
    """The lowest and the highest ratio that such bounds allow; 0 and infinity where they allow any."""
    known = np.isfinite(other_most) & (other_most > 0)
    lowest = np.divide(least, other_most, out=np.zeros(len(least)), where=known)
    highest = np.divide(most, other_least, out=np.full(len(most), np.inf), where=other_least > 0)
    return lowest, highest


def _where_reached(curve: Curve, tau: float) -> Floats:
    """The table where the mean curve reaches tau; where it never does, that of its last point."""
    accuracy = curve.accuracy.mean(axis=0)
    there = np.flatnonzero(accuracy >= tau - _ROUNDING)
    if not len(there) or there[0] == 0:
        return curve.at_point(int(there[0]) if len(there) else -1)
    place = int(there[0])
    share = min(1.0, (tau - accuracy[place - 1]) / (accuracy[place] - accuracy[place - 1]))
    table: Floats = (1 - share) * curve.at_point(place - 1) + share * curve.at_point(place)
    return table
