"""A family of step, and the kinds of running quantity that families work on."""

from dataclasses import dataclass
from typing import Literal

from asft.tasks.pocket.numbers import Draw


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of step."""

    name: str
    takes: frozenset[str]
    """The kinds of running quantity that it applies to."""
    gives: str | None = None
    """The kind that results; None where it stays what it was."""
    texts: tuple[str, ...]
    """Wordings, each one sentence that ends in a full stop."""
    work: tuple[tuple[str, str], ...]
    """Per calculation: the expression, over n (running quantity), a, b, q (n // a), t (the result before)
    and constants, with operators of one precedence and thus read from left to right; and its line."""
    draw: Draw
    """Numbers that fit the running quantity; None where there are none."""
    group: Literal["common", "uncommon", "rare"] = "common"
    """How often it is met: the pool of a task and the making of the student go by it."""
    weight: float = 1.0
    """How often the pool of a task draws it, relative to the others of its group."""
    unit: str | None = None
    """The unit of length that the running quantity has to have."""
    new_unit: str | None = None
    new_item: str | None = None

    @property
    def steps(self) -> int:
        """How many calculations it takes."""
        return len(self.work)


ITEMS = frozenset({"items"})
THINGS = frozenset({"items", "loose"})
MONEY = frozenset({"money"})
WALK = frozenset({"walk"})
MILES = frozenset({"walk", "miles"})
MINUTES = frozenset({"minutes"})
AGE = frozenset({"age"})
LENGTH = frozenset({"length"})

HAS = "{S} now has {c} {i}."
HAS_MONEY = "{S} now has {$c}."
THAT_IS = "That is {c} {u}."
IS = "{L} is {c} {u} old."
