"""Compiled parts of a surface between two sections: how the points of one ring go on in those of the next.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def stitch(lower, upper, path):
    """Pair the points of two rings that run the same way round, by the shorter diagonal; return the number of pairs.

    `lower` (n, 2), `upper` (m, 2); `path` (n + m + 1, 2) gets pairs (index in lower, index in upper), of which the last
    is the first again. Between two pairs one of the indices goes on by one, so that each step is a triangle.
    """
    n = lower.shape[0]
    m = upper.shape[0]
    # The pair that starts: the first point of the lower ring and the upper one next to it.
    best = 1e300
    j0 = 0
    for j in range(m):
        d = (upper[j, 0] - lower[0, 0]) ** 2 + (upper[j, 1] - lower[0, 1]) ** 2
        if d < best:
            best = d
            j0 = j
    i = 0
    j = 0
    at_i = 0
    at_j = j0
    path[0, 0] = 0
    path[0, 1] = j0
    count = 1
    while i < n or j < m:
        next_i = at_i + 1 if at_i + 1 < n else 0
        next_j = at_j + 1 if at_j + 1 < m else 0
        along_lower = 1e300
        along_upper = 1e300
        if i < n:
            along_lower = (lower[next_i, 0] - upper[at_j, 0]) ** 2 + (lower[next_i, 1] - upper[at_j, 1]) ** 2
        if j < m:
            along_upper = (lower[at_i, 0] - upper[next_j, 0]) ** 2 + (lower[at_i, 1] - upper[next_j, 1]) ** 2
        if along_lower <= along_upper:
            i += 1
            at_i = next_i
        else:
            j += 1
            at_j = next_j
        path[count, 0] = at_i
        path[count, 1] = at_j
        count += 1
    return count
