r"""What LaTeX puts into boxes, what it can write in several ways, and what it puts together, taken apart.

For comparing answers by their text, before anything symbolic is asked: `\frac12` is `\frac{1}{2}`, an
interval is two ends between brackets. Pure functions; but for boxes, texts are of bounded length.
"""

import re
from collections.abc import Iterator
from fractions import Fraction

MOST_ITEMS = 24
DEEPEST = 6
"""Brackets within brackets; beyond it a text is not taken apart."""

_BOX = re.compile(
    r"\\(?:f?boxed|fbox)\s{0,9}(?:(?=\{)|(?P<bare>(?:[-+]?[0-9]|\\[A-Za-z])[^$\n]{0,200}(?=\$)))"
)
_REPEATING = re.compile(
    r"(?P<whole>[0-9]{0,20})\.(?P<fixed>[0-9]{0,20})"
    r"\\(?:overline|bar)\s{0,3}(?:\{\s{0,3}(?P<many>[0-9]{1,20})\s{0,3}\}|(?P<one>[0-9]))"
)
_ONE_OF_TWO = re.compile(
    r"\\[dtc]?frac\s*(?:\{([^{}]{0,80})\}|([0-9A-Za-z]))\s*(?:\{([^{}]{0,80})\}|([0-9A-Za-z]))"
)
_ROOT = re.compile(r"\\sqrt\s*(\[[^\[\]]{0,20}\])?\s*([0-9A-Za-z])")
_RAISED = re.compile(r"([\^_])\s*([0-9A-Za-z])")
_SHORT_UNITS = r"cm|km|mm|kg|ml|mL|ft|yd|lbs?|oz|mi|hrs?|min|sec|mph|rad|deg|cu|sq|per"
_UNIT = re.compile(
    rf"(?P<head>.*?[\\^].*?[0-9A-Za-z)}}\]])(?:\s(?:[A-Za-z]{{4,}}|{_SHORT_UNITS})){{1,4}}"
    r"(?:\^(?:\{[0-9]\}|[0-9]))?"
)
_NO_UNIT = re.compile(
    r"\b(?:hundred|thousand|[mbtr]+illion|where|when|with|only|else|undefined|infinity)s?\b"
)
_MATRIX = re.compile(
    r"\s*\$?\s*(?:\\left\s*[(\[|.])?\s*\\begin\{(?P<kind>[pbvBV]?matrix|array)\}(?:\{[lcr|]{1,12}\})?"
    r"(?P<body>(?:(?!\\begin|\\end).)*)\\end\{(?P=kind)\}\s*(?:\\right\s*[)\]|.])?\s*\$?\s*\.?\s*",
    re.DOTALL,
)
_OPEN = {"(": ")]", "[": ")]", "{": "}"}


def boxes(text: str) -> Iterator[str]:
    r"""The contents of closed `\boxed{...}`, last opened first. One pass, so that nesting costs nothing.

    MATH's authors also write `$\boxed 5$`, and mean all of it up to the dollar sign.
    """
    opened: list[int] = []
    closed: dict[int, int] = {}
    for match in re.finditer(r"\\[{}\\]|[{}]", text):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}" and opened:
            closed[opened.pop()] = match.start()
    for match in reversed(list(_BOX.finditer(text))):
        content = match["bare"] or text[match.end() + 1 : closed.get(match.end(), 0)]
        if content := content.strip():
            yield content


def repeating(text: str) -> str:
    r"""A text with its repeating decimals as fractions: `0.\overline{3}` is 1/3."""
    return _REPEATING.sub(_fraction, text)


def _fraction(match: re.Match[str]) -> str:
    whole, fixed = match["whole"] or "0", match["fixed"]
    digits = match["many"] or match["one"]
    tail = Fraction(int(digits), (10 ** len(digits) - 1) * 10 ** len(fixed))
    value = Fraction(int(whole + fixed), 10 ** len(fixed)) + tail
    return f"{value.numerator}/{value.denominator}"


def compact(text: str) -> str:
    r"""Without the spaces that LaTeX does not see, and every argument in braces."""
    for _ in range(3):
        text = _ONE_OF_TWO.sub(lambda m: f"\\frac{{{m[1] or m[2] or ''}}}{{{m[3] or m[4] or ''}}}", text)
    text = _ROOT.sub(lambda m: f"\\sqrt{m[1] or ''}{{{m[2]}}}", text)
    text = _RAISED.sub(r"\1{\2}", text)
    return re.sub(r"(?<![A-Za-z0-9])\s+|\s+(?![A-Za-z0-9])", "", text)


def without_unit(text: str) -> str:
    r"""Without the words that end a formula: `12\pi square inches` is `12\pi`."""
    match = _UNIT.fullmatch(text) if len(text) <= 200 else None
    return text if match is None or _NO_UNIT.search(text) else match["head"]


def cells(text: str) -> tuple[str, list[list[str]]] | None:
    """The rows of a matrix, and "v" for a determinant; brackets of another form are the same matrix."""
    match = _MATRIX.fullmatch(text)
    if match is None:
        return None
    body = re.sub(r"\\\\(?:\[[^\[\]]{0,9}\])?\s*$", "", match["body"].strip())
    rows = [row.split("&") for row in re.split(r"\\\\(?:\[[^\[\]]{0,9}\])?", body)]
    kind = "v" if match["kind"] in ("vmatrix", "Vmatrix") else ""
    return (kind, rows) if sum(map(len, rows)) <= MOST_ITEMS else None


def items(text: str) -> tuple[str, list[str]] | None:
    r"""The parts of a list with its brackets: "" for none, "{" for a set, "(]" and the like for the rest.

    None for what is no list: `(x+1)(x-2)`, or a single thing. Of a list in words nothing is known.
    """
    text = re.sub(r"^[A-Za-z]\s?\\in\b\s?", "", text.replace("\\{", "{").replace("\\}", "}").strip(" ."))
    closed = _closed_at(text)
    if closed is None:
        return None
    brackets = text[:1] + text[-1:] if closed == len(text) - 1 and text[:1] in _OPEN else ""
    parts = _split(text[1:-1] if brackets else text)
    if not 2 <= len(parts) <= MOST_ITEMS or not all(parts):
        return None
    if any(re.search(r"(?<![\\A-Za-z])[A-Za-z]{2,}", part) for part in parts):
        return None
    return ("{" if brackets == "{}" else brackets), parts


def _closed_at(text: str) -> int | None:
    """Where the first bracket closes, -1 for a text that begins with none; None for unpaired brackets."""
    stack: list[str] = []
    first = -1
    for place, char in enumerate(text):
        if char in _OPEN:
            stack.append(char)
        elif char in ")]}":
            if not stack or char not in _OPEN[stack.pop()]:
                return None
            if not stack and first < 0 and text[:1] in _OPEN:
                first = place
        if len(stack) > DEEPEST:
            return None
    return None if stack else first


def _split(text: str) -> list[str]:
    """At the commas, semicolons and words between parts; commas within numbers are none where others are."""
    for separators in (r",\s+(?:and\s+|or\s+)?|;\s*|\s+(?:and|or)\s+", r","):
        parts, start, depth = [], 0, 0
        for match in re.finditer(rf"[(\[{{]|[)\]}}]|{separators}", text):
            if match[0] in "([{":
                depth += 1
            elif match[0] in ")]}":
                depth -= 1
            elif depth == 0:
                parts.append(text[start : match.start()].strip())
                start = match.end()
        if parts:
            return [*parts, text[start:].strip()]
    return []
