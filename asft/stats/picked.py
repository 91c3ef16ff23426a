"""How far two sets of picks agree, and how far they would by chance."""

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two sets of seeds out of one pool. A seed that was picked twice counts once."""

    first: int
    second: int
    shared: int
    """How many each has, and both."""
    jaccard: float | None
    """Shared / all that one or the other has (Jaccard 1901); None of two empty sets."""
    share: float | None
    """Shared / the smaller set, so that 1 is as much as their sizes allow; None where one is empty."""
    chance_shared: float
    chance_jaccard: float | None
    """What two sets of these sizes share on average, drawn at random from the pool (hypergeometric)."""
    p: float
    """How likely they share as many or more by chance."""


def overlap(first: Collection[Hashable], second: Collection[Hashable], pool: int) -> Overlap:
    """Of two sets out of a pool of so many seeds."""
    one, two = set(first), set(second)
    both, either = len(one & two), len(one | two)
    if either > pool:
        raise ValueError(
            f"{either} seeds were picked out of a pool of {pool}: give the size of the whole pool"
        )
    chances = _hypergeometric(len(one), len(two), pool)
    total = len(one) + len(two)
    return Overlap(
        first=len(one),
        second=len(two),
        shared=both,
        jaccard=both / either if either else None,
        share=both / min(len(one), len(two)) if one and two else None,
        chance_shared=len(one) * len(two) / pool if pool else 0.0,
        chance_jaccard=math.fsum(p * k / (total - k) for k, p in chances.items()) if total else None,
        p=min(1.0, math.fsum(p for k, p in chances.items() if k >= both)),
    )


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far every two of several sets of picks agree, as means over training seeds."""

    names: tuple[str, ...]
    jaccard: tuple[tuple[float | None, ...], ...]
    """`jaccard[a][b]`; None where no training seed has both."""
    chance: tuple[tuple[float | None, ...], ...]
    """What it would be for sets of these sizes that were drawn at random."""


def agreement(picks: Mapping[int, Mapping[str, Collection[Hashable]]], pool: int) -> Agreement:
    """Of training seed -> name of an arm, a round, or a round of an arm -> what it picked.

    Sets are compared within one training seed.
    """
    names = tuple(dict.fromkeys(name for sets in picks.values() for name in sets))
    found = [
        [
            [overlap(sets[a], sets[b], pool) for sets in picks.values() if a in sets and b in sets]
            for b in names
        ]
        for a in names
    ]
    return Agreement(
        names=names,
        jaccard=tuple(tuple(_mean([one.jaccard for one in cell]) for cell in row) for row in found),
        chance=tuple(tuple(_mean([one.chance_jaccard for one in cell]) for cell in row) for row in found),
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _hypergeometric(first: int, second: int, pool: int) -> dict[int, float]:
    """How likely they share k: C(first, k) C(pool - first, second - k) / C(pool, second)."""
    least, most = max(0, first + second - pool), min(first, second)
    whole = _log_ways(pool, second)
    return {
        k: math.exp(_log_ways(first, k) + _log_ways(pool - first, second - k) - whole)
        for k in range(least, most + 1)
    }


def _log_ways(items: int, taken: int) -> float:
    return math.lgamma(items + 1) - math.lgamma(taken + 1) - math.lgamma(items - taken + 1)
