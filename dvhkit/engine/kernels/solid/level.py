"""A level function for each section that varies smoothly from slice to slice.

The signed distance d to a contour (negative inside) is turned into d (d + 2 r), where r is the distance from the
contour's centroid to the tangent at the nearest point. For circles that is |x - c|^2 - r^2: quadratic in z for spheres,
cones and oblique cylinders alike, which a polynomial in z then reproduces exactly. Holes come as solids of their own.
"""

from math import ceil, floor, sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, inlined, making_kernel


@helper
def _measure(points, following, begin, end, hu, hv, edges):
    """Write start, direction and inverse squared length of each edge, in mm."""
    for edge in range(begin, end):
        edges[edge, 0] = points[edge, 0] * hu
        edges[edge, 1] = points[edge, 1] * hv
        dx = (points[following[edge], 0] - points[edge, 0]) * hu
        dy = (points[following[edge], 1] - points[edge, 1]) * hv
        length2 = dx * dx + dy * dy
        edges[edge, 2] = dx
        edges[edge, 3] = dy
        edges[edge, 4] = 1.0 / length2 if length2 > 0.0 else 0.0


@inlined
def _distance2(edges, edge, x, y):
    """Squared distance in mm2 from (x, y) mm to an edge."""
    px = x - edges[edge, 0]
    py = y - edges[edge, 1]
    dx = edges[edge, 2]
    dy = edges[edge, 3]
    t = min(1.0, max(0.0, (px * dx + py * dy) * edges[edge, 4]))
    ex = px - t * dx
    ey = py - t * dy
    return ex * ex + ey * ey


@inlined
def _offer(edges, edge, xs, row_y, row, first, last, nearest, distance2):
    """Offer the nodes ``first..last`` of a row an edge; those that lie nearer to it than to their own take it."""
    py = row_y - edges[edge, 1]
    ax = edges[edge, 0]
    dx = edges[edge, 2]
    dy = edges[edge, 3]
    along = py * dy
    inverse = edges[edge, 4]
    # No branch inside, and indices that cannot be negative: the compiler then takes several nodes at once.
    at_row = np.uintp(row)
    for column in range(first, last + 1):
        at = np.uintp(column)
        px = xs[at] - ax
        t = (px * dx + along) * inverse
        t = 0.0 if t < 0.0 else t
        t = 1.0 if t > 1.0 else t
        ex = px - t * dx
        ey = py - t * dy
        found = ex * ex + ey * ey
        known = distance2[at_row, at]
        is_nearer = found < known
        distance2[at_row, at] = found if is_nearer else known
        nearest[at_row, at] = edge if is_nearer else nearest[at_row, at]


@helper
def _nearest_edges(edges, begin, end, hu, hv, band, xs, nearest, distance2):
    """Give every node within the band its nearest edge: each edge calls on the nodes of the box around it.

    Long edges call piece by piece, so that the boxes of slanting ones stay small.
    """
    n_rows, n_columns = nearest.shape
    for edge in range(begin, end):
        dx = edges[edge, 2]
        dy = edges[edge, 3]
        n = max(1, ceil(max(abs(dx), abs(dy)) / (2.0 * band)))
        for s in range(n):
            xa = edges[edge, 0] + dx * s / n
            ya = edges[edge, 1] + dy * s / n
            xb = xa + dx / n
            yb = ya + dy / n
            first = max(0, ceil((min(xa, xb) - band) / hu))
            last = min(n_columns - 1, floor((max(xa, xb) + band) / hu))
            for row in range(
                max(0, ceil((min(ya, yb) - band) / hv)), min(n_rows - 1, floor((max(ya, yb) + band) / hv)) + 1
            ):
                _offer(edges, edge, xs, row * hv, row, first, last, nearest, distance2)


@helper
def _windings(points, following, begin, end, winding):
    """Write how often the rings wind round each node, clockwise ones counted negative."""
    n_rows, n_columns = winding.shape
    for edge in range(begin, end):
        x0 = points[edge, 0]
        y0 = points[edge, 1]
        x1 = points[following[edge], 0]
        y1 = points[following[edge], 1]
        if y0 == y1:
            continue
        sign = -1
        if y1 < y0:
            x0, y0, x1, y1 = x1, y1, x0, y0
            sign = 1
        for row in range(max(0, ceil(y0)), min(n_rows - 1, ceil(y1) - 1) + 1):
            column = ceil(x0 + (row - y0) * (x1 - x0) / (y1 - y0))
            if column < n_columns:
                winding[row, max(0, column)] += sign
    for row in range(n_rows):
        total = 0
        for column in range(n_columns):
            total += winding[row, column]
            winding[row, column] = total


@helper
def _reach(edges, edge, cx, cy, size, half_thickness, wall):
    """Distance in mm from a ring's centroid to the line of an edge, within bounds that the ring's own size sets.

    `size`: radius of the circle of the ring's area. `half_thickness`: see kernel `ring_shapes`. `wall`: where it is
    not 0, that is returned: the half-thickness of a wall that is round across itself, negative for the ring inside it.
    """
    if wall != 0.0:
        return wall
    dx = edges[edge, 2]
    dy = edges[edge, 3]
    length = sqrt(dx * dx + dy * dy)
    # Rings run anticlockwise: away from the centroid is right of an edge.
    reach = ((edges[edge, 0] - cx) * dy - (edges[edge, 1] - cy) * dx) / length if length > 0.0 else 0.0
    # A concave stretch may face its centroid; a small radius of its own keeps its level in order. And far from the
    # centroid of a long, thin ring a small shift must not count as much as its whole thickness.
    return max(min(reach, 2.5 * half_thickness), 0.1 * size)


@helper
def _before(edge, ring_start, point_ring):
    own = point_ring[edge]
    return ring_start[own + 1] - 1 if edge == ring_start[own] else edge - 1


@helper
def _write_row(outlines, ring_base, hv, row, xs, limits, scratch, out):
    """Turn a row's nearest edges into levels.

    `limits`: see `band`, `deep` and `sure` below; all else as `plane_levels` has it, `out` of one plane.
    """
    _, following, ring_start, point_ring, _ = outlines
    band, deep, sure = limits
    edges, nearest, distance2, winding = scratch
    level, radius, ring, sign = out
    seen = -1
    for column in range(xs.size):
        edge = nearest[row, column]
        inside = winding[row, column] > 0
        if edge < 0:
            # Deep inside, the ring met last on the way in stands for the nearest.
            ring[row, column] = seen if inside else -1
            level[row, column] = -deep * deep if inside else deep * deep
            radius[row, column] = deep
            sign[row, column] = 1 if inside else -1
            continue
        least = distance2[row, column]
        d = min(band, sqrt(least))
        own = ring_base + point_ring[edge]
        seen = own
        ring[row, column] = own
        # At a corner the nearest point belongs to two edges, and repeated points make edges of no length.
        r = edges[edge, 5]
        is_hollow = r < 0.0
        after = following[edge]
        before = _before(edge, ring_start, point_ring)
        if _distance2(edges, after, xs[column], row * hv) <= least * (1.0 + 1e-9):
            r = max(r, edges[after, 5])
        if _distance2(edges, before, xs[column], row * hv) <= least * (1.0 + 1e-9):
            r = max(r, edges[before, 5])
        if is_hollow:
            # Of what a wall encloses that is round across itself: that of the wall, turned round.
            r = edges[edge, 5]
            value = -d * (d - 2.0 * r) if inside else min(-d * (d + 2.0 * r) if d < -r else r * r, r * r)
            value = min(value, -1e-12) if inside else value
        elif inside:
            value = -r * r if d > r else d * (d - 2.0 * r)
        else:
            value = d * (d + 2.0 * r)
        level[row, column] = value
        radius[row, column] = r
        sign[row, column] = (value < -sure) - (value > sure)


@making_kernel
def plane_levels(outlines, shapes, ring_base, plane_lo, plane_hi, step, bands, scratch, out):
    """Write the level function of planes ``plane_lo:plane_hi`` at the nodes of the lattice.

    Parameters
    ----------
    outlines
        Ring points in cell units, the next point of the same ring, where rings begin, the ring of each point, and where
        planes begin among rings.
    shapes
        Of rings: centroid (two) in mm, radius of the circle of equal area, half-thickness, and that of a wall round
        across itself.
    ring_base
        Number under which the first ring is written.
    step
        Size of a cell in mm (two).
    bands
        Distance in mm around each plane's contours beyond which distances are not told apart, and the level in mm2 of
        each plane beyond which the next planes see no other sign.
    scratch
        Of edges, (points, 6); and three times (node rows, node columns): nearest edge, squared distance, winding.
    out
        Four times (slots, node rows, node columns), plane n in slot n modulo their number: the level in mm2, the
        distance r that it was made with, the nearest ring (-1 for none), and 1 where the level stays negative up to the
        next planes, -1 where positive, 0 where that is open.
    """
    points, following, ring_start, _, plane_ring = outlines
    ring_x, ring_y, ring_size, ring_thick, ring_wall = shapes
    hu, hv = step
    band, sure = bands
    edges, nearest, distance2, winding = scratch
    level, radius, ring, sign = out
    slots, n_rows, n_columns = level.shape
    xs = np.arange(n_columns) * hu
    deep = band[0]
    for plane in range(band.size):
        deep = max(deep, band[plane])
    for plane in range(plane_lo, plane_hi):
        slot = plane % slots
        begin = ring_start[plane_ring[plane]]
        end = ring_start[plane_ring[plane + 1]]
        nearest[:] = -1
        distance2[:] = np.inf
        winding[:] = 0
        _measure(points, following, begin, end, hu, hv, edges)
        _nearest_edges(edges, begin, end, hu, hv, band[plane], xs, nearest, distance2)
        _windings(points, following, begin, end, winding)
        for own in range(plane_ring[plane], plane_ring[plane + 1]):
            for edge in range(ring_start[own], ring_start[own + 1]):
                edges[edge, 5] = _reach(
                    edges, edge, ring_x[own], ring_y[own], ring_size[own], ring_thick[own], ring_wall[own]
                )
        limits = (band[plane], deep, sure[plane])
        own_out = (level[slot], radius[slot], ring[slot], sign[slot])
        for row in range(n_rows):
            _write_row(outlines, ring_base, hv, row, xs, limits, scratch, own_out)
