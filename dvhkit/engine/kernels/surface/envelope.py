"""The least of all planes' bids at each height: a lower envelope of parabolas whose two sides differ."""

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, making_kernel

_FAR = 1e30
_BIDS = 1e29
_MOST = 1e3


@helper
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


@helper
def _towards(ga, ya, gb, yb):
    """Return the squared distance from the origin of the segment that runs from (ga, ya) to (gb, yb)."""
    eg = gb - ga
    ey = yb - ya
    falls = -(ga * eg + ya * ey)
    if falls <= 0.0:
        return ga * ga + ya * ya
    t = min(1.0, falls / (eg * eg + ey * ey))
    g = ga + t * eg
    y = ya + t * ey
    return g * g + y * y


@helper
def _bid_between(here, there, from_here, from_there, per_up, per_down):
    """Return the squared gauge, at a height, to the surface that runs straight from one source plane to another.

    `here`, `there`: the two gauges in their planes; `from_here`, `from_there`: how far the height lies above them.
    """
    if from_here * from_there >= 0.0:
        per = per_up if from_here + from_there > 0.0 else per_down
        return _towards(here, from_here * per, there, from_there * per)
    # The height lies between the two: the surface crosses it there.
    crossing = here + (there - here) * from_here / (from_here - from_there)
    a = from_here * (per_up if from_here > 0.0 else per_down)
    b = from_there * (per_up if from_there > 0.0 else per_down)
    return min(_towards(here, a, crossing, 0.0), _towards(there, b, crossing, 0.0))


@helper
def _refined(values, sources, q, w, best, per_up, per_down, near):
    """Return the squared gauge to the surface that runs straight from source `q` to the planes beside it."""
    if near < 1.0 and best < (1.0 - near) ** 2:
        return best
    here = max(values[q], 0.0)
    below = values[q - 1] if q > 0 else _FAR
    above = values[q + 1] if q + 1 < sources.size else _FAR
    if min(here, below, above) > 1.0 + near:
        return best
    if below < _BIDS:
        bid = _bid_between(here, max(below, 0.0), w - sources[q], w - sources[q - 1], per_up, per_down)
        best = min(best, bid)
    if above < _BIDS:
        bid = _bid_between(here, max(above, 0.0), w - sources[q], w - sources[q + 1], per_up, per_down)
        best = min(best, bid)
    return best


@helper
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


@helper
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


@helper
def _start_row(fields, j, between, weight, sign, out):
    """Write where targets lie inside, with the in-plane measure, and that all else is far away."""
    for t in range(weight.size):
        a = between[t, 0]
        b = between[t, 1]
        share = weight[t]
        for i in range(fields.shape[2]):
            out[t, j, i] = sign * _MOST
        if a < 0:
            continue
        for i in range(fields.shape[2]):
            g0 = fields[j, a, i]
            g1 = fields[j, b, i]
            if g0 < 0.0 and g1 < 0.0:
                inner = (1.0 - share) * max(g0, -_MOST) + share * max(g1, -_MOST)
                out[t, j, i] = sign * max(inner - 1.0, -_MOST)


@making_kernel
def across_planes(fields, sources, targets, between, weight, margins, near, sign, rows, out):
    """Carry the in-plane gauge of each source plane across the planes: least of all bids, at each target plane.

    Felzenszwalb and Huttenlocher's lower envelope with parabolas of two sides, in linear time; each winner is then
    refined on the surface that runs straight to its neighbours, so that planes may be far apart.

    `fields` (rows, sources, columns): as `gauge_field` writes; `sources`, `targets`: ascending heights in mm;
    `between` (targets, 2), `weight`: the sources below and above each target, the same one twice where it lies on it
    and -1 for none, and how far it lies towards the upper. `near`: only
    gauges that may lie nearer to 1 than this are exact. `out` (targets, rows, columns): ``sign * (gauge - 1)``, at
    most 1000 either way; where the target lies inside, with the negative in-plane measure as gauge. `margins`: upwards
    and downwards. Only the `rows` from the first to before the second are worked on, so that threads can share a field.
    """
    margin_up, margin_down = margins
    first_row, stop_row = rows
    n = sources.size
    columns = fields.shape[2]
    per_up = 1.0 / margin_up
    per_down = 1.0 / margin_down
    up = per_up * per_up
    down = per_down * per_down
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
        _start_row(fields, j, between, weight, sign, out)
        _live(fields, j, lists, counts)
        for i in range(columns):
            if counts[i] == 0:
                continue
            values = fields[j, :, i]
            found = _envelope(lists[i], counts[i], values, squared, sources, up, down, stack, since)
            t = 0
            for k in range(found):
                q = stack[k]
                t = max(t, first[q])
                while t <= last[q] and targets[t] <= since[k]:
                    t += 1
                while t <= last[q] and targets[t] <= since[k + 1]:
                    a = between[t, 0]
                    if a < 0 or values[a] >= 0.0 or values[between[t, 1]] >= 0.0:
                        dw = targets[t] - sources[q]
                        best = squared[q] + dw * dw * (up if dw > 0.0 else down)
                        best = _refined(values, sources, q, targets[t], best, per_up, per_down, near)
                        out[t, j, i] = sign * min(sqrt(best) - 1.0, _MOST)
                    t += 1
