import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.stats import Written, auroc, fidelity, spearman, spearman_interval


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_spearman_by_hand() -> None:
    # Ranks 1 2 3 4 5 and 2 1 4 3 5: differences 1 1 1 1 0, rho = 1 - 6 * 4 / (5 * 24) = 0.8.
    assert spearman([1.0, 2.0, 3.0, 4.0, 5.0], [0.2, 0.1, 0.9, 0.5, 7.0]) == pytest.approx(0.8)


def test_spearman_gives_ties_their_mean_rank() -> None:
    # Ranks 1.5 1.5 3 and 1 2 3: deviations -.5 -.5 1 and -1 0 1, so 1.5 / sqrt(1.5 * 2).
    assert spearman([4.0, 4.0, 9.0], [1.0, 2.0, 3.0]) == pytest.approx(1.5 / math.sqrt(3))


def test_spearman_is_of_the_pairs_in_which_both_are_known() -> None:
    assert spearman([1.0, None, 2.0, 3.0, 0.0], [3.0, 5.0, 2.0, 1.0, None]) == pytest.approx(-1.0)


def test_spearman_of_what_cannot_be_compared_is_unknown_and_not_zero() -> None:
    assert spearman([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) is None
    assert spearman([1.0, 2.0], [1.0, 2.0]) is None
    assert spearman([None, None, None], [1.0, 2.0, 3.0]) is None


def test_spearman_depends_on_the_order_alone() -> None:
    values = rng().normal(size=(2, 50))
    plain = spearman(values[0].tolist(), values[1].tolist())
    assert spearman(np.exp(values[0]).tolist(), (values[1] ** 3).tolist()) == pytest.approx(plain)


def test_auroc_by_hand() -> None:
    # Of six pairs 4 > 1, 4 > 2, 4 > 3 and 2.5 > 1, 2.5 > 2; 2.5 < 3.
    assert auroc([4.0, 2.5], [1.0, 2.0, 3.0]) == pytest.approx(5 / 6)
    assert auroc([1.0, 2.0], [2.0, 3.0]) == pytest.approx(0.5 / 4)
    assert auroc([2.0], [1.0]) == 1.0
    assert auroc([7.0, 7.0], [7.0]) == 0.5
    assert auroc([], [1.0]) is None
    assert auroc([1.0], []) is None


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_auroc_is_every_pair_counted_out(above: list[int], below: list[int]) -> None:
    won = sum((a > b) + (a == b) / 2 for a in above for b in below)
    found = auroc([float(one) for one in above], [float(one) for one in below])
    assert found == pytest.approx(won / (len(above) * len(below)))


def test_the_interval_of_a_rank_correlation_is_fishers_with_the_variance_for_ranks() -> None:
    # atanh(0.6) = ln(1.6 / 0.4) / 2 = 0.693147; 1.959964 * sqrt(1.18 / 25) = 0.425811, of 28 pairs.
    found = spearman_interval(0.6, 28)
    assert found is not None
    assert found.low == pytest.approx(math.tanh(0.693147 - 0.425811), abs=1e-5)
    assert found.high == pytest.approx(math.tanh(0.693147 + 0.425811), abs=1e-5)


def test_a_rank_correlation_of_three_pairs_or_a_whole_one_has_no_interval() -> None:
    assert spearman_interval(0.5, 3) is None
    assert spearman_interval(1.0, 30) is None
    assert spearman_interval(-1.0, 30) is None
    with pytest.raises(ValueError, match="no correlation"):
        spearman_interval(1.1, 30)


def test_the_interval_holds_for_what_is_written_at_random() -> None:
    draw, held = rng(), 0
    for _ in range(500):
        rho = spearman(draw.random(25).tolist(), draw.random(25).tolist())
        found = spearman_interval(rho or 0.0, 25)
        assert found is not None
        held += found.low <= 0 <= found.high
    assert held / 500 == pytest.approx(0.95, abs=0.02)


# Fidelity


def written(rows: list[tuple[int, float | None, float | None]]) -> list[Written]:
    return [Written(seed=seed, asked=asked, got=got) for seed, asked, got in rows]


def test_fidelity_by_hand() -> None:
    sets = {
        "easy": written([(1, 1, 3), (2, 2, 1), (3, 3, 2)]),  # medians 2 and 2
        "middle": written([(4, 4, 5), (5, 5, 6), (6, 6, 4), (7, None, 9)]),  # 5 and 5
        "hard": written([(8, 7, 7), (9, 8, 8), (10, 9, 9), (11, 3, None)]),  # 8 and 8
        "none": written([(12, None, None)]),
    }
    found = fidelity(sets, rng())
    # Ranks 1 to 9 against 3 1 2 5 6 4 7 8 9: squares 4 + 1 + 1 + 1 + 1 + 4, so 1 - 6 * 12 / (9 * 80) = 0.9.
    assert found.points.rho == pytest.approx(0.9)
    assert (found.points.pairs, found.points.left_out) == (9, 3)
    assert (found.medians.rho, found.medians.pairs, found.medians.left_out) == (1.0, 3, 1)
    assert (found.medians.low, found.medians.high) == (None, None)
    assert found.within == {"easy": pytest.approx(-0.5), "middle": -0.5, "hard": 1.0, "none": None}


def test_fidelity_over_medians_is_high_where_that_of_points_is_low() -> None:
    draw = rng()
    sets = {
        str(level): written(
            [(number, level / 10 + draw.normal(), level / 10 + draw.normal()) for number in range(200)]
        )
        for level in range(12)
    }
    found = fidelity(sets, rng(), resamples=200)
    assert found.points.rho is not None
    assert found.medians.rho is not None
    assert found.points.rho < 0.2
    assert found.medians.rho > 0.8
    assert found.medians.low is not None
    assert 0 < found.medians.low < found.medians.rho


def test_the_interval_of_points_agrees_with_every_resample_of_seeds_counted_out() -> None:
    rows = [(0, 1.0, 2.0), (0, 3.0, 3.0), (1, 2.0, 5.0), (2, 5.0, 4.0), (2, 4.0, 1.0)]
    rhos = []
    for drawn in itertools.product(range(3), repeat=3):
        taken = [row for seed in drawn for row in rows if row[0] == seed]
        rho = spearman([asked for _, asked, _ in taken], [got for _, _, got in taken])
        # One pair three times over has no correlation.
        rhos += [rho] if rho is not None else []
    rhos.sort()
    found = fidelity({"all": written(list(rows))}, rng(), level=0.8, resamples=40_000).points
    assert len(rhos) == 26
    # 10% of 26 is within the third, 90% within the third last.
    assert (found.low, found.high) == pytest.approx((rhos[2], rhos[23]))


def test_what_comes_from_one_seed_counts_as_one() -> None:
    draw = rng()
    rows = [(number, draw.normal(), draw.normal()) for number in range(30)]
    alone = fidelity({"a": written(list(rows))}, rng()).points
    # Ten copies of each tell no more.
    copies = fidelity({"a": written([row for row in rows for _ in range(10)])}, rng()).points
    assert copies.rho == pytest.approx(alone.rho)
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high), abs=0.03)


def test_of_one_seed_or_none_there_is_no_interval() -> None:
    one = fidelity({"a": written([(1, 1, 1), (1, 2, 2), (1, 3, 3)])}, rng()).points
    assert (one.rho, one.low, one.high) == (1.0, None, None)
    none = fidelity({}, rng())
    assert (none.points.rho, none.points.pairs, none.medians.rho) == (None, 0, None)


@given(st.integers(0, 2**32 - 1))
def test_fidelity_does_not_depend_on_the_order_of_what_was_written(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows = [
        (int(chance.integers(5)), float(chance.integers(9)), float(chance.integers(9))) for _ in range(12)
    ]
    turned = [rows[place] for place in chance.permutation(12)]
    one, other = (fidelity({"a": written(list(given))}, rng(), resamples=5) for given in (rows, turned))
    assert one.points.rho == other.points.rho or one.points.rho == pytest.approx(other.points.rho)
