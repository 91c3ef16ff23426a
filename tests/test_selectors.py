"""What every selector promises, and the chances of softmax against an independent computation."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import registry
from asft.errors import DataError, PluginError
from asft.types import Example, Measurements, Observation, Selector

CASES = [
    ("top", {}),
    ("random", {}),
    ("softmax", {}),
    ("softmax", {"temperature": 0.01}),
    ("softmax", {"temperature": 100.0}),
]
RANKING = [case for case in CASES if case[0] != "random"]

Scores = Sequence[float | None]


def make(name: str, options: Mapping[str, object] | None = None) -> Selector:
    made = registry.make("selector", name, options)
    assert isinstance(made, Selector)
    return made


def pool(ids: Sequence[str], history: Mapping[str, int] | None = None) -> Measurements:
    return Measurements(
        round=1,
        examples=tuple(Example(id=name, task="t", prompt=f"question {name}", answer="1") for name in ids),
        observations=tuple(Observation(example_id=name) for name in ids),
        history=history or {},
    )


def order(
    selector: Selector,
    ids: Sequence[str],
    scores: Scores,
    *,
    seed: int = 0,
    n: int = 1,
    history: Mapping[str, int] | None = None,
) -> str:
    """The ids, one letter each, in the order in which they are selected."""
    rng = random.Random(seed)
    return "".join(example.id for example in selector.select(pool(ids, history), scores, n, rng))


# What every selector promises


def test_every_built_in_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["selector"])


@pytest.mark.parametrize(("name", "options"), CASES)
class TestEverySelector:
    def test_it_yields_a_whole_order_of_distinct_seeds(self, name: str, options: dict[str, float]) -> None:
        found = order(make(name, options), "abcdef", [3.0, 1.0, 2.0, 2.0, 5.0, 0.0], n=2)
        assert sorted(found) == list("abcdef")

    def test_an_exhausted_pool_ends_the_order(self, name: str, options: dict[str, float]) -> None:
        chosen = make(name, options).select(pool("ab"), [1.0, 2.0], 10, random.Random(0))
        assert len(list(itertools.islice(chosen, 10))) == 2
        assert list(chosen) == []

    def test_an_empty_pool_yields_nothing(self, name: str, options: dict[str, float]) -> None:
        assert order(make(name, options), "", []) == ""

    def test_the_same_random_numbers_give_the_same_order(self, name: str, options: dict[str, float]) -> None:
        scores = [float(i % 4) for i in range(8)]
        assert order(make(name, options), "abcdefgh", scores, seed=3) == order(
            make(name, options), "abcdefgh", scores, seed=3
        )

    def test_how_many_are_wanted_changes_nothing(self, name: str, options: dict[str, float]) -> None:
        scores = [0.5, 0.1, 0.9, 0.3]
        assert order(make(name, options), "abcd", scores, n=1) == order(
            make(name, options), "abcd", scores, n=4
        )

    def test_the_order_of_the_pool_does_not_matter(self, name: str, options: dict[str, float]) -> None:
        scores = dict(zip("abcdefgh", [1.0, 2.0, 1.0, 2.0, None, 0.0, 3.0, 1.0], strict=True))
        straight = order(make(name, options), "abcdefgh", list(scores.values()))
        assert order(make(name, options), "hgfedcba", list(scores.values())[::-1]) == straight

    def test_the_global_random_numbers_are_not_touched(self, name: str, options: dict[str, float]) -> None:
        before = random.getstate()
        order(make(name, options), "abcd", [1.0, 2.0, 3.0, 4.0])
        assert random.getstate() == before

    def test_a_seed_that_came_often_enough_is_left_out(self, name: str, options: dict[str, float]) -> None:
        history = {"a": 1, "b": 2, "c": 3, "gone from the pool": 9}
        scores = [4.0, 3.0, 2.0, 1.0]
        assert sorted(order(make(name, options), "abcd", scores, history=history)) == list("abcd")
        twice = make(name, {**options, "max_draws": 2})
        assert sorted(order(twice, "abcd", scores, history=history)) == list("ad")

    def test_it_needs_no_measurement_of_its_own(self, name: str, options: dict[str, float]) -> None:
        assert make(name, options).needs == ()

    def test_at_least_one_draw_must_be_allowed(self, name: str, options: dict[str, float]) -> None:
        with pytest.raises(PluginError, match="max_draws"):
            make(name, {**options, "max_draws": 0})

    def test_a_seed_that_stands_twice_in_the_pool_is_yielded_once(
        self, name: str, options: dict[str, float]
    ) -> None:
        assert sorted(order(make(name, options), "aba", [1.0, 2.0, 1.0])) == list("ab")


@pytest.mark.parametrize(("name", "options"), RANKING)
class TestEverySelectorByScore:
    def test_a_seed_without_a_score_is_never_picked(self, name: str, options: dict[str, float]) -> None:
        assert sorted(order(make(name, options), "abcd", [1.0, None, -5.0, None])) == list("ac")
        assert order(make(name, options), "ab", [None, None]) == ""

    def test_a_score_that_is_no_number_is_refused(self, name: str, options: dict[str, float]) -> None:
        for score in (math.nan, math.inf):
            with pytest.raises(DataError, match=f"the score of seed b is {score}"):
                order(make(name, options), "abc", [1.0, score, 2.0])

    def test_a_score_too_few_is_refused(self, name: str, options: dict[str, float]) -> None:
        with pytest.raises(DataError, match="2 scores for 3 seeds"):
            order(make(name, options), "abc", [1.0, 2.0])

    def test_the_hardest_comes_first_where_it_is_far_harder(
        self, name: str, options: dict[str, float]
    ) -> None:
        assert order(make(name, options), "abc", [1.0, 1e6, -1e6]) == "bac"


# Each one by hand


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
