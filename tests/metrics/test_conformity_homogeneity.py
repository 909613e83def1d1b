"""Conformity and homogeneity indices against spheres and ramps with closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.metrics.plan_indices import conformity, homogeneity
from dvhkit.model.dvh import Dvh
from dvhkit.model.plan import Prescription


def sphere_cc(radius_mm):
    return 4 / 3 * math.pi * radius_mm**3 / 1000


def test_a_perfect_plan_is_ideal():
    v = sphere_cc(10)
    assert conformity.rtog_ci(target_cc=v, isodose_cc=v) == 1
    assert conformity.paddick_ci(target_cc=v, isodose_cc=v, covered_target_cc=v) == 1
    assert conformity.coverage(target_cc=v, covered_target_cc=v) == 1
    assert conformity.lomax_selectivity(isodose_cc=v, covered_target_cc=v) == 1


def test_an_isodose_beside_the_target_deceives_rtog_only():
    assert conformity.rtog_ci(target_cc=5, isodose_cc=5) == 1
    assert conformity.paddick_ci(target_cc=5, isodose_cc=5, covered_target_cc=0) == 0
    assert conformity.paddick_ci(target_cc=5, isodose_cc=0, covered_target_cc=0) == 0


def test_a_concentric_isodose():
    """Isodose of radius 11 round a target of radius 10: selectivity (10/11)^3."""
    target, isodose = sphere_cc(10), sphere_cc(11)
    assert conformity.paddick_ci(target_cc=target, isodose_cc=isodose, covered_target_cc=target) == pytest.approx(
        (10 / 11) ** 3
    )
    assert conformity.rtog_ci(target_cc=target, isodose_cc=isodose) == pytest.approx(1.331)


def test_gradient_of_a_gaussian_dose():
    """Dose A exp(-r^2 / 2 s^2) with s = R prescribed at r = R: r50 = R sqrt(1 + 2 ln 2), so GI = 3.69."""
    r50_mm = 9 * math.sqrt(1 + 2 * math.log(2))
    volumes = {"isodose_cc": sphere_cc(9), "half_isodose_cc": sphere_cc(r50_mm)}
    assert conformity.paddick_gi(**volumes) == pytest.approx(3.69, abs=0.005)
    assert conformity.gradient_distance_mm(**volumes) == pytest.approx(r50_mm - 9)
    assert conformity.r50(target_cc=sphere_cc(9), half_isodose_cc=sphere_cc(r50_mm)) == pytest.approx(3.69, abs=0.005)
    assert conformity.modified_gi(covered_target_cc=sphere_cc(9), half_isodose_cc=sphere_cc(r50_mm)) == pytest.approx(
        3.69, abs=0.005
    )


def test_no_volume_has_no_index():
    with pytest.raises(NotEvaluable):
        conformity.rtog_ci(target_cc=0, isodose_cc=5)
    with pytest.raises(NotEvaluable):
        conformity.paddick_gi(isodose_cc=0, half_isodose_cc=5)


def ramp(low, high, n=10_000):
    doses = low + (np.arange(n) + 0.5) * (high - low) / n
    return Dvh(roi="PTV", dose_gy=doses, part_cc=np.full(n, 0.01), volume_cc=n / 100, min_gy=low, max_gy=high)


def test_homogeneity_of_a_linear_ramp():
    """Dose evenly spread over 45..55 Gy: Dx = 55 - x / 10 Gy, to half a step of 0.001 Gy."""
    ptv = ramp(45, 55)
    assert homogeneity.icru83_hi(ptv) == pytest.approx(9.6 / 50, abs=1e-4)
    assert homogeneity.icru62_hi(ptv) == pytest.approx(55 / 45)
    assert homogeneity.rtog_hi(ptv, prescribed_gy=50) == pytest.approx(1.1)
    assert homogeneity.d5_d95_hi(ptv) == pytest.approx(54.5 / 45.5, abs=1e-4)


def ball(radius_mm, dose_of_r, n=200_000):
    """DVH of a ball in equal shells of volume."""
    r = radius_mm * np.cbrt((np.arange(n) + 0.5) / n)
    doses = np.asarray(dose_of_r(r))
    order = np.argsort(doses)
    total = sphere_cc(radius_mm)
    low, high = float(doses.min()), float(doses.max())
    part = np.full(n, total / n)
    return Dvh(roi="Body", dose_gy=doses[order], part_cc=part, volume_cc=total, min_gy=low, max_gy=high)


INDICES = [  # target radius 10 mm, dose 60 exp(-r^2 / 200) prescribed at r = 11 mm; half of it at r50
    ("CI_RTOG", 1.331),
    ("CI_Paddick", (10 / 11) ** 3),
    ("Selectivity_Lomax", (10 / 11) ** 3),
    ("GI_Paddick", (math.sqrt(121 + 200 * math.log(2)) / 11) ** 3),
    ("R50", (math.sqrt(121 + 200 * math.log(2)) / 10) ** 3),
    ("HI_RTOG", math.exp(121 / 200)),
]


@pytest.mark.parametrize(("name", "most"), [("Selectivity_Lomax", 1.0), ("CI_Paddick", 1.0)])
def test_an_isodose_is_no_smaller_than_what_of_it_lies_in_the_target(name, most):
    # Body and target are filled on lattices of their own: where the whole isodose lies in the target, the body's may
    # come out smaller. Here its shells are wide, so that it does by far.
    def dose(r):
        return 60 * np.exp(-(r**2) / 200)

    rx = Prescription(dose_gy=float(dose(np.array(8.03))), roi_number=None, origin="test")
    coarse = ball(60, dose, n=20_000)
    coarse = replace(coarse, part_cc=0.99 * coarse.part_cc)
    assert evaluate_metric(name, ball(10, dose), roi="PTV", prescription=rx, body=lambda: coarse).value <= most


@pytest.mark.parametrize(("name", "truth"), INDICES)
def test_indices_of_a_gaussian_dose_round_a_ball(name, truth):
    def dose(r):
        return 60 * np.exp(-(r**2) / 200)

    rx = Prescription(dose_gy=float(dose(np.array(11.0))), roi_number=None, origin="test")
    body = ball(60, dose)
    result = evaluate_metric(name, ball(10, dose), roi="PTV", prescription=rx, body=lambda: body)
    # One shell of 200,000 is 0.0045 cc; the isodose of 5.6 cc is known to 0.1 %.
    assert result.value == pytest.approx(truth, rel=2e-3)
    assert (result.unit, result.metric) == ("", name)
    assert "100 % =" in result.note
    several = evaluate_metric(name, ball(10, dose), roi="PTV", prescription=rx, body=lambda: body, targets=2)
    assert ("2 target volumes" in several.note) == (name != "HI_RTOG")


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("CI_Paddick", {}, Reason.NO_PRESCRIPTION),
        ("CI_Paddick", {"prescription": Prescription(dose_gy=50, roi_number=None, origin="t")}, Reason.NO_STRUCTURE),
        ("HI_RTOG", {}, Reason.NO_PRESCRIPTION),
    ],
)
def test_an_index_says_what_it_lacks(name, options, reason):
    assert evaluate_metric(name, ramp(45, 55), roi="PTV", **options).reason_code == reason
    assert evaluate_metric(name, None, roi="PTV", **options).reason_code == Reason.NO_DOSE
    empty = Dvh(roi="x", dose_gy=[], part_cc=[], volume_cc=0, min_gy=None, max_gy=None)
    assert evaluate_metric(name, empty, roi="PTV", **options).reason_code == Reason.EMPTY_STRUCTURE


def test_homogeneity_needs_neither_body_nor_prescription():
    assert evaluate_metric("HI_ICRU83", ramp(45, 55), roi="PTV").value == pytest.approx(9.6 / 50, abs=1e-4)
    assert evaluate_metric("HI_D5D95", ramp(45, 55), roi="PTV").value == pytest.approx(54.5 / 45.5, abs=1e-4)


def test_no_dose_has_no_homogeneity():
    with pytest.raises(NotEvaluable):
        homogeneity.icru83_hi(ramp(0, 0))
    with pytest.raises(NotEvaluable):
        homogeneity.icru62_hi(ramp(0, 50))
    with pytest.raises(NotEvaluable):
        homogeneity.icru83_hi(Dvh(roi="x", dose_gy=[], part_cc=[], volume_cc=3, min_gy=None, max_gy=None))
