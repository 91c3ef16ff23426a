"""Items that changed between two students, and families of comparisons."""

import math
from collections.abc import Sequence


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
