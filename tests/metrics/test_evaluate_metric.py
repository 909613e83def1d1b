"""Metric values against closed forms, and a reason wherever there is no value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvhkit.errors import MetricSyntaxError, Reason
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.metrics.prescribed import prescriptions_for
from dvhkit.metrics.registry import specs
from dvhkit.metrics.shape import SHAPE_KINDS
from dvhkit.model.dvh import Dvh
from dvhkit.model.plan import Prescription

RX = Prescription(dose_gy=50.0, roi_number=None, origin="given by the user")


def dvh(dose_gy, part_cc, *, volume_cc=None):
    dose_gy, part_cc = np.asarray(dose_gy, float), np.asarray(part_cc, float)
    order = np.argsort(dose_gy, kind="stable")
    return Dvh(
        roi="Liver",
        dose_gy=dose_gy[order],
        part_cc=part_cc[order],
        volume_cc=float(part_cc.sum()) if volume_cc is None else volume_cc,
        min_gy=float(dose_gy.min()) if dose_gy.size else None,
        max_gy=float(dose_gy.max()) if dose_gy.size else None,
    )


def value(metric, histogram, **options):
    result = evaluate_metric(metric, histogram, roi="Liver", **options)
    assert result.reason_code is None, result.reason
    return result.value


def reason(metric, histogram, **options):
    result = evaluate_metric(metric, histogram, roi="Liver", **options)
    assert result.value is None
    assert result.reason
    return Reason(result.reason_code)


@pytest.fixture
def ramp():
    """1,500 cc whose dose rises linearly from 0 to 30 Gy, in 15,000 equal parts."""
    n = 15_000
    return dvh((np.arange(n) + 0.5) * 30 / n, np.full(n, 1500 / n))


RAMP_TRUTH = [  # closed forms of dose = 30 Gy * (cold fraction); step 0.002 Gy, 0.1 cc
    ("D95%[Gy]", 1.5),
    ("D50%[Gy]", 15.0),
    ("D300cc[Gy]", 24.0),
    ("DC700cc[Gy]", 14.0),
    ("DC10%[Gy]", 3.0),
    ("V15Gy[%]", 50.0),
    ("V15Gy[cc]", 750.0),
    ("CV15Gy[cc]", 750.0),
    ("CV15Gy[%]", 50.0),
    ("V100%[%]", 100 * (1 - 25 / 30)),
    ("Mean[Gy]", 15.0),
    ("Median[Gy]", 15.0),
    ("SD[Gy]", 30 / math.sqrt(12)),
    ("gEUD2[Gy]", math.sqrt(15**2 + 30**2 / 12)),  # the mean of squares is the square of the mean plus the variance
    ("Mean[%]", 60.0),
    ("D2%[%]", 100 * 29.4 / 25),
    ("Volume[cc]", 1500.0),
]


@pytest.mark.parametrize(("metric", "truth"), RAMP_TRUTH)
def test_linear_ramp_has_its_closed_form(ramp, metric, truth):
    rx = Prescription(dose_gy=25.0, roi_number=None, origin="test")
    # Half a step of the ramp either way: 0.001 Gy of 25 Gy is 0.004 %, 0.05 cc of 1500 cc 0.0034 %.
    assert value(metric, ramp, prescription=rx) == pytest.approx(truth, abs=0.11 if metric.endswith("[cc]") else 0.009)


def test_every_metric_of_the_table_has_a_row_above():
    tested = {metric.split("[")[0].rstrip("0123456789.%Gyc") for metric, _ in RAMP_TRUTH} | {"Max", "Min"}
    # Those of shape are measured on contours: tests/contours.
    assert {row.name for row in specs()} - set(SHAPE_KINDS) <= tested


def test_whole_volume_gives_the_minimum_and_none_the_maximum(ramp):
    assert value("D100%[Gy]", ramp) == value("Min[Gy]", ramp) == ramp.min_gy
    assert value("D0%[Gy]", ramp) == value("Max[Gy]", ramp) == ramp.max_gy
    assert value("DC100%[Gy]", ramp) == ramp.max_gy
    assert value("DC0%[Gy]", ramp) == ramp.min_gy
    assert value("D1500cc[Gy]", ramp) == ramp.min_gy


def test_volume_above_the_maximum_is_a_true_zero(ramp):
    assert value("V31Gy[cc]", ramp) == 0.0
    assert value("V31Gy[%]", ramp) == 0.0
    assert value("CV31Gy[cc]", ramp) == pytest.approx(1500)
    assert value("V0Gy[cc]", ramp) == pytest.approx(1500)


@pytest.mark.parametrize("dose_gy", [15.0, 15.0 - 1e-8, 15.0 + 1e-8])
def test_uniform_dose_at_the_limit_counts_on_both_sides(dose_gy):
    uniform = dvh([dose_gy], [1500.0])
    assert value("CV15Gy[cc]", uniform) == 1500
    assert value("V15Gy[cc]", uniform) == 1500
    assert value("DC700cc[Gy]", uniform) == dose_gy
    assert value("D95%[Gy]", uniform) == dose_gy
    assert value("SD[Gy]", uniform) == 0.0


def test_plateau_gives_the_upper_end_for_d_and_the_lower_end_for_dc():
    # 50 cc at 10 Gy, 50 cc at 20 Gy: V(d) = 50 cc all the way from 10 to 20 Gy.
    two = dvh([10.0, 20.0], [50.0, 50.0])
    assert value("D50cc[Gy]", two) == 20.0
    assert value("DC50cc[Gy]", two) == 10.0
    assert value("Median[Gy]", two) == 20.0


def test_more_volume_than_there_is_has_no_dose():
    small = dvh([10.0], [1.0])
    assert reason("D2cc[Gy]", small) is Reason.VOLUME_TOO_SMALL
    assert reason("DC2cc[Gy]", small) is Reason.VOLUME_TOO_SMALL
    assert "1 cc" in evaluate_metric("D2cc[Gy]", small, roi="x").reason


@pytest.mark.parametrize(("liver_cc", "too_small"), [(690.0, True), (700.0, True), (700.1, False)])
def test_a_liver_that_cannot_spare_700_cc_is_too_small(liver_cc, too_small):
    liver = dvh([1.0], [liver_cc])
    result = evaluate_metric("DC700cc[Gy]", liver, roi="Liver")
    assert (result.reason_code == Reason.VOLUME_TOO_SMALL) is too_small
    assert not too_small or "insufficient volume" in result.reason


def test_percent_dose_needs_exactly_one_prescription(ramp):
    other = Prescription(dose_gy=54.0, roi_number=3, origin="RTPLAN")
    assert reason("V100%[%]", ramp) is Reason.NO_PRESCRIPTION
    assert reason("Mean[%]", ramp, prescription=()) is Reason.NO_PRESCRIPTION
    assert reason("V100%[%]", ramp, prescription=(RX, other)) is Reason.AMBIGUOUS_PRESCRIPTION
    assert value("V20Gy[%]", ramp, prescription=(RX, other)) == pytest.approx(100 / 3, abs=0.01)
    same = Prescription(dose_gy=50.0, roi_number=7, origin="RTPLAN")
    result = evaluate_metric("Mean[%]", ramp, roi="x", prescription=(RX, same))
    assert result.value == pytest.approx(30)
    assert "50 Gy" in result.note
    assert "given by the user" in result.note


@pytest.mark.parametrize("dose_gy", [0.0, -1.0, math.nan, math.inf])
def test_a_prescription_of_no_dose_is_none(ramp, dose_gy):
    useless = Prescription(dose_gy=dose_gy, roi_number=None, origin="RTPLAN")
    assert reason("Mean[%]", ramp, prescription=useless) is Reason.NO_PRESCRIPTION


def test_a_target_has_its_own_prescription_and_an_organ_all():
    high, low = (Prescription(dose_gy=d, roi_number=n, origin="RTPLAN") for d, n in ((60.0, 1), (54.0, 2)))
    assert prescriptions_for((high, low), 2) == (low,)
    assert prescriptions_for((high, low), 9) == (high, low)


def test_no_dose_leaves_only_the_volume():
    assert reason("Mean[Gy]", None, volume_cc=5.0) is Reason.NO_DOSE
    assert reason("Volume[cc]", None) is Reason.NO_VOLUME
    assert value("Volume[cc]", None, volume_cc=5.0) == 5.0


@pytest.mark.parametrize("metric", ["Mean[Gy]", "Volume[cc]", "D95%[Gy]", "V20Gy[cc]", "DC700cc[Gy]"])
def test_an_empty_structure_has_no_value_at_all(metric):
    assert reason(metric, dvh([], [])) is Reason.EMPTY_STRUCTURE
    assert reason(metric, None, volume_cc=0.0) in {Reason.EMPTY_STRUCTURE, Reason.NO_DOSE}


def test_a_structure_outside_the_dose_grid_has_volume_but_no_dose():
    outside = dvh([], [], volume_cc=12.0)
    for metric in ("Mean[Gy]", "Max[Gy]", "Min[Gy]", "SD[Gy]", "V20Gy[cc]", "V20Gy[%]", "CV5Gy[cc]", "D95%[Gy]"):
        assert reason(metric, outside) is Reason.OUTSIDE_DOSE_GRID
    assert value("Volume[cc]", outside) == 12.0


def test_much_outside_the_grid_is_refused_with_the_amount_and_the_rest():
    half = dvh([10.0], [750.0], volume_cc=1500.0)
    result = evaluate_metric("DC700cc[Gy]", half, roi="Liver")
    assert result.reason_code == Reason.OUTSIDE_DOSE_GRID
    assert "750 cc (50 %)" in result.reason
    assert "10 Gy" in result.reason
    assert value("Volume[cc]", half) == 1500.0
    allowed = evaluate_metric("V5Gy[%]", half, roi="Liver", uncovered="exclude")
    assert allowed.value == pytest.approx(100.0)  # of the part inside
    assert "750 cc (50 %)" in allowed.note


def test_a_little_outside_the_grid_is_computed_and_noted():
    nearly = dvh([10.0], [995.0], volume_cc=1000.0)
    result = evaluate_metric("V5Gy[cc]", nearly, roi="Liver")
    assert result.value == pytest.approx(995.0)
    assert "5 cc (0.5 %)" in result.note
    assert reason("D998cc[Gy]", nearly) is Reason.OUTSIDE_DOSE_GRID
    assert reason("D998cc[Gy]", nearly, uncovered="exclude") is Reason.OUTSIDE_DOSE_GRID
    assert reason("D1001cc[Gy]", nearly) is Reason.VOLUME_TOO_SMALL
    assert value("D100%[Gy]", nearly) == 10.0


def test_a_liver_both_too_small_and_uncovered_is_too_small():
    assert reason("DC700cc[Gy]", dvh([1.0], [300.0], volume_cc=690.0)) is Reason.VOLUME_TOO_SMALL


def test_a_dose_that_is_not_a_number_gives_no_value():
    assert reason("Mean[Gy]", dvh([1.0, math.nan], [1.0, 1.0])) is Reason.NO_DOSE


def test_biological_dose_is_converted_dose_by_dose(ramp):
    """Dose D even over 0..30 Gy in 5 fractions, alpha/beta 3: EQD2 is D (D / 5 + 3) / 5, BED D (1 + D / 15)."""
    # Mean of D^2 is 300, of D 15: EQD2 (300 / 5 + 45) / 5 = 21, BED 15 + 300 / 15 = 35.
    assert value("EQD2_3:Mean[Gy]", ramp, fractions=5) == pytest.approx(21, abs=0.01)
    assert value("BED_3:Mean[Gy]", ramp, fractions=5) == pytest.approx(35, abs=0.01)
    assert value("EQD2_3:D50%[Gy]", ramp, fractions=5) == pytest.approx(15 * (3 + 3) / 5, abs=0.01)
    # 18 Gy in EQD2 is 15 Gy of physical dose.
    assert value("EQD2_3:V18Gy[%]", ramp, fractions=5) == pytest.approx(50, abs=0.01)
    assert value("EQD2_3:DC700cc[Gy]", ramp, fractions=5) == pytest.approx(14 * (2.8 + 3) / 5, abs=0.01)


def test_biological_dose_needs_the_fractions_and_says_what_it_rests_on(ramp):
    assert reason("EQD2_3:Mean[Gy]", ramp) is Reason.NO_FRACTIONS
    result = evaluate_metric("EQD2_3:Mean[Gy]", ramp, roi="x", fractions=5)
    assert "alpha/beta 3 Gy, 5 fractions" in result.note
    assert "disputed" not in result.note
    assert "disputed" in evaluate_metric("EQD2_3:Mean[Gy]", ramp, roi="x", fractions=2).note
    assert reason("EQD2_3:Mean[Gy]", None, fractions=5) is Reason.NO_DOSE


def test_a_metric_that_cannot_be_read_is_refused(ramp):
    with pytest.raises(MetricSyntaxError):
        evaluate_metric("D95", ramp, roi="x")


parts = st.lists(st.tuples(st.floats(0, 80), st.floats(1e-3, 500)), min_size=1, max_size=30).map(
    lambda pairs: dvh(*zip(*pairs, strict=True))
)


@given(parts, st.floats(0, 100))
def test_hot_and_cold_are_complements(histogram, share):
    """D and DC, V and CV, each against sorting the parts by hand."""
    doses, volumes = histogram.dose_gy, histogram.part_cc
    total = volumes.sum()
    d = value(f"D{share:.6f}%[Gy]", histogram)
    assert volumes[doses >= d * (1 - 1e-12)].sum() >= total * (share - 1e-4) / 100
    dc = value(f"DC{share:.6f}%[Gy]", histogram)
    assert volumes[doses <= dc * (1 + 1e-12)].sum() >= total * (share - 1e-4) / 100
    above, below = value(f"V{share:.6f}Gy[cc]", histogram), value(f"CV{share:.6f}Gy[cc]", histogram)
    assert above + below >= total * (1 - 1e-12)  # a dose of just that value is in both


@given(parts)
def test_d_falls_and_v_falls(histogram):
    d = [value(f"D{share}%[Gy]", histogram) for share in (0, 2, 50, 95, 98, 100)]
    v = [value(f"V{dose}Gy[%]", histogram) for dose in (0, 5, 20, 60, 81)]
    assert d == sorted(d, reverse=True)
    assert v == sorted(v, reverse=True)
    assert v[0] == pytest.approx(100)
    assert v[-1] == 0
