"""Figures of many cases: bands of DVHs, and numbers that differ between two runs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from dvhkit.outputs.figures.canvas import new_figure, new_panels, plain
from dvhkit.outputs.text import clean, clean_name
from dvhkit.results.cohort import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from dvhkit.model.arrays import FloatArray
    from dvhkit.results.cohort import DvhBand
    from dvhkit.results.run_diff import Change

_LONGEST_NAME = 40
_MOST_PANELS = 24
_MOST_ROWS = 40
# Blue and vermilion of Okabe and Ito, told apart whatever the eye.
_BAND, _CASE = "#0072b2", "#d55e00"
# The band's blue, paler the wider; opaque, so that the legend has the very colours of the picture.
_SHADES = (((0, 100), "#dbe9f3"), ((10, 90), "#b3d1e6"), ((25, 75), "#80b5d6"))


def cohort_figure(
    bands: Sequence[DvhBand], drawn: Mapping[str, tuple[FloatArray, FloatArray]], *, case: str = ""
) -> Figure:
    """Return a panel a structure: the median, and shaded 25 to 75, 10 to 90 and 0 to 100 % of the cases.

    Parameters
    ----------
    drawn
        By structure, doses and volumes in percent of one case.
    """
    shown = list(bands)[:_MOST_PANELS]
    figure, axes = new_panels(len(shown))
    row = {percent: index for index, percent in enumerate(PERCENTILES)}
    for axis, band in zip(axes, shown, strict=True):
        volume = np.array(band.volume_pct)
        for (low, high), shade in _SHADES:
            label = f"{low} to {high} % of cases"
            axis.fill_between(band.dose_gy, volume[row[low]], volume[row[high]], color=shade, linewidth=0, label=label)
        axis.plot(band.dose_gy, volume[row[50]], color=_BAND, linewidth=1.5, label="median")
        if band.roi in drawn:
            axis.plot(*drawn[band.roi], color=_CASE, linewidth=1.4, linestyle="--", label=plain(clean_name(case, 30)))
        axis.set_title(f"{plain(clean_name(band.roi, _LONGEST_NAME))} (n = {band.n})", fontsize=9, loc="left")
        axis.set(xlim=(0, band.dose_gy[-1]), ylim=(0, 102))
    _name_axes(figure, axes, "Dose (Gy)", "Volume (%)")
    return figure


def _name_axes(figure: Figure, axes: Sequence[Any], x: str, y: str) -> None:
    figure.supxlabel(x, fontsize=9)
    figure.supylabel(y, fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=5, fontsize=7.5, frameon=False)


def diff_figure(changes: Sequence[Change], *, labels: tuple[str, str]) -> Figure:
    """Return a row a structure and metric with a point a case: B less A; and a line for each verdict that changed."""
    numbers: dict[str, list[float]] = defaultdict(list)
    for change in changes:
        if change.kind == "metric" and isinstance(change.old, float | int) and isinstance(change.new, float | int):
            name = clean_name(f"{change.roi} {change.metric}", _LONGEST_NAME)
            numbers[name].append(float(change.new) - float(change.old))
    verdicts = [c for c in changes if c.kind == "verdict"]
    rows = sorted(numbers, key=lambda name: -max(map(abs, numbers[name])))[:_MOST_ROWS]
    told = [_told(change) for change in sorted(verdicts, key=lambda c: c.rank)[:_MOST_ROWS]]
    height = 1.4 + 0.19 * max(len(rows), 1) + 0.17 * len(told)
    figure, axes = new_figure(7.0, height)
    for place, name in enumerate(rows):
        values = numbers[name]
        axes.plot(values, [place] * len(values), "o", color=_BAND, markersize=3.5, alpha=0.6, linestyle="none")
    axes.axvline(0, color="#5a6570", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [plain(name) for name in rows], fontsize=7.5)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_xscale("symlog", linthresh=0.01)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    axes.set_xlabel("B less A, in the unit of the metric (linear within 0.01, then logarithmic)")
    left_out = len(numbers) - len(rows)
    also = f"; {left_out} more that differ less" if left_out else ""
    names = [plain(clean(label, longest=30)) for label in labels]
    axes.set_title(f"A: {names[0]}   B: {names[1]}{also}", fontsize=9, loc="left")
    if told:
        more = [f"… and {len(verdicts) - len(told)} more"] if len(verdicts) > len(told) else []
        text = "\n".join(["Verdicts that changed", *map(plain, told), *more])
        figure.supxlabel(text, fontsize=7, x=0.01, ha="left")
    return figure


def _told(change: Change) -> str:
    worse = "; worse" if change.rank == 0 else ""
    what = " ".join(part for part in (change.rule_id or "", change.roi) if part)
    return clean(
        f"{change.case_id}: {what}: {change.old or '–'} → {change.new or '–'} ({', '.join(change.cause)}){worse}",
        longest=110,
    )
