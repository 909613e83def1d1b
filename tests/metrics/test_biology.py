"""Biology against published values, closed forms and limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from dvhkit.errors import InputError, NotEvaluable
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.metrics.radiobiology import biology
from dvhkit.model.dvh import Dvh

# Dose, fractions, BED10, EQD2_10, BED3: by hand from D (1 + d / (alpha/beta)), rounded to 0.01 Gy.
REGIMENS = [
    (20, 1, 60.00, 50.00, 153.33), (16, 1, 41.60, 34.67, 101.33), (24, 3, 43.20, 36.00, 88.00),
    (30, 3, 60.00, 50.00, 130.00), (45, 3, 112.50, 93.75, 270.00), (54, 3, 151.20, 126.00, 378.00),
    (30, 5, 48.00, 40.00, 90.00), (35, 5, 59.50, 49.58, 116.67), (40, 5, 72.00, 60.00, 146.67),
    (40, 8, 60.00, 50.00, 106.67), (30, 10, 39.00, 32.50, 60.00), (48, 4, 105.60, 88.00, 240.00),
    (48, 10, 71.04, 59.20, 124.80), (50, 5, 100.00, 83.33, 216.67), (50, 10, 75.00, 62.50, 133.33),
    (50, 25, 60.00, 50.00, 83.33), (55, 5, 115.50, 96.25, 256.67), (60, 8, 105.00, 87.50, 210.00),
    (60, 20, 78.00, 65.00, 120.00), (60, 30, 72.00, 60.00, 100.00), (70, 28, 87.50, 72.92, 128.33),
    (70, 30, 86.33, 71.94, 124.44), (25, 5, 37.50, 31.25, 66.67), (27.5, 11, 34.375, 28.65, 50.42),
]  # fmt: skip


@pytest.mark.parametrize(("dose", "n", "bed10", "eqd2", "bed3"), REGIMENS)
def test_regimens(dose, n, bed10, eqd2, bed3):
    assert biology.bed_gy(dose, n, 10) == pytest.approx(bed10, abs=0.005)
    assert biology.eqd2_gy(dose, n, 10) == pytest.approx(eqd2, abs=0.005)
    assert biology.bed_gy(dose, n, 3) == pytest.approx(bed3, abs=0.005)


def test_the_published_range_of_a_cohort():
    """Ning 2023, Table 2: BED10 from 34.4 (27.5 Gy delivered in 11 fractions) to 87.5 (70 Gy in 28)."""
    assert biology.bed_gy(27.5, 11, 10) == 34.375
    assert biology.bed_gy(70, 28, 10) == 87.5


# Least total dose for a BED10 of 60 Gy, by fractions.
LEAST_DOSE = {1: 20.00, 3: 30.00, 4: 32.92, 5: 35.21, 6: 37.08, 8: 40.00, 10: 42.20, 12: 43.92, 15: 45.93, 20: 48.32,
              25: 50.00, 28: 50.79, 30: 51.25}  # fmt: skip


@pytest.mark.parametrize(("n", "dose"), LEAST_DOSE.items())
def test_least_dose_for_a_bed(n, dose):
    assert biology.bed_gy(dose - 0.005, n, 10) <= 60 <= biology.bed_gy(dose + 0.005, n, 10)


def test_two_gray_fractions_are_their_own_eqd2():
    assert biology.eqd2_gy(60, 30, 3) == pytest.approx(60)


@pytest.mark.parametrize(("n", "alpha_beta"), [(0, 10), (2.5, 10), (True, 10), (5, 0), (5, -3), (5, math.inf)])
def test_nonsense_is_refused(n, alpha_beta):
    with pytest.raises(InputError):
        biology.bed_gy(50, n, alpha_beta)


def dvh(dose, part):
    dose, part = np.asarray(dose, float), np.asarray(part, float)
    return Dvh(roi="x", dose_gy=dose, part_cc=part, volume_cc=part.sum(), min_gy=dose.min(), max_gy=dose.max())


RAMP = dvh(np.linspace(0.01, 59.99, 3000), np.full(3000, 0.5))


def test_a_dvh_is_converted_dose_by_dose():
    converted = biology.eqd2_dvh(RAMP, 5, 3)
    for metric in ("D2%[Gy]", "D50%[Gy]", "Max[Gy]", "Min[Gy]"):
        physical = evaluate_metric(metric, RAMP, roi="x").value
        assert evaluate_metric(metric, converted, roi="x").value == pytest.approx(biology.eqd2_gy(physical, 5, 3))
    # Mean of D (d + 3) / 5 over a uniform D in 0..60: (60/2 * 3 + 60^2 / 3 / 5) / 5 = 66; of the mean dose it is 54.
    assert converted.mean_gy == pytest.approx(66, rel=1e-3)
    assert biology.eqd2_gy(RAMP.mean_gy, 5, 3) == pytest.approx(54)


@pytest.mark.parametrize("a", [0.5, 1, 2, 8])
def test_geud_of_a_linear_ramp(a):
    """Mean of D^a over a uniform D in 0..60 is 60^a / (a + 1)."""
    assert biology.geud_gy(RAMP, a) == pytest.approx(60 / (a + 1) ** (1 / a), rel=1e-3)


def test_geud_at_its_ends():
    assert biology.geud_gy(RAMP, 1) == pytest.approx(RAMP.mean_gy)
    # 1/3000 of the volume is at the maximum: its share to the power 1/a is 0.992 at a = 1000.
    assert biology.geud_gy(RAMP, 1000) == pytest.approx(RAMP.max_gy, rel=0.01)
    assert biology.geud_gy(RAMP, -1000) == pytest.approx(RAMP.min_gy, rel=0.01)
    assert biology.geud_gy(dvh([7.0], [3.0]), -20) == pytest.approx(7)
    assert biology.geud_gy(dvh([0.0, 60.0], [1e-6, 50.0]), -10) == 0.0
    assert biology.geud_gy(dvh([0.0], [1.0]), 3) == 0.0
    for a in (0, math.nan, math.inf):
        with pytest.raises(InputError):
            biology.geud_gy(RAMP, a)
    with pytest.raises(NotEvaluable):
        biology.geud_gy(Dvh(roi="x", dose_gy=[], part_cc=[], volume_cc=3, min_gy=None, max_gy=None), 1)


@given(st.floats(-30, 30).filter(lambda a: abs(a) > 0.05), st.floats(-30, 30).filter(lambda a: abs(a) > 0.05))
def test_geud_grows_with_a(a, b):
    low, high = sorted((a, b))
    histogram = dvh([3.0, 10.0, 40.0], [5.0, 20.0, 1.0])
    assert biology.geud_gy(histogram, low) <= biology.geud_gy(histogram, high) * (1 + 1e-9)


@pytest.mark.parametrize("geud", [0, 20, 31.4, 45, 70])
def test_lyman_model_is_a_normal_distribution(geud):
    """QUANTEC lung: n = 1, TD50 31.4 Gy, m 0.45."""
    assert biology.ntcp_lkb(geud, td50_gy=31.4, m=0.45) == pytest.approx(norm.cdf((geud - 31.4) / (0.45 * 31.4)))


def test_outcome_models_pass_one_half_with_their_slope():
    """At D50 each is 1/2, and D50 dP/dD is gamma50."""
    m = 1 / (2.0 * math.sqrt(2 * math.pi))  # as steep as gamma50 = 2 says
    models = (
        lambda d: biology.ntcp_lkb(d, td50_gy=50, m=m),
        lambda d: biology.probability_logistic(d, d50_gy=50, gamma50=2.0),
    )
    for model in models:
        assert model(50) == pytest.approx(0.5)
        assert 50 * (model(50.01) - model(49.99)) / 0.02 == pytest.approx(2.0, rel=1e-3)
        assert model(1e4) == pytest.approx(1)
        assert model(0) == pytest.approx(0, abs=1e-6)


def test_poisson_model():
    """gamma50 of 2^(-exp(e g (1 - x))) at x = 1 is e g ln2 / 2: the g of its formula is that of the 37 % point."""
    slope = (
        50
        * (
            biology.probability_poisson(50.01, d50_gy=50, gamma50=2)
            - biology.probability_poisson(49.99, d50_gy=50, gamma50=2)
        )
        / 0.02
    )
    assert slope == pytest.approx(math.e * 2 * math.log(2) / 2, rel=1e-3)
    assert biology.probability_poisson(50, d50_gy=50, gamma50=2) == 0.5
    assert biology.probability_poisson(0, d50_gy=50, gamma50=300) == 0.0


@pytest.mark.parametrize("dose", [0, 30, 50, 70, 500])
def test_relative_seriality_of_a_uniform_dose_is_the_poisson_model(dose):
    uniform = dvh([dose], [10.0])
    poisson = biology.probability_poisson(dose, d50_gy=50, gamma50=2)
    assert biology.ntcp_relative_seriality(uniform, d50_gy=50, gamma50=2, s=0.7) == pytest.approx(poisson)


def test_relative_seriality_by_hand():
    half = dvh([20.0, 60.0], [5.0, 5.0])
    p = [biology.probability_poisson(d, d50_gy=50, gamma50=2) for d in (20.0, 60.0)]
    by_hand = (1 - math.sqrt((1 - p[0] ** 2) * (1 - p[1] ** 2))) ** 0.5
    assert biology.ntcp_relative_seriality(half, d50_gy=50, gamma50=2, s=2) == pytest.approx(by_hand)
