"""Gauge distance to polygons in a plane, exact from their edges and corners.

The gauge of a margin is 1 on the rim of a body whose semi-axes differ from side to side:
``sqrt((du/m_u)^2 + (dv/m_v)^2)``, with the semi-axis of the side to which each difference points.
"""

from math import ceil, floor, sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, making_kernel

_FAR = 1e30
# Strips and fans meet in lines; nodes on them belong to both, whatever rounding says.
_EPS = 1e-6


@helper
def _start(points, ring_start, complement, inside, field):
    """Mark the nodes inside the rings by the even-odd rule, or those outside; the field is far on either side."""
    n_rows, n_columns = inside.shape
    inside[:] = False
    if complement:
        inside[:, 0] = True
    for r in range(ring_start.size - 1):
        xa = points[ring_start[r + 1] - 1, 0]
        ya = points[ring_start[r + 1] - 1, 1]
        for p in range(ring_start[r], ring_start[r + 1]):
            xb = points[p, 0]
            yb = points[p, 1]
            low = min(ya, yb)
            high = max(ya, yb)
            for j in range(max(0, ceil(low)), min(n_rows - 1, ceil(high) - 1) + 1):
                x = xa + (j - ya) * (xb - xa) / (yb - ya)
                i = max(0, ceil(x))
                if i < n_columns:
                    inside[j, i] = not inside[j, i]
            xa = xb
            ya = yb
    for j in range(n_rows):
        odd = False
        for i in range(n_columns):
            odd ^= inside[j, i]
            inside[j, i] = odd
            field[j, i] = -_FAR if odd else _FAR


@helper
def _gauge(dx, dy, margins):
    gx = dx / (margins[0] if dx > 0.0 else margins[1])
    gy = dy / (margins[2] if dy > 0.0 else margins[3])
    return sqrt(gx * gx + gy * gy)


@helper
def _outward(ax, ay, bx, by, margins, edge):
    """Write outward normal, support of the margin along it, and the margin's point there. `edge`: 5 numbers."""
    ex = bx - ax
    ey = by - ay
    length = sqrt(ex * ex + ey * ey)
    edge[0] = ey / length
    edge[1] = -ex / length
    mx = margins[0] if edge[0] > 0.0 else margins[1]
    my = margins[2] if edge[1] > 0.0 else margins[3]
    edge[2] = sqrt((mx * edge[0]) ** 2 + (my * edge[1]) ** 2)
    edge[3] = mx * mx * edge[0] / edge[2]
    edge[4] = my * my * edge[1] / edge[2]


@helper
def _clip(slope, offset, low, high, span):
    """Narrow `span` to the x where ``low <= slope * x + offset <= high``; whether any is left."""
    if abs(slope) < 1e-12:
        return low <= offset <= high
    a = (low - offset) / slope
    b = (high - offset) / slope
    span[0] = max(span[0], min(a, b))
    span[1] = min(span[1], max(a, b))
    return span[0] <= span[1]


@helper
def _stamp_strip(ax, ay, bx, by, edge, beyond, inside, field, span):
    """Let an edge bid for the nodes outside to which it can be nearest: those along the margin's direction off it."""
    n_rows, n_columns = inside.shape
    ex = bx - ax
    ey = by - ay
    dx = edge[3]
    dy = edge[4]
    sx = edge[0] / edge[2]
    sy = edge[1] / edge[2]
    lean = dx * ex + dy * ey
    length2 = ex * ex + ey * ey
    tx = (ex - sx * lean) / length2
    ty = (ey - sy * lean) / length2
    far = 1.0 + beyond / sqrt(dx * dx + dy * dy)
    low = min(ay, by) + min(0.0, far * dy)
    high = max(ay, by) + max(0.0, far * dy)
    for j in range(max(0, ceil(low - _EPS)), min(n_rows - 1, floor(high + _EPS)) + 1):
        y = j - ay
        span[0] = -ax
        span[1] = n_columns - 1 - ax
        if not _clip(tx, ty * y, -_EPS, 1.0 + _EPS, span) or not _clip(sx, sy * y, -_EPS, far, span):
            continue
        for i in range(max(0, ceil(ax + span[0])), min(n_columns - 1, floor(ax + span[1])) + 1):
            if not inside[j, i]:
                value = max(0.0, sx * (i - ax) + sy * y)
                if value < field[j, i]:
                    field[j, i] = value


@helper
def _stamp_within(ax, ay, bx, by, edge, depth, inside, field, span):
    """Let an edge bid for the nodes inside, at most `depth` from it."""
    n_rows, n_columns = inside.shape
    nx = edge[0]
    ny = edge[1]
    ex = bx - ax
    ey = by - ay
    length2 = ex * ex + ey * ey
    low = min(ay, by) - max(0.0, depth * ny)
    high = max(ay, by) - min(0.0, depth * ny)
    for j in range(max(0, ceil(low - _EPS)), min(n_rows - 1, floor(high + _EPS)) + 1):
        y = j - ay
        span[0] = -ax
        span[1] = n_columns - 1 - ax
        along = _clip(ex / length2, ey * y / length2, -_EPS, 1.0 + _EPS, span)
        if not along or not _clip(nx, ny * y, -depth, _EPS, span):
            continue
        for i in range(max(0, ceil(ax + span[0])), min(n_columns - 1, floor(ax + span[1])) + 1):
            if inside[j, i]:
                value = (nx * (i - ax) + ny * y) / edge[2]
                if value > field[j, i]:
                    field[j, i] = min(value, 0.0)


@helper
def _stamp_fan(x0, y0, before, edge, cosine, beyond, margins, inside, field, span):
    """Let a convex corner bid for the nodes between the strips of its two edges, less than a quarter turn apart."""
    n_rows, n_columns = inside.shape
    ax = before[3]
    ay = before[4]
    bx = edge[3]
    by = edge[4]
    # In the margin's own measure the rim is a circle: the chord between two points lies this much inside the arc.
    bulge = sqrt(2.0 / (1.0 + cosine))
    reach = min(sqrt(ax * ax + ay * ay), sqrt(bx * bx + by * by))
    far = bulge * (1.0 + beyond / reach)
    low = y0 + far * min(0.0, ay, by)
    high = y0 + far * max(0.0, ay, by)
    wide = far * max(abs(ax), abs(bx))
    slack_a = _EPS * (abs(ax) + abs(ay))
    slack_b = _EPS * (abs(bx) + abs(by))
    for j in range(max(0, ceil(low - _EPS)), min(n_rows - 1, floor(high + _EPS)) + 1):
        y = j - y0
        span[0] = max(-x0, -wide - 1.0)
        span[1] = min(n_columns - 1 - x0, wide + 1.0)
        if not _clip(-ay, ax * y, -slack_a, _FAR, span) or not _clip(by, -bx * y, -slack_b, _FAR, span):
            continue
        for i in range(max(0, ceil(x0 + span[0])), min(n_columns - 1, floor(x0 + span[1])) + 1):
            if not inside[j, i]:
                value = _gauge(i - x0, y, margins)
                if value < field[j, i]:
                    field[j, i] = value


@helper
def _stamp_box(x0, y0, margins, beyond, inside, field):
    """Let a corner bid for all nodes outside within its margin."""
    n_rows, n_columns = inside.shape
    for j in range(max(0, ceil(y0 - margins[3] - beyond)), min(n_rows - 1, floor(y0 + margins[2] + beyond)) + 1):
        left = max(0, ceil(x0 - margins[1] - beyond))
        for i in range(left, min(n_columns - 1, floor(x0 + margins[0] + beyond)) + 1):
            if not inside[j, i]:
                value = _gauge(i - x0, j - y0, margins)
                if value < field[j, i]:
                    field[j, i] = value


@helper
def _stamp_within_corner(x0, y0, support, depth, inside, field):
    """Let a corner that looks inwards bid for the nodes inside around it."""
    n_rows, n_columns = inside.shape
    for j in range(max(0, ceil(y0 - depth)), min(n_rows - 1, floor(y0 + depth)) + 1):
        for i in range(max(0, ceil(x0 - depth)), min(n_columns - 1, floor(x0 + depth)) + 1):
            if inside[j, i]:
                value = -sqrt((i - x0) ** 2 + (j - y0) ** 2) / support
                if value > field[j, i]:
                    field[j, i] = value


@helper
def _cosine(before, edge, margins):
    """Return the cosine between the margin's points over two edges, in its own measure; -1 if that changes between."""
    u = (margins[0] if before[3] > 0.0 else margins[1]) * (margins[0] if edge[3] > 0.0 else margins[1])
    v = (margins[2] if before[4] > 0.0 else margins[3]) * (margins[2] if edge[4] > 0.0 else margins[3])
    if before[3] * edge[3] < 0.0 and margins[0] != margins[1]:
        return -1.0
    if before[4] * edge[4] < 0.0 and margins[2] != margins[3]:
        return -1.0
    return before[3] * edge[3] / u + before[4] * edge[4] / v


@making_kernel
def gauge_field(points, ring_start, margins, beyond, depth, complement, inside, field):
    """Write the gauge distance of the nodes around a plane's rings, as far as gauge 1 and `beyond` nodes more.

    Each edge bids for the nodes of the strip along which it can be nearest, each convex corner for those of its fan,
    so that a node is visited a few times whatever the margin. Inside, a band of `depth` nodes gets the (negative)
    distance to its edge in the same measure.

    `points` (column, row) in node units, rings with the inside on their left, no point twice in a row; `margins`: the
    semi-axes towards growing and falling columns, growing and falling rows, in nodes. `complement`: all that lies
    outside the rings is inside. `inside` (rows, columns): work space. `field`: +1e30 or -1e30 where nothing bids.
    """
    _start(points, ring_start, complement, inside, field)
    span = np.empty(2)
    before = np.empty(5)
    edge = np.empty(5)
    for r in range(ring_start.size - 1):
        begin = ring_start[r]
        end = ring_start[r + 1]
        _outward(points[end - 2, 0], points[end - 2, 1], points[end - 1, 0], points[end - 1, 1], margins, before)
        ax = points[end - 1, 0]
        ay = points[end - 1, 1]
        for p in range(begin, end):
            bx = points[p, 0]
            by = points[p, 1]
            _outward(ax, ay, bx, by, margins, edge)
            _stamp_strip(ax, ay, bx, by, edge, beyond, inside, field, span)
            turn = before[0] * edge[1] - before[1] * edge[0]
            cosine = _cosine(before, edge, margins)
            if cosine <= 0.0:
                _stamp_box(ax, ay, margins, beyond, inside, field)
            elif turn > 0.0:
                _stamp_fan(ax, ay, before, edge, cosine, beyond, margins, inside, field, span)
            if depth > 0.0:
                _stamp_within(ax, ay, bx, by, edge, depth, inside, field, span)
                if turn < 0.0:
                    _stamp_within_corner(ax, ay, 0.5 * (before[2] + edge[2]), depth, inside, field)
            for a in range(5):
                before[a] = edge[a]
            ax = bx
            ay = by
