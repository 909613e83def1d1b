"""Cumulative DVHs with their bands, of one plan or of two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dvhkit.outputs.figures.canvas import new_figure, plain
from dvhkit.outputs.pictures.colours import inks
from dvhkit.outputs.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from dvhkit.results.audit import Curve

_PLAN_STYLES = ("-", "--")
_LONGEST_NAME = 40


def dvh_figure(plans: Sequence[tuple[str, Sequence[Curve]]], *, absolute: bool = False) -> Figure:
    """Return the figure of one or two plans' DVHs; a structure has one colour, the second plan's curves are dashed.

    Parameters
    ----------
    plans
        A label and the curves of each plan.
    absolute
        Volumes in cc rather than in percent.
    """
    figure, (axes,) = new_figure(7.0, 4.3)
    names = list(dict.fromkeys(curve.roi for _, curves in plans for curve in curves))
    first = {curve.roi: curve for _, curves in reversed(plans) for curve in curves}
    ink = dict(zip(names, inks(first[name].color_rgb for name in names), strict=True))
    for (label, curves), style in zip(plans, _PLAN_STYLES, strict=False):
        for curve in curves:
            scale = curve.volume_cc / 100.0 if absolute else 1.0
            dose, colour = np.array(curve.dose_gy), ink[curve.roi].light
            shown = plain(clean_name(curve.roi, _LONGEST_NAME)) + (f" ({plain(label)})" if len(plans) > 1 else "")
            dash = _dash(ink[curve.roi].dash) if len(plans) == 1 else style
            axes.plot(
                dose, np.array(curve.volume_pct) * scale, color=colour, linestyle=dash, linewidth=1.5, label=shown
            )
            if curve.low_pct and curve.high_pct:
                band = (np.array(curve.low_pct) * scale, np.array(curve.high_pct) * scale)
                axes.fill_between(dose, *band, color=colour, alpha=0.18, linewidth=0)
    axes.set_xlabel("Dose (Gy)")
    axes.set_ylabel("Volume (cc)" if absolute else "Volume (%)")
    axes.set_xlim(left=0)
    axes.set_ylim(0, None if absolute else 102)
    figure.legend(loc="outside right upper", fontsize=7.5)
    return figure


def _dash(pattern: str) -> str | tuple[int, tuple[float, ...]]:
    return (0, tuple(float(part) for part in pattern.split())) if pattern else "-"
