"""A family of step, and the kinds of running quantity that families work on."""

import random
from dataclasses import dataclass, field, replace
from typing import Literal

from asft.tasks.pocket.knowledge import Table
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
    """Per calculation: the expression, over n (running quantity), a, b, q (n // a), k (what the word stands
    for), t (the result before) and constants, with operators of one precedence and thus read from left to
    right; and its line."""
    draw: Draw
    """Numbers that fit the running quantity; None where there are none."""
    group: Literal["common", "uncommon", "rare"] = "common"
    """How often it is met: the pool of a task and the making of the student go by it."""
    words: Table = field(default_factory=dict)
    """What its word may be, and the number that each stands for; empty for a family without one."""
    unit: str | None = None
    """The unit of length that the running quantity has to have."""
    new_unit: str | None = None
    new_item: str | None = None

    @property
    def steps(self) -> int:
        """How many calculations it takes."""
        return len(self.work)

    def pared(self, words: int) -> "Family":
        """The same family with so many of its words, which are the same at any time."""
        if len(self.words) <= words:
            return self
        kept = random.Random(self.name).sample(list(self.words), words)
        return replace(self, words={word: self.words[word] for word in kept})

    @property
    def weight(self) -> int:
        """How often the pool of a task draws it, relative to its group: every word alike."""
        return len(self.words) or 1


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
HAS_LENGTH = "{S} now has {c} {u}."
THAT_IS = "That is {c} {u}."
IS = "{L} is {c} {u} old."
