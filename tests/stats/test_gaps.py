import math

import numpy as np
import pytest

from asft.stats import Curve, estimate, group_gaps
from asft.stats.resampling import Floats


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def curve(right: Floats) -> Curve:
    return Curve(
        seeds=tuple(range(len(right))),
        items=tuple((str(number), 0) for number in range(right.shape[2])),
        axis=np.tile(100.0 * np.arange(right.shape[1]), (len(right), 1)),
        right=np.asarray(right, np.float64),
    )


GROUPS = {str(number): "abc"[number // 40] for number in range(120)}
"""Items 0 to 39 are of group a, then b, then c."""


def test_the_worst_and_the_best_group_and_what_lies_between_them() -> None:
    right = np.zeros((2, 2, 120))
    right[:, 1, :10] = 1  # a: 10 of 40
    right[:, 1, 40:70] = 1  # b: 30 of 40
    right[0, 1, 80:110] = 1  # c: 30 of 40 by one seed, 10 by the other
    right[1, 1, 80:90] = 1
    start, end = group_gaps(curve(right), GROUPS, rng(), resamples=500)
    assert (start.spent, end.spent) == (0, 100)
    assert (end.worst, end.best, end.gap.value) == ("a", "b", 0.5)
    assert [(name, one.value) for name, one in end.groups.items()] == [("a", 0.25), ("c", 0.5), ("b", 0.75)]
    assert (start.gap.value, start.p, start.by_chance) == (0, 1, 0)


def test_the_interval_of_a_gap_adds_the_errors_of_its_two_groups() -> None:
    right = np.zeros((1, 1, 120))
    right[0, 0, :10] = right[0, 0, 40:70] = right[0, 0, 80:100] = 1
    [found] = group_gaps(curve(right), GROUPS, rng(), resamples=500)
    # 0.25 and 0.75 of 40 each: variances 0.1875 / 40, twice. 79 degrees of freedom: t = 1.9905.
    reach = 1.9905 * math.sqrt(2 * 0.1875 / 40)
    assert found.gap.high - found.gap.value == pytest.approx(reach, rel=0.02)
    # Of two groups of 40 at 1/2, at random, E|difference| = sqrt(2 / pi) sqrt(2 * 0.25 / 40) = 0.089; of the
    # best and the worst of three more.
    assert 0.09 < found.by_chance < 0.2
    assert found.p < 0.01


def test_groups_of_other_sizes_add_their_own_errors() -> None:
    right = np.zeros((1, 1, 120))
    right[0, 0, :10] = right[0, 0, 20:95] = 1
    sizes = {str(number): "small" if number < 20 else "large" for number in range(120)}
    [found] = group_gaps(curve(right), sizes, rng(), resamples=500)
    # 10 of 20 and 75 of 100. 119 degrees of freedom: t = 1.9801.
    reach = 1.9801 * math.sqrt(0.25 / 20 + 0.1875 / 100)
    assert found.worst == "small"
    assert found.gap.value == pytest.approx(0.25)
    assert found.gap.by_seed == pytest.approx((0.25,))
    assert found.gap.high - found.gap.value == pytest.approx(reach, rel=0.01)
    # Dealt out of 120, 85 of them right, the difference varies by p (1 - p) (1/20 + 1/100) 120 / 119.
    spread = math.sqrt(85 / 120 * 35 / 120 * (1 / 20 + 1 / 100) * 120 / 119)
    assert found.by_chance == pytest.approx(math.sqrt(2 / math.pi) * spread, rel=0.1)


def test_seeds_that_favour_one_group_widen_it() -> None:
    right = np.zeros((4, 1, 120))
    for seed, share in enumerate((5, 15, 25, 35)):
        right[seed, 0, 40 : 40 + share] = 1
    [found] = group_gaps(curve(right), GROUPS, rng(), resamples=500)
    assert found.best == "b"
    assert found.gap.by_seed == pytest.approx((5 / 40, 15 / 40, 25 / 40, 35 / 40))
    # The seeds alone: t with 3 degrees of freedom, 3.182 * 0.3227 / 2.
    assert found.gap.high - found.gap.value > 0.9 * 3.182 * 0.3227 / 2


def test_each_group_has_the_estimate_of_its_own_items() -> None:
    right = rng().integers(0, 2, size=(3, 1, 120)).astype(float)
    [found] = group_gaps(curve(right), GROUPS, rng(), resamples=300)
    alone = estimate(right[:, 0, 40:80], rng(), resamples=300)
    shown = found.groups["b"]
    assert (shown.value, shown.low, shown.high) == pytest.approx((alone.value, alone.low, alone.high))


def test_groups_that_do_not_differ_show_the_gap_that_chance_gives() -> None:
    draw = rng()
    found = [
        group_gaps(curve(draw.integers(0, 2, size=(1, 1, 120)).astype(float)), GROUPS, draw, resamples=200)[0]
        for _ in range(60)
    ]
    assert np.mean([one.gap.value for one in found]) == pytest.approx(
        np.mean([one.by_chance for one in found]), rel=0.15
    )
    # p is small as often as it says.
    assert np.mean([one.p <= 0.25 for one in found]) == pytest.approx(0.25, abs=0.15)


def test_small_groups_and_items_of_no_group_are_left_out() -> None:
    right = rng().integers(0, 2, size=(1, 1, 120)).astype(float)
    some = {number: group for number, group in GROUPS.items() if group != "c" or int(number) < 95}
    [found] = group_gaps(curve(right), some, rng(), resamples=50)
    assert set(found.groups) == {"a", "b"}
    assert group_gaps(curve(right), dict.fromkeys(GROUPS, "a"), rng()) == ()
    assert group_gaps(curve(right), GROUPS, rng(), least=41, resamples=50) == ()
    assert len(group_gaps(curve(right), GROUPS, rng(), least=40, resamples=50)) == 1
