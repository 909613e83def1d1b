"""From a field back to contours: the rings of its zero level, to a fraction of a cell."""

from __future__ import annotations

import numpy as np

from dvhkit.engine.kernels.trace import count_crossings, trace_rings
from dvhkit.model.arrays import FloatArray

# Rings of less area than this many cells are noise of the field.
_LEAST_CELLS = 1e-4
# Neighbouring points nearer than this, in cells, are one point.
_SAME_CELLS = 1e-3


def trace_zero(values: FloatArray, *, origin_uv: FloatArray, step_mm: float) -> list[FloatArray]:
    """Return the rings where a field crosses zero, each (n, 2), with the negative side on their left.

    Parameters
    ----------
    values : (n_rows, n_columns)
        Field at nodes; positive all along the border. Crossings are linear between nodes.
    origin_uv : (2,)
        Place of node ``[0, 0]``; columns run along u, rows along v.
    step_mm
        Distance between nodes.
    """
    crossings = count_crossings(values)
    if crossings == 0:
        return []
    points = np.empty((crossings, 2))
    starts = np.empty(crossings + 1, np.int64)
    following = np.full(2 * values.size, -1, np.int64)
    count = trace_rings(values, following, points, starts)
    rings = [points[starts[r] : starts[r + 1]] for r in range(count)]
    kept = [_thinned(ring) for ring in rings]
    return [origin_uv + step_mm * ring for ring in kept if len(ring) >= 3 and abs(_area(ring)) > _LEAST_CELLS]


def _thinned(ring: FloatArray) -> FloatArray:
    apart = np.abs(ring - np.roll(ring, 1, axis=0)).max(axis=1) > _SAME_CELLS
    return ring if apart.all() else ring[apart]


def _area(ring: FloatArray) -> float:
    x, y = (ring - ring[0]).T
    return 0.5 * float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)
