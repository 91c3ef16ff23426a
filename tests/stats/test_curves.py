import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from asft.stats import Curve, Point, paired
from asft.stats.resampling import Floats


def curve(axis: list[list[float]], right: list[list[list[float]]], seeds: tuple[int, ...] = ()) -> Curve:
    table = np.array(right)
    return Curve(
        seeds=seeds or tuple(range(len(axis))),
        items=tuple((f"item {number}", 0) for number in range(table.shape[2])),
        axis=np.array(axis, np.float64),
        right=table,
    )


ONE = curve([[0, 100, 300]], [[[0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]]])
"""A seed at 0, 100 and 300 examples: 1/4, 1/2 and all of four items right."""

# From runs


def test_a_curve_of_runs_has_its_seeds_in_order_and_the_items_of_every_point_in_one_order() -> None:
    found = Curve.of(
        {
            5: [
                Point(spent=0, grades=[("a", 1.0), ("b", 0.0)]),
                Point(spent=9, grades=[("b", 1.0), ("a", 0.0)]),
            ],
            3: [
                Point(spent=0, grades=[("b", 1.0), ("a", 0.0)]),
                Point(spent=8, grades=[("a", 1.0), ("b", 1.0)]),
            ],
        }
    )
    assert found.seeds == (3, 5)
    assert found.axis.tolist() == [[0, 8], [0, 9]]
    by_name = found.of_items([("a", 0), ("b", 0)])
    assert by_name.right.tolist() == [[[0, 1], [1, 1]], [[1, 0], [0, 1]]]
    assert (found.points, found.cut, found.start, found.end) == (2, 0, 0.0, 8.0)


def test_only_a_grade_of_1_is_right_and_none_is_not() -> None:
    found = Curve.of({0: [Point(spent=1, grades=[("a", 1.0), ("b", 0.5), ("c", None), ("d", 0.0)])]})
    assert found.right.tolist() == [[[1, 0, 0, 0]]]
    assert found.accuracy.tolist() == [[0.25]]


def test_an_item_that_comes_twice_is_two_items() -> None:
    found = Curve.of({0: [Point(spent=1, grades=[("a", 1.0), ("a", 0.0)])]})
    assert found.items == (("a", 0), ("a", 1))
    assert found.right.tolist() == [[[1, 0]]]


def test_points_that_not_every_seed_has_are_cut_and_counted() -> None:
    short = [Point(spent=0, grades=[("a", 1.0)])]
    long = [Point(spent=spent, grades=[("a", 1.0)]) for spent in (0, 5, 9)]
    found = Curve.of({0: short, 1: long})
    assert (found.points, found.cut) == (1, 2)


def test_evaluations_of_different_items_are_no_curve() -> None:
    runs = {0: [Point(spent=0, grades=[("a", 1.0)])], 1: [Point(spent=0, grades=[("b", 1.0)])]}
    with pytest.raises(ValueError, match="seed 1, point 0: its 1 test items are not the 1 of seed 0"):
        Curve.of(runs)


@pytest.mark.parametrize("runs", [{}, {0: []}])
def test_no_run_and_a_run_without_a_point_are_refused(runs: dict[int, list[Point]]) -> None:
    with pytest.raises(ValueError, match="no run, or one without a point"):
        Curve.of(runs)


def test_along_an_axis_that_falls_nothing_is_read_off() -> None:
    made = curve([[0.0, 7.0, 5.0]], [[[0.0], [0.0], [1.0]]], seeds=(4,))
    with pytest.raises(ValueError, match=r"seed 4: .* falls from one point to the next"):
        made.at(1.0)
    with pytest.raises(ValueError, match=r"seed 4: .* falls from one point to the next"):
        made.area(0.0, 5.0)


def test_of_two_students_that_cost_the_same_the_later_counts() -> None:
    made = curve([[0.0, 5.0, 5.0, 10.0]], [[[0.0], [0.0], [1.0], [1.0]]])
    assert made.at(5.0).tolist() == [[1.0]]
    assert made.at(2.5).tolist() == [[0.0]]
    assert made.at(7.5).tolist() == [[1.0]]
    # Nothing up to 5, all from there on.
    assert made.area(0.0, 10.0).tolist() == [[0.5]]


def test_an_axis_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        curve([[0.0, float("nan")]], [[[0.0], [1.0]]])


def test_a_shape_a_seed_or_a_grade_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="an axis of shape"):
        curve([[0, 1]], [[[0.0]]])
    with pytest.raises(ValueError, match="give each once"):
        curve([[0], [0]], [[[0.0]], [[1.0]]], seeds=(1, 1))
    with pytest.raises(ValueError, match="not between 0 and 1"):
        curve([[0]], [[[float("nan")]]])


# Reading off


def test_at_is_the_point_itself_and_a_straight_line_between_two() -> None:
    assert ONE.at(100).tolist() == [[0, 0, 1, 1]]
    assert ONE.at(150).tolist() == [[0.25, 0.25, 1, 1]]


def test_at_reads_each_seed_on_its_own_axis() -> None:
    two = curve([[0, 100], [0, 200]], [[[0.0], [1.0]], [[0.0], [1.0]]])
    assert two.at(50).tolist() == [[0.5], [0.25]]


@pytest.mark.parametrize("spent", [-1, 101])
def test_nothing_is_read_off_where_not_every_seed_was_measured(spent: float) -> None:
    two = curve([[0, 100], [0, 200]], [[[0.0], [1.0]], [[0.0], [1.0]]])
    with pytest.raises(ValueError, match=r"not within 0\.0 to 100\.0"):
        two.at(spent)


def test_nothing_is_read_off_before_the_last_seed_starts() -> None:
    two = curve([[0, 100], [20, 100]], [[[0.0], [1.0]], [[0.0], [1.0]]])
    assert two.at(20).tolist() == [[0.2], [0.0]]
    with pytest.raises(ValueError, match=r"not within 20\.0 to 100\.0"):
        two.at(10)


def test_the_area_is_that_of_its_trapezoids_over_the_way() -> None:
    # 100 * (1/4 + 1/2) / 2 + 200 * (1/2 + 1) / 2 = 37.5 + 150, over 300.
    assert ONE.area(0, 300).mean() == pytest.approx(187.5 / 300)
    # From 50 to 200: 3/8 to 1/2 over 50, and 1/2 to 3/4 over 100: 21.875 + 62.5, over 150.
    assert ONE.area(50, 200).mean() == pytest.approx(84.375 / 150)
    # Within one stretch it is the middle: 1/2 + 1/4 at 200.
    assert ONE.area(150, 250).mean() == pytest.approx(0.75)


grown = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 3), st.integers(2, 5)), elements=st.floats(0.5, 10)
).map(lambda steps: np.cumsum(steps, axis=1))


@given(grown, st.integers(0, 2**32 - 1))
def test_the_area_is_the_mean_of_what_is_read_off_along_the_way(axis: Floats, seed: int) -> None:
    right = np.random.default_rng(seed).integers(0, 2, size=(*axis.shape, 3)).astype(float)
    found = curve(axis.tolist(), right.tolist())
    if found.start < found.end:
        places = np.linspace(found.start, found.end, 2001)
        middles = (places[1:] + places[:-1]) / 2
        mean = np.mean([found.at(place) for place in middles[::10]], axis=0)
        # 200 places in the middles of equal stretches; a kink costs at most a stretch.
        assert found.area(found.start, found.end) == pytest.approx(mean, abs=0.02)


def test_an_area_of_no_stretch_is_refused() -> None:
    with pytest.raises(ValueError, match="low before high"):
        ONE.area(100, 100)
    with pytest.raises(ValueError, match="not within"):
        ONE.area(100, 301)


# Pairs


def test_two_arms_are_paired_on_the_seeds_and_items_that_both_have() -> None:
    first = curve([[1], [1], [1]], [[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 0.0]]], seeds=(4, 2, 7))
    second = Curve(
        seeds=(2, 4, 9),
        items=(("item 1", 0), ("item 0", 0)),
        axis=np.ones((3, 1)),
        right=np.array([[[0.0, 1.0]], [[1.0, 1.0]], [[0.0, 0.0]]]),
    )
    one, two = paired(first, second)
    assert one.seeds == two.seeds == (4, 2)
    assert one.items == two.items == first.items
    assert one.right.tolist() == [[[1, 0]], [[0, 1]]]
    assert two.right.tolist() == [[[1, 1]], [[1, 0]]]


def test_arms_that_share_no_seed_or_answered_different_items_are_no_pairs() -> None:
    other_seed = curve([[0, 100, 300]], ONE.right.tolist(), seeds=(8,))
    with pytest.raises(ValueError, match=r"seeds \(0,\) and \(8,\) share none"):
        paired(ONE, other_seed)
    with pytest.raises(ValueError, match="on 4 test items and the other on 3"):
        paired(ONE, ONE.of_items(ONE.items[:3]))
