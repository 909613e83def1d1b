"""What right plans do is never remarked: every way to prescribe, several levels, targets cut by the skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_sets import GRID, PLANES_MM, field_gy, right_gy, target, write_planted

from dvhkit.findings import Level
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.metrics.plausible import TargetDose, Told, judge_maximum, judge_target, judge_unprescribed
from dvhkit.model.dose import DoseType
from dvhkit.phantoms.sets.phantom_set import voxel_centres_mm
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.readers.case import read_case


def found(folder):
    return {f.code: f for f in CaseNumbers(read_case(folder)).dose_findings()}


def dose_of(d98, d95, d50, d2, *, d90=None):
    return TargetDose(name="PTV", d98_gy=d98, d95_gy=d95, d90_gy=d90 or d95, d50_gy=d50, d2_gy=d2)


@pytest.mark.parametrize(
    "dose",
    [
        pytest.param(dose_of(57, 58, 60.5, 63), id="conventional"),
        pytest.param(dose_of(60, 61, 75, 92), id="radiosurgery at 65 %"),
        pytest.param(dose_of(59, 60, 105, 149), id="radiosurgery at 40 %"),
        pytest.param(dose_of(30, 38, 58, 70), id="spared next to the cord"),
        pytest.param(dose_of(44, 47, 54, 60), id="prescribed to the maximum"),
        pytest.param(dose_of(70, 72, 84, 100), id="GTV of a stereotactic plan"),
    ],
)
def test_every_way_to_prescribe_60_gy_is_plausible(dose):
    assert judge_target(dose, Told(prescribed_gy=60.0, total_gy=60.0, max_gy=150.0)) is None


@pytest.mark.parametrize(
    ("dose", "says"),
    [
        pytest.param(dose_of(27, 28, 42.5, 49), "half the plan", id="half of a 60 % isodose: the edge tells"),
        pytest.param(dose_of(24, 30, 45, 50), "half the plan", id="no peak that reaches what is prescribed"),
        pytest.param(dose_of(45, 54, 108, 109), "twice the plan", id="1.8 times a plan that spares a cord: a flat top"),
        pytest.param(dose_of(80, 81, 112, 135), "wrongly scaled", id="1.35 times a PTV inside a 60 % isodose"),
    ],
)
def test_doses_whose_median_alone_is_likely_are_wrong_by_their_edge_or_top(dose, says):
    told = Told(prescribed_gy=60.0, total_gy=60.0, fractions=8, max_gy=150.0)
    found = judge_target(replace(dose, is_ptv=True, prescribed=True), told)
    assert found.level is Level.SERIOUS
    assert says in found.message


def test_without_a_prescription_only_what_no_beams_give_is_withheld():
    assert judge_unprescribed(Told(prescribed_gy=0.0, fractions=30, max_gy=63.0)) is None
    assert judge_unprescribed(Told(prescribed_gy=0.0, fractions=1, max_gy=160.0)) is None
    assert judge_unprescribed(Told(prescribed_gy=0.0, fractions=4, max_gy=3000.0, is_brachy=True)) is None
    assert "divided by 100" in judge_unprescribed(Told(prescribed_gy=0.0, fractions=30, max_gy=0.63)).message
    assert "one fraction" in judge_unprescribed(Told(prescribed_gy=0.0, fractions=30, max_gy=2.1)).message
    assert "cGy" in judge_unprescribed(Told(prescribed_gy=0.0, max_gy=6300.0)).message


@pytest.mark.parametrize("d90", [19.6, 28.0, 55.0])
def test_high_risk_volumes_of_brachytherapy_are_plausible(d90):
    told = Told(prescribed_gy=28.0, total_gy=28.0, is_brachy=True, max_gy=3000.0)
    assert judge_target(dose_of(0.7 * d90, 0.85 * d90, 2 * d90, 9 * d90, d90=d90), told) is None


def test_without_a_target_a_low_maximum_is_told_and_a_quarter_of_the_prescription_withholds():
    assert judge_maximum(Told(prescribed_gy=60.0, total_gy=60.0, max_gy=63.0)) is None
    assert judge_maximum(Told(prescribed_gy=60.0, total_gy=60.0, max_gy=48.0)).level is Level.WARNING
    assert judge_maximum(Told(prescribed_gy=60.0, total_gy=60.0, max_gy=12.0)).level is Level.SERIOUS
    assert judge_maximum(Told(prescribed_gy=28.0, total_gy=28.0, max_gy=3000.0, is_brachy=True)) is None


@pytest.mark.parametrize(
    ("rx", "level_gy", "says"),
    [
        (60.0, 100.0, "percent of the prescription"),
        (60.0, 1.0, "relative dose"),
        (60.0, 30.0, "half the plan"),
        (60.0, 120.0, "twice the plan"),
        (20.0, 4.0, "one fraction"),
        (4.0, 20.0, "prescription looks like that of one fraction"),
        (6000.0, 60.0, "in cGy"),
        (66.0, 16.0, "another of the plan's prescriptions"),
        (60.0, 40.0, "two thirds"),
        (60.0, 47.0, "part of the treatment"),
    ],
)
def test_even_doses_that_are_wrong_are_called_by_what_they_look_like(rx, level_gy, says):
    told = Told(prescribed_gy=rx, fractions=5, total_gy=rx, others_gy=(16.0,), max_gy=level_gy)
    finding = judge_target(dose_of(0.97 * level_gy, 0.98 * level_gy, level_gy, 1.03 * level_gy), told)
    assert finding.level is Level.SERIOUS
    assert says in finding.message


def test_an_integrated_boost_of_two_levels_is_plausible_to_both(tmp_path):
    values = 54.0 / 60.0 * right_gy("photon") + 12.0 * field_gy(0.0, half_mm=12.0) * field_gy(90.0, half_mm=12.0)
    both = (target("PTV_66", 1, 8.0), target("PTV_54", 2, 20.0))
    assert found(write_planted(tmp_path, "photon", values, structures=both, rx=[(66.0, 1), (54.0, 2)])) == {}


def test_phases_stated_one_by_one_are_met_by_their_sum(tmp_path):
    both = (target("PTV_50", 2, 20.0), target("PTV_Boost", 1, 12.0))
    assert found(write_planted(tmp_path, "photon", structures=both, rx=[(50.0, 2), (10.0, 1)])) == {}


def test_a_target_cut_by_the_skin_is_judged_inside_the_body(tmp_path):
    x, *_ = voxel_centres_mm(GRID)
    values = np.where(x > 8.0, 0.0, right_gy("photon"))
    body = structure("Body", 9, sphere((-42.0, 0.0, 0.0), 50.0), PLANES_MM, rt_roi_type="EXTERNAL", n_points=64)
    assert found(write_planted(tmp_path / "cut", "photon", values, structures=(target(), body))) == {}
    whole = structure("Body", 9, sphere((0.0, 0.0, 0.0), 52.0), PLANES_MM, rt_roi_type="EXTERNAL", n_points=24)
    assert "target-partly-cold" in found(
        write_planted(tmp_path / "cold", "photon", values, structures=(target(), whole))
    )


def test_a_prescription_that_names_no_target_is_met_by_any(tmp_path):
    two = (target("CTV_Breast", 1, 20.0, (60.0, 0.0, 0.0), "CTV"), target("CTV_Bed", 2, 15.0, kind="CTV"))
    assert found(write_planted(tmp_path, "photon", structures=two, rx=[(60.0, None), (45.0, None)])) == {}


def test_the_dose_of_a_plan_on_another_target_names_that_target(tmp_path):
    two = (target("PTV_1", 1, 12.0, (-60.0, 0.0, 0.0)), target("PTV_2", 2, 18.0))
    message = found(write_planted(tmp_path, "photon", structures=two))["dose-far-from-prescription"].message
    assert "PTV_2 has that dose" in message


def test_a_prescription_to_an_roi_that_is_no_target_is_a_warning_where_a_target_has_the_dose(tmp_path):
    rois = (target("Cord", 1, 8.0, (50.0, 0.0, 0.0), "ORGAN"), target("PTV", 2))
    codes = found(write_planted(tmp_path, "photon", structures=rois))
    assert {code: f.level for code, f in codes.items()} == {"prescription-roi-doubtful": Level.WARNING}


def test_a_target_outside_the_dose_grid_is_told(tmp_path):
    far = target("PTV", 1, 12.0, (0.0, 110.0, 0.0))
    assert "target-outside-dose" in found(write_planted(tmp_path, "photon", structures=(far,)))


def test_a_physical_proton_dose_is_serious_only_where_it_lacks_the_rbe(tmp_path):
    values = right_gy("proton")
    right = write_planted(tmp_path / "a", "proton", values, dose_type=DoseType.PHYSICAL)
    lacking = write_planted(tmp_path / "b", "proton", values / 1.1, dose_type=DoseType.PHYSICAL)
    assert found(right)["ion-dose-physical"].level is Level.INFO
    assert found(lacking)["ion-dose-physical"].level is Level.SERIOUS


def test_an_effective_dose_of_photons_is_serious(tmp_path):
    case = read_case(write_planted(tmp_path, "photon", dose_type=DoseType.EFFECTIVE))
    assert next(f.level for f in case.findings if f.code == "dose-effective") is Level.SERIOUS


def test_of_prescriptions_that_name_no_roi_the_hottest_target_is_told_of(tmp_path):
    two = (target("PTV_1", 1, 12.0, (-60.0, 0.0, 0.0)), target("PTV_2", 2, 18.0))
    folder = write_planted(tmp_path, "photon", 100.0 * right_gy("photon"), structures=two, rx=[(60.0, None)])
    message = found(folder)["dose-far-from-prescription"].message
    assert message.startswith("PTV_2")
    assert "cGy were read as Gy" in message


def test_without_a_prescription_that_is_said_and_nothing_withheld(tmp_path):
    codes = found(write_planted(tmp_path, "photon", rx=[(0.0, None)]))
    assert {code: f.level for code, f in codes.items()} == {"dose-unchecked": Level.INFO}


@pytest.mark.parametrize("name", ["HR-CTV", "CTV_HR", "PTVboost"])
def test_a_target_that_only_its_name_tells_is_measured(tmp_path, name):
    # One fraction of four: nothing but the target's own dose tells it, for the greatest lies at the source.
    rois = (target(name, 1, kind=""), target("CTVision", 2, 8.0, (50.0, 0.0, 0.0), kind=""))
    folder = write_planted(tmp_path, "hdr", 0.25 * right_gy("hdr"), structures=rois, rx=[(28.0, None)])
    assert found(folder)["dose-far-from-prescription"].message.startswith(name)
