import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.stats import (
    Curve,
    area_difference,
    band,
    difference_at,
    differences,
    end_difference,
    estimate,
    win_rates,
)
from asft.stats.resampling import Floats

T4 = 2.7764451  # the 97.5% point of t with 4 degrees of freedom, from a table


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def curve(right: Floats, spent: tuple[float, ...] | None = None, seeds: tuple[int, ...] = ()) -> Curve:
    """Grades [seed, point, item]; points at 0, 100, 200, ... unless told."""
    axis = np.array(spent if spent is not None else [100.0 * point for point in range(right.shape[1])])
    return Curve(
        seeds=seeds or tuple(range(len(right))),
        items=tuple((str(number), 0) for number in range(right.shape[2])),
        axis=np.tile(axis, (len(right), 1)),
        right=np.asarray(right, np.float64),
    )


def drawn(accuracies: list[list[float]], items: int = 200, chance: int = 1) -> Curve:
    """Five seeds, say, whose accuracy at each point is about what is given."""
    share = np.array(accuracies)[:, :, None]
    return curve((np.random.default_rng(chance).random((*share.shape[:2], items)) < share).astype(float))


A = drawn([[0.1, 0.4, 0.6]] * 5, chance=1)
B = drawn([[0.1, 0.3, 0.5]] * 5, chance=2)


def test_a_difference_is_that_of_the_tables_seed_by_seed_and_item_by_item() -> None:
    found = differences(A, B, rng(), resamples=500)
    again = rng()
    assert found == tuple(
        estimate(A.right[:, number] - B.right[:, number], again, resamples=500) for number in range(3)
    )
    assert end_difference(A, B, rng()) == estimate(A.right[:, 2] - B.right[:, 2], rng())
    assert difference_at(A, B, 100, rng()) == estimate(A.right[:, 1] - B.right[:, 1], rng())
    half = estimate((A.right - B.right)[:, 1:].mean(axis=1), rng())
    assert difference_at(A, B, 150, rng()).value == pytest.approx(half.value)


def test_pairs_remove_what_is_common_to_both_arms() -> None:
    # Seeds and items that are as hard for both arms; the first arm has 20 items more, in all seeds alike.
    hard = drawn([[0.2], [0.5], [0.3], [0.6], [0.4]], items=1000).right
    better = hard.copy()
    better[:, :, :20] = 1.0
    worse = hard.copy()
    worse[:, :, :20] = 0.0
    found = end_difference(curve(better), curve(worse), rng())
    # 20 ones in 1000: the error is sqrt(0.02 * 0.98 / 999) whatever the seeds, with 999 degrees of freedom.
    assert found.value == pytest.approx(0.02)
    assert found.high - found.value == pytest.approx(1.9623 * math.sqrt(0.02 * 0.98 / 999), rel=1e-4)


def test_seeds_are_paired_whatever_their_order() -> None:
    turned = B.of_seeds([3, 0, 4, 1, 2])
    assert end_difference(A, turned, rng()) == end_difference(A, B, rng())


def test_exchanging_the_arms_turns_the_sign() -> None:
    one, other = area_difference(A, B, rng()).difference, area_difference(B, A, rng()).difference
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p == pytest.approx(other.p)


def test_points_of_one_seed_alone_say_so() -> None:
    found = end_difference(A, B.of_seeds([2]), rng())
    assert (found.seeds, found.by_seed) == (1, ((A.right - B.right)[2, 2].mean(),))


def test_arms_with_different_numbers_of_points_are_not_paired_by_number() -> None:
    with pytest.raises(ValueError, match="3 and 2 points"):
        differences(A, curve(B.right[:, :2]), rng())


def test_areas_are_compared_over_what_both_were_measured_at() -> None:
    late = curve(B.right[:, 1:], spent=(100, 150))
    found = area_difference(A, late, rng())
    assert (found.low, found.high) == (100, 150)
    # Straight lines: from the first end of the stretch to its other.
    ends = A.accuracy[:, 1].mean(), A.at(150).mean()
    assert found.first == pytest.approx(sum(ends) / 2)
    assert found.second == pytest.approx(B.accuracy[:, 1:].mean())
    assert found.difference.value == pytest.approx(found.first - found.second)
    assert area_difference(A, B, rng(), low=100, high=200).low == 100


def test_a_band_is_the_mean_of_the_seeds_with_an_interval_at_each_point() -> None:
    right = np.zeros((5, 2, 100))
    for seed, share in enumerate((10, 30, 20, 70, 40)):
        right[seed, 1, :share] = 1
    found = band(curve(right), rng())
    assert [one.value for one in found] == pytest.approx([0, 0.34])
    assert (found[0].low, found[0].high) == (0, 0)
    assert found[1].by_seed == (0.1, 0.3, 0.2, 0.7, 0.4)
    # The seeds alone: 2.776 * 0.2302 / sqrt(5) = 0.286; the items are nested and add to it.
    assert 0.04 < found[1].low < 0.34 - 0.28
    assert all(0 <= one.low <= one.high <= 1 for one in found)


def test_a_band_stays_within_0_and_1() -> None:
    right = np.ones((2, 1, 10))
    right[0, 0, :5] = 0
    assert band(curve(right), rng())[0].low == 0.0
    assert band(curve(right), rng())[0].high == 1.0


# Win rates


def right_of(counts: list[list[int]]) -> Floats:
    """[seed][point] -> the first so many of ten items right."""
    return (np.arange(10) < np.array(counts)[:, :, None]).astype(float)


def test_win_rates_by_hand() -> None:
    # The first points are the base student and no contest. a against b: + + and + =, so 3.5 of 4.
    a = curve(right_of([[1, 5, 6], [1, 5, 6]]))
    b = curve(right_of([[1, 4, 5], [1, 4, 6]]))
    c = curve(right_of([[1, 9, 5], [1, 9, 5]]))
    found = win_rates({"a": a, "b": b, "c": c})
    assert found.arms == ("a", "b", "c")
    # a against c: - + and - +. b against c: - = and - +.
    assert found.share == ((None, 3.5 / 4, 0.5), (0.5 / 4, None, 1.5 / 4), (0.5, 2.5 / 4, None))
    assert found.contests == ((0, 4, 4), (4, 0, 4), (4, 4, 0))


def test_win_rates_at_the_ends_compare_the_last_points_alone() -> None:
    a, b = curve(right_of([[1, 5, 6], [1, 5, 6]])), curve(right_of([[1, 9, 5], [1, 9, 6]]))
    assert win_rates({"a": a, "b": b}, ends=True).share[0][1] == 0.75


def test_arms_that_share_only_the_base_student_never_met() -> None:
    a, b = curve(right_of([[3]])), curve(right_of([[3, 5]]))
    assert win_rates({"a": a, "b": b}).share == ((None, None), (None, None))


@given(st.integers(0, 2**32 - 1))
def test_what_one_arm_wins_the_other_loses(seed: int) -> None:
    chance = np.random.default_rng(seed)
    arms = {name: curve(right_of(chance.integers(0, 11, size=(3, 4)).tolist())) for name in "abc"}
    share = win_rates(arms).share
    for one in range(3):
        for other in range(one):
            forth, back = share[one][other], share[other][one]
            assert forth is not None
            assert back is not None
            assert forth + back == pytest.approx(1)
