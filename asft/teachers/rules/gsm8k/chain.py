"""Where every number of a worked solution comes from.

A solution is bound to its question number by number: each operand is a number of the question, an earlier
result, or a constant. Where a number could come from several places, all of them are kept, and a variant has
to give all of them the same value; so a wrong guess about the origin cannot make a wrong answer.
"""

import re
from fractions import Fraction

from asft.teachers.rules.arithmetic import EQUATION, NUMBER, as_written, compute, parse, to_fraction
from asft.teachers.rules.gsm8k import numbers, plausible
from asft.teachers.rules.gsm8k.numbers import Number
from asft.teachers.rules.gsm8k.sources import (
    Cannot,
    Chain,
    Combined,
    Constant,
    Given,
    Mention,
    Reason,
    Result,
    Source,
    Step,
    evaluate,
)

MAX_CHARS = 4000
MAX_STEPS = 40
MAX_NUMBERS = 40
"""Bounds that no GSM8K problem comes near; they keep the search small on anything else."""

_ANNOTATION = re.compile(r"<<([^<>]*)>>")
_FINAL = re.compile(r"####\s*(\S.*?)\s*$")
_PATTERN = re.compile(r"\b(?:patterns?|sequences?|consecutive)\b", re.IGNORECASE)
_RELATION = re.compile(r"\b(half|twice|doubled?|tripled?|thrice|quadrupled?)\b", re.IGNORECASE)
_ALGEBRA = re.compile(
    r"(?<![A-Za-z\d])\d+(?:\.\d+)?[a-zA-Z](?![A-Za-z])(?!\s*\d)|\b(?:[Ll]et|x|y)\s*=|\blet [a-zA-Z] (?:be|=)"
)

_TRIGGERS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"week", (7, 5, 2, 4)),
    (r"day|noon|midnight|night|o'clock|[ap]\.?m\b", (24, 7, 12)),
    (r"hour|minute|second", (60, 3600, 24)),
    (r"month|year|annual|january|february|march|april|june|july|august|september|october|november|december",
     (12, 4, 30, 31, 28, 29, 52, 365, 366, 7)),
    (r"decade", (10,)),
    (r"centur", (100,)),
    (r"dozen", (12,)),
    (r"half|halve|twice|double|couple|pair|both|two|second|biweekly|every other", (2,)),
    (r"thrice|triple|third|three", (3,)),
    (r"quarter|fourth|four|quadrupl", (4, 25)),
    (r"fifth", (5,)),
    (r"sixth", (6,)),
    (r"seventh", (7,)),
    (r"eighth", (8,)),
    (r"ninth", (9,)),
    (r"tenth", (10,)),
    (r"percent|%|cent|dollar|\$", (100,)),
    (r"dime|nickel|quarter|penn|coin", (10, 5, 25, 1)),
    (r"feet|foot|inch|yard", (12, 3, 36)),
    (r"pound|ounce|ton", (16, 2000)),
    (r"gallon|quart|pint|cup", (4, 2, 16, 8, 128)),
    (r"meter|gram|liter|kilo|\bkm|\bkg|\bml|\bcm", (1000, 100, 10)),
    (r"average|mean", (2,)),
    (r"square|rectang|perimeter", (2, 4)),
    (r"triang", (3, 180)),
    (r"circle|degree|angle", (360, 180, 90)),
    (r"spider|octopus", (8,)),
    (r"insect|\bant\b|\bants\b", (6,)),
    (r"dog|cat|cow|horse|goat|sheep|pig|car\b|cars\b|table|chair", (4, 2)),
    (r"bird|chicken|duck|bicycle|bike|people|person|human", (2,)),
)  # fmt: skip
_FACTS = frozenset(
    [Fraction(n) for n in (24, 25, 30, 31, 50, 52, 60, 75, 90, 100, 180, 360, 365, 1000)]
    + [Fraction(1, 2), Fraction(1, 4), Fraction(3, 4), Fraction(1, 10), Fraction(1, 20), Fraction(1, 100)]
)
_COUNTED_ALOUD = 12
"""A whole number up to this that appears nowhere may be counted from names or things that are listed."""


def bind(question: str, solution: str) -> Chain | Cannot:
    """Read a worked solution as a calculation on the numbers of its question."""
    return _Binder(question, solution).chain()


class _Unbound(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason)
        self.cannot = Cannot(reason=reason, detail=detail)


class _Binder:
    def __init__(self, question: str, solution: str) -> None:
        self.question = question
        self.solution = solution
        self.prose = _ANNOTATION.sub(lambda m: "\0" * len(m.group()), solution)
        self.steps: list[Step] = []
        self.mentions: list[Mention] = []
        self.equal: list[tuple[Source, Source]] = []
        self.starts: list[int] = []
        self.has_rest = plausible.tells_the_rest(question)
        self._read_question()

    def chain(self) -> Chain | Cannot:
        try:
            self._check_form()
            self._bind_steps()
            self._bind_prose()
        except _Unbound as unbound:
            return unbound.cannot
        return Chain(
            givens=self.givens,
            others=self.others,
            steps=tuple(self.steps),
            mentions=tuple(self.mentions),
            equal=tuple(dict.fromkeys(self.equal)),
        )

    def _read_question(self) -> None:
        found = numbers.read(self.question)
        by_value: dict[Fraction, list[Number]] = {}
        others = []
        for number in found:
            if plausible.is_fact(self.question, number) or plausible.is_listed(self.question, number):
                others.append(number)
            else:
                by_value.setdefault(number.value, []).append(number)
        self.others = tuple(others)
        self.givens = tuple(tuple(group) for group in by_value.values())
        self.given_of = {group[0].value: i for i, group in enumerate(self.givens)}
        known = {Fraction(1)}
        for number in others:
            known.add(number.value)
            if number.kind in ("fraction", "mixed", "ratio"):
                parts = [Fraction(d) for d in re.findall(r"\d+", number.text)]
                known.update([*parts, abs(parts[-1] - parts[-2]), sum(parts, Fraction(0))])
            elif number.kind == "part":
                top, bottom = number.value.numerator, number.value.denominator
                known.update((Fraction(top), Fraction(bottom), Fraction(bottom - top)))
        for pattern, values in _TRIGGERS:
            if re.search(pattern, self.question, re.IGNORECASE):
                known.update(Fraction(v) for v in values)
        self.known = known

    def _check_form(self) -> None:
        if len(self.question) > MAX_CHARS or len(self.solution) > MAX_CHARS:
            raise _Unbound("too long", "")
        count = sum(1 for _ in _ANNOTATION.finditer(self.solution))
        if count > MAX_STEPS or len(self.givens) + len(self.others) > MAX_NUMBERS:
            raise _Unbound("too long", "")
        if not count:
            raise _Unbound("no annotations", "")
        if not _FINAL.search(self.solution):
            raise _Unbound("no final answer", "")
        if "<<" in self.prose or ">>" in self.prose:
            raise _Unbound("annotation is not plain arithmetic", "unbalanced")
        if pattern := _PATTERN.search(self.question):
            raise _Unbound("relation in words", pattern.group())
        if algebra := _ALGEBRA.search(self.prose):
            raise _Unbound("algebra", algebra.group())
        asked = {word.lower().rstrip("d") for word in _RELATION.findall(self.question)}
        for word in _RELATION.findall(self.prose):
            if word.lower().rstrip("d") not in asked and not (
                {"twice", "double"} & asked and word.lower() in ("twice", "double", "doubled")
            ):
                raise _Unbound("relation in words", word)

    def _bind_steps(self) -> None:
        found = [(m.start(), m.start(1), m[1], True) for m in _ANNOTATION.finditer(self.solution)]
        bare = {start for start, _, text, _ in found if _is_bare(text)}
        for start, at, text in self._equations(bare):
            found.append((start, at, text, False))
        spelt = [(start, start + len(text)) for start, _, text, inside in found if not inside]
        for at in bare:
            shown = any(start < at < end for start, end in spelt)
            if self.prose[:at].rstrip(" $").endswith("=") and not shown:
                raise _Unbound("annotation is not plain arithmetic", "a bare result")
        for start, at, text, inside in sorted(found):
            self._bind_step(start, at, text, inside)

    def _equations(self, bare: set[int]) -> list[tuple[int, int, str]]:
        """Calculations in the prose that have no annotation of their own."""
        kept = []
        flat = re.sub(r"\0+", lambda m: " " * len(m.group()), self.prose)
        for match in EQUATION.finditer(flat):
            span = self.prose[match.start() : match.end()]
            if "\0" in span and match.start() + span.index("\0") not in bare:
                continue
            if re.search(r"[-+*/x×÷=.]\s*$", flat[: match.start()]) or re.match(
                r"\s*[-+*/x×÷]|\d|,\d|\.\d", flat[match.end() :]
            ):
                continue
            kept.append((match.start(), match.start(), match.group()))
        return kept

    def _bind_step(self, start: int, at: int, text: str, inside: bool) -> None:
        left, _, right = text.rpartition("=")
        expression = parse(left)
        percent = right.strip().endswith("%")
        stated = to_fraction(right.strip(" $%"))
        if expression is None or stated is None:
            raise _Unbound("annotation is not plain arithmetic", text)
        value = compute(expression.tree, as_written)
        as_percent = percent and value == stated / 100
        if not as_percent and value != stated:
            raise _Unbound("annotation is wrong", text)
        sources = []
        for leaf in expression.leaves:
            number = _number(self.solution, at + leaf.start, at + leaf.end)
            source = self._source(number.value)
            sources.append(source)
            if inside:
                self.mentions.append(Mention(number=number, source=source, inside=True))
        if (
            len(expression.leaves) == 1
            and isinstance(sources[0], Constant)
            and sources[0].value not in self.known
        ):
            raise _Unbound("number of unknown origin", text)
        self.steps.append(
            Step(expression=expression, sources=tuple(sources), value=stated, as_percent=as_percent)
        )
        self.starts.append(start)
        if inside:
            result = re.search(NUMBER, right)
            if result is not None:
                first = at + len(left) + 1 + result.start()
                number = _number(self.solution, first, first + len(result.group()))
                source = Result(step=len(self.steps) - 1)
                self.mentions.append(Mention(number=number, source=source, inside=True))

    def _source(self, value: Fraction) -> Source:
        """The origin of a number; what else it could be becomes a pair that stays equal."""
        candidates: list[Source] = []
        if value in self.given_of:
            candidates.append(Given(index=self.given_of[value]))
        candidates += [Result(step=i) for i, step in enumerate(self.steps) if step.value == value]
        if candidates and value in self.known:
            candidates.append(Constant(value=value))
        if not candidates:
            candidates = [self._unwritten(value)]
        self.equal += [(candidates[0], other) for other in candidates[1:]]
        if self.has_rest and not isinstance(candidates[0], Constant):
            self._keep_halves(candidates[0], value)
        return candidates[0]

    def _keep_halves(self, source: Source, value: Fraction) -> None:
        """Half of a whole is also what is left of it: both readings have to stay one."""
        wholes: list[Source] = [Given(index=self.given_of[2 * value])] if 2 * value in self.given_of else []
        wholes += [Result(step=i) for i, step in enumerate(self.steps) if step.value == 2 * value]
        self.equal += [(source, Combined(left=whole, sign="-", right=source)) for whole in wholes]

    def _unwritten(self, value: Fraction) -> Source:
        """A value that is written neither in the question nor before: a share, a constant, nothing."""
        hundred = Constant(value=Fraction(100))
        one = Constant(value=Fraction(1))
        forms: list[Source] = []
        for i, group in enumerate(self.givens):
            if not any(plausible.unit(self.question, n) == "%" for n in group):
                continue
            given = Given(index=i)
            share = Combined(left=given, sign="/", right=hundred)
            forms += [
                share,
                Combined(left=hundred, sign="-", right=given),
                Combined(left=hundred, sign="+", right=given),
                Combined(left=one, sign="-", right=share),
                Combined(left=one, sign="+", right=share),
            ]
        for i, group in enumerate(self.givens):
            if any(re.match(r"\s*(?:cents?\b|¢)", self.question[n.end :]) for n in group):
                forms.append(Combined(left=Given(index=i), sign="/", right=hundred))
        matching = [form for form in forms if self._original(form) == value]
        if matching:
            self.equal += [(matching[0], other) for other in matching[1:]]
            return matching[0]
        constant = Constant(value=value)
        if value in self.known:
            return constant
        whole = value.denominator == 1
        if not (whole and 0 <= value <= _COUNTED_ALOUD) and value not in _FACTS:
            raise _Unbound(
                "number of unknown origin",
                numbers.plain(value) if numbers.places(value) is not None else str(value),
            )
        self.equal += [(constant, other) for other in self._in_the_head(value)]
        return constant

    def _in_the_head(self, value: Fraction) -> list[Source]:
        """All ways to get the value from two numbers at hand: any of them may be what the solution means."""
        hand: list[Source] = [Given(index=i) for i in range(len(self.givens))]
        hand += [Result(step=i) for i in range(len(self.steps))]
        fixed: list[Source] = [Constant(value=n) for n in sorted({*self.known, Fraction(2), Fraction(100)})]
        fixed += [Constant(value=n.value) for n in self.others if n.value != 1]
        found: list[Source] = []
        for i, left in enumerate(hand):
            for right in [*hand[i + 1 :], *fixed]:
                for first, sign, second in (
                    (left, "+", right),
                    (left, "-", right),
                    (right, "-", left),
                    (left, "*", right),
                    (left, "/", right),
                    (right, "/", left),
                ):
                    if sign in "*/" and isinstance(right, Constant) and right.value == 1:
                        continue
                    way = Combined(left=first, sign=sign, right=second)
                    if self._original(way) == value:
                        found.append(way)
        return found

    def _original(self, source: Source) -> Fraction | None:
        return evaluate(source, [g[0].value for g in self.givens], [s.value for s in self.steps])

    def _bind_prose(self) -> None:
        units = {n.value: plausible.unit(self.question, n) for group in self.givens for n in group}
        read = numbers.read(self.prose, fractions=False)
        final = _FINAL.search(self.solution)
        if final is None or not read or not (final.start() < read[-1].start and read[-1].kind == "digits"):
            raise _Unbound("no final answer", "")
        if (len(read) > 1 and read[-2].start > final.start()) or self.steps[-1].value != read[-1].value:
            raise _Unbound("final answer is not the last result", "")
        for number in read[:-1]:
            word = number.kind == "word"
            if (
                number.kind in ("part", "scaled")
                or (word and plausible.unit(self.prose, number) != units.get(number.value))
                or re.match(r"(?:st|nd|rd|th)\b", self.prose[number.end :])
            ):
                self._pin(number.value)
            else:
                source = self._beside(number) or self._source(number.value)
                if isinstance(source, Constant) and self.prose[: number.start].rstrip(" $").endswith("="):
                    raise _Unbound("number of unknown origin", f"= {number.text}")
                self.mentions.append(Mention(number=number, source=source, inside=False))
        last = Result(step=len(self.steps) - 1)
        self.mentions.append(Mention(number=read[-1], source=last, inside=False))

    def _beside(self, number: Number) -> Source | None:
        """The source by place: the result right after its annotation, or an operand spelt out before it."""
        after = self.prose.rfind("\0", 0, number.start)
        if after >= 0 and not self.prose[after + 1 : number.start].strip(" $"):
            steps = [i for i, start in enumerate(self.starts) if start <= after and self.prose[start] == "\0"]
            return Result(step=steps[-1]) if self.steps[steps[-1]].value == number.value else None
        ahead = self.prose.find("\0", number.end)
        if ahead < 0 or "\n" in self.prose[number.end : ahead] or ahead not in self.starts:
            return None
        step = self.steps[self.starts.index(ahead)]
        for leaf, source in zip(step.expression.leaves, step.sources, strict=True):
            if leaf.value == number.value:
                return source
        return None

    def _pin(self, value: Fraction) -> None:
        """Words that stay as they are: whatever they could speak of keeps its value."""
        if value == 1:
            return
        constant = Constant(value=value)
        if value in self.given_of:
            self.equal.append((constant, Given(index=self.given_of[value])))
        self.equal += [(constant, Result(step=i)) for i, s in enumerate(self.steps) if s.value == value]


def _is_bare(text: str) -> bool:
    return re.fullmatch(rf"\s*{NUMBER}\s*=.*", text) is not None


def _number(text: str, start: int, end: int) -> Number:
    digits = text[start:end]
    return Number(start=start, end=end, text=digits, value=Fraction(digits.replace(",", "")), kind="digits")
