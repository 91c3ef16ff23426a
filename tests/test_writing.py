"""Drafts in waves: how large they are, what they cost, and that neither timing nor a kill changes them."""

import asyncio
import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asft import needs, recipe, writing
from asft.budget import FREE, Budget, Prices
from asft.errors import FatalError, RecipeError
from asft.journal import Journal
from asft.recipe import EngineOptions
from asft.tasks.gsm8k import GSM8K
from asft.types import (
    NO_REQUESTS,
    Ceiling,
    Context,
    Draft,
    Example,
    Looks,
    Measured,
    Measurements,
    Message,
    Need,
    Observation,
    Pick,
    Reply,
    Request,
    Sampling,
    Script,
    Verdict,
)

NANO: dict[str, Any] = {
    "name": "nano",
    "per_round": 4,
    "task": {"use": "pocket", "seeds": 4, "tests": 4},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss"},
    "selector": {"use": "random"},
    "writer": {"use": "question_with_answer"},
}
BASE = recipe.read(NANO)
CALL = Ceiling(requests=1, input_tokens=80, output_tokens=10)


def asked(text: str, purpose: str) -> Request:
    return Request(
        messages=(Message(role="user", content=text),), sampling=Sampling(max_tokens=10), purpose=purpose
    )


@dataclass
class Teacher:
    """Says what it was asked after as many turns of the loop as chance says; then it is gone."""

    seed: int = 0
    calls: float = float("inf")
    identity: dict[str, str] = field(default_factory=lambda: {"plugin": "test"})
    prices: Prices = FREE
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    async def reply(self, request: Request) -> Reply:
        if len(self.asked) >= self.calls:
            raise FatalError("the power is gone")
        self.asked.append(request.messages[0].content)
        for _ in range(self._rng.choice((0, 0, 1, 3, 20))):
            await asyncio.sleep(0)
        return Reply(text=request.messages[0].content, finish="stop", input_tokens=3, output_tokens=2)


@dataclass
class Writer:
    """The question is the number of the pick; some ask twice, and one in ten comes to nothing."""

    def write(self, pick: Pick, context: Context, rng: random.Random) -> Script[Draft]:
        for again in range(1 + pick.number % 2):
            [reply] = yield [asked(f"question {pick.number}, {again}", "question")]
        if pick.number % 10 == 9:
            return Draft(number=pick.number, example=None, reason="no question")
        made = Example.make(task="test", prompt=reply.text, answer="1", parents=(pick.example.id,))
        return Draft(number=pick.number, example=made)

    def ceiling(self, pick: Pick, context: Context) -> Ceiling:
        return CALL * 2


@dataclass
class Rule:
    """Keeps the drafts whose number a rule keeps; may ask, need a measurement, or be ordered."""

    keeps: Callable[[int], bool]
    asks: bool = False
    measures: bool = False
    ordered: bool = False
    saw: list[int] = field(default_factory=list)

    @property
    def looks(self) -> Looks:
        wanted = (needs.OWN,) if self.measures else ()
        ceiling = CALL if self.asks else NO_REQUESTS
        return Looks(needs=wanted, pool_needs=wanted, ordered=self.ordered, ceiling=ceiling)

    def check(
        self, draft: Draft, context: Context, accepted: Sequence[Example], measured: Measured | None = None
    ) -> Verdict | Script[Verdict]:
        self.saw.append(draft.number)
        if self.measures:
            assert measured is not None
            assert draft.example is not None
            assert measured.wave.observations[measured.row].example_id == draft.example.id
            assert measured.pool is not None
            assert len(measured.accepted) == len(accepted)
        return self.ask(draft) if self.asks else self.find(draft)

    def ask(self, draft: Draft) -> Script[Verdict]:
        yield [asked(f"judge {draft.number}", "judge")]
        return self.find(draft)

    def find(self, draft: Draft) -> Verdict:
        decision = "keep" if self.keeps(draft.number) else "drop" if draft.number % 3 else "undecided"
        return Verdict(number=draft.number, decision=decision, filter="rule", reason="as the rule says")  # type: ignore[arg-type]


def of(examples: Sequence[Example]) -> Measurements:
    observations = tuple(Observation(example_id=example.id) for example in examples)
    return Measurements(round=1, examples=tuple(examples), observations=observations)


@dataclass
class Step:
    """A write step, and what it did."""

    path: Path
    filters: tuple[Rule, ...]
    per_round: int = 4
    picks: int = 40
    waves: list[int] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def __call__(self, teacher: Teacher, concurrency: int = 4, **budget: Any) -> writing.Written:
        self.waves.clear()
        seed = Example.make(task="test", prompt="seed", answer="1")
        made = dataclasses.replace(
            BASE,
            per_round=self.per_round,
            teacher=teacher,
            writer=Writer(),
            filters=self.filters,
            engine=EngineOptions(concurrency=concurrency),
            budget=Budget(timeout_share=0.0, **budget),
            settings={**BASE.settings, "filters": [{"use": "rule"} for _ in self.filters]},
        )
        picks = [
            Pick(number=n, example=seed, observation=None, score=None, draw=n) for n in range(self.picks)
        ]
        context = Context(task=GSM8K(), seeds=(seed,), accepted=(), test=(), round=1, seed=0)
        with Journal(self.path) as journal:
            return writing.write(
                made,
                picks,
                context,
                journal,
                turn=self.turn,
                student=writing.Student(measure=self.measure, pool=lambda _: of([seed])),
            )

    @contextmanager
    def turn(self, wave: int, wanted: int) -> Iterator[None]:
        self.events.append(f"teacher {wave}, {wanted} wanted")
        yield

    def measure(self, wave: int, examples: Sequence[Example], wanted: Sequence[Need]) -> Measurements:
        assert [need.name for need in wanted] == ["own"]
        assert wave == len(self.waves)
        self.waves.append(len(examples))
        self.events.append(f"student {wave}")
        return of(examples)

    def charged(self) -> int:
        with Journal(self.path) as journal:
            return journal.spent().requests


# By hand


def test_a_wave_is_as_large_as_what_is_still_wanted(tmp_path: Path) -> None:
    even = Rule(keeps=lambda n: n % 2 == 0, measures=True)
    step = Step(tmp_path / "journal.sqlite", (even,))
    written = step(Teacher())
    # 0 1 2 3: two are kept; 4 5: one; 6: one.
    assert step.waves == [4, 2, 1]
    assert [v.number for v in written.verdicts if v.decision == "keep"] == [0, 2, 4, 6]
    assert (written.ending, written.waves, len(written.drafts)) == ("enough", 3, 7)
    assert step.events == [
        *("teacher 0, 4 wanted", "student 0"),
        *("teacher 1, 2 wanted", "student 1"),
        *("teacher 2, 1 wanted", "student 2"),
    ]


def test_only_what_passes_the_filters_before_is_measured(tmp_path: Path) -> None:
    first, asks = Rule(keeps=lambda n: n % 2 == 0), Rule(keeps=lambda n: n % 4 == 0, asks=True)
    measures, last = Rule(keeps=lambda n: n > 0, measures=True), Rule(keeps=lambda n: n != 8, ordered=True)
    # In the recipe the dearest stand first.
    step = Step(tmp_path / "journal.sqlite", (last, measures, asks, first), per_round=3)
    teacher = Teacher()
    written = step(teacher)
    assert [v.number for v in written.verdicts if v.decision == "keep"] == [4, 12, 16]
    # 0 4 8, then 12 16: what asks sees the even ones alone, and what is ordered what was measured.
    assert step.waves == [3, 2]
    assert sorted(asks.saw) == list(range(0, 17, 2))
    assert (measures.saw, last.saw) == ([0, 4, 8, 12, 16], [4, 8, 12, 16])
    assert sum(text.startswith("judge") for text in teacher.asked) == 9
    places = {v.number: v.place for v in written.verdicts}
    assert (places[1], places[2], places[0], places[8], places[4]) == (3, 2, 1, 0, None)


def test_each_filter_tells_what_it_saw_kept_dropped_and_left_undecided(tmp_path: Path) -> None:
    filters = Rule(keeps=lambda n: n % 2 == 0), Rule(keeps=lambda n: n % 4 == 0, measures=True)
    written = Step(tmp_path / "journal.sqlite", filters, picks=9)(Teacher())
    # Of 0 to 8, 1 5 7 are dropped and 3 undecided at the first; 2 is dropped and 6 undecided at the second.
    told = [(one.place, one.seen, one.kept, one.dropped, one.undecided) for one in written.yields]
    assert told == [(0, 9, 5, 3, 1), (1, 5, 3, 1, 1)]
    assert written.ending == "all done"


def test_without_a_filter_that_measures_there_is_one_turn_and_no_student(tmp_path: Path) -> None:
    step = Step(tmp_path / "journal.sqlite", (Rule(keeps=lambda n: n % 2 == 0, asks=True),))
    assert step(Teacher()).waves == 0
    assert step.events == ["teacher 0, 4 wanted"]


def test_a_filter_whose_request_is_refused_is_undecided_and_the_draft_is_kept_on_the_disk(
    tmp_path: Path,
) -> None:
    @dataclass
    class Greedy(Rule):
        def ask(self, draft: Draft) -> Script[Verdict]:
            yield [asked("x" * 1000, "judge")]
            return self.find(draft)

    written = Step(tmp_path / "j.sqlite", (Greedy(keeps=lambda n: True, asks=True),), picks=2)(Teacher())
    assert [draft.example is not None for draft in written.drafts] == [True, True]
    assert {(v.decision, v.reason.partition(":")[0]) for v in written.verdicts} == {("undecided", "refused")}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            Rule(keeps=bool, asks=True, measures=True),
            r"filters\.0 \(rule\): it asks .* and reads measurements",
        ),
        (Rule(keeps=bool, asks=True, ordered=True), r"filters\.0 \(rule\): it asks .* and is ordered"),
    ],
)
def test_a_filter_that_asks_and_waits_is_refused(tmp_path: Path, rule: Rule, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Step(tmp_path / "journal.sqlite", (rule,))(Teacher())


def test_two_filters_that_need_the_same_otherwise_are_told_before_anything_is_asked(tmp_path: Path) -> None:
    @dataclass
    class Sampled(Rule):
        k: int = 2

        @property
        def looks(self) -> Looks:
            return Looks(needs=(needs.samples(self.k, 0.7),))

    teacher = Teacher()
    with pytest.raises(RecipeError, match="filters: two parts of the recipe need 'samples'"):
        Step(tmp_path / "journal.sqlite", (Sampled(keeps=bool), Sampled(keeps=bool, k=3)))(teacher)
    assert not teacher.asked


# Whatever the budget and the timing


@dataclass(frozen=True)
class Case:
    per_round: int
    picks: int
    requests: int | None
    tokens: int | None
    passes: int
    """Of ten drafts, how many the student's filter keeps."""


cases = st.builds(
    Case,
    per_round=st.integers(0, 9),
    picks=st.integers(0, 40),
    requests=st.none() | st.integers(0, 90),
    tokens=st.none() | st.integers(0, 900),
    passes=st.integers(0, 10),
)


def step_of(path: Path, case: Case) -> tuple[Step, dict[str, Any]]:
    filters = (
        Rule(keeps=lambda n: n % 7 != 3, asks=True),
        Rule(keeps=lambda n: n * 7919 % 10 < case.passes, measures=True),
        Rule(keeps=lambda n: n % 5 != 2, ordered=True),
    )
    step = Step(path, filters, per_round=case.per_round, picks=case.picks)
    return step, {"requests": case.requests, "tokens": case.tokens}


@given(case=cases, seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)), concurrency=st.integers(1, 9))
@settings(max_examples=40)
def test_no_budget_is_overrun_and_timing_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, case: Case, seeds: tuple[int, int], concurrency: int
) -> None:
    folder = tmp_path_factory.mktemp("waves")
    one, budget = step_of(folder / "one.sqlite", case)
    first = one(Teacher(seeds[0]), concurrency, **budget)
    with Journal(one.path) as journal:
        spent = journal.spent()
    assert case.requests is None or spent.requests <= case.requests
    assert case.tokens is None or spent.tokens <= case.tokens
    kept = sum(verdict.decision == "keep" for verdict in first.verdicts)
    assert kept <= case.per_round
    assert (first.ending == "enough") <= (kept == case.per_round)
    assert sum(one.waves) <= len(first.drafts)
    two, _ = step_of(folder / "two.sqlite", case)
    second = two(Teacher(seeds[1]), 1, **budget)
    assert (second, two.waves, two.charged()) == (first, one.waves, one.charged())
    # Again from the journal: the same, and nothing is asked.
    silent = Teacher(calls=0)
    assert one(silent, 3, **budget) == first


@given(case=cases, calls=st.integers(0, 60))
@settings(max_examples=30)
def test_a_step_that_breaks_off_in_any_wave_and_goes_on_makes_what_an_unbroken_one_makes(
    tmp_path_factory: pytest.TempPathFactory, case: Case, calls: int
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    whole, budget = step_of(folder / "whole.sqlite", case)
    unbroken = whole(Teacher(1), **budget)
    broken, _ = step_of(folder / "broken.sqlite", case)
    with suppress(FatalError):
        broken(Teacher(2, calls=calls), **budget)
    went_on = broken(Teacher(3), 2, **budget)
    assert (went_on, broken.waves, broken.charged()) == (unbroken, whole.waves, whole.charged())


def test_a_budget_that_one_wave_leaves_too_little_of_ends_the_next(tmp_path: Path) -> None:
    step = Step(tmp_path / "journal.sqlite", (Rule(keeps=lambda n: n % 2 == 0, measures=True),))
    # 0 1 2 3 take 1 2 1 2 requests; 8 leave two, which is what draft 4 can take, and one is too few for 5.
    written = step(Teacher(), requests=8)
    assert (step.waves, written.ending, step.charged()) == ([4, 1], "budget", 7)
