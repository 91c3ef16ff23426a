"""Whatever the latencies, faults, prices and budgets: nothing overspent or paid twice, and the same made."""

import asyncio
import math
import random
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asft.budget import Amount, Budget, Prices, ceiling_of
from asft.engine import Ending
from asft.errors import BudgetError, GaveUpError, RequestError, RetryableError
from asft.journal import Journal
from asft.types import Reply, Request
from tests.engine.driving import Run, jobs, said
from tests.engine.simulated import lognormal, simulate
from tests.engine.test_order import hash_of, uneven


@dataclass
class Weather:
    """A teacher whose replies depend on the request alone, and all else on the weather."""

    seed: int
    faults: float

    def __post_init__(self) -> None:
        self.answered: Counter[str] = Counter()
        self.charged = self.silent = 0
        self._attempts: Counter[str] = Counter()

    async def reply(self, request: Request) -> Reply:
        text = said(request)
        self._attempts[text] += 1
        rng = random.Random(f"{self.seed} {text} {self._attempts[text]}")
        await asyncio.sleep(lognormal()(rng))
        if rng.random() < self.faults:
            await self._fault(rng)
        if hash_of(text) % 17 == 0:
            raise RequestError("400: not this one")
        self.answered[text] += 1
        most = ceiling_of(request)
        return Reply(
            text=text,
            finish="stop",
            input_tokens=hash_of(text) % (most.input_tokens + 1),
            output_tokens=hash_of(text + "out") % (most.output_tokens + 1),
        )

    async def _fault(self, rng: random.Random) -> None:
        kind = rng.randrange(5)
        if kind == 0:
            raise RetryableError("429", retry_after=rng.choice((None, 1.0, 30.0)), rate_limited=True)
        if kind == 1:
            self.charged += 1
            raise RetryableError("no JSON", charged=True)
        if kind == 2:
            self.silent += 1
            await asyncio.sleep(math.inf)
        raise RetryableError("503", retry_after=rng.choice((None, 5.0)))


@dataclass(frozen=True)
class Case:
    count: int
    wanted: int | None
    budget: Budget
    prices: Prices


@st.composite
def cases(draw: st.DrawFn) -> Case:
    price = st.decimals(0, 100, places=2)
    return Case(
        count=draw(st.integers(0, 25)),
        wanted=draw(st.none() | st.integers(0, 12)),
        budget=Budget(
            requests=draw(st.none() | st.integers(0, 60)),
            tokens=draw(st.none() | st.integers(0, 6000)),
            usd=draw(st.none() | st.decimals(0, "0.05", places=4)),
            timeout_share=draw(st.sampled_from((0.02, 0.3))),
        ),
        prices=Prices(input=draw(price), output=draw(price), reasoning=draw(st.none() | price)),
    )


weathers = st.builds(Weather, seed=st.integers(0, 999), faults=st.sampled_from((0.0, 0.1, 0.4)))


def drive(
    path: Path, case: Case, weather: Weather, concurrency: Any
) -> tuple[Ending | None, list[Any], Amount]:
    """How it ended (None: it stopped), what was made, and what it was charged."""
    run = Run(path, simulate)
    before = timed_out(path)
    ending = None
    try:
        ending = run(
            weather,
            jobs(case.count, uneven),
            wanted=case.wanted,
            budget=case.budget,
            concurrency=concurrency,
            prices=case.prices,
        )
    except (BudgetError, GaveUpError):
        # Too many calls timed out, or one request failed too often.
        assert weather.faults
    assert all(times == 1 for times in weather.answered.values())
    with Journal(path) as journal:
        spent, lines = journal.spent(), journal.sums("paid")
    lost = timed_out(path)
    charged = spent + lost
    # Those that still hang when a run stops are broken off.
    assert weather.charged <= lost.requests - before.requests <= weather.charged + weather.silent
    assert case.budget.requests is None or charged.requests <= case.budget.requests
    assert case.budget.tokens is None or charged.tokens <= case.budget.tokens
    assert charged.usd is not None
    assert case.budget.usd is None or charged.usd <= case.budget.usd
    # The ledger adds up: what was charged was paid, once.
    assert sum(line.requests for line in lines) == charged.requests
    assert sum(line.cost_usd or 0.0 for line in lines) == pytest.approx(float(charged.usd))
    if ending == "all done":
        assert len(run.outcomes) == case.count
    if ending == "enough":
        assert sum(result is not None for result in run.results) == case.wanted
    return ending, [(outcome.number, outcome.result, outcome.reason) for outcome in run.outcomes], spent


def timed_out(path: Path) -> Amount:
    """What calls without a reply were charged."""
    with Journal(path) as journal:
        return journal.timed_out()


def within_reserve(path: Path, budget: Budget) -> bool:
    lost, share = timed_out(path), Decimal(str(budget.timeout_share))
    pairs = [(budget.requests, lost.requests), (budget.tokens, lost.tokens), (budget.usd, lost.usd or 0)]
    return all(limit is None or used <= limit * share for limit, used in pairs)


@given(cases(), weathers, weathers, st.sampled_from((1, 3, 16, "auto")))
@settings(max_examples=25)
def test_weather_changes_nothing_that_is_made_and_overspends_nothing(
    tmp_path_factory: pytest.TempPathFactory, case: Case, one: Weather, other: Weather, concurrency: Any
) -> None:
    folder = tmp_path_factory.mktemp("weather")
    calm = drive(folder / "calm.sqlite", case, Weather(seed=0, faults=0.0), 2)
    assert calm[0] is not None
    for name, weather in (("one", one), ("other", other)):
        path = folder / f"{name}.sqlite"
        made = drive(path, case, weather, concurrency)
        if made[0] is None and within_reserve(path, case.budget):
            # It is continued when the weather is better.
            made = drive(path, case, Weather(seed=0, faults=0.0), concurrency)
        if within_reserve(path, case.budget):
            assert made == calm
