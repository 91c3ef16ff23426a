"""Choices to choose among: how they stand in a prompt, are found there again, and are read out of an answer.

A prompt is all that is known of a question that a teacher wrote, so its choices are read from the prompt,
there and everywhere. A text that takes two choices, or that takes one and denies it, takes none: half of such
readings would be right by chance. Patterns are of bounded length, because an answer is any text at all.
"""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from asft import answers
from asft.tasks.qa import normalised

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a text takes of the choices."""

    taken: str | None
    """Which one, by name; None where none is taken clearly."""
    said: str | None
    """What the text gives as its answer, as written there; None where it gives none."""
    how: str
    """ "####", "boxed", "answer is", "whole text", "last line", "last option", "ambiguous" or "no final
    answer"."""


# ----------------------------------------------------------------------------------- choices in a prompt

_LINE = re.compile(r"^[ \t>*_-]{0,9}\(?(?P<letter>[A-Z])[).:][*_]{0,3}[ \t]{1,9}(?P<text>\S[^\n]*)$", re.M)
_INLINE = re.compile(r"(?:(?<=\s)|^)\(?(?P<letter>[A-Z])\)\s{1,9}")


def check_template(template: str, known: Sequence[str], needed: Sequence[str]) -> None:
    """Raises ValueError for a field that nobody fills in, and where a needed one is missing."""
    try:
        fields = [
            (field, spec) for _, field, spec, _ in string.Formatter().parse(template) if field is not None
        ]
    except ValueError as error:
        raise ValueError(f"template cannot be read: {error}; write {{{{ for a brace") from None
    shown = " and ".join(f"{{{name}}}" for name in known)
    for field, spec in fields:
        if field not in known or spec:
            raise ValueError(f"template names {{{field}}}; it may name {shown} (write {{{{ for a brace)")
    if missing := [name for name in needed if name not in dict(fields)]:
        raise ValueError(f"template must show {{{missing[0]}}}")


def lettered(choices: Sequence[str], mark: str) -> str:
    """One choice a line behind its letter; `mark` shows how: "A.", "A)", "(A)" or "A:"."""
    return "\n".join(
        f"{mark.replace('A', letter)} {one}" for letter, one in zip(LETTERS, choices, strict=False)
    )


def listed(prompt: str) -> tuple[str, ...]:
    """The choices of a prompt, from A on: its last list of lines with letters, else one within a line."""
    found = ((line["letter"], line["text"].strip()) for line in _LINE.finditer(prompt))
    return _last_list(found) or _last_list(_inline(prompt))


def _inline(prompt: str) -> Iterator[tuple[str, str]]:
    marks = list(_INLINE.finditer(prompt))
    ends = [*(mark.start() for mark in marks), len(prompt)][1:]
    for mark, end in zip(marks, ends, strict=True):
        yield mark["letter"], prompt[mark.end() : end].split("\n")[0].strip(" \t,;")


def _last_list(found: Iterator[tuple[str, str]]) -> tuple[str, ...]:
    last: tuple[str, ...] = ()
    current: list[str] = []
    for letter, text in found:
        if letter == "A":
            current = [text]
        elif current and len(current) < len(LETTERS) and letter == LETTERS[len(current)]:
            current.append(text)
        if len(current) > 1:
            last = tuple(current)
    return last


# ------------------------------------------------------------------------------------- choices in an answer

Spellings = Mapping[str, Sequence[str]]
"""Choice -> how it may be written, beside its letter."""

_IS = re.compile(r"(?i)\b(?:option|choice|label|category)\s{1,3}is[:\s*_`\"']{1,9}(?P<said>[^\n]{1,200})")
_DENIES = re.compile(r"(?i)\b(?:not|cannot|neither|never|nor|except|incorrect|wrong|false)\b|n['’]t\b")
_DRESS = r"[\s*_`\"'$({\[]{0,9}(?:\\(?:text|mathrm|mathbf|textbf)\s?\{\s?)?"
_WORD = r"(?:(?:the\s)?(?:option|choice|letter|answer)\s{1,3})?"
_LETTER_ALONE = re.compile(rf"(?i){_DRESS}{_WORD}\(?(?P<letter>[A-Z])[\s*_`\"'$)}}\].:,!]{{0,12}}")
_LETTER_FIRST = re.compile(
    rf"{_DRESS}(?:(?i:{_WORD}))(?:\((?P<a>[A-Z])\)[*_.:]{{0,3}}|(?P<b>[A-Z])[).:][*_]{{0,3}}(?=\s)"
    r"|(?P<c>[A-Z])[*_]{0,3}(?=,|\s(?:because|since|as|is|and|or|\()))\s{0,9}(?P<rest>.*)",
    re.DOTALL,
)
_LETTER_BARE = re.compile(r"\W{0,3}([A-Z])\s{1,3}(.{1,400})")
_DENIED = re.compile(r"(?i)(?:is|was)\s(?:not|wrong|incorrect|false)\b|(?:isn|can|wasn)['’]t\b|cannot\b")
_LETTER_INSIDE = re.compile(r"\((?P<a>[A-Z])\)|(?i:\b(?:option|choice|letter))\s{1,3}\(?(?P<b>[A-Z])\b")
_OTHER = re.compile(
    r"(?:\bor|\band|,|/|&)\s{0,3}(?i:(?:option|choice)\s)?\(?(?P<letter>[A-Z])\)?(?![A-Za-z'’])"
)


def read(text: str, spellings: Spellings, *, letters: bool) -> Reading:
    """Which choice a text takes; `letters`: the choices are named by letters, which count as well.

    The answer behind a mark counts, else all of a text of one line, else its last line, else the only
    choice that is called "(B)" or "option B" anywhere.
    """
    marked = list(_marked(text))
    for one in marked:
        if reading := _reading(one, _named(one.text, spellings, letters)):
            return reading
    found = marked[0] if marked else None
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
    # What a mark says stands, be it none of the choices; "I hope this answer is helpful" is no mark.
    if lines and (found is None or found.how == "answer is") and not re.search(r"####|\\f?boxed", lines[-1]):
        alone = len(lines) == 1
        last = answers.Extracted(text=lines[-1], how="whole text" if alone else "last line")
        if reading := _reading(last, _named(last.text, spellings, letters, within=alone)):
            return reading
        anywhere = set().union(*map(_letters_inside, lines)) if letters and not alone else set()
        if reading := _reading(
            answers.Extracted(text=", ".join(sorted(anywhere)), how="last option"), anywhere
        ):
            return reading
    if found is not None:
        return Reading(taken=None, said=found.text, how=found.how)
    return Reading(taken=None, said=None, how="no final answer")


def _marked(text: str) -> Iterator[answers.Extracted]:
    """What marks say, most trusted first; of "the answer is", which is talk at times, the last few."""
    rest = text
    for _ in range(3):
        found = answers.extract(rest, last_number=False)
        if found is None:
            break
        yield found
        if found.how != "answer is":
            return
        rest = rest[: rest.rfind(found.text)]
    for match in reversed(list(_IS.finditer(text))[-3:]):
        yield answers.Extracted(text=match["said"].strip(), how="answer is")


def _reading(found: answers.Extracted, named: set[str]) -> Reading | None:
    """None where nothing is named."""
    if len(named) == 1:
        return Reading(taken=min(named), said=found.text, how=found.how)
    return Reading(taken=None, said=None, how="ambiguous") if named else None


def _named(said: str, spellings: Spellings, letters: bool, *, within: bool = True) -> set[str]:
    """The choices that an answer names: the one that it takes, several where it is ambiguous, or none.

    `within`: a choice's words count among others too.
    """
    if len(said) > answers.MAX_CHARS:
        return set()
    if letters and (alone := _LETTER_ALONE.fullmatch(said)):
        return {alone["letter"].upper()}
    if exact := _spelled(said, spellings):
        return exact
    if letters and (first := _LETTER_FIRST.fullmatch(said)) and not _DENIED.match(first["rest"]):
        letter, rest = first["a"] or first["b"] or first["c"], first["rest"]
        if first["c"] is None or letter in spellings:
            others = {match["letter"] for match in _OTHER.finditer(rest)} & {*spellings}
            return {letter} | (_spelled(rest, spellings) or others)
    if letters and (bare := _LETTER_BARE.fullmatch(said)) and bare[1] in _spelled(bare[2], spellings):
        return {bare[1]}
    inside = _letters_inside(said) if letters else set()
    return inside | (_within(said, spellings) if within else set())


def _letters_inside(line: str) -> set[str]:
    """The letters that stand in a line as "(B)" or "option B"; none if it denies something."""
    found = {match["a"] or match["b"] for match in _LETTER_INSIDE.finditer(line)}
    return found if found and not _DENIES.search(line) else set()


def _spelled(said: str, spellings: Spellings) -> set[str]:
    """The choices of which an answer is all the words, or the number."""
    plain = normalised(said)
    found = {name for name, ways in spellings.items() if plain and plain in map(normalised, ways)}
    if found or (value := answers.number(said)) is None:
        return found
    return {name for name, ways in spellings.items() if any(answers.number(way) == value for way in ways)}


def _within(said: str, spellings: Spellings) -> set[str]:
    """The choices whose words stand in an answer, those within another's words aside; none if it denies."""
    plain = normalised(said)
    spans = [
        (match.start(), match.end(), name)
        for name, ways in spellings.items()
        for way in ways
        if (words := normalised(way)) and re.search(r"[^\W\d_]", words)
        for match in re.finditer(rf"(?<![\w-]){re.escape(words)}(?![\w-])", plain)
    ]
    largest = [
        (start, end, name)
        for start, end, name in spans
        if not any(a <= start and end <= b and (b - a) > (end - start) for a, b, _ in spans)
    ]
    rest = list(plain)
    for start, end, _ in largest:
        rest[start:end] = " " * (end - start)
    return set() if _DENIES.search("".join(rest)) else {name for _, _, name in largest}
