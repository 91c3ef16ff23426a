"""Badge and kcenter: chances and distances worked out by hand, and greedy picks checked one by one."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import needs
from asft.errors import DataError, PluginError
from tests.selectors.pools import make, order, pool

COORDINATE = st.integers(-5, 5).map(float)
PLACES = st.lists(st.lists(COORDINATE, min_size=2, max_size=2), min_size=1, max_size=12)


def named(places: Sequence[Sequence[float]]) -> dict[str, Sequence[float]]:
    return dict(zip("abcdefghijkl", places, strict=False))


# badge


def test_badge_takes_the_longest_gradient_first() -> None:
    places = {"a": [1.0, 1.0], "b": [0.0, -3.0], "c": [2.0, 2.0], "d": [0.0, 3.0]}
    # b and d are equally long.
    assert {order(make("badge"), "abcd", places=places, seed=seed)[0] for seed in range(20)} == {"b"}


def test_badge_draws_by_the_squared_distance_from_the_nearest_that_is_chosen() -> None:
    # The first is a, at 6. From there b, at 5, is 1 away, c, at 3, is 3 and d, at 1, is 5: 1, 9 and 25 of 35.
    # After d: b 1, c min(9, 4) = 4, of 5. After c: b 1, d 4, of 5. After b: c 4, d 16, of 20.
    places = {"a": [6.0], "b": [5.0], "c": [3.0], "d": [1.0]}
    expected = {
        "adbc": 25 / 35 * 1 / 5,
        "adcb": 25 / 35 * 4 / 5,
        "acbd": 9 / 35 * 1 / 5,
        "acdb": 9 / 35 * 4 / 5,
        "abcd": 1 / 35 * 4 / 20,
        "abdc": 1 / 35 * 16 / 20,
    }
    runs = 4000
    found = Counter(order(make("badge"), "abcd", places=places, seed=seed) for seed in range(runs))
    assert set(found) <= set(expected)
    for ids, chance in expected.items():
        assert abs(found[ids] - runs * chance) < 5 * math.sqrt(runs * chance * (1 - chance))


def test_badge_leaves_the_like_of_what_it_has_to_the_end_by_length() -> None:
    places = {"a": [1.0], "b": [1.0], "c": [5.0], "d": [5.0], "e": [-3.0], "f": [-3.0]}
    for seed in range(20):
        found = order(make("badge"), "abcdef", places=places, seed=seed)
        assert [places[name] for name in found[3:]] == [[5.0], [-3.0], [1.0]]
        assert sorted(found) == list("abcdef")


def test_badge_reads_no_scores() -> None:
    assert order(make("badge"), "abcd", [None, 1.0, 9.0, 2.0]) == order(make("badge"), "abcd")


def test_badge_names_the_gradient_that_it_wants() -> None:
    assert make("badge", {"of": "gold", "dims": 64}).needs == (needs.gradient("gold", 64),)
    with pytest.raises(PluginError, match="dims"):
        make("badge", {"dims": 0})


# kcenter

KCENTER = make("kcenter")


def test_kcenter_begins_with_the_hardest_and_goes_to_the_farthest() -> None:
    # From c at 2: d, at 10, is the farthest; then a (2 away), then b, which is 1 away from both.
    places = {"a": [0.0], "b": [1.0], "c": [2.0], "d": [10.0]}
    assert order(KCENTER, "abcd", [0.0, 1.0, 3.0, None], places=places) == "cdab"


def test_kcenter_begins_far_from_what_was_accepted() -> None:
    # Accepted at 0 and 10. The distances are a 1, b 5, c 2; after b at 5, c at 8 is 2 away and a 1.
    places = {"a": [1.0], "b": [5.0], "c": [8.0]}
    assert order(KCENTER, "abc", [9.0, 0.0, 9.0], places=places, accepted=[[0.0], [10.0]]) == "bca"


def test_what_was_accepted_and_has_no_place_counts_for_nothing() -> None:
    places = {"a": [1.0], "b": [5.0]}
    assert order(KCENTER, "ab", [1.0, 0.0], places=places, accepted=[[math.nan]]) == "ab"


def test_without_any_score_kcenter_begins_with_the_lowest_id() -> None:
    assert order(KCENTER, "cab", [None] * 3, places={"a": [1.0], "b": [2.0], "c": [9.0]}) == "acb"


def test_the_hardest_that_has_a_place_is_the_first() -> None:
    places = {"a": [1.0], "b": [2.0], "c": [math.nan]}
    assert order(KCENTER, "abc", [0.0, 1.0, 2.0], places=places) == "ba"


@given(PLACES, st.lists(st.lists(COORDINATE, min_size=2, max_size=2), max_size=3))
def test_every_pick_is_one_that_is_farthest_from_all_before_it(
    places: list[list[float]], accepted: list[list[float]]
) -> None:
    at = named(places)
    found = order(KCENTER, "".join(at), places=at, accepted=accepted)
    assert sorted(found) == sorted(at)
    there, left = list(accepted), sorted(at)
    for name in found:
        distance = {one: min((math.dist(at[one], place) for place in there), default=1.0) for one in left}
        assert name == max(left, key=lambda one: (distance[one], -ord(one)))
        there.append(list(at[name]))
        left.remove(name)


def test_an_accepted_set_of_another_model_is_told() -> None:
    seen = pool("ab", places={"a": [1.0], "b": [2.0]})
    seen.arrays["accepted_embedding"] = pool("c", accepted=[[1.0] * 5]).arrays["accepted_embedding"]  # type: ignore[index]
    with pytest.raises(DataError, match=r"has the shape \[1, 5\], and the seeds have 1 dimensions"):
        list(KCENTER.select(seen, [1.0, 2.0], 1, random.Random(0)))


@pytest.mark.parametrize("name", ["badge", "kcenter"])
def test_the_first_seeds_can_be_had_without_the_whole_order(name: str) -> None:
    chosen = make(name).select(pool("abcdef"), [0.0] * 6, 2, random.Random(0))
    assert len(list(itertools.islice(chosen, 2))) == 2
