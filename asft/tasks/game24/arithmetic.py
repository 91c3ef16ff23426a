r"""Calculations as people write them, read exactly: `(4+8)*(6-4)`, `4 x 6`, `\frac{8}{3-\frac{8}{3}} = 24`.

A parser of its own: values are `Fraction`, texts and depths are bounded, nothing is ever evaluated as code.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_CHARS = 300
MAX_DEPTH = 30

_PLAIN = str.maketrans("×·⋅∙∗✕÷∕⁄−–—‒﹣－＋＝（）［］", "******///------+=()[]")
_SPACE = re.compile(r"\\[,;:! ()\[\]]|\\q?quad\b|\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])|[$`~]")
_TOKEN = (
    r"(?:(?<![\d.])\d{1,6}(?:\.\d{1,6})?(?!\d)|\\(?:times|cdot|ast|div)(?![A-Za-z])|\\[dtc]?frac(?![A-Za-z])"
    r"|(?<![A-Za-z\\])[xX](?![A-Za-z])|[-+*/()\[\]{}])"
)
_TOKENS = re.compile(_TOKEN)
_RUN = re.compile(rf"(?:{_TOKEN}|[= \t])+")
_SIGN = {"\\times": "*", "\\cdot": "*", "\\ast": "*", "\\div": "/", "x": "*", "X": "*"}
_BRACKETS = str.maketrans("[{]}", "(())")


@dataclass(frozen=True, kw_only=True)
class Calculation:
    """One side of an equation."""

    value: Fraction | None
    """None where it divides by zero."""
    numbers: tuple[Fraction, ...]
    """Those that it is made of, in their order."""


@dataclass(frozen=True, kw_only=True)
class Equation:
    """A calculation in a text, with what is said to be equal to it."""

    text: str
    """With * and - for the other signs of multiplication and subtraction."""
    sides: tuple[tuple[str, Calculation | None], ...]
    """Each as written, and what it is; None for what cannot be read."""

    @property
    def longest(self) -> tuple[str, Calculation] | None:
        """The first of the sides that are made of the most numbers; None where no side joins any."""
        known = [(text, side) for text, side in self.sides if side is not None and len(side.numbers) > 1]
        return max(known, key=lambda side: len(side[1].numbers), default=None)


def parse(text: str) -> Calculation | None:
    """Read a text that is one calculation and nothing else; None for any other text."""
    plain = _plain(text).strip()
    if len(plain) > MAX_CHARS or not plain:
        return None
    tokens = _TOKENS.findall(plain)
    if "".join(tokens) != re.sub(r"\s", "", plain):
        return None
    reader = _Reader([_SIGN.get(token, token.translate(_BRACKETS)) for token in tokens])
    value = reader.sum(0)
    if value is _UNREADABLE or reader.at != len(tokens):
        return None
    return Calculation(value=value if isinstance(value, Fraction) else None, numbers=tuple(reader.numbers))


def find(text: str) -> list[Equation]:
    """All calculations in a text that join at least two numbers, in their order. Linear in its length."""
    found = []
    for run in _RUN.finditer(_plain(text)):
        # A run may begin or end with marks of the prose around it: "**4 + 8** (".
        written = run[0].strip(" \t=*/+xX").rstrip("-([{").strip(" \t=")
        if not written or len(written) > MAX_CHARS:
            continue
        sides = [_balanced(side.strip()) for side in written.split("=")]
        equation = Equation(text=" = ".join(sides), sides=tuple((side, parse(side)) for side in sides))
        if equation.longest is not None:
            found.append(equation)
    return found


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text.translate(_PLAIN))


def _balanced(side: str) -> str:
    """Without an outer bracket that is closed, or was opened, elsewhere in the sentence."""
    missing = side.count("(") - side.count(")")
    while missing > 0 and side.startswith("("):
        side, missing = side[1:].strip(), missing - 1
    while missing < 0 and side.endswith(")"):
        side, missing = side[:-1].strip(), missing + 1
    return side


class _NoValue:
    """What a part of a calculation may be instead of a number."""


_UNREADABLE = _NoValue()
_UNDEFINED = _NoValue()
"""It divides by zero; the rest can be read all the same."""


class _Reader:
    """A descent through the tokens: sums of products of numbers, brackets and fractions."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.numbers: list[Fraction] = []

    def sum(self, depth: int) -> Fraction | _NoValue:
        value = self._product(depth)
        while value is not _UNREADABLE and self._next() in ("+", "-"):
            sign = self._take()
            value = _joined(sign, value, self._product(depth))
        return value

    def _product(self, depth: int) -> Fraction | _NoValue:
        value = self._factor(depth)
        # "2(3+1)" is a product too.
        while value is not _UNREADABLE and ((sign := self._next()) in ("*", "/", "(") or "frac" in sign):
            sign = self._take() if sign in ("*", "/") else "*"
            value = _joined(sign, value, self._factor(depth))
        return value

    def _factor(self, depth: int) -> Fraction | _NoValue:
        token = self._take()
        if depth > MAX_DEPTH or not token:
            return _UNREADABLE
        if token[0].isdigit():
            self.numbers.append(Fraction(token))
            return self.numbers[-1]
        if token in ("-", "+"):
            value = self._factor(depth + 1)
            return -value if token == "-" and isinstance(value, Fraction) else value
        if token == "(":
            return self._closed(depth)
        if "frac" in token:
            parts = [self._closed(depth) if self._take() == "(" else _UNREADABLE for _ in range(2)]
            return _joined("/", *parts)
        return _UNREADABLE

    def _closed(self, depth: int) -> Fraction | _NoValue:
        value = self.sum(depth + 1)
        return value if self._take() == ")" else _UNREADABLE

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self.at += 1
        return token


def _joined(sign: str, left: Fraction | _NoValue, right: Fraction | _NoValue) -> Fraction | _NoValue:
    if _UNREADABLE in (left, right):
        return _UNREADABLE
    if not isinstance(left, Fraction) or not isinstance(right, Fraction) or (sign == "/" and right == 0):
        return _UNDEFINED
    if sign == "/":
        return left / right
    return left + right if sign == "+" else left - right if sign == "-" else left * right
