"""The inner surface unrolled: azimuth by height, each cell with the margin that is left there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray
from dvhkit.model.surface_map import SurfaceMap

if TYPE_CHECKING:
    from dvhkit.targets.achieved import MarginMeasure

# Degrees between columns; 5 gives cells of a few mm on a target of a few cm.
_STEP_DEG = 5.0


def surface_map(measure: MarginMeasure) -> SurfaceMap:
    """Return the unrolled map of a check."""
    reach = measure.reach
    points = reach.points_mm
    # Each height has its own middle, so that a bent target unrolls as a straight one does.
    step = measure.inner.spacing_mm
    low = points[:, 2].min()
    row = np.floor((points[:, 2] - low) / step + 1e-9).astype(int)
    n_rows, n_columns = int(row.max()) + 1, round(360 / _STEP_DEG)
    weight = np.bincount(row, reach.share, n_rows).clip(1e-12)
    middle = [np.bincount(row, reach.share * points[:, a], n_rows) / weight for a in range(2)]
    angle = np.degrees(np.arctan2(points[:, 1] - middle[1][row], points[:, 0] - middle[0][row])) % 360
    column = np.floor(angle / _STEP_DEG).astype(int) % n_columns
    cell = row * n_columns + column
    check = measure.check
    asked = f"{check.expected} mm asked for" if check.expected else f"recovered: {check.recipe}"
    return SurfaceMap(
        azimuth_deg=np.asarray((np.arange(n_columns) + 0.5) * _STEP_DEG),
        height_mm=low + (np.arange(n_rows) + 0.5) * step,
        margin_mm=_extreme(reach.distance_mm, cell, (n_rows, n_columns), least=True),
        lacking_mm=_extreme(measure.lacking_mm, cell, (n_rows, n_columns), least=False),
        title=f"Margin from {check.inner} to {check.outer}",
        limit=asked,
    )


def _extreme(values: FloatArray, cell: NDArray[np.int64], shape: tuple[int, int], *, least: bool) -> FloatArray:
    out = np.full(shape[0] * shape[1], np.inf if least else -np.inf)
    (np.minimum if least else np.maximum).at(out, cell, values)
    out[~np.isfinite(out)] = np.nan
    return out.reshape(shape)
