"""95 % intervals: Wilson's of a share, Student's of a mean."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How often an interval holds the true value.
CONFIDENCE = 0.95

#: Terms of the continued fraction; about the root of the degrees of freedom are needed.
_MAX_TERMS = 100_000
_PRECISION = 1e-14
_TINY = 1e-300


class Estimate(NamedTuple):
    """What is known of a value after some episodes.

    Attributes:
        value: The share or the mean.
        low: Lower end of the interval; None if one number says nothing of the spread.
        high: Upper end of the interval, likewise.
    """

    value: float
    low: float | None
    high: float | None


def estimate_share(count: int, total: int) -> Estimate:
    """The share of `count` in `total` (at least 1), with Wilson's score interval.

    It stays within 0..1 and has a width also where all or none are counted.
    E. B. Wilson: "Probable inference, the law of succession, and statistical inference", 1927.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share = count / total
    middle = share + z * z / (2 * total)
    reach = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    low = (middle - reach) / scale if count else 0.0
    high = (middle + reach) / scale if count < total else 1.0
    return Estimate(share, low, high)


def estimate_mean(values: Sequence[float]) -> Estimate:
    """The mean of some values (at least one), with Student's interval."""
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Estimate(mean, None, None)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    reach = t_quantile((1 + CONFIDENCE) / 2, count - 1) * math.sqrt(variance / count)
    return Estimate(mean, mean - reach, mean + reach)


@lru_cache(1_024)
def t_quantile(probability: float, degrees: int) -> float:
    """Where Student's distribution with that many degrees of freedom reaches a probability.

    Found by halving: the distribution function grows everywhere.

    Args:
        probability: 0 < probability < 1.
        degrees: At least 1.
    """
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while t_probability(high, degrees) < probability:
        low, high = high, 2 * high
    middle = (low + high) / 2
    while low < middle < high:
        if t_probability(middle, degrees) < probability:
            low = middle
        else:
            high = middle
        middle = (low + high) / 2
    return middle


def t_probability(value: float, degrees: int) -> float:
    """How likely Student's distribution stays below a value that is not negative."""
    square = value * value
    tail = _incomplete_beta(degrees / (degrees + square), degrees / 2, 0.5)
    return 1 - tail / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function for 0 <= x <= 1.

    The continued fraction (DLMF 8.17.22) converges quickly below about a / (a + b); above, the
    function is one minus its own mirror image.
    """
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    log_factor = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_factor += a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_factor) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...)), from the front by Lentz's method."""
    value = numerator = 1.0
    denominator = 0.0
    for term in range(1, _MAX_TERMS):
        m = term // 2
        if term % 2:
            part = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            part = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        numerator = 1 + part / numerator or _TINY
        denominator = 1 / (1 + part * denominator or _TINY)
        factor = numerator * denominator
        value *= factor
        if abs(factor - 1) < _PRECISION:
            return value
    raise ArithmeticError(f"no end after {_MAX_TERMS} terms: x={x}, a={a}, b={b}")
