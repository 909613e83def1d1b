"""Cumulative DVHs with their bands, of one plan or of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dvhkit.outputs.figures.canvas import add_legend, new_figure, plain, strokes
from dvhkit.outputs.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from dvhkit.results.audit import Curve

_PLAN_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.8)))
# With two plans dashes tell the plan, so that structures beyond seven share a colour and differ in width.
_WIDTHS = (1.5, 2.6, 0.8)
_COLOURS = 7
_LONGEST_NAME = 40
_BAND_ALPHA = 0.22


def dvh_figure(plans: Sequence[tuple[str, Sequence[Curve]]], *, absolute: bool = False) -> Figure:
    """Return the figure of one or two plans' DVHs; a structure has one colour, the second plan's curves are dashed.

    Parameters
    ----------
    plans
        A label and the curves of each plan.
    absolute
        Volumes in cc rather than in percent.
    """
    figure, axes = new_figure(7.0, 4.3)
    names = list(dict.fromkeys(curve.roi for _, curves in plans for curve in curves))
    ink = dict(zip(names, strokes(len(names)), strict=True))
    widths = {name: _WIDTHS[n // _COLOURS % len(_WIDTHS)] if len(plans) > 1 else 1.5 for n, name in enumerate(names)}
    for number, (_, curves) in enumerate(plans):
        for curve in curves:
            dash = ink[curve.roi].dash if len(plans) == 1 else _PLAN_DASHES[number]
            _draw(axes, curve, colour=ink[curve.roi].colour, dash=dash, width=widths[curve.roi], absolute=absolute)
    axes.set_xlabel("Dose (Gy)")
    axes.set_ylabel("Volume (cc)" if absolute else "Volume (%)")
    axes.set_xlim(left=0)
    axes.set_ylim(0, None if absolute else 102)
    add_legend(figure, _keys(plans, ink, widths))
    return figure


def _draw(axes: Any, curve: Curve, *, colour: str, dash: Any, width: float, absolute: bool) -> None:  # noqa: ANN401
    scale = curve.volume_cc / 100.0 if absolute else 1.0
    dose = np.array(curve.dose_gy)
    axes.plot(dose, np.array(curve.volume_pct) * scale, color=colour, linestyle=dash, linewidth=width)
    if curve.low_pct and curve.high_pct:
        band = (np.array(curve.low_pct) * scale, np.array(curve.high_pct) * scale)
        axes.fill_between(dose, *band, color=colour, alpha=_BAND_ALPHA, linewidth=0)


def _keys(plans: Sequence[tuple[str, Sequence[Curve]]], ink: dict[str, Any], widths: dict[str, float]) -> list[Any]:
    """Return what the legend shows: each structure once, each plan's dashes once, and what is shaded."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys: list[Any] = []
    for name, stroke in ink.items():
        dash: Any = stroke.dash if len(plans) == 1 else "-"
        label = plain(clean_name(name, _LONGEST_NAME))
        keys.append(Line2D([], [], color=stroke.colour, linestyle=dash, linewidth=widths[name], label=label))
    if len(plans) > 1:
        for (label, _), dash, letter in zip(plans, _PLAN_DASHES, "AB", strict=False):
            keys.append(Line2D([], [], color="#444444", linestyle=dash, label=plain(f"{letter}: {label}")))
    if any(curve.low_pct for _, curves in plans for curve in curves):
        keys.append(Patch(color="#444444", alpha=_BAND_ALPHA, linewidth=0, label="what contours leave open"))
    return keys
