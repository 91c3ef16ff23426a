"""Scripts are driven at once and told in order; nothing is paid twice, lost, or left to timing."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asft.budget import FREE, Budget, Prices, ceiling_of
from asft.engine import Ending, Endpoint, Engine, Job, Outcome, Progress
from asft.errors import (
    BudgetError,
    CeilingError,
    FatalError,
    GaveUpError,
    JournalError,
    RequestError,
    RetryableError,
)
from asft.journal import Journal
from asft.teachers.rules import Rules
from asft.types import Ceiling, Message, Reply, Request, Sampling, Script

PRICES = Prices(input=Decimal(1), output=Decimal(2))
CEILING = Ceiling(requests=3, input_tokens=600, output_tokens=30)


def ask(text: str, **more: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), sampling=Sampling(max_tokens=10), **more)


def two_steps(number: int) -> Script[str]:
    """Asks a question, then two answers to what came back."""
    [question] = yield [ask(f"q{number}", purpose="question")]
    first, second = yield [ask(question.text, purpose="answer", index=i) for i in range(2)]
    return f"{first.text} {second.text}"


def jobs(count: int, script: Callable[[int], Script[Any]] = two_steps) -> Iterator[Job[Any]]:
    for number in range(count):
        yield Job(number=number, script=partial(script, number), ceiling=CEILING)


def said(request: Request) -> str:
    return f"{request.messages[-1].content}.{request.index}"


@dataclass
class Scripted:
    """Answers by the request alone, after as many turns of the loop as `turns` says; `faults` come first."""

    turns: Callable[[str], int] = lambda text: 0
    faults: Mapping[str, Sequence[Exception]] = field(default_factory=dict)
    output_tokens: int = 2

    def __post_init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.left = {text: list(errors) for text, errors in self.faults.items()}

    async def reply(self, request: Request) -> Reply:
        text = said(request)
        self.asked.append(text)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for _ in range(self.turns(text)):
                await asyncio.sleep(0)
            if self.left.get(text):
                raise self.left[text].pop(0)
        finally:
            self.at_once -= 1
        return Reply(text=text, finish="stop", input_tokens=3, output_tokens=self.output_tokens)


class Run:
    """Drives jobs in a fresh loop, as the command line does, and keeps what came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: list[Outcome[Any]] = []
        self.progress: list[Progress] = []

    def __call__(
        self,
        teacher: Any,
        todo: Iterable[Job[Any]],
        *,
        wanted: int | None = None,
        accept: Callable[[Outcome[Any]], bool] = lambda outcome: outcome.result is not None,
        budget: Budget | None = None,
        round: int = 1,
        **settings: Any,
    ) -> Ending:
        def on_result(outcome: Outcome[Any]) -> bool:
            self.outcomes.append(outcome)
            return accept(outcome)

        async def go() -> Ending:
            endpoint = Endpoint(
                teacher=teacher,
                identity={"name": "test"},
                **{"prices": PRICES, "concurrency": 4, "backoff": 0.0, **settings},
            )
            with Journal(self.path) as journal:
                engine = Engine(journal, {"teacher": endpoint}, budget=budget, progress=self.progress.append)
                async with engine:
                    return await engine.drive(
                        todo, round=round, step="write", on_result=on_result, wanted=wanted
                    )

        self.outcomes = []
        return asyncio.run(go())

    @property
    def results(self) -> list[Any]:
        return [outcome.result for outcome in self.outcomes]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "journal.sqlite")


# Driving


def test_every_script_gets_its_replies_and_results_come_in_order(run: Run) -> None:
    rng = random.Random(0)
    ending = run(Scripted(turns=lambda text: rng.randrange(20)), jobs(30))
    assert ending == "all done"
    assert [outcome.number for outcome in run.outcomes] == list(range(30))
    assert run.results == [f"q{n}.0.0 q{n}.0.1" for n in range(30)]


def test_no_more_calls_are_in_flight_than_allowed_and_as_many_are_used(run: Run) -> None:
    teacher = Scripted(turns=lambda text: 5)
    run(teacher, jobs(30), concurrency=7)
    assert teacher.most_at_once == 7


def test_the_next_request_of_a_script_goes_ahead_of_new_scripts(run: Run) -> None:
    teacher = Scripted(turns=lambda text: 3)
    run(teacher, jobs(20), concurrency=1)
    # With one place, a script is asked to its end while at most a few others have begun.
    begun = ended = furthest = 0
    for text in teacher.asked:
        begun += text.count(".") == 1
        ended += text.endswith(".0.1")
        furthest = max(furthest, begun - ended)
    assert furthest <= 3


def test_a_slow_script_holds_up_no_other(run: Run) -> None:
    class Slow(Scripted):
        async def reply(self, request: Request) -> Reply:
            # The first answer comes when the last script has begun.
            while said(request) == "q0.0" and "q29.0" not in self.asked:
                await asyncio.sleep(0)
            return await super().reply(request)

    run(Slow(), jobs(30), concurrency=2)
    assert [outcome.number for outcome in run.outcomes] == list(range(30))


def test_results_that_cannot_be_handed_on_yet_are_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asft.engine.drive.WINDOW", 50)
    waited_for = []

    class Slow(Scripted):
        async def reply(self, request: Request) -> Reply:
            if said(request) == "q0.0":
                while "q49.0.1" not in self.asked:
                    await asyncio.sleep(0)
                await asyncio.sleep(0.05)
                waited_for.append("q50.0" in self.asked)
            return await super().reply(request)

    run(Slow(), jobs(100))
    assert waited_for == [False]
    assert len(run.outcomes) == 100


def test_equal_requests_at_the_same_time_are_one_call(run: Run) -> None:
    def same(number: int) -> Script[str]:
        [reply] = yield [ask("all the same")]
        return reply.text

    teacher = Scripted(turns=lambda text: 10)
    run(teacher, jobs(10, same))
    assert teacher.asked == ["all the same.0"]
    assert run.results == ["all the same.0"] * 10


def test_a_script_that_asks_nothing_has_its_result(run: Run) -> None:
    def nothing(number: int) -> Script[int]:
        return number
        yield []

    assert run(Scripted(), jobs(5, nothing)) == "all done"
    assert run.results == [0, 1, 2, 3, 4]


def test_a_fault_in_a_script_stops_the_run_with_its_own_error(run: Run) -> None:
    def broken(number: int) -> Script[int]:
        yield [ask("q")]
        raise ZeroDivisionError("broken script")

    with pytest.raises(ZeroDivisionError, match="broken script"):
        run(Scripted(), jobs(3, broken))


def test_a_request_to_a_role_that_is_not_there_is_told(run: Run) -> None:
    def judged(number: int) -> Script[None]:
        yield [ask("q", to="judge")]

    with pytest.raises(FatalError, match="section 'judge'"):
        run(Scripted(), jobs(1, judged))


def test_progress_ends_with_what_was_done_and_spent(run: Run) -> None:
    run(Scripted(), jobs(5))
    last = run.progress[-1]
    assert (last.accepted, last.done, last.open, last.in_flight) == (5, 5, 0, 0)
    assert (last.called, last.replayed, last.waiting) == (15, 0, "")
    # 15 calls of 3 and 2 tokens at 1 and 2 dollars a million.
    assert (last.spent.requests, last.spent.tokens) == (15, 75)
    assert last.spent.usd == Decimal("0.000105")


def test_a_teacher_that_has_to_be_opened_is_opened_once_and_closed(tmp_path: Path) -> None:
    events = []

    class Opened(Scripted):
        async def __aenter__(self) -> "Opened":
            events.append("open")
            return self

        async def __aexit__(self, *error: object) -> None:
            events.append("close")

    async def go() -> None:
        endpoint = Endpoint(teacher=Opened(), identity={}, prices=None)
        with Journal(tmp_path / "j") as journal:
            async with Engine(journal, {"teacher": endpoint, "judge": endpoint}) as engine:
                await engine.drive(jobs(2), round=0, step="write", on_result=lambda outcome: True)

    asyncio.run(go())
    assert events == ["open", "close"]


def test_an_endpoint_is_known_by_what_its_teacher_says_or_by_its_fields() -> None:
    endpoint = Endpoint.of(Rules(error_rate=0.5), concurrency=3)
    assert endpoint.identity["plugin"] == "asft.teachers.rules:Rules"
    assert (endpoint.identity["error_rate"], endpoint.concurrency, endpoint.prices) == (0.5, 3, FREE)
    assert Endpoint.of(Scripted()).prices is None


# The journal


def test_running_again_asks_nothing_and_gives_the_same(run: Run) -> None:
    run(Scripted(), jobs(10))
    first, teacher = run.results, Scripted()
    run(teacher, jobs(10))
    assert (teacher.asked, run.results) == ([], first)
    with Journal(run.path) as journal:
        assert journal.spent().requests == 30


def test_a_changed_request_asks_only_what_changed(run: Run) -> None:
    run(Scripted(), jobs(3))
    teacher = Scripted()

    def changed(number: int) -> Script[str]:
        return two_steps(number if number else 99)

    run(teacher, jobs(3, changed))
    assert sorted(teacher.asked) == ["q99.0", "q99.0.0", "q99.0.1"]


def test_a_script_sees_a_reply_only_when_it_is_on_the_disk(run: Run) -> None:
    def looks(number: int) -> Script[int]:
        yield [ask(f"q{number}")]
        with Journal(run.path) as other:
            return other.spent().requests

    run(Scripted(), jobs(5, looks))
    assert all(count >= number + 1 for number, count in enumerate(sorted(run.results)))


def test_the_ledger_adds_up_by_purpose(run: Run) -> None:
    run(Scripted(), jobs(4))
    with Journal(run.path) as journal:
        sums = {one.purpose: one for one in journal.sums("paid")}
    assert (sums["question"].requests, sums["answer"].requests) == (4, 8)
    assert sums["answer"].cost_usd == pytest.approx(8 * 7e-6)


def test_a_reply_that_another_run_paid_for_is_charged_and_not_paid(tmp_path: Path) -> None:
    async def go(name: str, teacher: Scripted) -> None:
        endpoint = Endpoint(teacher=teacher, identity={}, prices=PRICES)
        with Journal(tmp_path / "j", run=name) as journal:
            async with Engine(journal, {"teacher": endpoint}) as engine:
                await engine.drive(jobs(3), round=1, step="write", on_result=lambda outcome: True)

    asyncio.run(go("one", Scripted()))
    teacher = Scripted()
    asyncio.run(go("two", teacher))
    assert teacher.asked == []
    with Journal(tmp_path / "j", run="two") as journal:
        assert journal.spent().requests == 9
        assert journal.sums("paid") == []


def test_a_journal_that_cannot_be_written_stops_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise JournalError("disk full")

    monkeypatch.setattr(Journal, "store", full)
    with pytest.raises(JournalError, match="disk full"):
        run(Scripted(), jobs(10))
    assert run.outcomes == []


def test_a_run_that_is_cancelled_keeps_what_has_arrived(run: Run) -> None:
    class Interrupts(Scripted):
        async def reply(self, request: Request) -> Reply:
            reply = await super().reply(request)
            if len(self.asked) == 10:
                os.kill(os.getpid(), signal.SIGINT)
            return reply

    first = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        run(first, jobs(20))
    with Journal(run.path) as journal:
        kept = journal.spent().requests
    second = Scripted()
    run(second, jobs(20))
    assert len(second.asked) == 60 - kept
    # At most the four that were in flight are asked again.
    assert max(Counter(first.asked + second.asked).values()) <= 2
    assert len(first.asked) + len(second.asked) <= 60 + 4


# Retries and refusals


@pytest.mark.parametrize("error", [RetryableError("503"), RetryableError("429", retry_after=0.001)])
def test_a_call_that_may_succeed_is_made_again(run: Run, error: RetryableError) -> None:
    teacher = Scripted(faults={"q1.0": [error] * 5, "q2.0.1": [error]})
    assert run(teacher, jobs(4)) == "all done"
    assert run.results == [f"q{n}.0.0 q{n}.0.1" for n in range(4)]
    assert teacher.asked.count("q1.0") == 6
    with Journal(run.path) as journal:
        assert journal.spent().requests == 12


def test_a_request_whose_tries_are_used_up_stops_the_run_which_can_be_continued(run: Run) -> None:
    teacher = Scripted(faults={"q1.0": [RetryableError("503 from the test")] * 3})
    with pytest.raises(GaveUpError, match=r"3 tries.*503 from the test.*same command again"):
        run(teacher, jobs(4), tries=3)
    assert run(teacher, jobs(4)) == "all done"
    assert run.results == [f"q{n}.0.0 q{n}.0.1" for n in range(4)]


def test_an_endpoint_that_asks_for_a_longer_wait_than_allowed_stops_the_run(run: Run) -> None:
    teacher = Scripted(faults={"q0.0": [RetryableError("429", retry_after=3600)]})
    with pytest.raises(GaveUpError, match="3600 s, more than 600 s"):
        run(teacher, jobs(1))


def test_a_wait_is_at_least_as_long_as_asked(run: Run) -> None:
    teacher = Scripted(faults={"q0.0": [RetryableError("429", retry_after=0.05)]})
    started = time.monotonic()
    run(teacher, jobs(1))
    assert time.monotonic() - started >= 0.05


def test_a_call_without_a_reply_is_charged_its_ceiling_and_made_again(run: Run) -> None:
    class Hangs(Scripted):
        async def reply(self, request: Request) -> Reply:
            reply = await super().reply(request)
            if self.asked.count(reply.text) == 1 and reply.text == "q1.0":
                await asyncio.sleep(60)
            return reply

    assert run(Hangs(), jobs(2), timeout=0.05) == "all done"
    assert run.results == ["q0.0.0 q0.0.1", "q1.0.0 q1.0.1"]
    most = ceiling_of(ask("q1"))
    with Journal(run.path) as journal:
        assert journal.timed_out().tokens == most.input_tokens + most.output_tokens
        assert [one.timeouts for one in journal.sums() if one.purpose == "question"] == [1]
        assert journal.spent().requests == 6


def test_timeouts_stop_the_run_when_their_part_of_the_budget_is_gone(run: Run) -> None:
    timeout = RetryableError("no reply", charged=True)
    teacher = Scripted(faults={"q0.0": [timeout] * 3})
    # Two hundredths of a hundred are two.
    with pytest.raises(BudgetError, match="timeout longer or the budget larger"):
        run(teacher, jobs(2), budget=Budget(requests=100))
    assert teacher.asked.count("q0.0") == 3


def test_an_error_that_every_call_has_stops_the_run_at_once(run: Run) -> None:
    teacher = Scripted(faults={"q0.0": [FatalError("401: wrong key")]}, turns=lambda text: 1)
    with pytest.raises(FatalError, match="401: wrong key"):
        run(teacher, jobs(1000))
    assert len(teacher.asked) < 20


def test_calls_in_flight_are_kept_when_the_run_stops(run: Run) -> None:
    gate: list[asyncio.Event] = []

    class Stops(Scripted):
        async def reply(self, request: Request) -> Reply:
            if not self.asked:
                gate.append(asyncio.Event())
            self.asked.append(said(request))
            if said(request) == "q3.0":
                asyncio.get_running_loop().call_later(0.05, gate[0].set)
                raise FatalError("403")
            await gate[0].wait()
            return Reply(text=said(request), finish="stop", input_tokens=3, output_tokens=2)

    first = Stops()
    with pytest.raises(FatalError, match="403"):
        run(first, jobs(10))
    assert first.asked == ["q0.0", "q1.0", "q2.0", "q3.0"]
    second = Scripted()
    run(second, jobs(10))
    assert not {"q0.0", "q1.0", "q2.0"} & set(second.asked)


def test_an_engine_can_be_driven_again_after_a_drive_that_stopped(tmp_path: Path) -> None:
    teacher = Scripted(faults={"q0.0": [FatalError("401")]})
    numbers = []

    def on_result(outcome: Outcome[str]) -> bool:
        numbers.append(outcome.number)
        return True

    async def go() -> Ending:
        endpoint = Endpoint(teacher=teacher, identity={}, prices=None)
        with Journal(tmp_path / "j") as journal:
            async with Engine(journal, {"teacher": endpoint}) as engine:
                with pytest.raises(FatalError):
                    await engine.drive(jobs(5), round=1, step="write", on_result=on_result)
                return await engine.drive(jobs(5), round=1, step="write", on_result=on_result)

    assert asyncio.run(go()) == "all done"
    assert numbers == [0, 1, 2, 3, 4]


def test_a_refused_request_ends_its_script_alone_and_is_not_asked_again(run: Run) -> None:
    teacher = Scripted(faults={"q1.0": [RequestError("400: too long")]})
    run(teacher, jobs(3))
    assert run.outcomes[1] == Outcome(number=1, result=None, reason="400: too long")
    assert run.results[::2] == ["q0.0.0 q0.0.1", "q2.0.0 q2.0.1"]
    again = Scripted()
    run(again, jobs(3))
    assert (again.asked, run.outcomes[1].reason) == ([], "400: too long")


def test_a_script_may_catch_a_refusal_and_ask_otherwise(run: Run) -> None:
    def tries_again(number: int) -> Script[str]:
        try:
            yield [ask(f"a{number}"), ask(f"b{number}")]
        except RequestError as refusal:
            [reply] = yield [ask(f"c{number}")]
            return f"{refusal} {reply.text}"
        return "both"

    run(Scripted(faults={"a1.0": [RequestError("no")]}), jobs(2, tries_again))
    assert run.results == ["both", "no c1.0"]


def test_when_the_first_20_requests_are_all_refused_the_run_stops_and_asks_them_again(run: Run) -> None:
    refused = {f"q{n}.0": [RequestError("400: no such field")] for n in range(100)}
    with pytest.raises(FatalError, match=r"first 20 requests, all of them: 400: no such field"):
        run(Scripted(faults=refused), jobs(100))
    teacher = Scripted()
    assert run(teacher, jobs(100)) == "all done"
    assert len(teacher.asked) == 300
    assert None not in run.results


def test_20_refusals_among_answers_stop_nothing(run: Run) -> None:
    refused = {f"q{n}.0": [RequestError("400")] for n in range(1, 50)}
    assert run(Scripted(faults=refused), jobs(50), concurrency=1) == "all done"
    assert sum(result is None for result in run.results) == 49


# Budgets


def test_a_script_that_asks_for_more_than_its_ceiling_gets_an_error_and_no_call(run: Run) -> None:
    def greedy(number: int) -> Script[None]:
        yield [ask(f"q{number}", index=i) for i in range(4)]

    teacher = Scripted()
    run(teacher, jobs(2, greedy))
    assert run.results == [None, None]
    assert "a request may need" in run.outcomes[0].reason
    assert len(teacher.asked) == 6


def test_a_script_can_tell_that_from_a_refusal(run: Run) -> None:
    def long(number: int) -> Script[str]:
        try:
            yield [ask("x" * 1000)]
        except CeilingError:
            return "too long"
        return ""

    run(Scripted(), jobs(1, long))
    assert run.results == ["too long"]


def test_an_endpoint_that_reports_more_than_max_tokens_is_counted_in_full_and_stops_the_run(run: Run) -> None:
    with pytest.raises(BudgetError, match="11 output tokens for a request that can have 10"):
        run(Scripted(output_tokens=11), jobs(1))
    with Journal(run.path) as journal:
        assert journal.spent().tokens == 14


def test_a_budget_of_dollars_needs_a_price(run: Run) -> None:
    with pytest.raises(BudgetError, match="no prices"):
        run(Scripted(), jobs(1), budget=Budget(usd=Decimal(1)), prices=None)


def test_a_drive_stops_where_the_next_script_could_exceed_the_budget(run: Run) -> None:
    teacher = Scripted()
    # Each uses 3 requests; 31 is enough for ten, and one is left.
    assert run(teacher, jobs(100), budget=Budget(requests=31, timeout_share=0)) == "budget"
    assert len(run.outcomes) == 10
    assert len(teacher.asked) == 30


def test_what_earlier_steps_spent_is_gone_and_what_this_step_spent_before_a_kill_is_not(run: Run) -> None:
    budget = Budget(requests=31, timeout_share=0)
    assert run(Scripted(), jobs(5), round=1, budget=budget) == "all done"
    # 16 are left: five more scripts.
    other = [replace(job, number=job.number + 5) for job in jobs(5)]
    todo = [*other, *jobs(200, lambda number: two_steps(number + 1000))]
    assert run(Scripted(), todo[5:], round=2, budget=budget) == "budget"
    assert len(run.outcomes) == 5
    first = run.results
    assert run(Scripted(), todo[5:], round=2, budget=budget) == "budget"
    assert run.results == first


def test_a_step_done_over_with_other_requests_makes_no_call_beyond_the_budget(run: Run) -> None:
    budget = Budget(requests=31, timeout_share=0)
    run(Scripted(), jobs(100), budget=budget)
    teacher = Scripted()
    with pytest.raises(BudgetError, match="31 requests"):
        run(teacher, jobs(100, lambda number: two_steps(number + 1000)), budget=budget)
    assert len(teacher.asked) <= 1


# Order makes it deterministic


@dataclass(frozen=True)
class Case:
    count: int
    wanted: int | None
    requests: int | None
    tokens: int | None
    concurrency: int
    seed: int


cases = st.builds(
    Case,
    count=st.integers(0, 25),
    wanted=st.none() | st.integers(0, 12),
    requests=st.none() | st.integers(0, 60),
    tokens=st.none() | st.integers(0, 4000),
    concurrency=st.integers(1, 9),
    seed=st.integers(0, 999),
)


def uneven(number: int) -> Script[str | None]:
    """One to three calls, by what the replies say."""
    [first] = yield [ask(f"q{number}")]
    digest = hash_of(first.text)
    if digest % 3 == 0:
        return None
    more = yield [ask(f"{first.text} again", index=i) for i in range(digest % 3)]
    return " ".join(reply.text for reply in more)


def hash_of(text: str) -> int:
    return sum(text.encode()) * 7919 % 101


def drive(path: Path, case: Case, seed: int, concurrency: int) -> tuple[Ending, list[Any], list[str], int]:
    rng = random.Random(seed)
    faults = {
        text: [RetryableError("5xx")] * rng.randrange(3)
        for n in range(case.count)
        for text in (f"q{n}.0", f"q{n}.0 again.0", f"q{n}.0 again.1")
        if rng.random() < 0.2
    }
    teacher = Scripted(turns=lambda text: rng.choice((0, 1, 2, 5, 30)), faults=faults)
    run = Run(path)
    budget = Budget(requests=case.requests, tokens=case.tokens)
    todo = jobs(case.count, uneven)
    ending = run(teacher, todo, wanted=case.wanted, budget=budget, concurrency=concurrency)
    with Journal(path) as journal:
        spent = journal.spent()
    assert case.requests is None or spent.requests <= case.requests
    assert case.tokens is None or spent.tokens <= case.tokens
    assert case.wanted is None or sum(result is not None for result in run.results) <= case.wanted
    outcomes = [(outcome.number, outcome.result, outcome.reason) for outcome in run.outcomes]
    return ending, outcomes, sorted(set(teacher.asked)), spent.requests


@given(cases, st.integers(0, 999))
@settings(max_examples=40)
def test_what_is_made_does_not_depend_on_timing_or_concurrency(
    tmp_path_factory: pytest.TempPathFactory, case: Case, other: int
) -> None:
    folder = tmp_path_factory.mktemp("timing")
    one = drive(folder / "one.sqlite", case, case.seed, case.concurrency)
    two = drive(folder / "two.sqlite", case, other, 1)
    assert one == two
    # Again on the same journal: the same, from the journal alone.
    ending, outcomes, asked, spent = drive(folder / "one.sqlite", case, other, 3)
    assert (ending, outcomes, asked, spent) == (one[0], one[1], [], one[3])


@given(cases, st.integers(1, 40))
@settings(max_examples=25)
def test_a_run_that_breaks_off_and_goes_on_makes_what_an_unbroken_one_makes(
    tmp_path_factory: pytest.TempPathFactory, case: Case, calls: int
) -> None:
    class Breaks(Scripted):
        async def reply(self, request: Request) -> Reply:
            if len(self.asked) >= calls:
                raise FatalError("the power is gone")
            return await super().reply(request)

    folder = tmp_path_factory.mktemp("broken")
    whole = drive(folder / "whole.sqlite", case, case.seed, case.concurrency)
    run = Run(folder / "broken.sqlite")
    budget = Budget(requests=case.requests, tokens=case.tokens)
    rng = random.Random(case.seed)
    teacher = Breaks(turns=lambda text: rng.choice((0, 1, 2, 5)))
    todo = jobs(case.count, uneven)
    with contextlib.suppress(FatalError):
        run(teacher, todo, wanted=case.wanted, budget=budget, concurrency=case.concurrency)
    ending, outcomes, _, spent = drive(folder / "broken.sqlite", case, case.seed + 1, 2)
    assert (ending, outcomes, spent) == (whole[0], whole[1], whole[3])


# Killed


KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_engine import Run, Scripted, jobs

class Logs(Scripted):
    async def reply(self, request):
        with open(sys.argv[3], "a") as log:
            log.write(f"{request.messages[-1].content}.{request.index}\\n")
        await asyncio.sleep(0.002)
        return await super().reply(request)

run = Run(Path(sys.argv[2]))
run(Logs(), jobs(60))
import json
print(json.dumps(run.results))
"""


def test_after_a_kill_nothing_is_paid_twice_but_what_was_in_flight(tmp_path: Path) -> None:
    journal, log = tmp_path / "journal.sqlite", tmp_path / "asked"
    log.touch()
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(journal), str(log)]
    for killed_at in (25, 60, 110):
        process = subprocess.Popen(command)
        try:
            while len(log.read_text().splitlines()) < killed_at:
                assert process.poll() is None
                time.sleep(0.005)
        finally:
            process.kill()
            process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [f"q{n}.0.0 q{n}.0.1" for n in range(60)]
    asked = Counter(log.read_text().splitlines())
    assert len(asked) == 180
    # Three kills; at each, twelve scripts at most are open, with two requests each that are not yet written.
    assert asked.total() - 180 <= 3 * 12 * 2
    with Journal(journal) as opened:
        assert opened.spent().requests == 180
