"""Order makes it deterministic: what is made depends on the replies alone."""

import contextlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asft.budget import Budget
from asft.engine import Ending
from asft.errors import (
    FatalError,
    RetryableError,
)
from asft.journal import Journal
from asft.types import Reply, Request, Script
from tests.engine.driving import Run, Scripted, ask, jobs


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
