import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.stats import agreement, overlap


def test_an_overlap_by_hand() -> None:
    # 2 shared, 5 in one or the other, the smaller set has 3. By chance 4 * 3 / 10 are shared.
    found = overlap("abcd", "cde", pool=10)
    assert (found.first, found.second, found.shared) == (4, 3, 2)
    assert found.jaccard == pytest.approx(2 / 5)
    assert found.share == pytest.approx(2 / 3)
    assert found.chance_shared == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("first", "second", "pool"), [("abc", "cd", 6), ("ab", "cd", 4), ("abcd", "bcde", 7)]
)
def test_what_chance_gives_agrees_with_every_set_that_could_have_been_drawn(
    first: str, second: str, pool: int
) -> None:
    found = overlap(first, second, pool)
    names = "abcdefgh"[:pool]
    shared = [len(set(first) & set(drawn)) for drawn in itertools.combinations(names, len(second))]
    both = len(first) + len(second)
    assert found.chance_shared == pytest.approx(sum(shared) / len(shared))
    assert found.chance_jaccard == pytest.approx(sum(k / (both - k) for k in shared) / len(shared))
    assert found.p == pytest.approx(sum(k >= found.shared for k in shared) / len(shared))


def test_a_seed_that_was_picked_twice_counts_once() -> None:
    assert overlap("aab", "abb", pool=9) == overlap("ab", "ab", pool=9)
    assert overlap("ab", "ab", pool=9).jaccard == 1.0


def test_nothing_picked_agrees_with_nothing() -> None:
    empty = overlap("", "", pool=9)
    assert (empty.jaccard, empty.share, empty.chance_jaccard, empty.p) == (None, None, None, 1.0)
    assert (overlap("a", "", pool=9).jaccard, overlap("a", "", pool=9).share) == (0.0, None)


def test_more_picks_than_the_pool_has_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="4 seeds were picked out of a pool of 3"):
        overlap("abc", "bcd", pool=3)


@given(st.sets(st.integers(0, 300)), st.sets(st.integers(0, 300)))
def test_an_overlap_keeps_its_bounds_and_is_the_same_both_ways(first: set[int], second: set[int]) -> None:
    found, turned = overlap(first, second, 301), overlap(second, first, 301)
    assert (found.jaccard, found.share, found.shared) == (turned.jaccard, turned.share, turned.shared)
    assert found.p == pytest.approx(turned.p)
    assert 0 <= found.p <= 1
    if found.jaccard is not None and found.share is not None and found.chance_jaccard is not None:
        assert found.jaccard <= found.share <= 1
        assert 0 <= found.chance_jaccard <= 1


def test_agreement_is_the_mean_over_training_seeds_within_each() -> None:
    found = agreement({1: {"a": "wx", "b": "xy"}, 2: {"a": "wx", "b": "wx", "c": "z"}}, pool=8)
    assert found.names == ("a", "b", "c")
    # Of a and b: 1/3 and 1.
    assert found.jaccard[0] == pytest.approx((1.0, 2 / 3, 0.0))
    assert found.jaccard[1][0] == found.jaccard[0][1]
    assert found.chance[0][1] == pytest.approx(overlap("wx", "xy", 8).chance_jaccard)


def test_sets_that_no_training_seed_has_both_of_are_not_compared() -> None:
    found = agreement({1: {"a": "wx"}, 2: {"b": "wx"}}, pool=8)
    assert found.jaccard == ((1.0, None), (None, 1.0))
