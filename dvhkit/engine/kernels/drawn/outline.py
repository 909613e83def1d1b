"""Distances to outlines in a plane: inside or outside, and how far from the nearest edge."""

from math import sqrt

import numpy as np
from numba import njit

# Called by kernels alone: it needs no way in from Python, and is kept with those that call it.
_helper = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

_FAR = 1e30


@_helper
def _side(ax, ay, bx, by):
    """Return the distance of the origin from the line a-b, positive on its right."""
    ex = bx - ax
    ey = by - ay
    return (ex * ay - ey * ax) / sqrt(ex * ex + ey * ey)


@_helper
def _mitred(points, begin, end, corner, x, y, distance, inside):
    """Return the distance to a corner measured from its two edges' lines, so that sharp corners stay sharp."""
    before = corner - 1 if corner > begin else end - 1
    after = corner + 1 if corner + 1 < end else begin
    cx = points[corner, 0] - x
    cy = points[corner, 1] - y
    one = _side(points[before, 0] - x, points[before, 1] - y, cx, cy)
    two = _side(cx, cy, points[after, 0] - x, points[after, 1] - y)
    mitre = max(-one, -two) if inside else max(one, two)
    # A very sharp corner would reach far; beyond a right angle's mitre it is cut.
    return max(mitre, 0.7 * distance)


@_helper
def _chunks(points, ring_start, chunk, first, ring_of, circle):
    """Bundle each ring's edges, `chunk` at a time: index of the first edge's end, ring, and a circle around them."""
    count = 0
    for r in range(ring_start.size - 1):
        begin = ring_start[r]
        end = ring_start[r + 1]
        for c in range(begin, end, chunk):
            stop = min(c + chunk, end)
            before = c - 1 if c > begin else end - 1
            left = points[before, 0]
            right = left
            low = points[before, 1]
            high = low
            for p in range(c, stop):
                left = min(left, points[p, 0])
                right = max(right, points[p, 0])
                low = min(low, points[p, 1])
                high = max(high, points[p, 1])
            first[count] = c
            ring_of[count] = r
            circle[count, 0] = 0.5 * (left + right)
            circle[count, 1] = 0.5 * (low + high)
            circle[count, 2] = 0.5 * sqrt((right - left) ** 2 + (high - low) ** 2)
            count += 1
    return count


@_helper
def _nearest_edge(points, begin, end, start, stop, x, y, best, corner):
    """Return the least squared distance to the edges ending in start..stop-1, and its corner (-1 for none)."""
    a = start - 1 if start > begin else end - 1
    for p in range(start, stop):
        xa = points[a, 0] - x
        ya = points[a, 1] - y
        ex = points[p, 0] - points[a, 0]
        ey = points[p, 1] - points[a, 1]
        t = -(xa * ex + ya * ey) / (ex * ex + ey * ey)
        nearest = -1
        if t <= 0.0:
            t = 0.0
            nearest = a
        elif t >= 1.0:
            t = 1.0
            nearest = p
        px = xa + t * ex
        py = ya + t * ey
        d = px * px + py * py
        if d < best:
            best = d
            corner = nearest
        a = p
    return best, corner


@njit(cache=True, nogil=True)
def signed_distance(points, ring_start, nodes, inside, out):
    """Write the distance of each node (column, row) to the rings, negative where `inside`, mitred at corners.

    Rings have the inside on their left and repeat no point. Edges are passed over twelve at a time where a circle
    around them is further away than an edge already found; the bundle nearest to the node before comes first.
    """
    chunk = 12
    most = points.shape[0] // chunk + ring_start.size
    first = np.empty(most, np.int64)
    ring_of = np.empty(most, np.int64)
    circle = np.empty((most, 3))
    count = _chunks(points, ring_start, chunk, first, ring_of, circle)
    likely = 0
    for n in range(nodes.shape[0]):
        x = nodes[n, 0]
        y = nodes[n, 1]
        best = _FAR
        corner = -1
        nearest = likely
        for k in range(-1, count):
            c = likely if k < 0 else k
            if k >= 0:
                if k == likely:
                    continue
                away = sqrt((circle[c, 0] - x) ** 2 + (circle[c, 1] - y) ** 2) - circle[c, 2]
                if away > 0.0 and away * away > best:
                    continue
            r = ring_of[c]
            stop = min(first[c] + chunk, ring_start[r + 1])
            found, at = _nearest_edge(points, ring_start[r], ring_start[r + 1], first[c], stop, x, y, best, corner)
            if found < best:
                best = found
                corner = at
                nearest = c
        likely = nearest
        distance = sqrt(best)
        if corner >= 0:
            r = ring_of[nearest]
            distance = _mitred(points, ring_start[r], ring_start[r + 1], corner, x, y, distance, inside[n])
        out[n] = -distance if inside[n] else distance


@njit(cache=True, nogil=True)
def edge_distance(edges, nodes, out):
    """Write the Euclidean distance of each node (column, row) to the nearest of the edges (xa, ya, xb, yb)."""
    for n in range(nodes.shape[0]):
        best = _FAR
        for e in range(edges.shape[0]):
            xa = edges[e, 0] - nodes[n, 0]
            ya = edges[e, 1] - nodes[n, 1]
            ex = edges[e, 2] - edges[e, 0]
            ey = edges[e, 3] - edges[e, 1]
            t = min(1.0, max(0.0, -(xa * ex + ya * ey) / (ex * ex + ey * ey)))
            px = xa + t * ex
            py = ya + t * ey
            best = min(best, px * px + py * py)
        out[n] = sqrt(best)
