"""Audit and margin check pair targets by one rule, and one list says what the body is."""

from dataclasses import replace

import pytest
from drawn_pairs import planes, sphere, structure, traced

from dvhkit.jobs.audit import audit_case
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.targets.margin_check import check_every
from dvhkit.metrics.expression import parse_metric
from dvhkit.model.case import Case
from dvhkit.model.structure import ContourKind, StructureSet
from dvhkit.readers.case import read_case
from dvhkit.targets.regions.bodies import bodies_of

ZS = planes(3.0, 0.4, 30)
RULE = """id: p
version: "1"
title: t
rules:
  - {id: M, margin: {from: {type: CTV, each: true}, to: {type: PTV, each: true}}, goal: 2..6}
"""


def ball(name, number, radius, centre=(0, 0, 0)):
    return structure(name, number, traced(sphere(radius, centre), ZS), kind=name[:3])


def rind(name, outer, inner):
    """A ball without its middle, both rings drawn."""
    whole, hole = ball(name, 9, outer), ball(name, 9, inner)
    rings = tuple(replace(c, kind=ContourKind.CLOSEDPLANAR_XOR) for c in (*whole.contours, *hole.contours))
    return replace(whole, contours=rings, rt_roi_type="ORGAN")


def test_an_audit_and_a_margin_check_pair_targets_of_unlike_names_by_place(tmp_path):
    here, there = (-14, 0, 0), (14, 0, 0)
    drawn = (
        ball("CTV_1", 1, 8, here),
        ball("CTV_2", 2, 8, there),
        ball("PTV_A", 3, 12, there),
        ball("PTV_B", 4, 12, here),
    )
    case = Case(label="two", structures=StructureSet(structures=drawn))
    (tmp_path / "p.yaml").write_text(RULE)
    rows = audit_case(case, tmp_path / "p.yaml").rules
    documents, _, _ = check_every(case, None)
    pairs = {(d["inner"], d["outer"]) for d in documents}
    assert pairs == {("CTV_1", "PTV_B"), ("CTV_2", "PTV_A")} == {tuple(row.roi.split(" to ")) for row in rows}


@pytest.mark.parametrize("name", ["Skin", "skin", "BODY", "Outline", "Patient", "Body Contour"])
def test_every_name_of_the_body_bounds_a_target(name):
    body = replace(ball(name, 9, 25), rt_roi_type="ORGAN")
    assert bodies_of([ball("PTV", 1, 9), body]) == [body]


def test_the_surest_body_counts_and_a_rind_is_none():
    typed = replace(ball("Contour1", 8, 26), rt_roi_type="EXTERNAL")
    named, skin = replace(ball("Body", 7, 26), rt_roi_type=""), rind("Skin", 25, 23)
    assert bodies_of([skin]) == []
    assert bodies_of([skin, named]) == [named]
    assert bodies_of([replace(ball("Skin", 9, 25), rt_roi_type="ORGAN"), named, typed]) == [typed]


def test_skin_that_is_the_outline_gives_the_conformity_index_that_the_body_gives(demo_case_dir):
    case = read_case(demo_case_dir)
    metric = parse_metric("CI_Paddick(at=10Gy)")
    (outline,) = bodies_of(case.structures)

    def value(name, kind):
        drawn = tuple(replace(s, name=name, rt_roi_type=kind) if s is outline else s for s in case.structures)
        numbers = CaseNumbers(replace(case, structures=replace(case.structures, structures=drawn)))
        return numbers.metric(numbers.region("PTV"), metric).value

    assert value("Skin", "ORGAN") == value("BODY", "EXTERNAL") is not None
