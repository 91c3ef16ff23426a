"""Points read from arrays in blocks, their distances and clusters."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.selectors import points as module
from asft.selectors.clusters import clusters
from asft.selectors.points import Floats, points, squared_between
from asft.types import Example, Measurements, Observation
from tests.selectors.pools import make

NAMES = ["badge", "kcenter", "prototypes", "sparse"]


def cloud(n: int, dims: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, dims)).astype(np.float32)


def chosen(name: str, array: Floats, accepted: Floats) -> list[str]:
    examples = tuple(Example(id=f"{at:03}", task="t", prompt="p", answer="1") for at in range(len(array)))
    seen = Measurements(
        round=1,
        examples=examples,
        observations=tuple(Observation(example_id=example.id) for example in examples),
        arrays={"embedding": array, "gradient": array, "accepted_embedding": accepted},
    )
    scores = [float(at % 7) for at in range(len(array))]
    return [example.id for example in make(name).select(seen, scores, 5, random.Random(0))]


@pytest.mark.parametrize("name", NAMES)
def test_how_many_rows_a_block_has_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    array, accepted = cloud(50, 9), cloud(11, 9, seed=1)
    whole = chosen(name, array, accepted)
    monkeypatch.setattr(module, "_ROWS", 4)
    assert chosen(name, array, accepted) == whole


@pytest.mark.parametrize("name", NAMES)
def test_arrays_that_are_mapped_from_disk_give_the_same_order(name: str, tmp_path: Path) -> None:
    array, accepted = cloud(20, 6), cloud(3, 6, seed=1)
    np.save(tmp_path / "array.npy", array)
    np.save(tmp_path / "accepted.npy", accepted)
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")
    before = np.load(tmp_path / "accepted.npy", mmap_mode="r")
    assert chosen(name, mapped, before) == chosen(name, array, accepted)


def test_points_are_rows_in_the_order_in_which_they_are_named() -> None:
    array = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]], dtype=np.float32)
    found = points(array, [2, 0, 1])
    assert found.at(slice(0, 3)).tolist() == [[6.0, 8.0], [0.0, 0.0], [3.0, 4.0]]
    assert found.squared_from(found.point(2)).tolist() == [25.0, 25.0, 0.0]


def test_points_that_are_not_finite_are_left_out() -> None:
    array = np.array([[1.0], [np.nan], [np.inf], [2.0], [-np.inf]], dtype=np.float32)
    assert points(array, range(5)).rows.tolist() == [0, 3]


def test_a_point_is_at_no_distance_at_all_from_itself_and_its_like() -> None:
    array = cloud(7, 33) * 1e4
    array[5] = array[2]
    found = points(array, range(7))
    assert np.flatnonzero(found.squared_from(found.point(2)) == 0.0).tolist() == [2, 5]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5))
def test_distances_by_a_product_are_those_of_the_differences(left: int, right: int, dims: int) -> None:
    x, y = cloud(left, dims), cloud(right, dims, seed=1)
    expected = [[float(np.sum((a.astype(np.float64) - b) ** 2)) for b in y] for a in x]
    np.testing.assert_allclose(squared_between(x, y), expected, rtol=1e-12, atol=1e-12)


def test_points_that_are_close_and_far_out_are_told_apart() -> None:
    # 1e6 + 1 and 1e6 + 3: in float32 the product would have an error of 1e5.
    x = np.array([[1e6 + 1.0], [1e6 + 3.0]], dtype=np.float32)
    assert squared_between(x, x).tolist() == [[0.0, 4.0], [4.0, 0.0]]


def test_equal_points_are_at_no_distance_by_a_product_either() -> None:
    # Of rows of 700 random numbers, rounding makes it about 1e-12 for most.
    array = cloud(40, 700)
    between = squared_between(array, array[::-1])
    assert np.array_equal(between == 0.0, np.eye(40, dtype=bool)[::-1])


# Clusters


@pytest.mark.parametrize("seed", range(20))
def test_clusters_that_lie_apart_are_found_from_any_start(seed: int) -> None:
    # 0, 1 and 2 have their centre at 1; 10 and 11 at 10.5.
    array = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]], dtype=np.float32)
    labels, squared = clusters(points(array, range(5)), 2, random.Random(seed))
    assert labels[0] == labels[1] == labels[2] != labels[3] == labels[4]
    assert squared.tolist() == [1.0, 0.0, 1.0, 0.25, 0.25]


def test_every_point_is_with_the_centre_that_is_nearest() -> None:
    array = cloud(80, 3)
    labels, squared = clusters(points(array, range(80)), 6, random.Random(1))
    centres = np.array([array[labels == label].mean(axis=0) for label in range(6)])
    distances = ((array[:, None] - centres) ** 2).sum(axis=2)
    assert labels.tolist() == distances.argmin(axis=1).tolist()
    np.testing.assert_allclose(squared, distances.min(axis=1), rtol=1e-4)


def test_no_more_clusters_come_than_there_are_distinct_points() -> None:
    array = np.array([[1.0], [1.0], [5.0], [5.0], [1.0]], dtype=np.float32)
    labels, squared = clusters(points(array, range(5)), 4, random.Random(0))
    assert len(set(labels.tolist())) == 2
    assert labels[0] == labels[1] == labels[4] != labels[2] == labels[3]
    assert squared.tolist() == [0.0] * 5
