"""The margins that a check recovers are those by which the pair was made, whatever the slices."""

import numpy as np
import pytest
from drawn_pairs import blob, ellipsoid_pair, planes, structure, traced, widened

from dvhkit.model.structure import Contour, Structure
from dvhkit.results.audit import Verdict
from dvhkit.targets.achieved.check import achieved_margin
from dvhkit.targets.achieved.fit import DIRECTIONS, recipe, support_mm

# In plane the goal is 0.3 mm; across the slices half their distance.
IN_PLANE_MM = 0.3


def recovered(check):
    return np.array([check.recovered_mm[name] for name in DIRECTIONS])


def measured(check):
    return np.array([check.directions[name].median for name in DIRECTIONS])


@pytest.mark.parametrize(
    ("semi", "margins", "spacing", "phase"),
    [
        ((15, 15, 15), (5, 5, 5, 5, 5, 5), 3.0, 0.0),
        ((15, 15, 15), (2, 2, 2, 2, 2, 2), 2.0, 0.7),
        ((22, 13, 17), (6, 6, 7, 7, 9, 9), 3.0, 0.4),
        ((12, 19, 9), (8, 3, 4, 9.5, 6, 2.5), 1.0, 0.2),
        ((25, 11, 21), (3, 10, 7, 5, 4, 8), 3.0, 0.9),
        ((9, 8, 14), (10, 10, 10, 10, 10, 10), 2.0, 0.5),
    ],
)
@pytest.mark.requirement("R9")
def test_the_six_margins_of_an_ellipsoid_come_back(semi, margins, spacing, phase):
    inner, outer = ellipsoid_pair(semi, margins, spacing_mm=spacing, phase=phase, centre_mm=(31.5, -12.25, 0.0))
    check = achieved_margin(inner, outer)
    tolerance = np.repeat([IN_PLANE_MM, IN_PLANE_MM, spacing / 2], 2)
    assert (np.abs(recovered(check) - margins) <= tolerance).all(), recovered(check)
    assert (np.abs(measured(check) - margins) <= tolerance).all(), measured(check)
    assert check.explained_pct > 95
    assert check.crops == ()
    # Nothing was asked for, so there is nothing to judge.
    assert check.verdict is Verdict.NOT_EVALUABLE
    assert check.outside_cc == 0


@pytest.mark.parametrize(("axes", "spacing"), [((5, 5, 5), 3.0), ((6, 4, 8), 2.0)])
def test_a_lumpy_target_gives_its_margins_back(axes, spacing):
    zs = planes(spacing, 0.3, 45)
    inner, outer = structure("CTV", 1, traced(blob, zs)), structure("PTV", 2, traced(widened(blob, axes), zs))
    check = achieved_margin(inner, outer)
    tolerance = np.repeat([IN_PLANE_MM, IN_PLANE_MM, spacing / 2], 2)
    assert (np.abs(recovered(check) - np.repeat(axes, 2)) <= tolerance).all(), recovered(check)
    assert check.crops == ()


def test_directions_are_the_patients_whatever_way_the_slices_run():
    inner, outer = ellipsoid_pair((16, 12, 14), (3, 9, 4, 8, 5, 7), spacing_mm=2.0)
    # Sagittal slices: the same solid, cut across x instead of z. The roles of x and z are swapped in the making.
    turned = [_swapped(s) for s in (inner, outer)]
    check = achieved_margin(*turned)
    by_name = check.recovered_mm
    expected = {"left": 5, "right": 7, "posterior": 4, "anterior": 8, "superior": 3, "inferior": 9}
    for name, mm in expected.items():
        assert by_name[name] == pytest.approx(mm, abs=1.0 if name in ("left", "right") else 0.3)


def _swapped(s):
    contours = tuple(Contour(points_mm=c.points_mm[:, ::-1], kind=c.kind) for c in s.contours)
    return Structure(number=s.number, name=s.name, contours=contours)


def test_the_order_of_contours_and_of_points_does_not_count():
    inner, outer = ellipsoid_pair((16, 12, 14), (3, 9, 4, 8, 5, 7), spacing_mm=3.0)
    backwards = [
        Structure(
            number=s.number,
            name=s.name,
            contours=tuple(Contour(points_mm=c.points_mm[::-1]) for c in s.contours[::-1]),
        )
        for s in (inner, outer)
    ]
    one, two = achieved_margin(inner, outer), achieved_margin(*backwards)
    assert recovered(one) == pytest.approx(recovered(two), abs=0.05)


def test_no_margin_at_all_is_found_as_such():
    inner, outer = ellipsoid_pair((16, 12, 14), (0.001,) * 6, spacing_mm=3.0)
    check = achieved_margin(inner, outer, expect="3..5")
    assert np.abs(measured(check)).max() < 0.5
    assert check.verdict is Verdict.FAIL
    assert check.outside_cc < 0.05


def test_different_slices_for_inner_and_outer_do_no_harm():
    inner, _ = ellipsoid_pair((16, 12, 14), (0.0,) * 6, spacing_mm=2.0, phase=0.1)
    _, outer = ellipsoid_pair((16, 12, 14), (5.0,) * 6, spacing_mm=3.0, phase=0.6)
    check = achieved_margin(inner, outer)
    assert recovered(check)[:4] == pytest.approx(5.0, abs=IN_PLANE_MM)
    assert recovered(check)[4:] == pytest.approx(5.0, abs=1.5)


def test_slices_say_which_margins_they_can_show():
    inner, outer = ellipsoid_pair((16, 12, 14), (5.0,) * 6, spacing_mm=3.0)
    assert achieved_margin(inner, outer).attainable_mm == (3.0, 6.0)


def test_a_margin_made_slice_by_slice_comes_back_to_half_a_slice():
    # As simple systems do it: each slice widened by the ellipse that its distance leaves, and united.
    from shapely import Polygon, union_all
    from shapely.affinity import scale

    spacing, margin = 3.0, 5.0
    zs = planes(spacing, 0.3, 36)
    inner, _ = ellipsoid_pair((16, 12, 14), (0.0,) * 6, spacing_mm=spacing, phase=0.3)
    sections = {round(float(c.points_mm[0, 2]), 3): Polygon(c.points_mm[:, :2]) for c in inner.contours}
    rings = []
    for z in zs:
        near = [(w, p) for w, p in sections.items() if abs(w - z) < margin]
        grown = union_all([p.buffer(np.sqrt(margin**2 - (w - z) ** 2), 32) for w, p in near])
        if not grown.is_empty:
            rings.append((float(z), np.array(scale(grown, 1, 1).exterior.coords)[:-1]))
    check = achieved_margin(inner, structure("PTV", 2, rings))
    assert recovered(check)[:4] == pytest.approx(margin, abs=IN_PLANE_MM)
    assert recovered(check)[4:] == pytest.approx(margin, abs=spacing / 2)


def test_the_support_of_an_expansion_is_its_margin_along_an_axis():
    normals = np.concatenate([np.eye(3), -np.eye(3)])
    margins = np.array([1.0, 2, 3, 4, 5, 6])
    assert support_mm(normals, margins) == pytest.approx([1, 3, 5, 2, 4, 6])


@pytest.mark.parametrize(
    ("margins", "words"),
    [
        ((5.1, 4.9, 5, 5, 5.2, 4.8), "5 mm all round"),
        ((5, 5, 5, 5, 5.1, 8.2), "5 mm all round, 8 mm inferior"),
        ((6, 6, 7, 7, 9, 9), "6 mm left and right, 7 mm anterior and posterior, 9 mm superior and inferior"),
    ],
)
def test_a_recipe_reads_as_a_planner_would_say_it(margins, words):
    assert recipe(margins, [0.5] * 6) == words


def test_a_margin_whose_band_holds_that_of_most_directions_is_no_exception():
    found = (10.0, 9.9, 10.1, 10.0, 10.4, 9.1)
    assert recipe(found, [0.5] * 4 + [1.0] * 2) == "10 mm all round, 9 mm inferior"
    assert recipe(found, [0.5] * 4 + [1.0] * 2, [0.2] * 4 + [1.6] * 2) == "10 mm all round"
    assert recipe((3, 3, 3, 3, 5.2, 5.3), [1.0] * 6, [1.0] * 6) == "3 mm all round, 5 mm superior and inferior"


@pytest.mark.parametrize(("half_mm", "phase", "margin"), [(12.2, 0.13, 10.0), (13.3, 0.4, 7.0)])
def test_a_cut_on_one_side_says_nothing_of_the_margin_beyond_a_flat_end(half_mm, phase, margin):
    """A cylinder widened by an ellipse on each slice, then cut flat on its left side."""
    turn = np.arange(120) * 2 * np.pi / 120
    unit = np.column_stack([np.cos(turn), np.sin(turn)])
    beyond = [(z, max(0.0, abs(z) - half_mm)) for z in planes(3.0, phase)]
    inner = [(z, 14 * unit) for z, over in beyond if over == 0]
    wide = [(z, (14 + np.sqrt(margin**2 - over**2)) * unit) for z, over in beyond if over < margin]
    outer = [(z, np.column_stack([np.minimum(ring[:, 0], 17.5), ring[:, 1]])) for z, ring in wide]
    check = achieved_margin(structure("CTV", 1, inner), structure("PTV", 2, outer))
    assert check.recipe == f"{margin:g} mm all round"
    assert np.abs(recovered(check)[4:] - margin).max() <= 1.5
