"""Values at the nodes of a rectilinear grid: where they change sign, what they and their slopes are in between."""

import numpy as np

from dvhkit.engine.kernels.compiled import helper, kernel


@helper
def _cell_of(axis, x):
    """Return the cell of an ascending axis that holds x, and the share of the way through it, both within the axis."""
    low = 0
    high = axis.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if axis[middle] <= x:
            low = middle
        else:
            high = middle
    return low, min(1.0, max(0.0, (x - axis[low]) / (axis[low + 1] - axis[low])))


@kernel
def values_at(values, ws, vs, us, points, out):
    """Write the values (w, v, u) at points (n, 3) of u, v, w, linear between nodes; those of the border beyond it."""
    for n in range(points.shape[0]):
        i, x = _cell_of(us, points[n, 0])
        j, y = _cell_of(vs, points[n, 1])
        k, z = _cell_of(ws, points[n, 2])
        near = (1.0 - y) * ((1.0 - x) * values[k, j, i] + x * values[k, j, i + 1])
        near += y * ((1.0 - x) * values[k, j + 1, i] + x * values[k, j + 1, i + 1])
        far = (1.0 - y) * ((1.0 - x) * values[k + 1, j, i] + x * values[k + 1, j, i + 1])
        far += y * ((1.0 - x) * values[k + 1, j + 1, i] + x * values[k + 1, j + 1, i + 1])
        out[n] = (1.0 - z) * near + z * far


@helper
def _slope(before, here, after, axis, at):
    """Return the slope at a node: of the parabola through its neighbours, at both ends of the line to the only one."""
    if at == 0:
        return (after - here) / (axis[1] - axis[0])
    if at == axis.size - 1:
        return (here - before) / (axis[at] - axis[at - 1])
    low = axis[at] - axis[at - 1]
    high = axis[at + 1] - axis[at]
    return (low * low * after + (high * high - low * low) * here - high * high * before) / (low * high * (low + high))


@kernel
def slopes_at(values, ws, vs, us, points, out):
    """Write the gradient (n, 3) along u, v, w at points: that of the nodes, linear between them."""
    last_w = ws.size - 1
    last_v = vs.size - 1
    last_u = us.size - 1
    for n in range(points.shape[0]):
        i0, x = _cell_of(us, points[n, 0])
        j0, y = _cell_of(vs, points[n, 1])
        k0, z = _cell_of(ws, points[n, 2])
        du = 0.0
        dv = 0.0
        dw = 0.0
        for k in range(k0, k0 + 2):
            share_w = z if k > k0 else 1.0 - z
            for j in range(j0, j0 + 2):
                share_v = share_w * (y if j > j0 else 1.0 - y)
                for i in range(i0, i0 + 2):
                    share = share_v * (x if i > i0 else 1.0 - x)
                    here = np.float64(values[k, j, i])
                    before, after = values[k, j, max(i - 1, 0)], values[k, j, min(i + 1, last_u)]
                    du += share * _slope(before, here, after, us, i)
                    before, after = values[k, max(j - 1, 0), i], values[k, min(j + 1, last_v), i]
                    dv += share * _slope(before, here, after, vs, j)
                    before, after = values[max(k - 1, 0), j, i], values[min(k + 1, last_w), j, i]
                    dw += share * _slope(before, here, after, ws, k)
        out[n, 0] = du
        out[n, 1] = dv
        out[n, 2] = dw


@kernel
def sign_changes(values, axis, low, high, found):
    """Write the nodes (n, 3) of w, v, u whose next node along `axis` has another sign; return how many there are.

    Only nodes from `low` (3,) to before `high`. More than `found` holds are counted, not written.
    """
    steps = (1 if axis == 0 else 0, 1 if axis == 1 else 0, 1 if axis == 2 else 0)
    count = 0
    for k in range(low[0], min(high[0], values.shape[0] - steps[0])):
        for j in range(low[1], min(high[1], values.shape[1] - steps[1])):
            for i in range(low[2], min(high[2], values.shape[2] - steps[2])):
                if (values[k, j, i] < 0.0) != (values[k + steps[0], j + steps[1], i + steps[2]] < 0.0):
                    if count < found.shape[0]:
                        found[count, 0] = k
                        found[count, 1] = j
                        found[count, 2] = i
                    count += 1
    return count
