"""The margin that was drawn round a structure, unrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dvhkit.outputs.figures.canvas import new_figure, plain
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dvhkit.results.audit import MarginMap

# Less is the roughness of contours that were drawn by points; the report's map has the same.
_LEAST_LACK_MM = 0.3


def margin_figure(one: MarginMap) -> Figure:
    """Return the figure of a margin map: azimuth across, height upwards, the least margin in each cell in mm."""
    figure, axes = new_figure(7.0, 3.6)
    from matplotlib.patches import Patch

    margins = np.array(one.margin_mm, dtype=np.float64)
    height = np.array(one.height_mm)
    step = float(np.median(np.diff(height))) if len(height) > 1 else 1.0
    extent = (0.0, 360.0, height[0] - step / 2, height[-1] + step / 2)
    shown = axes.imshow(margins, cmap="cividis", extent=extent, origin="lower", aspect="auto", interpolation="nearest")
    lacking = np.array(one.lacking_mm, dtype=np.float64)
    columns = lacking.shape[1]
    rows, cells = np.nonzero(np.nan_to_num(lacking) > _LEAST_LACK_MM)
    short = axes.plot((cells + 0.5) * 360.0 / columns, height[rows], "x", color="#d55e00", markersize=3)[0]
    gone = Patch(facecolor="white", edgecolor="#8793a1", hatch="////", label="no surface")
    if len(rows):
        short.set_label(f"falls short by more than {_LEAST_LACK_MM:g} mm")
    _hatch(axes, margins, height, step)
    handles = [*([short] if len(rows) else []), *([gone] if np.isnan(margins).any() else [])]
    if handles:
        figure.legend(handles=handles, loc="outside lower right", ncols=2, fontsize=7.5, frameon=False)
    axes.set_xticks([0, 90, 180, 270, 360], ["left", "posterior", "right", "anterior", "left"])
    axes.set_xlabel("Direction from the middle of the inner structure")
    axes.set_ylabel("z (mm), superior up")
    axes.set_title(plain(clean(f"{one.title} ({one.limit})", longest=120)), fontsize=9, loc="left")
    axes.grid(visible=False)
    figure.colorbar(shown, ax=axes, label="Margin (mm)")
    return figure


def _hatch(axes: Any, margins: Any, height: Any, step: float) -> None:  # noqa: ANN401 -- axes and arrays
    """Hatch the cells without a surface."""
    from matplotlib.patches import Rectangle

    width = 360.0 / margins.shape[1]
    for row, column in zip(*np.nonzero(np.isnan(margins)), strict=True):
        corner = (column * width, height[row] - step / 2)
        axes.add_patch(Rectangle(corner, width, step, fill=False, hatch="////", edgecolor="#8793a1", linewidth=0))
