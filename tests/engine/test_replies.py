"""A reply is on the disk before its script sees it, and is asked for once."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from asft.engine import Endpoint, Engine
from asft.errors import (
    JournalError,
)
from asft.journal import Journal
from asft.types import Reply, Request, Script
from tests.engine.driving import PRICES, Run, Scripted, ask, jobs, two_steps


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
