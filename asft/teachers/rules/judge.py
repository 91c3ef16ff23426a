"""A judge that knows the right answer: it reads asft's judge prompts and grades answers by correctness.

Asked to rank questions, it goes by how many quantities they name, which makes problems longer to solve.

It stands in for a judge model where there is none, faults included: a spread of its scores and a share of
replies that hold no score can be set, so that what reads a judge's replies has something to survive.

    right, with steps     9-10        wrong, but near or partly right   3-5
    right, bare           7-8         wrong                             1-2 (nothing there: 1)
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from asft import answers
from asft.teachers.rules.arithmetic import EQUATION, as_written, compute, parse, to_fraction
from asft.types import Message

LOWEST, HIGHEST = 1, 10
MAX_STEPS = 200
"""Calculations that are read of one answer."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a judge prompt asks about."""

    question: str | None
    """None where questions are to be ranked."""
    answers: tuple[str, ...]
    """One for an absolute grade, two for a pair; or the questions that are to be ranked."""
    reference: str | None
    """The reference answer in the prompt, worked or final."""


Mark = tuple[int, str]
"""A grade without noise, and the reason in words."""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """No grade is possible: there is no way to know the right answer."""

    reason: str


def read(messages: Sequence[Message]) -> Case | None:
    """The case in a judge prompt, found by its tags whatever else is written; None in other messages.

    The last message that holds a whole case counts, so that worked examples may stand before it.
    """
    asked = [m.content for m in messages if m.role != "assistant"]
    for text in [*reversed(asked), "\n\n".join(asked)]:
        question = _tagged(text, "question|problem")
        single = _tagged(text, "answer|response|student[_ -]?answer|candidate")
        pair = [_tagged(text, rf"(?:answer|response|assistant)[_ -]?(?:{mark})") for mark in ("a|1", "b|2")]
        reference = _tagged(text, "reference|reference[_ -]?answer|solution|gold")
        candidates = _numbered(text)
        if len(candidates) > 1 and re.search(r"(?i)\brank", text):
            return Case(question=None, answers=candidates, reference=None)
        if question is None:
            continue
        if pair[0] is not None and pair[1] is not None:
            return Case(question=question, answers=(pair[0], pair[1]), reference=reference or None)
        if single is not None:
            return Case(question=question, answers=(single,), reference=reference or None)
    return None


def reply(
    case: Case,
    solve: Callable[[str], str | None],
    rng: random.Random,
    mark: Callable[[str, str], "Mark | None"] = lambda question, answer: None,
    /,
    *,
    noise: float = 0.0,
    unreadable: float = 0.0,
) -> str | Unknown:
    """Grade a case, or rank its questions.

    `mark` grades an answer to a question of which more is known than one right answer; None for other
    questions. `solve` gives the right answer to a question, worked or final, or None; it is asked where the
    prompt holds no reference. `noise` is the standard deviation, in points, of what is added to each score
    before it is rounded; `unreadable` is the share of replies without any score.
    """
    if case.question is None:
        return _ranking(case.answers, rng, noise, unreadable)
    graded = [found for answer in case.answers if (found := mark(case.question, answer)) is not None]
    if not graded:
        reference = case.reference if case.reference is not None else solve(case.question)
        if reference is None or answers.extract(reference) is None:
            return Unknown(reason="the right answer is not known")
        graded = [score(answer, reference) for answer in case.answers]
    hidden = rng.random() < unreadable
    points = [_noisy(value, noise, rng) for value, _ in graded]
    if hidden:
        return rng.choice(_WITHOUT_SCORE)
    if len(points) == 1:
        return f"The answer is {graded[0][1]}.\n\nScore: {points[0]}"
    said = f"Answer A is {graded[0][1]}. Answer B is {graded[1][1]}."
    return f"{said}\n\nScore A: {points[0]}\nScore B: {points[1]}"


_WITHOUT_SCORE = (
    "This is a thoughtful piece of work, and I see much to like in it.",
    "I would rather not put a number on it.",
    "Score: high",
    "",
)


_WITHOUT_RANKING = ("They are all much alike.", "Ranking: 1, 1", "Ranking: the first, then the others", "")


def _ranking(questions: Sequence[str], rng: random.Random, noise: float, unreadable: float) -> str:
    hidden = rng.random() < unreadable
    points = [len(re.findall(r"[0-9]+", question)) + rng.gauss(0.0, 1.0) * noise for question in questions]
    if hidden:
        return rng.choice(_WITHOUT_RANKING)
    order = sorted(range(len(questions)), key=lambda at: (-points[at], -len(questions[at]), questions[at]))
    return f"The first names the most quantities.\n\nRanking: {', '.join(str(at + 1) for at in order)}"


def score(answer: str, reference: str) -> Mark:
    """The grade of an answer without noise, and the reason in words."""
    if not answer.strip():
        return 1, "empty"
    right = answers.extract(reference)
    grade = answers.grade(answer, right.text if right else "")
    steps = _steps(answer)
    sound = [step for step in steps if step.holds]
    if grade.value == 1.0:
        if steps:
            return (
                (10, "right and worked") if len(sound) == len(steps) else (9, "right, with a careless step")
            )
        return (8, "right, with hardly any steps") if len(answer.split()) > 4 else (7, "right and bare")
    wanted = {step.value for step in _steps(reference)}
    share = len(wanted & {step.value for step in sound}) / len(wanted) if wanted else 0.0
    if share > 0:
        return 3 + round(2 * share), "wrong, with steps that are right"
    if grade.extracted is not None and right is not None and _near(grade.extracted, right.text):
        return 3, "wrong, though near"
    return (2, "wrong") if grade.extracted is not None else (1, "no answer")


@dataclass(frozen=True, kw_only=True)
class _Step:
    value: Fraction
    holds: bool


_ANNOTATION = re.compile(r"<<([^<>=]{1,200})=([^<>=]{1,40})>>")


def _steps(text: str) -> list[_Step]:
    """The calculations of a worked answer: its annotations, or else what its prose spells out."""
    found = [(m[1], m[2]) for m in _ANNOTATION.finditer(text)]
    found = found or [(m["left"], m["right"]) for m in EQUATION.finditer(text)]
    steps = []
    for left, right in found[:MAX_STEPS]:
        expression, stated = parse(left), to_fraction(right.strip(" $%"))
        if expression is not None and stated is not None:
            steps.append(_Step(value=stated, holds=compute(expression.tree, as_written) == stated))
    return steps


def _near(answer: str, right: str) -> bool:
    """Within a tenth of the right number."""
    got, wanted = answers.number(answer), answers.number(right)
    if got is None or wanted is None:
        return False
    return abs(got - wanted) * 10 <= abs(wanted)


def _noisy(value: int, noise: float, rng: random.Random) -> int:
    # Drawn even without noise, so that one setting does not change what another one draws.
    return min(HIGHEST, max(LOWEST, round(value + rng.gauss(0.0, 1.0) * noise)))


def _numbered(text: str) -> tuple[str, ...]:
    """The texts in tags that number them 1, 2, ...; none where the numbers are others."""
    found = list(re.finditer(r'(?i)<(question|problem)\s{1,3}number\s?=\s?"?([0-9]{1,4})"?\s?>', text))
    if [int(one[2]) for one in found] != list(range(1, len(found) + 1)):
        return ()
    ends = [*(one.start() for one in found), len(text)][1:]
    parts = [text[one.end() : end] for one, end in zip(found, ends, strict=False)]
    return tuple(re.split(r"(?i)</(?:question|problem)\s?>", part, maxsplit=1)[0].strip() for part in parts)


def _tagged(text: str, names: str) -> str | None:
    """The text between a tag's first opening and its last closing, tags on lines of their own preferred.

    An answer that holds such a tag itself must not cut itself short.
    """
    opening = rf"<(?P<name>{names})(?:\s[^<>\n]{{0,80}})?>"
    first = re.search(rf"^[ \t]{{0,20}}{opening}", text, re.IGNORECASE | re.MULTILINE)
    first = first or re.search(opening, text, re.IGNORECASE)
    if first is None:
        return None
    closed = [m.start() for m in re.finditer(rf"</{re.escape(first['name'])}\s?>", text, re.IGNORECASE)]
    closed = [at for at in closed if at >= first.end()]
    return text[first.end() : closed[-1]].strip() if closed else None
