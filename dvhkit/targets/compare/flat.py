"""Rings as kernels take them: one array of points, and where each ring begins."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray

_REPEAT_MM = 1e-9


def flat_rings(rings: Iterable[FloatArray]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return all points (n, 2), and the index of each ring's first point and one past the last.

    Points that repeat the one before are left out, and rings of which fewer than three are left.
    """
    kept = []
    for ring in rings:
        change = np.abs(np.diff(ring, axis=0, prepend=ring[-1:])).max(axis=1)
        clean = ring if change.min() > _REPEAT_MM else ring[change > _REPEAT_MM]
        if len(clean) >= 3:
            kept.append(clean)
    starts = np.zeros(len(kept) + 1, np.int64)
    np.cumsum([len(r) for r in kept], out=starts[1:])
    return (np.ascontiguousarray(np.concatenate(kept)) if kept else np.empty((0, 2))), starts
