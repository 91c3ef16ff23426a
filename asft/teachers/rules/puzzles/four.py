"""A puzzle of game24."""

import random
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations_with_replacement

from asft.tasks.game24 import arithmetic, language
from asft.tasks.game24.search import search
from asft.tasks.game24.solving import CLASSES, HOW_MANY, LARGEST, TARGET, Sign, Step, class_of, draw, value_of
from asft.tasks.game24.task import Game24
from asft.teachers.rules.puzzles.marks import marked
from asft.types import Example

_MOST = 20
"""New puzzles have no larger numbers; of larger ones few can be solved in several ways."""
_TASK = Game24()


@dataclass(frozen=True, kw_only=True)
class Four:
    """Four numbers that are to make 24."""

    numbers: tuple[int, ...]
    """In rising order."""

    @property
    def question(self) -> str:
        return language.question(self.numbers)

    def another(self, rng: random.Random, change: int) -> "Four | None":
        found = search(self.numbers)
        if found is None:
            return None
        largest = min(max(LARGEST, *self.numbers), _MOST)
        # The fewer solutions, the harder.
        hardness = CLASSES.index(class_of(self.numbers) or CLASSES[0])
        wanted = CLASSES[min(max(hardness - change, 0), len(CLASSES) - 1)]
        alike = _alike(self.numbers, found.steps[0], largest)
        rng.shuffle(alike)
        new = next((numbers for numbers in alike if class_of(numbers) == wanted), self.numbers)
        while new == self.numbers:
            new = draw(rng, wanted, largest)
        return Four(numbers=new)

    def worked(self, slips: random.Random | None) -> str | None:
        found = search(self.numbers)
        if found is None:
            return None
        if slips is not None:
            found = replace(found, steps=(*found.steps[:-1], _slipped(found.steps[-1], slips)))
        return language.told(self.numbers, found)

    def mark(self, answer: str) -> tuple[int, str] | None:
        found = search(self.numbers)
        if found is None:
            return None
        reference = language.expression(found.steps[-1])
        asked = Example.make(task="game24", prompt=self.question, answer=reference)
        grade = _TASK.grade(asked, answer)
        shown = [one for one in arithmetic.find(answer) if len(one.sides) > 1 and not _is_whole(one)]
        steps = [_holds(one) for one in shown]
        final = arithmetic.parse(grade.extracted or "")
        near = final is not None and final.value is not None and abs(final.value - TARGET) <= 2
        return marked(answer, grade, steps, near=near)


def _alike(numbers: tuple[int, ...], step: Step, largest: int) -> list[tuple[int, ...]]:
    """Puzzles that are the same once their first step is done: two other numbers give the same result."""
    rest = list(numbers)
    rest.remove(int(value_of(step.left)))
    rest.remove(int(value_of(step.right)))
    alike = set()
    for low, high in combinations_with_replacement(range(1, largest + 1), 2):
        results = (low + high, high - low, low * high, Fraction(high, low), Fraction(low, high))
        if step.value in results:
            alike.add(tuple(sorted([*rest, low, high])))
    return sorted(alike - {numbers})


def _slipped(step: Step, rng: random.Random) -> Step:
    """The same with another sign, by which it is 24 in nobody's arithmetic but the writer's."""
    left, right = value_of(step.left), value_of(step.right)
    given: dict[Sign, Fraction] = {"+": left + right, "-": left - right, "*": left * right}
    signs = [sign for sign, value in given.items() if value != TARGET]
    return replace(step, sign=rng.choice(signs))


def _is_whole(equation: arithmetic.Equation) -> bool:
    """The final expression with its value, which is no step."""
    return equation.longest is not None and len(equation.longest[1].numbers) == HOW_MANY


def _holds(equation: arithmetic.Equation) -> bool:
    values = {side.value if side else None for _, side in equation.sides}
    return len(values) == 1 and None not in values
