"""Selectors of scores alone: top and random by hand, and softmax against an independent computation."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.errors import PluginError
from tests.selectors.pools import make, order


def test_top_goes_by_score_and_then_by_id() -> None:
    assert order(make("top"), "dcba", [1.0, 2.0, 2.0, 1.0]) == "bcad"


@given(st.lists(st.one_of(st.none(), st.floats(-9, 9)), max_size=12), st.integers(0, 99))
def test_top_is_sorted_and_draws_no_random_numbers(scores: list[float | None], seed: int) -> None:
    ids = "abcdefghijkl"[: len(scores)]
    found = order(make("top"), ids, scores, seed=seed)
    ranked = [scores[ids.index(name)] or 0.0 for name in found]
    assert ranked == sorted(ranked, reverse=True)
    assert len(found) == sum(score is not None for score in scores)
    assert found == order(make("top"), ids, scores, seed=seed + 1)


def test_random_takes_seeds_without_a_score_and_reads_none() -> None:
    assert sorted(order(make("random"), "abc", [None, math.nan, 1.0])) == list("abc")
    assert order(make("random"), "abc", [1.0, 2.0, 3.0]) == order(make("random"), "abc", [9.0, None, 0.0])


def test_random_gives_every_order_the_same_chance() -> None:
    counts = Counter(order(make("random"), "abc", [3.0, 2.0, 1.0], seed=seed) for seed in range(3000))
    # Each of 6 orders is expected 500 times, with a standard deviation of sqrt(3000 * 1/6 * 5/6) = 20.4.
    assert len(counts) == 6
    assert all(abs(count - 500) < 5 * 20.4 for count in counts.values())


def test_an_order_of_the_run_goes_on_where_the_last_round_stopped() -> None:
    lasting = make("random", {"over": "run"})
    whole = order(lasting, "abcdefgh")
    asked: Counter[str] = Counter()
    for drafts in (3, 3, 4, 1, 8):
        asked.update(order(lasting, "abcdefgh", history=asked)[:drafts])
    # 19 drafts: twice round the order of eight, and three of the third time.
    assert asked == {seed: 3 if seed in whole[:3] else 2 for seed in "abcdefgh"}
    assert order(lasting, "abcdefgh", history=asked) == whole[3:] + whole[:3]


def test_an_order_of_the_run_stays_when_a_seed_may_not_come_again() -> None:
    whole = order(make("random", {"over": "run"}), "abcdef")
    once = make("random", {"over": "run", "max_draws": 1})
    assert order(once, "abcdef", history={whole[0]: 1, whole[1]: 1}) == whole[2:]


def test_a_low_temperature_is_top_and_has_no_overflow() -> None:
    coldest = make("softmax", {"temperature": 1e-300})
    assert order(coldest, "abcd", [0.1, 0.3, 0.2, 0.3], seed=1) in ("bdca", "dbca")
    assert order(coldest, "abc", [1e300, -1e300, 0.0]) == "acb"


def orders_by_drawing(weights: Mapping[str, float]) -> dict[str, float]:
    """The chance of every order when seeds are drawn one after the other, without replacement."""
    chances = {}
    for ids in itertools.permutations(weights):
        left, chance = sum(weights.values()), 1.0
        for name in ids:
            chance *= weights[name] / left
            left -= weights[name]
        chances["".join(ids)] = chance
    return chances


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_softmax_draws_orders_with_the_chances_of_drawing_one_by_one(temperature: float) -> None:
    scores = {"a": 0.0, "b": 1.0, "c": 2.0}
    weights = {name: math.exp(score / temperature) for name, score in scores.items()}
    selector, runs = make("softmax", {"temperature": temperature}), 4000
    counts = Counter(order(selector, "abc", list(scores.values()), seed=seed) for seed in range(runs))
    for ids, chance in orders_by_drawing(weights).items():
        deviation = math.sqrt(runs * chance * (1 - chance))
        assert abs(counts[ids] - runs * chance) < 5 * deviation


def test_softmax_includes_three_seeds_as_often_as_worked_out_by_hand() -> None:
    # Weights 1, 2 and 3: scores are their logarithms. The chance to be among the first two is
    # a: 1/6 + 2/6 * 1/4 + 3/6 * 1/3 = 5/12,  b: 2/6 + 1/6 * 2/5 + 3/6 * 2/3 = 11/15,
    # c: 3/6 + 1/6 * 3/5 + 2/6 * 3/4 = 17/20; together 2.
    expected = {"a": 5 / 12, "b": 11 / 15, "c": 17 / 20}
    scores = [math.log(1), math.log(2), math.log(3)]
    runs = 4000
    counts = Counter(
        name for seed in range(runs) for name in order(make("softmax"), "abc", scores, seed=seed)[:2]
    )
    assert sum(expected.values()) == pytest.approx(2)
    for name, chance in expected.items():
        assert abs(counts[name] / runs - chance) < 5 * math.sqrt(chance * (1 - chance) / runs)


@pytest.mark.parametrize("temperature", [0, -1, math.inf, math.nan])
def test_a_temperature_must_be_above_zero(temperature: float) -> None:
    with pytest.raises(PluginError, match="temperature"):
        make("softmax", {"temperature": temperature})
