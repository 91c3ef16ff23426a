"""Numbers for a step: each draw takes the running quantity and gives numbers that fit it, or None."""

import random
from collections.abc import Callable

Args = tuple[int, ...]
Draw = Callable[[random.Random, int], Args | None]

LARGEST = 300
"""No quantity in a problem exceeds this, so that sums stay within a pocket student's reach."""

ORDINALS = {3: "third", 4: "fourth", 5: "fifth", 6: "sixth"}
FRACTIONS = {(2, 3): "two thirds", (3, 4): "three quarters", (2, 5): "two fifths", (3, 5): "three fifths"}


def none(rng: random.Random, n: int) -> Args | None:
    return ()


def plus(low: int, high: int) -> Draw:
    def draw(rng: random.Random, n: int) -> Args | None:
        return (rng.randint(low, high),)

    return draw


def minus(rng: random.Random, n: int) -> Args | None:
    return (rng.randint(2, n - 2),) if n >= 5 else None


def times(low: int, high: int) -> Draw:
    def draw(rng: random.Random, n: int) -> Args | None:
        top = min(high, LARGEST // n)
        return (rng.randint(low, top),) if top >= low else None

    return draw


def product(low: int, high: int) -> Draw:
    def draw(rng: random.Random, n: int) -> Args | None:
        return (rng.randint(low, high), rng.randint(low, high))

    return draw


def divide(low: int, high: int) -> Draw:
    def draw(rng: random.Random, n: int) -> Args | None:
        fits = [k for k in range(low, high + 1) if n % k == 0 and n // k >= 2]
        return (rng.choice(fits),) if fits else None

    return draw


def divisible(k: int) -> Draw:
    def draw(rng: random.Random, n: int) -> Args | None:
        return () if n % k == 0 and n // k >= 2 else None

    return draw


def at_most(top: int) -> Draw:
    def draw(rng: random.Random, n: int) -> Args | None:
        return () if n <= top else None

    return draw


def percent(rng: random.Random, n: int) -> Args | None:
    fits = [p for p in (10, 20, 25, 50, 75) if n * p % 100 == 0 and n * p >= 200]
    return (rng.choice(fits),) if fits else None


def remainder(rng: random.Random, n: int) -> Args | None:
    fits = [k for k in range(3, 8) if n % k >= 2 and n // k >= 2]
    return (rng.choice(fits),) if fits and n <= 40 else None


def fraction(rng: random.Random, n: int) -> Args | None:
    fits = [ab for ab in FRACTIONS if n % ab[1] == 0 and n > ab[1]]
    return rng.choice(fits) if fits else None


def average(rng: random.Random, n: int) -> Args | None:
    other = rng.randint(4, 60)
    return (other if (other + n) % 2 == 0 else other + 1,)


def weekdays(rng: random.Random, n: int) -> Args | None:
    weeks = rng.randint(2, 4)
    return (weeks,) if n * 5 * weeks <= LARGEST else None


def more_than(least: int) -> Draw:
    """No numbers of its own; the running quantity has to exceed `least`."""

    def draw(rng: random.Random, n: int) -> Args | None:
        return () if n > least else None

    return draw


def pairs(rng: random.Random, n: int) -> Args | None:
    """A number of pairs that leaves at least two."""
    top = min(12, (n - 2) // 2)
    return (rng.randint(2, top),) if top >= 2 else None
