"""Which ring goes on as which in the next plane, and how far beyond its last plane a ring's solid reaches.

Rings arrive oriented: outer rings anticlockwise, holes clockwise. Lengths in mm.
"""

from math import pi, sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, kernel, making_kernel


@making_kernel
def ring_shapes(points, ring_start, plane_ring, x, y, size, is_hole, rho2, full_rho2):
    """Write centroid, radius of the circle of equal area, whether a ring is a hole, and its squared half-thickness.

    The half-thickness is that of the rectangle with the ring's area and perimeter (for compact shapes, half the side
    of the square of its area); an outer ring is taken together with the holes inside it, so that a wall counts as thin.
    Its square falls along z as a quadratic for ellipsoids, lying cylinders and tori alike. `full_rho2` leaves the holes
    out of account.
    """
    n_rings = ring_start.size - 1
    area = np.empty(n_rings)
    length = np.empty(n_rings)
    for ring in range(n_rings):
        begin = ring_start[ring]
        end = ring_start[ring + 1]
        ox = points[begin, 0]
        oy = points[begin, 1]
        twice = 0.0
        mx = 0.0
        my = 0.0
        around = 0.0
        xa = points[end - 1, 0] - ox
        ya = points[end - 1, 1] - oy
        for p in range(begin, end):
            xb = points[p, 0] - ox
            yb = points[p, 1] - oy
            cross = xa * yb - xb * ya
            twice += cross
            mx += (xa + xb) * cross
            my += (ya + yb) * cross
            around += sqrt((xb - xa) ** 2 + (yb - ya) ** 2)
            xa = xb
            ya = yb
        x[ring] = ox + (mx / (3.0 * twice) if twice != 0.0 else 0.0)
        y[ring] = oy + (my / (3.0 * twice) if twice != 0.0 else 0.0)
        area[ring] = abs(0.5 * twice)
        length[ring] = around
        size[ring] = sqrt(area[ring] / pi)
        is_hole[ring] = twice < 0.0
    for plane in range(plane_ring.size - 1):
        for ring in range(plane_ring[plane], plane_ring[plane + 1]):
            own_area = area[ring]
            own_length = length[ring]
            if not is_hole[ring]:
                for hole in range(plane_ring[plane], plane_ring[plane + 1]):
                    if is_hole[hole] and area[hole] < area[ring] and _covers(points, ring_start, ring, hole):
                        own_area -= area[hole]
                        own_length += length[hole]
            rho2[ring] = _half_thickness2(own_area, own_length)
            full_rho2[ring] = _half_thickness2(area[ring], length[ring])


@helper
def _half_thickness2(area, length):
    """Squared half-thickness of the rectangle with this area and perimeter; of the square of its area if compact."""
    half = 0.5 * length
    root = half * half - 4.0 * area
    if length * length > 16.0 * area and root > 0.0:
        return (0.25 * (half - sqrt(root))) ** 2
    return 0.25 * max(area, 0.0)


@helper
def _inside(points, begin, end, x, y):
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
def _covers(points, ring_start, outer, inner):
    """Whether any of up to 24 points of ring `inner` lies in ring `outer`."""
    begin = ring_start[inner]
    n = ring_start[inner + 1] - begin
    for s in range(min(n, 24)):
        p = begin + (s * n) // min(n, 24)
        if _inside(points, ring_start[outer], ring_start[outer + 1], points[p, 0], points[p, 1]):
            return True
    return False


@kernel
def link(points, ring_start, plane_ring, run_of_plane, is_hole, above, below):
    """Write for each ring the one ring of its kind that it overlaps in the next plane of its run, up and down.

    -1: there is none, the ring ends here. -2: there are several, or the partner has several.
    """
    above[:] = -1
    below[:] = -1
    for plane in range(plane_ring.size - 2):
        if run_of_plane[plane] != run_of_plane[plane + 1]:
            continue
        alone = plane_ring[plane + 1] - plane_ring[plane] == 1 and plane_ring[plane + 2] - plane_ring[plane + 1] == 1
        for ring in range(plane_ring[plane], plane_ring[plane + 1]):
            for other in range(plane_ring[plane + 1], plane_ring[plane + 2]):
                if is_hole[ring] != is_hole[other] or not _boxes_meet(points, ring_start, ring, other):
                    continue
                if alone or _covers(points, ring_start, ring, other) or _covers(points, ring_start, other, ring):
                    above[ring] = other if above[ring] == -1 else -2
                    below[other] = ring if below[other] == -1 else -2
    for ring in range(above.size):
        if above[ring] >= 0 and below[above[ring]] == -2:
            above[ring] = -2
        if below[ring] >= 0 and above[below[ring]] == -2:
            below[ring] = -2


@helper
def _boxes_meet(points, ring_start, a, b):
    for axis in range(2):
        a_lo = np.inf
        a_hi = -np.inf
        b_lo = np.inf
        b_hi = -np.inf
        for p in range(ring_start[a], ring_start[a + 1]):
            a_lo = min(a_lo, points[p, axis])
            a_hi = max(a_hi, points[p, axis])
        for p in range(ring_start[b], ring_start[b + 1]):
            b_lo = min(b_lo, points[p, axis])
            b_hi = max(b_hi, points[p, axis])
        if a_hi < b_lo or b_hi < a_lo:
            return False
    return True


@helper
def _root(rho2, slope, half_curvature):
    """Smallest positive t with rho2 + slope t + half_curvature t^2 = 0; a near miss counts as touching."""
    if half_curvature == 0.0:
        return -rho2 / slope if slope < 0.0 else np.inf
    under = slope * slope - 4.0 * half_curvature * rho2
    if under < 0.0:
        lowest = -0.5 * slope / half_curvature
        # The tip of a cone touches zero without crossing it; rounding may leave it just above.
        if lowest > 0.0 and rho2 + 0.5 * slope * lowest <= 0.04 * rho2:
            return lowest
        return np.inf
    q = sqrt(under)
    a = (-slope - q) / (2.0 * half_curvature)
    b = (-slope + q) / (2.0 * half_curvature)
    low = min(a, b)
    high = max(a, b)
    if low > 0.0:
        return low
    return high if high > 0.0 else np.inf


@kernel
def reach(rho2, offsets, ring_plane, onward, back, gap, height, order):
    """Write how far each ring's solid goes on beyond its plane where it ends, on the side of `onward`.

    Parameters
    ----------
    onward, back
        `above` and `below` of kernel `link`, or the other way round for the lower side.
    gap
        Distance from each ring's plane to where the next plane is, or would be.
    height
        Output: 0 where the ring goes on.
    order
        Output: what the solid beyond follows: 0 nothing known, upright walls; 1 the slope of the last two planes;
        2 the slope of the last two and the curvature of a sphere; 3 the parabola through the last three, towards a
        tip; 4 the same parabola, cut off flat. Only 2 and 3 end in a tip.
    """
    for ring in range(rho2.size):
        height[ring] = 0.0
        order[ring] = 0
        if onward[ring] != -1:
            continue
        half = 0.5 * gap[ring]
        height[ring] = half
        first = back[ring]
        if first < 0:
            continue
        g1 = abs(offsets[ring_plane[ring]] - offsets[ring_plane[first]])
        f1 = (rho2[ring] - rho2[first]) / g1
        second = back[first]
        if second < 0:
            # Two planes only: assume the curvature of a sphere.
            half_curvature = -0.25 * pi
            order[ring] = 2
        else:
            g2 = abs(offsets[ring_plane[first]] - offsets[ring_plane[second]])
            f2 = (rho2[first] - rho2[second]) / g2
            half_curvature = (f1 - f2) / (g1 + g2)
            order[ring] = 3
        end = _root(rho2[ring], f1 + half_curvature * g1, half_curvature)
        if end <= gap[ring]:
            height[ring] = end
        elif end < 2.0 * gap[ring]:
            # The next plane would still have shown it: the less likely, the nearer to a flat end.
            height[ring] = gap[ring] - 0.5 * (end - gap[ring])
        else:
            order[ring] = 1 if second < 0 else 4
