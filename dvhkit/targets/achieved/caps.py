"""How a structure closes beyond its end slices: as a dome or flat, and how far on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.engine.contours.planes import PlaneStack
from dvhkit.engine.contours.runs import Runs
from dvhkit.model.arrays import FloatArray

# A last section at least this large beside the one before it is a flat end, not a dome.
_FLAT_RATIO = 0.96
# The least height of a cap, and the step from inside to outside at its end.
LEVEL_MM = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cap:
    """How a structure closes beyond an end slice: `height_mm` further, as a dome or flat; `depth_mm` of its section."""

    plane: int
    upward: bool
    height_mm: float
    gap_mm: float
    flat: bool
    depth_mm: float = 0.0


def drawn_in_mm(height_mm: FloatArray, cap: Cap) -> FloatArray:
    """Return by how much a dome has drawn in its section at a height above the end slice."""
    if cap.flat:
        return np.zeros(len(height_mm))
    rise = (height_mm / max(cap.height_mm, 1e-9)).clip(0, 1)
    return np.asarray(cap.depth_mm * (1 - np.sqrt(1 - rise)))


def caps_of(stack: PlaneStack, runs: Runs, shares: tuple[float | None, float | None]) -> tuple[Cap, ...]:
    """Return the caps of all stretches; `shares` of the slice distance, below and above, where a height is given."""
    thickness2 = _thickness_mm(stack) ** 2
    caps = []
    for (first, stop), gaps in zip(runs.bounds, runs.end_gap_mm, strict=True):
        for upward, gap in ((False, gaps[0]), (True, gaps[1])):
            plane = stop - 1 if upward else first
            inward = thickness2[first:stop][::-1] if upward else thickness2[first:stop]
            height, flat = _end_height(inward, gap)
            share = shares[int(upward)]
            if share is not None:
                height = max(share * gap, LEVEL_MM * 2)
            caps.append(Cap(plane=plane, upward=upward, height_mm=height, gap_mm=gap, flat=flat))
    return tuple(caps)


def _thickness_mm(stack: PlaneStack) -> FloatArray:
    """Return area by perimeter of each section: half the radius of a disc, half the width of a band."""
    edges = np.roll(stack.points_mm, -1, axis=0) - stack.points_mm
    last = stack.ring_start[1:] - 1
    edges[last] = stack.points_mm[stack.ring_start[:-1]] - stack.points_mm[last]
    rings = np.add.reduceat(np.linalg.norm(edges, axis=1), stack.ring_start[:-1])
    return np.asarray(np.abs(stack.areas_mm2()) / np.maximum(np.add.reduceat(rings, stack.plane_ring[:-1]), 1e-9))


def _end_height(inward_mm2: FloatArray, gap_mm: float) -> tuple[float, bool]:
    """Return how far beyond the last slice its sections come to nothing, and whether the end is flat.

    Squared, the thickness of an ellipsoid's sections is a parabola in height, and so is that of a ring's and of most
    round things near their ends. Where no such end lies within one slice the middle is taken: it is as likely to end
    before as after.
    """
    if len(inward_mm2) < 2 or inward_mm2[1] <= 0 or inward_mm2[0] >= _FLAT_RATIO * inward_mm2[1]:
        return 0.5 * gap_mm, len(inward_mm2) >= 2
    slope, bend = inward_mm2[0] - inward_mm2[1], 0.0
    if len(inward_mm2) > 2:
        bend = min(0.0, inward_mm2[0] - 2 * inward_mm2[1] + inward_mm2[2])
        slope += 0.5 * bend
    # area + slope t + bend/2 t^2 = 0, t in slices; slope < 0, bend <= 0.
    t = -2 * inward_mm2[0] / (slope - np.sqrt(max(0.0, slope * slope - 2 * bend * inward_mm2[0])))
    return float(np.clip(t, 0.05, 1.0)) * gap_mm, False
