"""What every selector promises."""

import itertools
import math
import random
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asft import registry
from asft.errors import DataError, PluginError
from tests.selectors.pools import make, order, pool

CASES: list[tuple[str, dict[str, object]]] = [
    ("top", {}),
    ("random", {}),
    ("random", {"over": "run"}),
    ("softmax", {}),
    ("softmax", {"temperature": 0.01}),
    ("softmax", {"temperature": 100.0}),
    ("threshold", {"low": 1.5}),
    ("threshold", {"low": 0.5, "high": 2.0, "order": "random"}),
    ("threshold", {"quantile": 0.5}),
    ("balanced", {}),
    ("balanced", {"share": 0.25, "line": 1.0, "order": "hardest"}),
    ("stratified", {"by": "family"}),
    ("stratified", {"by": "family", "shares": "equal", "within": "random"}),
    ("stratified", {"by": "family", "floor": 0.4, "within": {"use": "kcenter"}}),
    ("badge", {}),
    ("kcenter", {}),
    ("prototypes", {}),
    ("prototypes", {"clusters": 2, "share": 0.8}),
    ("sparse", {}),
    ("sparse", {"neighbours": 2}),
    ("composition", {"first": "top", "then": "kcenter"}),
    ("composition", {"first": "random", "pool": 3, "then": {"use": "badge"}}),
    ("composition", {"first": "softmax", "pool": 0.4, "then": "prototypes"}),
]
UNSCORED = {"random", "badge", "kcenter", "sparse"}
"""They do not rank by score, and take seeds that have none."""
RANKING = [
    (name, options)
    for name, options in CASES
    if name not in UNSCORED and options.get("within") in (None, "top")
    if name != "composition" or options["first"] != "random"
]
HARDEST_FIRST = [
    (name, options)
    for name, options in RANKING
    if name in ("top", "softmax", "threshold")
    if options.get("order") != "random"
]
READS_N = {"composition", "prototypes"}
"""How many candidates, or how many clusters, follows from how many seeds are wanted."""
PLACED = {"badge", "kcenter", "prototypes", "sparse"}


def test_every_built_in_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["selector"])


@pytest.mark.parametrize(("name", "options"), CASES)
class TestEverySelector:
    def test_it_yields_a_whole_order_of_distinct_seeds(self, name: str, options: dict[str, object]) -> None:
        found = order(make(name, options), "abcdef", [3.0, 1.0, 2.0, 2.0, 5.0, 0.0], n=2)
        assert sorted(found) == list("abcdef")

    def test_an_exhausted_pool_ends_the_order(self, name: str, options: dict[str, object]) -> None:
        chosen = make(name, options).select(pool("ab"), [1.0, 2.0], 10, random.Random(0))
        assert len(list(itertools.islice(chosen, 10))) == 2
        assert list(chosen) == []

    def test_a_pool_of_one_seed_yields_it(self, name: str, options: dict[str, object]) -> None:
        assert order(make(name, options), "b", [1.0], n=3) == "b"

    def test_an_empty_pool_yields_nothing(self, name: str, options: dict[str, object]) -> None:
        assert order(make(name, options), "", []) == ""

    def test_the_same_random_numbers_give_the_same_order(self, name: str, options: dict[str, object]) -> None:
        scores = [float(i % 4) for i in range(8)]
        assert order(make(name, options), "abcdefgh", scores, seed=3, n=3) == order(
            make(name, options), "abcdefgh", scores, seed=3, n=3
        )

    def test_the_order_of_the_pool_does_not_matter(self, name: str, options: dict[str, object]) -> None:
        scores = dict(zip("abcdefgh", [1.0, 2.0, 1.0, 2.0, None, 0.0, 3.0, 1.0], strict=True))
        straight = order(make(name, options), "abcdefgh", list(scores.values()), n=2)
        assert order(make(name, options), "hgfedcba", list(scores.values())[::-1], n=2) == straight

    @settings(max_examples=10, deadline=None)
    @given(
        pairs=st.dictionaries(st.sampled_from("abcdefghijkl"), st.none() | st.floats(-2, 2), min_size=1),
        mixed=st.randoms(use_true_random=False),
        n=st.integers(1, 5),
    )
    def test_no_order_of_any_pool_matters(
        self,
        name: str,
        options: dict[str, object],
        pairs: Mapping[str, float | None],
        mixed: random.Random,
        n: int,
    ) -> None:
        ids = sorted(pairs)
        straight = order(make(name, options), "".join(ids), [pairs[name] for name in ids], n=n)
        mixed.shuffle(ids)
        assert order(make(name, options), "".join(ids), [pairs[name] for name in ids], n=n) == straight
        assert len(set(straight)) == len(straight)

    def test_the_global_random_numbers_are_not_touched(self, name: str, options: dict[str, object]) -> None:
        before, arrays = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
        order(make(name, options), "abcd", [1.0, 2.0, 3.0, 4.0])
        assert random.getstate() == before
        assert np.random.get_state()[1].tolist() == arrays  # type: ignore[index]

    def test_the_measurements_are_left_as_they_are(self, name: str, options: dict[str, object]) -> None:
        seen = pool("abcd")
        before = {key: array.copy() for key, array in seen.arrays.items()}
        for array in seen.arrays.values():
            array.setflags(write=False)
        list(make(name, options).select(seen, [1.0, 2.0, 3.0, 4.0], 2, random.Random(0)))
        for key, array in seen.arrays.items():
            np.testing.assert_array_equal(array, before[key])

    def test_a_seed_that_came_often_enough_is_left_out(self, name: str, options: dict[str, object]) -> None:
        history = {"a": 1, "b": 2, "c": 3, "gone from the pool": 9}
        scores = [4.0, 3.0, 2.0, 1.0]
        assert sorted(order(make(name, options), "abcd", scores, history=history)) == list("abcd")
        twice = make(name, {**options, "max_draws": 2})
        assert sorted(order(twice, "abcd", scores, history=history)) == list("ad")

    def test_at_least_one_draw_must_be_allowed(self, name: str, options: dict[str, object]) -> None:
        with pytest.raises(PluginError, match="max_draws"):
            make(name, {**options, "max_draws": 0})

    def test_a_seed_that_stands_twice_in_the_pool_is_yielded_once(
        self, name: str, options: dict[str, object]
    ) -> None:
        assert sorted(order(make(name, options), "aba", [1.0, 2.0, 1.0])) == list("ab")


@pytest.mark.parametrize(("name", "options"), [case for case in CASES if case[0] not in READS_N])
def test_how_many_are_wanted_changes_nothing(name: str, options: dict[str, object]) -> None:
    scores = [0.5, 0.1, 0.9, 0.3]
    assert order(make(name, options), "abcd", scores, n=1) == order(make(name, options), "abcd", scores, n=4)


@pytest.mark.parametrize(("name", "options"), RANKING)
class TestEverySelectorByScore:
    def test_a_seed_without_a_score_is_never_picked(self, name: str, options: dict[str, object]) -> None:
        assert sorted(order(make(name, options), "abcd", [1.0, None, -5.0, None])) == list("ac")
        assert order(make(name, options), "ab", [None, None]) == ""

    def test_a_score_that_is_no_number_is_refused(self, name: str, options: dict[str, object]) -> None:
        for score in (math.nan, math.inf):
            with pytest.raises(DataError, match=f"the score of seed b is {score}"):
                order(make(name, options), "abc", [1.0, score, 2.0])

    def test_a_score_too_few_is_refused(self, name: str, options: dict[str, object]) -> None:
        with pytest.raises(DataError, match="2 scores for 3 seeds"):
            order(make(name, options), "abc", [1.0, 2.0])


@pytest.mark.parametrize(("name", "options"), HARDEST_FIRST)
def test_the_hardest_comes_first_where_it_is_far_harder(name: str, options: dict[str, object]) -> None:
    assert order(make(name, options), "abc", [1.0, 1e6, -1e6])[0] == "b"


@pytest.mark.parametrize(("name", "options"), [case for case in CASES if case[0] in PLACED])
class TestEverySelectorByPlace:
    def test_a_seed_without_a_place_is_left_out(self, name: str, options: dict[str, object]) -> None:
        places = {"a": [1.0, 2.0], "b": [math.nan, 1.0], "c": [3.0, -1.0], "d": [0.0, math.inf]}
        assert sorted(order(make(name, options), "abcd", places=places)) == list("ac")
        assert order(make(name, options), "bd", places=places) == ""

    def test_seeds_at_one_place_all_come_in_an_order_that_ids_decide(
        self, name: str, options: dict[str, object]
    ) -> None:
        assert order(make(name, options), "dbca", places={key: [2.0, 1.0] for key in "abcd"}) == "abcd"

    def test_places_at_the_origin_do_no_harm(self, name: str, options: dict[str, object]) -> None:
        places = {"a": [0.0, 0.0], "b": [0.0, 0.0], "c": [3.0, -1.0]}
        assert sorted(order(make(name, options), "abc", places=places, n=2)) == list("abc")

    def test_an_array_that_was_not_measured_is_told(self, name: str, options: dict[str, object]) -> None:
        seen = pool("ab")
        arrays = {"accepted_embedding": seen.arrays["accepted_embedding"]}
        bare = type(seen)(round=1, examples=seen.examples, observations=seen.observations, arrays=arrays)
        with pytest.raises(DataError, match=r"was not measured.*there are: accepted_embedding"):
            list(make(name, options).select(bare, [1.0, 2.0], 1, random.Random(0)))

    def test_an_array_with_other_rows_is_told(self, name: str, options: dict[str, object]) -> None:
        seen, other = pool("ab"), pool("abc")
        wrong = type(seen)(
            round=1, examples=seen.examples, observations=seen.observations, arrays=other.arrays
        )
        with pytest.raises(DataError, match=r"has the shape \[3, 5\]; for 2 seeds it is \[2, dimensions\]"):
            list(make(name, options).select(wrong, [1.0, 2.0], 1, random.Random(0)))

    def test_it_names_the_array_that_it_reads_as_its_need(
        self, name: str, options: dict[str, object]
    ) -> None:
        [need] = make(name, options).needs
        assert need.name == ("gradient" if name == "badge" else "embedding")


@pytest.mark.parametrize("name", ["top", "random", "softmax"])
def test_a_selector_of_scores_needs_no_measurement_of_its_own(name: str) -> None:
    assert make(name).needs == ()
