import math

import numpy as np
import pytest

from asft.diversity import (
    Rows,
    cluster_centres,
    cluster_entropy,
    coverage,
    expected_coverage,
    median_distance,
    mmd2,
    spread,
)


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def line(*places: float) -> Rows:
    """Points on a line, of one dimension."""
    return np.array(places, dtype=np.float64)[:, None]


# Coverage


def test_coverage_by_hand() -> None:
    # The nearest of 0, 1, 10 and 14 are 1, 1, 4 and 4 away: 3 reaches none, 7 reaches 10, 17.9 reaches 14.
    reference = line(0, 1, 10, 14)
    assert coverage(line(3), reference, neighbour=1) == 0.0
    assert coverage(line(3, 7), reference, neighbour=1) == 0.25
    assert coverage(line(3, 7, 17.9), reference, neighbour=1) == 0.5
    # The second nearest are 10, 9, 9 and 13 away: 3 reaches all.
    assert coverage(line(3), reference, neighbour=2) == 1.0


def test_what_stands_just_at_the_radius_covers() -> None:
    assert coverage(line(2), line(0, 1), neighbour=1) == 0.5
    assert coverage(line(0), line(0, 0, 5), neighbour=1) == 1.0


def test_coverage_agrees_with_every_distance_in_turn() -> None:
    data, reference = rng(1).normal(size=(40, 3)), rng(2).normal(size=(1500, 3))
    covered = 0
    for one in reference:
        radius = sorted(np.linalg.norm(reference - one, axis=1))[5]  # the first is its own
        covered += np.linalg.norm(data - one, axis=1).min() <= radius
    assert coverage(data, reference) == covered / 1500


def test_an_outlier_covers_nothing() -> None:
    reference = rng().normal(size=(50, 2))
    assert coverage(np.array([[1e3, 1e3]]), reference) == 0.0


def test_coverage_of_nothing_or_without_a_neighbour_is_unknown() -> None:
    assert coverage(np.empty((0, 1)), line(0, 1), neighbour=1) is None
    assert coverage(line(0), line(0, 1), neighbour=2) is None
    assert expected_coverage(0, 10) is None
    assert expected_coverage(10, 5) is None


def test_the_expected_coverage_is_the_mean_for_data_that_is_drawn_as_the_reference_is() -> None:
    # k = 1: the nearest of the other 10 + 20 - 1 is of the data 10 times in 29.
    assert expected_coverage(10, 20, 1) == pytest.approx(10 / 29)
    draw = rng()
    found = [coverage(draw.normal(size=(10, 2)), draw.normal(size=(20, 2)), 3) or 0.0 for _ in range(400)]
    assert expected_coverage(10, 20, 3) == pytest.approx(np.mean(found), abs=0.03)


# Clusters


def test_cluster_entropy_by_hand() -> None:
    centres = line(0, 10, 20, 30)
    assert cluster_entropy(line(1, 9, 21, 29), centres) == pytest.approx(1.0)
    assert cluster_entropy(line(1, 2, 3), centres) == 0.0
    # Shares 3/4 and 1/4: (3/4 ln 4/3 + 1/4 ln 4) / ln 4.
    expected = (0.75 * math.log(4 / 3) + 0.25 * math.log(4)) / math.log(4)
    assert cluster_entropy(line(1, 2, -3, 12), centres) == pytest.approx(expected)


def test_the_entropy_of_nothing_or_over_one_cluster_is_unknown() -> None:
    assert cluster_entropy(np.empty((0, 1)), line(0, 1)) is None
    assert cluster_entropy(line(0), line(0)) is None


def test_the_centres_are_the_means_of_the_clusters_of_the_reference() -> None:
    reference = line(0, 1, 2, 100, 101, 200)
    assert sorted(cluster_centres(reference, 3, rng()).ravel()) == pytest.approx([1, 100.5, 200])
    assert len(cluster_centres(line(5, 5, 5), 3, rng())) == 1


# MMD


def test_mmd2_agrees_with_every_pair_in_turn() -> None:
    data, reference = rng(1).normal(size=(7, 3)), rng(2).normal(size=(1100, 3)) + 0.5

    def kernel(left: Rows, right: Rows) -> Rows:
        return np.asarray(np.exp(-((left[:, None] - right[None]) ** 2).sum(axis=2) / (2 * 1.5**2)))

    own = kernel(data, data)[~np.eye(7, dtype=bool)].mean()
    others = kernel(reference, reference)[~np.eye(1100, dtype=bool)].mean()
    expected = own + others - 2 * kernel(data, reference).mean()
    assert mmd2(data, reference, 1.5) == pytest.approx(expected)


def test_mmd2_by_hand() -> None:
    # Pairs 1 apart within, and across 3, 4, 2 and 3, with k(d) = exp(-d^2 / 2).
    within = math.exp(-0.5)
    across = (2 * math.exp(-4.5) + math.exp(-8) + math.exp(-2)) / 4
    assert mmd2(line(0, 1), line(3, 4), 1.0) == pytest.approx(2 * within - 2 * across)


def test_mmd2_is_0_on_average_for_what_is_drawn_alike_and_above_for_what_is_not() -> None:
    draw = rng()
    alike = [mmd2(draw.normal(size=(20, 2)), draw.normal(size=(30, 2)), 1.0) or 0.0 for _ in range(300)]
    assert np.mean(alike) == pytest.approx(0, abs=4 * float(np.std(alike)) / math.sqrt(300))
    assert min(alike) < 0
    assert (mmd2(draw.normal(size=(20, 2)) + 2, draw.normal(size=(30, 2)), 1.0) or 0.0) > 0.3


def test_mmd2_of_one_row_is_unknown_and_no_bandwidth_is_refused() -> None:
    assert mmd2(line(1), line(1, 2), 1.0) is None
    assert mmd2(line(1, 2), line(1), 1.0) is None
    with pytest.raises(ValueError, match=r"bandwidth 0\.0"):
        mmd2(line(1, 2), line(1, 2), 0.0)


def test_the_median_distance_by_hand() -> None:
    # 1, 3, 7, 2, 6 and 4.
    assert median_distance(line(0, 1, 3, 7)) == pytest.approx(3.5)
    assert median_distance(line(3)) is None


def test_the_median_distance_of_many_rows_is_that_of_some_that_stand_evenly() -> None:
    places = np.arange(8001.0)
    # Of two uniform places on [0, 1] the median distance is 1 - sqrt(1/2).
    assert median_distance(line(*places)) == pytest.approx(8000 * (1 - math.sqrt(0.5)), rel=0.01)


# All of them


def test_a_spread_has_all_figures_of_place_and_leaves_out_what_is_no_number() -> None:
    data, reference = rng(1).normal(size=(60, 4)), rng(2).normal(size=(80, 4))
    holed = np.vstack([data, np.full((2, 4), np.nan)])
    found = spread(holed, np.vstack([reference, np.full((1, 4), np.inf)]), rng(), neighbour=3, clusters=5)
    centres, width = cluster_centres(reference, 5, rng()), median_distance(reference)
    assert width is not None
    assert (found.rows, found.reference) == (60, 80)
    assert found.coverage == coverage(data, reference, 3)
    assert found.expected_coverage == expected_coverage(60, 80, 3)
    assert found.cluster_entropy == cluster_entropy(data, centres)
    assert found.reference_entropy == cluster_entropy(reference, centres)
    assert found.mmd2 == mmd2(data, reference, width)


def test_a_narrow_data_set_covers_less_lies_less_evenly_and_is_farther_off() -> None:
    reference = rng(2).normal(size=(200, 4)).astype(np.float32)
    wide, narrow = (scale * rng(1).normal(size=(100, 4)).astype(np.float32) for scale in (1, 0.2))
    one, other = spread(wide, reference, rng()), spread(narrow, reference, rng())
    assert (one.coverage or 0) > 0.8 > 0.5 > (other.coverage or 0)
    assert (one.cluster_entropy or 0) > (other.cluster_entropy or 0)
    assert (one.mmd2 or 0) < 0.01 < (other.mmd2 or 0)


def test_the_spread_of_nothing_is_unknown() -> None:
    found = spread(np.empty((0, 2)), rng().normal(size=(30, 2)), rng())
    assert (found.rows, found.coverage, found.cluster_entropy, found.mmd2) == (0, None, None, None)
    assert found.reference_entropy is not None
    none = spread(np.ones((3, 2)), np.empty((0, 2)), rng())
    assert (none.reference, none.coverage, none.reference_entropy, none.mmd2) == (0, None, None, None)


def test_rows_of_other_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="embedded by one model"):
        spread(np.ones((3, 2)), np.ones((3, 4)), rng())
