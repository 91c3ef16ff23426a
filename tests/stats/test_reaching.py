import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.stats import Curve, reach_ratio, spent_to_reach
from asft.stats.resampling import Floats


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def curve(accuracies: list[float], axis: list[float], items: int = 10) -> Curve:
    """One seed that gets the first so many of the items right."""
    right = np.arange(items) < np.round(np.array(accuracies)[:, None] * items)
    return Curve(
        seeds=(0,),
        items=tuple((str(number), 0) for number in range(items)),
        axis=np.array([axis], np.float64),
        right=right[None].astype(float),
    )


def drawn(
    accuracies: list[float], chance: int, seeds: int = 5, items: int = 300, spread: float = 0.0
) -> Curve:
    """Seeds of about these accuracies at 0, 100, 200, ...; each seed is off by up to `spread` everywhere."""
    draw = np.random.default_rng(chance)
    share = np.array(accuracies)[None, :, None] + draw.uniform(-spread, spread, size=(seeds, 1, 1))
    return Curve(
        seeds=tuple(range(seeds)),
        items=tuple((str(number), 0) for number in range(items)),
        axis=np.tile(100.0 * np.arange(len(accuracies)), (seeds, 1)),
        right=(draw.random((seeds, len(accuracies), items)) < share).astype(float),
    )


# N(tau)


@pytest.mark.parametrize(("tau", "spent"), [(0.1, 0.0), (0.2, 80.0), (0.3, 80.0), (0.6, 70.0), (0.7, None)])
def test_where_half_a_student_does_not_cost_half_of_it_points_alone_are_read(
    tau: float, spent: float | None
) -> None:
    one = curve([0.1, 0.3, 0.2, 0.6, 0.5], [0, 80, 90, 70, 75])
    assert spent_to_reach(one, tau, between=False) == spent


def test_a_ratio_of_points_alone_is_that_of_two_students() -> None:
    one, two = curve([0.1, 0.3, 0.5], [0, 90, 100]), curve([0.1, 0.6, 0.7], [0, 120, 240])
    found = reach_ratio(one, two, rng(), between=False, resamples=200)
    assert (found.first, found.second) == (100.0, 120.0)
    assert found.ratio == pytest.approx(100 / 120)


@pytest.mark.parametrize(
    ("tau", "spent"),
    [
        (0.1, 0.0),  # the base student's own
        (0.2, 50.0),  # half the way from 0.1 to 0.3
        (0.3, 100.0),
        (0.6, 300.0),  # 0.3 at 100, 0.2 at 200 and 0.6 at 300
        (0.4, 250.0),
        (0.7, None),
    ],
)
def test_what_is_spent_to_reach_an_accuracy_lies_on_the_straight_line_that_first_gets_there(
    tau: float, spent: float | None
) -> None:
    found = spent_to_reach(curve([0.1, 0.3, 0.2, 0.6, 0.5], [0, 100, 200, 300, 400]), tau)
    assert found == (None if spent is None else pytest.approx(spent))


def test_what_was_reached_before_the_first_point_is_not_known() -> None:
    late = curve([0.5, 0.7], [100, 200])
    assert spent_to_reach(late, 0.4) is None
    assert spent_to_reach(late, 0.6) == pytest.approx(150)


def test_the_mean_curve_is_that_of_all_seeds_at_their_mean_spending() -> None:
    two = Curve(
        seeds=(0, 1),
        items=(("0", 0),),
        axis=np.array([[0.0, 100.0], [0.0, 300.0]]),
        right=np.array([[[0.0], [1.0]], [[0.0], [0.0]]]),
    )
    # At 200 on average, 1/2; 1/4 is half the way there.
    assert spent_to_reach(two, 0.25) == pytest.approx(100)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), st.integers(0, 20))
def test_it_is_where_the_envelope_of_the_curve_gets_there(right: list[int], tau: int) -> None:
    axis = [10.0 * number for number in range(len(right))]
    found = spent_to_reach(curve([count / 20 for count in right], axis, items=20), tau / 20)
    # Every place of the axis at which a line through two counts can cross a third is one of these.
    fine = np.arange(0, axis[-1] + 0.01, 0.01)
    envelope = np.maximum.accumulate(np.interp(fine, axis, np.array(right)))
    there = np.flatnonzero(envelope >= tau - 1e-9)
    if len(there):
        assert found == pytest.approx(fine[there[0]], abs=0.01)
    else:
        assert found is None


# The ratio


def test_an_arm_on_half_the_axis_saves_half_in_every_resample() -> None:
    full = drawn([0.05, 0.2, 0.4, 0.6], chance=1)
    found = reach_ratio(full, replace(full, axis=full.axis / 2), rng(), resamples=500)
    assert (found.ratio, found.low, found.high) == pytest.approx((2, 2, 2))
    assert (found.both, found.only_first, found.only_second, found.neither) == (1, 0, 0, 0)
    assert found.tau == pytest.approx(full.accuracy[:, -1].mean())
    assert found.seeds == 5


def test_an_arm_against_itself_saves_nothing() -> None:
    same = drawn([0.05, 0.2, 0.4, 0.6], chance=1, spread=0.05)
    found = reach_ratio(same, same, rng(), tau=0.35, resamples=500)
    assert (found.ratio, found.low, found.high) == (1, 1, 1)


def test_exchanging_the_arms_turns_the_ratio_over() -> None:
    slow, fast = drawn([0.0, 0.2, 0.4, 0.6], chance=1), drawn([0.0, 0.4, 0.6, 0.7], chance=2)
    one = reach_ratio(slow, fast, rng(), tau=0.5, resamples=2000)
    other = reach_ratio(fast, slow, rng(), tau=0.5, resamples=2000)
    assert one.ratio == pytest.approx(250 / 150, rel=0.1)
    assert None not in (one.low, one.high, other.low, other.high, other.ratio)
    assert (one.ratio, one.low, one.high) == pytest.approx(
        (1 / (other.ratio or 1), 1 / (other.high or 1), 1 / (other.low or 1))
    )


def counted_out(first: Floats, second: Floats) -> list[float]:
    """The ratio at the first arm's own end in every resample of 2 seeds and 2 items; axis 0, 1, 2."""
    found = []
    for seeds in itertools.product(range(2), repeat=2):
        for items in itertools.product(range(2), repeat=2):
            one, two = (table[list(seeds)][:, :, list(items)].mean(axis=(0, 2)) for table in (first, second))
            fine = np.linspace(0, 2, 20_001)
            at = [
                fine[np.interp(fine, [0, 1, 2], accuracy) >= one[-1] - 1e-9].min(initial=np.inf)
                for accuracy in (one, two)
            ]
            found.append(at[0] / at[1])
    return sorted(found)


def test_the_bounds_agree_with_every_resample_counted_out() -> None:
    # Grades between 0 and 1, so that resamples differ; the second arm always gets to where the first ends.
    first = np.array([[[0.0, 0.1], [0.2, 0.3], [0.5, 0.4]], [[0.0, 0.0], [0.3, 0.1], [0.6, 0.5]]])
    second = np.array([[[0.0, 0.1], [0.6, 0.3], [0.8, 0.9]], [[0.0, 0.0], [0.4, 0.5], [0.7, 0.8]]])
    one, two = (
        Curve(seeds=(0, 1), items=(("0", 0), ("1", 0)), axis=np.tile(np.arange(3.0), (2, 1)), right=table)
        for table in (first, second)
    )
    found = reach_ratio(one, two, rng(), resamples=3000)
    ratios = counted_out(first, second)
    # Of two seeds the interval is that of one degree of freedom: from the lowest resample to the highest.
    assert (found.low, found.high) == pytest.approx((ratios[0], ratios[-1]), rel=1e-3)
    assert found.both == 1


def test_an_accuracy_that_the_first_never_reaches_leaves_the_interval_open_above() -> None:
    low, high = drawn([0.0, 0.1, 0.2], chance=1), drawn([0.0, 0.5, 0.6], chance=2)
    found = reach_ratio(low, high, rng(), tau=0.4, resamples=1000)
    assert (found.first, found.ratio, found.high) == (None, None, None)
    assert found.second == pytest.approx(80, abs=10)
    # It takes the first more than 200, and the second less than 100.
    assert found.low is not None
    assert 2 < found.low < 200 / 80
    assert (found.only_second, found.both, found.only_first, found.neither) == (1, 0, 0, 0)


def test_an_accuracy_that_the_second_never_reaches_leaves_it_open_below() -> None:
    low, high = drawn([0.0, 0.1, 0.2], chance=1), drawn([0.0, 0.5, 0.6], chance=2)
    found = reach_ratio(high, low, rng(), tau=0.4, resamples=1000)
    assert (found.second, found.ratio, found.low) == (None, None, None)
    assert found.high is not None
    assert 80 / 200 < found.high < 0.5
    assert found.only_first == 1


def test_an_accuracy_that_none_reaches_says_nothing() -> None:
    both = drawn([0.0, 0.2], chance=1)
    found = reach_ratio(both, both, rng(), tau=0.9, resamples=100)
    assert (found.first, found.second, found.ratio, found.low, found.high) == (None,) * 5
    assert found.neither == 1


def test_an_accuracy_that_some_resamples_reach_is_counted_as_such() -> None:
    ends, beyond = drawn([0.0, 0.3, 0.5], chance=1), drawn([0.0, 0.5, 0.9], chance=2)
    found = reach_ratio(ends, beyond, rng(), tau=0.5, resamples=1000)
    assert 0.1 < found.only_second < 0.9
    assert found.both + found.only_second == pytest.approx(1)
    assert found.high is None
    assert found.low is not None


def test_an_accuracy_that_the_base_student_has_gives_no_ratio() -> None:
    both = drawn([0.5, 0.6], chance=1)
    found = reach_ratio(both, both, rng(), tau=0.1, resamples=100)
    assert (found.first, found.second) == (0, 0)
    assert (found.ratio, found.low, found.high) == (None, None, None)


def test_few_seeds_that_differ_widen_the_interval() -> None:
    alike = [drawn([0.05, 0.3, 0.5, 0.6], chance=chance, seeds=3) for chance in (1, 2)]
    apart = [drawn([0.05, 0.3, 0.5, 0.6], chance=chance, seeds=3, spread=0.04) for chance in (1, 2)]
    close, wide = (reach_ratio(one, two, rng(), tau=0.4, resamples=2000) for one, two in (alike, apart))
    assert None not in (close.low, close.high, wide.low)
    assert (wide.low or 0) < (close.low or 0) < 1 < (close.high or 0) < (wide.high or np.inf)


def test_of_one_seed_it_says_so() -> None:
    one, two = (drawn([0.0, 0.4, 0.6], chance=chance, seeds=1) for chance in (1, 2))
    assert reach_ratio(one, two, rng(), tau=0.3, resamples=100).seeds == 1
