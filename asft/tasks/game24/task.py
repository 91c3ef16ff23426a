"""`game24`: make 24 from four numbers; generated, or as Yao et al. (2023, arXiv 2305.10601) published it.

Any correct solution is right, however it is written. Of numbers up to 13 there are 1362 puzzles and no more,
so the two salts share all but those that students are made from.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from asft import answers
from asft.errors import DataError
from asft.registry import plugin
from asft.tasks.game24 import arithmetic, language
from asft.tasks.game24.search import search
from asft.tasks.game24.solving import HOW_MANY, LARGEST, TARGET, class_of, solutions
from asft.tasks.rows import csv_rows
from asft.types import Example, Grade

SALTS = "AB"
BUCKETS = 32
SHARES = {"seed": 6, "validation": 2, "test": 4}
"""Buckets that each salt owns of each split; those of a salt lie beside each other."""
TRAINING_BUCKETS = frozenset(range(len(SALTS) * sum(SHARES.values()), BUCKETS))
"""What a student may be made from; no salt owns these."""
PUBLISHED_TEST = range(901, 1001)
"""The ranks that the paper tests on, "relatively hard" ones."""

Puzzle = tuple[int, ...]


@plugin
class Game24:
    """Four numbers, each used once, make 24."""

    source: str | None = None
    """The published table, 24.csv, or the folder that holds it: ranks 901 to 1000 are "test" and all others
    "seed". None: generated puzzles."""
    salt: Literal["A", "B"] = "A"
    """Which of two disjoint sets of generated puzzles."""
    seeds: Annotated[int, Field(ge=0)] | None = None
    """Size of the split "seed"; None: all there are. A larger split starts with the smaller one."""
    validation: Annotated[int, Field(ge=0)] | None = None
    """Size of the split "validation"; generated puzzles only."""
    tests: Annotated[int, Field(ge=0)] | None = None
    """Size of the split "test"."""
    largest: Annotated[int, Field(ge=4, le=20)] = LARGEST
    """The largest number of generated puzzles. More than 13 makes more of them."""

    def load(self, split: str) -> Sequence[Example]:
        """The examples of "seed", "validation" or "test". Raises DataError."""
        sizes = {"seed": self.seeds, "validation": self.validation, "test": self.tests}
        if self.source is not None:
            del sizes["validation"]
        if split not in sizes:
            raise DataError(f"game24 has no split {split!r}; splits: {', '.join(sizes)}")
        examples = self._generated(split) if self.source is None else self._published(split)
        size = sizes[split]
        if size is not None and size > len(examples):
            raise DataError(
                f"game24 has {len(examples)} puzzles for {split!r}, not {size}; ask for fewer"
                + ("" if self.source else f", or raise largest = {self.largest}")
            )
        return examples[:size]

    def grade(self, example: Example, text: str) -> Grade:
        """Whether the final expression uses the puzzle's numbers once each and is 24 exactly.

        1.0, 0.0, or None where there is no expression. The numbers are those of the question; where it cannot
        be read, those of the reference answer.
        """
        found = _final(text)
        if found is None:
            return Grade(value=None, extracted=None, note="no final answer")
        shown, how, equation = found
        numbers = _numbers(example)
        if numbers is None:
            return Grade(value=None, extracted=shown, note=f"{how}; the question names no four numbers")
        fault = "no calculation" if equation is None else _fault(equation, numbers)
        note = f"{how}; {fault}" if fault else how
        return Grade(value=0.0 if fault else 1.0, extracted=shown, note=note)

    def solve(self, prompt: str) -> str | None:
        """A solution of the puzzle in a prompt; None where there is no puzzle in it, or no solution."""
        numbers = language.read(prompt)
        found = search(numbers) if numbers is not None else None
        return language.expression(found.steps[-1]) if found else None

    def _generated(self, split: str) -> list[Example]:
        first = SALTS.index(self.salt) * sum(SHARES.values())
        for name, share in SHARES.items():
            if name == split:
                break
            first += share
        owned = list(puzzles(frozenset(range(first, first + SHARES[split])), self.largest))
        random.Random(f"game24 {self.salt} {split}").shuffle(owned)
        return [example(numbers, {"split": split}) for numbers in owned]

    def _published(self, split: str) -> list[Example]:
        path = Path(self.source or "").expanduser()
        path = path / "24.csv" if path.is_dir() else path
        rows = [(where, *_row(where, row)) for where, row in csv_rows(path)]
        wanted = [row for row in rows if (row[1] in PUBLISHED_TEST) == (split == "test")]
        if not wanted:
            raise DataError(f"{path}: there are no puzzles for {split!r}; give the whole published table")
        made = []
        for where, rank, numbers in wanted:
            if not solutions(tuple(sorted(numbers))):
                raise DataError(f"{where}: {numbers} cannot make {TARGET}; mend the column 'Puzzles'")
            made.append(example(numbers, {"split": split, "rank": str(rank)}))
        return made


def puzzles(buckets: frozenset[int], largest: int = LARGEST) -> Iterator[Puzzle]:
    """All puzzles in these buckets that have a solution, in rising order."""
    for numbers in combinations_with_replacement(range(1, largest + 1), HOW_MANY):
        if bucket(numbers) in buckets and solutions(numbers):
            yield numbers


def bucket(numbers: Puzzle) -> int:
    """Where a puzzle belongs, whatever the order of its numbers."""
    name = " ".join(map(str, sorted(numbers)))
    return hashlib.blake2b(name.encode(), digest_size=2).digest()[0] % BUCKETS


def example(numbers: Sequence[int], tags: Mapping[str, str]) -> Example:
    """A puzzle that can be solved, as an example.

    Tags: solutions (how many it has), fractions (whether it needs any).
    """
    in_order = tuple(sorted(numbers))
    found = search(in_order)
    if found is None:
        raise ValueError(f"{list(numbers)} cannot make {TARGET}")
    needed = any(step.value.denominator > 1 for step in found.steps)
    return Example.make(
        task="game24",
        prompt=language.question(numbers),
        answer=language.expression(found.steps[-1]),
        completion=language.told(numbers, found),
        tags={"solutions": class_of(in_order) or "", "fractions": "yes" if needed else "no", **tags},
    )


def _row(where: str, row: Mapping[str, Any]) -> tuple[int, tuple[int, ...]]:
    for column in ("Rank", "Puzzles"):
        if column not in row:
            raise DataError(
                f"{where}: there is no column {column!r}; columns: {', '.join(row) or 'none'}; give the "
                "published table, 24.csv"
            )
    words = str(row["Puzzles"]).split()
    if len(words) != HOW_MANY or not all(word.isascii() and word.isdigit() for word in words):
        raise DataError(
            f"{where}: 'Puzzles' must be {HOW_MANY} whole numbers, not {row['Puzzles']!r:.60}; mend it"
        )
    if not (str(row["Rank"]).isascii() and str(row["Rank"]).isdigit()):
        raise DataError(f"{where}: 'Rank' must be a whole number, not {row['Rank']!r:.60}; mend it")
    return int(row["Rank"]), tuple(int(word) for word in words)


# ------------------------------------------------------------------------------------------- grading

_Final = tuple[str, str, arithmetic.Equation | None]
"""The final answer as it is shown, how it was found, and the calculation in it."""


def _final(text: str) -> _Final | None:
    """What stands behind a mark, where that is a calculation; else the last calculation of the text.

    "The answer is 24." names no calculation: the one before it counts.
    """
    marked = answers.extract(text, last_number=False)
    if marked is not None and (equation := _last(arithmetic.find(marked.text))) is not None:
        return _shown(equation), marked.how, equation
    bare = answers.number(marked.text) if marked is not None else None
    if marked is None or bare == TARGET or not any(letter.isdigit() for letter in marked.text):
        if (equation := _last(arithmetic.find(text))) is not None:
            return _shown(equation), "last expression", equation
        if marked is None or bare != TARGET:
            return None
    return marked.text, marked.how, None


def _last(equations: Sequence[arithmetic.Equation]) -> arithmetic.Equation | None:
    """The last one of four numbers, else the last one."""
    whole = [one for one in equations if one.longest and len(one.longest[1].numbers) == HOW_MANY]
    return next(reversed(whole or equations), None)


def _shown(equation: arithmetic.Equation) -> str:
    """The expression alone, unless something else than 24 is said of it."""
    if equation.longest and all(side and side.value == TARGET for _, side in equation.sides):
        return equation.longest[0]
    return equation.text


def _fault(equation: arithmetic.Equation, numbers: tuple[Fraction, ...]) -> str | None:
    if equation.longest is None or any(side is None for _, side in equation.sides):
        return "it cannot be read"
    calculation = equation.longest[1]
    if tuple(sorted(calculation.numbers)) != numbers:
        return f"it uses {_listed(calculation.numbers)}, not {_listed(numbers)}"
    if calculation.value is None:
        return "it divides by zero"
    if calculation.value != TARGET:
        return f"it is {calculation.value}"
    others = [side.value for _, side in equation.sides if side is not None and side.value != TARGET]
    return f"it is said to be {others[-1]}" if others else None


def _numbers(example: Example) -> tuple[Fraction, ...] | None:
    """The numbers of the puzzle in rising order."""
    asked = language.read(example.prompt)
    if asked is not None:
        return tuple(Fraction(number) for number in asked)
    reference = arithmetic.parse(example.answer)
    if reference is None or len(reference.numbers) != HOW_MANY:
        return None
    return tuple(sorted(reference.numbers))


def _listed(numbers: Sequence[Fraction]) -> str:
    return " ".join(str(number) for number in sorted(numbers)[:8])
