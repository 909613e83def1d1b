"""A level function for each section that varies smoothly from slice to slice.

The signed distance d to a contour (negative inside) is turned into d (d + 2 r), where r is the distance from the
contour's centroid to the tangent at the nearest point. For circles that is |x - c|^2 - r^2: quadratic in z for spheres,
cones and oblique cylinders alike, which a polynomial in z then reproduces exactly. Holes count as solids of their own.
"""

from math import ceil, floor, sqrt

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _offer(edges, edge, hu, hv, row, column, nearest, distance2, waiting, queue, tail):
    """Offer a node an edge; a node that takes it joins the queue. Return the queue's new end."""
    found = _distance2(edges, edge, column * hu, row * hv)
    if found < distance2[row, column]:
        distance2[row, column] = found
        nearest[row, column] = edge
        if not waiting[row, column]:
            waiting[row, column] = True
            queue[tail] = row * nearest.shape[1] + column
            tail = tail + 1 if tail + 1 < queue.size else 0
    return tail


@njit(cache=True, nogil=True)
def _spread(points, following, edges, begin, end, hu, hv, band2, nearest, distance2, waiting, queue):
    """Give every node within the band its nearest edge: from the nodes around each edge outwards."""
    n_rows, n_columns = nearest.shape
    head = 0
    tail = 0
    for edge in range(begin, end):
        ax = points[edge, 0]
        ay = points[edge, 1]
        dx = points[following[edge], 0] - ax
        dy = points[following[edge], 1] - ay
        n = max(1, ceil(max(abs(dx), abs(dy))))
        for s in range(n + 1):
            column = floor(ax + dx * s / n)
            row = floor(ay + dy * s / n)
            for r in range(max(0, row), min(n_rows, row + 2)):
                for c in range(max(0, column), min(n_columns, column + 2)):
                    if nearest[r, c] != edge:
                        tail = _offer(edges, edge, hu, hv, r, c, nearest, distance2, waiting, queue, tail)
    while head != tail:
        index = queue[head]
        head = head + 1 if head + 1 < queue.size else 0
        row = index // n_columns
        column = index - row * n_columns
        waiting[row, column] = False
        if distance2[row, column] >= band2:
            continue
        edge = nearest[row, column]
        if row > 0 and nearest[row - 1, column] != edge:
            tail = _offer(edges, edge, hu, hv, row - 1, column, nearest, distance2, waiting, queue, tail)
        if row + 1 < n_rows and nearest[row + 1, column] != edge:
            tail = _offer(edges, edge, hu, hv, row + 1, column, nearest, distance2, waiting, queue, tail)
        if column > 0 and nearest[row, column - 1] != edge:
            tail = _offer(edges, edge, hu, hv, row, column - 1, nearest, distance2, waiting, queue, tail)
        if column + 1 < n_columns and nearest[row, column + 1] != edge:
            tail = _offer(edges, edge, hu, hv, row, column + 1, nearest, distance2, waiting, queue, tail)


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _reach(edges, edge, cx, cy, size, half_thickness, is_hole):
    """Distance in mm from a ring's centroid to the line of an edge, within bounds that the ring's own size sets.

    `size`: radius of the circle of the ring's area. `half_thickness`: see kernel `ring_shapes`.
    """
    dx = edges[edge, 2]
    dy = edges[edge, 3]
    length = sqrt(dx * dx + dy * dy)
    reach = 0.0
    if length > 0.0:
        # Outer rings run anticlockwise, holes clockwise: away from the centroid is right of an outer edge.
        reach = ((edges[edge, 0] - cx) * dy - (edges[edge, 1] - cy) * dx) / length
        if is_hole:
            reach = -reach
    # A concave stretch may face its centroid; a small radius of its own keeps its level in order. And far from the
    # centroid of a long, thin ring a small shift must not count as much as its whole thickness.
    return max(min(reach, 2.5 * half_thickness), 0.1 * size)


@njit(cache=True, nogil=True)
def _before(edge, ring_start, point_ring):
    own = point_ring[edge]
    return ring_start[own + 1] - 1 if edge == ring_start[own] else edge - 1


@njit(cache=True, nogil=True)
def plane_levels(
    points,
    following,
    ring_start,
    point_ring,
    plane_ring,
    plane_lo,
    plane_hi,
    hu,
    hv,
    band,
    ring_x,
    ring_y,
    ring_size,
    ring_thick,
    ring_hole,
    edges,
    nearest,
    distance2,
    winding,
    waiting,
    queue,
    level,
    radius,
    ring,
):
    """Write the level function of planes ``plane_lo:plane_hi`` at the nodes of the lattice.

    Parameters
    ----------
    points
        Ring points in cell units; `following` the next point of the same ring, `point_ring` the ring of each.
    hu, hv
        Size of a cell in mm.
    band
        Distance in mm beyond which distances are not told apart.
    ring_x, ring_y, ring_size, ring_thick, ring_hole
        Centroid in mm, radius of the circle of equal area and half-thickness in mm, and whether the ring is a hole.
    edges, nearest, distance2, winding, waiting, queue
        Scratch: (points, 6), four times (node rows, node columns) with `waiting` all false, and one more than nodes.
    level, radius, ring
        Output (planes, node rows, node columns): the level in mm2, the distance r that it was made with (negative for
        holes), and the nearest ring.
    """
    n_rows, n_columns = nearest.shape
    for plane in range(plane_lo, plane_hi):
        slot = plane - plane_lo
        begin = ring_start[plane_ring[plane]]
        end = ring_start[plane_ring[plane + 1]]
        nearest[:] = -1
        distance2[:] = np.inf
        winding[:] = 0
        _measure(points, following, begin, end, hu, hv, edges)
        _spread(points, following, edges, begin, end, hu, hv, band * band, nearest, distance2, waiting, queue)
        _windings(points, following, begin, end, winding)
        for own in range(plane_ring[plane], plane_ring[plane + 1]):
            for edge in range(ring_start[own], ring_start[own + 1]):
                edges[edge, 5] = _reach(
                    edges, edge, ring_x[own], ring_y[own], ring_size[own], ring_thick[own], ring_hole[own]
                )
        for row in range(n_rows):
            seen = -1
            for column in range(n_columns):
                edge = nearest[row, column]
                inside = winding[row, column] > 0
                if edge < 0:
                    # Deep inside, the ring met last on the way in stands for the nearest.
                    ring[slot, row, column] = seen if inside else -1
                    level[slot, row, column] = -band * band if inside else band * band
                    radius[slot, row, column] = band
                    continue
                # Neighbours handed on their own nearest edge: walk on along the ring to the node's.
                x = column * hu
                y = row * hv
                least = distance2[row, column]
                after = _distance2(edges, following[edge], x, y)
                while after < least:
                    least = after
                    edge = following[edge]
                    after = _distance2(edges, following[edge], x, y)
                before = _distance2(edges, _before(edge, ring_start, point_ring), x, y)
                if before < least:
                    while before < least:
                        least = before
                        edge = _before(edge, ring_start, point_ring)
                        before = _distance2(edges, _before(edge, ring_start, point_ring), x, y)
                    after = _distance2(edges, following[edge], x, y)
                d = min(band, sqrt(least))
                if inside:
                    d = -d
                own = point_ring[edge]
                seen = own
                ring[slot, row, column] = own
                r = edges[edge, 5]
                # At a corner the nearest point belongs to two edges, and repeated points make edges of no length.
                if after <= least * (1.0 + 1e-9):
                    r = max(r, edges[following[edge], 5])
                if before <= least * (1.0 + 1e-9):
                    r = max(r, edges[_before(edge, ring_start, point_ring), 5])
                if ring_hole[own]:
                    level[slot, row, column] = r * r if d > r else d * (2.0 * r - d)
                    radius[slot, row, column] = -r
                else:
                    level[slot, row, column] = -r * r if d < -r else d * (d + 2.0 * r)
                    radius[slot, row, column] = r
