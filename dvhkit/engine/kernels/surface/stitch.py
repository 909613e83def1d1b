"""Compiled parts of a surface between two sections: how the points of one ring go on in those of the next.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from math import sqrt

from numba import njit

# Called by kernels alone: it needs no way in from Python, and is kept with those that call it.
_inlined = njit(nogil=True, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@njit(cache=True, nogil=True)
def stitch(lower, upper, path):
    """Pair the points of two rings that run the same way round, by the shorter diagonal; return the number of pairs.

    `lower` (n, 2), `upper` (m, 2); `path` (n + m + 1, 2) gets pairs (index in lower, index in upper), of which the last
    is the first again. Between two pairs one of the indices goes on by one, so that each step is a triangle.
    """
    n = lower.shape[0]
    m = upper.shape[0]
    # The pair that starts: the first point of the lower ring and the upper one next to it.
    best = 1e300
    j0 = 0
    for j in range(m):
        d = (upper[j, 0] - lower[0, 0]) ** 2 + (upper[j, 1] - lower[0, 1]) ** 2
        if d < best:
            best = d
            j0 = j
    i = 0
    j = 0
    at_i = 0
    at_j = j0
    path[0, 0] = 0
    path[0, 1] = j0
    count = 1
    while i < n or j < m:
        next_i = at_i + 1 if at_i + 1 < n else 0
        next_j = at_j + 1 if at_j + 1 < m else 0
        along_lower = 1e300
        along_upper = 1e300
        if i < n:
            along_lower = (lower[next_i, 0] - upper[at_j, 0]) ** 2 + (lower[next_i, 1] - upper[at_j, 1]) ** 2
        if j < m:
            along_upper = (lower[at_i, 0] - upper[next_j, 0]) ** 2 + (lower[at_i, 1] - upper[next_j, 1]) ** 2
        if along_lower <= along_upper:
            i += 1
            at_i = next_i
        else:
            j += 1
            at_j = next_j
        path[count, 0] = at_i
        path[count, 1] = at_j
        count += 1
    return count


@njit(cache=True, nogil=True)
def straighten(ring, tolerance, kept):
    """Write to `kept` (n,) the points of a ring (n, 2) that it needs to stay within a tolerance; return how many.

    From each point that stays, a wedge of directions is narrowed by every point that goes: a line along any of them
    passes all those by no more than the tolerance. Points that turn back stay.
    """
    n = ring.shape[0]
    kept[0] = 0
    count = 1
    anchor = 0
    open_wedge = True
    lx = ly = rx = ry = 0.0
    far = 0.0
    p = 1
    while p <= n:
        at = p if p < n else 0
        dx = ring[at, 0] - ring[anchor, 0]
        dy = ring[at, 1] - ring[anchor, 1]
        d = sqrt(dx * dx + dy * dy)
        fits = d >= far and (open_wedge or (rx * dy - ry * dx >= 0.0 and dx * ly - dy * lx >= 0.0))
        if not fits:
            # The point before is the last that a straight line from the anchor reaches.
            anchor = p - 1
            kept[count] = anchor
            count += 1
            open_wedge = True
            far = 0.0
            continue
        far = d
        if d > tolerance:
            s = tolerance / d
            c = sqrt(1.0 - s * s)
            left_x = dx * c - dy * s
            left_y = dx * s + dy * c
            right_x = dx * c + dy * s
            right_y = dy * c - dx * s
            if open_wedge or left_x * ly - left_y * lx >= 0.0:
                lx = left_x
                ly = left_y
            if open_wedge or rx * right_y - ry * right_x >= 0.0:
                rx = right_x
                ry = right_y
            open_wedge = False
        p += 1
    return count


@_inlined
def _place(out, count, corner, u, v, w, axes, origin):
    for axis in range(3):
        out[count, corner, axis] = u * axes[0, axis] + v * axes[1, axis] + w * axes[2, axis] + origin[axis]


@njit(cache=True, nogil=True)
def strip_triangles(lower, upper, start, heights, axes, origin, out):
    """Write the triangles of strips to `out` (n, 3, 3) in patient coordinates; return how many.

    Strip s pairs the points start[s] to start[s + 1] - 1 of `lower` and `upper` (m, 2), closed, at heights[s] (2,).
    `axes` (3, 3) and `origin` (3,) lead from (u, v, w) to the patient.
    """
    count = 0
    for s in range(start.size - 1):
        low = heights[s, 0]
        high = heights[s, 1]
        for k in range(start[s], start[s + 1] - 1):
            n = k + 1
            if lower[k, 0] != lower[n, 0] or lower[k, 1] != lower[n, 1]:
                _place(out, count, 0, lower[k, 0], lower[k, 1], low, axes, origin)
                _place(out, count, 1, lower[n, 0], lower[n, 1], low, axes, origin)
                _place(out, count, 2, upper[k, 0], upper[k, 1], high, axes, origin)
                count += 1
            if upper[k, 0] != upper[n, 0] or upper[k, 1] != upper[n, 1]:
                _place(out, count, 0, lower[n, 0], lower[n, 1], low, axes, origin)
                _place(out, count, 1, upper[n, 0], upper[n, 1], high, axes, origin)
                _place(out, count, 2, upper[k, 0], upper[k, 1], high, axes, origin)
                count += 1
    return count
