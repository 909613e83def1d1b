"""The least of all planes' bids at each height: a lower envelope of parabolas whose two sides differ."""

from math import sqrt

import numpy as np
from numba import njit

_FAR = 1e30
_BIDS = 1e29
_MOST = 1e3


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
def _refined(values, sources, q, w, best, margin_up, margin_down, near):
    """Return the squared gauge to the surface that runs straight from source `q` to the planes beside it."""
    here = sqrt(best)
    if here < 1.0 - near:
        return best
    for other in (q - 1, q + 1):
        if not 0 <= other < sources.size or values[other] >= _BIDS:
            continue
        a = min(q, other)
        rise = (sources[a + 1] - sources[a]) / (margin_up if w > sources[q] else margin_down)
        # Nowhere is the piece between the two nearer than by its own length.
        if here - abs(max(values[a + 1], 0.0) - max(values[a], 0.0)) - rise > 1.0 + near:
            continue
        bid = _on_surface(values[a], sources[a], values[a + 1], sources[a + 1], w, margin_up, margin_down)
        best = min(best, bid)
    return best


@njit(cache=True, nogil=True)
def _live(fields, j, lists, counts):
    """List, for each column of a row, the sources that can be cheapest somewhere.

    A source inside whose two neighbours are inside is cheapest nowhere that matters: between such planes all is inside.
    """
    n = fields.shape[1]
    columns = fields.shape[2]
    counts[:] = 0
    for q in range(n):
        below = max(q - 1, 0)
        above = min(q + 1, n - 1)
        ends = q == 0 or q == n - 1
        for i in range(columns):
            g = fields[j, q, i]
            if g >= _BIDS:
                continue
            if g <= 0.0 and not ends and fields[j, below, i] <= 0.0 and fields[j, above, i] <= 0.0:
                continue
            lists[i, counts[i]] = q
            counts[i] += 1


@njit(cache=True, nogil=True)
def _envelope(live, count, values, squared, sources, up, down, stack, since):
    """Write which of a column's live sources are cheapest where, and from what height on; return how many."""
    top = -1
    for a in range(count):
        q = live[a]
        squared[q] = max(values[q], 0.0) ** 2
        at = -_FAR
        while top >= 0:
            at = _crossing(squared[stack[top]], sources[stack[top]], squared[q], sources[q], up, down)
            if at > since[top]:
                break
            top -= 1
        top += 1
        stack[top] = q
        since[top] = at if top > 0 else -_FAR
    since[top + 1] = _FAR
    return top + 1


@njit(cache=True, nogil=True)
def _start_row(fields, j, bracket, weight, sign, out):
    """Write where targets lie inside, with the in-plane measure, and that all else is far away."""
    n = fields.shape[1]
    for t in range(bracket.size):
        b = bracket[t]
        share = weight[t]
        for i in range(fields.shape[2]):
            out[t, j, i] = sign * _MOST
        if b < 0:
            continue
        c = min(b + 1, n - 1)
        for i in range(fields.shape[2]):
            g0 = fields[j, b, i]
            g1 = fields[j, c, i]
            if (g0 < 0.0 or share == 1.0) and (g1 < 0.0 or share == 0.0):
                inner = (1.0 - share) * max(g0, -_MOST) + share * max(g1, -_MOST)
                out[t, j, i] = sign * max(inner - 1.0, -_MOST)


@njit(cache=True, nogil=True)
def across_planes(
    fields, sources, targets, bracket, weight, margin_up, margin_down, near, sign, first_row, stop_row, out
):
    """Carry the in-plane gauge of each source plane across the planes: least of all bids, at each target plane.

    Felzenszwalb and Huttenlocher's lower envelope with parabolas of two sides, in linear time; each winner is then
    refined on the surface that runs straight to its neighbours, so that planes may be far apart.

    `fields` (rows, sources, columns): as `gauge_field` writes; `sources`, `targets`: ascending heights in mm;
    `bracket`, `weight`: the source below each target (-1 for none) and how far it lies towards the next. `near`: only
    gauges that may lie nearer to 1 than this are exact. `out` (targets, rows, columns): ``sign * (gauge - 1)``, at
    most 1000 either way; where the target lies inside, with the negative in-plane measure as gauge. Only the rows from
    `first_row` to before `stop_row` are worked on, so that threads can share a field.
    """
    n = sources.size
    columns = fields.shape[2]
    up = 1.0 / (margin_up * margin_up)
    down = 1.0 / (margin_down * margin_down)
    stack = np.empty(n, np.int64)
    since = np.empty(n + 1)
    squared = np.empty(n)
    lists = np.empty((columns, n), np.int32)
    counts = np.empty(columns, np.int64)
    # The surface between two planes may be nearer than either.
    rise = np.zeros(n + 1)
    rise[1:n] = sources[1:] - sources[:-1]
    first = np.searchsorted(targets, sources - margin_down * (1.0 + near) - rise[:n])
    last = np.searchsorted(targets, sources + margin_up * (1.0 + near) + rise[1:], side="right") - 1
    for j in range(first_row, stop_row):
        _start_row(fields, j, bracket, weight, sign, out)
        _live(fields, j, lists, counts)
        for i in range(columns):
            if counts[i] == 0:
                continue
            values = fields[j, :, i]
            found = _envelope(lists[i], counts[i], values, squared, sources, up, down, stack, since)
            for k in range(found):
                q = stack[k]
                for t in range(first[q], last[q] + 1):
                    w = targets[t]
                    if w <= since[k]:
                        continue
                    if w > since[k + 1]:
                        break
                    b = bracket[t]
                    if b >= 0:
                        lower = values[b] < 0.0 or weight[t] == 1.0
                        if lower and (values[min(b + 1, n - 1)] < 0.0 or weight[t] == 0.0):
                            continue
                    dw = w - sources[q]
                    best = squared[q] + dw * dw * (up if dw > 0.0 else down)
                    best = _refined(values, sources, q, w, best, margin_up, margin_down, near)
                    out[t, j, i] = sign * min(sqrt(best) - 1.0, _MOST)
