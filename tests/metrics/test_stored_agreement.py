"""Our DVH beside the stored one: agreement within what programs differ by, and a finding beyond it."""

from dataclasses import replace

import numpy as np
import pytest
from shapely.geometry import Polygon

import dvhkit
from dvhkit.findings import Level
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.metrics.agreement import disagreement
from dvhkit.model.dose import StoredDvh
from dvhkit.model.dvh import Dvh

CODE = "stored-dvh-differs"


def linear_dvh(volume_cc, low_gy, high_gy, *, uncovered_cc=0.0, parts=4000):
    """Dose spread evenly from low to high: D(x%) = high - x% (high - low), mean in the middle."""
    doses = low_gy + (np.arange(parts) + 0.5) * (high_gy - low_gy) / parts
    return Dvh(
        roi="Liver",
        dose_gy=doses,
        part_cc=np.full(parts, volume_cc / parts),
        volume_cc=volume_cc + uncovered_cc,
        min_gy=low_gy,
        max_gy=high_gy,
    )


def linear_stored(volume_cc, low_gy, high_gy, *, bin_gy=0.01, percent=False, number=1):
    """The same as a planning system stores it; its minimum, mean and maximum are in percent, as some write them."""
    doses = np.arange(round(high_gy / bin_gy) + 2) * bin_gy
    share = np.clip((high_gy - doses) / (high_gy - low_gy), 0, 1)
    return StoredDvh(
        roi_number=number,
        dose_gy=doses,
        volume_cc=None if percent else volume_cc * share,
        volume_pct=100 * share,
        min_gy=20.0,
        mean_gy=50.0,
        max_gy=100.0,
    )


@pytest.mark.parametrize("bin_gy", [0.01, 0.5, 2.0])
def test_one_distribution_agrees_with_itself_whatever_the_bins(bin_gy):
    assert disagreement(linear_dvh(100, 4, 20), linear_stored(100, 4, 20, bin_gy=bin_gy)) is None


@pytest.mark.parametrize(
    ("stored_cc", "ours_cc", "differs"),
    [(100, 104.9, False), (100, 105.1, True), (100, 94.9, True), (0.5, 0.549, False), (0.5, 0.551, True)],
)
def test_volumes_may_differ_by_five_percent_or_half_a_tenth_of_a_cc(stored_cc, ours_cc, differs):
    finding = disagreement(linear_dvh(ours_cc, 4, 20), linear_stored(stored_cc, 4, 20))
    assert (finding is not None) is differs
    if finding:
        assert (finding.code, finding.level, finding.where) == (CODE, Level.WARNING, "Liver")
        assert f"volume {stored_cc:g} cc stored, {ours_cc:g} cc here" in finding.message
        assert "Gy" not in finding.message


@pytest.mark.parametrize(("shift_gy", "differs"), [(0.58, False), (-0.58, False), (0.64, True), (-0.64, True)])
def test_doses_may_differ_by_three_percent_of_the_greatest_stored_one(shift_gy, differs):
    """3 % of 20 Gy is 0.6 Gy; the stored bins add 0.01 Gy at most."""
    finding = disagreement(linear_dvh(100, 4 + shift_gy, 20 + shift_gy), linear_stored(100, 4, 20))
    assert (finding is not None) is differs
    if finding:
        assert f"mean 12 Gy stored, {12 + shift_gy:g} Gy here" in finding.message
        assert all(f"D{x}% " in finding.message for x in (2, 50, 98))
        assert "cc stored" not in finding.message


def test_only_the_dose_that_differs_is_named():
    """The hottest 10 % get 2 Gy more: the mean rises by 0.2 Gy, the median and the near-minimum stay."""
    plain = linear_dvh(100, 4, 20)
    hot = replace(plain, dose_gy=plain.dose_gy + np.where(np.arange(4000) >= 3600, 2.0, 0.0), max_gy=22.0)
    message = disagreement(hot, linear_stored(100, 4, 20)).message
    # 2 % of the way from 20 to 4 Gy is 19.68 Gy.
    assert "D2% 19.68 Gy stored, 21.68 Gy here" in message
    assert not any(word in message for word in ("mean", "D50%", "D98%", "cc stored"))


def test_a_curve_in_percent_has_no_volume_to_compare_but_doses():
    assert disagreement(linear_dvh(50, 4, 20), linear_stored(100, 4, 20, percent=True)) is None
    assert "mean" in disagreement(linear_dvh(50, 6, 22), linear_stored(100, 4, 20, percent=True)).message


def test_doses_of_a_structure_that_leaves_the_grid_are_not_compared():
    stored = linear_stored(102, 4, 20)
    assert disagreement(linear_dvh(100, 10, 26, uncovered_cc=2), stored) is None
    assert disagreement(linear_dvh(101.5, 10, 26, uncovered_cc=0.5), stored) is not None


def test_a_curve_of_the_part_inside_the_grid_is_compared_with_that_part():
    assert disagreement(linear_dvh(100, 4, 20, uncovered_cc=60), linear_stored(100, 4, 20)) is None
    far = disagreement(linear_dvh(100, 10, 26, uncovered_cc=60), linear_stored(100, 4, 20))
    assert "mean" in far.message
    assert "volume" not in far.message
    assert "volume" in disagreement(linear_dvh(100, 4, 20, uncovered_cc=60), linear_stored(130, 4, 20)).message


def test_a_stored_value_within_our_band_is_no_disagreement():
    ours = linear_dvh(100, 4, 20)
    assert disagreement(ours, linear_stored(112, 6, 22)) is not None
    banded = replace(ours, variants=(linear_dvh(113, 6.1, 22.1), linear_dvh(90, 3, 19)))
    assert disagreement(banded, linear_stored(112, 6, 22)) is None


def test_a_structure_far_from_the_beams_is_not_held_to_parts_of_a_centigray():
    assert disagreement(linear_dvh(100, 0.011, 0.029), linear_stored(100, 0.005, 0.02)) is None


def test_the_finding_goes_with_the_dvh_and_into_the_audit(demo_case_dir):
    case = dvhkit.read_case(demo_case_dir)
    liver = case.structures["Liver"]
    spinal_cord = next(s for s in case.structures if s.number != liver.number and not s.is_empty)
    plain = dvhkit.compute_dvh(case, "Liver")
    doses, volumes = plain.curve(step_gy=0.01)

    def with_stored(*scales, uid=case.dose.referenced_structure_set_uid, number=liver.number):
        stored = tuple(
            StoredDvh(
                roi_number=number,
                dose_gy=doses,
                volume_cc=scale * volumes,
                volume_pct=100 * volumes / volumes[0],
                min_gy=None,
                mean_gy=None,
                max_gy=None,
            )
            for scale in scales
        )
        return replace(case, dose=replace(case.dose, stored_dvhs=stored, referenced_structure_set_uid=uid))

    def codes(one):
        return [f.code for f in dvhkit.compute_dvh(one, "Liver").findings]

    assert CODE not in codes(with_stored(1.0))
    assert codes(with_stored(1.1)).count(CODE) == 1
    # One of several that agrees is enough.
    assert CODE not in codes(with_stored(1.1, 1.0))
    # ROI numbers of another structure set, or of another structure, mean nothing here.
    assert CODE not in codes(with_stored(1.1, uid="1.2.3"))
    assert CODE not in codes(with_stored(1.1, number=spinal_cord.number))
    # A curve of the liver less the GTV is compared with just that: the whole liver's is another, its own agrees.
    gtv = case.structures["GTV"]
    less = with_stored(1.0)
    rest_doses, rest_volumes = dvhkit.compute_dvh(case, "Liver - GTV").curve(step_gy=0.01)
    whole = replace(less.dose.stored_dvhs[0], excluded_numbers=(gtv.number,))
    share = 100 * rest_volumes / rest_volumes[0]
    rest = replace(whole, dose_gy=rest_doses, volume_cc=rest_volumes, volume_pct=share)
    for one, differs in ((whole, True), (rest, False)):
        assert (CODE in codes(replace(less, dose=replace(less.dose, stored_dvhs=(one,))))) == differs
    record = dvhkit.audit_case(with_stored(1.1), "oligoprogressive-liver-2025")
    assert [f.where for f in record.findings if f.code == CODE] == ["Liver"]


@pytest.mark.real
def test_the_breast_plan_differs_from_its_planning_system_where_that_is_known(real_data):
    """Seven of nine agree, two of them (thin, on few slices) within what their ends leave open. The scar is as thin,
    and its volume hangs on how a program rasters a sliver. Of the body the planning system leaves 6 % out, nearly all
    of it below 0.5 Gy; the outlines bear ours out.
    """
    case = dvhkit.read_case(real_data / "breast_tps_dvh")
    numbers = CaseNumbers(case)
    stored_dvhs = {case.structures[f"#{s.roi_number}"].name: s for s in case.dose.stored_dvhs}
    dvhs = {name: numbers.dvh(numbers.region(name)) for name in stored_dvhs}
    differ = {dvh.roi: f.message for dvh in dvhs.values() for f in dvh.findings if f.code == CODE}
    assert len(dvhs) == 9
    assert set(differ) == {"BODY", "Scar"}
    assert all(len({c.points_mm[0, 2] for c in case.structures[n].contours}) <= 6 for n in ("Borders", "Nodes", "Scar"))
    assert all(dvhs[name].volume_cc < 1.5 for name in ("Borders", "Nodes", "Scar"))
    assert "volume 13940 cc stored, 148" in differ["BODY"]
    areas_mm2 = [Polygon(c.points_mm[:, :2]).area for c in case.structures["BODY"].contours]
    assert dvhs["BODY"].volume_cc == pytest.approx(3.0 * sum(areas_mm2) / 1000, rel=1e-3)
    stored = stored_dvhs["BODY"]
    at_half_a_gray = np.interp(0.5, stored.dose_gy, stored.volume_cc)
    assert dvhs["BODY"].volume_at_least_cc(0.5) == pytest.approx(at_half_a_gray, rel=0.01)
