"""What a report shows of a case: the places that decide its rules, and why something cannot be shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_records import LIVER
from shapely import Polygon, contains_xy

from dvhkit.engine.dose_sum import dose_at
from dvhkit.jobs.pictures.scene import gather_scene
from dvhkit.model.case import Case
from dvhkit.model.dose import Dose
from dvhkit.model.structure import Structure
from dvhkit.readers.case import read_case
from dvhkit.results.audit import RuleResult, Verdict


@pytest.fixture(scope="module")
def case() -> Case:
    return read_case(Path(__file__).parents[2] / "test_data" / "liver_sbrt")


def failed(roi: str, quantity: str, goal: str, *, reason: str = "", unit: str = "Gy") -> RuleResult:
    return RuleResult(
        rule_id=quantity, title=quantity, roi=roi, quantity=quantity, goal=goal, variation="", unit=unit, value=1.0,
        margin=-1.0, verdict=Verdict.FAIL, reason=reason,
    )  # fmt: skip


def inside(structure: Structure, dose: Dose) -> np.ndarray:
    """Dose voxel centres within the outline of the nearest drawn plane, found slice by slice."""
    grid, found = dose.grid, []
    planes = {round(float(c.points_mm[0, 2]), 3): c.points_mm for c in structure.closed_contours}
    x = grid.origin_mm[0] + np.arange(grid.n_columns) * grid.spacing_mm[0]
    y = grid.origin_mm[1] + np.arange(grid.n_rows) * grid.spacing_mm[1]
    across, down = np.meshgrid(x, y)
    for z in grid.origin_mm[2] + grid.offsets_mm:
        near = min(planes, key=lambda plane: abs(plane - z))
        if abs(near - z) < 1.5:
            held = contains_xy(Polygon(planes[near][:, :2]), across, down)
            found.append(np.column_stack([across[held], down[held], np.full(held.sum(), z)]))
    return np.concatenate(found)


def test_places_are_the_hottest_and_coldest_of_the_structure_and_what_a_reason_tells(case: Case) -> None:
    assert case.dose is not None
    rules = (
        failed("PTV", "Max[Gy]", "<= 60 Gy"),
        failed("PTV", "V100%[%]", ">= 95 %", unit="%"),
        failed("PTV", "CV50Gy[cc]", "<= 1 cc", unit="cc"),
        failed("CTV to PTV", "margin", ">= 5 mm", reason="worst left, at x -74.1, y 4.7, z -16.8", unit="mm"),
        failed("PTV - GTV", "Mean[Gy]", "<= 5 Gy"),
        failed("", "image.slice_spacing", "<= 2 mm", unit="mm"),
        replace(failed("PTV", "Max[Gy]", "<= 99 Gy"), verdict=Verdict.PASS),
        failed("Nowhere", "Max[Gy]", "<= 1 Gy"),
    )
    scene = gather_scene(case, replace(LIVER, rules=rules))
    spots = {spot.rule: spot for spot in scene.spots}
    assert sorted(spots) == [0, 1, 2, 3, 4, 5], "neither what is met nor what is not there"
    ptv = case.structures["PTV"]
    outline = np.concatenate([c.points_mm for c in ptv.closed_contours])
    points = np.concatenate([outline, inside(ptv, case.dose)])
    hottest = float(np.nanmax(dose_at(case.dose, points)))
    assert (spots[0].kind, spots[0].dose_gy) == ("hottest place", pytest.approx(hottest))
    assert float(dose_at(case.dose, np.array([spots[0].point_mm]))[0]) == spots[0].dose_gy
    assert (spots[1].kind, spots[1].dose_gy) == (
        "coldest drawn place", pytest.approx(float(np.nanmin(dose_at(case.dose, outline)))),
    )  # fmt: skip
    assert spots[2].kind == "coldest drawn place", "the upper limit of a complement guards the cold end"
    assert (spots[3].kind, spots[3].point_mm) == ("worst place", (-74.1, 4.7, -16.8))
    assert [s.name for s in scene.structures][-1] == "PTV - GTV", "a region that nobody drew is drawn too"
    assert spots[4].kind.startswith("hottest")
    assert any("Nowhere" in remark for remark in scene.remarks)
    assert scene.levels_gy[0] > scene.levels_gy[-1] == pytest.approx(5.0)
    assert scene.prescription_gy == 50.0


def test_what_shares_no_frame_is_left_out_and_the_reason_told(case: Case) -> None:
    assert case.image is not None
    elsewhere = replace(case, image=replace(case.image, frame_of_reference_uid="1.2.3"), dose=None)
    scene = gather_scene(elsewhere)
    assert (scene.values, scene.dose) == (None, None)
    assert any("frame of reference" in remark for remark in scene.remarks)
    assert "No dose belongs to the structures." in scene.remarks
    assert scene.structures
    assert scene.levels_gy == ()
