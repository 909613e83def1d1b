"""The dose at points."""

import math

from dvhkit.engine.kernels.compiled import kernel


@kernel
def dose_at_points(dose, spacing, offsets, reach, along, moved, out):
    """Write the dose at points, trilinear between voxel centres, level beyond the outermost, NaN outside `reach`.

    `along` (n, 3) and `moved` (3,): distances in mm along the grid's i, j and normal; each point is looked up at
    ``along - moved``. `reach` (2, 3): where the grid's voxels begin and end. `offsets` ascend.
    """
    nk, nj, ni = dose.shape
    for n in range(along.shape[0]):
        a, b, c = along[n, 0] - moved[0], along[n, 1] - moved[1], along[n, 2] - moved[2]
        inside = reach[0, 0] <= a <= reach[1, 0] and reach[0, 1] <= b <= reach[1, 1] and reach[0, 2] <= c <= reach[1, 2]
        if not inside:
            out[n] = math.nan
            continue
        x = min(max(a / spacing[0], 0.0), ni - 1.0)
        y = min(max(b / spacing[1], 0.0), nj - 1.0)
        low, high = 0, nk - 1
        while high - low > 1:
            middle = (low + high) // 2
            if offsets[middle] <= c:
                low = middle
            else:
                high = middle
        w = 0.0
        if high > low:
            w = min(max((c - offsets[low]) / (offsets[high] - offsets[low]), 0.0), 1.0)
        i, j = min(int(x), max(ni - 2, 0)), min(int(y), max(nj - 2, 0))
        i1, j1, u, v = min(i + 1, ni - 1), min(j + 1, nj - 1), x - i, y - j
        lower = (dose[low, j, i] * (1 - u) + dose[low, j, i1] * u) * (1 - v)
        lower += (dose[low, j1, i] * (1 - u) + dose[low, j1, i1] * u) * v
        upper = (dose[high, j, i] * (1 - u) + dose[high, j, i1] * u) * (1 - v)
        upper += (dose[high, j1, i] * (1 - u) + dose[high, j1, i1] * u) * v
        out[n] = lower * (1 - w) + upper * w
