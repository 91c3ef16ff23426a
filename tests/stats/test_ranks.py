import math

import numpy as np
import pytest

from asft.stats import spearman


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
