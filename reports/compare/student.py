"""Student's t: the one quantile that intervals need, from the incomplete beta function."""

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL_FROM = 1e6  # degrees of freedom: from here on the normal's quantile is the same to 1e-6
_SMALLEST = 1e-300


@lru_cache(maxsize=4096)
def quantile(alpha: float, df: float) -> float:
    """The t that is exceeded in size with probability `alpha` (0 < alpha <= 1) at `df` > 0 degrees of freedom.

    P(|T| > t) is I_x(df/2, 1/2) at x = df / (df + t²) (Abramowitz and Stegun 26.7.1). Newton's steps are taken on
    logarithms, where that is almost a straight line for the small x of long tails.
    """
    if alpha >= 1:
        return 0.0
    z = NormalDist().inv_cdf(1 - alpha / 2)
    if df >= _NORMAL_FROM:
        return z
    log_x = -math.log1p(z * z / df)
    for _ in range(100):
        x = math.exp(log_x)
        share = incomplete_beta(x, df / 2, 0.5)
        slope = _front(x, df / 2, 0.5) / (1 - x) / share
        step = (math.log(share) - math.log(alpha)) / slope
        # Not to 0 or beyond, where x is 1 and t is 0.
        log_x = log_x - step if log_x - step < 0 else log_x / 4
        if abs(step) < 1e-13:
            break
    return math.sqrt(df * math.expm1(-log_x))


def incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), regularised, by its continued fraction (Numerical Recipes 6.4); 1e-12 or better."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = _front(x, a, b)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _front(x: float, a: float, b: float) -> float:
    """x^a (1 - x)^b / B(a, b)."""
    beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return math.exp(a * math.log(x) + b * math.log1p(-x) - beta)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction, by Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + step * d)
            c = _not_zero(1 + step / c)
            found *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return found


def _not_zero(value: float) -> float:
    return value if abs(value) > _SMALLEST else _SMALLEST
