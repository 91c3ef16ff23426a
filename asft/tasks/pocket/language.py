"""Pocket problems in English, and back: `render` writes a program, `find` reads all problems in a text.

The grammar is the table of wordings. What `find` returns is exact: the program renders to the very text
that it was read from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from asft.tasks.pocket.families import FAMILIES, OPENERS, QUESTIONS
from asft.tasks.pocket.numbers import FRACTIONS, ORDINALS
from asft.tasks.pocket.program import MOST_STEPS, InfeasibleError, Program, State, Step, advance, first, walk
from asft.tasks.pocket.words import ITEMS, LOOSE, MATERIALS, NAMES, UNITS, WOMEN


def question(program: Program) -> str:
    """The problem as a paragraph that ends with its question."""
    sentences = [_opening(program)]
    state = first(program)
    for before, step, after, _ in walk(program):
        sentences.append(_fill(FAMILIES[step.family].texts[step.wording], _slots(program, before, step)))
        state = after
    sentences.append(_question(program, state))
    return " ".join(sentences)


def work(program: Program) -> str:
    """The worked answer: one line per calculation, with GSM8K's annotations, then `#### x`."""
    lines = []
    value = program.start
    for before, step, after, calculations in walk(program):
        slots = _slots(program, before, step)
        slots["L"] = after.person
        if step.args:
            slots["q"] = str(before.value // step.args[0])
        for (_, line), calculation in zip(FAMILIES[step.family].work, calculations, strict=True):
            left, value = calculation.left, calculation.value
            slots["c"] = f"{left} = <<{left}={value}>>{value}"
            slots["$c"] = f"{left} = $<<{left}={value}>>{value}"
            slots["i"] = _number(after.noun, value)
            slots["u"] = _number(after.unit, value)
            lines.append(_fill(line, slots))
    return "\n".join([*lines, f"#### {value}"])


def _opening(program: Program) -> str:
    text = OPENERS[program.opener].texts[program.wording]
    return _fill(text, {"P": program.name, "n": str(program.start), "i": program.noun, "m": program.noun})


def _question(program: Program, state: State) -> str:
    slots = {"P": program.name, "L": state.person, "i": state.noun, "m": program.noun, "u": state.unit}
    return _fill(QUESTIONS[state.kind], slots)


def _slots(program: Program, before: State, step: Step) -> dict[str, str]:
    she = program.name in WOMEN
    slots = {
        "P": program.name,
        "S": "She" if she else "He",
        "s": "she" if she else "he",
        "o": "her" if she else "him",
        "h": "her" if she else "his",
        "F": step.friend,
        "L": before.person,
        "i": before.noun,
        "j": step.item,
        "u": before.unit,
        "m": program.noun,
        "w": step.word,
    }
    slots.update(zip("ab", map(str, step.args), strict=False))
    if step.args:
        slots["ord"] = ORDINALS.get(step.args[0], "")
        slots["frac"] = FRACTIONS.get((step.args[0], step.args[-1]), "")
    return slots


_SLOT = re.compile(r"\{([^{}]+)\}")


def _fill(text: str, slots: dict[str, str]) -> str:
    return _SLOT.sub(lambda match: slots[match[1]], text)


def _number(plural: str, value: int) -> str:
    return {**ITEMS, **LOOSE, **UNITS}.get(plural, plural) if value == 1 else plural


# --- reading ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A problem in a text."""

    program: Program
    start: int
    end: int
    """text[start:end] is the problem, from its opening sentence to its question mark."""


_NAME = "|".join(NAMES)
_PATTERNS = {
    "P": f"(?P<P>{_NAME})",
    "F": f"(?P<F>{_NAME})",
    "L": f"(?P<L>{_NAME})",
    "S": "(?:She|He)",
    "s": "(?:she|he)",
    "o": "(?:her|him)",
    "h": "(?:her|his)",
    "n": r"(?P<n>\d{1,3})",
    "a": r"(?P<a>\d{1,3})",
    "b": r"(?P<b>\d{1,3})",
    "i": f"(?P<i>{'|'.join([*ITEMS, *LOOSE])})",
    "j": f"(?P<j>{'|'.join(ITEMS)})",
    "m": f"(?P<m>{'|'.join(MATERIALS)})",
    "u": f"(?P<u>{'|'.join(UNITS)})",
    "ord": f"(?P<ord>{'|'.join(ORDINALS.values())})",
    "frac": f"(?P<frac>{'|'.join(FRACTIONS.values())})",
}


@cache
def _pattern(text: str, words: tuple[str, ...] = ()) -> re.Pattern[str]:
    # Longer words first: "an hour" also begins "an hour and a half".
    known = {**_PATTERNS, "w": f"(?P<w>{'|'.join(sorted(words, key=len, reverse=True))})"}
    parts = _SLOT.split(text)
    literal = [re.escape(part) if i % 2 == 0 else known[part] for i, part in enumerate(parts)]
    return re.compile("".join(literal))


@cache
def _openings() -> re.Pattern[str]:
    texts = [text for opener in OPENERS.values() for text in opener.texts]
    return re.compile("|".join(re.sub(r"\?P<\w+>", "?:", _pattern(text).pattern) for text in texts))


def find(text: str) -> list[Found]:
    """All problems in a text, in order, whatever stands around them. Linear in the text's length."""
    found: list[Found] = []
    end = 0
    for opening in _openings().finditer(text):
        if opening.start() < end:
            continue
        problem = _read(text, opening.start())
        if problem is not None:
            found.append(problem)
            end = problem.end
    return found


def parse(text: str) -> Program | None:
    """The program of a text that is one problem and nothing else; None for any other text."""
    found = find(text)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(text)):
        return found[0].program
    return None


def _read(text: str, start: int) -> Found | None:
    for name, opener in OPENERS.items():
        for wording, sentence in enumerate(opener.texts):
            match = _pattern(sentence).match(text, start)
            if match:
                groups = match.groupdict()
                shell = Program(
                    opener=name,
                    name=groups["P"],
                    start=int(groups["n"]),
                    noun=groups.get("i") or groups.get("m") or "",
                    steps=(),
                    wording=wording,
                )
                found = _read_steps(text, start, match.end(), shell)
                if found is not None:
                    return found
    return None


def _read_steps(text: str, start: int, position: int, shell: Program) -> Found | None:
    state = first(shell)
    steps: list[Step] = []
    while text[position : position + 1] == " ":
        position += 1
        closing = _question(shell, state)
        if text.startswith(closing, position):
            program = _with_steps(shell, steps)
            end = position + len(closing)
            return (
                Found(program=program, start=start, end=end) if question(program) == text[start:end] else None
            )
        step = next(_candidates(text, position, shell, state), None) if len(steps) < MOST_STEPS else None
        if step is None:
            return None
        steps.append(step[0])
        state, position = step[1], step[2]
    return None


def _with_steps(shell: Program, steps: list[Step]) -> Program:
    return Program(
        opener=shell.opener,
        name=shell.name,
        start=shell.start,
        noun=shell.noun,
        steps=tuple(steps),
        wording=shell.wording,
    )


def _candidates(text: str, position: int, shell: Program, state: State) -> Iterator[tuple[Step, State, int]]:
    for family in FAMILIES.values():
        if state.kind not in family.takes or (family.unit and family.unit != state.unit):
            continue
        for wording, sentence in enumerate(family.texts):
            match = _pattern(sentence, tuple(family.words)).match(text, position)
            if match is None:
                continue
            step = _step(family.name, wording, match.groupdict())
            try:
                after, _ = advance(state, step)
            except InfeasibleError:
                continue
            if _fill(sentence, _slots(shell, state, step)) == match[0]:
                yield step, after, match.end()


def _step(family: str, wording: int, groups: dict[str, str]) -> Step:
    args = tuple(int(groups[slot]) for slot in "ab" if slot in groups)
    if "ord" in groups:
        args = (next(n for n, word in ORDINALS.items() if word == groups["ord"]),)
    if "frac" in groups:
        args = next(ab for ab, words in FRACTIONS.items() if words == groups["frac"])
    return Step(
        family=family,
        args=args,
        friend=groups.get("F", ""),
        item=groups.get("j", ""),
        word=groups.get("w", ""),
        wording=wording,
    )
