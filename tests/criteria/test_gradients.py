"""Criteria on gradients, by hand."""

import numpy as np
import pytest

from asft import needs
from asft.criteria.gradients import GradientNorm, Influence
from asft.types import Example, Measurements, Observation


def observed(
    gradients: list[list[float]], references: list[list[float]], rows: list[float | None]
) -> Measurements:
    examples = tuple(Example(id=f"{i}", task="t", prompt="?", answer="1") for i in range(len(rows)))
    return Measurements(
        round=1,
        examples=examples,
        observations=tuple(
            Observation(example_id=e.id, signals={"reference_row": row, "gradient_norm": 1.5})
            for e, row in zip(examples, rows, strict=True)
        ),
        arrays={
            "gradient": np.array(gradients, dtype=np.float32),
            "reference_gradient": np.array(references, dtype=np.float32),
        },
    )


def test_gradient_norm_is_the_measured_norm_whatever_the_sketch_says() -> None:
    assert GradientNorm().score(observed([[0.0, 9.0]], [[1.0, 0.0]], [None])) == [1.5]
    assert GradientNorm(of="gold", dims=64).needs == (needs.gradient("gold", 64),)


def test_influence_is_the_product_with_the_mean_reference() -> None:
    # The mean of (2, 0) and (0, 4) is (1, 2).
    found = observed([[1.0, 1.0], [3.0, -1.0], [-1.0, 0.0], [0.0, 0.0]], [[2.0, 0.0], [0.0, 4.0]], [None] * 4)
    assert Influence().score(found) == [3.0, 1.0, -1.0, 0.0]


def test_a_reference_is_compared_with_the_others_alone() -> None:
    # Seed 0 is the first reference: the other is (0, 4), and 2 * 0 + 0 * 4 = 0. With itself it were 2.
    found = observed([[2.0, 0.0], [0.0, 4.0], [1.0, 1.0]], [[2.0, 0.0], [0.0, 4.0]], [0.0, 1.0, None])
    assert Influence().score(found) == [0.0, 0.0, 3.0]


def test_a_lone_reference_has_nothing_to_be_compared_with() -> None:
    assert Influence().score(observed([[2.0], [3.0]], [[2.0]], [0.0, None])) == [None, 6.0]


def test_influence_by_cosine_does_not_count_lengths() -> None:
    # (3, 4) and (30, 40) with (1, 0): 3 / 5 both.
    found = observed([[3.0, 4.0], [30.0, 40.0], [0.0, 0.0]], [[1.0, 0.0], [3.0, 0.0]], [None] * 3)
    assert Influence(by="cosine").score(found) == [pytest.approx(0.6), pytest.approx(0.6), None]


def test_a_seed_without_a_gradient_has_no_influence() -> None:
    found = observed([[float("nan")] * 2, [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]], [None, None])
    assert Influence().score(found) == [None, 1.0]


def test_a_step_on_a_seed_lowers_the_loss_of_the_reference_by_its_influence() -> None:
    # A head of two tokens on the hidden state 1: p = softmax(w), loss of token 0 is -log p0.
    def loss(w: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        return float(np.log(np.exp(w).sum()) - w[0])

    w = np.array([0.3, -0.2])
    g = np.exp(w) / np.exp(w).sum() - [1.0, 0.0]
    [influence] = Influence().score(observed([g.tolist()], [g.tolist(), g.tolist()], [None]))
    step = 1e-4
    assert (loss(w) - loss(w - step * g)) / step == pytest.approx(influence, rel=1e-3)
