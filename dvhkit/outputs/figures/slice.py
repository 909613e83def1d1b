"""One slice of a patient: image, dose wash, isodoses, contours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dvhkit.outputs.figures.canvas import new_figure, plain
from dvhkit.outputs.pictures.colours import screen_colours
from dvhkit.outputs.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from dvhkit.model.arrays import FloatArray
    from dvhkit.results.scene import Scene

_WINDOW_HU = (-160.0, 240.0)
_LONGEST_NAME = 40


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
    figure, (axes,) = new_figure(7.0, float(np.clip(5.4 * height / width, 2.5, 9.0)))
    half = grid.spacing_mm / 2
    extent = (-half[0], width - half[0], height - half[1], -half[1])
    if scene.values is not None:
        low, high = _WINDOW_HU if scene.value_unit == "HU" else (None, None)
        axes.imshow(scene.values[plane], cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="bilinear")
    else:
        axes.set_facecolor("black")
    if dose_gy is not None and is_difference:
        _draw_difference(figure, axes, scene, dose_gy)
    elif dose_gy is not None and scene.levels_gy:
        _draw_dose(axes, scene, dose_gy)
    _draw_contours(axes, scene, plane, names)
    axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal", xlabel="mm along columns", ylabel="mm along rows")
    axes.grid(visible=False)
    axes.set_title(plain(title), fontsize=9, loc="left")
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside right upper", fontsize=7.5)
    return figure


def _draw_dose(axes: Any, scene: Scene, dose_gy: FloatArray) -> None:  # noqa: ANN401 -- axes
    grid = scene.grid
    u, v = np.arange(grid.n_columns) * grid.spacing_mm[0], np.arange(grid.n_rows) * grid.spacing_mm[1]
    levels = sorted(scene.levels_gy)
    masked = np.ma.masked_invalid(dose_gy)
    axes.contourf(
        u, v, masked, levels=[*levels, max(float(masked.max()), levels[-1]) * 1.001], cmap="cividis", alpha=0.3
    )
    lines = axes.contour(u, v, masked, levels=levels, cmap="cividis", linewidths=0.9)
    axes.clabel(lines, fmt="%.4g Gy", fontsize=6)


def _draw_difference(figure: Figure, axes: Any, scene: Scene, dose_gy: FloatArray) -> None:  # noqa: ANN401 -- axes
    grid, most = scene.grid, float(np.nanmax(np.abs(dose_gy), initial=0.0)) or 1.0
    half = grid.spacing_mm / 2
    extent = (-half[0], (grid.n_columns - 0.5) * grid.spacing_mm[0], (grid.n_rows - 0.5) * grid.spacing_mm[1], -half[1])
    # Where both agree the patient is seen.
    shown = np.ma.masked_where(~(np.abs(dose_gy) > 0.02 * most), dose_gy)
    drawn = axes.imshow(shown, cmap="PuOr_r", vmin=-most, vmax=most, extent=extent, alpha=0.6, interpolation="bilinear")
    figure.colorbar(drawn, ax=axes, label="B less A (Gy)", shrink=0.8)


def _draw_contours(axes: Any, scene: Scene, plane: int, names: Sequence[str]) -> None:  # noqa: ANN401 -- axes
    offsets = scene.grid.offsets_mm
    for structure, colour in zip(scene.structures, screen_colours(s.color_rgb for s in scene.structures), strict=True):
        if names and structure.name not in names:
            continue
        label: str | None = plain(clean_name(structure.name, _LONGEST_NAME))
        for contour in structure.closed_contours:
            along = scene.grid.to_grid_mm(contour.points_mm)
            flat = np.ptp(along[:, 2]) <= 0.5
            if not flat or int(np.abs(offsets - along[:, 2].mean()).argmin()) != plane:
                continue
            closed = np.vstack([along, along[:1]])
            axes.plot(closed[:, 0], closed[:, 1], color=colour, linewidth=1.3, label=label)
            label = None
