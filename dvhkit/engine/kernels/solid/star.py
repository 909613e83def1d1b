"""Outlines that are seen whole from their middle: how far off they lie in each direction."""

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import kernel, making_kernel


@making_kernel
def toward_points(ring, middle, least, normals, angles):
    """Write the direction of each point of an anticlockwise ring from a middle, and its angle, in rising order.

    Returns
    -------
    int
        How many; 0 if an edge is seen from the middle at an angle whose sine is less than `least`, or from behind.
    """
    n = ring.shape[0]
    count = 0
    for p in range(n):
        q = p + 1 if p + 1 < n else 0
        px = ring[p, 0] - middle[0]
        py = ring[p, 1] - middle[1]
        ex = ring[q, 0] - ring[p, 0]
        ey = ring[q, 1] - ring[p, 1]
        length = sqrt(ex * ex + ey * ey)
        away = sqrt(px * px + py * py)
        if length == 0.0:
            continue
        if px * ey - py * ex <= least * length * away:
            return 0
        normals[count, 0] = px / away
        normals[count, 1] = py / away
        angles[count] = np.arctan2(py, px)
        count += 1
    first = np.argmin(angles[:count])
    if first > 0:
        normals[:count] = np.concatenate((normals[first:count], normals[:first]))
        angles[:count] = np.concatenate((angles[first:count], angles[:first]))
    for k in range(1, count):
        # Round more than once.
        if angles[k] <= angles[k - 1]:
            return 0
    return count


@kernel
def radii(ring, middle, normals, out):
    """Write how far a ring that is seen whole from its middle lies off it in each direction, in order of angle."""
    n = ring.shape[0]
    k = 0
    for d in range(normals.shape[0]):
        x = normals[d, 0]
        y = normals[d, 1]
        for _ in range(n):
            q = k + 1 if k + 1 < n else 0
            px = ring[k, 0] - middle[0]
            py = ring[k, 1] - middle[1]
            qx = ring[q, 0] - middle[0]
            qy = ring[q, 1] - middle[1]
            begins = px * y - py * x
            ends = x * qy - y * qx
            # The edge between whose ends the direction lies, and not the one behind.
            if begins >= 0.0 and ends > 0.0 and px * x + py * y + qx * x + qy * y > 0.0:
                break
            k = q
        ex = qx - px
        ey = qy - py
        turn = x * ey - y * ex
        out[d] = (px * ey - py * ex) / turn if turn > 0.0 else sqrt(px * px + py * py)
