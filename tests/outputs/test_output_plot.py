"""The plot draws what the record says: the same curves, limits on their right side, legible colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_records import CURVES, HOSTILE_NAMES, RULES
from shapely import LineString, Point

from dvhkit.metrics.prescribed import describe
from dvhkit.model.plan import Prescription
from dvhkit.outputs.pictures.colours import DASHES, PAPER_DARK, PAPER_LIGHT, contrast, inks, legible, luminance
from dvhkit.outputs.pictures.polyline import simplified_lines
from dvhkit.outputs.report.limit_markers import find_markers
from dvhkit.outputs.report.plot import DvhPlot, plot_curves
from dvhkit.results.audit import Curve, Verdict


def drawn_points(plot: DvhPlot, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Doses and volumes read back off the drawn line."""
    pairs = np.array([pair.split(",") for pair in plot.curves[index].points.split()], dtype=float)
    dose_gy = (pairs[:, 0] - plot.left) / (plot.right - plot.left) * plot.top_gy
    volume_pct = (plot.bottom - pairs[:, 1]) / (plot.bottom - plot.top) * 100
    return dose_gy, volume_pct


def test_each_drawn_line_is_the_curve_of_the_record() -> None:
    plot = plot_curves(CURVES)
    assert plot is not None
    by_name = {curve.roi: curve for curve in CURVES}
    assert sorted(c.roi for c in plot.curves) == sorted(by_name)
    for index, drawn in enumerate(plot.curves):
        curve = by_name[drawn.roi]
        dose_gy, volume_pct = drawn_points(plot, index)
        line = LineString(np.column_stack([dose_gy / plot.top_gy * 674, volume_pct / 100 * 410]))
        points = zip(curve.dose_gy, curve.volume_pct, strict=True)
        # 0.04 units of simplification and 0.005 units of rounding in x and y, of 674 by 410 units.
        assert max(line.distance(Point(d / plot.top_gy * 674, v / 100 * 410)) for d, v in points) <= 0.04 + 0.0072


def test_everything_stays_inside_the_frame_and_ticks_are_round_and_ascending() -> None:
    plot = plot_curves(CURVES, RULES)
    assert plot is not None
    assert plot.top_gy >= max(c.dose_gy[-1] for c in CURVES)
    assert [t.text for t in plot.x_ticks] == ["0", "10", "20", "30", "40", "50", "60", "70", "80"]
    assert [t.text for t in plot.y_ticks] == ["0", "20", "40", "60", "80", "100"]
    for drawn in plot.curves:
        for pair in drawn.points.split():
            x, y = map(float, pair.split(","))
            assert plot.left <= x <= plot.right
            assert plot.top <= y <= plot.bottom


@pytest.mark.parametrize("highest", [0.003, 0.9, 1.0, 7.3, 20.0, 66.0, 199.0, 12_345.0])
def test_the_dose_axis_suits_any_dose(highest: float) -> None:
    curve = Curve(roi="A", roi_type="ORGAN", color_rgb=None, volume_cc=1, dose_gy=(0, highest), volume_pct=(100, 0))
    plot = plot_curves([curve])
    assert plot is not None
    assert highest < plot.top_gy <= 1.5 * highest + 0.02
    assert 5 <= len(plot.x_ticks) <= 14
    assert float(plot.x_ticks[-1].text) == pytest.approx(plot.top_gy)


def test_targets_are_thicker_than_organs_and_come_first_and_the_outline_last() -> None:
    plot = plot_curves(CURVES)
    assert plot is not None
    assert [c.is_target for c in plot.curves] == [True] * 3 + [False] * 9
    assert min(c.width for c in plot.curves[:3]) > max(c.width for c in plot.curves[3:])
    assert plot.curves[-1].roi == "BODY"


def test_no_curve_is_no_plot() -> None:
    assert plot_curves([]) is None
    assert plot_curves([replace(CURVES[0], dose_gy=(), volume_pct=())]) is None


def test_labels_meet_no_curve_and_no_other_label() -> None:
    plot = plot_curves(CURVES, RULES)
    assert plot is not None
    assert len(plot.labels) >= 3
    lines = [LineString([tuple(map(float, pair.split(","))) for pair in curve.points.split()]) for curve in plot.curves]
    boxes = [LineString([(label.x, label.y), (label.x + 8 * len(label.text), label.y)]) for label in plot.labels]
    assert not any(box.intersects(line) for box in boxes for line in lines)
    assert all(boxes[i].distance(boxes[j]) > 0 for i in range(len(boxes)) for j in range(i))


def test_limits_bear_their_names_where_no_curve_and_no_label_is() -> None:
    plot = plot_curves(CURVES, RULES)
    assert plot is not None
    told = {label.text: label for label in plot.limits}
    assert told
    assert len(plot.limits) <= len(plot.markers)
    assert all(any(sign in text for sign in "≤≥<>") for text in told), told
    lines = [LineString([tuple(map(float, pair.split(","))) for pair in curve.points.split()]) for curve in plot.curves]
    boxes = [LineString([(b.x, b.y), (b.x + 6.4 * len(b.text), b.y)]) for b in (*plot.limits, *plot.labels)]
    assert not any(box.intersects(line) for box in boxes for line in lines)
    assert all(boxes[i].distance(boxes[j]) > 0 for i in range(len(boxes)) for j in range(i))


def straight_curve(volume_cc: float = 1000.0) -> Curve:
    """Volume falls evenly from 100 % at 0 Gy to 0 % at 100 Gy: the volume at d Gy is 100 - d percent."""
    doses = tuple(float(d) for d in range(101))
    return Curve(roi="A", roi_type="ORGAN", color_rgb=None, volume_cc=volume_cc, dose_gy=doses, volume_pct=doses[::-1])


FORMS = ["D{}%[Gy]", "D{}cc[Gy]", "DC{}cc[Gy]", "V{}Gy[%]", "V{}Gy[cc]", "CV{}Gy[cc]", "Max[Gy]", "Min[Gy]"]


@settings(deadline=None)
@given(
    st.sampled_from(FORMS),
    st.integers(1, 99),
    st.integers(1, 99),
    st.sampled_from(["<=", ">="]),
)
def test_a_marker_is_passed_on_the_side_it_points_to_exactly_if_the_rule_is_met(
    form: str, query: int, level: int, sign: str
) -> None:
    curve = straight_curve()
    in_cc = form.endswith("[cc]")
    volume = query * 10 if "cc[" in form else query  # 1 % of 1000 cc is 10 cc
    limit = level * 10 if in_cc else level
    value = {
        "D{}%[Gy]": 100 - query,
        "D{}cc[Gy]": 100 - query,
        "DC{}cc[Gy]": query,
        "V{}Gy[%]": 100 - query,
        "V{}Gy[cc]": 1000 - 10 * query,
        "CV{}Gy[cc]": 10 * query,
        "Max[Gy]": 100,
        "Min[Gy]": 0,
    }[form]
    is_met = value <= limit if sign == "<=" else value >= limit
    unit = form[form.index("[") + 1 : -1]
    rule = replace(RULES[2], roi="A", quantity=form.format(volume), goal=f"{sign} {limit} {unit}", value=float(value))
    (marker,) = find_markers([rule], [curve])
    curve_volume_pct = 100 - marker.dose_gy
    curve_dose_gy = 100 - marker.volume_pct
    passes = {
        "left": curve_dose_gy <= marker.dose_gy,
        "right": curve_dose_gy >= marker.dose_gy,
        "below": curve_volume_pct <= marker.volume_pct,
        "above": curve_volume_pct >= marker.volume_pct,
    }[marker.towards]
    assert passes == is_met


@pytest.mark.parametrize(
    ("quantity", "goal", "point"),
    [
        ("V100%[%]", ">= 95 %", (50.0, 95.0, "above")),
        ("V95%[cc]", "<= 100 cc", (47.5, 10.0, "below")),
        ("D98%[%]", ">= 95 %", (47.5, 98.0, "right")),
        ("Max[%]", "<= 130 %", (65.0, 0.0, "left")),
    ],
)
def test_percent_of_the_prescription_are_drawn_where_the_metrics_say_what_they_are_percent_of(
    quantity: str, goal: str, point: tuple[float, float, str]
) -> None:
    # The note that the metrics themselves write, so that the two cannot drift apart.
    note = describe(Prescription(dose_gy=50.0, roi_number=3, origin="RTPLAN"))
    rule = replace(
        RULES[2], roi="A", quantity=quantity, goal=goal, note=f"7 % outside the dose grid; {note}; as planned"
    )
    (marker,) = find_markers([rule], [straight_curve()])
    assert (marker.dose_gy, marker.volume_pct, marker.towards) == pytest.approx(point)


@pytest.mark.parametrize(
    ("quantity", "goal"),
    [
        ("Mean[Gy]", "<= 15 Gy"),
        ("V100%[%]", ">= 95 %"),  # the note of this rule names no prescription
        ("D95%[%]", ">= 95 %"),
        ("Mean[%]", "<= 30 %"),
        ("D95%[Gy]", "2..5 Gy"),
        ("D95%[Gy]", ">= 95 %"),
        ("D2000cc[Gy]", "<= 5 Gy"),
        ("margin", "2..5 mm"),
        (HOSTILE_NAMES[0], HOSTILE_NAMES[1]),
    ],
)
def test_a_limit_without_a_place_in_the_plot_gets_no_marker(quantity: str, goal: str) -> None:
    assert find_markers([replace(RULES[2], roi="A", quantity=quantity, goal=goal)], [straight_curve()]) == []


def test_an_unmet_limit_is_told_from_a_met_one() -> None:
    plot = plot_curves(CURVES, RULES)
    assert plot is not None
    met = {marker.title.split(":")[0]: marker.is_met for marker in plot.markers}
    assert met == {"PTV": False, "Liver-GTV": True, "Duodenum": False, "SpinalCord": True, "Kidney_R": True}
    assert RULES[2].verdict is Verdict.VARIATION


rgb = st.tuples(*[st.integers(0, 255)] * 3)


@settings(deadline=None)
@given(rgb, st.sampled_from([PAPER_LIGHT, PAPER_DARK]))
def test_every_colour_becomes_legible_and_a_legible_one_stays(
    colour: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    made = legible(colour, paper)
    assert contrast(made, paper) >= 3.4
    if contrast(colour, paper) >= 3.4:
        assert made == colour


def test_contrast_is_that_of_wcag() -> None:
    assert luminance((255, 255, 255)) == pytest.approx(1.0)
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    # The greys that WCAG's own examples name: #767676 on white is the lightest with 4.5:1.
    assert contrast((0x76, 0x76, 0x76), (255, 255, 255)) == pytest.approx(4.54, abs=0.005)


@settings(deadline=None)
@given(st.lists(st.none() | rgb, max_size=12))
def test_curves_of_one_colour_differ_in_their_dashes(colours: list[tuple[int, int, int] | None]) -> None:
    made = inks(colours)
    assert len(made) == len(colours)
    if len(colours) <= len(DASHES):
        assert len({(ink.light, ink.dash) for ink in made}) == len(colours)


def thinned(points: list[tuple[float, float]], tolerance: float) -> list[tuple[float, float]]:
    # Beside another line: spans of all lines are halved at once.
    line, _ = simplified_lines([np.array(points), np.array([(0.0, 0.0), (1.0, 5.0), (2.0, 0.0)])], tolerance=tolerance)
    return [(x, y) for x, y in line.tolist()]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 400)), min_size=2, max_size=40), st.floats(0.01, 20))
def test_a_simplified_line_keeps_its_ends_and_stays_near_every_point(
    points: list[tuple[float, float]], tolerance: float
) -> None:
    made = thinned(points, tolerance)
    assert made[0] == points[0]
    assert made[-1] == points[-1]
    assert set(made) <= set(points)


@settings(deadline=None)
@given(st.lists(st.floats(0, 5), min_size=2, max_size=60), st.floats(0.01, 20))
def test_a_falling_curve_is_drawn_within_the_tolerance(drops: list[float], tolerance: float) -> None:
    points = [(float(i), 400 - float(v)) for i, v in enumerate(np.cumsum(drops))]
    line = LineString(thinned(points, tolerance))
    # The distance is to the chord's straight line; where x ascends, its foot lies on the chord or at most as far past
    # an end as the point is from that end.
    assert max(line.distance(Point(p)) for p in points) <= tolerance * 2**0.5 + 1e-9
