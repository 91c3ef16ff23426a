"""Arms compared: pairs by seed and test item. All differences are first minus second."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from asft.stats.curves import Curve, paired
from asft.stats.estimates import Estimate, estimate
from asft.stats.resampling import Floats


def band(
    curve: Curve, rng: np.random.Generator, *, level: float = 0.95, resamples: int = 10_000
) -> tuple[Estimate, ...]:
    """The mean curve, point by point, with intervals kept within [0, 1]: each holds for its point alone."""
    found = [
        estimate(curve.at_point(number), rng, level=level, resamples=resamples)
        for number in range(curve.points)
    ]
    return tuple(replace(one, low=max(0.0, one.low), high=min(1.0, one.high)) for one in found)


def end_difference(
    first: Curve, second: Curve, rng: np.random.Generator, *, level: float = 0.95, resamples: int = 10_000
) -> Estimate:
    """Of the last point of each, whatever each had spent there: `difference_at` is at equal spending."""
    one, two = paired(first, second)
    return estimate(one.at_point(-1) - two.at_point(-1), rng, level=level, resamples=resamples)


def differences(
    first: Curve, second: Curve, rng: np.random.Generator, *, level: float = 0.95, resamples: int = 10_000
) -> tuple[Estimate, ...]:
    """At each point, by its number. Raises ValueError where one arm has more points than the other.

    For an axis on which points of one number lie apart (dollars, say) `difference_at` is the fair one.
    """
    if first.points != second.points:
        raise ValueError(
            f"{first.points} and {second.points} points are no pairs by number; compare with difference_at"
        )
    one, two = paired(first, second)
    tables = [one.at_point(number) - two.at_point(number) for number in range(first.points)]
    return tuple(estimate(table, rng, level=level, resamples=resamples) for table in tables)


def difference_at(
    first: Curve,
    second: Curve,
    spent: float,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Estimate:
    """Where both had spent as much, between two points if need be (see `Curve.at`)."""
    one, two = paired(first, second)
    return estimate(one.at(spent) - two.at(spent), rng, level=level, resamples=resamples)


@dataclass(frozen=True, kw_only=True)
class Areas:
    """The mean accuracies of two arms over one stretch of the budget, and their difference."""

    low: float
    high: float
    """The stretch."""
    first: float
    second: float
    difference: Estimate


def area_difference(
    first: Curve,
    second: Curve,
    rng: np.random.Generator,
    *,
    low: float | None = None,
    high: float | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Areas:
    """The areas under two curves, each divided by the way, and their paired difference.

    Over all that both were measured at, or a part of it: areas of different stretches cannot be compared.
    """
    one, two = paired(first, second)
    low = max(one.start, two.start) if low is None else low
    high = min(one.end, two.end) if high is None else high
    areas = one.area(low, high), two.area(low, high)
    return Areas(
        low=low,
        high=high,
        first=float(areas[0].mean()),
        second=float(areas[1].mean()),
        difference=estimate(areas[0] - areas[1], rng, level=level, resamples=resamples),
    )


@dataclass(frozen=True, kw_only=True)
class WinRates:
    """How often each arm beats each other."""

    arms: tuple[str, ...]
    share: tuple[tuple[float | None, ...], ...]
    """`share[a][b]`: of the contests of a and b, those in which a has more right; a tie is half a win. None
    on the diagonal, and where the two never met."""
    contests: tuple[tuple[int, ...], ...]
    """How many contests each share is of. Points of one run are not independent of each other."""


def win_rates(curves: Mapping[str, Curve], *, ends: bool = False) -> WinRates:
    """The matrix over arms: each pair of seed and point is a contest; with `ends` the last points alone.

    Points are paired by number, as far as both arms have them. One at which neither has spent anything is no
    contest: there both are the base student.
    """
    found = {(a, b): _contests(curves[a], curves[b], ends) for a in curves for b in curves if a != b}
    wins = {
        pair: float((np.sign(margins) / 2 + 0.5).mean()) for pair, margins in found.items() if len(margins)
    }
    return WinRates(
        arms=tuple(curves),
        share=tuple(tuple(wins.get((a, b)) for b in curves) for a in curves),
        contests=tuple(tuple(len(found.get((a, b), ())) for b in curves) for a in curves),
    )


def _contests(first: Curve, second: Curve, ends: bool) -> Floats:
    """By how many items the first is ahead in each contest."""
    one, two = paired(first, second)
    if ends:
        margins: Floats = (one.at_point(-1) - two.at_point(-1)).sum(axis=1)
        return margins
    points = min(one.points, two.points)
    spent = (one.axis[:, :points] > 0) | (two.axis[:, :points] > 0)
    ahead: Floats = (one.right[:, :points] - two.right[:, :points]).sum(axis=2)
    return ahead[spent]
