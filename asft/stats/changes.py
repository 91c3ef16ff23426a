"""Items that changed between two students, and families of comparisons."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


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


def mcnemar_mid_p(gained: int, lost: int) -> float:
    """The mid-p of `mcnemar_exact`: in each tail what came out counts half.

    The exact test is too careful, since whole items make few p-values; the mid-p is near the level that it
    states, though it does not bound it (Fagerland, Lydersen and Laake 2013, who recommend it). 1.0 where as
    many were gained as lost.
    """
    exact = mcnemar_exact(gained, lost)
    return exact - math.comb(gained + lost, gained) / (1 << gained + lost) if gained != lost else 1.0


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Items that one student has right and another has not."""

    items: int
    gained: int
    """Wrong before, right after."""
    lost: int
    """The reverse."""
    exact: float
    mid_p: float
    """Two-sided p-values that as many were gained as lost (McNemar)."""


def changed(before: Sequence[float | None], after: Sequence[float | None]) -> Changed:
    """Of grades of the same items by two students. Only 1.0 is right; None is not."""
    if len(before) != len(after):
        raise ValueError(f"{len(before)} and {len(after)} grades are no pairs: give as many of each")
    right = [(one == 1.0, two == 1.0) for one, two in zip(before, after, strict=True)]
    gained, lost = right.count((False, True)), right.count((True, False))
    return Changed(
        items=len(right),
        gained=gained,
        lost=lost,
        exact=mcnemar_exact(gained, lost),
        mid_p=mcnemar_mid_p(gained, lost),
    )


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
