"""One slice of a patient: image, dose wash, isodoses, contours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dvhkit.outputs.figures.canvas import Stroke, add_legend, new_figure, plain, strokes
from dvhkit.outputs.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.grid import Grid
    from dvhkit.results.scene import Scene

_WINDOW_HU = (-160.0, 240.0)
_LONGEST_NAME = 40
# Inches: the picture itself, its axis names and title, and the legend beside it.
_PICTURE_IN, _AROUND_IN, _LEGEND_IN = 4.8, 0.75, 1.6
_MOST_HIGH_IN = 8.5
# Of viridis, whose lightness rises evenly, the part that stands out from a dark picture.
_DOSE_COLOURS = (0.28, 1.0)
_PATIENT_SIDES = ("LR", "PA", "HF")
# From this part of the greatest difference on, differences hide the picture.
_FULLY_SEEN = 0.15
# Less of a unit vector along one of the patient's directions gives it no letter.
_LEAST_PART = 0.3


def slice_figure(
    scene: Scene,
    plane: int,
    dose_gy: FloatArray | None,
    *,
    names: Sequence[str] = (),
    title: str = "",
    is_difference: bool = False,
) -> Figure:
    """Return the figure of a plane of the scene's grid, as it lies in the image.

    Parameters
    ----------
    plane
        Index of the plane.
    dose_gy : (n_rows, n_columns)
        Dose at the plane's pixels, NaN where there is none; None without a dose.
    names
        The structures to draw; all where empty.
    is_difference
        The dose is a difference: its sign is a colour.
    """
    grid = scene.grid
    width, height = grid.n_columns * grid.spacing_mm[0], grid.n_rows * grid.spacing_mm[1]
    shrunk = min(1.0, _MOST_HIGH_IN / (_PICTURE_IN * height / width))
    size_in = _PICTURE_IN * shrunk, _PICTURE_IN * height / width * shrunk
    bar_in = 0.9 if is_difference else 0.0
    figure, axes = new_figure(
        size_in[0] + _AROUND_IN + bar_in + _LEGEND_IN, max(2.2, size_in[1] + _AROUND_IN), is_picture=True
    )
    half = grid.spacing_mm / 2
    extent = (-half[0], width - half[0], height - half[1], -half[1])
    if scene.values is not None:
        low, high = _WINDOW_HU if scene.value_unit == "HU" else (None, None)
        axes.imshow(scene.values[plane], cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="bilinear")
    else:
        axes.set_facecolor("black")
    levels: list[Any] = []
    if dose_gy is not None and is_difference:
        title = f"{title}; {_draw_difference(figure, axes, grid, dose_gy)}"
    elif dose_gy is not None and scene.levels_gy:
        levels = _draw_dose(axes, scene, dose_gy)
    keys = _draw_contours(axes, scene, plane, names) + levels
    axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal", xlabel="mm along columns", ylabel="mm along rows")
    axes.grid(visible=False)
    _name_sides(axes, grid)
    axes.set_title(plain(title), fontsize=9, loc="left")
    add_legend(figure, keys)
    return figure


def _draw_dose(axes: Any, scene: Scene, dose_gy: FloatArray) -> list[Any]:  # noqa: ANN401 -- axes
    """Draw wash and isodoses; return their keys, the highest first."""
    from matplotlib import colormaps
    from matplotlib.lines import Line2D

    grid = scene.grid
    u, v = np.arange(grid.n_columns) * grid.spacing_mm[0], np.arange(grid.n_rows) * grid.spacing_mm[1]
    levels = sorted(scene.levels_gy)
    colours = [tuple(c) for c in colormaps["viridis"](np.linspace(*_DOSE_COLOURS, len(levels)))]
    masked = np.ma.masked_invalid(dose_gy)
    top = max(float(masked.max()), levels[-1]) * 1.001
    axes.contourf(u, v, masked, levels=[*levels, top], colors=colours, alpha=0.22)
    axes.contour(u, v, masked, levels=levels, colors=colours, linewidths=0.9)
    whole = scene.prescription_gy
    return [
        Line2D([], [], color=c, linewidth=0.9, label=f"{gy:.4g} Gy" + (f" ({100 * gy / whole:.0f} %)" if whole else ""))
        for gy, c in zip(reversed(levels), reversed(colours), strict=True)
    ]


def _draw_difference(figure: Figure, axes: Any, grid: Grid, dose_gy: FloatArray) -> str:  # noqa: ANN401 -- axes
    """Draw where doses differ; return by how much at most."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    largest = float(np.nanmax(np.abs(dose_gy), initial=0.0))
    most = largest or 1.0
    half = grid.spacing_mm / 2
    extent = (-half[0], (grid.n_columns - 0.5) * grid.spacing_mm[0], (grid.n_rows - 0.5) * grid.spacing_mm[1], -half[1])
    # Where both agree the patient is seen.
    alpha = np.nan_to_num(np.clip(np.abs(dose_gy) / (_FULLY_SEEN * most), 0.0, 1.0)) * 0.7
    shown = np.nan_to_num(dose_gy)
    axes.imshow(shown, cmap="PuOr_r", vmin=-most, vmax=most, extent=extent, alpha=alpha)
    bar = ScalarMappable(Normalize(-most, most), cmap="PuOr_r")
    figure.colorbar(bar, ax=axes, label="B less A (Gy)", shrink=0.8)
    return f"at most {largest:.3g} Gy apart" if largest else "no difference here"


def _draw_contours(axes: Any, scene: Scene, plane: int, names: Sequence[str]) -> list[Any]:  # noqa: ANN401 -- axes
    """Draw the contours of a plane; return the keys of what is there."""
    from matplotlib.lines import Line2D

    wanted = [s for s in scene.structures if not names or s.name in names]
    keys = []
    outlines = {s.name: _outlines(s, scene.grid, plane) for s in wanted}
    seen = [s.name for s in wanted if outlines[s.name]]
    for name, stroke in zip(seen, strokes(len(seen), on_black=True), strict=True):
        for closed in outlines[name]:
            _draw_line(axes, closed, stroke)
        label = plain(clean_name(name, _LONGEST_NAME))
        keys.append(Line2D([], [], color=_key_colour(stroke), linestyle=stroke.dash, linewidth=1.6, label=label))
    return keys


def _draw_line(axes: Any, closed: FloatArray, stroke: Stroke) -> None:  # noqa: ANN401 -- axes
    axes.plot(closed[:, 0], closed[:, 1], color=stroke.colour, linestyle=stroke.dash, linewidth=1.6)


def _key_colour(stroke: Stroke) -> str:
    """Return the colour of a key on white paper: white lines are shown grey."""
    return "#9aa3ab" if stroke.colour == "#ffffff" else stroke.colour


def _outlines(structure: Any, grid: Grid, plane: int) -> list[FloatArray]:  # noqa: ANN401 -- structure
    """Return the closed outlines of a structure on a plane, in mm along columns and rows."""
    found = []
    for contour in structure.closed_contours:
        along = grid.to_grid_mm(contour.points_mm)
        flat = np.ptp(along[:, 2]) <= 0.5
        if flat and int(np.abs(grid.offsets_mm - along[:, 2].mean()).argmin()) == plane:
            found.append(np.vstack([along, along[:1]])[:, :2])
    return found


def _name_sides(axes: Any, grid: Grid) -> None:  # noqa: ANN401 -- axes
    """Write the patient's sides at the picture's edges: R and L, A and P."""
    for axis, places in ((0, ((0.015, 0.5), (0.985, 0.5))), (1, ((0.5, 0.975), (0.5, 0.025)))):
        for place, way in zip(places, (-1, 1), strict=True):
            part = way * grid.axes[axis]
            order = sorted(np.flatnonzero(np.abs(part) > _LEAST_PART), key=lambda p: -abs(part[p]))
            text = "".join(_PATIENT_SIDES[p][0 if part[p] > 0 else 1] for p in order)
            axes.text(
                *place, text, transform=axes.transAxes, color="white", fontsize=8, weight="bold", ha="center",
                va="center",
            )  # fmt: skip
