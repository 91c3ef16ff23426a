import itertools
from dataclasses import replace

import numpy as np
import pytest

from asft.stats import Curve, gap_recovered
from asft.stats.resampling import Floats


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def curve(right: Floats) -> Curve:
    """Grades [seed, point, item]; points at 0, 100, 200, ..."""
    return Curve(
        seeds=tuple(range(len(right))),
        items=tuple((str(number), 0) for number in range(right.shape[2])),
        axis=np.tile(100.0 * np.arange(right.shape[1]), (len(right), 1)),
        right=np.asarray(right, np.float64),
    )


def drawn(accuracies: list[float], chance: int, seeds: int = 5, spread: float = 0.0) -> Curve:
    """Seeds of about these accuracies; once it is trained, each is off by up to `spread`."""
    draw = np.random.default_rng(chance)
    share = np.array(accuracies)[None, :, None] + np.zeros((seeds, 1, 1))
    share[:, 1:] += draw.uniform(-spread, spread, size=(seeds, 1, 1))
    return curve((draw.random((seeds, len(accuracies), 400)) < share).astype(float))


def test_the_gap_recovered_by_hand() -> None:
    # The base student has 1 of 8 right, the arm ends at 4, the student of real data at 7: 3 / 6.
    arm = curve((np.arange(8) < np.array([1, 2, 4])[:, None])[None].astype(float))
    real = curve((np.arange(8) < np.array([1, 7])[:, None])[None].astype(float))
    found = gap_recovered(arm, real, rng())
    assert (found.value, found.seeds) == (0.5, 1)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < 0.5 < found.high <= 1


def test_real_data_recovers_all_and_no_data_nothing_in_every_resample() -> None:
    real = drawn([0.1, 0.6], chance=1)
    whole = gap_recovered(real, real, rng(), resamples=300)
    assert (whole.value, whole.low, whole.high, whole.without_gap) == (1, 1, 1, 0)
    idle = curve(np.repeat(real.right[:, :1], 2, axis=1))
    none = gap_recovered(idle, real, rng(), resamples=300)
    assert (none.value, none.low, none.high) == (0, 0, 0)


def test_no_gap_is_not_a_gap_of_nothing() -> None:
    arm = drawn([0.5, 0.6], chance=1)
    found = gap_recovered(
        arm, curve(np.stack([arm.right[:, 0], arm.right[:, 0]], axis=1)), rng(), resamples=100
    )
    assert (found.value, found.low, found.high, found.without_gap) == (None, None, None, 1)


def test_a_gap_that_many_resamples_do_not_have_leaves_the_interval_open() -> None:
    arm = drawn([0.5, 0.6], chance=1)
    real = curve(np.stack([arm.right[:, 0], drawn([0.52], chance=2).right[:, 0]], axis=1))
    found = gap_recovered(arm, real, rng(), resamples=500)
    assert found.value is not None
    assert (found.low, found.high) == (None, None)
    assert 0.05 < found.without_gap < 0.6


def test_the_interval_agrees_with_every_resample_counted_out() -> None:
    arm = curve(np.array([[[0.0, 0.1], [0.5, 0.4]], [[0.0, 0.1], [0.3, 0.5]]]))
    real = curve(np.array([[[0.0, 0.1], [0.8, 0.9]], [[0.0, 0.1], [0.9, 0.6]]]))
    ratios = []
    for seeds in itertools.product(range(2), repeat=2):
        for items in itertools.product(range(2), repeat=2):
            base, end, reference = (
                table[list(seeds)][:, list(items)].mean()
                for table in (arm.right[:, 0], arm.right[:, 1], real.right[:, 1])
            )
            ratios.append((end - base) / (reference - base))
    found = gap_recovered(arm, real, rng(), resamples=3000)
    assert found.value == pytest.approx((0.425 - 0.05) / (0.8 - 0.05))
    # Of two seeds the interval is that of one degree of freedom: from the lowest resample to the highest.
    assert (found.low, found.high) == pytest.approx((min(ratios), max(ratios)))


def test_few_seeds_that_differ_widen_the_interval() -> None:
    real = drawn([0.1, 0.8], chance=1)
    close, wide = (
        gap_recovered(drawn([0.1, 0.5], chance=2, spread=spread), real, rng(), resamples=1000)
        for spread in (0.0, 0.1)
    )
    assert None not in (close.low, close.high, wide.low, wide.high)
    assert (wide.low or 0) < (close.low or 0) < (close.high or 0) < (wide.high or 0)


def test_what_a_dollar_recovers_is_unknown_where_the_cost_is() -> None:
    real = drawn([0.1, 0.6], chance=1)
    found = gap_recovered(real, real, rng(), resamples=10)
    dear = found.per_dollar(4.0)
    assert dear is not None
    assert (dear.value, dear.low, dear.high) == (0.25, 0.25, 0.25)
    assert found.per_dollar(None) is None
    assert found.per_dollar(0.0) is None
    unknown = replace(found, value=None, low=None, high=None).per_dollar(4.0)
    assert unknown is not None
    assert unknown.value is None


def test_a_curve_without_the_base_student_is_refused() -> None:
    late = replace(drawn([0.1, 0.6], chance=1), axis=np.tile([100.0, 200.0], (5, 1)))
    with pytest.raises(ValueError, match="give a curve from the base student on"):
        gap_recovered(late, late, rng())
