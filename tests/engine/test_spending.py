"""No script and no step takes a run over its budget."""

from dataclasses import replace
from decimal import Decimal

import pytest

from asft.budget import Budget
from asft.errors import (
    BudgetError,
    CeilingError,
)
from asft.journal import Journal
from asft.types import Script
from tests.engine.driving import Run, Scripted, ask, jobs, two_steps


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
