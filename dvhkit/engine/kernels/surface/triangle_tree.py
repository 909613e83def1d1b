"""Compiled parts of measuring to a surface of triangles: a tree of boxes, nearest triangles, points spread evenly.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, inlined, kernel, making_kernel

# A triangle with less than this of the squared area of a right-angled one has no plane.
_FLAT_FRAC = 1e-12


@kernel
def pack(triangles, packed):
    """Write what distances to triangles (n, 3, 3) take, side by side for all of a leaf: several are found at once.

    `packed` (leaves, 17, triangles a leaf): a corner a, the ways ab and ac to the others, one over the squared lengths
    of ab, ac and bc, what solves for the foot on the plane, and ab . ac and ab . ab. The last triangle fills up.
    """
    for leaf in range(packed.shape[0]):
        for k in range(packed.shape[2]):
            t = min(leaf * packed.shape[2] + k, triangles.shape[0] - 1)
            ab2 = 0.0
            ac2 = 0.0
            bc2 = 0.0
            both = 0.0
            for axis in range(3):
                b = triangles[t, 1, axis] - triangles[t, 0, axis]
                c = triangles[t, 2, axis] - triangles[t, 0, axis]
                packed[leaf, axis, k] = triangles[t, 0, axis]
                packed[leaf, 3 + axis, k] = b
                packed[leaf, 6 + axis, k] = c
                ab2 += b * b
                ac2 += c * c
                bc2 += (c - b) * (c - b)
                both += b * c
            packed[leaf, 9, k] = 1.0 / ab2 if ab2 > 0.0 else 0.0
            packed[leaf, 10, k] = 1.0 / ac2 if ac2 > 0.0 else 0.0
            packed[leaf, 11, k] = 1.0 / bc2 if bc2 > 0.0 else 0.0
            square = ab2 * ac2 - both * both
            # Of a triangle without area the edges tell all.
            inverse = 1.0 / square if square > _FLAT_FRAC * ab2 * ac2 else 0.0
            packed[leaf, 12, k] = ac2 * inverse
            packed[leaf, 13, k] = ab2 * inverse
            packed[leaf, 14, k] = both * inverse
            packed[leaf, 15, k] = both
            packed[leaf, 16, k] = ab2


@helper
def _to_leaf(px, py, pz, packed, leaf, squares):
    """Return the least squared distance of a point from the triangles of a leaf; `squares`: room for one of each.

    The nearest point lies on one of the three edges, or is the foot on the plane if that lies within. No branches, so
    that the compiler takes several triangles at once.
    """
    for k in range(packed.shape[2]):
        bx = packed[leaf, 3, k]
        by = packed[leaf, 4, k]
        bz = packed[leaf, 5, k]
        cx = packed[leaf, 6, k]
        cy = packed[leaf, 7, k]
        cz = packed[leaf, 8, k]
        ax = px - packed[leaf, 0, k]
        ay = py - packed[leaf, 1, k]
        az = pz - packed[leaf, 2, k]
        on_b = bx * ax + by * ay + bz * az
        on_c = cx * ax + cy * ay + cz * az
        t = min(1.0, max(0.0, on_b * packed[leaf, 9, k]))
        x = ax - t * bx
        y = ay - t * by
        z = az - t * bz
        best = x * x + y * y + z * z
        t = min(1.0, max(0.0, on_c * packed[leaf, 10, k]))
        x = ax - t * cx
        y = ay - t * cy
        z = az - t * cz
        best = min(best, x * x + y * y + z * z)
        t = min(1.0, max(0.0, (on_c - on_b - packed[leaf, 15, k] + packed[leaf, 16, k]) * packed[leaf, 11, k]))
        x = ax - (1.0 - t) * bx - t * cx
        y = ay - (1.0 - t) * by - t * cy
        z = az - (1.0 - t) * bz - t * cz
        best = min(best, x * x + y * y + z * z)
        v = on_b * packed[leaf, 12, k] - on_c * packed[leaf, 14, k]
        w = on_c * packed[leaf, 13, k] - on_b * packed[leaf, 14, k]
        x = ax - v * bx - w * cx
        y = ay - v * by - w * cy
        z = az - v * bz - w * cz
        foot = x * x + y * y + z * z
        squares[k] = min(best, foot if min(v, w, 1.0 - v - w) >= 0.0 else best)
    least = squares[0]
    for k in range(1, squares.size):
        least = min(least, squares[k])
    return least


@kernel
def fill_boxes(triangles, leaf, boxes):
    """Write the boxes of a whole binary tree over triangles (n, 3, 3), so many `leaf` of them in each leaf.

    `boxes` (2 L, 6), L leaves, a power of two: node 1 is the root, node k has children 2 k and 2 k + 1, leaf n is node
    L + n. A box is (low x, y, z, high x, y, z); that of a leaf without triangles lies far away.
    """
    n_leaves = boxes.shape[0] // 2
    for n in range(n_leaves):
        box = boxes[n_leaves + n]
        box[:3] = 1e100
        box[3:] = -1e100
        for t in range(n * leaf, min((n + 1) * leaf, triangles.shape[0])):
            for corner in range(3):
                for axis in range(3):
                    box[axis] = min(box[axis], triangles[t, corner, axis])
                    box[3 + axis] = max(box[3 + axis], triangles[t, corner, axis])
    for n in range(n_leaves - 1, 0, -1):
        for axis in range(3):
            boxes[n, axis] = min(boxes[2 * n, axis], boxes[2 * n + 1, axis])
            boxes[n, 3 + axis] = max(boxes[2 * n, 3 + axis], boxes[2 * n + 1, 3 + axis])


@inlined
def _to_box(px, py, pz, box):
    x = max(box[0] - px, 0.0, px - box[3])
    y = max(box[1] - py, 0.0, py - box[4])
    z = max(box[2] - pz, 0.0, pz - box[5])
    return x * x + y * y + z * z


@helper
def _search(px, py, pz, packed, boxes, stop, home, todo, gaps, squares):
    """Return the least squared distance from the triangles, or one of `stop` or less, and its leaf; `home`: a guess."""
    n_leaves = boxes.shape[0] // 2
    best = _to_leaf(px, py, pz, packed, home, squares)
    todo[0] = 1
    gaps[0] = 0.0
    top = 1
    while top > 0 and best > stop:
        top -= 1
        if gaps[top] >= best:
            continue
        node = todo[top]
        if node >= n_leaves:
            found = _to_leaf(px, py, pz, packed, node - n_leaves, squares)
            if found < best:
                best = found
                home = node - n_leaves
            continue
        near = 2 * node
        far = near + 1
        left = _to_box(px, py, pz, boxes[near])
        right = _to_box(px, py, pz, boxes[far])
        if right < left:
            near, far = far, near
            left, right = right, left
        if right < best:
            todo[top] = far
            gaps[top] = right
            top += 1
        if left < best:
            todo[top] = near
            gaps[top] = left
            top += 1
    return best, home


@making_kernel
def nearest(points, packed, boxes, distance):
    """Write how far each point (n, 3) is from the nearest triangle; quick where points that follow lie near."""
    todo = np.empty(128, np.int64)
    gaps = np.empty(128)
    squares = np.empty(packed.shape[2])
    home = 0
    for p in range(points.shape[0]):
        x, y, z = points[p]
        best, home = _search(x, y, z, packed, boxes, -1.0, home, todo, gaps, squares)
        distance[p] = sqrt(best)


@making_kernel
def farthest(points, packed, boxes, least):
    """Return which of the points (n, 3) is farthest from the triangles, and how far; -1 if none is beyond `least`."""
    todo = np.empty(128, np.int64)
    gaps = np.empty(128)
    squares = np.empty(packed.shape[2])
    home = 0
    most = least * least
    found = -1
    for p in range(points.shape[0]):
        x, y, z = points[p]
        best, home = _search(x, y, z, packed, boxes, most, home, todo, gaps, squares)
        if best > most:
            most = best
            found = p
    return found, sqrt(most)


@helper
def _bound(triangle, x, y, z, packed, home, squares):
    """Return what no point of a triangle exceeds in squared distance: by the one triangle nearest to its middle.

    The distance from one triangle is convex: it is greatest at a corner.
    """
    _to_leaf(x, y, z, packed, home, squares)
    nearest_one = np.argmin(squares)
    most = 0.0
    for corner in range(3):
        _to_leaf(triangle[corner, 0], triangle[corner, 1], triangle[corner, 2], packed, home, squares)
        most = max(most, squares[nearest_one])
    return most


@helper
def _middle(triangle, one):
    """Copy a triangle, and return how far its corners lie from its middle at most."""
    reach = 0.0
    for corner in range(3):
        square = 0.0
        for axis in range(3):
            one[corner, axis] = triangle[corner, axis]
            middle = (triangle[0, axis] + triangle[1, axis] + triangle[2, axis]) / 3.0
            square += (triangle[corner, axis] - middle) ** 2
        reach = max(reach, square)
    return sqrt(reach)


@helper
def _quarter(triangle, todo, top):
    """Write the four quarters of a triangle from `top` on."""
    for axis in range(3):
        a = triangle[0, axis]
        b = triangle[1, axis]
        c = triangle[2, axis]
        for k in range(4):
            todo[top + k, 0, axis] = (a, 0.5 * (a + b), 0.5 * (a + c), 0.5 * (a + b))[k]
            todo[top + k, 1, axis] = (0.5 * (a + b), b, 0.5 * (b + c), 0.5 * (b + c))[k]
            todo[top + k, 2, axis] = (0.5 * (a + c), 0.5 * (b + c), c, 0.5 * (a + c))[k]


@making_kernel
def farthest_within(triangles, leaf, own_boxes, packed, boxes, least, tolerance, most_searches):
    """Return how far the farthest point on triangles (n, 3, 3) is from those packed, or `least` if none is farther.

    `leaf`, `own_boxes`: how many of the triangles are in a leaf of their own tree, and its boxes. Triangles are
    quartered until none can hold a point farther by more than `tolerance` than the farthest known, or until
    `most_searches` were made: no point lies farther than another does and the way from it.
    """
    nodes = np.empty(128, np.int64)
    gaps = np.empty(128)
    squares = np.empty(packed.shape[2])
    parts = np.empty((128, 3, 3))
    one = np.empty((3, 3))
    n_leaves = own_boxes.shape[0] // 2
    home = 0
    most = least
    for n in range((triangles.shape[0] + leaf - 1) // leaf):
        box = own_boxes[n_leaves + n]
        reach = 0.5 * sqrt((box[3] - box[0]) ** 2 + (box[4] - box[1]) ** 2 + (box[5] - box[2]) ** 2)
        enough = max(0.0, most + tolerance - reach)
        x = 0.5 * (box[0] + box[3])
        y = 0.5 * (box[1] + box[4])
        z = 0.5 * (box[2] + box[5])
        best, home = _search(x, y, z, packed, boxes, enough * enough, home, nodes, gaps, squares)
        if best <= enough * enough:
            continue
        known = sqrt(best)
        centre = (x, y, z)
        for t in range(n * leaf, min((n + 1) * leaf, triangles.shape[0])):
            parts[0] = triangles[t]
            top = 1
            while top > 0 and most_searches > 0:
                top -= 1
                reach = _middle(parts[top], one)
                x = (one[0, 0] + one[1, 0] + one[2, 0]) / 3.0
                y = (one[0, 1] + one[1, 1] + one[2, 1]) / 3.0
                z = (one[0, 2] + one[1, 2] + one[2, 2]) / 3.0
                enough = max(0.0, most + tolerance - reach)
                away = sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
                if known + away <= enough:
                    continue
                most_searches -= 1
                best, home = _search(x, y, z, packed, boxes, enough * enough, home, nodes, gaps, squares)
                if best <= enough * enough:
                    continue
                most = max(most, sqrt(best))
                bound = _bound(one, x, y, z, packed, home, squares)
                if bound > (most + tolerance) ** 2 and reach > tolerance and top + 4 <= parts.shape[0]:
                    _quarter(one, parts, top)
                    top += 4
    return most


@kernel
def areas(triangles, out):
    """Write the area of each triangle (n, 3, 3)."""
    for t in range(triangles.shape[0]):
        a = triangles[t, 0]
        b = triangles[t, 1]
        c = triangles[t, 2]
        ux = b[0] - a[0]
        uy = b[1] - a[1]
        uz = b[2] - a[2]
        vx = c[0] - a[0]
        vy = c[1] - a[1]
        vz = c[2] - a[2]
        x = uy * vz - uz * vy
        y = uz * vx - ux * vz
        z = ux * vy - uy * vx
        out[t] = 0.5 * sqrt(x * x + y * y + z * z)


@kernel
def spread(triangles, area, each, points, which):
    """Put points on triangles so that each stands for an area of `each`; return how many were put.

    Where a triangle is larger than that, its points follow a low-discrepancy sequence (R2, Roberts 2018).
    """
    carried = 0.5 * each
    count = 0
    s = 0.5
    r = 0.5
    for t in range(triangles.shape[0]):
        carried += area[t]
        while carried >= each and count < points.shape[0]:
            carried -= each
            s += 0.7548776662466927
            r += 0.5698402909980532
            s -= np.floor(s)
            r -= np.floor(r)
            u = s
            v = r
            if u + v > 1.0:
                u = 1.0 - u
                v = 1.0 - v
            for axis in range(3):
                points[count, axis] = (
                    triangles[t, 0, axis]
                    + u * (triangles[t, 1, axis] - triangles[t, 0, axis])
                    + v * (triangles[t, 2, axis] - triangles[t, 0, axis])
                )
            which[count] = t
            count += 1
    return count


@making_kernel
def morton(triangles, code):
    """Write for each triangle (n, 3, 3) where its middle lies along Morton's curve, 10 bits an axis, about them all."""
    low = np.full(3, np.inf)
    high = np.full(3, -np.inf)
    for t in range(triangles.shape[0]):
        for corner in range(3):
            for axis in range(3):
                low[axis] = min(low[axis], triangles[t, corner, axis])
                high[axis] = max(high[axis], triangles[t, corner, axis])
    scale = 1023.0 / max(high[0] - low[0], high[1] - low[1], high[2] - low[2], 1e-9)
    for t in range(triangles.shape[0]):
        total = np.uint32(0)
        for axis in range(3):
            middle = (triangles[t, 0, axis] + triangles[t, 1, axis] + triangles[t, 2, axis]) / 3.0
            x = np.uint32(min(max((middle - low[axis]) * scale, 0.0), 1023.0))
            x = (x | (x << np.uint32(16))) & np.uint32(0x30000FF)
            x = (x | (x << np.uint32(8))) & np.uint32(0x300F00F)
            x = (x | (x << np.uint32(4))) & np.uint32(0x30C30C3)
            x = (x | (x << np.uint32(2))) & np.uint32(0x9249249)
            total |= np.uint32(x << np.uint32(axis))
        code[t] = total
