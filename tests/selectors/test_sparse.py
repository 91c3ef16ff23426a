"""Sparse: densities by hand, and against a loop over all pairs."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import needs
from asft.errors import PluginError
from tests.selectors.pools import make, order

LINE = {"a": [0.0], "b": [1.0], "c": [2.0], "d": [10.0]}


@pytest.mark.parametrize(
    ("neighbours", "expected"),
    [
        # Nearest at a 1, b 1, c 1, d 8.
        (1, "dabc"),
        # Mean of two: a 1.5, b 1, c 1.5, d 8.5.
        (2, "dacb"),
        # Mean of the three that there are: a 13/3, b 11/3, c 11/3, d 9.
        (3, "dabc"),
        (9, "dabc"),
    ],
)
def test_the_loneliest_comes_first(neighbours: int, expected: str) -> None:
    options = {"neighbours": neighbours}
    assert order(make("sparse", options), "abcd", places=LINE) == expected


def test_where_something_was_accepted_it_is_lonely_no_more() -> None:
    options = {"neighbours": 1}
    # Accepted at 10 and at 5: d is 0 from the nearest; a, b and c stay at 1.
    assert order(make("sparse", options), "abcd", places=LINE, accepted=[[10.0], [5.0]]) == "abcd"


def test_seeds_that_may_not_come_are_neighbours_all_the_same() -> None:
    options = {"neighbours": 1, "max_draws": 1}
    # a is 0.5 from c, b 1.5, d 8. Without c, a and b would be 2 from each other.
    places = {"a": [0.0], "b": [2.0], "c": [0.5], "d": [10.0]}
    assert order(make("sparse", options), "abcd", places=places, history={"c": 1}) == "dba"


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=4),
    st.integers(1, 5),
)
def test_the_order_is_that_of_a_loop_over_all_pairs(
    places: list[tuple[int, int]], accepted: list[tuple[int, int]], neighbours: int
) -> None:
    at = dict(zip("abcdefghijkl", places, strict=False))

    def mean(name: str) -> float:
        others = [at[other] for other in at if other != name] + accepted
        nearest = sorted(math.dist(at[name], other) for other in others)[:neighbours]
        return sum(nearest) / len(nearest) if nearest else math.inf

    means = {name: mean(name) for name in at}
    found = order(
        make("sparse", {"neighbours": neighbours}),
        "".join(at),
        places=at,
        accepted=accepted,
    )
    assert sorted(found) == sorted(at)
    # Means that are equal but for rounding may come either way.
    assert all(means[one] >= means[next_] - 1e-9 for one, next_ in itertools.pairwise(found))


def test_ids_decide_between_seeds_that_are_the_same_to_the_last_bit() -> None:
    rng = random.Random(0)
    point = [rng.gauss(0, 1) for _ in range(300)]
    others = {name: [rng.gauss(0, 1) for _ in range(300)] for name in "xyz"}
    found = order(
        make("sparse", {"neighbours": 5}), "xfzedycba", places={**dict.fromkeys("abcdef", point), **others}
    )
    assert found[3:] == "abcdef"


def test_it_names_the_model_that_it_wants() -> None:
    assert make("sparse", {"model": "m"}).needs == (needs.embedding("m"),)
    with pytest.raises(PluginError, match="neighbours"):
        make("sparse", {"neighbours": 0})
