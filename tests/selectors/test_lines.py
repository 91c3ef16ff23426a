"""Threshold and balanced, by hand."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.errors import PluginError
from tests.selectors.pools import make, order

# a b c d e f with the scores 0 1 2 3 4 5
SCORES = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"low": 3.0}, "fedcba"),
        ({"low": 3.0, "then": "stop"}, "fed"),
        ({"high": 2.0, "then": "stop"}, "cba"),
        # Above the band d is the nearest, then e, then f.
        ({"high": 2.0}, "cbadef"),
        ({"low": 1.0, "high": 3.0, "then": "stop"}, "dcb"),
        # Outside by 1: e and a, the harder first; by 2: f.
        ({"low": 1.0, "high": 3.0}, "dcbeaf"),
        ({"quantile": 0.5, "then": "stop"}, "fed"),
        ({"quantile": 0.0, "then": "stop"}, "fedcba"),
        # The hardest 10% of 6 seeds, rounded up, are one.
        ({"quantile": 0.9, "then": "stop"}, "f"),
        ({"quantile": 0.5, "high": 4.0, "then": "stop"}, "ed"),
        ({"low": 9.0, "then": "stop"}, ""),
    ],
)
def test_threshold_takes_what_lies_within_its_lines(options: dict[str, object], expected: str) -> None:
    assert order(make("threshold", options), "abcdef", SCORES) == expected


def test_a_quantile_takes_all_that_are_as_hard_as_its_easiest() -> None:
    assert order(make("threshold", {"quantile": 0.75, "then": "stop"}), "abcd", [0.0, 1.0, 1.0, 1.0]) == "bcd"


def test_a_quantile_is_of_the_whole_pool_whoever_may_come() -> None:
    options = {"quantile": 0.5, "then": "stop", "max_draws": 1}
    assert order(make("threshold", options), "abcd", SCORES[:4], history={"d": 1}) == "c"


def test_threshold_at_random_gives_every_order_of_what_is_wanted_and_ranks_the_rest() -> None:
    selector = make("threshold", {"low": 3.0, "order": "random"})
    found = Counter(order(selector, "abcdef", SCORES, seed=seed) for seed in range(600))
    assert set(found) == {f"{head}cba" for head in ("def", "dfe", "edf", "efd", "fde", "fed")}
    # Each of 6 is expected 100 times, with a standard deviation of sqrt(600 * 1/6 * 5/6) = 9.1.
    assert all(abs(count - 100) < 5 * 9.1 for count in found.values())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "there is no line"),
        ({"low": 1.0, "quantile": 0.5}, "both lower lines"),
        ({"low": 2.0, "high": 1.0}, "low = 2.0 is more than high = 1.0"),
        ({"quantile": 1.0}, "quantile"),
        ({"low": "nan"}, "low"),
        ({"low": 1.0, "then": "again"}, "then"),
    ],
)
def test_lines_between_which_nothing_can_lie_are_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(PluginError, match=problem):
        make("threshold", options)


def test_balanced_takes_hard_and_easy_seeds_in_turn() -> None:
    # Hard are f, e, d, and easy c, b, a.
    assert order(make("balanced", {"order": "hardest"}), "abcdef", SCORES) == "fcebda"


def test_of_an_odd_number_the_one_in_the_middle_is_hard() -> None:
    assert order(make("balanced", {"order": "hardest"}), "abc", SCORES[:3]) == "cab"


def test_balanced_at_random_mixes_each_kind_by_itself() -> None:
    orders = {order(make("balanced"), "abcdef", SCORES, seed=seed) for seed in range(400)}
    # 3! orders of the hard ones times 3! of the easy ones, and hard ones at the even places in all.
    assert len(orders) == 36
    assert all(set(found[0::2]) == set("def") for found in orders)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # Hard from 4 on: f and e; then the easy ones go on alone.
        ({"line": 4.0}, "fdecba"),
        # All are hard.
        ({"line": -1.0}, "fedcba"),
        # None is.
        ({"line": 6.0}, "fedcba"),
        # One hard one in four: of two, 1/2 is due to either kind, and easy is the greater; of three, 3/4.
        ({"share": 0.25}, "cbfaed"),
    ],
)
def test_balanced_draws_the_line_where_it_is_told(options: dict[str, object], expected: str) -> None:
    assert order(make("balanced", {"order": "hardest", **options}), "abcdef", SCORES) == expected


def test_of_equal_scores_ids_decide_which_half_is_hard() -> None:
    assert order(make("balanced", {"order": "hardest"}), "dcba", [1.0, 1.0, 1.0, 1.0]) == "acbd"


def test_the_median_is_of_the_whole_pool_whoever_may_come() -> None:
    options = {"order": "hardest", "max_draws": 1}
    assert order(make("balanced", options), "abcdef", SCORES, history={"f": 1, "e": 1}) == "dcba"


@given(st.integers(1, 99), st.integers(0, 40), st.integers(0, 40), st.integers(0, 9))
def test_every_prefix_is_balanced_to_within_half_a_seed(
    percent: int, hard: int, easy: int, seed: int
) -> None:
    ids = "".join(chr(0x4E00 + i) for i in range(hard + easy))
    scores = [1.0] * hard + [0.0] * easy
    found = order(make("balanced", {"share": percent / 100, "line": 1.0}), ids, scores, seed=seed)
    assert sorted(found) == sorted(ids)
    taken = {"hard": 0, "easy": 0}
    for number, name in enumerate(found, start=1):
        if taken["hard"] == hard or taken["easy"] == easy:
            return
        taken["hard" if ids.index(name) < hard else "easy"] += 1
        assert abs(100 * taken["hard"] - percent * number) <= 50


@pytest.mark.parametrize("options", [{"share": 0.0}, {"share": 1.0}, {"line": "mean"}, {"line": "inf"}])
def test_a_share_or_line_that_means_nothing_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(PluginError, match=next(iter(options))):
        make("balanced", options)
