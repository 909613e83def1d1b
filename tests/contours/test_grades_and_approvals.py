"""Grades by criteria, agreement of reviewers, and the record of approvals that fails once contours have changed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from made_masks import made_image
from shapes_drawn import box

from dvhkit.errors import InputError
from dvhkit.jobs.contours.approvals import approve, check_record, read_record, structure_sha256, with_evidence
from dvhkit.jobs.contours.grading import cohen_kappa, grade_option, grade_pair, graded
from dvhkit.model.case import Case
from dvhkit.model.structure import StructureSet
from dvhkit.outputs.contours.approvals import approvals_document
from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
from dvhkit.protocols.files.criteria import load_criteria
from dvhkit.readers.case import read_image
from dvhkit.readers.rtstruct import read_structures
from dvhkit.results.contours.comparison import Comparison, DoseEffect, PairComparison
from dvhkit.results.contours.grades import ACCEPTABLE, GRADES, PER_PROTOCOL, UNACCEPTABLE

CRITERIA = """\
id: mine
structures:
  - roi: [GTV*, ctv]
    limits:
      dice: {per_protocol: '>= 0.9', acceptable: '>= 0.8'}
      hausdorff_mm: {per_protocol: '<= 3', acceptable: '<= 5'}
      volume_ratio: {per_protocol: 0.9 to 1.1, acceptable: 0.7 to 1.3}
      verdict_flips: {per_protocol: '<= 0', acceptable: '<= 1'}
"""


@pytest.fixture
def criteria(tmp_path):
    (tmp_path / "c.yaml").write_text(CRITERIA)
    return load_criteria(tmp_path / "c.yaml")


def pair(**numbers: object) -> PairComparison:
    usual = {"dice": 0.95, "hausdorff_mm": 2.0, "volume_ratio": 1.0}
    return PairComparison(roi_a="GTV_1", roi_b="x", tolerance_mm=2.0, **(usual | numbers))


@pytest.mark.parametrize(
    ("numbers", "grade", "reasons"),
    [
        ({}, PER_PROTOCOL, 0),
        ({"dice": 0.9, "hausdorff_mm": 3.0}, PER_PROTOCOL, 0),  # just at the limit is within it
        ({"dice": 0.899}, ACCEPTABLE, 1),
        ({"dice": 0.85, "hausdorff_mm": 5.1}, UNACCEPTABLE, 2),
        ({"volume_ratio": 0.6}, UNACCEPTABLE, 1),
        ({"volume_ratio": None}, PER_PROTOCOL, 1),
    ],
)
def test_the_worst_number_grades_and_each_miss_is_a_reason(criteria, numbers, grade, reasons):
    found = grade_pair(pair(**numbers), criteria)
    assert (found.grade, len(found.reasons)) == (grade, reasons)


def test_flipped_verdicts_grade_too(criteria):
    flips = tuple(DoseEffect(metric="Max[Gy]", value_a=1.0, value_b=2.0, flips=f) for f in (True, True, None))
    assert grade_pair(pair(dose_effect=flips[1:]), criteria).grade == ACCEPTABLE
    assert grade_pair(pair(dose_effect=flips), criteria).grade == UNACCEPTABLE


def test_a_missed_structure_is_unacceptable_and_two_empty_ones_are_not_graded(criteria):
    none = {"dice": None, "hausdorff_mm": None, "volume_ratio": None}
    assert grade_pair(pair(**none, reason="x (B) has no contour"), criteria).grade == UNACCEPTABLE
    assert grade_pair(pair(**none, reason="GTV (A) and x (B) have no contour"), criteria).grade == ""
    found = graded(Comparison(pairs=(), only_in_a=("CTV", "Liver")), criteria)
    assert [(g.roi, g.grade) for g in found.grades] == [("CTV", UNACCEPTABLE)]


def test_the_shipped_example_loads():
    assert {limit.metric for rule in load_criteria("example").rules for limit in rule.limits} > {"dice", "hausdorff_mm"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("dice:", "dise:", "Did you mean 'dice'"),
        ("'>= 0.9'", "'0.9'", "no limit"),
        ("'>= 0.9'", "'>= 0.7'", "reaches beyond"),
        ("structures:", "structure:", "not known"),
    ],
)
def test_a_slip_in_criteria_is_told_with_its_line(tmp_path, old, new, words):
    (tmp_path / "c.yaml").write_text(CRITERIA.replace(old, new, 1))
    with pytest.raises(InputError, match=words) as told:
        load_criteria(tmp_path / "c.yaml")
    assert "line " in str(told.value)


def test_kappa_of_grades_is_cohens():
    # Cohen 1960, by hand: 10 structures, 7 alike; chance 0.5*0.4 + 0.3*0.4 + 0.2*0.2 = 0.36.
    p, a, u = GRADES
    pairs = [(p, p)] * 4 + [(p, a)] + [(a, a)] * 2 + [(a, u)] + [(u, u)] + [(u, a)]
    plain = {(x, y): float(x != y) for x in GRADES for y in GRADES}
    assert cohen_kappa(pairs, plain) == pytest.approx((0.7 - 0.36) / (1 - 0.36))
    assert cohen_kappa([(p, p)] * 3, plain) is None


@pytest.fixture
def drawn(tmp_path):
    image = read_image(made_image(tmp_path / "ct").folder)
    rois = [box((-5, -5, 44), (5, 5, 60), name="GTV"), box((-9, -9, 44), (9, 9, 60), name="CTV")]
    rois = [NewRoi(structure=replace(s, frame_of_reference_uid=image.frame_of_reference_uid)) for s in rois]
    write_rtstruct(tmp_path / "rs.dcm", rois, source=None, image=image)
    return tmp_path / "rs.dcm"


def edited(drawn, shift_mm: float):
    """Return the set with one point of the CTV moved."""
    found = read_structures(drawn)[0]
    ctv = found["CTV"]
    points = ctv.contours[0].points_mm.copy()
    points[0, 0] += shift_mm
    moved = replace(ctv, contours=(replace(ctv.contours[0], points_mm=points), *ctv.contours[1:]))
    return replace(found, structures=(found["GTV"], moved))


def test_the_hash_sees_a_moved_point_and_neither_order_nor_rounding(drawn):
    ctv = read_structures(drawn)[0]["CTV"]
    assert structure_sha256(replace(ctv, contours=ctv.contours[::-1])) == structure_sha256(ctv)
    assert structure_sha256(edited(drawn, 1e-5)["CTV"]) == structure_sha256(ctv)
    assert structure_sha256(edited(drawn, 0.01)["CTV"]) != structure_sha256(ctv)


def test_two_reviewers_count_until_a_contour_changes(drawn, tmp_path):
    record = tmp_path / "approvals.json"
    approve(drawn, record, reviewer="RO1", grades={"GTV": grade_option("GTV=pp")})
    check = approve(drawn, record, reviewer="RO2", grades={"GTV": grade_option("GTV=av: stalk")})
    assert (check.approvers, check.faults) == (("RO1", "RO2"), ())
    assert [(d.roi, d.grade_a, d.grade_b) for d in check.disagreements] == [("GTV", PER_PROTOCOL, ACCEPTABLE)]
    assert approvals_document(check)["holds"] is True
    entries = read_record(record)
    for structures, count in ((read_structures(drawn)[0], 2), (edited(drawn, 0.5), 0)):
        case, context = with_evidence(Case(label="a", structures=structures), {"contour_approvers": 7}, [entries])
        assert context == {"contour_approvers": count}
        assert {f.code for f in case.findings} == (set() if count else {"approval-does-not-hold"})


def test_a_record_of_another_set_leaves_the_context_as_it_is(drawn, tmp_path):
    record = tmp_path / "approvals.json"
    approve(drawn, record, reviewer="RO1")
    other = StructureSet(structures=(box((0, 0, 0), (9, 9, 9), name="GTV"),), sop_instance_uid="1.2.3")
    assert with_evidence(Case(label="a", structures=other), {"contour_approvers": 1}, [read_record(record)])[1] == {
        "contour_approvers": 1
    }


def test_the_same_reviewer_twice_is_one_and_an_unacceptable_grade_is_none(drawn, tmp_path):
    record = tmp_path / "approvals.json"
    approve(drawn, record, reviewer="RO1", grades={"CTV": grade_option("CTV=uv: too small")})
    assert approve(drawn, record, reviewer="RO1").approvers == ("RO1",)
    assert approve(drawn, record, reviewer="RO2", grades={"CTV": grade_option("CTV=uv")}).approvers == ("RO1",)


def test_one_name_written_otherwise_is_one_reviewer(drawn, tmp_path):
    record = tmp_path / "approvals.json"
    approve(drawn, record, reviewer="RO 1")
    assert approve(drawn, record, reviewer="ro  1").approvers == ("ro  1",)
    refused = approve(drawn, record, reviewer="Ro 1", grades={"GTV": grade_option("GTV=uv: too small")})
    assert refused.approvers == ()


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ((("A", "GTV", ""), ("B", "CTV", "")), 1),
        ((("A", "GTV", ""), ("A", "CTV", ""), ("B", None, "")), 2),
        ((("A", "GTV", ""), ("B", "GTV", "")), 2),
        ((("A", None, ""), ("B", None, "medical physicist")), 1),
    ],
)
def test_every_contour_looked_at_has_as_many_approvers_as_are_counted(drawn, tmp_path, said, count):
    record = tmp_path / "approvals.json"
    for who, roi, role in said:
        approve(drawn, record, reviewer=who, roi=None if roi is None else [roi], role=role or "radiation oncologist")
    case = Case(label="a", structures=read_structures(drawn)[0])
    assert with_evidence(case, {}, [read_record(record)])[1] == {"contour_approvers": count}


def test_an_altered_record_counts_for_nobody_and_takes_no_more_entries(drawn, tmp_path):
    record = tmp_path / "approvals.json"
    approve(drawn, record, reviewer="RO1")
    document = json.loads(record.read_text())
    document["entries"][0]["time"] = "2020-01-01T00:00:00+00:00"
    record.write_text(json.dumps(document))
    check = check_record(record, drawn)
    assert (check.approvers, len(check.faults)) == ((), 1)
    with pytest.raises(InputError, match="was altered"):
        approve(drawn, record, reviewer="RO2")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "x", "entries": []}', '{"schema": 1'])
def test_what_is_no_record_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError):
        read_record(tmp_path / "r.json")


def test_what_is_no_grade_or_of_no_structure_is_refused(drawn, tmp_path):
    for text in ("GTV", "GTV=fine", "=pp"):
        with pytest.raises(InputError):
            grade_option(text)
    with pytest.raises(InputError, match="'Liver'"):
        approve(drawn, tmp_path / "r.json", reviewer="RO1", grades={"Liver": grade_option("Liver=pp")})
    assert np.all([not p.name.startswith("r.json") for p in tmp_path.iterdir()])
