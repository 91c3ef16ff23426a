"""How far apart groups of test items lie, point by point: does what is learnt reach all of them?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from asft.stats.curves import Curve, Item
from asft.stats.estimates import Estimate, estimate
from asft.stats.resampling import Floats, blocks


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The groups at one point of a curve."""

    spent: float
    """Where the point lies, on average over seeds."""
    groups: dict[str, Estimate]
    """The accuracy of each, the worst first; intervals kept within [0, 1]."""
    worst: str
    best: str
    gap: Estimate
    """Best minus worst. These two were chosen by looking, so that it is too large on average: `by_chance` and
    `p` say what to make of it, its own interval and p do not."""
    by_chance: float
    """The gap that the same items show on average, dealt out to groups of these sizes at random."""
    p: float
    """How often such groups show a gap as large or larger."""


def group_gaps(
    curve: Curve,
    groups: Mapping[str, str],
    rng: np.random.Generator,
    *,
    least: int = 20,
    level: float = 0.95,
    resamples: int = 10_000,
) -> tuple[Gap, ...]:
    """The worst and the best group, and the gap between them, at each point of a curve.

    `groups` has the group of each test item, by its id; an item without one is left out, and so is a group
    of fewer items than `least`. Empty where fewer than two are left.
    """
    members: dict[str, list[Item]] = {}
    for item in curve.items:
        if item[0] in groups:
            members.setdefault(groups[item[0]], []).append(item)
    large = {name: members[name] for name in sorted(members) if len(members[name]) >= max(least, 2)}
    if len(large) < 2:
        return ()
    parts = {name: curve.of_items(items) for name, items in large.items()}

    def gap(number: int) -> Gap:
        tables = {name: part.at_point(number) for name, part in parts.items()}
        found = {
            name: estimate(table, rng, level=level, resamples=resamples) for name, table in tables.items()
        }
        ranked = sorted(found, key=lambda name: found[name].value)
        worst, best = ranked[0], ranked[-1]
        apart = estimate(_difference(tables[best], tables[worst]), rng, level=level, resamples=resamples)
        chances = _dealt(list(tables.values()), rng, resamples)
        return Gap(
            spent=float(curve.axis[:, number].mean()),
            groups={
                name: replace(found[name], low=max(0.0, found[name].low), high=min(1.0, found[name].high))
                for name in ranked
            },
            worst=worst,
            best=best,
            gap=apart,
            by_chance=float(chances.mean()),
            # The items as they are dealt are one of the ways, so that p is never 0.
            p=float((1 + (chances >= apart.value - 1e-12).sum()) / (1 + len(chances))),
        )

    return tuple(gap(number) for number in range(curve.points))


def _difference(first: Floats, second: Floats) -> Floats:
    """A table whose mean is that of the first minus that of the second, of the same seeds and other items.

    Each answer counts by how far it lies from the mean of its group, which is what makes the mean vary.
    """
    items = first.shape[1] + second.shape[1]
    apart = first.mean() - second.mean()
    parts = [
        sign * (table - table.mean()) * items / table.shape[1] for sign, table in ((1, first), (-1, second))
    ]
    table: Floats = apart + np.concatenate(parts, axis=1)
    return table


def _dealt(tables: list[Floats], rng: np.random.Generator, resamples: int) -> Floats:
    """The gap between the best and the worst of groups to which the items are dealt at random."""
    shares = np.concatenate([table.mean(axis=0) for table in tables])
    sizes = np.array([table.shape[1] for table in tables])
    starts = np.cumsum(sizes) - sizes
    found = []
    for size in blocks(resamples, len(shares)):
        dealt = rng.permuted(np.tile(shares, (size, 1)), axis=1)
        found.append(np.ptp(np.add.reduceat(dealt, starts, axis=1) / sizes, axis=1))
    return np.concatenate(found)
