"""Scripts are driven at once and told in order; none holds up another."""

import asyncio
import gc
import random
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from asft.budget import FREE
from asft.engine import Endpoint, Engine, Outcome
from asft.errors import (
    FatalError,
)
from asft.journal import Journal
from asft.recipe import EngineOptions
from asft.teachers.rules import Rules
from asft.types import Reply, Request, Script
from tests.engine.driving import Run, Scripted, ask, jobs, said


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
    monkeypatch.setattr("asft.engine.drive.WINDOW_PER_PLACE", 10)
    waited_for = []

    class Slow(Scripted):
        async def reply(self, request: Request) -> Reply:
            if said(request) == "q0.0":
                while "q49.0.1" not in self.asked:
                    await asyncio.sleep(0)
                await asyncio.sleep(0.05)
                waited_for.append("q50.0" in self.asked)
            return await super().reply(request)

    run(Slow(), jobs(100), concurrency=5)
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


def test_all_that_a_recipe_says_of_the_engine_reaches_it_and_its_defaults_are_the_same() -> None:
    said = EngineOptions()
    endpoint = Endpoint.of(Scripted(), **vars(said))
    assert vars(said).items() <= vars(endpoint).items()
    assert endpoint == Endpoint(teacher=endpoint.teacher, identity=endpoint.identity, prices=None)


def test_a_drive_keeps_less_than_half_a_kilobyte_of_a_script_that_is_done(run: Run) -> None:
    def one(number: int) -> Script[None]:
        yield [ask(f"q{number}")]

    sizes: list[int] = []

    def looks(outcome: Outcome[None]) -> bool:
        if outcome.number in (300, 1300):
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        return False

    tracemalloc.start()
    try:
        run(Scripted(), jobs(1301, one), accept=looks, keep=False)
    finally:
        tracemalloc.stop()
    assert (sizes[1] - sizes[0]) / 1000 < 512
