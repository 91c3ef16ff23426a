import itertools

import pytest

from asft.stats import changed, holm, mcnemar_exact, mcnemar_mid_p


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 0), (6, 1), (3, 3), (4, 9)])
def test_mcnemar_agrees_with_every_way_in_which_the_changes_could_fall(gained: int, lost: int) -> None:
    changed = gained + lost
    far = abs(gained - lost)
    flips = itertools.product((-1, 1), repeat=changed)
    as_far = sum(abs(sum(flip)) >= far for flip in flips)
    assert mcnemar_exact(gained, lost) == pytest.approx(as_far / 2**changed)


def test_mcnemar_of_6_gained_and_1_lost() -> None:
    # 2 * (C(7,0) + C(7,1)) / 2^7 = 16 / 128
    assert mcnemar_exact(6, 1) == mcnemar_exact(1, 6) == 0.125


def test_mcnemar_stays_a_number_for_thousands_of_changes() -> None:
    assert mcnemar_exact(2000, 2000) == 1.0
    assert 0 < mcnemar_exact(2200, 1800) < 1e-9


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        mcnemar_exact(-1, 2)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 0), (6, 1), (3, 3), (4, 9)])
def test_the_mid_p_counts_half_of_those_ways_that_are_as_far_as_what_came_out(gained: int, lost: int) -> None:
    flips = [abs(sum(flip)) for flip in itertools.product((-1, 1), repeat=gained + lost)]
    far = abs(gained - lost)
    ways = sum((way > far) + (way == far) / 2 for way in flips) if far else len(flips)
    assert mcnemar_mid_p(gained, lost) == pytest.approx(ways / len(flips))


def test_the_mid_p_of_6_gained_and_1_lost() -> None:
    # 2 * C(7,0) / 2^7 + C(7,1) / 2^7 = 9 / 128
    assert mcnemar_mid_p(6, 1) == mcnemar_mid_p(1, 6) == 9 / 128


def test_changed_items_are_those_that_one_of_two_students_has_right() -> None:
    found = changed([1.0, 0.0, None, 0.5, 1.0], [1.0, 1.0, 1.0, 1.0, None])
    assert (found.items, found.gained, found.lost) == (5, 3, 1)
    assert (found.exact, found.mid_p) == (mcnemar_exact(3, 1), mcnemar_mid_p(3, 1))
    with pytest.raises(ValueError, match="1 and 2 grades are no pairs"):
        changed([1.0], [1.0, 0.0])


def test_holm_multiplies_by_the_tests_that_are_left_and_never_falls() -> None:
    # Sorted: 0.005 x 4 = 0.02, 0.01 x 3 = 0.03, 0.03 x 2 = 0.06, 0.04 x 1 = 0.04 -> 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_1_and_leaves_one_test_alone() -> None:
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


def test_holm_refuses_what_is_no_p_value() -> None:
    with pytest.raises(ValueError, match=r"1\.2 is no p-value"):
        holm([0.1, 1.2])
