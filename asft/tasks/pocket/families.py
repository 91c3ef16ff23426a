"""The families of step from which pocket problems are built: words and arithmetic.

A problem follows one running quantity: an opener gives it, each step changes it, the question asks for
it. *Common* families are what everyday word problems are made of; *uncommon* ones put a rarer phrase
("as many again", "a fortnight", "a score") on arithmetic of the same size; *rare* ones need a piece of
knowledge (the days of April, the faces of a cube) that the pocket student may have met or not, and are
thus what it can still be taught.

Slots of a text: {P} the person's name, {S} {s} {o} {h} She/she/her/her (or He/he/him/his), {F} a further
name, {L} the person the running quantity belongs to, {i} the items, {j} new items, {u} the unit, {a} {b}
numbers, {ord} an ordinal word for a, {frac} a fraction in words for a/b, {w} a word that stands for a number.
Slots of a line of work besides these: {c} the calculation with its annotation, {$c} the same in dollars, {i}
and {u} in the number that the result asks for.
"""

from dataclasses import dataclass

from asft.tasks.pocket.common_families import COMMON
from asft.tasks.pocket.rare_families import RARE
from asft.tasks.pocket.uncommon_families import UNCOMMON

FAMILIES = {family.name: family for family in COMMON + UNCOMMON + RARE}


@dataclass(frozen=True, kw_only=True)
class Opener:
    """How a problem starts: the first sentence, and the kind and range of its quantity."""

    kind: str
    texts: tuple[str, ...]
    low: int
    high: int
    weight: float
    """How often it is drawn, relative to the others."""
    unit: str = ""


OPENERS = {
    "items": Opener(
        kind="items",
        texts=("{P} has {n} {i}.", "{P} collects {i} and has {n} of them."),
        low=6,
        high=60,
        weight=3.0,
    ),
    "money": Opener(kind="money", texts=("{P} has ${n}.", "{P} has saved ${n}."), low=6, high=80, weight=2.0),
    "walk": Opener(
        kind="walk",
        texts=("{P} walks {n} miles to a lake.", "A path of {n} miles leads {P} to a village."),
        low=2,
        high=15,
        weight=2.0,
        unit="miles",
    ),
    "age": Opener(kind="age", texts=("{P} is {n} years old.",), low=4, high=40, weight=1.5, unit="years"),
    "feet": Opener(
        kind="length", texts=("{P} has {n} feet of {m}.",), low=4, high=60, weight=1.0, unit="feet"
    ),
    "yards": Opener(
        kind="length", texts=("{P} has {n} yards of {m}.",), low=4, high=40, weight=0.7, unit="yards"
    ),
}

QUESTIONS = {
    "items": "How many {i} does {P} have now?",
    "loose": "How many {i} does {P} have now?",
    "money": "How much money does {P} have now?",
    "walk": "How many miles does {P} walk in all?",
    "miles": "How many miles does {P} walk in all?",
    "minutes": "How many minutes does {P} need in all?",
    "age": "How old is {L}?",
    "length": "How many {u} of {m} does {P} have now?",
    "need": "How many {u} of {m} does {P} need?",
}
