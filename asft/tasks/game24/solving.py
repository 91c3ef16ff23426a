"""All solutions of a puzzle, told apart by what they compute and not by how they are written.

4 * 6 * 1 and 1 * 6 * 4 are one solution, (4 + 8) - 2 and 4 + (8 - 2) too. Intermediate results are never
negative: a solution that has such a result can be written without it. How many solutions a puzzle has says
how hard it is.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import Literal

TARGET = 24
HOW_MANY = 4
"""Numbers in a puzzle."""
LARGEST = 13
"""The largest number of the game as it is played with cards."""

Sign = Literal["+", "-", "*", "/"]


@dataclass(frozen=True, slots=True)
class Step:
    """`left sign right`, and what it gives."""

    sign: Sign
    left: "Tree"
    right: "Tree"
    value: Fraction


Tree = int | Step


def value_of(tree: Tree) -> Fraction:
    """What a tree gives."""
    return Fraction(tree) if isinstance(tree, int) else tree.value


@cache
def solutions(numbers: tuple[int, ...]) -> tuple[Tree, ...]:
    """All solutions, the plainest first: whole results before fractions, then small ones. Pure."""
    found: dict[str, Tree] = {}
    for bare in _search([_Bare(n, 1, n) for n in sorted(numbers)]):
        tree = _built(bare)
        form = _form(tree)
        if form not in found or _plainness(tree) < _plainness(found[form]):
            found[form] = tree
    return tuple(sorted(found.values(), key=_plainness))


CLASSES = ("1", "2", "3 to 4", "5 or more")
"""Puzzles by the number of their solutions, the hardest first."""


def class_of(numbers: tuple[int, ...]) -> str | None:
    """Which of `CLASSES` a puzzle is in; None where it has no solution."""
    count = len(solutions(numbers))
    if not count:
        return None
    return CLASSES[(count > 1) + (count > 2) + (count > 4)]


def draw(rng: random.Random, wanted: str, largest: int = LARGEST) -> tuple[int, ...]:
    """Four numbers from 1 up, in rising order, that are a puzzle of a class."""
    while True:
        numbers = tuple(sorted(rng.randint(1, largest) for _ in range(HOW_MANY)))
        if class_of(numbers) == wanted:
            return numbers


def walk(tree: Tree) -> Iterator[Step]:
    """The steps of a tree in an order in which they can be done."""
    if isinstance(tree, Step):
        yield from walk(tree.left)
        yield from walk(tree.right)
        yield tree


# The search works on bare integers, since it visits some thousand results for each puzzle.


@dataclass(frozen=True, slots=True)
class _Bare:
    top: int
    bottom: int
    made: "int | tuple[Sign, _Bare, _Bare]"


def _search(items: list[_Bare]) -> Iterator[_Bare]:
    if len(items) == 1:
        if items[0].top == TARGET * items[0].bottom:
            yield items[0]
        return
    for i, j in combinations(range(len(items)), 2):
        rest = [item for k, item in enumerate(items) if k not in (i, j)]
        if rest:
            for made in _results(items[i], items[j]):
                yield from _search([*rest, made])
        else:
            yield from _hits(items[i], items[j])


def _results(a: _Bare, b: _Bare) -> Iterator[_Bare]:
    if a.top * b.bottom < b.top * a.bottom:
        a, b = b, a
    bottom, left, right = a.bottom * b.bottom, a.top * b.bottom, b.top * a.bottom
    yield _Bare(left + right, bottom, ("+", a, b))
    yield _Bare(left - right, bottom, ("-", a, b))
    yield _Bare(a.top * b.top, bottom, ("*", a, b))
    if b.top:
        yield _Bare(left, right, ("/", a, b))
        yield _Bare(right, left, ("/", b, a))


def _hits(a: _Bare, b: _Bare) -> Iterator[_Bare]:
    """Those of `_results` that are the target; most pairs have none, and are passed over quickly."""
    bottom, left, right = a.bottom * b.bottom, a.top * b.bottom, b.top * a.bottom
    target = TARGET * bottom
    if (
        left + right == target
        or abs(left - right) == target
        or a.top * b.top == target
        or left == TARGET * right
        or right == TARGET * left
    ):
        yield from (made for made in _results(a, b) if made.top == TARGET * made.bottom)


def _built(bare: _Bare) -> Tree:
    if isinstance(bare.made, int):
        return bare.made
    sign, left, right = bare.made
    return Step(sign, _built(left), _built(right), Fraction(bare.top, bare.bottom))


def _form(tree: Tree) -> str:
    """The same text for trees that are the same but for order and grouping (and for n / 1 and n * 1)."""
    if isinstance(tree, int):
        return str(tree)
    first, second = ("+", "-") if tree.sign in "+-" else ("*", "/")
    idle = 0 if first == "+" else 1
    parts: dict[str, list[str]] = {first: [], second: []}
    pending: list[tuple[str, Tree]] = [(first, tree)]
    while pending:
        sign, part = pending.pop()
        if isinstance(part, Step) and part.sign in (first, second):
            turned = sign if part.sign == first else (second if sign == first else first)
            pending += [(sign, part.left), (turned, part.right)]
        else:
            parts[first if value_of(part) == idle else sign].append(_form(part))
    joined = [first + part for part in sorted(parts[first])] + [
        second + part for part in sorted(parts[second])
    ]
    return f"({' '.join(joined)})"


def _plainness(tree: Tree) -> tuple[bool, Fraction, str]:
    values = [step.value for step in walk(tree)]
    return any(value.denominator > 1 for value in values), max(values), repr(tree)
