"""The margin that was drawn round a structure, unrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dvhkit.outputs.figures.canvas import new_figure, plain
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dvhkit.results.audit import MarginMap


def margin_figure(one: MarginMap) -> Figure:
    """Return the figure of a margin map: azimuth across, height upwards, the least margin in each cell in mm."""
    figure, (axes,) = new_figure(7.0, 3.6)
    margins = np.array(one.margin_mm, dtype=np.float64)
    height = np.array(one.height_mm)
    step = float(np.median(np.diff(height))) if len(height) > 1 else 1.0
    extent = (0.0, 360.0, height[0] - step / 2, height[-1] + step / 2)
    shown = axes.imshow(margins, cmap="cividis", extent=extent, origin="lower", aspect="auto", interpolation="nearest")
    lacking = np.array(one.lacking_mm, dtype=np.float64)
    columns = lacking.shape[1]
    rows, cells = np.nonzero(np.nan_to_num(lacking) > 0)
    axes.plot((cells + 0.5) * 360.0 / columns, height[rows], "x", color="#d55e00", markersize=3, label="falls short")
    axes.set_xticks([0, 90, 180, 270, 360], ["left", "posterior", "right", "anterior", "left"])
    axes.set_ylabel("z (mm)")
    axes.set_title(plain(clean(f"{one.title} ({one.limit})", longest=120)), fontsize=9, loc="left")
    axes.grid(visible=False)
    figure.colorbar(shown, ax=axes, label="Margin (mm)")
    return figure
