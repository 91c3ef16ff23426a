"""A budget is never exceeded, whatever the order of events, and money is counted exactly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from asft.budget import FREE, Account, Amount, Budget, Prices, ceiling_of, input_ceiling
from asft.errors import BudgetError
from asft.types import Ceiling, Message, Request, Sampling

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


@st.composite
def histories(draw: st.DrawFn) -> tuple[Budget, Prices, list[tuple[int, int, int, float]]]:
    limits = st.none() | st.integers(0, 4000)
    usd = draw(st.none() | st.decimals(0, 1, places=4))
    budget = Budget(requests=draw(limits), tokens=draw(limits), usd=usd)
    price = st.decimals(0, 1000, places=2)
    prices = Prices(input=draw(price), output=draw(price), reasoning=draw(st.none() | price))
    event = st.tuples(st.integers(0, 3), st.integers(0, 300), st.integers(0, 300), st.floats(0, 1))
    return budget, prices, draw(st.lists(event, max_size=60))


@given(histories())
def test_no_history_of_scripts_calls_and_timeouts_exceeds_a_budget(
    history: tuple[Budget, Prices, list[tuple[int, int, int, float]]],
) -> None:
    budget, prices, events = history
    account = Account(budget, [prices])
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
