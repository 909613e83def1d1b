"""Compiled parts of a surface between sections: which ring goes on as which, and how its points do.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, inlined, kernel, maker, making_kernel

_LEAST_WALL_MM = 5e-5


@helper
def _stitch(lower, upper, path):
    """Pair the points of two rings that run the same way round, by the shorter diagonal; return the number of pairs.

    `lower` (n, 2), `upper` (m, 2); `path` (n + m + 1 or more, 2) gets pairs (index in lower, index in upper), of which
    the last is the first again. Between two pairs one of the indices goes on by one, so that each step is a triangle.
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


@kernel
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


@helper
def _holds(ring, x, y):
    """Return whether a ring (n, 2) holds a point, by the even-odd rule."""
    inside = False
    n = ring.shape[0]
    before = n - 1
    for p in range(n):
        ya = ring[before, 1]
        yb = ring[p, 1]
        if (ya > y) != (yb > y):
            xa = ring[before, 0]
            if x < xa + (y - ya) * (ring[p, 0] - xa) / (yb - ya):
                inside = not inside
        before = p
    return inside


@helper
def _cross(one, two):
    """Return whether edges of two rings cross or touch."""
    a = one.shape[0] - 1
    for p in range(one.shape[0]):
        ax = one[a, 0]
        ay = one[a, 1]
        ex = one[p, 0] - ax
        ey = one[p, 1] - ay
        b = two.shape[0] - 1
        side = ex * (two[b, 1] - ay) - ey * (two[b, 0] - ax)
        for q in range(two.shape[0]):
            before = side
            side = ex * (two[q, 1] - ay) - ey * (two[q, 0] - ax)
            if before * side <= 0.0:
                fx = two[q, 0] - two[b, 0]
                fy = two[q, 1] - two[b, 1]
                start = fx * (ay - two[b, 1]) - fy * (ax - two[b, 0])
                stop = fx * (one[p, 1] - two[b, 1]) - fy * (one[p, 0] - two[b, 0])
                if start * stop <= 0.0 and (before != side or start != stop):
                    return True
            b = q
        a = p
    return False


@helper
def _meet(one, two):
    """Return whether the areas of two rings have a point in common."""
    if _holds(two, one[0, 0], one[0, 1]) or _holds(one, two[0, 0], two[0, 1]):
        return True
    for p in range(1, one.shape[0]):
        if _holds(two, one[p, 0], one[p, 1]):
            return True
    return _cross(one, two)


@maker
def _cleaned(points, ring_start, tolerance):
    """Return rings without the points that they can do without, where they start, boxes and signed areas."""
    n_rings = ring_start.size - 1
    kept = np.empty(points.shape[0] + 1, np.int64)
    out = np.empty_like(points)
    start = np.zeros(n_rings + 1, np.int64)
    shape = np.zeros((n_rings, 5))
    used = 0
    for r in range(n_rings):
        ring = points[ring_start[r] : ring_start[r + 1]]
        n = ring.shape[0]
        count = n
        if n > 12:
            count = straighten(ring, tolerance, kept)
        whole = n <= 12 or count < 3
        if whole:
            count = n
        shape[r, 0] = shape[r, 1] = np.inf
        shape[r, 2] = shape[r, 3] = -np.inf
        for k in range(count):
            p = k if whole else kept[k]
            out[used + k] = ring[p]
            shape[r, 0] = min(shape[r, 0], ring[p, 0])
            shape[r, 1] = min(shape[r, 1], ring[p, 1])
            shape[r, 2] = max(shape[r, 2], ring[p, 0])
            shape[r, 3] = max(shape[r, 3], ring[p, 1])
        for k in range(2, count):
            shape[r, 4] += (out[used + k - 1, 0] - out[used, 0]) * (out[used + k, 1] - out[used, 1]) - (
                out[used + k, 0] - out[used, 0]
            ) * (out[used + k - 1, 1] - out[used, 1])
        used += count
        start[r + 1] = used
    return out[:used], start, shape


@inlined
def _apart(a, b):
    """Return whether two rings cannot be one another's continuation: their boxes are apart, or they turn unlike."""
    return a[0] > b[2] or b[0] > a[2] or a[1] > b[3] or b[1] > a[3] or (a[4] > 0.0) != (b[4] > 0.0)


@helper
def _copy(ring, lower, upper, at):
    """Write a ring, closed, as both sides of a strip; return how many points there are now."""
    n = ring.shape[0]
    for k in range(n + 1):
        p = k if k < n else 0
        for a in range(2):
            lower[at + k, a] = ring[p, a]
            upper[at + k, a] = ring[p, a]
    return at + n + 1


@helper
def _join(one, two, path, lower, upper, at):
    """Write the strip from one ring to another; return how many points there are now."""
    if one.shape[0] == two.shape[0]:
        same = True
        for p in range(one.shape[0]):
            same = same and one[p, 0] == two[p, 0] and one[p, 1] == two[p, 1]
        if same:
            return _copy(one, lower, upper, at)
    count = _stitch(one, two, path)
    for k in range(count):
        for a in range(2):
            lower[at + k, a] = one[path[k, 0], a]
            upper[at + k, a] = two[path[k, 1], a]
    return at + count


@making_kernel
def join_levels(points, ring_start, level_start, heights, tolerance, lower, upper, start, kind, layer):
    """Join the rings of levels, ascending, to strips: rings that overlap and run the same way round go on as one.

    Parameters
    ----------
    points, ring_start, level_start
        All rings (n, 2), each of three points or more; where rings begin; and which ring each level begins with.
    heights
        Of the levels. Between two of one height nothing is joined.
    tolerance
        Points that leave a straight line by less than this are left out.
    lower, upper : (2 n + 2 rings, 2)
        Get the points of the strips, closed. What ends or begins is one strip with itself.
    start, kind, layer : (2 rings + 1), (2 rings), (2 rings)
        Get where strips start, 0 for what goes on, 1 for what ends, 2 for what begins, and the level below each.

    Returns
    -------
    int
        How many strips there are.
    """
    rings, begin, shape = _cleaned(points, ring_start, tolerance)
    n_rings = begin.size - 1
    longest = 0
    for r in range(n_rings):
        longest = max(longest, begin[r + 1] - begin[r])
    path = np.empty((2 * longest + 1, 2), np.int64)
    ups = np.zeros(n_rings, np.int64)
    downs = np.zeros(n_rings, np.int64)
    onward = np.full(n_rings, -1, np.int64)
    count = 0
    at = 0
    start[0] = 0
    for level in range(heights.size - 1):
        if heights[level + 1] <= heights[level]:
            continue
        a, b, c = level_start[level], level_start[level + 1], level_start[level + 2]
        downs[b:c] = 0
        for i in range(a, b):
            for j in range(b, c):
                if _apart(shape[i], shape[j]):
                    continue
                if _meet(rings[begin[i] : begin[i + 1]], rings[begin[j] : begin[j + 1]]):
                    ups[i] += 1
                    downs[j] += 1
                    onward[i] = j
        for i in range(a, b):
            own = rings[begin[i] : begin[i + 1]]
            j = onward[i]
            if ups[i] == 1 and downs[j] == 1:
                at = _join(own, rings[begin[j] : begin[j + 1]], path, lower, upper, at)
                kind[count] = 0
                downs[j] = -1
            else:
                at = _copy(own, lower, upper, at)
                kind[count] = 1
            layer[count] = level
            count += 1
            start[count] = at
        for j in range(b, c):
            if downs[j] >= 0:
                at = _copy(rings[begin[j] : begin[j + 1]], lower, upper, at)
                kind[count] = 2
                layer[count] = level
                count += 1
                start[count] = at
    return count


@kernel
def corners(lower, upper, start, kind, spans, axes, origin, out):
    """Write the corners of a surface of strips to `out` (n, 3) in patient coordinates, once each; return how many."""
    count = 0
    for s in range(kind.size):
        for side in range(1 + (kind[s] == 1)):
            w = spans[s, side]
            points = lower if side == 0 else upper
            for k in range(start[s], start[s + 1] - 1):
                u = points[k, 0]
                v = points[k, 1]
                if k > start[s] and u == points[k - 1, 0] and v == points[k - 1, 1]:
                    continue
                for axis in range(3):
                    out[count, axis] = u * axes[0, axis] + v * axes[1, axis] + w * axes[2, axis] + origin[axis]
                count += 1
    return count


@inlined
def _place(out, count, corner, u, v, w, axes, origin):
    for axis in range(3):
        out[count, corner, axis] = u * axes[0, axis] + v * axes[1, axis] + w * axes[2, axis] + origin[axis]


@kernel
def strip_triangles(lower, upper, start, kind, spans, axes, origin, out):
    """Write the triangles of strips to `out` (n, 3, 3) in patient coordinates; return how many.

    Strip s pairs the points start[s] to start[s + 1] - 1 of `lower` and `upper` (m, 2), closed, at spans[s] (2,).
    `axes` (3, 3) and `origin` (3,) lead from (u, v, w) to the patient. `kind` as `join_levels` writes it: of what ends
    or begins, walls lower than any drawn are left out.
    """
    count = 0
    for s in range(kind.size):
        low = spans[s, 0]
        high = spans[s, 1]
        if kind[s] > 0 and high - low < _LEAST_WALL_MM:
            continue
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
