"""A worked solution as data: its steps, the source of every number in it, and why some have no variant."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from asft.teachers.rules.arithmetic import Expression
from asft.teachers.rules.gsm8k.numbers import Number

Reason = Literal[
    "too long",
    "no annotations",
    "no final answer",
    "annotation is not plain arithmetic",
    "annotation is wrong",
    "algebra",
    "number of unknown origin",
    "final answer is not the last result",
    "relation in words",
    "too little can change",
    "no sensible numbers found",
]


@dataclass(frozen=True, kw_only=True)
class Cannot:
    """Why a problem has no variant."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Given:
    """A number of the question, by its place among `Chain.givens`."""

    index: int


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A value that no variant changes."""

    value: Fraction


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an earlier step gave, by its place among `Chain.steps`."""

    step: int


@dataclass(frozen=True, kw_only=True)
class Combined:
    """Two sources joined by a sign: what a solution computes in the head."""

    left: "Source"
    sign: str
    right: "Source"


Source = Given | Constant | Result | Combined


@dataclass(frozen=True, kw_only=True)
class Step:
    """One calculation: an expression, and the source of each of its leaves."""

    expression: Expression
    sources: tuple[Source, ...]
    value: Fraction
    """What it gives in the original."""
    as_percent: bool
    """Whether the result is written with a percent sign that counts (20% + 30% = 50%)."""


@dataclass(frozen=True, kw_only=True)
class Mention:
    """A number in the solution's text that has to be rewritten."""

    number: Number
    source: Source
    inside: bool
    """Inside an annotation, where numbers carry no separators."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A solution as a calculation."""

    givens: tuple[tuple[Number, ...], ...]
    """The numbers of the question that may change; those of equal value are one given."""
    others: tuple[Number, ...]
    """The numbers of the question that stay."""
    steps: tuple[Step, ...]
    mentions: tuple[Mention, ...]
    equal: tuple[tuple[Source, Source], ...]
    """Pairs that have to be equal in every variant, as they are in the original."""


def evaluate(source: Source, givens: Sequence[Fraction], results: Sequence[Fraction]) -> Fraction | None:
    """The value of a source; None on division by zero."""
    if isinstance(source, Given):
        return givens[source.index]
    if isinstance(source, Constant):
        return source.value
    if isinstance(source, Result):
        return results[source.step]
    left, right = evaluate(source.left, givens, results), evaluate(source.right, givens, results)
    if left is None or right is None or (source.sign == "/" and right == 0):
        return None
    if source.sign == "/":
        return left / right
    return {"+": left + right, "-": left - right, "*": left * right}[source.sign]
