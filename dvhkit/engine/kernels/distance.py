"""Gauge distance to polygons in a plane, exact from the edges, and its lower envelope across the planes.

The gauge of a margin is 1 on the surface of an ellipsoid whose semi-axes differ from side to side:
``sqrt((du/m_u)^2 + (dv/m_v)^2 + (dw/m_w)^2)``, with the semi-axis of the side to which each difference points.
"""

from math import ceil, floor, sqrt

import numpy as np
from numba import njit

_FAR = 1e30


@njit(cache=True, nogil=True)
def fill_inside(points, ring_start, inside):
    """Mark the nodes (row, column) inside the rings by the even-odd rule; `points` are (column, row) in node units."""
    n_rows, n_columns = inside.shape
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


@njit(cache=True, nogil=True)
def _side(ax, ay, bx, by):
    """Return the distance of the origin from the line a-b, positive on its right."""
    ex = bx - ax
    ey = by - ay
    return (ex * ay - ey * ax) / sqrt(ex * ex + ey * ey)


@njit(cache=True, nogil=True)
def _mitred(points, begin, end, corner, x, y, distance, inside):
    """Return the distance to a corner measured from its two edges' lines, so that sharp corners stay sharp."""
    before = corner - 1 if corner > begin else end - 1
    after = corner + 1 if corner + 1 < end else begin
    cx = points[corner, 0] - x
    cy = points[corner, 1] - y
    one = _side(points[before, 0] - x, points[before, 1] - y, cx, cy)
    two = _side(cx, cy, points[after, 0] - x, points[after, 1] - y)
    mitre = max(-one, -two) if inside else max(one, two)
    # A very sharp corner would reach far; beyond a right angle's mitre it is cut.
    return max(mitre, 0.7 * distance)


@njit(cache=True, nogil=True)
def _chunks(points, ring_start, chunk, first, ring_of, circle):
    """Bundle each ring's edges, `chunk` at a time: index of the first edge's end, ring, and a circle around them."""
    count = 0
    for r in range(ring_start.size - 1):
        begin = ring_start[r]
        end = ring_start[r + 1]
        for c in range(begin, end, chunk):
            stop = min(c + chunk, end)
            before = c - 1 if c > begin else end - 1
            left = points[before, 0]
            right = left
            low = points[before, 1]
            high = low
            for p in range(c, stop):
                left = min(left, points[p, 0])
                right = max(right, points[p, 0])
                low = min(low, points[p, 1])
                high = max(high, points[p, 1])
            first[count] = c
            ring_of[count] = r
            circle[count, 0] = 0.5 * (left + right)
            circle[count, 1] = 0.5 * (low + high)
            circle[count, 2] = 0.5 * sqrt((right - left) ** 2 + (high - low) ** 2)
            count += 1
    return count


@njit(cache=True, nogil=True)
def _nearest_edge(points, begin, end, start, stop, x, y, best, corner):
    """Return the least squared distance to the edges ending in start..stop-1, and its corner (-1 for none)."""
    a = start - 1 if start > begin else end - 1
    for p in range(start, stop):
        xa = points[a, 0] - x
        ya = points[a, 1] - y
        ex = points[p, 0] - points[a, 0]
        ey = points[p, 1] - points[a, 1]
        t = -(xa * ex + ya * ey) / (ex * ex + ey * ey)
        nearest = -1
        if t <= 0.0:
            t = 0.0
            nearest = a
        elif t >= 1.0:
            t = 1.0
            nearest = p
        px = xa + t * ex
        py = ya + t * ey
        d = px * px + py * py
        if d < best:
            best = d
            corner = nearest
        a = p
    return best, corner


@njit(cache=True, nogil=True)
def signed_distance(points, ring_start, nodes, inside, out):
    """Write the distance of each node (column, row) to the rings, negative where `inside`, mitred at corners.

    Rings have the inside on their left and repeat no point. Edges are passed over twelve at a time where a circle
    around them is further away than an edge already found; the bundle nearest to the node before comes first.
    """
    chunk = 12
    most = points.shape[0] // chunk + ring_start.size
    first = np.empty(most, np.int64)
    ring_of = np.empty(most, np.int64)
    circle = np.empty((most, 3))
    count = _chunks(points, ring_start, chunk, first, ring_of, circle)
    likely = 0
    for n in range(nodes.shape[0]):
        x = nodes[n, 0]
        y = nodes[n, 1]
        best = _FAR
        corner = -1
        nearest = likely
        for k in range(-1, count):
            c = likely if k < 0 else k
            if k >= 0:
                if k == likely:
                    continue
                away = sqrt((circle[c, 0] - x) ** 2 + (circle[c, 1] - y) ** 2) - circle[c, 2]
                if away > 0.0 and away * away > best:
                    continue
            r = ring_of[c]
            stop = min(first[c] + chunk, ring_start[r + 1])
            found, at = _nearest_edge(points, ring_start[r], ring_start[r + 1], first[c], stop, x, y, best, corner)
            if found < best:
                best = found
                corner = at
                nearest = c
        likely = nearest
        distance = sqrt(best)
        if corner >= 0:
            r = ring_of[nearest]
            distance = _mitred(points, ring_start[r], ring_start[r + 1], corner, x, y, distance, inside[n])
        out[n] = -distance if inside[n] else distance


@njit(cache=True, nogil=True)
def edge_distance(edges, nodes, out):
    """Write the Euclidean distance of each node (column, row) to the nearest of the edges (xa, ya, xb, yb)."""
    for n in range(nodes.shape[0]):
        best = _FAR
        for e in range(edges.shape[0]):
            xa = edges[e, 0] - nodes[n, 0]
            ya = edges[e, 1] - nodes[n, 1]
            ex = edges[e, 2] - edges[e, 0]
            ey = edges[e, 3] - edges[e, 1]
            t = min(1.0, max(0.0, -(xa * ex + ya * ey) / (ex * ex + ey * ey)))
            px = xa + t * ex
            py = ya + t * ey
            best = min(best, px * px + py * py)
        out[n] = sqrt(best)


@njit(cache=True, nogil=True)
def _gauge(dx, dy, margins):
    gx = dx / (margins[0] if dx > 0.0 else margins[1])
    gy = dy / (margins[2] if dy > 0.0 else margins[3])
    return sqrt(gx * gx + gy * gy)


@njit(cache=True, nogil=True)
def _row_span(corners, low, high, span):
    """Write the least and greatest x of a convex polygon between two heights; whether there is any."""
    span[0] = _FAR
    span[1] = -_FAR
    n = corners.shape[0]
    for c in range(n):
        xa = corners[c, 0]
        ya = corners[c, 1]
        xb = corners[(c + 1) % n, 0]
        yb = corners[(c + 1) % n, 1]
        if low <= ya <= high:
            span[0] = min(span[0], xa)
            span[1] = max(span[1], xa)
        for level in (low, high):
            if (ya < level) != (yb < level):
                x = xa + (level - ya) * (xb - xa) / (yb - ya)
                span[0] = min(span[0], x)
                span[1] = max(span[1], x)
    return span[1] >= span[0]


@njit(cache=True, nogil=True)
def _stamp_edge(corners, ax, ay, bx, by, nx, ny, support, dx, dy, margins, inside, field, span):
    """Let one edge bid for the nodes within a convex polygon widened by a node."""
    n_rows, n_columns = inside.shape
    length2 = (bx - ax) * (bx - ax) + (by - ay) * (by - ay)
    bottom = corners[:, 1].min()
    top = corners[:, 1].max()
    for j in range(max(0, floor(bottom)), min(n_rows - 1, ceil(top)) + 1):
        if not _row_span(corners, j - 1.0, j + 1.0, span):
            continue
        for i in range(max(0, floor(span[0])), min(n_columns - 1, ceil(span[1])) + 1):
            x = i - ax
            y = j - ay
            s = (nx * x + ny * y) / support
            t = ((x - s * dx) * (bx - ax) + (y - s * dy) * (by - ay)) / length2
            if inside[j, i]:
                if s <= 0.0 and -0.5 <= t <= 1.5 and s > field[j, i]:
                    field[j, i] = s
            elif s >= 0.0 and 0.0 <= t <= 1.0:
                if s < field[j, i]:
                    field[j, i] = s
            else:
                value = min(_gauge(x, y, margins), _gauge(i - bx, j - by, margins))
                if value < field[j, i]:
                    field[j, i] = value


@njit(cache=True, nogil=True)
def _stamp_corner(corners, x0, y0, scale, convex, margins, inside, field, span):
    """Let one corner bid: a convex one for nodes outside, a concave one for nodes inside."""
    n_rows, n_columns = inside.shape
    bottom = corners[:, 1].min()
    top = corners[:, 1].max()
    for j in range(max(0, floor(bottom)), min(n_rows - 1, ceil(top)) + 1):
        if not _row_span(corners, j - 1.0, j + 1.0, span):
            continue
        for i in range(max(0, floor(span[0])), min(n_columns - 1, ceil(span[1])) + 1):
            if inside[j, i] == convex:
                continue
            if convex:
                value = _gauge(i - x0, j - y0, margins)
                if value < field[j, i]:
                    field[j, i] = value
            else:
                value = -sqrt((i - x0) ** 2 + (j - y0) ** 2) / scale
                if value > field[j, i]:
                    field[j, i] = value


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def gauge_field(points, ring_start, margins, beyond, inside, field):
    """Write the gauge distance of the nodes around a plane's rings, as far as gauge 1 and `beyond` nodes more.

    Each edge bids for the nodes of the strip along which it can be nearest, each convex corner for those of its fan,
    so that a node is visited a few times whatever the margin. Inside, a band of two nodes gets the (negative) distance
    to its edge in the same measure.

    `points` (column, row) in node units, rings with the inside on their left; `margins`: the semi-axes towards growing
    and falling columns, growing and falling rows, in nodes. `inside` (rows, columns): False on entry, filled here (its
    first column True on entry turns all rows inside out).
    `field`: +1e30 or -1e30 where nothing bids.
    """
    fill_inside(points, ring_start, inside)
    for j in range(inside.shape[0]):
        for i in range(inside.shape[1]):
            field[j, i] = -_FAR if inside[j, i] else _FAR
    quad = np.empty((4, 2))
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
            nx = edge[0]
            ny = edge[1]
            reach = sqrt(edge[3] * edge[3] + edge[4] * edge[4])
            t = 1.0 + beyond / reach
            quad[0, 0] = ax - 2.0 * nx
            quad[0, 1] = ay - 2.0 * ny
            quad[1, 0] = bx - 2.0 * nx
            quad[1, 1] = by - 2.0 * ny
            quad[2, 0] = bx + t * edge[3]
            quad[2, 1] = by + t * edge[4]
            quad[3, 0] = ax + t * edge[3]
            quad[3, 1] = ay + t * edge[4]
            _stamp_edge(quad, ax, ay, bx, by, nx, ny, edge[2], edge[3], edge[4], margins, inside, field, span)
            if abs(nx * edge[3] + ny * edge[4]) < 0.7 * reach:
                # The strip leans so far that nodes just off the edge are not in it.
                quad[2, 0] = bx + 2.0 * nx
                quad[2, 1] = by + 2.0 * ny
                quad[3, 0] = ax + 2.0 * nx
                quad[3, 1] = ay + 2.0 * ny
                _stamp_edge(quad, ax, ay, bx, by, nx, ny, edge[2], edge[3], edge[4], margins, inside, field, span)
            turn = before[0] * ny - before[1] * nx
            wide = _is_wide(before, edge, margins)
            if turn >= 0.0 or wide:
                _fan(ax, ay, before, edge, beyond, margins, quad, wide)
                _stamp_corner(quad, ax, ay, 1.0, True, margins, inside, field, span)
            if turn < 0.0:
                quad[0, 0] = ax - 2.0
                quad[0, 1] = ay - 2.0
                quad[1, 0] = ax + 2.0
                quad[1, 1] = ay - 2.0
                quad[2, 0] = ax + 2.0
                quad[2, 1] = ay + 2.0
                quad[3, 0] = ax - 2.0
                quad[3, 1] = ay + 2.0
                scale = 0.5 * (before[2] + edge[2])
                _stamp_corner(quad, ax, ay, scale, False, margins, inside, field, span)
            for a in range(5):
                before[a] = edge[a]
            ax = bx
            ay = by


@njit(cache=True, nogil=True)
def _is_wide(before, edge, margins):
    """Whether the margin's arc between two edges may leave the parallelogram that their two points span."""
    u = (margins[0] if before[3] > 0.0 else margins[1]) * (margins[0] if edge[3] > 0.0 else margins[1])
    v = (margins[2] if before[4] > 0.0 else margins[3]) * (margins[2] if edge[4] > 0.0 else margins[3])
    if before[3] * edge[3] / u + before[4] * edge[4] / v < 0.0:
        return True
    uneven_u = before[3] * edge[3] < 0.0 and margins[0] != margins[1]
    return uneven_u or (before[4] * edge[4] < 0.0 and margins[2] != margins[3])


@njit(cache=True, nogil=True)
def _fan(x, y, before, edge, beyond, margins, quad, wide):
    """Write a convex polygon that holds every node to which the corner between two edges can be nearest."""
    if wide:
        left = x - margins[1] - beyond
        right = x + margins[0] + beyond
        low = y - margins[3] - beyond
        high = y + margins[2] + beyond
        quad[0, 0] = left
        quad[0, 1] = low
        quad[1, 0] = right
        quad[1, 1] = low
        quad[2, 0] = right
        quad[2, 1] = high
        quad[3, 0] = left
        quad[3, 1] = high
        return
    first = 1.0 + beyond / sqrt(before[3] ** 2 + before[4] ** 2)
    second = 1.0 + beyond / sqrt(edge[3] ** 2 + edge[4] ** 2)
    quad[0, 0] = x
    quad[0, 1] = y
    quad[1, 0] = x + first * before[3]
    quad[1, 1] = y + first * before[4]
    # Less than a quarter turn apart, in the margin's own measure, the arc bulges no further than their sum.
    quad[2, 0] = x + first * before[3] + second * edge[3]
    quad[2, 1] = y + first * before[4] + second * edge[4]
    quad[3, 0] = x + second * edge[3]
    quad[3, 1] = y + second * edge[4]


@njit(cache=True, nogil=True)
def _crossing(ga, wa, gb, wb, up, down):
    """Return where the bid of the lower source `a` becomes dearer than that of `b`; wa < wb.

    The difference of two such asymmetric parabolas grows all along w, so there is one such place.
    """
    if ga + (wb - wa) ** 2 * up < gb:
        return wb + (gb - ga - (wb - wa) ** 2 * up) / (2.0 * up * (wb - wa))
    if ga > gb + (wb - wa) ** 2 * down:
        return wa - (ga - gb - (wb - wa) ** 2 * down) / (2.0 * down * (wb - wa))
    # Between the two: ga + up (w - wa)^2 = gb + down (wb - w)^2, written so that nothing cancels.
    d = wb - wa
    c = ga - gb - down * d * d
    half = down * d
    x = -c / (half + sqrt(max(0.0, half * half - (up - down) * c)))
    return wa + min(max(x, 0.0), d)


@njit(cache=True, nogil=True)
def _nearest_on_segment(ga, ya, gb, yb):
    """Return the squared distance of the segment (ga, ya)-(gb, yb) from the origin."""
    eg = gb - ga
    ey = yb - ya
    length = eg * eg + ey * ey
    t = 0.0
    if length > 0.0:
        t = min(1.0, max(0.0, -(ga * eg + ya * ey) / length))
    g = ga + t * eg
    y = ya + t * ey
    return g * g + y * y


@njit(cache=True, nogil=True)
def _on_surface(ga, wa, gb, wb, w, margin_up, margin_down):
    """Return the squared gauge from height `w` to the surface that runs straight from source `a` up to source `b`."""
    ga = max(ga, 0.0)
    gb = max(gb, 0.0)
    if wb <= w:
        return _nearest_on_segment(ga, (w - wa) / margin_up, gb, (w - wb) / margin_up)
    if wa >= w:
        return _nearest_on_segment(ga, (wa - w) / margin_down, gb, (wb - w) / margin_down)
    here = ga + (gb - ga) * (w - wa) / (wb - wa)
    below = _nearest_on_segment(ga, (w - wa) / margin_up, here, 0.0)
    return min(below, _nearest_on_segment(here, 0.0, gb, (wb - w) / margin_down))


@njit(cache=True, nogil=True)
def across_planes(fields, sources, targets, bracket, weight, margin_up, margin_down, first_row, stop_row, out):
    """Carry the in-plane gauge of each source plane across the planes: least of all bids, at each target plane.

    Felzenszwalb and Huttenlocher's lower envelope with parabolas of two sides, in linear time; each winner is then
    refined on the surface that runs straight to its neighbours, so that planes may be far apart.

    `fields` (sources, rows, columns): as `gauge_field` writes; `sources`, `targets`: ascending heights in mm;
    `bracket`, `weight`: the source below each target (-1 for none) and how far it lies towards the next. `out`
    (targets, rows, columns): the gauge; where the target lies inside, the negative in-plane measure. Only the rows from
    `first_row` to before `stop_row` are worked on, so that threads can share a field.
    """
    n = sources.size
    up = 1.0 / (margin_up * margin_up)
    down = 1.0 / (margin_down * margin_down)
    stack = np.empty(n, np.int64)
    since = np.empty(n + 1)
    squared = np.empty(n)
    for j in range(first_row, stop_row):
        for i in range(fields.shape[2]):
            top = -1
            for q in range(n):
                g = fields[q, j, i]
                if g >= 1e29:
                    continue
                squared[q] = max(g, 0.0) ** 2
                while top >= 0:
                    at = _crossing(squared[stack[top]], sources[stack[top]], squared[q], sources[q], up, down)
                    if at > since[top]:
                        break
                    top -= 1
                top += 1
                stack[top] = q
                since[top] = at if top > 0 else -_FAR
            if top < 0:
                for t in range(targets.size):
                    out[t, j, i] = _FAR
                continue
            k = 0
            for t in range(targets.size):
                w = targets[t]
                while k < top and since[k + 1] < w:
                    k += 1
                q = stack[k]
                b = bracket[t]
                if b >= 0:
                    g0 = fields[b, j, i]
                    g1 = fields[min(b + 1, n - 1), j, i]
                    if (g0 < 0.0 or weight[t] == 1.0) and (g1 < 0.0 or weight[t] == 0.0):
                        inner = (1.0 - weight[t]) * max(g0, -1e6) + weight[t] * max(g1, -1e6)
                        out[t, j, i] = inner
                        continue
                dw = w - sources[q]
                best = squared[q] + dw * dw * (up if dw > 0.0 else down)
                for other in (q - 1, q + 1):
                    if 0 <= other < n and fields[other, j, i] < 1e29:
                        a = min(q, other)
                        bid = _on_surface(
                            fields[a, j, i], sources[a], fields[a + 1, j, i], sources[a + 1], w, margin_up, margin_down
                        )
                        best = min(best, bid)
                out[t, j, i] = sqrt(best)
