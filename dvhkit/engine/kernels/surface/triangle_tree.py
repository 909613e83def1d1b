"""Compiled parts of measuring to a surface of triangles: a tree of boxes, nearest triangles, points spread evenly.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, inlined, kernel, making_kernel


@inlined
def _to_triangle(px, py, pz, t):
    """Return the squared distance of a point from a triangle `t` (3, 3) (Ericson 2005, 5.1.5)."""
    abx = t[1, 0] - t[0, 0]
    aby = t[1, 1] - t[0, 1]
    abz = t[1, 2] - t[0, 2]
    acx = t[2, 0] - t[0, 0]
    acy = t[2, 1] - t[0, 1]
    acz = t[2, 2] - t[0, 2]
    apx = px - t[0, 0]
    apy = py - t[0, 1]
    apz = pz - t[0, 2]
    d1 = abx * apx + aby * apy + abz * apz
    d2 = acx * apx + acy * apy + acz * apz
    v = 0.0
    w = 0.0
    if not (d1 <= 0.0 and d2 <= 0.0):
        ab2 = abx * abx + aby * aby + abz * abz
        ac2 = acx * acx + acy * acy + acz * acz
        abac = abx * acx + aby * acy + abz * acz
        d3 = d1 - ab2
        d4 = d2 - abac
        d5 = d1 - abac
        d6 = d2 - ac2
        va = d3 * d6 - d5 * d4
        vb = d5 * d2 - d1 * d6
        vc = d1 * d4 - d3 * d2
        if d3 >= 0.0 and d4 <= d3:
            v = 1.0
        elif d6 >= 0.0 and d5 <= d6:
            w = 1.0
        elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
            v = d1 / (d1 - d3) if d1 - d3 > 0.0 else 0.0
        elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
            w = d2 / (d2 - d6) if d2 - d6 > 0.0 else 0.0
        elif va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
            both = (d4 - d3) + (d5 - d6)
            w = (d4 - d3) / both if both > 0.0 else 0.0
            v = 1.0 - w
        else:
            total = va + vb + vc
            if total > 0.0:
                v = vb / total
                w = vc / total
    x = apx - v * abx - w * acx
    y = apy - v * aby - w * acy
    z = apz - v * abz - w * acz
    return x * x + y * y + z * z


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
def _search(px, py, pz, triangles, leaf, boxes, stop, last, todo, gaps):
    """Return the least squared distance from the triangles, or one below `stop`, and which; `last` is a guess."""
    n_leaves = boxes.shape[0] // 2
    best = _to_triangle(px, py, pz, triangles[last])
    todo[0] = 1
    gaps[0] = 0.0
    top = 1
    while top > 0 and best > stop:
        top -= 1
        if gaps[top] >= best:
            continue
        node = todo[top]
        if node >= n_leaves:
            first = (node - n_leaves) * leaf
            for t in range(first, min(first + leaf, triangles.shape[0])):
                d = _to_triangle(px, py, pz, triangles[t])
                if d < best:
                    best = d
                    last = t
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
    return best, last


@making_kernel
def nearest(points, triangles, leaf, boxes, distance):
    """Write how far each point (n, 3) is from the nearest triangle; quick where points that follow lie near."""
    todo = np.empty(128, np.int64)
    gaps = np.empty(128)
    last = 0
    for p in range(points.shape[0]):
        best, last = _search(points[p, 0], points[p, 1], points[p, 2], triangles, leaf, boxes, -1.0, last, todo, gaps)
        distance[p] = sqrt(best)


@making_kernel
def farthest(points, triangles, leaf, boxes, least):
    """Return which of the points (n, 3) is farthest from the triangles, and how far; -1 if none is beyond `least`."""
    todo = np.empty(128, np.int64)
    gaps = np.empty(128)
    last = 0
    most = least * least
    found = -1
    for p in range(points.shape[0]):
        best, last = _search(points[p, 0], points[p, 1], points[p, 2], triangles, leaf, boxes, most, last, todo, gaps)
        if best > most:
            most = best
            found = p
    return found, sqrt(most)


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
