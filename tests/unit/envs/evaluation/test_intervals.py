from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from netsecgame.envs.evaluation.intervals import (
    Estimate,
    estimate_mean,
    estimate_share,
    t_probability,
    t_quantile,
)

# As printed in tables of Student's distribution: degrees, probability, quantile.
TABLE = [
    (1, 0.975, 12.706),
    (2, 0.975, 4.303),
    (3, 0.975, 3.182),
    (4, 0.995, 4.604),
    (5, 0.95, 2.015),
    (9, 0.975, 2.262),
    (10, 0.9, 1.372),
    (29, 0.975, 2.045),
    (30, 0.995, 2.750),
    (60, 0.975, 2.000),
    (120, 0.975, 1.980),
]


@pytest.mark.parametrize(("degrees", "probability", "quantile"), TABLE)
def test_t_quantile_table_values_agree(degrees: int, probability: float, quantile: float) -> None:
    assert t_quantile(probability, degrees) == pytest.approx(quantile, abs=0.0005)


@pytest.mark.parametrize("probability", [0.6, 0.975, 0.9995])
def test_t_quantile_one_and_two_degrees_agree_with_closed_forms(probability: float) -> None:
    cauchy = math.tan(math.pi * (probability - 0.5))
    two = (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))

    assert t_quantile(probability, 1) == pytest.approx(cauchy, rel=1e-9)
    assert t_quantile(probability, 2) == pytest.approx(two, rel=1e-9)


def test_t_quantile_many_degrees_is_that_of_the_normal_distribution() -> None:
    assert t_quantile(0.975, 10**7) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-6)


def test_t_quantile_below_the_middle_is_mirrored() -> None:
    assert t_quantile(0.025, 7) == -t_quantile(0.975, 7)
    assert t_quantile(0.5, 7) == 0


@pytest.mark.parametrize("degrees", [1, 3, 50, 4_000])
def test_t_probability_of_a_quantile_is_its_probability(degrees: int) -> None:
    assert t_probability(t_quantile(0.9, degrees), degrees) == pytest.approx(0.9, rel=1e-12)


def test_estimate_share_known_counts_give_wilsons_interval() -> None:
    # (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n) for 7 of 10 with z = 1.959964
    share = estimate_share(7, 10)

    assert share.value == 0.7
    assert share.low == pytest.approx(0.3968, abs=5e-5)
    assert share.high == pytest.approx(0.8922, abs=5e-5)


def test_estimate_share_none_or_all_still_has_a_width() -> None:
    none, everything = estimate_share(0, 300), estimate_share(300, 300)

    assert (none.low, everything.high) == (0, 1)
    assert none.high == pytest.approx(0.01264, abs=5e-6)
    assert everything.low == pytest.approx(1 - 0.01264, abs=5e-6)


def test_estimate_mean_known_values_give_students_interval() -> None:
    # mean 5, standard deviation √(32/7), 8 values: 5 ± 2.364624 * √(32/7/8)
    mean = estimate_mean([2, 4, 4, 4, 5, 5, 7, 9])

    reach = 2.364624 * math.sqrt(32 / 7 / 8)
    assert mean == pytest.approx((5, 5 - reach, 5 + reach), abs=1e-6)


def test_estimate_mean_one_value_has_no_interval() -> None:
    assert estimate_mean([3.5]) == Estimate(3.5, None, None)


def test_estimate_mean_equal_values_have_no_width() -> None:
    assert estimate_mean([0.1] * 10) == pytest.approx((0.1, 0.1, 0.1))
