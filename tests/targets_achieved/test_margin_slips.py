"""Planted slips are found, described by name and place, and judged; what is explained is no failure."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from drawn_pairs import blob, cut, ellipsoid_pair, planes, sphere, structure, surface_of, traced, widened

from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.outputs.records import json_text
from dvhkit.results.audit import Verdict
from dvhkit.results.margin import CropKind
from dvhkit.targets.achieved.check import achieved_margin, worst_margin
from dvhkit.targets.achieved.verdict import judge


def without_slice(whole, end):
    heights = sorted({float(c.points_mm[0, 2]) for c in whole.contours})
    return replace(whole, contours=tuple(c for c in whole.contours if c.points_mm[0, 2] != heights[end]))


@pytest.mark.parametrize(
    ("spacing", "end", "direction"), [(3.0, 0, "inferior"), (2.0, -1, "superior"), (1.0, -1, "superior")]
)
def test_a_slice_that_is_missing_at_an_end_is_found(spacing, end, direction):
    inner, outer = ellipsoid_pair((18, 14, 16), (5,) * 6, spacing_mm=spacing, phase=0.3)
    assert achieved_margin(inner, outer, expect="4..6").verdict is Verdict.PASS
    check = achieved_margin(inner, without_slice(outer, end), expect="4..6")
    (crop,) = [c for c in check.crops if c.kind is CropKind.SLICES]
    assert crop.place.direction == direction
    assert f"one slice short {direction}" in crop.text
    assert check.recipe == "5 mm all round"


def test_one_side_too_narrow_is_named():
    inner, outer = ellipsoid_pair((18, 14, 16), (3, 5, 5, 5, 5, 5), spacing_mm=3.0)
    check = achieved_margin(inner, outer, expect="4.5..7")
    assert check.recipe == "5 mm all round, 3 mm left"
    assert check.verdict is Verdict.FAIL
    assert check.directions["left"].verdict is Verdict.FAIL
    assert check.directions["right"].verdict is Verdict.PASS
    assert any(reason.startswith("left: 3.0 mm") for reason in check.reasons)


def test_an_inner_structure_that_pokes_out_by_a_tenth_of_a_cc_is_found_there():
    zs = planes(3.0, 0.2, 36)
    poking = cut(lambda p: np.minimum(sphere(15)(p), sphere(5.5, (0, 17, 0))(p)))
    inner, outer = structure("CTV", 1, traced(poking, zs)), structure("PTV", 2, traced(sphere(20), zs))
    check = achieved_margin(inner, outer, expect="2..5.2")
    assert check.verdict is Verdict.FAIL
    # The lens between two spheres 17 mm apart, radii 5.5 and 20, is what stays inside of the small one.
    big, small, apart = 20.0, 5.5, 17.0
    lens = (
        np.pi
        * (big + small - apart) ** 2
        * (apart**2 + 2 * apart * (big + small) - 3 * (big - small) ** 2)
        / (12 * apart)
    )
    outside_cc = (4 / 3 * np.pi * small**3 - lens) / 1000
    # Slices of 3 mm count a bump of 11 mm to a fifth or so.
    assert check.outside_cc == pytest.approx(outside_cc, rel=0.2)
    assert 0.08 < check.outside_cc < 0.14
    assert "lie outside PTV" in check.reasons[0]
    assert "posterior" in check.reasons[0]
    (crop,) = [c for c in check.crops if c.kind is CropKind.OUTSIDE]
    assert crop.place.point_mm[1] == pytest.approx(22.4, abs=0.6)


def test_a_wrong_pair_is_called_one_and_the_right_one_named():
    first = ellipsoid_pair((10, 10, 10), (5,) * 6, spacing_mm=3.0, centre_mm=(-30, 0, 0))
    second = ellipsoid_pair((12, 9, 10), (5,) * 6, spacing_mm=3.0, centre_mm=(20, 5, 3))
    ctv1, ptv1 = replace(first[0], name="CTV1"), replace(first[1], name="PTV1")
    ctv2, ptv2 = replace(second[0], name="CTV2", number=3), replace(second[1], name="PTV2", number=4)
    check = achieved_margin(ctv1, ptv2, expect="2..5", others=(ctv1, ptv1, ctv2, ptv2))
    assert check.verdict is Verdict.FAIL
    assert "hardly a pair" in check.reasons[0]
    assert "PTV1 holds it" in check.reasons[0]
    assert check.outside_cc == pytest.approx(4 / 3 * np.pi, rel=0.05)


def test_a_dent_of_two_millimetres_is_found_where_it_was_made():
    zs = planes(2.0, 0.4, 40)
    whole = widened(blob)
    towards = np.array([0.0, -0.8, 0.6])

    def dented(points):
        cosine = points @ towards / (np.linalg.norm(points, axis=-1) + 1e-9)
        return whole(points) * 1.0 + 2.2 / 5 * 5 * np.clip((cosine - 0.84) / 0.06, 0, 1)

    inner, outer = structure("CTV", 1, traced(blob, zs)), structure("PTV", 2, traced(dented, zs))
    check = achieved_margin(inner, outer, expect="4.5..6")
    (crop,) = check.crops
    assert (crop.kind, crop.explained) == (CropKind.DENT, False)
    assert crop.worst_mm == pytest.approx(2.2, abs=0.6)
    direction = np.array(crop.place.point_mm) / np.linalg.norm(crop.place.point_mm)
    assert direction @ towards > 0.8
    assert check.verdict is Verdict.FAIL
    assert check.worst


@pytest.mark.parametrize(("name", "gap", "left"), [("Body", 3.0, 1.0), ("SpinalCord", 2.0, 1.5), ("Liver", 0.0, 0.5)])
def test_a_cut_is_named_with_its_distance_and_is_no_failure(name, gap, left):
    spacing, margin = 3.0, 6.0
    zs = planes(spacing, 0.3, 45)
    towards = np.array([0.36, 0.48, 0.8]) if name == "Liver" else np.array([0.6, 0.8, 0.0])
    reach = float((surface_of(blob, 4000) @ towards).max())
    if name == "SpinalCord":
        radius = 9.0
        centre = towards * (reach + left + gap + radius)

        def wall(points):
            return np.linalg.norm((points - centre)[..., :2], axis=-1) - radius

        keep = lambda points: gap - wall(points)  # noqa: E731
    else:
        radius = 90.0
        centre = towards * (reach + left + gap - radius)
        wall, keep = sphere(radius, centre), sphere(radius - gap, centre)
    inner = structure("CTV", 1, traced(blob, zs))
    outer = structure("PTV", 2, traced(cut(widened(blob, (margin,) * 3), keep), zs))
    planes_of_wall = planes(spacing, 0.3, 60)
    cutter = structure(name, 3, traced(wall, planes_of_wall, reach_mm=130, step_mm=3.0))
    bystander = structure("Kidney", 4, traced(sphere(20, -towards * (reach + margin + 24)), zs, reach_mm=80, step_mm=2))
    check = achieved_margin(inner, outer, expect="5..7", others=(cutter, bystander))
    (crop,) = check.crops
    assert (crop.kind, crop.structure, crop.explained) == (CropKind.CUT, name, True)
    assert abs(crop.gap_mm) == pytest.approx(gap, abs=0.5)
    assert crop.gap_mm <= 0.3 if name != "SpinalCord" else crop.gap_mm > 0
    assert check.verdict is Verdict.VARIATION, check.reasons
    # The cut does not spoil what is recovered elsewhere.
    for direction, mm in check.recovered_mm.items():
        assert mm == pytest.approx(margin, abs=1.5 if direction in ("superior", "inferior") else 0.3)


def test_an_outer_structure_that_holds_a_second_target_is_no_failure():
    zs = planes(3.0, 0.0, 36)
    one, two = sphere(10, (-14, 0, 0)), sphere(9, (14, 0, 0))
    both = lambda p: np.minimum(sphere(15, (-14, 0, 0))(p), sphere(14, (14, 0, 0))(p))  # noqa: E731
    first, second = (structure(f"CTV{n}", n, traced(f, zs), "CTV") for n, f in ((1, one), (2, two)))
    outer = structure("PTV", 3, traced(both, zs), "PTV")
    check = achieved_margin(first, outer, expect="3..6", others=(first, second, outer))
    assert [(c.kind, c.structure) for c in check.crops] == [(CropKind.HOLDS_OTHER, "CTV2")]
    assert check.verdict is Verdict.VARIATION
    alone = achieved_margin(first, outer, expect="3..6")
    assert alone.verdict is Verdict.FAIL
    assert alone.excess_cc > 5


def test_missing_and_excess_volumes_agree_with_closed_forms():
    inner, outer = ellipsoid_pair((15, 15, 15), (5,) * 6, spacing_mm=1.0)
    check = achieved_margin(inner, outer, expect="7..8")
    missing = 4 / 3 * np.pi * (22**3 - 20**3) / 1000
    assert check.missing_cc == pytest.approx(missing, rel=0.03)
    assert check.excess_cc == 0
    check = achieved_margin(inner, outer, expect="2..3")
    assert check.excess_cc == pytest.approx(4 / 3 * np.pi * (20**3 - 18**3) / 1000, rel=0.03)
    assert check.missing_cc == 0
    assert check.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("value", "half", "low", "high", "verdict"),
    [
        (5.0, 0.1, 2, 5, Verdict.PASS),  # drawn at the limit
        (3.5, 0.5, 2, 5, Verdict.PASS),
        (4.5, 0.8, 2, 5, Verdict.INDETERMINATE),  # the limit lies inside the band
        (5.6, 0.8, 2, 5, Verdict.INDETERMINATE),
        (6.0, 0.5, 2, 5, Verdict.FAIL),
        (1.0, 0.5, 2, None, Verdict.FAIL),
        (9.0, 0.5, None, None, Verdict.PASS),
    ],
)
def test_a_limit_inside_the_band_is_indeterminate(value, half, low, high, verdict):
    assert judge(value, half, low, high) is verdict


def test_the_value_of_a_rule_is_the_margin_nearest_to_breaking_it():
    inner, outer = ellipsoid_pair((18, 14, 16), (3, 5, 5, 5, 5, 5), spacing_mm=3.0)
    value, low, high = worst_margin(achieved_margin(inner, outer, expect="2..8"))
    assert value == pytest.approx(3.0, abs=0.2)
    assert low <= value <= high


def test_a_check_is_plain_data():
    inner, outer = ellipsoid_pair((12, 10, 11), (5,) * 6, spacing_mm=3.0)
    text = json_text(asdict(achieved_margin(inner, outer, expect="2..5")))
    for key in ("directions", "recovered_mm", "crops", "verdict", "missing_cc", "excess_cc", "outside_cc"):
        assert f'"{key}"' in text


def test_what_cannot_be_measured_is_refused_with_a_reason():
    inner, outer = ellipsoid_pair((12, 10, 11), (5,) * 6, spacing_mm=3.0)
    with pytest.raises(NotEvaluable, match="no contour"):
        achieved_margin(replace(inner, contours=()), outer)
    with pytest.raises(GeometryError, match="frames of reference"):
        achieved_margin(replace(inner, frame_of_reference_uid="1.2"), replace(outer, frame_of_reference_uid="1.3"))
    lone = replace(inner, contours=inner.contours[3:4])
    with pytest.raises(NotEvaluable, match="one slice"):
        achieved_margin(lone, replace(outer, contours=outer.contours[4:5]))
    # A lone slice takes the other structure's slice distance.
    assert achieved_margin(lone, outer).slice_spacing_mm == 3.0
