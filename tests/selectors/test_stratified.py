"""Orders dealt by shares, and a selector per stratum."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.errors import DataError, PluginError
from asft.selectors.shares import dealt
from tests.selectors.pools import make, order

SCORES = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
# Six of the family x, two of y.
TAGS = dict(zip("abcdefgh", "xxxxxxyy", strict=True))


def dealt_out(sizes: dict[str, int], shares: dict[str, Fraction]) -> str:
    return "".join(dealt({name: iter(name * size) for name, size in sizes.items()}, shares))


def test_three_orders_are_dealt_as_worked_out_by_hand() -> None:
    # k = 3, so an order is in line from 1/4 behind on, and 3/4 is the most. Shares 1/2, 1/3, 1/6.
    # 1: 1/2, 1/3 behind; deadlines ceil(3/4 / (1/2)) = 2, ceil(3/4 x 3) = 3: a.
    # 2: a 0, b 2/3, c 1/3; deadlines b 3, c ceil(3/4 x 6) = 5: b.
    # 3: a 1/2, b 0, c 1/2; deadlines a ceil(7/4 x 2) = 4, c 5: a.
    # 4: a 0, b 1/3, c 2/3; deadlines b ceil(7/4 x 3) = 6, c 5: c.
    # 5: a 1/2, b 2/3, c -1/6; deadlines a ceil(11/4 x 2) = 6, b 6: a, which has the greater share.
    # 6: a 0, b 1, c 0: b.
    shares = {"a": Fraction(1, 2), "b": Fraction(1, 3), "c": Fraction(1, 6)}
    assert dealt_out({"a": 6, "b": 4, "c": 2}, shares) == "abacab" * 2


def test_when_an_order_ends_the_others_share_the_rest() -> None:
    shares = {"a": Fraction(1, 2), "b": Fraction(1, 4), "c": Fraction(1, 4)}
    found = dealt_out({"a": 1, "b": 3, "c": 3}, shares)
    assert found.index("a") == 0
    assert all(Counter(found[1 : 1 + 2 * laps]) == {"b": laps, "c": laps} for laps in (1, 2, 3))


@given(st.lists(st.integers(1, 9), min_size=2, max_size=9))
def test_every_prefix_keeps_to_the_shares_as_nearly_as_integers_allow(weights: list[int]) -> None:
    total, k = sum(weights), len(weights)
    shares = {chr(97 + i): Fraction(weight, total) for i, weight in enumerate(weights)}
    found = dealt_out({name: 2 * weight for name, weight in zip(shares, weights, strict=True)}, shares)
    assert len(found) == 2 * total
    taken = dict.fromkeys(shares, 0)
    for number, name in enumerate(found, start=1):
        taken[name] += 1
        for other, share in shares.items():
            assert abs(taken[other] - share * number) <= 1 - Fraction(1, 2 * k - 2)


def test_strata_have_the_shares_of_the_pool() -> None:
    # x has 3/4, y 1/4. Of the second seed 1/2 is due to either, and x is greater; then y is 3/4 behind.
    assert order(make("stratified", {"by": "family"}), "abcdefgh", SCORES, tags=TAGS) == "fehdcbga"


def test_strata_can_have_equal_shares_until_one_is_used_up() -> None:
    selector = make("stratified", {"by": "family", "shares": "equal"})
    assert order(selector, "abcdefgh", SCORES, tags=TAGS) == "fhegdcba"


def test_a_floor_raises_the_small_and_leaves_the_others_in_proportion() -> None:
    # Shares 8/11, 2/11, 1/11 and a floor of 1/4: w has 1/2, v and u have 1/4 each.
    ids = "abcdefghijk"
    tags = dict(zip(ids, "wwwwwwwwvvu", strict=True))
    found = order(make("stratified", {"by": "family", "floor": 0.25}), ids, [0.0] * 11, tags=tags)
    assert Counter(tags[name] for name in found[:4]) == {"w": 2, "v": 1, "u": 1}


def test_raising_one_stratum_can_put_another_below_the_floor() -> None:
    # Shares 11/20, 6/20, 3/20 and a floor of 0.29: c is raised to 0.29, and of the 0.71 that is left b has
    # 6/17 x 0.71 = 0.2506, so that it is raised too, and a has 0.42.
    ids = "".join(chr(0x4E00 + i) for i in range(20))
    tags = {name: "a" * (at < 11) or "b" * (at < 17) or "c" for at, name in enumerate(ids)}
    found = order(make("stratified", {"by": "family", "floor": 0.29}), ids, [0.0] * 20, tags=tags)
    # Until the three of c are used up, each share holds to within 3/4 of a seed.
    last = [at for at, name in enumerate(found) if tags[name] == "c"][-1]
    taken = Counter(tags[name] for name in found[: last + 1])
    shares = {"a": 0.42, "b": 0.29, "c": 0.29}
    assert all(abs(taken[name] - share * (last + 1)) <= 0.75 for name, share in shares.items())


def test_each_stratum_is_left_to_the_selector_within() -> None:
    options = {"by": "family", "within": {"use": "threshold", "high": 2.0, "then": "stop"}}
    tags = dict(zip("abcdef", "xyxyxy", strict=True))
    assert order(make("stratified", options), "abcdef", SCORES[:6], tags=tags) == "cba"


def test_the_selector_within_sees_its_stratum_alone() -> None:
    # Of each family the median tells apart what is hard: in x c, in y d.
    options = {"by": "family", "within": {"use": "balanced", "order": "hardest"}}
    tags = dict(zip("abcd", "xyxy", strict=True))
    assert order(make("stratified", options), "abcd", [0.0, 5.0, 1.0, 9.0], tags=tags) == "cdab"


def test_a_selector_within_can_go_by_places() -> None:
    # Family x stands at 0, 1 and 9, y at 5 and 6; the first is the hardest, then what is farthest from it.
    places = {"a": [0.0], "b": [1.0], "c": [9.0], "d": [5.0], "e": [6.0]}
    options = {"by": "family", "within": {"use": "kcenter"}, "shares": "equal"}
    tags = dict(zip("abcde", "xxxyy", strict=True))
    found = order(make("stratified", options), "abcde", [1.0, 2.0, 0.0, 2.0, 1.0], places=places, tags=tags)
    assert found == "bdcea"


def test_the_needs_are_those_of_the_selector_within() -> None:
    assert make("stratified", {"by": "family", "within": "badge"}).needs == make("badge").needs


def test_seeds_without_the_tag_are_a_stratum_of_their_own() -> None:
    options = {"by": "family", "shares": "equal"}
    found = order(make("stratified", options), "abcd", SCORES[:4], tags={"a": "x", "b": "x"})
    assert found == "dbca"


def test_a_tag_that_no_seed_has_is_told() -> None:
    with pytest.raises(DataError, match="no seed of the pool has the tag 'famly'; tags: family"):
        order(make("stratified", {"by": "famly"}), "ab", [1.0, 2.0])


def test_floors_that_are_more_than_the_whole_are_told() -> None:
    tags = {"a": "x", "b": "y", "c": "z"}
    with pytest.raises(
        DataError, match=r"floor = 0.4 for each of the 3 strata of 'family' is more.*; 0.333 is"
    ):
        order(make("stratified", {"by": "family", "floor": 0.4}), "abc", tags=tags)


def test_a_floor_under_equal_shares_is_refused() -> None:
    with pytest.raises(PluginError, match=r"floor = 0.1 changes nothing"):
        make("stratified", {"by": "family", "shares": "equal", "floor": 0.1})


def test_a_random_order_of_the_run_holds_within_each_stratum() -> None:
    within = make("stratified", {"by": "family", "within": {"use": "random", "over": "run"}})
    assert getattr(within, "of_the_run") is True  # noqa: B009
    whole = order(within, "abcdefgh")
    later = order(within, "abcdefgh", history=dict.fromkeys(whole[:4], 1))
    for family in ("aeiou", "bcdfgh"):
        one, other = ([seed for seed in found if seed in family] for found in (whole, later))
        drawn = [seed for seed in whole[:4] if seed in family]
        assert other == one[len(drawn) :] + drawn
    assert getattr(make("stratified", {"by": "family"}), "of_the_run") is False  # noqa: B009
    both = make("composition", {"first": "top", "then": {"use": "random", "over": "run"}})
    assert getattr(both, "of_the_run") is True  # noqa: B009
