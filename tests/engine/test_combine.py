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


def lens_cc(one, other, apart):
    """What two balls share (closed form)."""
    if apart <= abs(one - other):
        return 4 / 3 * np.pi * min(one, other) ** 3 / 1000
    cap = (one + other - apart) ** 2 * (apart**2 + 2 * apart * (one + other) - 3 * (one - other) ** 2)
    return np.pi * cap / (12 * apart) / 1000


@pytest.mark.parametrize(
    ("other_mm", "centre", "gap", "phase"),
    [(12, (10, 0, 0), 3.0, 0.3), (9, (4, 0, 9), 3.0, 0.4), (15, (0, 0, 9), 2.1, 0.77), (8, (1, 1, 1), 3.0, 0.67)],
)
def test_volumes_of_balls_that_cross_add_up_and_share_the_lens_whatever_their_slices(other_mm, centre, gap, phase):
    a, b = sphere(12.0, 3.0, phase=0.3, n=90), sphere(other_mm, gap, centre=centre, phase=phase, n=90)
    union, shared, left = (combine(op, a, b, name="R", fine=True) for op in "|&-")
    cc = [compute_dvh(s, None).volume_cc for s in (a, b, union, shared, left)]
    assert cc[2] + cc[3] == pytest.approx(cc[0] + cc[1], rel=1e-3)
    assert cc[3] + cc[4] == pytest.approx(cc[0], rel=2e-3)
    assert cc[3] == pytest.approx(lens_cc(12, other_mm, float(np.linalg.norm(centre))), rel=2e-3)


def test_flat_ends_on_other_slices_are_met_where_they_lie():
    one, other = box(-8, -5, 8, 5, np.arange(-6, 7, 3.0)), box(-8, -5, 8, 5, np.arange(-6.5, 7, 2.0))
    cc = [compute_dvh(combine(op, one, other, name="R", fine=True), None).volume_cc for op in "|&-"]
    # From -7.5 to 7.5 mm, and from -7.5 to 6.5 mm.
    assert cc == pytest.approx([2.4, 2.24, 0.16], rel=1e-3)


def test_a_structure_with_itself_is_itself_and_thin_walls_of_made_structures_stay():
    ball = sphere(12.0, 3.0, phase=0.3, n=90)
    whole = compute_dvh(ball, None).volume_cc
    for op in "|&":
        made = combine(op, ball, ball, name="R", fine=True)
        assert compute_dvh(made, None).volume_cc == pytest.approx(whole, rel=1e-3)
    thin = combine("-", box(0, 0, 20, 20, ALL), box(0.4, 0.4, 19.6, 19.6, ALL), name="R")
    dvh = compute_dvh(thin, None)
    assert dvh.volume_cc == pytest.approx((400 - 19.2**2) * 33 / 1000, rel=1e-3)
    assert not dvh.findings
