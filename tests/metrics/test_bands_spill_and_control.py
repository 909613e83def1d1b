"""Bands over what the slices allow; spill and D2cm; control and logistic models against closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from scipy.special import expit

import dvhkit
from dvhkit.engine.rasterise import volume_on_grid
from dvhkit.errors import InputError, MetricSyntaxError, NotEvaluable
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.metrics.expression import parse_metric
from dvhkit.metrics.plan_indices.conformity import spill_pct
from dvhkit.metrics.radiobiology import biology
from dvhkit.model.dvh import PEAKS, Dvh
from dvhkit.model.plan import Prescription

RX = Prescription(dose_gy=50.0, roi_number=None, origin="test")


def dvh(dose_gy, part_cc, volume_cc=None, **keys):
    dose_gy, part_cc = np.asarray(dose_gy, float), np.asarray(part_cc, float)
    volume_cc = part_cc.sum() if volume_cc is None else volume_cc
    return Dvh(
        roi="R",
        dose_gy=dose_gy,
        part_cc=part_cc,
        volume_cc=volume_cc,
        min_gy=dose_gy.min(),
        max_gy=dose_gy.max(),
        **keys,
    )


def test_a_band_runs_over_all_that_the_slices_allow():
    others = (dvh([8, 21], [1, 1]), dvh([9, 17], [1, 1]))
    row = evaluate_metric("Mean[Gy]", dvh([10, 20], [1, 1], variants=others), roi="R")
    assert (row.value, row.low, row.high) == (15.0, 13.0, 15.0)
    lone = evaluate_metric("Mean[Gy]", dvh([10, 20], [1, 1]), roi="R")
    assert (lone.value, lone.low, lone.high) == (15.0, None, None)


def test_a_band_is_of_the_metrics_own_unit_and_effect():
    wide = dvh([10, 20], [1, 3], variants=(dvh([10, 20], [2, 2]),))
    row = evaluate_metric("V15Gy[%]", wide, roi="R")
    assert (row.low, row.value, row.high) == (50.0, 75.0, 75.0)
    row = evaluate_metric("EQD2_2:Max[Gy]", replace(wide, variants=(dvh([10, 25], [1, 3]),)), roi="R", fractions=5)
    assert (row.low, row.high) == (pytest.approx(20 * 6 / 4), pytest.approx(25 * 7 / 4))


def test_a_variant_without_a_value_opens_no_band_and_is_told():
    row = evaluate_metric("D2cc[Gy]", dvh([10], [2.1], variants=(dvh([10], [1.9]),)), roi="R")
    assert (row.value, row.low, row.high) == (10.0, 10.0, 10.0)
    assert "as the slices are read, insufficient volume" in row.note
    none = evaluate_metric("D2cc[Gy]", dvh([10], [1.9], variants=(dvh([10], [2.1]),)), roi="R")
    assert (none.value, none.low, none.high) == (None, None, None)


@given(st.lists(st.lists(st.floats(0, 80), min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_value_lies_within_its_band(doses_gy):
    rows = [dvh(sorted(d), [1.0] * len(d)) for d in doses_gy]
    row = evaluate_metric("D50%[Gy]", replace(rows[0], variants=tuple(rows)), roi="R")
    assert row.low <= row.value <= row.high


@given(st.lists(st.floats(0, 5), min_size=3, max_size=3))
def test_no_band_of_a_dose_that_nowhere_falls_below_zero_does(least_gy):
    value, read_otherwise, in_other_dose = (dvh([gy, 20.0], [1, 1]) for gy in least_gy)
    variants = (read_otherwise, replace(in_other_dose, reading=PEAKS))
    bounds = (value.min_gy, value.min_gy)
    row = evaluate_metric("Min[Gy]", replace(value, variants=variants, min_bounds_gy=bounds), roi="R")
    assert 0 <= row.low <= row.value <= row.high


def test_spill_is_what_is_hot_outside_the_target():
    assert spill_pct(target_cc=20.0, hot_cc=13.0, hot_target_cc=10.0) == pytest.approx(15.0)
    assert spill_pct(target_cc=20.0, hot_cc=9.0, hot_target_cc=10.0) == 0.0
    with pytest.raises(NotEvaluable):
        spill_pct(target_cc=0.0, hot_cc=1.0, hot_target_cc=0.0)
    target, body = dvh([50, 55], [15, 5]), dvh([0, 50, 55], [900, 92, 8])
    row = evaluate_metric("Spill105", target, roi="R", prescription=RX, body=lambda: body)
    assert (row.metric, row.value) == ("Spill105[%]", pytest.approx(15.0))


@pytest.mark.parametrize(
    ("text", "value"), [("D2cm", 31.0), ("d2cm[Gy]", 31.0), ("D2cm[cGy]", 31.0), ("D2cm[%]", 62.0)]
)
def test_d2cm_is_the_greatest_dose_beyond_two_centimetres(text, value):
    asked = []

    def beyond(distance_mm):
        asked.append(distance_mm)
        return dvh([1, 31], [500, 1])

    row = evaluate_metric(text, dvh([50], [20]), roi="R", prescription=RX, beyond=beyond)
    assert row.value == pytest.approx(value)
    assert asked == [20.0]


def test_d2cm_needs_a_body_and_a_unit_that_it_has():
    assert evaluate_metric("D2cm[Gy]", dvh([50], [20]), roi="R").reason_code == "no-structure"
    with pytest.raises(MetricSyntaxError, match="Gy or %"):
        parse_metric("D2cm[cc]")
    with pytest.raises(MetricSyntaxError, match="plain number"):
        parse_metric("CI_Paddick[Gy]")


def test_d2cm_of_the_demo_is_that_of_its_voxels(demo_case_dir):
    """Voxels whose centre is farther from the target than 20 mm by a voxel's diagonal, or nearer by it, bracket it."""
    case = dvhkit.read_case(demo_case_dir)
    grid = case.dose.grid
    spacing = (grid.plane_spacing_mm, grid.spacing_mm[1], grid.spacing_mm[0])
    inside = volume_on_grid(case.structures["PTV"], grid, slice_spacing_mm=case.image.grid.plane_spacing_mm) >= 0.5
    body = volume_on_grid(case.structures["Body"], grid, slice_spacing_mm=case.image.grid.plane_spacing_mm) >= 0.5
    distance = distance_transform_edt(~inside, sampling=spacing)
    diagonal = math.sqrt(sum(s * s for s in spacing))
    far, near = (case.dose.values_gy[body & (distance > 20 + shift)].max() for shift in (diagonal, -diagonal))
    assert far <= dvhkit.evaluate_metric(case, "PTV", "D2cm[Gy]").value <= near


@pytest.mark.parametrize("dose_gy", [20.0, 50.0, 80.0])
def test_control_of_a_uniform_dose_is_the_poisson_model(dose_gy):
    uniform = biology.tcp_poisson(dvh([dose_gy], [7.0]), d50_gy=50.0, gamma50=2.0)
    assert uniform == pytest.approx(biology.probability_poisson(dose_gy, d50_gy=50.0, gamma50=2.0))


def test_control_is_the_product_of_its_parts_and_a_cold_spot_counts():
    both = biology.tcp_poisson(dvh([40.0, 60.0], [1.0, 3.0]), d50_gy=50.0, gamma50=2.0)
    parts = [biology.probability_poisson(d, d50_gy=50.0, gamma50=2.0) for d in (40.0, 60.0)]
    assert both == pytest.approx(parts[0] ** 0.25 * parts[1] ** 0.75)
    assert biology.tcp_poisson(dvh([0.0, 60.0], [1.0, 3.0]), d50_gy=50.0, gamma50=2.0) < both


def test_linear_quadratic_control_by_hand():
    """60 Gy in 30 at 10 Gy is a BED of 72 Gy; at alpha 0.3/Gy and 1e7 clonogens, survivors 1e7 exp(-21.6) = 0.00416."""
    made = biology.tcp_lq(dvh([60.0], [1.0]), 30, alpha_per_gy=0.3, alpha_beta_gy=10.0, clonogens_per_cc=1e7)
    assert made == pytest.approx(math.exp(-1e7 * math.exp(-21.6)))
    assert made == pytest.approx(0.99585, abs=1e-5)


def test_control_of_a_target_that_is_partly_without_dose_is_not_known():
    for model in (
        lambda d: biology.tcp_poisson(d, d50_gy=50.0, gamma50=2.0),
        lambda d: biology.tcp_lq(d, 5, alpha_per_gy=0.3, alpha_beta_gy=10.0, clonogens_per_cc=1e7),
    ):
        with pytest.raises(NotEvaluable):
            model(dvh([60.0], [1.0], volume_cc=1.1))


def test_nonsense_parameters_are_refused():
    with pytest.raises(InputError):
        biology.tcp_poisson(dvh([60.0], [1.0]), d50_gy=0.0, gamma50=2.0)
    with pytest.raises(InputError):
        biology.tcp_lq(dvh([60.0], [1.0]), 5, alpha_per_gy=0.0, alpha_beta_gy=10.0, clonogens_per_cc=1e7)


@given(st.floats(-2000, 2000))
def test_the_logit_is_a_logistic_function(score):
    assert biology.probability_logit(score) == pytest.approx(float(expit(score)), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gEUD1[Gy]", 30.0),
        ("geud 2", math.sqrt(1000.0)),
        ("gEUD -1", 80 / 3),
        ("gEUD1[%]", 60.0),
        ("EQD2_2:gEUD1[Gy]", 40.0),
    ],
)
def test_equivalent_uniform_dose_in_the_grammar(text, value):
    """20 and 40 Gy in equal parts: mean 30, root mean square sqrt(1000), harmonic mean 80/3.

    In 10 fractions at 2 Gy EQD2 is 20 (2 + 2) / 4 = 20 and 40 (4 + 2) / 4 = 60, their mean 40 Gy.
    """
    row = evaluate_metric(text, dvh([20, 40], [3, 3]), roi="R", prescription=RX, fractions=10)
    assert row.value == pytest.approx(value)


def test_equivalent_uniform_dose_has_one_spelling_out_and_needs_an_exponent():
    assert parse_metric("geud-10").canonical == "gEUD-10[Gy]"
    assert parse_metric(parse_metric("GEUD 0.5 [cGy]").canonical).at.value == 0.5
    for text in ("gEUD", "gEUD0", "gEUD8Gy[Gy]", "gEUD8%[Gy]", "gEUD8[cc]"):
        with pytest.raises(MetricSyntaxError):
            parse_metric(text)
