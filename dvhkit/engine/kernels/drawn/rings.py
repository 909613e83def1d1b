"""Orient the rings of each plane by how deep they are nested, so that signed areas add up to the section."""

import numpy as np

from dvhkit.engine.kernels.compiled import helper, kernel


@helper
def _inside(points, begin, end, x, y):
    """Even-odd test of one point against one ring."""
    odd = False
    xa = points[end - 1, 0]
    ya = points[end - 1, 1]
    for p in range(begin, end):
        xb = points[p, 0]
        yb = points[p, 1]
        if (ya > y) != (yb > y) and x < xa + (y - ya) * (xb - xa) / (yb - ya):
            odd = not odd
        xa = xb
        ya = yb
    return odd


@helper
def _mostly_inside(points, ring_start, inner, outer):
    """Whether most of seven points spread along ring `inner` lie in ring `outer`."""
    begin = ring_start[inner]
    n = ring_start[inner + 1] - begin
    hits = 0
    for s in range(7):
        p = begin + (s * n) // 7
        hits += _inside(points, ring_start[outer], ring_start[outer + 1], points[p, 0], points[p, 1])
    return hits >= 4


@kernel
def orient(points, ring_start, plane_ring, drop_twins, depth, area, box):
    """Turn rings in place: even nesting depth anticlockwise, odd clockwise.

    Outputs, one a ring: `depth` (number of rings around it; -1 for the second of two equal rings where
    ``drop_twins[plane]``), `area` (unsigned), `box` (4: x and y least, x and y greatest).
    """
    for ring in range(ring_start.size - 1):
        begin = ring_start[ring]
        end = ring_start[ring + 1]
        box[ring, 0] = np.inf
        box[ring, 1] = np.inf
        box[ring, 2] = -np.inf
        box[ring, 3] = -np.inf
        twice = 0.0
        rx = points[begin, 0]
        ry = points[begin, 1]
        xa = points[end - 1, 0] - rx
        ya = points[end - 1, 1] - ry
        for p in range(begin, end):
            xb = points[p, 0] - rx
            yb = points[p, 1] - ry
            twice += xa * yb - xb * ya
            xa = xb
            ya = yb
            box[ring, 0] = min(box[ring, 0], points[p, 0])
            box[ring, 1] = min(box[ring, 1], points[p, 1])
            box[ring, 2] = max(box[ring, 2], points[p, 0])
            box[ring, 3] = max(box[ring, 3], points[p, 1])
        area[ring] = 0.5 * twice
    for plane in range(plane_ring.size - 1):
        for ring in range(plane_ring[plane], plane_ring[plane + 1]):
            depth[ring] = 0
            for other in range(plane_ring[plane], plane_ring[plane + 1]):
                if other == ring:
                    continue
                if box[ring, 0] > box[other, 2] or box[ring, 2] < box[other, 0]:
                    continue
                if box[ring, 1] > box[other, 3] or box[ring, 3] < box[other, 1]:
                    continue
                same = abs(abs(area[ring]) - abs(area[other])) <= 1e-6 * abs(area[ring])
                for a in range(4):
                    same = same and abs(box[ring, a] - box[other, a]) <= 1e-3
                if same:
                    if drop_twins[plane] and other < ring:
                        depth[ring] = -1
                        break
                elif abs(area[other]) > abs(area[ring]) and _mostly_inside(points, ring_start, ring, other):
                    depth[ring] += 1
    for ring in range(ring_start.size - 1):
        positive = depth[ring] % 2 == 0
        if (area[ring] > 0.0) != positive:
            lo = ring_start[ring]
            hi = ring_start[ring + 1] - 1
            while lo < hi:
                for a in range(2):
                    swap = points[lo, a]
                    points[lo, a] = points[hi, a]
                    points[hi, a] = swap
                lo += 1
                hi -= 1
        area[ring] = abs(area[ring])
