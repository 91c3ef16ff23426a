import itertools

import pytest

from asft.stats import holm, mcnemar_exact


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
