import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest

from asft.stats import (
    BLOCK,
    bootstrap,
    hierarchical_bootstrap,
    paired_bootstrap,
    wilson,
)

Z95 = 1.959963984540054  # the 97.5% point of the normal distribution, from a table


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# Wilson


def test_wilson_gives_the_published_interval() -> None:
    # 8 of 10: centre (0.8 + z^2/20) / (1 + z^2/10) = 0.99207 / 1.38415 = 0.71674, and
    # reach z * sqrt(0.016 + z^2/400) / 1.38415 = 1.95996 * 0.16000 / 1.38415 = 0.22658.
    interval = wilson(8, 10)
    assert interval.low == pytest.approx(0.49016, abs=1e-5)
    assert interval.high == pytest.approx(0.94332, abs=1e-5)


@pytest.mark.parametrize(("right", "items"), [(1, 7), (8, 10), (263, 500), (999, 1000)])
def test_the_ends_of_wilson_are_the_shares_that_the_score_test_just_allows(right: int, items: int) -> None:
    interval = wilson(right, items)
    for p in (interval.low, interval.high):
        assert abs(right / items - p) / math.sqrt(p * (1 - p) / items) == pytest.approx(Z95)


def test_wilson_of_none_right_starts_at_0_and_of_all_right_ends_at_1() -> None:
    # 0 of 10: the upper end is z^2 / (10 + z^2) = 3.84146 / 13.84146.
    assert wilson(0, 10).low == 0.0
    assert wilson(0, 10).high == pytest.approx(3.8414588 / 13.8414588)
    assert wilson(10, 10).high == 1.0
    assert wilson(10, 10).low == pytest.approx(1 - 3.8414588 / 13.8414588)


def test_a_higher_level_is_wider() -> None:
    assert wilson(8, 10, level=0.99).low < wilson(8, 10).low < 0.8 < wilson(8, 10).high
    assert wilson(8, 10).high < wilson(8, 10, level=0.99).high


@pytest.mark.parametrize(("right", "items"), [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_what_is_no_share(right: int, items: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        wilson(right, items)


# Bootstraps


def ends(means: list[float], level: float) -> tuple[float, float]:
    """The quantiles of a distribution that is known whole: every resample, equally likely."""
    means = sorted(means)
    edge = (1 - level) / 2
    return means[math.floor(edge * len(means))], means[math.ceil((1 - edge) * len(means)) - 1]


def test_the_paired_bootstrap_agrees_with_every_resample_counted_out() -> None:
    before, after = [0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.25, 1.0]
    differences = [1.0, 0.0, 0.25, 1.0]
    # All 4^4 = 256 resamples. At 80% the ends lie inside steps of the distribution, not on their edges.
    means = [sum(drawn) / 4 for drawn in itertools.product(differences, repeat=4)]
    found = paired_bootstrap(before, after, rng(), level=0.8, resamples=40_000)
    assert found.mean == pytest.approx(0.5625)
    assert (found.low, found.high) == pytest.approx(ends(means, 0.8))


def test_the_bootstrap_of_a_mean_agrees_with_every_resample_counted_out() -> None:
    grades = [0.0, 1.0, 0.25, 1.0]
    means = [sum(drawn) / 4 for drawn in itertools.product(grades, repeat=4)]
    found = bootstrap(grades, rng(), level=0.8, resamples=40_000)
    assert (found.low, found.high) == pytest.approx(ends(means, 0.8))


def test_the_bootstrap_of_equal_grades_has_no_width_and_of_none_there_is_none() -> None:
    assert (bootstrap([1.0] * 5, rng()).low, bootstrap([1.0] * 5, rng()).high) == (1.0, 1.0)
    with pytest.raises(ValueError, match="there are no grades"):
        bootstrap([], rng())


def test_the_hierarchical_bootstrap_agrees_with_every_resample_counted_out() -> None:
    table = [[1.0, 0.0, 0.5], [0.2, 0.1, 0.9]]
    # All 2^2 draws of seeds times 3^3 draws of items, shared by the drawn seeds: 108 resamples.
    means = [
        sum(table[s][i] for s in seeds for i in items) / 6
        for seeds in itertools.product(range(2), repeat=2)
        for items in itertools.product(range(3), repeat=3)
    ]
    found = hierarchical_bootstrap(table, rng(), level=0.8, resamples=40_000)
    assert found.mean == pytest.approx(2.7 / 6)
    assert (found.low, found.high) == pytest.approx(ends(means, 0.8))


def test_the_paired_interval_has_the_width_that_theory_gives() -> None:
    # 1000 items, 200 gained, 100 lost: variance 0.3 - 0.1^2 = 0.29, so 0.1 +- 1.96 * sqrt(0.29 / 1000).
    before = [0.0] * 200 + [1.0] * 100 + [1.0] * 700
    after = [1.0] * 200 + [0.0] * 100 + [1.0] * 700
    found = paired_bootstrap(before, after, rng())
    assert found.mean == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - 0.03338, abs=0.002)
    assert found.high == pytest.approx(0.1 + 0.03338, abs=0.002)


def test_items_that_are_hard_for_all_seeds_do_not_count_as_independent() -> None:
    # Eight seeds that agree on every item know no more than one: the interval is that of the items.
    items = [1.0] * 30 + [0.0] * 70
    together = hierarchical_bootstrap([items] * 8, rng())
    alone = paired_bootstrap([0.0] * 100, items, rng())
    assert together.low == pytest.approx(alone.low, abs=0.011)
    assert together.high == pytest.approx(alone.high, abs=0.011)


def test_seeds_that_differ_widen_the_interval_however_many_items_there_are() -> None:
    # Seeds at 0 and 1 on 1000 items: one draw in four takes either seed twice, so 95% spans them all.
    found = hierarchical_bootstrap([[0.0] * 1000, [1.0] * 1000], rng())
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)


def test_equal_chance_gives_equal_intervals() -> None:
    first, second = (paired_bootstrap([0, 1, 0], [1, 1, 0], rng()) for _ in range(2))
    assert first == second


def test_resamples_that_fill_several_blocks_are_all_used() -> None:
    differences = np.linspace(-1, 1, 3001)
    few = -(-BLOCK // 3001)  # just over one block
    found = paired_bootstrap([0.0] * 3001, list(differences), rng(), resamples=2 * few)
    # The standard deviation of the uniform law on [-1, 1] is 1/sqrt(3).
    assert found.high - found.low == pytest.approx(2 * Z95 / math.sqrt(3 * 3001), rel=0.15)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [([], [], "no pairs"), ([1.0], [1.0, 0.0], "no pairs"), ([1.0], [math.nan], "not a finite number")],
)
def test_the_paired_bootstrap_refuses_what_is_no_pair(
    before: list[float], after: list[float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        paired_bootstrap(before, after, rng())


@pytest.mark.parametrize("table", [[1.0, 0.0], [[1.0, 0.0]], [[], []]])
def test_the_hierarchical_bootstrap_refuses_less_than_two_seeds_with_items(table: npt.ArrayLike) -> None:
    with pytest.raises(ValueError, match="at least two seeds"):
        hierarchical_bootstrap(table, rng())


def test_a_level_or_a_number_of_resamples_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="level 95"):
        wilson(1, 2, level=95)
    with pytest.raises(ValueError, match="0 resamples"):
        paired_bootstrap([0.0], [1.0], rng(), resamples=0)
