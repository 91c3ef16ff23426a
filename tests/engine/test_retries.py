"""What may succeed is tried again, what cannot stops its script or the run, and nothing is lost."""

import asyncio
import time
from pathlib import Path

import pytest

from asft.budget import Budget, ceiling_of
from asft.engine import Ending, Endpoint, Engine, Outcome
from asft.errors import (
    BudgetError,
    FatalError,
    GaveUpError,
    RequestError,
    RetryableError,
)
from asft.journal import Journal
from asft.types import Reply, Request, Script
from tests.engine.driving import Run, Scripted, ask, jobs, said


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
