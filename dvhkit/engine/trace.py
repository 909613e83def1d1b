"""From a field back to contours: the rings of its zero level, to a fraction of a cell."""

from __future__ import annotations

import numpy as np

from dvhkit.engine.kernels.drawn.trace import link_crossings, touches_border, walk_rings
from dvhkit.model.arrays import FloatArray

# Rings of less area than this many cells are noise of the field.
_LEAST_CELLS = 1e-4
# Neighbouring points nearer than this, in cells, are one point.
_SAME_CELLS = 1e-3


class Tracer:
    """Traces fields of one shape one after the other, in the same work space; not to be shared between threads."""

    def __init__(self, shape: tuple[int, int]) -> None:
        size = 2 * shape[0] * shape[1]
        self._following = np.full(size, -1, np.int32)
        self._edges = np.empty(size, np.int32)

    def rings(self, values: np.ndarray, *, origin_uv: FloatArray, step_mm: float) -> list[FloatArray]:
        """Return the rings where a field crosses zero, each (n, 2), with the negative side on their left.

        Parameters
        ----------
        values : (n_rows, n_columns)
            Field at nodes; positive all along the border. Crossings are linear between nodes.
        origin_uv : (2,)
            Place of node ``[0, 0]``; columns run along u, rows along v.
        step_mm
            Distance between nodes.

        Raises
        ------
        ValueError
            If the field is negative somewhere along its border.
        """
        if touches_border(values):
            raise ValueError("the field is negative at its border.")
        count = link_crossings(values, self._following, self._edges)
        if count == 0:
            return []
        points = np.empty((count, 2))
        starts = np.empty(count + 1, np.int64)
        found = walk_rings(values, self._following, self._edges, count, _SAME_CELLS, _LEAST_CELLS, points, starts)
        points *= step_mm
        points += origin_uv
        return [points[starts[r] : starts[r + 1]] for r in range(found)]


def trace_zero(values: FloatArray, *, origin_uv: FloatArray, step_mm: float) -> list[FloatArray]:
    """Return the rings where one field crosses zero; parameters as in `Tracer.rings`."""
    return Tracer((values.shape[0], values.shape[1])).rings(values, origin_uv=origin_uv, step_mm=step_mm)
