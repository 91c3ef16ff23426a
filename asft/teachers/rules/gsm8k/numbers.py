"""Numbers as English prose writes them: read with their exact values, written in the same style."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

from asft.teachers.rules.arithmetic import NUMBER, to_fraction

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_VALUES = {**{word: value for value, word in enumerate(_SMALL)}, **_TENS}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
_UNITS = "|".join(_SMALL)
_WORD = rf"(?:(?:{'|'.join(_TENS)})(?:[-\s](?:{'|'.join(_SMALL[1:10])}))?|{_UNITS})"
_PART = rf"(?:{'|'.join(_PARTS)})s?"

_FORMS = (
    rf"(?P<digits>{NUMBER})"
    rf"|(?P<part>\b(?:{_UNITS}|a)[-\s]{_PART}\b)"
    rf"|(?P<scaled>\b(?:{_WORD}|a)(?:[-\s]+(?:{'|'.join(_SCALES)}))+\b)"
    rf"|(?P<word>\b{_WORD}\b)"
)
_APART = re.compile(_FORMS, re.IGNORECASE)
_PATTERN = re.compile(
    r"(?P<mixed>\d+(?:\s+|\s*-\s*|\s+and\s+)\d+/\d+(?![\d/]))"
    r"|(?P<ratio>\d+(?:\s*:\s*\d+)+)"
    r"|(?P<fraction>(?<![\d.,])\d+/\d+(?![\d/]))"
    rf"|{_FORMS}",
    re.IGNORECASE,
)

Kind = Literal["digits", "word", "part", "scaled", "mixed", "ratio", "fraction"]


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number in a text."""

    start: int
    end: int
    text: str
    value: Fraction
    kind: Kind
    """Only `digits` and `word` are ever rewritten; the others stay as they are."""

    @property
    def decimals(self) -> int:
        """Digits after the decimal point."""
        return len(self.text.partition(".")[2]) if self.kind == "digits" else 0


def read(text: str, *, fractions: bool = True) -> list[Number]:
    """All numbers of a text, in order, none overlapping. A ratio such as 5:8 has the value of its first part.

    Without `fractions`, 3/4 is two numbers: a solution's 60/2 is a division.
    """
    found = []
    for match in (_PATTERN if fractions else _APART).finditer(text):
        # Every alternative of the patterns is a named group, and the names are the kinds.
        kind = cast(Kind, match.lastgroup)
        value = _value(kind, match.group())
        if value is not None:
            found.append(
                Number(start=match.start(), end=match.end(), text=match.group(), value=value, kind=kind)
            )
    return found


def _value(kind: Kind, text: str) -> Fraction | None:
    low = text.lower()
    if kind == "digits":
        return to_fraction(text)
    if kind == "word":
        return Fraction(sum(_VALUES[w] for w in re.split(r"[-\s]+", low)))
    if kind == "part":
        count, part = re.split(r"[-\s]+", low)
        whole = _PARTS.get(part) or _PARTS[part.rstrip("s")]
        return Fraction(1 if count == "a" else _VALUES[count], whole)
    if kind == "scaled":
        total = 1
        for word in re.split(r"[-\s]+", low):
            if word in _SCALES:
                total *= _SCALES[word]
            elif word != "a":
                total = total + _VALUES[word] if total > 1 else _VALUES[word]
        return Fraction(total)
    digits = [Fraction(d) for d in re.findall(r"\d+", text) if len(d) <= 15]
    if kind == "ratio":
        return digits[0] if digits else None
    if kind == "fraction":
        return digits[0] / digits[1] if len(digits) == 2 and digits[1] else None
    return digits[0] + digits[1] / digits[2] if len(digits) == 3 and digits[2] else None


def places(value: Fraction) -> int | None:
    """Digits that the value needs after the decimal point; None where it never ends."""
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest //= 2
        twos += 1
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    return max(twos, fives) if rest == 1 else None


def plain(value: Fraction, decimals: int = 0) -> str:
    """Decimal digits without separators, with at least so many after the point. The value must end."""
    needed = places(value)
    if needed is None:
        raise ValueError(f"{value} has no decimal form")
    count = max(needed, decimals)
    scaled = abs(value) * 10**count
    digits = str(scaled.numerator).rjust(count + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-count]}.{digits[-count:]}" if count else digits)


def write(value: Fraction, like: Number, *, money: bool, commas: bool) -> str | None:
    """The value in the style of another number; None where that style cannot say it."""
    if like.kind == "word":
        words = in_words(value)
        if words is None:
            return None
        return words.capitalize() if like.text[0].isupper() else words
    if like.kind != "digits" or places(value) is None:
        return None
    needed = places(value) or 0
    decimals = like.decimals if like.decimals == 2 or needed else 0
    if money and needed:
        decimals = max(decimals, 2)
    if like.decimals and like.text.endswith("0") and not needed:
        decimals = like.decimals
    text = plain(value, decimals if like.decimals or needed else 0)
    whole, point, rest = text.partition(".")
    if "," in like.text or (commas and value >= 1000 and like.value < 1000):
        whole = f"{int(whole):,}"
    if like.text.startswith(".") and whole == "0":
        whole = ""
    return whole + point + rest


def in_words(value: Fraction) -> str | None:
    """ "seven", "twenty-five"; None beyond ninety-nine or where it is not whole."""
    if value.denominator != 1 or not 0 <= value < 100:
        return None
    number = int(value)
    if number < 20:
        return _SMALL[number]
    tens = next(word for word, size in _TENS.items() if size == number // 10 * 10)
    return f"{tens}-{_SMALL[number % 10]}" if number % 10 else tens


def rewrite(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    """The text with these spans replaced."""
    parts = []
    at = 0
    for start, end, new in sorted(changes):
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])
