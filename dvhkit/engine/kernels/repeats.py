"""Which rings pass through one point twice."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def mark_repeats(points, ring_start, same, repeats):
    """Mark the rings in which two points, not neighbours along it, are nearer than `same` in x and in y."""
    for r in range(ring_start.size - 1):
        begin = ring_start[r]
        n = ring_start[r + 1] - begin
        order = np.argsort(points[begin : begin + n, 0])
        repeats[r] = False
        for a in range(n):
            i = order[a]
            b = a + 1
            while b < n and points[begin + order[b], 0] - points[begin + i, 0] <= same:
                apart = abs(order[b] - i)
                if 1 < apart < n - 1 and abs(points[begin + order[b], 1] - points[begin + i, 1]) <= same:
                    repeats[r] = True
                    break
                b += 1
            if repeats[r]:
                break
