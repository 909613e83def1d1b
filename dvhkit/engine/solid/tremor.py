"""How far a hand trembled: what outlines differ by from slice to slice that no smooth solid does."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from dvhkit.engine.contours.planes import PlaneStack, plane_of_ring
from dvhkit.engine.contours.runs import Runs
from dvhkit.engine.solid.links import as_drawn
from dvhkit.model.arrays import FloatArray

_DIRECTIONS = 16
_SAME_GAP_FRAC = 0.02
# The third difference of four numbers with independent errors has this many times their variance.
_VARIANCE = 1.0 + 9.0 + 9.0 + 1.0
# A normal error lies below this share of its standard deviation half of the time.
_MEDIAN_OF_NORMAL = 0.6745
# What an edge along the slices (a lying cone) leaves, however steady the hand, as a share of the slice distance:
# 0.27 mm on slices of 3 mm. Less than that cannot be told from a tremor, and is none.
_EDGE_FRAC = 0.09
# More is no tremor, but how the solid is.
_MOST_MM = 1.0


def tremor_mm(stack: PlaneStack, runs: Runs) -> float:
    """Return the standard deviation by which outlines lie off the smooth solid that they were drawn of, in mm.

    The squared reach of a section in a direction, seen from its centroid, goes quadratically with the height in
    ellipsoids, cylinders, cones and boxes: its third difference over four slices at even distances is 0, and what is
    found there, beyond what an edge along the slices leaves, is what the outlines lie off by. 0 where no four sections
    go on as one another without a jump.
    """
    found, by_edges = _rough_mm(stack, runs)
    return min(math.sqrt(max(found**2 - by_edges**2, 0.0)), _MOST_MM)


def most_tremor_mm(stack: PlaneStack, runs: Runs) -> float:
    """Return the same if none of it is put down to edges: a steady hand and an edge look alike on few slices."""
    return min(_rough_mm(stack, runs)[0], _MOST_MM)


@lru_cache(maxsize=32)
def _rough_mm(stack: PlaneStack, runs: Runs) -> tuple[float, float]:
    """Return how far outlines lie off what is smooth from slice to slice, and how much of it an edge may leave."""
    drawn = as_drawn(stack, runs)
    first = np.arange(len(drawn.above))
    chain = [first]
    for _ in range(3):
        last = chain[-1]
        chain.append(np.where(last >= 0, drawn.above[np.maximum(last, 0)], -1))
    rings = np.stack(chain)
    rings = rings[:, (rings >= 0).all(axis=0)]
    rings = rings[:, ~drawn.jumps[0][rings[1:]].any(axis=0)]
    heights = stack.offsets_mm[plane_of_ring(stack)]
    gaps = np.diff(heights[rings], axis=0)
    rings = rings[:, np.ptp(gaps, axis=0) <= _SAME_GAP_FRAC * gaps.max(axis=0, initial=0.0)]
    if rings.size == 0:
        return 0.0, 0.0
    reach = _reaches_mm(stack, np.column_stack([drawn.x_mm, drawn.y_mm]))[rings]
    third = np.abs(np.diff(reach**2, n=3, axis=0)[0]) / (2.0 * np.maximum(reach.mean(axis=0), 1e-6))
    found = float(np.median(third) / (_MEDIAN_OF_NORMAL * np.sqrt(_VARIANCE)))
    by_edges = _EDGE_FRAC * float(np.median(gaps[:, np.ptp(gaps, axis=0) <= _SAME_GAP_FRAC * gaps.max(axis=0)]))
    return found, by_edges


def _reaches_mm(stack: PlaneStack, middle_mm: FloatArray) -> FloatArray:
    """Return how far each ring reaches from its centroid in each direction, (rings, directions)."""
    angle = 2.0 * np.pi * (np.arange(_DIRECTIONS) + 0.25) / _DIRECTIONS
    normals = np.stack([np.cos(angle), np.sin(angle)])
    # One direction after the other: along the points in memory that takes a third of the time.
    x, y = np.ascontiguousarray(stack.points_mm.T)
    far = [np.maximum.reduceat(c * x + s * y, stack.ring_start[:-1]) for c, s in normals.T]
    return np.asarray(np.stack(far, axis=1) - middle_mm @ normals)
