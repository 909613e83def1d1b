"""Compiled parts of measuring from line to line in a plane: how much of a line lies farther than a distance.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from math import ceil, floor, sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, maker, making_kernel

# So many edges are passed over at once where a circle around them is farther away than an edge already found.
_BUNDLE = 8


@maker
def _bundled(points, ring_start):
    """Return the edges of closed rings, and bundles of up to `_BUNDLE` that follow each other.

    Edges (n, 5): start, way to the end, and 1 / length squared, or 0. Bundles (b, 5): centre and radius of a circle
    around them, the first edge, and one past the last.
    """
    edges = np.empty((points.shape[0], 5))
    bundles = np.empty((points.shape[0] // _BUNDLE + ring_start.size, 5))
    count = 0
    for r in range(ring_start.size - 1):
        last = ring_start[r + 1] - 1
        for p in range(ring_start[r], ring_start[r + 1]):
            ex = points[p, 0] - points[last, 0]
            ey = points[p, 1] - points[last, 1]
            square = ex * ex + ey * ey
            edges[p, 0] = points[last, 0]
            edges[p, 1] = points[last, 1]
            edges[p, 2] = ex
            edges[p, 3] = ey
            edges[p, 4] = 1.0 / square if square > 0.0 else 0.0
            last = p
        for first in range(ring_start[r], ring_start[r + 1], _BUNDLE):
            stop = min(first + _BUNDLE, ring_start[r + 1])
            left = right = edges[first, 0]
            low = high = edges[first, 1]
            for p in range(first, stop):
                left = min(left, points[p, 0])
                right = max(right, points[p, 0])
                low = min(low, points[p, 1])
                high = max(high, points[p, 1])
            bundles[count, 0] = 0.5 * (left + right)
            bundles[count, 1] = 0.5 * (low + high)
            bundles[count, 2] = 0.5 * sqrt((right - left) ** 2 + (high - low) ** 2)
            bundles[count, 3] = first
            bundles[count, 4] = stop
            count += 1
    return edges, bundles[:count]


@helper
def _to_bundle(x, y, edges, bundles, b, best):
    """Return the least squared distance of (x, y) from the edges of a bundle, or `best` if that is less."""
    for e in range(int(bundles[b, 3]), int(bundles[b, 4])):
        ax = x - edges[e, 0]
        ay = y - edges[e, 1]
        t = min(1.0, max(0.0, (ax * edges[e, 2] + ay * edges[e, 3]) * edges[e, 4]))
        dx = ax - t * edges[e, 2]
        dy = ay - t * edges[e, 3]
        best = min(best, dx * dx + dy * dy)
    return best


@helper
def _to_rings(x, y, edges, bundles, stop, hint):
    """Return the distance of (x, y) from the nearest edge, and its bundle; searching ends at `stop` or less.

    It begins with the bundle `hint`: places that follow each other along a line are mostly near the same edges.
    """
    best = _to_bundle(x, y, edges, bundles, hint, np.inf)
    nearest = hint
    enough = stop * stop if stop > 0.0 else -1.0
    least = sqrt(best)
    for b in range(bundles.shape[0]):
        if best <= enough:
            break
        dx = x - bundles[b, 0]
        dy = y - bundles[b, 1]
        reach = least + bundles[b, 2]
        if b == hint or dx * dx + dy * dy >= reach * reach:
            continue
        found = _to_bundle(x, y, edges, bundles, b, best)
        if found < best:
            best = found
            least = sqrt(best)
            nearest = b
    return least, nearest


@making_kernel
def farther_length(points, ring_start, other, other_start, tolerance, resolution):
    """Return the length of closed rings that lies farther than `tolerance` from the others, and their whole length.

    Edges are halved until a piece is wholly within or wholly beyond, since distances change no faster than places, or
    shorter than `resolution`.
    """
    starts = np.empty(64)
    stops = np.empty(64)
    edges, bundles = _bundled(other, other_start)
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
                d, near = _to_rings(x, y, edges, bundles, tolerance - half, near)
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


@making_kernel
def line_hausdorff(points, ring_start, other, other_start, resolution):
    """Return the greatest distance of closed rings from the others, to half the `resolution`."""
    most = 0.0
    edges, bundles = _bundled(other, other_start)
    near = 0
    for r in range(ring_start.size - 1):
        ax = points[ring_start[r + 1] - 1, 0]
        ay = points[ring_start[r + 1] - 1, 1]
        for p in range(ring_start[r], ring_start[r + 1]):
            bx = points[p, 0]
            by = points[p, 1]
            length = sqrt((bx - ax) ** 2 + (by - ay) ** 2)
            pieces = max(1, int(length / resolution))
            at, near = _to_rings(bx, by, edges, bundles, most, near)
            most = max(most, at)
            if pieces > 1:
                for n in range(1, pieces):
                    t = n / pieces
                    at, near = _to_rings(ax + t * (bx - ax), ay + t * (by - ay), edges, bundles, most, near)
                    most = max(most, at)
            ax = bx
            ay = by
    return most


@helper
def _fill_inside(points, ring_start, inside):
    """Mark the nodes (row, column) inside the rings by the even-odd rule; `points` are (column, row) in node units."""
    n_rows, n_columns = inside.shape
    for r in range(ring_start.size - 1):
        xa = points[ring_start[r + 1] - 1, 0]
        ya = points[ring_start[r + 1] - 1, 1]
        for p in range(ring_start[r], ring_start[r + 1]):
            xb = points[p, 0]
            yb = points[p, 1]
            low = min(ya, yb)
            high = max(ya, yb)
            for j in range(max(0, ceil(low)), min(n_rows - 1, ceil(high) - 1) + 1):
                x = xa + (j - ya) * (xb - xa) / (yb - ya)
                i = max(0, ceil(x))
                if i < n_columns:
                    inside[j, i] = not inside[j, i]
            xa = xb
            ya = yb
    for j in range(n_rows):
        odd = False
        for i in range(n_columns):
            odd ^= inside[j, i]
            inside[j, i] = odd


@maker
def _scaled(points, low, step):
    out = np.empty_like(points)
    for p in range(points.shape[0]):
        out[p, 0] = (points[p, 0] - low[0]) / step
        out[p, 1] = (points[p, 1] - low[1]) / step
    return out


@making_kernel
def rim_beyond(points, ring_start, other, other_start, step, tolerance):
    """Return how many pixels on the rim of closed rings are farther than `tolerance` from the others.

    Pixels of `step` in a grid of their own, inside but next to one outside; those in the others' area count as near.
    """
    low = np.full(2, np.inf)
    high = np.full(2, -np.inf)
    for p in range(points.shape[0]):
        for axis in range(2):
            low[axis] = min(low[axis], points[p, axis])
            high[axis] = max(high[axis], points[p, axis])
    for axis in range(2):
        low[axis] = floor(low[axis]) - 1.5 * step
    # Nothing lies on the outermost pixels.
    columns = ceil((high[0] + 2.0 * step - low[0]) / step)
    rows = ceil((high[1] + 2.0 * step - low[1]) / step)
    inside = np.zeros((rows, columns), np.bool_)
    within = np.zeros((rows, columns), np.bool_)
    _fill_inside(_scaled(points, low, step), ring_start, inside)
    has_other = other.shape[0] > 0
    if has_other:
        _fill_inside(_scaled(other, low, step), other_start, within)
        edges, bundles = _bundled(other, other_start)
    near = 0
    count = 0
    for j in range(1, rows - 1):
        for i in range(1, columns - 1):
            if not inside[j, i] or within[j, i]:
                continue
            if inside[j - 1, i] and inside[j + 1, i] and inside[j, i - 1] and inside[j, i + 1]:
                continue
            if has_other:
                x = low[0] + step * i
                y = low[1] + step * j
                d, near = _to_rings(x, y, edges, bundles, tolerance, near)
                if d <= tolerance:
                    continue
            count += 1
    return count


@making_kernel
def compare_slices(one, two, tolerance, steps, voxels, out):
    """Hold the rings of one structure on each slice against another's there.

    Parameters
    ----------
    one, two
        Of either: points (n, 2) of all slices, where rings begin among them, and which ring each slice begins with.
    tolerance
        Added path length counts what is farther than this from the other's line.
    steps
        How exactly places are known where a line crosses the tolerance; and for the greatest distance.
    voxels
        Size of pixels, and their tolerance.
    out : (slices, 4)
        Gets the added and the whole length; the greatest distance, -1 where the other has no line; and the number of
        pixels of the rim that are beyond.
    """
    points, ring_start, slice_start = one
    others, other_rings, other_slices = two
    for k in range(out.shape[0]):
        a = slice_start[k]
        b = slice_start[k + 1]
        starts = ring_start[a : b + 1] - ring_start[a]
        own = points[ring_start[a] : ring_start[b]]
        c = other_slices[k]
        d = other_slices[k + 1]
        their_starts = other_rings[c : d + 1] - other_rings[c]
        theirs = others[other_rings[c] : other_rings[d]]
        out[k] = 0.0
        if own.shape[0] == 0:
            out[k, 2] = -1.0
            continue
        out[k, 3] = rim_beyond(own, starts, theirs, their_starts, voxels[0], voxels[1])
        if theirs.shape[0] == 0:
            edges, _ = _bundled(own, starts)
            for e in range(edges.shape[0]):
                out[k, 1] += sqrt(edges[e, 2] ** 2 + edges[e, 3] ** 2)
            out[k, 0] = out[k, 1]
            out[k, 2] = -1.0
            continue
        out[k, 0], out[k, 1] = farther_length(own, starts, theirs, their_starts, tolerance, steps[0])
        forth = line_hausdorff(own, starts, theirs, their_starts, steps[1])
        back = line_hausdorff(theirs, their_starts, own, starts, steps[1])
        out[k, 2] = max(forth, back)
