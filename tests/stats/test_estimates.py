import itertools
import math
import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from asft.stats import estimate, hierarchical_bootstrap, paired_bootstrap
from asft.stats.estimates import noise
from asft.stats.t_law import t_quantile

Floats = npt.NDArray[np.float64]

T4 = 2.7764451  # the 97.5% point of t with 4 degrees of freedom, from a table

tables = arrays.arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(2, 6)), elements=st.floats(-1, 1))


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_an_estimate_of_seeds_and_items_by_hand() -> None:
    # Means of seeds 1/2 and 1, of items 1, 1, 1/2, 1/2; in all 3/4. Seeds: 4 * 2 * (1/4)^2 / 1 = 1/2.
    # Items: 2 * 4 * (1/4)^2 / 3 = 1/6. Rest: each of 8 is off by 1/4, 8 / 16 / 3 = 1/6. Items differ by no
    # more than the rest, so theirs is 0: the error is sqrt(1/2 / 8), with the seeds' one degree of freedom.
    table = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert noise(table).error == pytest.approx(0.25)
    assert noise(table).freedom == pytest.approx(1.0)
    found = estimate(table, rng())
    assert (found.value, found.by_seed, found.seeds, found.items) == (0.75, (0.5, 1.0), 2, 4)
    assert found.high - found.value == pytest.approx(12.7062 * 0.25, rel=1e-5)
    # t = 3 with one degree of freedom.
    assert found.p == pytest.approx(1 - 2 / math.pi * math.atan(3))


def components(table: Floats) -> tuple[float, float, float]:
    """The variances of seeds, items and the rest as means of covariances, which needs no mean squares."""
    seeds, items = table.shape
    of_seeds = np.cov(table.T, ddof=1)[~np.eye(items, dtype=bool)].mean()
    of_items = np.cov(table, ddof=1)[~np.eye(seeds, dtype=bool)].mean()
    centred = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return of_seeds, of_items, (centred**2).sum() / (seeds - 1) / (items - 1)


@given(tables)
def test_the_error_adds_the_variances_of_seeds_items_and_the_rest(table: Floats) -> None:
    seeds, items = table.shape
    of_seeds, of_items, rest = components(table)
    squared = max(of_seeds, 0) / seeds + max(of_items, 0) / items + rest / (seeds * items)
    assert noise(table).error == pytest.approx(math.sqrt(squared), rel=1e-6, abs=1e-7)


def test_where_seeds_differ_alone_it_is_the_t_interval_of_their_means() -> None:
    of_seeds = np.array([0.1, 0.3, 0.2, 0.7, 0.4])
    table = of_seeds[:, None] + np.zeros(200)
    found = estimate(table, rng(), resamples=100)
    assert found.high - found.low == pytest.approx(2 * T4 * of_seeds.std(ddof=1) / math.sqrt(5))


def test_where_items_differ_alone_more_seeds_do_not_narrow_it() -> None:
    items = (np.arange(100) < 30).astype(float)
    five, one = estimate([items] * 5, rng(), resamples=100), estimate([items], rng(), resamples=100)
    assert (five.low, five.high) == pytest.approx((one.low, one.high))


def test_of_one_seed_it_is_the_t_interval_over_items_and_says_so() -> None:
    # 0 1 1 1 1: mean 0.8, standard deviation sqrt(0.2), error sqrt(0.2 / 5) = 0.2.
    found = estimate([[0.0, 1.0, 1.0, 1.0, 1.0]], rng())
    assert found.seeds == 1
    assert (found.low, found.high) == pytest.approx((0.8 - T4 * 0.2, 0.8 + T4 * 0.2))


def test_the_bootstrap_beside_it_is_the_one_over_seeds_and_items() -> None:
    table = rng().normal(size=(3, 40))
    several = hierarchical_bootstrap(table, rng(), level=0.9)
    found = estimate(table, rng(), level=0.9).bootstrap
    assert (found.low, found.high) == (several.low, several.high)


def test_the_bootstrap_of_one_seed_is_that_over_its_items() -> None:
    values = rng().normal(size=60)
    alone = paired_bootstrap([0.0] * 60, values.tolist(), rng(), resamples=40_000)
    found = estimate([values], rng(), resamples=40_000).bootstrap
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.01)


def test_with_five_seeds_that_differ_95_percent_hold_95_times_and_the_bootstrap_does_not() -> None:
    draw, held, held_by_bootstrap = rng(), 0, 0
    for _ in range(400):
        table = draw.normal(size=(5, 1)) + draw.normal(size=50) / 2 + draw.normal(size=(5, 50))
        found = estimate(table, draw, resamples=400)
        held += found.low <= 0 <= found.high
        held_by_bootstrap += found.bootstrap.low <= 0 <= found.bootstrap.high
    # 400 trials of 0.95 have a standard deviation of 0.011.
    assert held / 400 == pytest.approx(0.95, abs=0.025)
    assert held_by_bootstrap / 400 < 0.9


@pytest.mark.parametrize(("seeds", "times"), [(2, 0.90), (3, 0.92), (5, 0.95)])
@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_simulated_intervals_hold_as_often_as_they_are_said_to(
    seeds: int, times: float, spread: float
) -> None:
    draw, held = rng(), 0
    for _ in range(500):
        of_seeds, of_items = spread * draw.normal(size=(seeds, 1)), 0.3 * draw.normal(size=100)
        table = of_seeds + of_items + 0.6 * draw.normal(size=(seeds, 100))
        found = noise(table)
        held += abs(table.mean()) <= t_quantile(0.95, found.freedom) * found.error
    # 500 trials of 0.9 have a standard deviation of 0.013.
    assert held / 500 > times - 0.03


@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_seeds_and_of_items_does_not_count(table: Floats, chance: random.Random) -> None:
    seeds, items = (chance.sample(range(size), size) for size in table.shape)
    one, other = noise(table), noise(table[seeds][:, items])
    assert other.error == pytest.approx(one.error, rel=1e-6, abs=1e-9)


@given(tables)
def test_the_p_value_falls_below_5_percent_where_the_interval_leaves_out_0(table: Floats) -> None:
    found = estimate(table, rng(), resamples=10)
    if found.low != 0 != found.high:
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_what_is_the_same_everywhere_has_no_width() -> None:
    same, none = estimate([[0.5] * 4] * 3, rng()), estimate([[0.0] * 4] * 3, rng())
    assert (same.low, same.high, same.p) == (0.5, 0.5, 0.0)
    assert (none.low, none.high, none.p) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("table", [[0.5, 0.5], [[0.5], [0.5]], [[], []]])
def test_less_than_a_seed_and_two_items_is_refused(table: npt.ArrayLike) -> None:
    with pytest.raises(ValueError, match="at least one seed, two items"):
        estimate(table, rng())


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        estimate([[0.5, math.nan]], rng())


def test_every_resample_counted_out_gives_the_same_bootstrap() -> None:
    table = [[1.0, 0.0], [0.2, 0.5]]
    means = sorted(
        sum(table[s][i] for s in seeds for i in items) / 4
        for seeds in itertools.product(range(2), repeat=2)
        for items in itertools.product(range(2), repeat=2)
    )
    found = estimate(table, rng(), level=0.8, resamples=40_000).bootstrap
    # 16 resamples: 10% and 90% lie within the second and the fifteenth.
    assert (found.low, found.high) == pytest.approx((means[1], means[14]))
