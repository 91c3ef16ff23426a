"""No script and no step takes a run over its budget."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from asft.budget import Budget
from asft.engine import Ending, Endpoint, Engine, Outcome
from asft.errors import (
    BudgetError,
    CeilingError,
)
from asft.journal import Journal
from asft.types import Script
from tests.engine.driving import PRICES, Run, Scripted, ask, jobs, two_steps


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


def test_a_step_that_drives_twice_keeps_to_its_budget_over_both(run: Run) -> None:
    # Each script takes 3 requests: the four of the first drive leave 4 of 16, which pays for one more.
    budget = Budget(requests=16, timeout_share=0)
    teacher = Scripted()

    async def twice(journal: Journal) -> tuple[list[Ending], list[int]]:
        endpoint = Endpoint(teacher=teacher, identity={"name": "test"}, prices=PRICES, concurrency=4)
        endings, charged, numbers = list[Ending](), None, list[int]()

        def taken(outcome: Outcome[Any]) -> bool:
            numbers.append(outcome.number)
            return True

        for first, wanted in ((0, 4), (4, None)):
            # An engine and a loop of its own for each, as a teacher that takes turns needs them.
            engine = Engine(journal, {"teacher": endpoint}, budget=budget)
            async with engine:
                charged = charged or engine.begin(1, "write")
                ending = await engine.drive(
                    [job for job in jobs(20) if job.number >= first],
                    round=1,
                    step="write",
                    on_result=taken,
                    wanted=wanted,
                    charged=charged,
                )
            endings.append(ending)
        return endings, numbers

    for _ in range(2):
        with Journal(run.path) as journal:
            assert asyncio.run(twice(journal)) == (["enough", "budget"], [0, 1, 2, 3, 4])
            assert journal.spent().requests == 15
    # The second time all of it came from the journal.
    assert len(teacher.asked) == 15


def test_a_reply_that_an_earlier_drive_of_the_step_has_used_is_not_charged_again(run: Run) -> None:
    budget = Budget(requests=6, timeout_share=0)

    async def same_again(journal: Journal) -> list[Ending]:
        endpoint = Endpoint(teacher=Scripted(), identity={"name": "test"}, prices=PRICES, concurrency=1)
        async with Engine(journal, {"teacher": endpoint}, budget=budget) as engine:
            charged = engine.begin(1, "write")
            return [
                await engine.drive(jobs(1), round=1, step="write", on_result=lambda _: True, charged=charged)
                for _ in range(5)
            ]

    with Journal(run.path) as journal:
        assert asyncio.run(same_again(journal)) == ["all done"] * 5
        assert journal.spent().requests == 3
