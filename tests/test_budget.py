"""A budget is never exceeded, whatever the order of events, and money is counted exactly."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from asft.budget import FREE, Account, Amount, Budget, Prices, ceiling_of, input_ceiling
from asft.engine import Ending, Endpoint, Engine
from asft.errors import BudgetError
from asft.journal import Journal, Line
from asft.registry import fill
from asft.types import Ceiling, Message, Reply, Request, Sampling
from tests.engine.driving import Scripted, jobs

CHEAP = Prices(input=Decimal("0.15"), output=Decimal("0.60"))


def ceiling(requests: int = 1, input_tokens: int = 0, output_tokens: int = 0) -> Ceiling:
    return Ceiling(requests=requests, input_tokens=input_tokens, output_tokens=output_tokens)


# Prices


def test_a_call_costs_its_tokens_at_their_prices() -> None:
    # (1000 x 0.15 + 500 x 0.60) / 1e6 = (150 + 300) / 1e6
    assert CHEAP.cost(input_tokens=1000, output_tokens=500) == Decimal("0.00045")


def test_cached_and_reasoning_tokens_have_prices_of_their_own() -> None:
    prices = Prices(input=Decimal(2), output=Decimal(8), cached_input=Decimal(1), reasoning=Decimal(10))
    # 600 x 2 + 400 x 1 + 70 x 8 + 30 x 10 = 1200 + 400 + 560 + 300
    cost = prices.cost(input_tokens=1000, cached_tokens=400, output_tokens=100, reasoning_tokens=30)
    assert cost == Decimal("0.00246")


def test_without_prices_of_their_own_they_cost_what_the_others_cost() -> None:
    plain = CHEAP.cost(input_tokens=10, output_tokens=10)
    assert CHEAP.cost(input_tokens=10, output_tokens=10, cached_tokens=5, reasoning_tokens=5) == plain


@given(
    st.tuples(*[st.decimals(0, 100, places=4)] * 4),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_no_call_costs_more_than_its_ceiling(
    prices: tuple[Decimal, ...], read: int, written: int, cached: float, reasoning: float
) -> None:
    made = Prices(input=prices[0], output=prices[1], cached_input=prices[2], reasoning=prices[3])
    cost = made.cost(
        input_tokens=read,
        output_tokens=written,
        cached_tokens=int(read * cached),
        reasoning_tokens=int(written * reasoning),
    )
    assert cost <= made.most(ceiling(1, read, written))


def test_a_price_below_zero_is_refused() -> None:
    with pytest.raises(ValidationError):
        Prices(input=Decimal(-1), output=Decimal(0))


# Ceilings


def test_input_is_set_aside_at_its_bytes_and_64_tokens_a_message() -> None:
    messages = (Message(role="system", content="é"), Message(role="user", content="abc"))
    request = Request(messages=messages, sampling=Sampling(max_tokens=7))
    # "é" has two bytes and "abc" three: 5 + 2 x 64.
    assert ceiling_of(request) == ceiling(1, 133, 7)
    assert input_ceiling(5, 2) == 133


# Accounts


def test_without_a_budget_everything_is_affordable_at_any_price() -> None:
    account = Account(Budget(), [None, CHEAP])
    assert account.affordable(ceiling(10**9, 10**12, 10**12))


def test_a_budget_of_dollars_without_a_price_is_refused() -> None:
    with pytest.raises(BudgetError, match=r"budget of 5 usd .* no prices; give"):
        Account(Budget(usd=Decimal(5)), [CHEAP, None])


def test_a_budget_of_dollars_after_calls_without_a_price_is_refused() -> None:
    with pytest.raises(BudgetError, match="earlier calls have no known price"):
        Account(Budget(usd=Decimal(5)), [CHEAP], recorded=Amount(requests=1, usd=None))


def test_a_free_endpoint_fits_any_budget_of_dollars() -> None:
    assert Account(Budget(usd=Decimal(0)), [FREE]).affordable(ceiling(5, 100, 100))


def test_what_is_set_aside_is_not_affordable_again_until_it_comes_back() -> None:
    account = Account(Budget(requests=10, timeout_share=0), [None])
    first = account.reserve(ceiling(6))
    assert not account.affordable(ceiling(5))
    account.ask(first, ceiling(1))
    account.answered(ceiling(1), Amount(requests=1))
    assert not account.affordable(ceiling(5))
    account.close(first)
    # One of ten is used.
    assert account.affordable(ceiling(9))
    assert not account.affordable(ceiling(10))


def test_setting_aside_what_is_not_affordable_is_refused() -> None:
    with pytest.raises(BudgetError):
        Account(Budget(tokens=10, timeout_share=0), [None]).reserve(ceiling(1, 6, 5))


def test_a_script_gets_no_more_than_its_ceiling() -> None:
    account = Account(Budget(), [None])
    script = account.reserve(ceiling(2, 100, 20))
    assert account.ask(script, ceiling(1, 60, 10))
    assert not account.ask(script, ceiling(1, 60, 10))
    assert account.ask(script, ceiling(1, 40, 10))
    assert not account.ask(script, ceiling(1))


def test_two_hundredths_are_kept_for_timeouts() -> None:
    account = Account(Budget(requests=100), [None])
    assert account.affordable(ceiling(98))
    assert not account.affordable(ceiling(99))
    assert account.time_out(ceiling())
    assert account.time_out(ceiling())
    assert account.affordable(ceiling(98))
    assert not account.time_out(ceiling())
    # The third came out of what is for scripts.
    assert account.affordable(ceiling(97))
    assert not account.affordable(ceiling(98))
    assert account.spent.requests == 3


def test_what_a_step_no_longer_uses_still_counts_against_its_calls() -> None:
    account = Account(Budget(requests=100), [None], recorded=Amount(requests=99))
    account.reserve(ceiling(5))
    account.send(ceiling())
    with pytest.raises(BudgetError, match="budget of 100 requests"):
        account.send(ceiling())
    account.sent(ceiling(), Amount())
    account.send(ceiling())


# FLOPs


def test_a_budget_of_flops_is_read_as_yaml_gives_it() -> None:
    # PyYAML takes 1e18 for a text.
    made, wrong = fill(Budget, {"flops": "1e18"})
    assert (made.flops, wrong) == (1e18, [])
    for value in ("-1", "inf", "nan"):
        assert fill(Budget, {"flops": value})[0] is None


def test_a_ceiling_is_two_flops_for_each_parameter_of_the_largest_and_each_token() -> None:
    account = Account(Budget(flops=5e12), [None], active_params=[1e9, 7e9])
    # 100 read and 50 written, by 7e9 parameters: 2.1e12; two fit in 4.9e12, which is 5e12 less 2%.
    assert account.amount(ceiling(1, 100, 50)).flops == 2 * 7_000_000_000 * 150
    assert account.affordable(ceiling(2, 200, 100))
    assert not account.affordable(ceiling(2, 200, 151))


def test_what_the_student_takes_is_not_there_for_calls() -> None:
    budget = Budget(flops=1000, timeout_share=0)
    account = Account(budget, [None], active_params=[1.0], elsewhere=600)
    assert account.affordable(ceiling(1, 150, 50))
    assert not account.affordable(ceiling(1, 150, 51))
    # It is set aside, and not charged to calls.
    assert account.spent.flops == 0
    account.reserve(ceiling(1, 150, 50))
    account.send(ceiling(1, 150, 50))
    with pytest.raises(BudgetError, match="budget of 1000 flops"):
        account.send(ceiling(1, 1, 0))


def test_a_budget_of_flops_without_the_size_of_an_endpoint_is_refused() -> None:
    for sizes in ([None], [7e9, None], []):
        with pytest.raises(BudgetError, match=r"budget of 1e\+18 flops .* no active_params; give every"):
            Account(Budget(flops=1e18), [FREE], active_params=sizes)


def test_a_size_that_is_unknown_matters_to_no_other_budget() -> None:
    account = Account(Budget(tokens=100), [None], active_params=[None, 7e9])
    assert account.affordable(ceiling(1, 49, 49))
    assert account.amount(ceiling(1, 1, 1)).flops is None


def test_teachers_that_compute_nothing_fit_any_budget_of_flops() -> None:
    assert Account(Budget(flops=0), [FREE], active_params=[0.0]).affordable(ceiling(5, 100, 100))


def test_flops_that_are_unknown_make_their_sum_unknown() -> None:
    assert (Amount(flops=3) + Amount(flops=None)).flops is None
    assert (Amount(flops=None) - Amount(flops=3)).flops is None
    # Past 2^53 a fraction would be rounded.
    assert (Amount(flops=2**60) + Amount(flops=1)).flops == 2**60 + 1


class Sized(Scripted):
    """A teacher of which two of three tokens read are cached."""

    active_params = 5e8

    async def reply(self, request: Request) -> Reply:
        return replace(await super().reply(request), cached_tokens=2)


# Three read, of which two are cached, and two written, by 5e8 parameters.
A_CALL = 2 * 500_000_000 * 3
A_SCRIPT = 3 * A_CALL
# 600 read and 30 written.
MOST_OF_A_SCRIPT = 2 * 500_000_000 * 630


def driven(path: Path, flops: float, *, count: int = 50, round: int = 1, elsewhere: int = 0) -> Ending:
    async def go() -> Ending:
        endpoint = Endpoint.of(Sized(), concurrency=4)
        budget = Budget(flops=flops, timeout_share=0)
        with Journal(path) as journal:
            async with Engine(journal, {"teacher": endpoint}, budget=budget, elsewhere=elsewhere) as engine:
                return await engine.drive(
                    jobs(count),
                    round=round,
                    step="write",
                    on_result=lambda outcome: True,
                )

    return asyncio.run(go())


def rows(path: Path) -> dict[tuple[int, str], float | None]:
    with Journal(path) as journal:
        found: dict[tuple[int, str], float] = {}
        for one in journal.sums():
            key = (one.round, one.role)
            found[key] = found.get(key, 0.0) + (one.flops or 0.0)
        return dict(found)


def test_calls_are_in_the_ledger_with_what_they_computed(tmp_path: Path) -> None:
    assert driven(tmp_path / "j", 1e18, count=4) == "all done"
    assert rows(tmp_path / "j") == {(1, "teacher"): 4 * A_SCRIPT}


def test_a_drive_ends_where_the_next_script_could_exceed_a_budget_of_flops(tmp_path: Path) -> None:
    assert driven(tmp_path / "j", 9 * A_SCRIPT + MOST_OF_A_SCRIPT) == "budget"
    assert rows(tmp_path / "j") == {(1, "teacher"): 10 * A_SCRIPT}
    # Again, by the same account.
    assert driven(tmp_path / "j", 9 * A_SCRIPT + MOST_OF_A_SCRIPT) == "budget"
    assert rows(tmp_path / "j") == {(1, "teacher"): 10 * A_SCRIPT}


def test_what_is_set_aside_for_the_student_leaves_less_for_calls(tmp_path: Path) -> None:
    driven(tmp_path / "j", 9 * A_SCRIPT + MOST_OF_A_SCRIPT, elsewhere=4 * A_SCRIPT)
    assert rows(tmp_path / "j") == {(1, "teacher"): 6 * A_SCRIPT}


def test_what_the_student_computed_in_other_steps_is_gone_too(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        for step, flops in (("measure", 4.0 * A_SCRIPT), ("write", 1e30)):
            journal.store(
                [
                    Line(
                        round=1,
                        step=step,
                        role="student",
                        purpose="",
                        kind="compute",
                        requests=0,
                        flops=flops,
                    )
                ]
            )
    driven(tmp_path / "j", 9 * A_SCRIPT + MOST_OF_A_SCRIPT)
    assert rows(tmp_path / "j")[1, "teacher"] == 6 * A_SCRIPT


def test_what_the_student_computed_must_be_known(tmp_path: Path) -> None:
    unknown = Line(round=1, step="measure", role="student", purpose="reward", kind="compute", requests=0)
    with Journal(tmp_path / "j") as journal:
        journal.store([unknown])
    with pytest.raises(BudgetError, match="not known what reward took in round 1"):
        driven(tmp_path / "j", 1e18)


def test_a_run_that_goes_on_knows_what_its_calls_computed_before(tmp_path: Path) -> None:
    driven(tmp_path / "j", 1e18, count=4)
    # Four scripts of the first round, and those of the second are the same requests, and free.
    driven(tmp_path / "j", 9 * A_SCRIPT + MOST_OF_A_SCRIPT, round=2)
    assert rows(tmp_path / "j") == {(1, "teacher"): 4 * A_SCRIPT, (2, "teacher"): 6 * A_SCRIPT}


def test_calls_that_timed_out_are_counted_at_their_ceiling(tmp_path: Path) -> None:
    call = Line(round=1, step="write", role="teacher", purpose="", kind="timeout", key=b"k")
    with Journal(tmp_path / "j") as journal:
        journal.store([replace(call, input_tokens=600, output_tokens=30)])
    driven(tmp_path / "j", 9 * A_SCRIPT + 2 * MOST_OF_A_SCRIPT)
    assert rows(tmp_path / "j") == {(1, "teacher"): 10 * A_SCRIPT}


@st.composite
def histories(draw: st.DrawFn) -> tuple[Budget, Prices, list[tuple[int, int, int, float]]]:
    limits = st.none() | st.integers(0, 4000)
    usd = draw(st.none() | st.decimals(0, 1, places=4))
    budget = Budget(requests=draw(limits), tokens=draw(limits), usd=usd, flops=draw(limits))
    price = st.decimals(0, 1000, places=2)
    prices = Prices(input=draw(price), output=draw(price), reasoning=draw(st.none() | price))
    event = st.tuples(st.integers(0, 3), st.integers(0, 300), st.integers(0, 300), st.floats(0, 1))
    return budget, prices, draw(st.lists(event, max_size=60))


@given(histories())
def test_no_history_of_scripts_calls_and_timeouts_exceeds_a_budget(
    history: tuple[Budget, Prices, list[tuple[int, int, int, float]]],
) -> None:
    budget, prices, events = history
    account = Account(budget, [prices], active_params=[3.0], elsewhere=50)
    ledger = Amount()
    scripts = []
    for kind, read, written, share in events:
        one = ceiling(1, read, written)
        if kind == 0 and account.affordable(ceiling(3, 2 * read, 2 * written)):
            scripts.append(account.reserve(ceiling(3, 2 * read, 2 * written)))
        elif kind == 1 and scripts:
            account.close(scripts.pop(int(share * (len(scripts) - 1))))
        elif kind >= 2 and scripts and account.ask(scripts[-1], one):
            try:
                account.send(one)
            except BudgetError:
                return
            if kind == 3:
                cost = account.amount(one)
                within = account.time_out(one)
                account.sent(one, cost)
            else:
                used = ceiling(1, int(read * share), int(written * share))
                cost = account.amount(used)
                account.sent(one, cost)
                within = True
            account.answered(one, Amount() if kind == 3 else cost)
            ledger += cost
            if not within:
                break
    assert account.spent == ledger
    assert budget.requests is None or ledger.requests <= budget.requests
    assert budget.tokens is None or ledger.tokens <= budget.tokens
    assert budget.usd is None or (ledger.usd is not None and ledger.usd <= budget.usd)
    assert ledger.flops == 6 * ledger.tokens
    # What is set aside for the student beyond a budget is for no call to mend.
    assert budget.flops is None or ledger.flops in (0, min(ledger.flops, budget.flops - 50))
