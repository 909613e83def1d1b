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
def _edge_starts(points, ring_start):
    """Return for each point the point before it on its ring, and how far along the ring it lies."""
    before = np.empty(ring_start[ring_start.size - 1], np.int64)
    along = np.zeros(before.size)
    for r in range(ring_start.size - 1):
        last = ring_start[r + 1] - 1
        for p in range(ring_start[r], ring_start[r + 1]):
            before[p] = last
            if p > ring_start[r]:
                along[p] = along[last] + sqrt(
                    (points[p, 0] - points[last, 0]) ** 2 + (points[p, 1] - points[last, 1]) ** 2
                )
            last = p
    return before, along


@_helper
def _to_edge(x, y, points, a, p):
    """Return the squared distance of (x, y) from the edge between points `a` and `p`."""
    ax = points[a, 0]
    ay = points[a, 1]
    ex = points[p, 0] - ax
    ey = points[p, 1] - ay
    length = ex * ex + ey * ey
    t = 0.0
    if length > 0.0:
        t = min(1.0, max(0.0, ((x - ax) * ex + (y - ay) * ey) / length))
    dx = ax + t * ex - x
    dy = ay + t * ey - y
    return dx * dx + dy * dy


@_helper
def _beyond(along, p, end, reach):
    """Return the first point after `p` that lies farther along the ring than `reach`, or `end`: by strides."""
    q = p + 1
    stride = 1
    while q + stride < end and along[q + stride] <= reach:
        q += stride
        stride *= 2
    while stride > 0:
        if q + stride < end and along[q + stride] <= reach:
            q += stride
        stride //= 2
    return q + 1 if q < end and along[q] <= reach else q


@_helper
def _to_rings(x, y, points, ring_start, before, along, stop, hint):
    """Return the distance of (x, y) from the nearest edge, and that edge; searching ends at `stop` or less.

    It begins at the edge `hint`: places that follow each other along a line are mostly near the same edge. What lies
    so little farther along a ring that it cannot be nearer is passed over.
    """
    best = _to_edge(x, y, points, before[hint], hint)
    nearest = hint
    enough = stop * stop if stop > 0.0 else -1.0
    least = sqrt(best)
    for r in range(ring_start.size - 1):
        end = ring_start[r + 1]
        p = ring_start[r]
        while p < end and best > enough:
            square = _to_edge(x, y, points, before[p], p)
            if square < best:
                best = square
                least = sqrt(best)
                nearest = p
                p += 1
            elif p + 1 < end and square > 4.0 * best:
                p = _beyond(along, p, end, along[p] + (sqrt(square) - least))
            else:
                p += 1
    return least, nearest


@njit(cache=True, nogil=True)
def farther_length(points, ring_start, other, other_start, tolerance, resolution):
    """Return the length of closed rings that lies farther than `tolerance` from the others, and their whole length.

    Edges are halved until a piece is wholly within or wholly beyond, since distances change no faster than places, or
    shorter than `resolution`.
    """
    starts = np.empty(64)
    stops = np.empty(64)
    before, along = _edge_starts(other, other_start)
    near = 0
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
                x = ax + middle * (bx - ax)
                y = ay + middle * (by - ay)
                d, near = _to_rings(x, y, other, other_start, before, along, tolerance - half, near)
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
    before, along = _edge_starts(other, other_start)
    near = 0
    for r in range(ring_start.size - 1):
        ax = points[ring_start[r + 1] - 1, 0]
        ay = points[ring_start[r + 1] - 1, 1]
        for p in range(ring_start[r], ring_start[r + 1]):
            bx = points[p, 0]
            by = points[p, 1]
            length = sqrt((bx - ax) ** 2 + (by - ay) ** 2)
            pieces = max(1, int(length / resolution))
            at, near = _to_rings(bx, by, other, other_start, before, along, most, near)
            most = max(most, at)
            if pieces > 1:
                for n in range(1, pieces):
                    t = n / pieces
                    at, near = _to_rings(
                        ax + t * (bx - ax), ay + t * (by - ay), other, other_start, before, along, most, near
                    )
                    most = max(most, at)
            ax = bx
            ay = by
    return most


@njit(cache=True, nogil=True)
def count_beyond(places, other, other_start, tolerance):
    """Return how many places (n, 2) are farther than `tolerance` from the nearest edge of the rings."""
    count = 0
    before, along = _edge_starts(other, other_start)
    near = 0
    for p in range(places.shape[0]):
        d, near = _to_rings(places[p, 0], places[p, 1], other, other_start, before, along, tolerance, near)
        if d > tolerance:
            count += 1
    return count
