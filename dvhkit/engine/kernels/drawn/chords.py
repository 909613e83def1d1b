"""Compiled parts of measuring a section: the longest straight lines that stay inside it, and its widths.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, making_kernel


@helper
def _depth(x, y, points, ring_start):
    """Return how far (x, y) lies inside the rings (even-odd); negative outside."""
    best = 1e300
    inside = False
    for r in range(ring_start.size - 1):
        ax = points[ring_start[r + 1] - 1, 0]
        ay = points[ring_start[r + 1] - 1, 1]
        for p in range(ring_start[r], ring_start[r + 1]):
            bx = points[p, 0]
            by = points[p, 1]
            if (ay > y) != (by > y) and ax + (y - ay) / (by - ay) * (bx - ax) > x:
                inside = not inside
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
    return sqrt(best) if inside else -sqrt(best)


@helper
def _cuts(x, y, dx, dy, points, ring_start, touch, cuts):
    """Write where the line (x, y) + t (dx, dy) meets the rings, in no order; return how often.

    Edges that lie along the line within `touch` count with both ends. (dx, dy) is a unit vector.
    """
    count = 0
    for r in range(ring_start.size - 1):
        last = ring_start[r + 1] - 1
        ax = points[last, 0] - x
        ay = points[last, 1] - y
        side_a = dx * ay - dy * ax
        for p in range(ring_start[r], ring_start[r + 1]):
            bx = points[p, 0] - x
            by = points[p, 1] - y
            side_b = dx * by - dy * bx
            if abs(side_b) <= touch:
                cuts[count] = dx * bx + dy * by
                count += 1
            elif abs(side_a) > touch and (side_a > 0.0) != (side_b > 0.0):
                share = side_a / (side_a - side_b)
                cuts[count] = dx * (ax + share * (bx - ax)) + dy * (ay + share * (by - ay))
                count += 1
            ax = bx
            ay = by
            side_a = side_b
    return count


@helper
def _stretch(at, x, y, dx, dy, points, ring_start, slack, cuts, count):
    """Return how far the line stays inside around the parameter `at`, both ways; nothing if it is outside there."""
    low = at
    high = at
    k = 0
    while k < count and cuts[k] <= at + 1e-9:
        k += 1
    # Upwards from the last cut at or below.
    t = at
    n = k
    while n < count:
        middle = 0.5 * (t + cuts[n])
        if cuts[n] - t > 1e-9 and _depth(x + middle * dx, y + middle * dy, points, ring_start) < -slack:
            break
        t = cuts[n]
        high = t
        n += 1
    t = at
    n = k - 1
    while n >= 0:
        middle = 0.5 * (t + cuts[n])
        if t - cuts[n] > 1e-9 and _depth(x + middle * dx, y + middle * dy, points, ring_start) < -slack:
            break
        t = cuts[n]
        low = t
        n -= 1
    return low, high


@making_kernel
def longest_inside(points, ring_start, order, is_pivot, reach, least, slack, ends):
    """Return the length of the longest straight line inside the rings, or `least` if none is longer; `ends` (2, 2).

    Such a line passes through two corners: if it could turn about one alone its length, a convex function of the angle,
    would not be greatest. `order` (n, 2) are pairs of corners, `is_pivot` (n,) tells of each pair whether the line may
    go on beyond them, and `reach` (n,) bounds its length; pairs come in falling order of `reach`. A line may leave the
    rings by `slack`.
    """
    cuts = np.empty(2 * points.shape[0] + 2)
    best = least
    for n in range(order.shape[0]):
        if reach[n] <= best:
            break
        ax = points[order[n, 0], 0]
        ay = points[order[n, 0], 1]
        dx = points[order[n, 1], 0] - ax
        dy = points[order[n, 1], 1] - ay
        length = sqrt(dx * dx + dy * dy)
        if length <= 1e-9:
            continue
        dx /= length
        dy /= length
        count = _cuts(ax, ay, dx, dy, points, ring_start, 1e-7, cuts)
        cuts[:count].sort()
        low, high = _stretch(0.5 * length, ax, ay, dx, dy, points, ring_start, slack, cuts, count)
        if low > 1e-6 or high < length - 1e-6:
            continue
        if not is_pivot[n]:
            low = 0.0
            high = length
        if high - low > best:
            best = high - low
            ends[0, 0] = ax + low * dx
            ends[0, 1] = ay + low * dy
            ends[1, 0] = ax + high * dx
            ends[1, 1] = ay + high * dy
    return best


@making_kernel
def longest_along(points, ring_start, dx, dy, slack, ends):
    """Return the length of the longest line inside the rings along the unit vector (dx, dy), and its `ends` (2, 2).

    Between corners the length changes linearly with the place of the line, so that it is greatest beside a corner.
    """
    cuts = np.empty(2 * points.shape[0] + 2)
    best = 0.0
    for p in range(points.shape[0]):
        for side in (-1.0, 1.0):
            x = points[p, 0] - side * 1e-6 * dy
            y = points[p, 1] + side * 1e-6 * dx
            count = _cuts(x, y, dx, dy, points, ring_start, 1e-9, cuts)
            cuts[:count].sort()
            n = 0
            while n + 1 < count:
                if cuts[n + 1] - cuts[n] <= 1e-9:
                    n += 1
                    continue
                middle = 0.5 * (cuts[n] + cuts[n + 1])
                if _depth(x + middle * dx, y + middle * dy, points, ring_start) < -slack:
                    n += 1
                    continue
                low, high = _stretch(middle, x, y, dx, dy, points, ring_start, slack, cuts, count)
                if high - low > best:
                    best = high - low
                    ends[0, 0] = x + low * dx
                    ends[0, 1] = y + low * dy
                    ends[1, 0] = x + high * dx
                    ends[1, 1] = y + high * dy
                while n < count and cuts[n] < high - 1e-9:
                    n += 1
    return best
