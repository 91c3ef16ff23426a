r"""Extraction and equality of final answers: the one place that says when an answer is right.

**Extraction** follows an order of trust: the last `#### x` that has content (Markdown headings such as
`#### Step 2` are passed over), the last closed `\boxed{...}`, the last "the answer is ..." or
"Answer: ...", and, where the caller allows it, a text that is nothing but an answer, else the last
number. A text that runs on after its answer is cut at the end of the line or sentence.

**Equality** is exact (`fractions.Fraction`, no tolerance) where both sides read as one number: signs
count; currency, units, a percent sign, thousands separators, a trailing full stop and trailing zeros do
not; "million" and its like multiply. So "$18.00" equals "18 clips", and "50%" equals "50", since GSM8K's
gold answers omit the sign; "50%" therefore does not equal "0.5", or equality would not be transitive.
A phrase reads as a number if exactly one stands in it: "x = 5" does; "5-10", "5 to 10" and "72 clips and
3 boxes" do not, and equal only themselves. Lists of numbers are equal in any order, except in ( ) or
[ ]. What is LaTeX beyond this goes to math-verify; all else is compared as text, case and spacing aside.
Units are not converted and number words are not read ("five" is text).
A missing or empty answer equals nothing, another missing one included.

Text is hostile until shown otherwise: every pattern here is linear (possessive, or of bounded length),
numbers are read from at most `MAX_CHARS` characters, and nothing is ever evaluated as code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from asft import latex, symbolic
from asft.types import Grade

MAX_CHARS = 1000
"""A longer answer is no number; it equals only the same text."""
MOST_UNLIKE = 6
"""Items of two lists that are compared each with each; what is written alike is set aside before."""
MAX_EXPONENT = 400
"""Beyond 1e400 a power of ten is text: exact arithmetic on it is a way to hang."""


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """A final answer found in a text."""

    text: str
    """As written there."""
    how: str
    """"####", "boxed", "answer is", "whole text" or "last number"."""


# One character for one, so that positions in the flattened text are positions in the text.
_FLAT = str.maketrans(
    "−﹣-–‒‐‑＋．，％＄０１２３４５６７８９⁄∕\u2007\u2009\u202f\x00",
    "-------+.,%$0123456789//\u00a0\u00a0\u00a0 ",
)
_D = (
    r"(?:(?:[1-9][0-9]{0,2}(?:(?:,[0-9]{3})++|(?:GAP[0-9]{3})++)(?![0-9])|[0-9]++)(?:\.[0-9]++)?+"
    r"|\.[0-9]++)"
)
_FRAC = r"\\[dtc]?frac\s*\{\s*(?P<Xn>[-+]?D)\s*\}\s*\{\s*(?P<Xd>[-+]?D)\s*\}"
_SHORT_FRAC = r"\\[dtc]?frac\s*(?P<Xn>[0-9])\s*(?P<Xd>[0-9])"
_POWER = r"10\s*(?:\^|\*\*)\s*(?:\{\s*(?P<Xb>[-+]?[0-9]{1,9})\s*\}|(?P<Xe>[-+]?[0-9]{1,9}))"
_TOKEN = (
    r"(?<![A-Za-z0-9_.])(?P<sign>(?<![)\]}])[-+])?(?P<money>[$€£¥₹])?(?P<sign2>(?<=[$€£¥₹])[-+])?(?:"
    + _POWER.replace("X", "p")
    + "|(?P<a>D)(?:"
    + r"[eE](?P<e>[-+]?[0-9]{1,9})(?![A-Za-z0-9])"
    + r"|\s{0,3}(?:\*|x|×|·|⋅|\\times|\\cdot)\s{0,3}"
    + _POWER.replace("X", "s")
    + r"|(?:\s{1,3}and)?\s{1,3}(?P<n>[0-9]++)\s?/\s?(?P<d>[0-9]++)(?![/.,]?[0-9])"
    + r"|\s{0,3}"
    + f"(?:{_FRAC.replace('X', 'm')}|{_SHORT_FRAC.replace('X', 'h')})"
    + r"|\s?/\s?(?P<over>D)"
    + ")?|"
    + f"{_FRAC.replace('X', 'f')}|{_SHORT_FRAC.replace('X', 'g')}"
    + ")"
)
# Within prose a plain space does not group digits ("2 300 g packs"); in an answer by itself it does.
_SCAN = re.compile(_TOKEN.replace("D", _D.replace("GAP", "\u00a0")))
_WHOLE = re.compile(_TOKEN.replace("D", _D.replace("GAP", " ")))


# ---------------------------------------------------------------------------------------- extraction


def extract(text: str, *, last_number: bool = True) -> Extracted | None:
    """Find the final answer in a text, most trusted mark first; None where there is none.

    With `last_number` the caller expects mathematics: a text that is nothing but an answer counts, then
    the last number in it; and "the answer is" must be followed by something mathematical, so that "I hope
    this answer is helpful" hides nothing.
    """
    for how, candidates in (("####", _after_marks(text)), ("boxed", latex.boxes(text))):
        for candidate in candidates:
            return Extracted(text=candidate, how=how)
    for candidate in _after_answer_is(text):
        if not last_number or re.search(r"[0-9]", candidate) or symbolic.shape_is_safe(_latex(candidate)):
            return Extracted(text=candidate, how="answer is")
    if not last_number:
        return None
    whole = text.strip() if len(text) <= MAX_CHARS else ""
    if "\n" not in whole and len(_WORD.findall(whole)) <= 3 and _says_one_thing(whole):
        return Extracted(text=whole, how="whole text")
    return _last_number(text)


def _says_one_thing(text: str) -> bool:
    return number(text) is not None or _numbers(text) is not None or symbolic.mathematical(_latex(text))


_HEADING = re.compile(r"(?i)(?:step|part|solution|explanation|reasoning|calculations?|conclusion)\b|.*:$")
_LABEL = re.compile(
    r"(?i)[*_\s]{0,9}(?:the\s{1,3})?(?:final\s{1,3})?answer\b[*_\s]{0,9}(?:is\b|[:=])?[*_\s]*+"
)


def _after_marks(text: str) -> Iterator[str]:
    end = len(text)
    for mark in reversed(list(re.finditer(r"#{4,}+", text))):
        lines = text[mark.end() : end].split("\n")
        content = next((rest for line in lines if (rest := _tidy(_without_label(line)))), "")
        end = mark.start()
        if content and not _HEADING.match(content):
            # In prose "72!" is an exclamation; in a box it is a factorial.
            yield next(latex.boxes(content), content.rstrip("!"))


def _without_label(line: str) -> str:
    label = _LABEL.match(line)
    return line[label.end() :] if label else line


_ANSWER_IS = re.compile(
    r"(?i)\banswer(?:\s{1,3}(?:to|for|of|here|in)\b[^\n.:=]{0,40}?)?(?:\s?\([^()\n]{0,40}\))?[*_`\s]{0,6}"
    r"(?:\b(?:is|was|equals|(?:should|would|will|must)\s+be)\b|[:=])[:*_`]{0,6}"
)
_SENTENCE_END = re.compile(r"(?<!\bDr)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bSt)(?<!\b[A-Z])[.!?](?=[\s*_\"']|$)")


def _after_answer_is(text: str) -> Iterator[str]:
    end = len(text)
    for match in reversed(list(_ANSWER_IS.finditer(text))):
        window = text[match.end() : min(end, match.end() + MAX_CHARS)]
        # "The answer is below:" points to the next line.
        lines = (line for line in window.split("\n") if _tidy(line) and not line.rstrip().endswith(":"))
        line = next(lines, "")
        content = _tidy(_SENTENCE_END.split(line, maxsplit=1)[0]) or _tidy(line)
        end = match.start()
        if content:
            yield content


def _last_number(text: str) -> Extracted | None:
    last = None
    for match in _SCAN.finditer(text.translate(_FLAT)):
        last = match
    if last is None:
        return None
    start = last.start()
    before = text[max(0, start - 8) : start].rstrip()[-1:]
    if last["sign"] and (before.isdigit() or before == ")"):
        start += 1  # "9 -5": a subtraction, not a negative number
    return Extracted(text=text[start : last.end()], how="last number")


def _tidy(text: str) -> str:
    """Without the Markdown, quotes and full stops that surround an answer in a sentence."""
    return text.strip(" \t\r\n*_`\"'“”").rstrip(" .,;*_`\"'“”")


# ------------------------------------------------------------------------------------------- numbers

_SCALE = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NOT_A_UNIT_OF = {"not", "sqrt", "root", "log", "ln", "sin", "cos", "tan", "exp"}
_SHORT_UNITS = frozenset(
    re.findall(
        r"\S+",
        "m g s h l L C F K V W J N A km kg cm mm ml mL lb oz ft in mi hr yd pm am st nd rd th kW MW Hz GB TB",
    )
)
_SPACING = re.compile(
    r"\\!\s*|\\[,;: ]|\\q?quad\b|\\left\b|\\right\b|\\[()\[\]]|\*\*|[`$€£¥₹\u200b\ufeff]"
    r"|<<[^<>]*+>>|<\|\w{1,30}\|>|</s>|\bUS(?=\$)"
)
_WRAPPER = re.compile(
    r"\\(?:text(?:bf|it|rm|normal)?|math(?:rm|bf|it|sf)|mbox|operatorname|boxed|fbox)\s{0,3}\{([^{}]*+)\}"
)
_CLAUSE = re.compile(r"\s(?:because|since|so|as|which|where|when|after)\b|—|[,;]\s+(?!or\b|and\b)(?=[a-z])")
_WORD = re.compile(r"[^\W\d_]+")


def number(text: str) -> Fraction | None:
    """The one number that a final answer states, exactly; None where it states none or several."""
    if len(text) > MAX_CHARS:
        return None
    plain = _plain(text)
    plain = re.sub(r"(?<=\S) \([^()]*+\)$", "", plain)
    # Of "48+24 = 72" the last side counts, of "72 = 48+24" the first.
    sides = re.split(r"=|≈|≃|\\approx", plain)
    for side in (sides[-1], sides[0]):
        clause = _CLAUSE.search(side)
        for part in (side, side[: clause.start()] if clause else ""):
            if (found := _quantity(part.strip())) is not None:
                return found
    return None


def _plain(text: str) -> str:
    """An answer without typography: one kind of minus and space, no currency, no LaTeX wrappers."""
    text = text.translate(_FLAT).replace("{,}", ",").replace("\\$", "$").replace("\\%", "%")
    text = latex.repeating(text)
    text = re.sub("([½¼¾])", lambda m: {"½": " 1/2", "¼": " 1/4", "¾": " 3/4"}[m[0]], text)
    text = re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", _lowered, text)
    for _ in range(3):
        text = _WRAPPER.sub(r" \1 ", text)
    text = _SPACING.sub("", text.replace("^\\circ", "°").replace("^{\\circ}", "°"))
    # "inches^2", whose word stood in a wrapper.
    return re.sub(r"(?<=[^\W\d_]) (?=\^)", "", re.sub(r"\s+", " ", text)).strip()


def _lowered(match: re.Match[str]) -> str:
    return "^{" + match[0].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) + "}"


def _quantity(text: str) -> Fraction | None:
    """Read `[words] number [scale] [unit]`; a second number anywhere makes it no quantity."""
    text = text.rstrip(" .,;:?")
    while text[:1] + text[-1:] in ("()", "{}", "[]") and text.find(text[-1]) == len(text) - 1:
        text = text[1:-1].strip()
    text = re.sub(r"^([-+]) ", r"\1", text)
    match = _WHOLE.search(text)
    if match is None:
        return None
    lead, trail = text[: match.start()], text[match.end() :]
    trail = re.sub(r"(?<=[^\W\d_])\^(?:\{-?[1-9]\}|-?[1-9])", "", trail)
    lead_words, trail_words = _WORD.findall(lead), _WORD.findall(trail)
    if not _are_words(lead) or lead[-1:].isalpha() or not _are_words(trail):
        return None
    if (
        lead[-1:] == "-"
        or re.search(r"\band (?:a|one) [a-z]", trail)
        or _NOT_A_UNIT_OF & {word.lower() for word in lead_words}
    ):
        return None
    glued = trail[:1].isalpha() and len(trail_words[0]) <= 2
    alone = bool(trail_words) and all(len(word) == 1 for word in trail_words)
    # "2x" and "3 n" are terms, not quantities; "5 m/s" and "18kg" are quantities.
    if (glued and trail_words[0] not in _SHORT_UNITS) or (alone and not _SHORT_UNITS.issuperset(trail_words)):
        return None
    value = _value(match)
    if value is not None and lead_words and lead_words[-1].lower() in ("minus", "negative"):
        value = -value
    if value is not None and trail_words:
        value *= _SCALE.get(trail_words[0].lower(), 1)
    return value


def _are_words(text: str) -> bool:
    """Letters, spaces and the marks of prose and units: no digit, no operator."""
    text = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])|^-(?=[^\W\d_]{2})", "", text)
    return all(c.isalpha() or c in " %°'’\"./,:" for c in text.rstrip("-"))


def _value(match: re.Match[str]) -> Fraction | None:
    exponent = next((match[g] for g in ("e", "pb", "pe", "sb", "se") if match[g]), "0")
    if abs(int(exponent)) > MAX_EXPONENT:
        return None
    value = Fraction(1)
    if match["a"]:
        value = _decimal(match["a"])
    for top, bottom in (("n", "d"), ("mn", "md"), ("hn", "hd"), ("fn", "fd"), ("gn", "gd")):
        if match[top]:
            numerator, denominator = _decimal(match[top]), _decimal(match[bottom])
            mixed = match["a"] is not None
            if denominator == 0 or (mixed and (value.denominator != 1 or numerator < 0 or denominator < 0)):
                return None
            value = value + numerator / denominator if mixed else numerator / denominator
    if match["over"]:
        divisor = _decimal(match["over"])
        if divisor == 0:
            return None
        value /= divisor
    value *= Fraction(10) ** int(exponent)
    signs = (match["sign"] or "") + (match["sign2"] or "")
    return -value if signs.count("-") == 1 else value


def _decimal(text: str) -> Fraction:
    return Fraction(re.sub("[, \u00a0]", "", text))


# ------------------------------------------------------------------------------------------ equality


def equal(answer: str | None, reference: str | None) -> bool:
    """Whether an answer is the reference answer; a missing or empty one equals nothing."""
    if not answer or not reference or not answer.strip() or not reference.strip():
        return False
    if len(answer) > MAX_CHARS or len(reference) > MAX_CHARS:
        return answer.strip() == reference.strip()
    names = [re.match(r"\s*([A-Za-z])\s*=", _plain(text)) for text in (answer, reference)]
    if names[0] and names[1] and names[0][1] != names[1][1]:
        return False
    values = number(answer), number(reference)
    if None not in values:
        return values[0] == values[1]
    lists = _numbers(answer), _numbers(reference)
    if lists[0] and lists[1]:
        (open_a, items_a), (open_b, items_b) = lists[0], lists[1]
        if open_a in "{" and open_b in "{":
            return sorted(items_a) == sorted(items_b)
        return items_a == items_b and (open_a == open_b or not open_a or not open_b)
    if _as_text(answer) == _as_text(reference) != "":
        return True
    matrices = latex.cells(answer), latex.cells(reference)
    if matrices[0] and matrices[1]:
        return _same_cells(matrices[0], matrices[1])
    sides = _latex(answer), _latex(reference)
    if re.search(r"[\\^_]", sides[0] + sides[1]) and latex.compact(sides[0]) == latex.compact(sides[1]):
        return True
    parts = latex.items(sides[0]), latex.items(sides[1])
    if (
        values == (None, None)
        and parts[0]
        and parts[1]
        and (same := _same_items(parts[0], parts[1])) is not None
    ):
        return same
    return symbolic.equal(*sides)


def _same_cells(first: tuple[str, list[list[str]]], second: tuple[str, list[list[str]]]) -> bool:
    (kind_a, rows_a), (kind_b, rows_b) = first, second
    return (
        kind_a == kind_b
        and [len(row) for row in rows_a] == [len(row) for row in rows_b]
        and all(
            equal(a, b)
            for row_a, row_b in zip(rows_a, rows_b, strict=True)
            for a, b in zip(row_a, row_b, strict=True)
        )
    )


def _same_items(first: tuple[str, list[str]], second: tuple[str, list[str]]) -> bool | None:
    """In any order, except in ( ) or [ ]; None where too many would be compared with each other."""
    (open_a, items_a), (open_b, items_b) = first, second
    if {open_a[:1], open_b[:1]} & {"(", "["}:
        alike = open_a == open_b or "" in (open_a, open_b)
        return alike and len(items_a) == len(items_b) and all(map(equal, items_a, items_b))
    rest = list(items_b)
    unlike = []
    for item in items_a:
        match = next((other for other in rest if _as_text(other) == _as_text(item)), None)
        if match is None:
            unlike.append(item)
        else:
            rest.remove(match)
    if len(unlike) > MOST_UNLIKE or len(rest) > MOST_UNLIKE:
        return None
    for item in unlike:
        match = next((other for other in rest if equal(item, other)), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest


def _numbers(text: str) -> tuple[str, list[Fraction]] | None:
    """A list of at least two numbers with its brackets: "", "{", or those of a tuple or interval."""
    plain = _plain(text.replace("\\{", "{").replace("\\}", "}")).rstrip(" .")
    brackets = ""
    if plain[:1] in ("(", "[", "{") and plain[-1:] in (")", "]", "}"):
        brackets, plain = ("{" if plain[0] == "{" else plain[0] + plain[-1]), plain[1:-1]
    parts = re.split(r"(?:,|;)\s+(?:and\s+|or\s+)?|\s+and\s+|;", plain)
    if len(parts) == 1:
        parts = plain.split(",")
    values = [value for part in parts if (value := _quantity(part.strip())) is not None]
    bare = not any(_WORD.search(part) for part in parts)
    return (brackets, values) if bare and len(values) == len(parts) > 1 and number(text) is None else None


def _as_text(text: str) -> str:
    plain = " ".join(_plain(text).casefold().split()).strip(" .,;:?\"'")
    return re.sub(r"^\(([a-z])\)$", r"\1", plain)


def _latex(text: str) -> str:
    """An answer as math-verify takes it: no dollar signs, wrappers or spacing commands."""
    text = (
        text.replace("\\dfrac", "\\frac")
        .replace("√", "\\sqrt")
        .replace("π", "\\pi ")
        .replace("∞", "\\infty ")
    )
    return (
        latex.without_unit(_plain(text).replace("%", "").rstrip(" .,;:?")) if len(text) <= MAX_CHARS else ""
    )


# --------------------------------------------------------------------------------------------- grade


def grade(text: str, reference: str, *, last_number: bool = True) -> Grade:
    """Compare the final answer of a text with the reference: 1.0, 0.0, or None where there is none."""
    found = extract(text, last_number=last_number)
    if found is None:
        return Grade(value=None, extracted=None, note="no final answer")
    if not reference.strip():
        return Grade(value=None, extracted=found.text, note=f"{found.how}; the reference answer is empty")
    return Grade(value=1.0 if equal(found.text, reference) else 0.0, extracted=found.text, note=found.how)
