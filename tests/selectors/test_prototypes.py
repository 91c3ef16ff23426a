"""Prototypes, by hand."""

import pytest

from asft import needs
from asft.errors import PluginError
from tests.selectors.pools import make, order

# Two groups, centres at 1 and 10.5, and two easy seeds elsewhere.
PLACES = {"a": [0.0], "b": [1.0], "c": [2.0], "d": [10.0], "e": [11.0], "f": [50.0], "g": [0.9]}
SCORES = [5.0, 6.0, 7.0, 5.0, 6.5, 0.0, 1.0]
OPTIONS = {"share": 0.7, "clusters": 2}


@pytest.mark.parametrize("seed", range(10))
def test_the_nearest_of_each_cluster_comes_first_and_the_larger_cluster_before_the_smaller(seed: int) -> None:
    # Uncertain are 0.7 x 7, rounded up to 5: a to e. b is at a centre; d and e are as near to theirs, and e
    # is harder; then c, harder than a and as near, and d; then a. The rest by score: g, f.
    assert order(make("prototypes", OPTIONS), "abcdefg", SCORES, places=PLACES, seed=seed) == "becdagf"


def test_of_clusters_of_one_size_the_harder_prototype_is_first() -> None:
    places = {"a": [0.0], "b": [100.0], "c": [200.0]}
    options = {"share": 1.0, "clusters": 3}
    assert order(make("prototypes", options), "abc", [1.0, 3.0, 2.0], places=places) == "bca"
    assert order(make("prototypes", options), "abc", [1.0, 1.0, 1.0], places=places) == "abc"


def test_there_are_as_many_clusters_as_seeds_are_wanted_where_no_number_is_given() -> None:
    selector = make("prototypes", {"share": 0.7})
    assert order(selector, "abcdefg", SCORES, places=PLACES, n=2) == "becdagf"
    # One cluster with its centre at 4.8: c, b, a, d, e.
    assert order(selector, "abcdefg", SCORES, places=PLACES, n=1) == "cbadegf"


def test_the_uncertain_part_is_never_smaller_than_the_number_of_clusters() -> None:
    # 0.1 of 7 is one seed, for two clusters: the two hardest, c and e.
    selector = make("prototypes", {**OPTIONS, "share": 0.1})
    assert order(selector, "abcdefg", SCORES, places=PLACES)[:2] == "ce"


def test_more_clusters_than_seeds_are_the_order_of_the_scores() -> None:
    selector = make("prototypes", {**OPTIONS, "clusters": 50})
    assert order(selector, "abcdefg", SCORES, places=PLACES) == "cebadgf"


def test_it_names_the_model_that_it_wants() -> None:
    assert make("prototypes", {"model": "m"}).needs == (needs.embedding("m"),)


@pytest.mark.parametrize("options", [{"share": 0.0}, {"share": 1.1}, {"clusters": 0}])
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(PluginError, match=next(iter(options))):
        make("prototypes", options)
