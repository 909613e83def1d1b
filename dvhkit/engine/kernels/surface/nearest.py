"""Compiled parts of measuring from surface to surface: nearest points.

Plain arrays in mm. Nothing is known here of structures.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import making_kernel

_FAR = 1e30


@making_kernel
def nearest_by_gauge(queries, points, semi_axes, outward, enough, far, found, gauge):
    """Find for each query the point of `cloud` nearest by the gauge of an ellipsoid whose octants differ.

    The gauge of v = (x, y, z) is sqrt((x/a)^2 + (y/b)^2 + (z/c)^2), where a is `semi_axes[0]` for x >= 0 and
    `semi_axes[1]` for x < 0, and so on. v runs from the query to the cloud where `outward`, else from the cloud to the
    query. The search of a query ends once a gauge of `enough` or less is met, and does not go beyond `far`; where
    nothing lies within that, `found` is -1 and `gauge` is 1e15.

    `points`: cloud, first, origin, size, shape. The cloud (m, 3) is sorted into cubic cells of `size` from `origin`,
    `shape` (3,) of them along x, y, z, x running fastest; `first` (cells + 1,) is the first point of each. `found`
    (n,): on entry a likely point for each query, or -1; `gauge` (n,) is written.
    """
    cloud, first, origin, size, shape = points
    inverse = np.empty((3, 2))
    reach = np.empty((3, 2))
    for a in range(3):
        # Index 0: the cloud's point lies towards growing coordinate from the query.
        up = semi_axes[2 * a] if outward else semi_axes[2 * a + 1]
        down = semi_axes[2 * a + 1] if outward else semi_axes[2 * a]
        reach[a, 0] = up
        reach[a, 1] = down
        inverse[a, 0] = 1.0 / (up * up)
        inverse[a, 1] = 1.0 / (down * down)
    begin = min(far, size / semi_axes.max())
    stop = enough * enough
    # Cells are counted by division: a point may lie a rounding outside of its own.
    slack = 1e-6 * size
    lo = np.empty(3, np.int64)
    hi = np.empty(3, np.int64)
    for n in range(queries.shape[0]):
        at = found[n]
        radius = begin
        if at >= 0:
            radius = 0.0
            for a in range(3):
                d = cloud[at, a] - queries[n, a]
                radius += d * d * inverse[a, 0 if d >= 0.0 else 1]
            radius = sqrt(radius) * 1.000001 + 1e-9
        at = -1
        best = _FAR
        while at < 0:
            best = radius * radius
            whole = True
            for a in range(3):
                low = int(np.floor((queries[n, a] - reach[a, 1] * radius - origin[a]) / size))
                high = int(np.floor((queries[n, a] + reach[a, 0] * radius - origin[a]) / size))
                whole = whole and low <= 0 and high >= shape[a] - 1
                lo[a] = max(low, 0)
                hi[a] = min(high, shape[a] - 1)
            if whole:
                best = _FAR
            for k in range(lo[2], hi[2] + 1):
                above = max(0.0, origin[2] + k * size - queries[n, 2] - slack)
                below = max(0.0, queries[n, 2] - origin[2] - (k + 1) * size - slack)
                away_z = above * above * inverse[2, 0] + below * below * inverse[2, 1]
                if away_z > best or best <= stop:
                    continue
                for j in range(lo[1], hi[1] + 1):
                    above = max(0.0, origin[1] + j * size - queries[n, 1] - slack)
                    below = max(0.0, queries[n, 1] - origin[1] - (j + 1) * size - slack)
                    left = best - away_z - above * above * inverse[1, 0] - below * below * inverse[1, 1]
                    if left < 0.0 or best <= stop:
                        continue
                    # Of a row of cells only those within what is left of the ellipsoid.
                    begin_at = lo[0]
                    end_at = hi[0]
                    if not whole or at >= 0:
                        wide = sqrt(left)
                        low = queries[n, 0] - reach[0, 1] * wide - slack - origin[0]
                        high = queries[n, 0] + reach[0, 0] * wide + slack - origin[0]
                        if high < 0.0 or low > shape[0] * size:
                            continue
                        begin_at = max(begin_at, int(low / size))
                        end_at = min(end_at, int(high / size))
                    if begin_at > end_at:
                        continue
                    row = (k * shape[1] + j) * shape[0]
                    for c in range(first[row + begin_at], first[row + end_at + 1]):
                        z = cloud[c, 2] - queries[n, 2]
                        total = z * z * inverse[2, 0 if z >= 0.0 else 1]
                        if total >= best:
                            continue
                        y = cloud[c, 1] - queries[n, 1]
                        total += y * y * inverse[1, 0 if y >= 0.0 else 1]
                        if total >= best:
                            continue
                        x = cloud[c, 0] - queries[n, 0]
                        total += x * x * inverse[0, 0 if x >= 0.0 else 1]
                        if total < best:
                            best = total
                            at = c
            if whole or (at < 0 and radius >= far):
                break
            radius = min(far, 1.6 * radius)
        if at < 0:
            best = _FAR
        found[n] = at
        gauge[n] = sqrt(best)
