"""Criteria on ensembles, by hand."""

import math

import numpy as np
import pytest

from asft import needs
from asft.criteria.ensembles import Bald, EnsembleVariance
from asft.errors import RecipeError
from asft.types import Example, Measurements, Observation


def observed(nll: list[list[float]], bald: list[float | None]) -> Measurements:
    examples = tuple(Example(id=f"{i}", task="t", prompt="?", answer="1") for i in range(len(bald)))
    return Measurements(
        round=1,
        examples=examples,
        observations=tuple(
            Observation(example_id=e.id, signals={"bald": value})
            for e, value in zip(examples, bald, strict=True)
        ),
        arrays={"ensemble_nll": np.array(nll, dtype=np.float32)},
    )


def test_variance_is_the_mean_squared_distance_from_the_mean_loss() -> None:
    # Of 1, 2, 3 and 6 the mean is 3: (4 + 1 + 0 + 9) / 4 = 3.5.
    found = observed([[1.0, 2.0, 3.0, 6.0], [5.0] * 4, [math.nan, 1.0, 1.0, 1.0]], [None] * 3)
    assert EnsembleVariance().score(found) == [pytest.approx(3.5), 0.0, None]


def test_bald_is_what_was_measured_and_none_where_it_was_not() -> None:
    assert Bald().score(observed([[0.0, 0.0]] * 3, [0.25, None, math.nan])) == [0.25, None, None]


def test_both_share_one_ensemble_and_must_agree_on_it() -> None:
    joined = needs.joined((*EnsembleVariance().needs, *Bald().needs))
    assert [need.name for need in joined] == ["own", "ensemble"]
    with pytest.raises(RecipeError, match="'ensemble'"):
        needs.joined((*EnsembleVariance(members=3).needs, *Bald(vary="bootstrap").needs))
