"""How a solution is looked for: first steps one after the other, and of each what becomes of it.

A solution alone says nothing of why its first step was taken, which is all that is hard about a puzzle. Here
a first step is given up where the three numbers that it leaves do not make 24, in the manner of the values
of Yao et al. (2023, arXiv 2305.10601) and of a stream of search (Gandhi et al. 2024, arXiv 2404.03683). What
three numbers make is known by heart: there are few enough of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations

from asft.tasks.game24.solving import TARGET, Sign, Step, Tree, value_of


@dataclass(frozen=True, kw_only=True)
class Search:
    """A solution, and what was tried before it."""

    given_up: tuple[Step, ...]
    """First steps that lead nowhere, in the order in which they are tried."""
    steps: tuple[Step, ...]
    """Those of the solution, in the order in which they are done; the last holds all others."""


@cache
def search(numbers: tuple[int, ...]) -> Search | None:
    """The first solution that is found; None where there is none. Pure.

    The largest numbers are joined first, and taken from one another before they are added, multiplied and
    divided. Fractions come in where whole results alone lead nowhere.
    """
    given_up: dict[tuple[Fraction, ...], Step] = {}
    items = tuple(sorted(numbers))
    for whole in (True, False):
        for step, left in joined(items):
            known = _values(left)
            if (step.value.denominator == 1) is not whole or known in given_up:
                continue
            steps = finished(left, whole)
            if steps is not None:
                return Search(given_up=tuple(given_up.values()), steps=(step, *steps))
            given_up[known] = step
    return None


def finished(items: Sequence[Tree], whole: bool) -> tuple[Step, ...] | None:
    """The steps from here to the target; None where there are none. `whole`: whole results alone."""
    for step, left in joined(items):
        if whole and step.value.denominator > 1:
            continue
        if len(left) == 1:
            if step.value == TARGET:
                return (step,)
            continue
        steps = finished(left, whole)
        if steps is not None:
            return (step, *steps)
    return None


def joined(items: Sequence[Tree]) -> Iterator[tuple[Step, tuple[Tree, ...]]]:
    """Every step from here, and what is left after it in rising order."""
    for low, high in reversed(list(combinations(range(len(items)), 2))):
        rest = [item for at, item in enumerate(items) if at not in (low, high)]
        for step in _results(items[high], items[low]):
            yield step, tuple(sorted([*rest, step], key=value_of))


def _results(large: Tree, small: Tree) -> Iterator[Step]:
    a, b = value_of(large), value_of(small)
    values: list[tuple[Sign, Fraction]] = [("-", a - b), ("+", a + b), ("*", a * b)]
    for sign, value in values:
        yield Step(sign, large, small, value)
    if b:
        yield Step("/", large, small, a / b)
    if a != b:
        yield Step("/", small, large, b / a)


def _values(items: Sequence[Tree]) -> tuple[Fraction, ...]:
    return tuple(value_of(item) for item in items)
