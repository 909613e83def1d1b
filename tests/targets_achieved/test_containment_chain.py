"""Targets find their partners by place and name, and what lies outside is counted."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_pairs import ellipsoid_pair, planes, sphere, structure, traced

from dvhkit.readers.case import read_case
from dvhkit.targets.achieved.containment import containment_chain
from dvhkit.targets.regions.pairing import kind_of, label_of, pair_targets


def target(name, number, radius, centre=(0, 0, 0), kind=""):
    pair = ellipsoid_pair((radius,) * 3, (1,) * 6, spacing_mm=3.0, phase=0.4, centre_mm=centre)
    return replace(pair[0], name=name, number=number, rt_roi_type=kind)


def partners(structures):
    return {p.inner.name: p.outer.name if p.outer else None for p in pair_targets(structures)}


def test_kinds_come_from_type_and_name_and_helpers_are_none():
    assert kind_of(target("CTV_4500", 1, 9)) == "CTV"
    assert kind_of(target("Tumour", 1, 9, kind="GTV")) == "GTV"
    assert kind_of(target("BODY", 1, 9)) == "EXTERNAL"
    assert kind_of(target("zPTV_ring", 1, 9, kind="PTV")) is None
    assert kind_of(target("Liver", 1, 9, kind="ORGAN")) is None
    assert label_of(target("PTV_4500", 1, 9)) == label_of(target("ctv4500", 1, 9)) == "4500"


def test_the_chain_of_one_lesion_runs_to_the_body():
    chain = [target("GTV", 1, 9), target("CTV", 2, 13), target("PTV", 3, 17), target("Body", 4, 29)]
    assert partners(chain) == {"GTV": "CTV", "CTV": "PTV", "PTV": "Body"}
    assert all(link.is_kept and link.outside_cc == 0 for link in containment_chain(chain))


def test_several_lesions_pair_by_place_even_if_their_numbers_do_not_agree():
    here, there = (-25, 0, 0), (25, 0, 0)
    lesions = [
        target("CTV1", 1, 8, here),
        target("CTV2", 2, 9, there),
        target("PTV_A", 3, 12, there),
        target("PTV_B", 4, 12, here),
    ]
    assert partners(lesions) == {"CTV1": "PTV_B", "CTV2": "PTV_A", "PTV_A": None, "PTV_B": None}


def test_dose_levels_round_one_lesion_pair_by_name():
    levels = [
        target("CTV_4500", 1, 8),
        target("CTV_5400", 2, 8.5),
        target("PTV_4500", 3, 12),
        target("PTV_5400", 4, 11),
    ]
    found = partners(levels)
    assert found["CTV_4500"] == "PTV_4500"
    assert found["CTV_5400"] == "PTV_5400"


def test_what_names_leave_open_is_reported_with_its_rivals():
    (pair, *_) = pair_targets([target("CTV", 1, 8), target("PTV_high", 2, 11), target("PTV_low", 3, 14)])
    assert pair.outer.name == "PTV_high"
    assert pair.rivals == ("PTV_low",)
    assert "tightest" in pair.how


def test_a_gtv_that_leaves_its_ctv_is_counted_and_placed():
    zs = planes(3.0, 0.4, 30)
    gtv = structure("GTV", 1, traced(sphere(8, (7, 0, 0)), zs))
    ctv = structure("CTV", 2, traced(sphere(12), zs))
    (link,) = containment_chain([gtv, ctv])
    # What a ball of 8 leaves outside one of 12 whose middle is 7 away.
    a, b, d = 12.0, 8.0, 7.0
    lens = np.pi * (a + b - d) ** 2 * (d**2 + 2 * d * (a + b) - 3 * (a - b) ** 2) / (12 * d)
    assert link.outside_cc == pytest.approx((4 / 3 * np.pi * b**3 - lens) / 1000, rel=0.1)
    assert link.worst_mm == pytest.approx(3.0, abs=0.3)
    assert link.place.direction == "left"
    assert not link.is_kept


def test_the_demo_chain_holds(demo_case_dir):
    case = read_case(demo_case_dir)
    links = containment_chain(case.structures)
    assert [(link.inner, link.outer) for link in links] == [("GTV", "CTV"), ("CTV", "PTV"), ("PTV", "Body")]
    assert all(link.is_kept for link in links)
