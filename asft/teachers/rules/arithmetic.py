"""Exact arithmetic on short texts such as `3/8*200` or `(5 + 7) x $2.50`.

A solution's calculator annotations are the only part of it that can be checked, so they are read by a
parser of their own: exact (`Fraction`), bounded in length and depth, and nothing is ever evaluated as code.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

MAX_CHARS = 300
MAX_DEPTH = 30
MAX_DIGITS = 15
"""Longer numbers do not occur in word problems; a bound keeps hostile text cheap."""

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d++(?:\.\d+)?|\.\d+)"
_TERM = rf"[(\s]{{0,9}}\$?{NUMBER}%?[)\s]{{0,9}}"
EQUATION = re.compile(
    rf"(?P<left>(?<![\d.,]){_TERM}(?:[-+*/x×÷]{_TERM}){{1,20}})=\s{{0,3}}\$?\s{{0,60}}(?P<right>{NUMBER})(?P<percent>%?)"
)
"""A calculation in prose: "5 + 7 = 12". Bounded repeats keep it linear on any text."""
_TOKEN = re.compile(rf"\s*(?:(?P<number>\$?\s*{NUMBER}\s*%?)|(?P<mark>[-+*/()xX×÷·−–]))")
_SAME = {"x": "*", "X": "*", "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"}


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A number as written; `start` and `end` are the span of its digits in the text that was parsed."""

    number: int
    """Its place among the leaves, from 0."""
    value: Fraction
    percent: bool
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`left sign right`; a leading minus is 0 - right."""

    sign: str
    left: "Tree"
    right: "Tree"


Tree = Leaf | Operation


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A parsed text: the tree to compute with and the leaves to bind."""

    tree: Tree
    leaves: tuple[Leaf, ...]


def to_fraction(digits: str) -> Fraction | None:
    """The value of "1,250.50" or ".5"; None where it is not one plain number."""
    if not re.fullmatch(NUMBER, digits) or len(digits) > MAX_DIGITS + 5:
        return None
    return Fraction(digits.replace(",", ""))


def parse(text: str) -> Expression | None:
    """Read an expression; None where the text is anything else than plain arithmetic."""
    if len(text) > MAX_CHARS:
        return None
    tokens: list[Leaf | str] = []
    at = 0
    count = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            return None
        at = found.end()
        if found["mark"]:
            tokens.append(_SAME.get(found["mark"], found["mark"]))
            continue
        digits = re.search(NUMBER, found["number"])
        value = to_fraction(digits.group()) if digits else None
        if digits is None or value is None:
            return None
        start = found.start("number") + digits.start()
        leaf = Leaf(
            number=count,
            value=value,
            percent=found["number"].endswith("%"),
            start=start,
            end=start + len(digits.group()),
        )
        tokens.append(leaf)
        count += 1
    if not tokens:
        return None
    tree, rest = _sum(tokens, 0, 0)
    if tree is None or rest != len(tokens):
        return None
    return Expression(tree=tree, leaves=tuple(t for t in tokens if isinstance(t, Leaf)))


def compute(
    tree: Tree, value_of: Callable[[Leaf], Fraction], seen: list[Fraction] | None = None
) -> Fraction | None:
    """The exact value, None on division by zero. `seen` collects every partial result, in a fixed order."""
    if isinstance(tree, Leaf):
        value = value_of(tree)
        return value / 100 if tree.percent else value
    left = compute(tree.left, value_of, seen)
    right = compute(tree.right, value_of, seen)
    if left is None or right is None or (tree.sign == "/" and right == 0):
        return None
    if tree.sign == "+":
        result = left + right
    elif tree.sign == "-":
        result = left - right
    elif tree.sign == "*":
        result = left * right
    else:
        result = left / right
    if seen is not None:
        seen.append(result)
    return result


def as_written(leaf: Leaf) -> Fraction:
    """The value to compute with when the expression is taken as it stands."""
    return leaf.value


_Parsed = tuple[Tree | None, int]
_FAILED: _Parsed = (None, -1)


def _sum(tokens: Sequence[Leaf | str], at: int, depth: int) -> _Parsed:
    return _chain(tokens, at, depth, "+-", _product)


def _product(tokens: Sequence[Leaf | str], at: int, depth: int) -> _Parsed:
    return _chain(tokens, at, depth, "*/", _atom)


def _chain(
    tokens: Sequence[Leaf | str],
    at: int,
    depth: int,
    signs: str,
    part: Callable[[Sequence[Leaf | str], int, int], _Parsed],
) -> _Parsed:
    left, at = part(tokens, at, depth)
    while left is not None and at < len(tokens):
        sign = tokens[at]
        if not isinstance(sign, str) or sign not in signs:
            break
        right, at = part(tokens, at + 1, depth)
        if right is None:
            return _FAILED
        left = Operation(sign=sign, left=left, right=right)
    return left, at


def _atom(tokens: Sequence[Leaf | str], at: int, depth: int) -> _Parsed:
    if at >= len(tokens) or depth > MAX_DEPTH:
        return _FAILED
    token = tokens[at]
    if isinstance(token, Leaf):
        return token, at + 1
    if token == "(":
        inner, at = _sum(tokens, at + 1, depth + 1)
        if inner is None or at >= len(tokens) or tokens[at] != ")":
            return _FAILED
        return inner, at + 1
    if token == "-":
        right, at = _atom(tokens, at + 1, depth + 1)
        if right is None:
            return _FAILED
        zero = Leaf(number=-1, value=Fraction(0), percent=False, start=-1, end=-1)
        return Operation(sign="-", left=zero, right=right), at
    return _FAILED
