"""Other numbers for the same problem: the same chain of calculations, recomputed exactly and checked."""

import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from asft.teachers.rules.arithmetic import EQUATION, as_written, compute, parse, to_fraction
from asft.teachers.rules.gsm8k import numbers, plausible
from asft.teachers.rules.gsm8k.chain import bind
from asft.teachers.rules.gsm8k.numbers import Number
from asft.teachers.rules.gsm8k.sources import (
    Cannot,
    Chain,
    Combined,
    Constant,
    Given,
    Result,
    Source,
    evaluate,
)

ROUNDS = 4
"""How often every number gets a chance to move; a move may make room for another."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A new problem with its worked answer."""

    question: str
    solution: str
    """Ends in `#### answer`; the calculator annotations are kept."""
    answer: str
    changed: int
    """How many of the question's numbers are new."""
    used: int
    """How many of them the calculation uses."""


def variant(question: str, solution: str, rng: random.Random) -> Variant | Cannot:
    """The problem with other numbers, or why there is none."""
    chain = bind(question, solution)
    if isinstance(chain, Cannot):
        return chain
    return _Search(question, solution, chain, rng).variant()


class _Search:
    def __init__(self, question: str, solution: str, chain: Chain, rng: random.Random) -> None:
        self.question = question
        self.solution = solution
        self.chain = chain
        self.rng = rng
        self.first = tuple(group[0].value for group in chain.givens)
        self.used = _used(chain)
        self.rules = _Rules(question, solution, chain)

    def variant(self) -> Variant | Cannot:
        original = self.rules.results(self.first)
        if original is None:
            return Cannot(reason="no sensible numbers found", detail="the original breaks the rules")
        movable = [i for i in sorted(self.used) if len(self.rules.choices[i]) > 1]
        values = list(self.first)
        for _ in range(ROUNDS):
            self.rng.shuffle(movable)
            for i in movable:
                self._move(values, i)
        if len(movable) > 1:
            self._move_together(values, movable)
        return self._written(tuple(values))

    def _move(self, values: list[Fraction], i: int) -> None:
        choices = list(self.rules.choices[i])
        self.rng.shuffle(choices)
        for choice in choices:
            if choice in (self.first[i], values[i]):
                continue
            trial = [*values[:i], choice, *values[i + 1 :]]
            if self.rules.results(trial) is not None:
                values[i] = choice
                return

    def _move_together(self, values: list[Fraction], movable: list[int]) -> None:
        """Numbers that only fit together (a price and what is left of it) have to move at once."""
        for _ in range(150):
            stuck = [i for i in movable if values[i] == self.first[i]]
            if not stuck:
                return
            i = self.rng.choice(stuck)
            j = self.rng.choice([k for k in movable if k != i])
            trial = list(values)
            trial[i] = self.rng.choice(self.rules.choices[i])
            trial[j] = self.rng.choice(self.rules.choices[j])
            if trial[i] != self.first[i] and trial[j] != self.first[j] and self.rules.results(trial):
                values[:] = trial

    def _written(self, values: Sequence[Fraction]) -> Variant | Cannot:
        changed = sum(a != b for a, b in zip(values, self.first, strict=True))
        if changed == 0 or 2 * changed < len(self.used):
            return Cannot(reason="too little can change", detail=f"{changed} of {len(self.used)}")
        results = self.rules.results(values)
        if results is None or (results[-1] == self.chain.steps[-1].value and changed < 2):
            return Cannot(reason="no sensible numbers found", detail="the answer stays")
        asked: list[tuple[int, int, str]] = []
        for group, value in zip(self.chain.givens, values, strict=True):
            for number in group:
                text = _new_text(self.question, number, value, inside=False)
                if text is None:
                    return Cannot(reason="no sensible numbers found", detail=f"cannot write {value}")
                asked.append((number.start, number.end, text))
        worked: list[tuple[int, int, str]] = []
        for mention in self.chain.mentions:
            new = evaluate(mention.source, values, results)
            text = None if new is None else _new_text(self.solution, mention.number, new, mention.inside)
            if text is None:
                return Cannot(reason="no sensible numbers found", detail=f"cannot write {new}")
            worked.append((mention.number.start, mention.number.end, text))
        new_solution = numbers.rewrite(self.solution, worked)
        if not _adds_up_alike(self.solution, new_solution):
            return Cannot(reason="no sensible numbers found", detail="the prose would not add up")
        return Variant(
            question=numbers.rewrite(self.question, asked),
            solution=new_solution,
            answer=numbers.plain(results[-1]),
            changed=changed,
            used=len(self.used),
        )


class _Rules:
    """All that has to hold for a set of values: the calculation's own checks and those of the question."""

    def __init__(self, question: str, solution: str, chain: Chain) -> None:
        self.chain = chain
        self.first = [group[0].value for group in chain.givens]
        used = _used(chain)
        limits = [_limit(question, group) for group in chain.givens]
        self.choices = [
            _choices(question, group, limit) if i in used else [self.first[i]]
            for i, (group, limit) in enumerate(zip(chain.givens, limits, strict=True))
        ]
        self.partial = [
            self._partial_results(s, self.first, [t.value for t in chain.steps])
            for s in range(len(chain.steps))
        ]
        self.compares = plausible.compares(question, solution)
        self.ordered = _ordered_pairs(question, chain)
        self.shares = [
            i for i, g in enumerate(chain.givens) if any(plausible.unit(question, n) == "%" for n in g)
        ]
        self.share_total = sum((self.first[i] for i in self.shares), Fraction(0))
        self.sums = _sums(question, chain) if plausible.shares_a_whole(question) else []
        self.factor = Fraction(3, 2) if plausible.speaks_of_age(question) else Fraction(4)
        self.caps: dict[int, Fraction] = {}
        for mention in chain.mentions:
            if isinstance(mention.source, Result) and not mention.inside:
                limit = plausible.cap(solution, mention.number, question)
                if limit is not None:
                    self.caps[mention.source.step] = limit

    def results(self, values: Sequence[Fraction]) -> list[Fraction] | None:
        """The result of every step, or None where any rule is broken."""
        if not self._question_holds(values):
            return None
        results: list[Fraction] = []
        for i, step in enumerate(self.chain.steps):
            partial = self._partial_results(i, values, results)
            if partial is None or not all(map(_alike, partial, self.partial[i] or [])):
                return None
            result = partial[-1] * 100 if step.as_percent else partial[-1]
            if not _in_range(result, step.value, self.factor) or (i in self.caps and result > self.caps[i]):
                return None
            results.append(result)
        for one, other in self.chain.equal:
            if evaluate(one, values, results) != evaluate(other, values, results):
                return None
        if self.compares and not self._same_order(values, results):
            return None
        return results

    def _partial_results(
        self, step: int, values: Sequence[Fraction], results: Sequence[Fraction]
    ) -> list[Fraction] | None:
        read = self.chain.steps[step]
        seen: list[Fraction] = []
        bound: list[Fraction] = []
        for source in read.sources:
            value = evaluate(source, values, results)
            if value is None:
                return None
            bound.append(value)
        total = compute(
            read.expression.tree, lambda leaf: bound[leaf.number] if leaf.number >= 0 else Fraction(0), seen
        )
        return None if total is None else [*seen, total]

    def _question_holds(self, values: Sequence[Fraction]) -> bool:
        for one, other in self.ordered:
            low, high = evaluate(one, values, ()), evaluate(other, values, ())
            if low is None or high is None or low >= high:
                return False
        total = sum((values[i] for i in self.shares), Fraction(0))
        if self.share_total <= 100 < total or (self.share_total == 100 != total):
            return False
        return all(
            sum((evaluate(p, values, ()) or Fraction(0) for p in parts), Fraction(0))
            == evaluate(whole, values, ())
            for whole, parts in self.sums
        )

    def _same_order(self, values: Sequence[Fraction], results: Sequence[Fraction]) -> bool:
        old = [*self.first, *(s.value for s in self.chain.steps)]
        new = [*values, *results]
        ranked = sorted(range(len(old)), key=lambda i: old[i])
        return all(
            (new[a] < new[b]) if old[a] < old[b] else (new[a] == new[b])
            for a, b in itertools.pairwise(ranked)
        )


def _used(chain: Chain) -> set[int]:
    found: set[int] = set()

    def walk(source: Source) -> None:
        if isinstance(source, Given):
            found.add(source.index)
        elif isinstance(source, Combined):
            walk(source.left)
            walk(source.right)

    for step in chain.steps:
        for source in step.sources:
            walk(source)
    return found


def _limit(question: str, group: Sequence[Number]) -> Fraction | None:
    caps = [c for n in group if (c := plausible.cap(question, n, question)) is not None]
    return min(caps, default=None)


def _choices(question: str, group: Sequence[Number], limit: Fraction | None) -> list[Fraction]:
    """Values that suit every place where the number stands."""
    common: list[Fraction] | None = None
    for number in group:
        near = plausible.values_near(number, plausible.unit(question, number), limit)
        near = [v for v in near if plausible.article_fits(question, number, v)]
        common = near if common is None else [v for v in common if v in near]
    own = group[0].value
    return sorted({*(common or []), own})


def _ordered_pairs(question: str, chain: Chain) -> list[tuple[Source, Source]]:
    """Numbers of one unit in the question keep their order: 18 of the 30, from 5 to 9."""
    places: list[tuple[str, Source, Fraction]] = []
    for i, group in enumerate(chain.givens):
        places += [(plausible.unit(question, n), Given(index=i), n.value) for n in group]
    places += [(plausible.unit(question, n), Constant(value=n.value), n.value) for n in chain.others]
    pairs = []
    for unit, low, a in places:
        for other, high, b in places:
            if unit == other and a < b and (isinstance(low, Given) or isinstance(high, Given)):
                pairs.append((low, high))
    return list(dict.fromkeys(pairs))


def _sums(question: str, chain: Chain) -> list[tuple[Source, tuple[Source, ...]]]:
    """Numbers of the question that add up to another one: the whole and its parts."""
    places: list[tuple[Source, Fraction]] = [
        (Given(index=i), n.value) for i, group in enumerate(chain.givens) for n in group
    ]
    places += [(Constant(value=n.value), n.value) for n in chain.others if n.value > 1]
    found: list[tuple[Source, tuple[Source, ...]]] = []
    smallest = 3 if plausible.tells_the_rest(question) else 10
    for whole, total in places:
        if total < smallest:
            continue
        for i, (one, a) in enumerate(places):
            for j, (two, b) in enumerate(places[i + 1 :], i + 1):
                if a + b == total:
                    found.append((whole, (one, two)))
                found += [(whole, (one, two, three)) for three, c in places[j + 1 :] if a + b + c == total]
    return found


def _alike(new: Fraction, old: Fraction) -> bool:
    """Same sign and same wholeness."""
    if (new > 0) != (old > 0) or (new < 0) != (old < 0):
        return False
    if old.denominator == 1:
        return new.denominator == 1
    return True


def _in_range(new: Fraction, old: Fraction, factor: Fraction) -> bool:
    """Alike, as fine as the original, on the same side of 1, and within the factor of it."""
    if not _alike(new, old):
        return False
    if old.denominator != 1 and (
        numbers.places(new) is None or (numbers.places(new) or 0) > max(numbers.places(old) or 0, 1)
    ):
        return False
    if (old == 1) != (new == 1) or (abs(old) < 1) != (abs(new) < 1):
        return False
    low, high = abs(old) / factor, abs(old) * factor
    return low <= abs(new) <= max(high, Fraction(12)) if old.denominator == 1 else low <= abs(new) <= high


def _adds_up_alike(old: str, new: str) -> bool:
    """Whether every calculation in the prose that held still holds, with units left out of account."""
    for before, after in zip(old.split("\n"), new.split("\n"), strict=True):
        held, holds = _calculations(before), _calculations(after)
        if len(held) != len(holds) or any(a and not b for a, b in zip(held, holds, strict=True)):
            return False
    return True


def _calculations(line: str) -> list[bool]:
    text = re.sub(r"<<[^<>]*>>", "", line)
    text = re.sub(r"(?<=[\d)])\s*x\s*(?=[\d($])", "*", text)
    text = re.sub(r"[A-Za-z]+(?:/[A-Za-z]+)*|\$|(?<=[A-Za-z])-|%(?=\s*\w)", "", text)
    found = []
    for match in EQUATION.finditer(text):
        expression, right = parse(match["left"]), to_fraction(match["right"])
        found.append(expression is not None and compute(expression.tree, as_written) == right)
    return found


def _new_text(text: str, number: Number, value: Fraction, inside: bool) -> str | None:
    if value == number.value:
        return number.text
    money = bool(re.search(r"\$\s*$", text[max(0, number.start - 2) : number.start]))
    return numbers.write(value, number, money=money and not inside, commas=not inside)


def render(new: Variant) -> str:
    """The reply of a teacher that was asked for a question with its answer."""
    return f"Question: {new.question.strip()}\nAnswer: {new.solution.strip()}"
