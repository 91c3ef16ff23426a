"""Puzzles in English, and back; and worked answers in the manner of Yao et al. (2023, arXiv 2305.10601).

A worked answer has one calculation a line, each with the numbers that are left, and ends in one expression.
First steps that lead nowhere are told before, and marked so. Of 1, 4, 8 and 9:

    9 - 8 = 1 (left: 1 1 4): no
    9 + 8 = 17 (left: 1 4 17): no
    9 * 8 = 72 (left: 1 4 72)
    4 - 1 = 3 (left: 3 72)
    72 / 3 = 24 (left: 24)
    #### 9 * 8 / (4 - 1)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from asft.tasks.game24.search import Search, search
from asft.tasks.game24.solving import HOW_MANY, TARGET, Step, Tree, value_of

_GAP = r"(?:\s{0,3},\s{0,3}(?:and\s{1,3})?|\s{1,3}and\s{1,3}|\s{1,3})"
_FOUR = re.compile(
    r"\b(?:numbers?|integers|cards|digits|input|puzzle)\b[ \t]{0,3}(?:are|is)?[ \t]{0,3}[:*_]{0,3}\s{0,3}"
    rf"[(\[]?(?P<four>\d{{1,2}}(?:{_GAP}\d{{1,2}}){{{HOW_MANY - 1}}})(?!\d|\.\d|{_GAP}\d)",
    re.IGNORECASE,
)
_TARGET = re.compile(rf"(?<![\d.]){TARGET}(?!\d|\.\d)")
_NEAR = 200
"""Characters around the numbers within which the target is named."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A puzzle in a text, and the span of the sentence that names its numbers."""

    numbers: tuple[int, ...]
    start: int
    end: int


def question(numbers: Sequence[int]) -> str:
    """A puzzle as a sentence. It has few other words, so that two puzzles share few runs of words."""
    *first, last = numbers
    return f"Use each of the numbers {', '.join(map(str, first))} and {last} once to make {TARGET}."


def find(text: str) -> list[Found]:
    """All puzzles in a text, in order, whatever stands around them; the numbers as they are written."""
    found = []
    for match in _FOUR.finditer(text):
        before = max(text.rfind(mark, 0, match.start()) for mark in (". ", "\n", ">", ": ", "? ")) + 1
        start = match.start() - len(text[before : match.start()].lstrip())
        ends = [at for mark in (".", "\n", "?", "!") if (at := text.find(mark, match.end())) >= 0]
        end = min(ends, default=len(text) - 1) + 1
        around = text[max(0, match.start() - _NEAR) : match.start()] + text[match.end() : match.end() + _NEAR]
        if _TARGET.search(around):
            numbers = tuple(int(number) for number in re.findall(r"\d+", match["four"]))
            found.append(Found(numbers=numbers, start=start, end=end))
    return found


def read(text: str) -> tuple[int, ...] | None:
    """The numbers of the puzzle in a text, in rising order; None unless there is exactly one puzzle."""
    puzzles = {tuple(sorted(found.numbers)) for found in find(text)}
    return puzzles.pop() if len(puzzles) == 1 else None


def expression(tree: Tree) -> str:
    """A solution whose brackets show the order of its steps."""
    if isinstance(tree, int):
        return str(tree)
    left, right = expression(tree.left), expression(tree.right)
    if isinstance(tree.left, Step) and tree.sign in "*/" and tree.left.sign in "+-":
        left = f"({left})"
    if isinstance(tree.right, Step):
        right = f"({right})"
    return f"{left} {tree.sign} {right}"


def work(numbers: Sequence[int]) -> str:
    """The worked answer of a puzzle. Raises ValueError where it has none."""
    found = search(tuple(sorted(numbers)))
    if found is None:
        raise ValueError(f"{list(numbers)} cannot make {TARGET}")
    return told(numbers, found)


def told(numbers: Sequence[int], found: Search) -> str:
    """A search as a worked answer."""
    start = [Fraction(number) for number in numbers]
    lines = [f"{_line(step, _after(step, start))}: no" for step in found.given_up]
    left = start
    for step in found.steps:
        left = _after(step, left)
        lines.append(_line(step, left))
    return "\n".join([*lines, f"#### {expression(found.steps[-1])}"])


def _after(step: Step, left: Sequence[Fraction]) -> list[Fraction]:
    """What is left after a step, in rising order."""
    rest = list(left)
    rest.remove(value_of(step.left))
    rest.remove(value_of(step.right))
    return sorted([*rest, step.value])


def _line(step: Step, left: Sequence[Fraction]) -> str:
    shown = [_number(value) for value in (value_of(step.left), value_of(step.right), step.value)]
    said = " ".join(_number(value) for value in left)
    return f"{shown[0]} {step.sign} {shown[1]} = {shown[2]} (left: {said})"


def _number(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"({value})"
