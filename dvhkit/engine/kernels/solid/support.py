"""Convex sections between two planes, by the support of each direction; and polygons as what half planes share.

A convex outline is told by how far it reaches in each direction. The squares of these reaches, counted from a middle
that moves straight from plane to plane, go quadratically with the height in ellipsoids, cylinders, cones and boxes,
however they are tilted.
"""

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, kernel, making_kernel

_SAME = 1e-9


@making_kernel
def edge_normals(ring, normals, angles):
    """Write the outward normals of an anticlockwise convex ring's edges, and their angles, from -pi to pi; the number.

    Edges shorter than a nanometre or turning back are passed over.
    """
    n = ring.shape[0]
    count = 0
    for p in range(n):
        q = p + 1 if p + 1 < n else 0
        ex = ring[q, 0] - ring[p, 0]
        ey = ring[q, 1] - ring[p, 1]
        length = sqrt(ex * ex + ey * ey)
        if length <= _SAME:
            continue
        normals[count, 0] = ey / length
        normals[count, 1] = -ex / length
        count += 1
    for p in range(count):
        angles[p] = np.arctan2(normals[p, 1], normals[p, 0])
    first = np.argmin(angles[:count])
    if first > 0:
        normals[:count] = np.concatenate((normals[first:count], normals[:first]))
        angles[:count] = np.concatenate((angles[first:count], angles[:first]))
    return count


@kernel
def is_convex(ring):
    """Return whether an anticlockwise ring that does not cross itself turns to its left at every corner."""
    n = ring.shape[0]
    ax = ring[n - 1, 0] - ring[n - 2, 0]
    ay = ring[n - 1, 1] - ring[n - 2, 1]
    for p in range(n):
        bx = ring[p, 0] - ring[p - 1, 0]
        by = ring[p, 1] - ring[p - 1, 1]
        if ax * by - ay * bx < -_SAME * (abs(ax) + abs(ay)) * (abs(bx) + abs(by)):
            return False
        ax = bx
        ay = by
    return True


@kernel
def merge_normals(normals_a, angles_a, normals_b, angles_b, normals):
    """Write the normals of two outlines in the order of their angles, each once; return how many."""
    i = 0
    j = 0
    count = 0
    last = -10.0
    while i < angles_a.size or j < angles_b.size:
        if j >= angles_b.size or (i < angles_a.size and angles_a[i] <= angles_b[j]):
            angle = angles_a[i]
            x = normals_a[i, 0]
            y = normals_a[i, 1]
            i += 1
        else:
            angle = angles_b[j]
            x = normals_b[j, 0]
            y = normals_b[j, 1]
            j += 1
        if angle - last <= _SAME:
            continue
        normals[count, 0] = x
        normals[count, 1] = y
        last = angle
        count += 1
    return count


@kernel
def reaches(ring, middle, normals, out):
    """Write how far an anticlockwise convex ring reaches from a middle along each normal, in rising order of angle."""
    n = ring.shape[0]
    best = 0
    for p in range(1, n):
        if ring[p, 0] * normals[0, 0] + ring[p, 1] * normals[0, 1] > (
            ring[best, 0] * normals[0, 0] + ring[best, 1] * normals[0, 1]
        ):
            best = p
    for k in range(normals.shape[0]):
        x = normals[k, 0]
        y = normals[k, 1]
        here = ring[best, 0] * x + ring[best, 1] * y
        for _ in range(n):
            q = best + 1 if best + 1 < n else 0
            there = ring[q, 0] * x + ring[q, 1] * y
            if there < here:
                break
            best = q
            if there == here:
                continue
            here = there
        out[k] = here - middle[0] * x - middle[1] * y


@helper
def _half_curvature(before, a, b, after, gaps, most, has_before, has_after):
    """Return half the second derivative along w between `a` and `b` from the values on up to four planes."""
    slope = (b - a) / gaps[1]
    lower = 0.0
    upper = 0.0
    if has_before:
        lower = (slope - (a - before) / gaps[0]) / (gaps[0] + gaps[1])
    if has_after:
        upper = ((after - b) / gaps[2] - slope) / (gaps[1] + gaps[2])
    if not has_before and not has_after:
        return -1.0
    if not has_after:
        return min(most, max(-most, lower))
    if not has_before:
        return min(most, max(-most, upper))
    if lower * upper <= 0.0:
        return 0.0
    # Their mean, but no more than twice the smaller one: a step two planes away must not bulge here.
    mean = 0.5 * (lower + upper)
    return min(mean, 2.0 * min(lower, upper)) if lower > 0.0 else max(mean, 2.0 * max(lower, upper))


@helper
def _steps(place, gaps, k):
    """Return whether a face jumps between two planes, while it hardly moves in the stretches before and after."""
    jump = abs(place[2, k] - place[1, k])
    beside = abs(place[1, k] - place[0, k]) / gaps[0] + abs(place[3, k] - place[2, k]) / gaps[2]
    return jump > 2.0 * gaps[1] and beside < 0.1 * jump / gaps[1]


@kernel
def bend_between(reach, place, gaps, most, has_before, has_after, squares, curvature, stepped):
    """Write how the squared reaches run between two planes; return the sag of a straight line, and whether any steps.

    `reach` (4, n): on the planes before, at either end, and after, from a middle that moves straight; `place`: the
    same from a point that stands still. `gaps`: the three distances. `squares` (2, n), `curvature` (n): half the second
    derivative. `stepped`: where there is a face between the two planes that lies level.
    """
    sag = 0.0
    any_step = False
    for k in range(reach.shape[1]):
        a = reach[1, k]
        b = reach[2, k]
        stepped[k] = has_before and has_after and _steps(place, gaps, k)
        any_step |= stepped[k]
        squares[0, k] = a * abs(a)
        squares[1, k] = b * abs(b)
        # A middle that moves far leaves the outlines further on.
        known_before = has_before and reach[0, k] > 0.0
        known_after = has_after and reach[3, k] > 0.0
        if stepped[k] or (has_before != known_before) or (has_after != known_after):
            # Straight, as far as squares can be.
            curvature[k] = ((b - a) / gaps[1]) ** 2
            continue
        before = reach[0, k] ** 2
        after = reach[3, k] ** 2
        bend = _half_curvature(before, squares[0, k], squares[1, k], after, gaps, most, has_before, has_after)
        curvature[k] = bend
        middle = 0.5 * (squares[0, k] + squares[1, k]) - bend * 0.25 * gaps[1] * gaps[1]
        off = abs(sqrt(max(middle, 0.0)) - 0.5 * (a + b))
        # What counts is how far the surface lies off, and not how far it is to it within the plane.
        sag = max(sag, off * gaps[1] / sqrt(gaps[1] * gaps[1] + (b - a) ** 2))
    return sag, any_step


@helper
def _beyond(normals, offsets, k, x, y):
    """Whether a point lies outside a half plane, and not only by rounding."""
    return normals[k, 0] * x + normals[k, 1] * y > offsets[k] + _SAME


@helper
def _meet(normals, offsets, m, k, corner):
    """Write where the rims of two half planes meet, the second turned less than half round from the first."""
    cross = normals[m, 0] * normals[k, 1] - normals[m, 1] * normals[k, 0]
    if cross <= 1e-12:
        return False
    corner[0] = (offsets[m] * normals[k, 1] - offsets[k] * normals[m, 1]) / cross
    corner[1] = (offsets[k] * normals[m, 0] - offsets[m] * normals[k, 0]) / cross
    return True


@kernel
def shared_polygon(normals, offsets, order, corners):
    """Write the corners of the polygon that the half planes ``n . x <= offset`` share, anticlockwise; the number.

    `normals` (n, 2) in rising order of angle, each once, all round. `order`: work space for n numbers. `corners`
    (n + 1, 2). 0 if the half planes share no area.
    """
    head = 0
    tail = -1
    for k in range(normals.shape[0]):
        while tail > head and _beyond(normals, offsets, k, corners[tail, 0], corners[tail, 1]):
            tail -= 1
        while tail > head and _beyond(normals, offsets, k, corners[head + 1, 0], corners[head + 1, 1]):
            head += 1
        tail += 1
        order[tail] = k
        if tail > head and not _meet(normals, offsets, order[tail - 1], k, corners[tail]):
            return 0
    while tail - head >= 2 and _beyond(normals, offsets, order[head], corners[tail, 0], corners[tail, 1]):
        tail -= 1
    while tail - head >= 2 and _beyond(normals, offsets, order[tail], corners[head + 1, 0], corners[head + 1, 1]):
        head += 1
    if tail - head < 2 or not _meet(normals, offsets, order[tail], order[head], corners[tail + 1]):
        return 0
    count = tail - head + 1
    for p in range(count):
        corners[p, 0] = corners[head + 1 + p, 0]
        corners[p, 1] = corners[head + 1 + p, 1]
    return count
