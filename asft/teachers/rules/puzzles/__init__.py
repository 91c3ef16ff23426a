"""The puzzles of game24 and prontoqa: found in messages, varied, solved, solved wrongly, and marked.

Both can be verified, so that what is written here is right by construction, and any answer is marked by what
it says and not by its likeness to a reference.
"""

import random
from dataclasses import dataclass
from typing import Protocol

from asft.tasks.game24 import language as fours
from asft.tasks.prontoqa import language as chains
from asft.teachers.rules.puzzles.chain import Chain
from asft.teachers.rules.puzzles.four import Four


class Puzzle(Protocol):
    """One that the teacher can do everything with."""

    @property
    def question(self) -> str:
        """In the task's own words."""
        ...

    def another(self, rng: random.Random, change: int) -> "Puzzle | None":
        """A new one that is as hard, or one step simpler (-1) or harder (1); None for one with no answer."""
        ...

    def worked(self, slips: random.Random | None) -> str | None:
        """The worked answer, with a slip at its end where `slips` is given; None where there is no answer."""
        ...

    def mark(self, answer: str) -> tuple[int, str] | None:
        """A judge's grade and its reason; None where the puzzle has no answer."""
        ...


@dataclass(frozen=True, kw_only=True)
class Found:
    """A puzzle in a text, and its span."""

    puzzle: Puzzle
    start: int
    end: int


def find(text: str) -> list[Found]:
    """All puzzles in a text, in order."""
    found = [
        Found(puzzle=Four(numbers=tuple(sorted(one.numbers))), start=one.start, end=one.end)
        for one in fours.find(text)
    ]
    found += [
        Found(puzzle=Chain(problem=one.problem), start=one.start, end=one.end) for one in chains.find(text)
    ]
    return sorted(found, key=lambda one: one.start)


def mark(question: str, answer: str) -> tuple[int, str] | None:
    """A judge's grade of an answer; None where the question is no puzzle with an answer."""
    found = find(question)
    return found[-1].puzzle.mark(answer) if found else None
