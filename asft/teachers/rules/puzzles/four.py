"""A puzzle of game24."""

import random
from dataclasses import dataclass, replace
from fractions import Fraction

from asft.tasks.game24 import arithmetic, language
from asft.tasks.game24.solving import (
    CLASSES,
    HOW_MANY,
    LARGEST,
    TARGET,
    Sign,
    Step,
    class_of,
    draw,
    solutions,
    value_of,
)
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
        known = class_of(self.numbers)
        if known is None:
            return None
        # The fewer solutions, the harder.
        wanted = CLASSES[min(max(CLASSES.index(known) - change, 0), len(CLASSES) - 1)]
        largest = min(max(LARGEST, *self.numbers), _MOST)
        new = draw(rng, wanted, largest)
        while new == self.numbers:
            new = draw(rng, wanted, largest)
        return Four(numbers=new)

    def worked(self, slips: random.Random | None) -> str | None:
        known = solutions(self.numbers)
        if not known:
            return None
        return language.steps(known[0] if slips is None else _slipped(known[0], slips))

    def mark(self, answer: str) -> tuple[int, str] | None:
        known = solutions(self.numbers)
        if not known:
            return None
        asked = Example.make(task="game24", prompt=self.question, answer=language.expression(known[0]))
        grade = _TASK.grade(asked, answer)
        shown = [one for one in arithmetic.find(answer) if len(one.sides) > 1 and not _is_whole(one)]
        steps = [_holds(one) for one in shown]
        final = arithmetic.parse(grade.extracted or "")
        near = final is not None and final.value is not None and abs(final.value - TARGET) <= 2
        return marked(answer, grade, steps, near=near)


def _slipped(tree: "int | Step", rng: random.Random) -> "int | Step":
    """The same with another sign at the end, by which it is 24 in nobody's arithmetic but the writer's."""
    if isinstance(tree, int):
        return tree
    left, right = value_of(tree.left), value_of(tree.right)
    given: dict[Sign, Fraction] = {"+": left + right, "-": left - right, "*": left * right}
    signs = [sign for sign, value in given.items() if value != TARGET]
    return replace(tree, sign=rng.choice(signs))


def _is_whole(equation: arithmetic.Equation) -> bool:
    """The final expression with its value, which is no step."""
    return equation.longest is not None and len(equation.longest[1].numbers) == HOW_MANY


def _holds(equation: arithmetic.Equation) -> bool:
    values = {side.value if side else None for _, side in equation.sides}
    return len(values) == 1 and None not in values
