"""Compiled parts of areas that rings bound: swept in slabs within which no two edges cross, so that each is trapezoids.

What is wound round more often by outer rings (anticlockwise) than by holes is filled. Two groups of rings are swept at
once. Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

import numpy as np

from dvhkit.engine.kernels.compiled import helper, inlined, kernel, maker, making_kernel

# Edges that change sides by less than this, in mm, touch and do not cross.
_TOUCH_MM = 1e-9


@helper
def _gather(table, first, stop, at, group, edges, count):
    """Write the edges of strips first..stop-1 that reach to height `at`; return how many there are now.

    `edges` (m, 6): x and y of the lower end, of the upper end, winding gained from left to right, group.
    """
    lower, upper, start, spans = table
    for s in range(first, stop):
        low = spans[s, 0]
        high = spans[s, 1]
        if not low <= at < high:
            continue
        share = (at - low) / (high - low)
        k = start[s]
        ax = lower[k, 0] + share * (upper[k, 0] - lower[k, 0])
        ay = lower[k, 1] + share * (upper[k, 1] - lower[k, 1])
        for k in range(start[s] + 1, start[s + 1]):
            bx = lower[k, 0] + share * (upper[k, 0] - lower[k, 0])
            by = lower[k, 1] + share * (upper[k, 1] - lower[k, 1])
            if ay < by:
                edges[count, 0] = ax
                edges[count, 1] = ay
                edges[count, 2] = bx
                edges[count, 3] = by
                edges[count, 4] = -1.0
                edges[count, 5] = group
                count += 1
            elif by < ay:
                edges[count, 0] = bx
                edges[count, 1] = by
                edges[count, 2] = ax
                edges[count, 3] = ay
                edges[count, 4] = 1.0
                edges[count, 5] = group
                count += 1
            ax = bx
            ay = by
    return count


@helper
def _add_slab(slab, n, order, xa, xb, edges, sums, pieces, count):
    """Add the trapezoids of a slab, edges in order from the left; return how many pieces there are now.

    `sums` (7): area, and first moments in x and y, of either group, and the area of both together. `pieces` (p, 7),
    which may be empty: left and right x below and above, both heights, winding of the first group less the second's.
    """
    ya, yb = slab
    high = yb - ya
    one = 0.0
    two = 0.0
    for k in range(n - 1):
        e = order[k]
        if edges[e, 5] == 0.0:
            one += edges[e, 4]
        else:
            two += edges[e, 4]
        if one <= 0.0 and two <= 0.0 and one == two:
            continue
        la = xa[k]
        ra = xa[k + 1]
        lb = xb[k]
        rb = xb[k + 1]
        area = 0.5 * high * ((ra - la) + (rb - lb))
        if area <= 0.0:
            continue
        if pieces.shape[1] > 0:
            if one != two:
                if count < pieces.shape[0]:
                    pieces[count, 0] = la
                    pieces[count, 1] = ra
                    pieces[count, 2] = lb
                    pieces[count, 3] = rb
                    pieces[count, 4] = ya
                    pieces[count, 5] = yb
                    pieces[count, 6] = one - two
                count += 1
            continue
        # Simpson's rule is exact for what is quadratic in y.
        lm = 0.5 * (la + lb)
        rm = 0.5 * (ra + rb)
        in_x = high * ((ra * ra - la * la) + 4.0 * (rm * rm - lm * lm) + (rb * rb - lb * lb)) / 12.0
        in_y = high * (ya * (ra - la) + 2.0 * (ya + yb) * (rm - lm) + yb * (rb - lb)) / 6.0
        if one > 0.0:
            sums[0] += area
            sums[1] += in_x
            sums[2] += in_y
        if two > 0.0:
            sums[3] += area
            sums[4] += in_x
            sums[5] += in_y
            if one > 0.0:
                sums[6] += area
    return count


@inlined
def _x_at(edges, e, y):
    return edges[e, 0] + (y - edges[e, 1]) * (edges[e, 2] - edges[e, 0]) / (edges[e, 3] - edges[e, 1])


@helper
def _sort(n, order, xa, xb):
    """Put edges in order from the left by their middles: they mostly are already."""
    for k in range(1, n):
        e = order[k]
        a = xa[k]
        b = xb[k]
        p = k - 1
        while p >= 0 and xa[p] + xb[p] > a + b:
            order[p + 1] = order[p]
            xa[p + 1] = xa[p]
            xb[p + 1] = xb[p]
            p -= 1
        order[p + 1] = e
        xa[p + 1] = a
        xb[p + 1] = b


@maker
def _crossings(ya, yb, n, xa, xb):
    """Return the heights within a slab at which edges cross, sorted, between its own ends."""
    count = 0
    for k in range(n):
        for m in range(k + 1, n):
            if (xa[k] - xa[m]) * (xb[k] - xb[m]) < 0.0:
                count += 1
    found = np.empty(count + 2)
    found[0] = ya
    found[1] = yb
    count = 2
    for k in range(n):
        for m in range(k + 1, n):
            below = xa[k] - xa[m]
            above = xb[k] - xb[m]
            if below * above < 0.0:
                found[count] = ya + (yb - ya) * below / (below - above)
                count += 1
    return np.sort(found)


@maker
def _sweep(edges, n_edges, order, xs, sums, pieces, count):
    """Sweep edges from below; return how many pieces there are now. `xs` (2, n) and `order` (n) are work space."""
    heights = np.empty(2 * n_edges)
    for e in range(n_edges):
        heights[2 * e] = edges[e, 1]
        heights[2 * e + 1] = edges[e, 3]
    heights = np.sort(heights)
    begun = np.argsort(edges[:n_edges, 1])
    xa = xs[0]
    xb = xs[1]
    waiting = 0
    n = 0
    for h in range(heights.size - 1):
        ya = heights[h]
        yb = heights[h + 1]
        if yb <= ya:
            continue
        kept = 0
        for k in range(n):
            if edges[order[k], 3] > ya:
                order[kept] = order[k]
                kept += 1
        n = kept
        while waiting < n_edges and edges[begun[waiting], 1] <= ya:
            order[n] = begun[waiting]
            n += 1
            waiting += 1
        for k in range(n):
            xa[k] = _x_at(edges, order[k], ya)
            xb[k] = _x_at(edges, order[k], yb)
        _sort(n, order, xa, xb)
        crossed = False
        for k in range(n - 1):
            crossed |= xa[k] > xa[k + 1] + _TOUCH_MM or xb[k] > xb[k + 1] + _TOUCH_MM
        if not crossed:
            count = _add_slab((ya, yb), n, order, xa, xb, edges, sums, pieces, count)
            continue
        inner = _crossings(ya, yb, n, xa, xb)
        for c in range(inner.size - 1):
            if inner[c + 1] <= inner[c]:
                continue
            for k in range(n):
                xa[k] = _x_at(edges, order[k], inner[c])
                xb[k] = _x_at(edges, order[k], inner[c + 1])
            _sort(n, order, xa, xb)
            count = _add_slab((inner[c], inner[c + 1]), n, order, xa, xb, edges, sums, pieces, count)
    return count


@making_kernel
def areas_at(heights, one, two, out):
    """Write areas and first moments of the sections of two solids at each height, and the area that they share.

    Parameters
    ----------
    one, two
        Strips of either: points below and above (m, 2), where strips start (s + 1), and heights between which each runs
        (s, 2), its own lower one included and its upper one not. Strips are closed: the last pair is the first again.
    out : (heights, 7)
        Area, moments in x and y of the first; the same of the second; the area of both together.
    """
    room = max(1, one[0].shape[0] + two[0].shape[0])
    edges = np.empty((room, 6))
    order = np.empty(room, np.int64)
    xs = np.empty((2, room))
    none = np.empty((0, 0))
    for h in range(heights.size):
        count = _gather(one, 0, one[3].shape[0], heights[h], 0.0, edges, 0)
        count = _gather(two, 0, two[3].shape[0], heights[h], 1.0, edges, count)
        out[h] = 0.0
        _sweep(edges, count, order, xs, out[h], none, 0)


@kernel
def holds_points(points, strips, inside):
    """Write which points (n, 3), as (u, v, w), lie inside a solid of strips as `areas_at` has them: by winding."""
    lower, upper, start, spans = strips
    for p in range(points.shape[0]):
        x, y, at = points[p]
        winding = 0
        for s in range(spans.shape[0]):
            low = spans[s, 0]
            if not low <= at < spans[s, 1]:
                continue
            share = (at - low) / (spans[s, 1] - low)
            k = start[s]
            ax = lower[k, 0] + share * (upper[k, 0] - lower[k, 0])
            ay = lower[k, 1] + share * (upper[k, 1] - lower[k, 1])
            for k in range(start[s] + 1, start[s + 1]):
                bx = lower[k, 0] + share * (upper[k, 0] - lower[k, 0])
                by = lower[k, 1] + share * (upper[k, 1] - lower[k, 1])
                if (ay <= y) != (by <= y):
                    side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
                    if ay <= y and side > 0.0:
                        winding += 1
                    elif by <= y and side < 0.0:
                        winding -= 1
                ax = bx
                ay = by
        inside[p] = winding > 0


@inlined
def _corner(out, count, corner, u, v, w, axes, origin):
    for axis in range(3):
        out[count, corner, axis] = u * axes[0, axis] + v * axes[1, axis] + w * axes[2, axis] + origin[axis]


@making_kernel
def level_triangles(strips, kind, layer, axes, origin, out):
    """Write what lies level half way up layers in which rings end or begin, as triangles turned outwards.

    Parameters
    ----------
    strips
        As `areas_at` has it, those of a layer one after the other.
    kind, layer : (s,)
        0 for what goes on, 1 for what ends and 2 for what begins half way; and the layer of each strip.
    out : (n, 3, 3)
        Triangles in patient coordinates. If it is too small, nothing more is written.

    Returns
    -------
    int
        How many triangles there are, or would be.
    """
    spans = strips[3]
    room = max(1, strips[0].shape[0])
    edges = np.empty((room, 6))
    order = np.empty(room, np.int64)
    xs = np.empty((2, room))
    sums = np.empty(7)
    pieces = np.empty((64, 7))
    made = 0
    s = 0
    while s < kind.size:
        stop = s
        loose = False
        while stop < kind.size and layer[stop] == layer[s]:
            loose |= kind[stop] > 0
            stop += 1
        if loose:
            count = 0
            w = 0.0
            for k in range(s, stop):
                if kind[k] > 0:
                    # Lower and upper points of it are the same: any height of its own will do.
                    group = 0.0 if kind[k] == 1 else 1.0
                    w = spans[k, 1] if kind[k] == 1 else spans[k, 0]
                    count = _gather(strips, k, k + 1, spans[k, 0], group, edges, count)
            found = _sweep(edges, count, order, xs, sums, pieces, 0)
            if found > pieces.shape[0]:
                pieces = np.empty((2 * found, 7))
                _sweep(edges, count, order, xs, sums, pieces, 0)
            for p in range(found):
                la, ra, lb, rb, ya, yb, turn = pieces[p]
                one = 1 if turn > 0.0 else 2
                two = 3 - one
                if ra > la:
                    if made < out.shape[0]:
                        _corner(out, made, 0, la, ya, w, axes, origin)
                        _corner(out, made, one, ra, ya, w, axes, origin)
                        _corner(out, made, two, rb, yb, w, axes, origin)
                    made += 1
                if rb > lb:
                    if made < out.shape[0]:
                        _corner(out, made, 0, la, ya, w, axes, origin)
                        _corner(out, made, one, rb, yb, w, axes, origin)
                        _corner(out, made, two, lb, yb, w, axes, origin)
                    made += 1
        s = stop
    return made
