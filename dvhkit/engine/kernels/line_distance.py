"""Compiled parts of measuring from line to line in a plane: how much of a line lies farther than a distance.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit

# Called by kernels alone: it needs no way in from Python, and is kept with those that call it.
_helper = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_helper
def _to_rings(x, y, points, ring_start, stop):
    """Return the distance of (x, y) from the nearest edge of the rings; searching ends at `stop` or less."""
    best = 1e300
    for r in range(ring_start.size - 1):
        ax = points[ring_start[r + 1] - 1, 0]
        ay = points[ring_start[r + 1] - 1, 1]
        for p in range(ring_start[r], ring_start[r + 1]):
            bx = points[p, 0]
            by = points[p, 1]
            ex = bx - ax
            ey = by - ay
            length = ex * ex + ey * ey
            t = 0.0
            if length > 0.0:
                t = min(1.0, max(0.0, ((x - ax) * ex + (y - ay) * ey) / length))
            dx = ax + t * ex - x
            dy = ay + t * ey - y
            best = min(best, dx * dx + dy * dy)
            ax = bx
            ay = by
        if best <= stop * stop:
            break
    return sqrt(best)


@njit(cache=True, nogil=True)
def farther_length(points, ring_start, other, other_start, tolerance, resolution):
    """Return the length of closed rings that lies farther than `tolerance` from the others, and their whole length.

    Edges are halved until a piece is wholly within or wholly beyond, since distances change no faster than places, or
    shorter than `resolution`.
    """
    starts = np.empty(64)
    stops = np.empty(64)
    beyond = 0.0
    whole = 0.0
    for r in range(ring_start.size - 1):
        ax = points[ring_start[r + 1] - 1, 0]
        ay = points[ring_start[r + 1] - 1, 1]
        for p in range(ring_start[r], ring_start[r + 1]):
            bx = points[p, 0]
            by = points[p, 1]
            length = sqrt((bx - ax) ** 2 + (by - ay) ** 2)
            whole += length
            top = 0
            if length > 0.0:
                starts[0] = 0.0
                stops[0] = 1.0
                top = 1
            while top > 0:
                top -= 1
                low = starts[top]
                high = stops[top]
                middle = 0.5 * (low + high)
                half = 0.5 * (high - low) * length
                d = _to_rings(ax + middle * (bx - ax), ay + middle * (by - ay), other, other_start, -1.0)
                if d - half > tolerance or (half < resolution and d > tolerance):
                    beyond += 2.0 * half
                elif d + half > tolerance and half >= resolution:
                    starts[top] = low
                    stops[top] = middle
                    starts[top + 1] = middle
                    stops[top + 1] = high
                    top += 2
            ax = bx
            ay = by
    return beyond, whole


@njit(cache=True, nogil=True)
def line_hausdorff(points, ring_start, other, other_start, resolution):
    """Return the greatest distance of closed rings from the others, to half the `resolution`."""
    most = 0.0
    for r in range(ring_start.size - 1):
        ax = points[ring_start[r + 1] - 1, 0]
        ay = points[ring_start[r + 1] - 1, 1]
        for p in range(ring_start[r], ring_start[r + 1]):
            bx = points[p, 0]
            by = points[p, 1]
            length = sqrt((bx - ax) ** 2 + (by - ay) ** 2)
            pieces = max(1, int(length / resolution))
            at = _to_rings(bx, by, other, other_start, most)
            most = max(most, at)
            if at + length > most:
                for n in range(1, pieces):
                    t = n / pieces
                    most = max(most, _to_rings(ax + t * (bx - ax), ay + t * (by - ay), other, other_start, most))
            ax = bx
            ay = by
    return most


@njit(cache=True, nogil=True)
def count_beyond(places, other, other_start, tolerance):
    """Return how many places (n, 2) are farther than `tolerance` from the nearest edge of the rings."""
    count = 0
    for p in range(places.shape[0]):
        if _to_rings(places[p, 0], places[p, 1], other, other_start, tolerance) > tolerance:
            count += 1
    return count
