"""Student's t distribution, with any degrees of freedom above 0, whole or not."""

import math
from statistics import NormalDist

_NORMAL = 1e7
"""Degrees of freedom from which the normal distribution is as good: they differ by less than 1e-7."""


def t_two_sided(t: float, freedom: float) -> float:
    """P(|T| >= t), the regularised incomplete beta function I_x(f / 2, 1 / 2) at x = f / (f + t^2)."""
    if not freedom > 0:
        raise ValueError(f"{freedom} degrees of freedom: give a number above 0")
    if math.isinf(t):
        return 0.0
    if freedom >= _NORMAL:
        return 2 * NormalDist().cdf(-abs(t))
    x, rest = freedom / (freedom + t * t), t * t / (freedom + t * t)
    if x < (freedom / 2 + 1) / (freedom / 2 + 2.5):
        return _beta(freedom / 2, 0.5, x, rest)
    return 1 - _beta(0.5, freedom / 2, rest, x)


def t_quantile(level: float, freedom: float) -> float:
    """The t with P(|T| <= t) = level, by halving: 2.776 for 0.95 and 4 degrees of freedom."""
    low, high = 0.0, 1.0
    while t_two_sided(high, freedom) > 1 - level:
        low, high = high, 2 * high
    while (middle := (low + high) / 2) not in (low, high):
        if t_two_sided(middle, freedom) > 1 - level:
            low = middle
        else:
            high = middle
    return high


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b), rest = 1 - x, by its continued fraction (Abramowitz and Stegun 26.5.8) after Lentz.

    It ends soon where x < (a + 1) / (a + b + 2).
    """
    if x == 0:
        return 0.0
    logs = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    numerator, denominator = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1))
    found, step, m = denominator, 0.0, 1
    while abs(step - 1.0) > 1e-15:
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            denominator = 1.0 / (1.0 + term * denominator)
            numerator = 1.0 + term / numerator
            step = numerator * denominator
            found *= step
        m += 1
    return math.exp(logs) * found / a
