"""The critical volume of the liver, from DICOM files to the verdict: boxes whose answers are one division."""

import numpy as np
import pytest

import dvhkit
from dvhkit.errors import DvhkitError, Reason
from dvhkit.jobs.audit import audit_case
from dvhkit.model.dose import DoseType
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomSet, arc_plan, axial_grid, voxel_centres_mm
from dvhkit.results.audit import Verdict

SLICES_MM = np.arange(-47.5, 50, 5.0)  # 20 slices: 100 mm with half a slice beyond each end
LEFT_MM, TOP_MM = -30.0, -50.0
RULES = """\
id: liver
version: "1"
title: Liver
rules:
  - {id: Cold, structure: Liver, metric: "DC700cc[Gy]", goal: "<= 15 Gy", variation: "<= 17 Gy", fractions: 3..5}
  - {id: Same, structure: Liver, metric: "CV15Gy[cc]", goal: ">= 700 cc"}
  - {id: Hot, structure: Liver, metric: "V15Gy[%]", goal: "<= 50 %"}
  - {id: Rx, structure: Liver, metric: "V100%[%]", goal: "<= 10 %"}
  - {id: Size, structure: Liver, metric: "Volume[cc]", goal: ">= 100 cc"}
  - {id: Less, structure: Liver - GTV, metric: "Mean[Gy]", goal: "<= 90 Gy"}
  - {id: Gone, structure: Spleen, metric: "Mean[Gy]", goal: "<= 90 Gy"}
  - {id: BED, property: prescription.bed10, goal: ">= 60 Gy"}
"""


def box(name, number, depth_mm, *, empty=False):
    """A box 100 mm wide and high: as many cc as it is millimetres deep, times ten."""
    right_mm, bottom_mm = LEFT_MM + 100, TOP_MM + depth_mm
    corners = [(LEFT_MM, TOP_MM), (right_mm, TOP_MM), (right_mm, bottom_mm), (LEFT_MM, bottom_mm)]
    contours = tuple(
        Contour(points_mm=np.array([(x, y, z) for x, y in corners]), kind=ContourKind.CLOSED_PLANAR) for z in SLICES_MM
    )
    return Structure(number=number, name=name, contours=() if empty else contours, rt_roi_type="ORGAN")


def dose(field, *, first_y_mm=-80.0, **kind):
    grid = axial_grid(shape_zyx=(30, 70, 40), spacing_xyz_mm=(4.0, 4.0, 5.0), first_xyz_mm=(-60.0, first_y_mm, -72.5))
    values = np.broadcast_to(np.maximum(field(*voxel_centres_mm(grid)), 0.0), grid.shape_zyx)
    return PhantomDose(grid=grid, values_gy=values, **kind)


def uniform(dose_gy):
    return lambda x, y, z: dose_gy + 0 * x


def rising_to(top_gy):
    """Linear in x across the liver, from 0 to `top_gy`; beyond its faces, too, so that sampling is exact."""
    return lambda x, y, z: top_gy * (x - LEFT_MM) / 100


@pytest.fixture
def rows(tmp_path):
    """Verdicts by rule of a liver in a dose."""

    def rows(*structures, given, fractions=5, dose_gy=50.0, **options):
        plan = arc_plan(dose_gy=dose_gy, fractions=fractions) if dose_gy else None
        write_set(
            tmp_path / "set",
            PhantomSet(label="liver", structures=structures, plan=plan, doses=(given,) if given else ()),
        )
        path = tmp_path / "p.yaml"
        path.write_text(RULES, encoding="utf-8")
        record = audit_case(dvhkit.read_case(tmp_path / "set"), path, **options)
        return {row.rule_id: row for row in record.rules}

    return rows


@pytest.mark.parametrize(
    ("dose_gy", "verdict"),
    [
        (14.9, Verdict.PASS),
        (15.0, Verdict.PASS),
        (15.1, Verdict.VARIATION),
        (17.0, Verdict.VARIATION),
        (17.1, Verdict.FAIL),
    ],
)
def test_a_uniform_dose_is_its_own_answer(rows, dose_gy, verdict):
    found = rows(box("Liver", 1, 150), given=dose(uniform(dose_gy)))
    assert found["Cold"].value == pytest.approx(dose_gy, abs=1e-6)
    assert found["Cold"].verdict is verdict
    assert found["Cold"].margin == pytest.approx(15 - dose_gy, abs=1e-6)
    assert found["Cold"].margin_pct == pytest.approx(100 * (15 - dose_gy) / 15, abs=1e-5)
    assert found["Same"].verdict is (Verdict.PASS if dose_gy <= 15 else Verdict.FAIL)


@pytest.mark.parametrize(("top_gy", "verdict"), [(30.0, Verdict.PASS), (32.5, Verdict.VARIATION), (40.0, Verdict.FAIL)])
def test_a_linear_dose_through_1500_cc_gives_the_dose_at_700_by_one_division(rows, top_gy, verdict):
    found = rows(box("Liver", 1, 150), given=dose(rising_to(top_gy)))
    assert found["Size"].value == pytest.approx(1500, rel=1e-4)
    # A thousandth of the range: the planes of the dose cut the box into so many parts.
    assert found["Cold"].value == pytest.approx(top_gy * 700 / 1500, abs=1e-3 * top_gy)
    assert found["Same"].value == pytest.approx(1500 * 15 / top_gy, rel=1e-3)
    assert found["Cold"].verdict is verdict
    assert (found["Same"].verdict is Verdict.PASS) == (verdict is Verdict.PASS)


@pytest.mark.parametrize("depth_mm", [69.0, 70.0])
def test_a_liver_of_no_more_than_700_cc_fails_for_want_of_volume_whatever_its_dose(rows, depth_mm):
    found = rows(box("Liver", 1, depth_mm), given=dose(uniform(1.0)))["Cold"]
    assert (found.verdict, found.value, found.reason_code) == (Verdict.FAIL, None, Reason.VOLUME_TOO_SMALL)
    assert "insufficient volume" in found.reason


def test_a_liver_of_a_little_more_is_open_as_long_as_its_ends_are(rows):
    """Slices 5 mm apart leave open whether 710 cc are 675; 800 cc are more than 700 however they are read."""
    found = rows(box("Liver", 1, 71), given=dose(uniform(1.0)), dose_gy=1.0)["Cold"]
    assert (found.verdict, found.value) == (Verdict.INDETERMINATE, pytest.approx(1.0))
    assert rows(box("Liver", 1, 80), given=dose(uniform(1.0)), dose_gy=1.0)["Cold"].verdict is Verdict.PASS


def test_a_liver_half_outside_the_dose_grid_is_not_spared_there(rows):
    """The grid begins where half of the liver ends, at 1 Gy: beyond may be anything below, which changes no V15Gy."""
    half_out = dose(uniform(1.0), first_y_mm=TOP_MM + 75 + 2)
    found = rows(box("Liver", 1, 150), given=half_out, dose_gy=1.0)
    for name in ("Hot", "Same"):
        assert found[name].verdict is Verdict.PASS
        assert "on the grid's faces" in found[name].note
    cold = found["Cold"]
    assert (cold.verdict, cold.reason_code) == (Verdict.NOT_EVALUABLE, Reason.OUTSIDE_DOSE_GRID)
    assert "50" in cold.reason
    assert "outside the dose grid" in cold.reason
    assert found["Size"].verdict is Verdict.PASS
    inside = rows(box("Liver", 1, 150), given=half_out, dose_gy=1.0, uncovered="exclude")
    assert inside["Cold"].value == pytest.approx(1.0)
    assert "outside the dose grid" in inside["Cold"].note


def test_a_part_inside_that_is_too_small_spares_nothing_even_where_it_is_taken_alone(rows):
    mostly_out = dose(uniform(1.0), first_y_mm=TOP_MM + 100 + 2)
    found = rows(box("Liver", 1, 150), given=mostly_out, uncovered="exclude")["Cold"]
    assert (found.verdict, found.reason_code) == (Verdict.NOT_EVALUABLE, Reason.OUTSIDE_DOSE_GRID)


def test_what_is_missing_is_a_reason_each_and_nothing_passes(rows):
    found = rows(box("Liver", 1, 150), given=dose(uniform(1.0)), dose_gy=None)
    assert {name: row.reason_code for name, row in found.items() if row.value is None} == {
        "Cold": Reason.NO_FRACTIONS, "Rx": Reason.NO_PRESCRIPTION, "Less": Reason.NO_STRUCTURE,
        "Gone": Reason.NO_STRUCTURE, "BED": Reason.NO_PRESCRIPTION,
    }  # fmt: skip
    assert all(row.verdict is Verdict.NOT_EVALUABLE for row in found.values() if row.value is None)


def test_without_a_dose_only_the_volume_is_known(rows):
    found = rows(box("Liver", 1, 150), given=None)
    assert {name for name, row in found.items() if row.verdict is Verdict.PASS} == {"Size", "BED"}
    assert found["Cold"].reason_code == Reason.NO_DOSE


def test_an_empty_liver_passes_nothing(rows):
    found = rows(box("Liver", 1, 150, empty=True), box("GTV", 2, 20), given=dose(uniform(1.0)))
    judged = {name for name, row in found.items() if row.verdict in (Verdict.PASS, Verdict.VARIATION)}
    assert judged == {"BED"}
    assert found["Cold"].reason_code == Reason.EMPTY_STRUCTURE


def test_another_number_of_fractions_is_not_judged(rows):
    found = rows(box("Liver", 1, 150), given=dose(uniform(1.0)), fractions=25)
    assert found["Cold"].verdict is Verdict.NOT_APPLICABLE


def test_an_effective_dose_judges_no_dose_and_a_relative_one_is_refused(rows):
    found = rows(box("Liver", 1, 150), given=dose(uniform(1.0), dose_type=DoseType.EFFECTIVE))
    assert {row.reason_code for name, row in found.items() if name in ("Cold", "Same", "Hot", "Rx")} <= {
        Reason.EFFECTIVE_DOSE
    }
    with pytest.raises(DvhkitError, match=r"(?i)relative"):
        rows(box("Liver", 1, 150), given=dose(uniform(1.0), relative=True))
