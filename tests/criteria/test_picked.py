"""Ranking by an LLM: batches, places, and rankings that cannot be used."""

import re
from collections import Counter
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.types import Example, Measurements, Observation, Request
from tests.criteria.asked import driven, inquiries
from tests.criteria.contract import make


def seeds(count: int, round: int = 1) -> Measurements:
    examples = tuple(
        Example(id=f"id {i}", task="t", prompt=f"What is {i} and 1?", answer="1") for i in range(count)
    )
    return Measurements(
        round=round,
        examples=examples,
        observations=tuple(Observation(example_id=example.id) for example in examples),
    )


def shown(request: Request) -> list[int]:
    """The seeds in a request, in the order of their numbers there."""
    return [int(number) for number in re.findall(r"What is (\d+) and", request.messages[-1].content)]


def by_size(request: Request) -> str:
    """An LLM that holds the greater number for the harder question."""
    numbers = shown(request)
    order = sorted(range(len(numbers)), key=lambda at: -numbers[at])
    return f"Ranking: {', '.join(str(at + 1) for at in order)}"


def test_the_first_of_a_batch_gets_1_and_the_last_0() -> None:
    [one] = inquiries(make("llm_pick", {"batch": 5, "passes": 1}), seeds(5))
    result, [asked] = driven(one, by_size)
    assert result == {"id 4": 1.0, "id 3": 0.75, "id 2": 0.5, "id 1": 0.25, "id 0": 0.0}
    assert asked.to == "judge"
    assert asked.purpose == "pick"


def test_every_seed_is_in_as_many_batches_as_there_are_passes() -> None:
    asked = [driven(one, by_size)[1][0] for one in inquiries(make("llm_pick", {"passes": 3}), seeds(25))]
    assert len(asked) == 9
    assert Counter(number for one in asked for number in shown(one)) == dict.fromkeys(range(25), 3)


@given(st.integers(0, 60), st.integers(2, 12))
def test_batches_are_of_at_least_two_and_about_even(count: int, batch: int) -> None:
    sizes = [
        len(driven(one, by_size)[0])
        for one in inquiries(make("llm_pick", {"batch": batch, "passes": 1}), seeds(count))
    ]
    assert sum(sizes) == (0 if count == 1 else count)
    assert all(2 <= size <= max(batch, 3) for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1


def batches(seed: int, round: int, passes: int = 2) -> list[list[int]]:
    found = inquiries(make("llm_pick", {"batch": 4, "passes": passes}), seeds(12, round), seed)
    return [shown(driven(one, by_size)[1][0]) for one in found]


def test_batches_depend_on_seed_round_and_pass_alone() -> None:
    assert batches(1, 1) == batches(1, 1)
    assert batches(1, 1) != batches(2, 1)
    assert batches(1, 1) != batches(1, 2)
    assert batches(1, 1)[:3] != batches(1, 1)[3:]
    assert batches(1, 1, passes=3)[:6] == batches(1, 1)


def test_the_order_of_the_pool_changes_nothing() -> None:
    whole = seeds(9)
    backwards = Measurements(round=1, examples=whole.examples[::-1], observations=whole.observations[::-1])
    criterion = make("llm_pick")
    asked = [[driven(one, by_size)[1] for one in inquiries(criterion, pool)] for pool in (whole, backwards)]
    assert asked[0] == asked[1]


def test_many_passes_put_the_seeds_in_the_order_of_the_llm() -> None:
    places: dict[str, list[float]] = {}
    for one in inquiries(make("llm_pick", {"batch": 5, "passes": 40}), seeds(10)):
        for name, place in driven(one, by_size)[0].items():
            assert place is not None
            places.setdefault(name, []).append(place)
    assert sorted(places, key=lambda name: fmean(places[name])) == [f"id {i}" for i in range(10)]


@pytest.mark.parametrize("reply", ["Ranking: 1, 2", "Ranking: 1, 1, 2", "I cannot choose.", ""])
def test_a_ranking_that_cannot_be_used_is_asked_for_again_and_then_says_nothing(reply: str) -> None:
    [one] = inquiries(make("llm_pick", {"passes": 1}), seeds(3))
    result, asked = driven(one, lambda _: reply)
    assert result == {"id 0": None, "id 1": None, "id 2": None}
    assert [one.index for one in asked] == [0, 1]
    again = iter([reply, "Ranking: 2, 1, 3"])
    assert sorted(filter(None, driven(one, lambda _: next(again))[0].values())) == [0.5, 1.0]


@pytest.mark.parametrize("by", ["informativeness", "difficulty", "diversity"])
def test_the_llm_is_told_by_what_to_rank(by: str) -> None:
    [one] = inquiries(make("llm_pick", {"by": by, "passes": 1}), seeds(3))
    _, [asked] = driven(one, by_size)
    assert f"by {by}, the highest first" in asked.messages[-1].content
    assert f"By {by} we mean" in asked.messages[-1].content


def test_a_long_question_is_shortened() -> None:
    whole = seeds(2)
    long = Example(id="long", task="t", prompt="What is 7 and 1? " + "x" * 9000, answer="1")
    pool = Measurements(round=1, examples=(whole.examples[0], long), observations=whole.observations)
    [one] = inquiries(make("llm_pick", {"passes": 1, "max_question_bytes": 100}), pool)
    _, [asked] = driven(one, by_size)
    assert "[...]" in asked.messages[-1].content
    assert len(asked.messages[-1].content) < 2000


def test_the_score_is_the_mean_place() -> None:
    pool = seeds(2)
    said = (Observation(example_id="id 0", signals={"llm_pick": 0.25}), pool.observations[1])
    assert make("llm_pick").score(Measurements(round=1, examples=pool.examples, observations=said)) == [
        0.25,
        None,
    ]
