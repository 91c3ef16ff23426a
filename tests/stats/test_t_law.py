import math

import numpy as np
import pytest

from asft.stats.t_law import t_quantile, t_two_sided


@pytest.mark.parametrize("t", [0.0, 0.01, 0.5, 1.0, 2.776, 12.0, 400.0])
def test_the_t_distribution_has_its_closed_forms_for_1_2_and_4_degrees_of_freedom(t: float) -> None:
    # One is Cauchy's. With u = atan(t / 2), four gives sin u (1 + cos(u)^2 / 2).
    u = math.atan(t / 2)
    assert t_two_sided(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t))
    assert t_two_sided(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), abs=1e-15)
    assert t_two_sided(t, 4) == pytest.approx(1 - math.sin(u) * (1 + math.cos(u) ** 2 / 2), abs=1e-15)


@pytest.mark.parametrize("freedom", [0.7, 3.3, 17.9, 260.5, 40_000.0])
@pytest.mark.parametrize("t", [0.3, 1.9, 4.0])
def test_the_t_distribution_is_the_integral_of_its_density_for_any_degrees_of_freedom(
    t: float, freedom: float
) -> None:
    places = np.linspace(0, t, 20_001)
    logs = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    density = np.exp(logs - (freedom + 1) / 2 * np.log1p(places**2 / freedom))
    assert t_two_sided(t, freedom) == pytest.approx(1 - 2 * np.trapezoid(density, places), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(
    ("level", "freedom", "t"),
    [(0.95, 1, 12.7062), (0.95, 4, 2.7764), (0.99, 4, 4.6041), (0.9, 30, 1.6973), (0.95, 1e9, 1.95996)],
)
def test_the_quantiles_are_those_of_the_tables(level: float, freedom: float, t: float) -> None:
    assert t_quantile(level, freedom) == pytest.approx(t, abs=5e-5)
    assert t_two_sided(t_quantile(level, freedom), freedom) == pytest.approx(1 - level)


def test_the_sign_of_t_does_not_count_and_no_t_is_beyond_infinity() -> None:
    assert t_two_sided(-2.0, 5) == t_two_sided(2.0, 5)
    assert t_two_sided(math.inf, 5) == 0.0
    assert t_two_sided(0.0, 5) == 1.0


def test_no_degrees_of_freedom_are_refused() -> None:
    with pytest.raises(ValueError, match="0 degrees of freedom"):
        t_two_sided(1.0, 0)
