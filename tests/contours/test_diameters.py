"""Diameters against closed forms: turned ellipses, L, C and rings, where lines must stay inside."""

from __future__ import annotations

import numpy as np
import pytest
from shapes_drawn import box, circle, prism, sphere

from dvhkit.jobs.contours.lesions import _judged
from dvhkit.targets.compare.diameters import measure_island
from dvhkit.targets.compare.islands import islands_of
from dvhkit.targets.compare.sections import sections_of
from dvhkit.targets.compare.skin import skin_of

HEIGHTS = np.arange(0, 7.5, 2.5)


def measured(structure):
    skin = skin_of(sections_of(structure))
    return [measure_island(skin, island) for island in islands_of(skin.sections)]


def test_a_turned_ellipse_has_its_two_axes():
    turn = np.radians(30)
    points = circle(1.0) * (20, 8) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    (found,) = measured(prism(points, HEIGHTS))
    assert (found.longest_mm, found.short_axis_mm, found.min_feret_mm) == pytest.approx((40, 16, 16), abs=0.05)
    ends = np.subtract(*found.end_points_mm)
    assert abs(ends[1] / ends[0]) == pytest.approx(np.tan(turn), abs=0.03)


def test_in_an_l_the_longest_line_turns_about_the_inner_corner():
    (found,) = measured(prism([(0, 0), (40, 0), (40, 10), (10, 10), (10, 40), (0, 40)], HEIGHTS))
    assert found.longest_mm == pytest.approx(np.hypot(40, 40 / 3), abs=0.05)
    assert found.longest_unconstrained_mm == pytest.approx(np.hypot(40, 40), abs=0.01)


def test_in_a_c_the_longest_line_touches_the_inner_arc():
    angle = np.linspace(np.radians(45), np.radians(315), 60)
    arc = np.column_stack([np.cos(angle), np.sin(angle)])
    (found,) = measured(prism(np.concatenate([20 * arc, 12 * arc[::-1]]), HEIGHTS))
    assert found.longest_mm == pytest.approx(2 * np.sqrt(20**2 - 12**2), rel=0.005)
    assert found.longest_unconstrained_mm == pytest.approx(40.0, rel=0.003)


def test_in_a_ring_it_touches_the_hole():
    (found,) = measured(prism(circle(20, 96), [0.0, 2.5], holes=[circle(12, 96)]))
    assert found.longest_mm == pytest.approx(32.0, rel=0.005)


def test_a_ball_and_a_box_in_space():
    (ball,), (crate,) = measured(sphere(10)), measured(box((0, 0, 0), (30, 10, 20)))
    assert (ball.longest_mm, ball.short_axis_mm, ball.longest_3d_mm) == pytest.approx((20, 20, 20), abs=0.06)
    assert crate.longest_mm == pytest.approx(np.hypot(30, 10), abs=0.01)
    assert crate.longest_3d_mm == pytest.approx(np.sqrt(900 + 100 + 400), abs=0.05)


def test_separate_parts_are_measured_each():
    two = sphere(10)
    both = type(two)(number=1, name="two", contours=two.contours + sphere(6, (40, 0, 0)).contours)
    assert [d.longest_mm for d in measured(both)] == pytest.approx([20, 12], abs=0.06)


@pytest.mark.parametrize(
    ("longest", "short", "spacing", "node", "wanted"),
    [
        (10.0, 6.0, 3.0, False, True),
        (9.8, 9.0, 3.0, False, False),
        (13.0, 9.0, 7.0, False, False),
        (14.0, 9.0, 7.0, False, True),
        (30.0, 15.0, 5.0, True, True),
        (30.0, 12.0, 5.0, True, False),
        (30.0, 9.0, 5.0, True, False),
        (30.0, 9.0, None, False, None),
    ],
)
def test_measurable_follows_size_and_slice_thickness(longest, short, spacing, node, wanted):
    verdict, reason = _judged(longest, short, spacing, node)
    assert verdict is wanted
    assert reason


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [("Diameter[mm]", 40.0), ("ShortAxis[mm]", 40.0), ("Surface[cm2]", 16 * np.pi), ("Sphericity", 1.0)],
)
def test_metrics_of_shape_are_those_of_a_ball(metric, wanted):
    from dvhkit.metrics.expression import parse_metric
    from dvhkit.targets.compare.shape import shape_value

    parsed = parse_metric(metric.lower())
    assert parsed.canonical == metric
    assert shape_value(sphere(20), parsed.kind) == pytest.approx(wanted, rel=0.003)
