"""The DVH plot as plain geometry; the report's template draws it as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.model.roi_kinds import is_body
from dvhkit.outputs.number_format import limit_text, number
from dvhkit.outputs.pictures.colours import Ink, inks
from dvhkit.outputs.pictures.polyline import simplified_lines
from dvhkit.outputs.report.limit_markers import LimitMarker, find_markers
from dvhkit.outputs.report.plot_labels import Label, place_labels, place_limits
from dvhkit.outputs.text import clean, clean_name
from dvhkit.outputs.verdict_words import look_of
from dvhkit.units import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.model.arrays import FloatArray
    from dvhkit.results.audit import Curve, RuleResult

# About the size on screen, so that the letters in the plot are as large as those around it.
WIDTH, HEIGHT = 740.0, 470.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 10.0, 10.0, 50.0
# Finer than any screen or printer shows at this size; it leaves a tenth of the points.
_TOLERANCE = 0.04
_BAND_TOLERANCE = 0.3
_MOST_X_TICKS = 12
# Beyond any dose; only a broken record has more, and still has to be drawn.
_HIGHEST_GY = 1e9
_TARGET_TYPES = frozenset({"PTV", "CTV", "GTV", "ITV", "TREATED_VOLUME", "IRRAD_VOLUME"})
_TARGET_WIDTH, _ORGAN_WIDTH, _OUTLINE_WIDTH = 2.8, 1.6, 1.1
_MARKER_SIZE = 5.5
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A grid line: where it stands and what is written at it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCurve:
    """A curve in the coordinates of the plot, with its entry in the legend.

    `band` is the outline of the shaded area; `readings` the volumes in percent at the plot's steps of dose.
    """

    roi: str
    full_name: str
    kind: str
    is_target: bool
    ink: Ink
    width: float
    points: str
    volume: str
    volume_cc: float
    band: str
    readings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMarker:
    """A triangle on a limit, the limit and its structure, and the rule that it stands for in words."""

    curve: int
    points: str
    is_met: bool
    name: str
    verdict: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvhPlot:
    """Everything that is drawn, in SVG user units; doses run from 0 to `top_gy`."""

    top_gy: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[DrawnCurve]
    labels: list[Label]
    limits: list[Label]
    markers: list[DrawnMarker]
    step_gy: float

    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def plot_curves(curves: Sequence[Curve], rules: Sequence[RuleResult] = ()) -> DvhPlot | None:
    """Return the plot of cumulative DVHs with the limits of `rules`, or None where there is no curve to draw.

    Targets come first and in thick lines, then the organs as they came, the body outline last.
    """
    drawable = sorted((c for c in curves if len(c.dose_gy) > 1), key=_rank)
    if not drawable:
        return None
    markers = find_markers(rules, drawable)
    step_gy, top_gy = _dose_axis(max([c.dose_gy[-1] for c in drawable] + [m.dose_gy for m in markers]))
    lines = simplified_lines([_points(c.dose_gy, c.volume_pct, top_gy) for c in drawable], tolerance=_TOLERANCE)
    bands = _bands(drawable, top_gy)
    reading_gy = max(curve.dose_gy[1] - curve.dose_gy[0] for curve in drawable)
    names = [clean_name(curve.roi, _LONGEST_NAME) for curve in drawable]
    all_inks = inks(curve.color_rgb for curve in drawable)
    places = [(_x(m.dose_gy, top_gy), _y(m.volume_pct)) for m in markers]
    frame = (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    labels = place_labels(names, lines, frame=frame, avoid=places)
    texts = [(m.curve, place, _limit_name(m.rule)) for m, place in zip(markers, places, strict=True)]
    return DvhPlot(
        top_gy=top_gy,
        x_ticks=[
            Tick(at=_x(dose, top_gy), text=f"{dose:g}")
            for dose in (i * step_gy for i in range(round(top_gy / step_gy) + 1))
        ],
        y_ticks=[Tick(at=_y(volume), text=str(volume)) for volume in range(0, 101, 20)],
        curves=[
            _drawn(*parts, step_gy=reading_gy) for parts in zip(drawable, names, lines, bands, all_inks, strict=True)
        ],
        step_gy=reading_gy,
        labels=labels,
        limits=place_limits(texts, lines, frame=frame, labels=labels),
        markers=[_drawn_marker(marker, top_gy) for marker in markers],
    )


def _drawn(curve: Curve, name: str, line: FloatArray, band: str, ink: Ink, *, step_gy: float) -> DrawnCurve:
    is_target = _is_target(curve)
    organ_width = _OUTLINE_WIDTH if is_body(curve.roi, curve.roi_type) else _ORGAN_WIDTH
    return DrawnCurve(
        roi=name,
        full_name=clean(curve.roi, longest=200),
        kind=clean(curve.roi_type, longest=20),
        is_target=is_target,
        ink=ink,
        width=_TARGET_WIDTH if is_target else organ_width,
        points=" ".join(f"{x:.2f},{y:.2f}" for x, y in line.tolist()),
        volume=number(curve.volume_cc, Unit.CC.value),
        volume_cc=curve.volume_cc,
        band=band,
        readings=_readings(curve, step_gy),
    )


def _bands(curves: Sequence[Curve], top_gy: float) -> list[str]:
    """Return the outline of the area between the readings of the slices of each curve: along the upper one and back."""
    banded = [len(c.low_pct) == len(c.high_pct) == len(c.dose_gy) for c in curves]
    sides = [
        _points(curve.dose_gy, side, top_gy)
        for curve, is_banded in zip(curves, banded, strict=True)
        if is_banded
        for side in (curve.high_pct, curve.low_pct)
    ]
    drawn = iter(simplified_lines(sides, tolerance=_BAND_TOLERANCE))
    return [_outline(next(drawn), next(drawn)) if is_banded else "" for is_banded in banded]


def _outline(upper: FloatArray, lower: FloatArray) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in (*upper.tolist(), *reversed(lower.tolist())))


def _readings(curve: Curve, step_gy: float) -> str:
    """Return the volumes at multiples of `step_gy`, or nothing where the curve was not taken at them."""
    own = curve.dose_gy[1] - curve.dose_gy[0]
    every = round(step_gy / own) if own > 0 and math.isfinite(step_gy / own) else 0
    if (
        every < 1
        or abs(every * own - step_gy) > 1e-6 * step_gy
        or abs(curve.dose_gy[-1] / own - len(curve.dose_gy) + 1) > 1e-3
    ):
        return ""
    return " ".join(f"{volume:.2f}".rstrip("0").rstrip(".") for volume in curve.volume_pct[::every])


def _limit_name(rule: RuleResult) -> str:
    """Return a limit as it is said: ``V20Gy ≤ 30 %``."""
    return clean(f"{rule.quantity.partition('[')[0]} {limit_text(rule.goal)}", longest=_LONGEST_NAME)


def _drawn_marker(marker: LimitMarker, top_gy: float) -> DrawnMarker:
    x, y = _x(marker.dose_gy, top_gy), _y(marker.volume_pct)
    # The triangle's base stands on the limit and its tip points to where the curve has to pass.
    along = {"right": (1, 0), "left": (-1, 0), "above": (0, -1), "below": (0, 1)}[marker.towards]
    tip = (x + along[0] * 1.6 * _MARKER_SIZE, y + along[1] * 1.6 * _MARKER_SIZE)
    across = (along[1] * _MARKER_SIZE, along[0] * _MARKER_SIZE)
    corners = ((x + across[0], y + across[1]), (x - across[0], y - across[1]), tip)
    rule, word = marker.rule, look_of(marker.rule.verdict.value).word
    return DrawnMarker(
        curve=marker.curve,
        points=" ".join(f"{px:.2f},{py:.2f}" for px, py in corners),
        is_met=rule.verdict.value == "pass",
        name=clean_name(f"{rule.roi} {_limit_name(rule)}", 2 * _LONGEST_NAME),
        verdict=word,
        title=clean(f"{rule.roi}: {rule.quantity} {limit_text(rule.goal)} ({word})", longest=200),
    )


def _points(dose_gy: Sequence[float], volume_pct: Sequence[float], top_gy: float) -> FloatArray:
    """Return a curve in the coordinates of the plot, shape (n, 2); as `_x` and `_y`."""
    x = LEFT + (WIDTH - LEFT - RIGHT) * (np.clip(np.array(dose_gy), 0.0, top_gy) / top_gy)
    y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - np.clip(volume_pct, 0.0, 100.0) / 100)
    return np.column_stack([x, y])


def _x(dose_gy: float, top_gy: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, dose_gy / top_gy))


def _y(volume_pct: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(100.0, max(0.0, volume_pct)) / 100)


def _dose_axis(highest_gy: float) -> tuple[float, float]:
    """Return the distance of the dose ticks and the end of the dose axis, both round numbers."""
    highest_gy = min(max(highest_gy, 0.01), _HIGHEST_GY) * 1.02
    raw = highest_gy / _MOST_X_TICKS
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * scale for factor in (1, 2, 2.5, 5, 10) if factor * scale >= raw * (1 - 1e-9))
    return step, step * math.ceil(highest_gy / step)


def _is_target(curve: Curve) -> bool:
    return curve.roi_type.upper() in _TARGET_TYPES


def _rank(curve: Curve) -> int:
    if _is_target(curve):
        return 0
    return 2 if is_body(curve.roi, curve.roi_type) else 1
