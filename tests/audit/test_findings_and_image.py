"""What an audit says of names, and what it does not claim of an image that is mostly missing."""

import shutil
from dataclasses import replace

import pytest

import dvhkit
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.results.audit import Verdict


def slice_rule(record):
    (row,) = (row for row in record.rules if row.quantity == "image.slice_spacing")
    return row


def test_one_slice_of_many_tells_no_slice_spacing(demo_case_dir, tmp_path):
    """The file states a SliceThickness; a pass on that alone would be a guess."""
    case = dvhkit.read_case(demo_case_dir)
    assert slice_rule(dvhkit.audit_case(case, "oligoprogressive-liver-2025")).verdict is Verdict.PASS
    one = tmp_path / "one"
    shutil.copytree(demo_case_dir, one)
    slices = sorted(case.image.paths)
    for path in slices[1:]:
        (one / path.relative_to(demo_case_dir)).unlink()
    lone = dvhkit.read_case(one)
    assert lone.image.slice_thickness_mm is not None
    row = slice_rule(dvhkit.audit_case(lone, "oligoprogressive-liver-2025"))
    assert (row.verdict, row.value, row.reason_code) == (Verdict.NOT_EVALUABLE, None, "no-image")
    assert "only one image slice" in row.reason


@pytest.mark.real
def test_the_breast_plan_with_one_of_98_slices_has_no_slice_spacing(real_data):
    facts = CaseNumbers(dvhkit.read_case(real_data / "breast_tps_dvh")).image()
    assert facts.slice_spacing_mm is None
    assert facts.pixel_spacing_mm[0] > 0


def test_swapped_sides_are_a_finding_of_the_audit(demo_case_dir):
    case = dvhkit.read_case(demo_case_dir)
    kidneys = {"Kidney_L": "Kidney_R", "Kidney_R": "Kidney_L"}
    assert set(kidneys) <= set(case.structures.names)
    renamed = tuple(replace(s, name=kidneys.get(s.name, s.name)) for s in case.structures)
    swapped = replace(case, structures=replace(case.structures, structures=renamed))

    def codes(one):
        return {f.code for f in dvhkit.audit_case(one, "oligoprogressive-liver-2025").findings}

    assert "sides-swapped" in codes(swapped)
    assert "sides-swapped" not in codes(case)
