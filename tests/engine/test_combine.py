"""Differences, unions and intersections against closed forms and set algebra."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import XOR, dose, polygon, rectangle, sphere, structure

from dvhkit.engine.combine import combine
from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import PROFILES
from dvhkit.errors import GeometryError, InputError

PRISM = PROFILES["prism"]


def volume(drawn):
    return compute_dvh(drawn, None, options=PRISM).volume_cc


def box(x0, y0, x1, y1, slices, name="box"):
    return structure(((z, rectangle(x0, y0, x1, y1)) for z in slices), name=name)


ALL = np.arange(0.0, 31.0, 3.0)


def test_liver_less_gtv_on_a_part_of_its_slices_keeps_the_rest_and_gains_a_hole():
    rest = combine("-", box(0, 0, 40, 40, ALL), box(10, 10, 20, 22, ALL[3:7]), name="Liver-GTV")
    assert rest.name == "Liver-GTV"
    assert volume(rest) == pytest.approx((1600 * 33 - 120 * 12) / 1000, rel=1e-9)
    assert {c.kind for c in rest.contours} == {XOR}
    assert len(rest.contours) == len(ALL) + 4
    dvh = compute_dvh(rest, dose(lambda x, y, z: 60 + x), options=PRISM)
    assert dvh.mean_gy == pytest.approx(60 + (20 * 1600 * 33 - 15 * 120 * 12) / (1600 * 33 - 120 * 12), rel=1e-9)


@pytest.mark.parametrize(("op", "area"), [("-", 400 - 100), ("|", 400 + 400 - 100), ("&", 100)])
def test_two_boxes_that_overlap(op, area):
    result = combine(op, box(0, 0, 20, 20, ALL), box(10, 10, 30, 30, ALL), name="R")
    assert volume(result) == pytest.approx(area * 33 / 1000, rel=1e-9)


def test_a_union_reaches_as_far_as_either_operand():
    result = combine("|", box(0, 0, 10, 10, ALL[:5]), box(0, 0, 10, 10, ALL[4:9]), name="R")
    assert volume(result) == pytest.approx(100 * 27 / 1000, rel=1e-9)


def test_slices_that_interleave_are_drawn_finely_enough_for_both():
    coarse, fine = box(0, 0, 20, 20, np.arange(0.0, 31.0, 5.0)), box(5, 5, 10, 10, np.arange(8.0, 19.0, 1.0))
    # The fine one reaches from 7.5 to 18.5 mm, on sub-slices of 1 mm that begin at -2.5 mm: half a sub-slice at most
    # is lost or gained at either end.
    assert volume(combine("-", coarse, fine, name="R")) == pytest.approx((400 * 35 - 25 * 11) / 1000, abs=0.025)


def test_inclusion_and_exclusion_hold_for_spheres():
    a, b = sphere(12.0, 2.0), sphere(9.0, 2.0, centre=(5.0, 4.0, 2.0))
    both = volume(combine("|", a, b, name="R"))
    assert both == pytest.approx(volume(a) + volume(b) - volume(combine("&", a, b, name="R")), rel=1e-9)
    assert volume(combine("-", a, b, name="R")) == pytest.approx(both - volume(b), rel=1e-9)


def test_holes_and_islands_survive():
    rings = [rectangle(0, 0, 30, 30), rectangle(5, 5, 25, 25), rectangle(10, 10, 20, 20)]
    nested = structure((z, ring) for z in ALL for ring in rings)
    result = combine("&", nested, box(0, 0, 15, 30, ALL), name="R")
    assert volume(result) == pytest.approx((900 - 400 + 100) / 2 * 33 / 1000, rel=1e-9)


def test_crossing_contours_are_put_right_on_the_way():
    eight = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], dtype=float)
    result = combine("-", structure((z, eight) for z in ALL), box(0, 0, 10, 5, ALL), name="R")
    assert volume(result) == pytest.approx(25 * 33 / 1000, rel=1e-9)


@pytest.mark.parametrize(("op", "left"), [("-", 3.3), ("|", 3.3), ("&", 0.0)])
def test_an_empty_operand_counts_as_nothing(op, left):
    empty = structure([])
    assert volume(combine(op, box(0, 0, 10, 10, ALL), empty, name="R")) == pytest.approx(left)
    assert volume(combine(op, empty, empty, name="R")) == 0


def test_nothing_left_is_an_empty_structure():
    a = box(0, 0, 10, 10, ALL)
    assert combine("-", a, a, name="R").is_empty


def test_tilted_operands_stay_in_their_planes():
    turn = np.linalg.qr(np.array([[1.0, 0.2, 0.1], [0.0, 1.0, 0.4], [0.1, 0.0, 1.0]]))[0]
    outer = structure(((z, rectangle(0, 0, 20, 20)) for z in ALL), to_patient=lambda p: p @ turn.T)
    inner = structure(((z, polygon(5.0, 40, (9, 9))) for z in ALL), to_patient=lambda p: p @ turn.T)
    assert volume(combine("-", outer, inner, name="R")) == pytest.approx((400 - np.pi * 25) * 33 / 1000, rel=1e-9)


def test_planes_that_face_different_ways_and_unknown_operators_are_refused():
    upright = structure(((z, rectangle(0, 0, 9, 9)) for z in ALL), to_patient=lambda p: p[:, [2, 0, 1]])
    with pytest.raises(GeometryError, match="different ways"):
        combine("-", box(0, 0, 10, 10, ALL), upright, name="R")
    with pytest.raises(InputError):
        combine("+", upright, upright, name="R")
