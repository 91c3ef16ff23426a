"""Several orders dealt into one, so that every prefix keeps to given shares."""

import math
from collections.abc import Generator, Iterator, Mapping
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")


def exact(value: float | str) -> Fraction:
    """A number as it is written, so that 0.1 of 30 is 3."""
    return Fraction(str(value))


def dealt(orders: Mapping[str, Iterator[T]], shares: Mapping[str, Fraction]) -> Iterator[T]:
    """All of all orders, each in its own order, dealt by shares that are above 0 and add up to 1.

    Of the first m, each of k > 1 orders has its share to within 1 - 1/(2k - 2), which is the best that can
    be promised (Tijdeman 1980, the chairman assignment problem). When one ends, the others begin anew with
    what their shares are of the rest.
    """
    left = dict(orders)
    while left:
        scale = math.lcm(*(shares[name].denominator for name in left))
        ended = yield from _until_one_ends(left, {name: int(shares[name] * scale) for name in left})
        del left[ended]


def _until_one_ends(orders: Mapping[str, Iterator[T]], weights: Mapping[str, int]) -> Generator[T, None, str]:
    """Deal by weights, in whole numbers so that nothing is rounded; the name of the order that ended.

    Tijdeman's rule: of the orders that are behind by 1/(2k - 2) at least, the one whose deadline is first,
    by which it would be behind by more than 1 - 1/(2k - 2). Ties go to the greater weight, then to the order
    that is named first.
    """
    whole, slack = sum(weights.values()), max(2 * len(weights) - 2, 1)
    taken = dict.fromkeys(weights, 0)

    def urgency(name: str) -> tuple[int, int]:
        deadline = -(-whole * (slack - 1 + slack * taken[name]) // (slack * weights[name]))
        return deadline, -weights[name]

    number = 0
    while True:
        number += 1
        behind = [
            name
            for name, weight in weights.items()
            if slack * (weight * number - taken[name] * whole) >= whole
        ]
        name = min(behind, key=urgency)
        try:
            item = next(orders[name])
        except StopIteration:
            return name
        taken[name] += 1
        yield item
