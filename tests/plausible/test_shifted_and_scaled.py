"""A dose that was shifted or scaled by less than any prescription forbids: told by its shape, and by stored DVHs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_sets import GRID, PLANES_MM, peaked_gy, right_gy, target, write_planted
from typer.testing import CliRunner

from dvhkit.cli.app import app
from dvhkit.findings import Level
from dvhkit.jobs.audit import audit_case
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.model.dose import StoredDvh
from dvhkit.outputs.verdict_words import headline
from dvhkit.phantoms.sets.phantom_set import voxel_centres_mm
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.readers.case import read_case
from dvhkit.results.run_index import IndexedCase, IndexedFinding

LENIENT = 'id: p\nversion: "1"\ntitle: t\nrules:\n  - {id: O, structure: Organ, metric: "Max[Gy]", goal: "<= 900 Gy"}\n'


def odd(case):
    return {f.code: f for f in CaseNumbers(case).dose_findings() if f.level is not Level.INFO}


def levels(case):
    return {code: f.level.value for code, f in odd(case).items()}


def peaked(folder, values_gy, **options):
    return read_case(write_planted(folder, "photon", values_gy, rx=[(50.0, 1)], **options))


@pytest.mark.parametrize("isodose", [0.6, 0.7, 0.8])
def test_a_stereotactic_dose_in_place_is_never_remarked(tmp_path, isodose):
    assert odd(peaked(tmp_path, peaked_gy(isodose=isodose))) == {}


def test_a_stereotactic_dose_of_four_fifths_is_in_doubt(tmp_path):
    case = peaked(tmp_path, 0.8 * peaked_gy())
    assert levels(case) == {"dose-unlike-prescription": "warning"}
    assert "scaled down" in odd(case)["dose-unlike-prescription"].message


@pytest.mark.parametrize(
    ("kind", "shift_mm", "level"),
    [("peaked", 5.0, "warning"), ("peaked", 10.0, "serious"), ("photon", 10.0, "warning"), ("photon", 20.0, "serious")],
)
def test_a_dose_beside_its_target_is_told_with_the_way_back(tmp_path, kind, shift_mm, level):
    centre = (shift_mm, 0.0, 0.0)
    if kind == "peaked":
        case = peaked(tmp_path, peaked_gy(centre))
    else:
        case = read_case(write_planted(tmp_path, "photon", right_gy("photon", centre)))
    found = odd(case)
    assert {code: f.level.value for code, f in found.items()} == {"dose-displaced": level}
    back = found["dose-displaced"].message.split("(")[1].split(";")[0].split(", ")
    # The middle of all ways that restore the dose; the search goes by whole millimetres.
    assert [float(v) for v in back] == pytest.approx([-shift_mm, 0.0, 0.0], abs=1.5)
    # Without an isocentre nothing says which of the two was moved.
    beams = tuple(replace(beam, isocentre_mm=None) for beam in case.plan.beams)
    assert levels(replace(case, plan=replace(case.plan, beams=beams))) == {"dose-displaced": "warning"}


def test_what_is_in_doubt_is_not_green_and_whoever_vouches_makes_it_so(tmp_path):
    (tmp_path / "p.yaml").write_text(LENIENT)
    folder = write_planted(tmp_path / "set", "photon", peaked_gy((5.0, 0.0, 0.0)), rx=[(50.0, 1)])
    record = audit_case(read_case(folder), tmp_path / "p.yaml")
    assert headline(record).tone == "warn"
    assert "in doubt: The dose seems to lie beside PTV" in headline(record).text
    assert headline(replace(record, findings=())).tone == "good"
    words = ["audit", folder, "--protocol", tmp_path / "p.yaml", "--out", tmp_path / "o", "--accept", "dose-displaced"]
    ended = CliRunner().invoke(app, [str(word) for word in words])
    assert (ended.exit_code, "in doubt" in ended.output) == (0, False)
    told = IndexedFinding("dose-displaced", "warning", "")
    assert IndexedCase(case_id="x", all_met=True, findings=(told,)).outcome()[0] == "doubt"


def test_a_target_that_spares_an_organ_or_ends_at_the_skin_is_where_it_should_be(tmp_path):
    # The dose keeps away from an organ that lies in the target's edge: no shift would mend that.
    x, y, z = voxel_centres_mm(GRID)
    near = np.exp(-((np.hypot(np.hypot(x - 16.0, y), z) / 9.0) ** 4))
    assert "dose-displaced" not in odd(peaked(tmp_path / "a", peaked_gy() * (1 - 0.5 * near)))
    # The outermost 8 mm under the skin build up.
    depth = 20.0 - x
    built_up = right_gy("photon") * np.clip(0.5 + depth / 16.0, 0.3, 1.0)
    body = structure("Body", 9, sphere((-33.0, 0.0, 0.0), 54.0), PLANES_MM, rt_roi_type="EXTERNAL", n_points=48)
    skin = (target(), body)
    deep = (target(), replace(body, contours=tuple(c.__class__(points_mm=c.points_mm * 1.6) for c in body.contours)))
    case = read_case(write_planted(tmp_path / "b", "photon", built_up, structures=skin))
    assert "dose-displaced" not in odd(case)
    case = read_case(write_planted(tmp_path / "c", "photon", built_up, structures=deep))
    assert "dose-displaced" in odd(case), "deep inside the body it would be one"


def with_stored(case, of, factor=1.0, volumes=1.0):
    """Return `case` with the curves of `of`, a case of the same structures, stored in its dose."""
    curves = []
    for s in case.structures:
        doses, volume = CaseNumbers(of).plain_dvh(s).curve(step_gy=0.05)
        share = 100 * volume / volume[0]
        curves.append(
            StoredDvh(
                roi_number=s.number, dose_gy=factor * doses, volume_cc=volumes * volume, volume_pct=share,
                min_gy=None, mean_gy=None, max_gy=None,
            )
        )  # fmt: skip
    return replace(case, dose=replace(case.dose, stored_dvhs=tuple(curves)))


def test_stored_curves_tell_a_scaled_and_a_shifted_dose_that_nothing_else_tells(tmp_path):
    case = peaked(tmp_path, peaked_gy())
    scaled = replace(case, dose=replace(case.dose, values_gy=0.9 * case.dose.values_gy))
    assert odd(with_stored(case, case)) == {}
    assert odd(scaled) == {}
    told = odd(with_stored(scaled, case))["stored-dvh-other-dose"]
    assert told.level is Level.SERIOUS
    assert "1.111 times the doses of the grid" in told.message
    grid = replace(case.dose.grid, origin_mm=case.dose.grid.origin_mm + np.array([0.0, 7.0, 0.0]))
    moved = replace(case, dose=replace(case.dose, grid=grid), prescriptions=())
    assert levels(moved) == {}
    assert levels(with_stored(moved, case)) == {"stored-dvh-other-dose": "serious"}


def test_curves_in_another_unit_or_of_other_contours_are_no_other_dose(tmp_path):
    case = peaked(tmp_path, peaked_gy())
    assert odd(with_stored(case, case, factor=100.0)) == {}  # cGy
    assert odd(with_stored(case, case, factor=2.0)) == {}  # percent of 50 Gy
    assert "stored-dvh-other-dose" in odd(with_stored(case, case, factor=2.5))
    assert odd(with_stored(case, case, factor=2.5, volumes=1.2)) == {}
    # An even dose at its prescription is in the right scale, whatever the curves say.
    even = read_case(write_planted(tmp_path / "even", "photon"))
    assert odd(with_stored(even, even, factor=1.25)) == {}
