"""Exact coverage of lattice cells by polygons, layer by layer, and what becomes of it: a DVH or a voxel field.

Lattice coordinates: cell ``[row, column]`` spans ``[column, column + 1] x [row, row + 1]``. Rings arrive oriented:
anticlockwise (positive shoelace area) adds, clockwise takes away.
"""

from math import ceil, floor, sqrt

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _piece(acc, row, column, xa, ya, xb, yb, sign):
    """Book the part of an edge that lies in one cell: what it covers to its right, and that part's moments."""
    xa -= column
    xb -= column
    ya -= row
    yb -= row
    dy = sign * (yb - ya)
    ym = 0.5 * (ya + yb)
    acc[0, row, column] += dy
    acc[1, row, column] += dy * ym
    acc[2, row, column] += dy * (1.0 - 0.5 * (xa + xb))
    acc[3, row, column] += dy * (0.5 - (xa * xa + xa * xb + xb * xb) / 6.0)
    acc[4, row, column] += dy * (ym - (2.0 * (xa * ya + xb * yb) + xa * yb + xb * ya) / 6.0)


@njit(cache=True, nogil=True)
def _edge(acc, first, last, x0, y0, x1, y1):
    """Walk one edge through the cells it crosses."""
    if y0 == y1:
        return
    sign = 1.0
    if y1 > y0:
        sign = -1.0
    else:
        x0, y0, x1, y1 = x1, y1, x0, y0
    slope = (x1 - x0) / (y1 - y0)
    row_end = ceil(y1)
    for row in range(floor(y0), row_end):
        ya = max(y0, float(row))
        yb = min(y1, row + 1.0)
        if yb <= ya:
            continue
        xa = x0 if ya == y0 else x0 + (ya - y0) * slope
        xb = x1 if yb == y1 else x0 + (yb - y0) * slope
        ca = floor(xa)
        cb = floor(xb)
        lo = min(ca, cb)
        hi = max(ca, cb)
        if lo < first[row]:
            first[row] = lo
        if hi > last[row]:
            last[row] = hi
        if ca == cb:
            _piece(acc, row, ca, xa, ya, xb, yb, sign)
            continue
        rise = (yb - ya) / (xb - xa)
        xp = xa
        yp = ya
        if cb > ca:
            for column in range(ca, cb):
                yn = min(yb, max(yp, ya + (column + 1.0 - xa) * rise))
                _piece(acc, row, column, xp, yp, column + 1.0, yn, sign)
                xp = column + 1.0
                yp = yn
        else:
            for column in range(ca, cb, -1):
                yn = min(yb, max(yp, ya + (column - xa) * rise))
                _piece(acc, row, column, xp, yp, float(column), yn, sign)
                xp = float(column)
                yp = yn
        _piece(acc, row, cb, xp, yp, xb, yb, sign)


@njit(cache=True, nogil=True)
def coverage(points, ring_start, ring_lo, ring_hi, acc, first, last, area):
    """Fill `area[0:3]` with covered area and its first moments in each cell for rings ``ring_lo:ring_hi``.

    `area` (3, rows, columns): covered area, and the integrals of x and y over it, in cell units from the cell's
    corner; cells outside ``first[row]..last[row]`` are left as they are and count as empty. `acc` (5, rows, columns)
    is scratch that must be zero and is handed back zero. Returns the greatest amount by which an area leaves [0, 1].
    """
    n_rows = first.size
    for row in range(n_rows):
        first[row] = acc.shape[2]
        last[row] = -1
    for ring in range(ring_lo, ring_hi):
        begin = ring_start[ring]
        end = ring_start[ring + 1]
        x0 = points[end - 1, 0]
        y0 = points[end - 1, 1]
        for p in range(begin, end):
            x1 = points[p, 0]
            y1 = points[p, 1]
            _edge(acc, first, last, x0, y0, x1, y1)
            x0 = x1
            y0 = y1
    excess = 0.0
    for row in range(n_rows):
        carry = 0.0
        carry_y = 0.0
        for column in range(first[row], last[row] + 1):
            covered = carry + acc[2, row, column]
            excess = max(excess, covered - 1.0, -covered)
            area[0, row, column] = covered
            area[1, row, column] = 0.5 * carry + acc[3, row, column]
            area[2, row, column] = carry_y + acc[4, row, column]
            carry += acc[0, row, column]
            carry_y += acc[1, row, column]
            for a in range(5):
                acc[a, row, column] = 0.0
    return excess


@njit(cache=True, nogil=True)
def _add_slab(area, first, last, layer, layer_first, layer_last, dz, zc):
    """Add a slab of height `dz` and mid-height `zc` with the given section to the layer's volumes and moments."""
    for row in range(first.size):
        if last[row] < 0:
            continue
        for column in range(first[row], last[row] + 1):
            covered = min(1.0, max(0.0, area[0, row, column]))
            if covered <= 0.0:
                continue
            volume = covered * dz
            layer[0, row, column] += volume
            layer[1, row, column] += area[1, row, column] * dz
            layer[2, row, column] += area[2, row, column] * dz
            layer[3, row, column] += volume * zc
        layer_first[row] = min(layer_first[row], first[row])
        layer_last[row] = max(layer_last[row], last[row])


@njit(cache=True, nogil=True)
def _dose_at(dose, offsets, half_end, to_dose, u, v, w, out):
    """Write dose and its gradient along u, v, w to `out`; return False beyond the outer faces of the voxels."""
    nk, nj, ni = dose.shape
    ci = to_dose[0, 0] * u + to_dose[0, 1] * v + to_dose[0, 2] * w + to_dose[0, 3]
    cj = to_dose[1, 0] * u + to_dose[1, 1] * v + to_dose[1, 2] * w + to_dose[1, 3]
    cn = to_dose[2, 0] * u + to_dose[2, 1] * v + to_dose[2, 2] * w + to_dose[2, 3]
    tol = 1e-6
    if ci < -0.5 - tol or ci > ni - 0.5 + tol or cj < -0.5 - tol or cj > nj - 0.5 + tol:
        return False
    if cn < offsets[0] - half_end[0] - tol or cn > offsets[nk - 1] + half_end[1] + tol:
        return False
    i = min(max(floor(ci), 0), max(ni - 2, 0))
    j = min(max(floor(cj), 0), max(nj - 2, 0))
    k = 0
    if nk > 1:
        k = int((cn - offsets[0]) * (nk - 1) / (offsets[nk - 1] - offsets[0]))
        k = min(max(k, 0), nk - 2)
        while k > 0 and cn < offsets[k]:
            k -= 1
        while k < nk - 2 and cn > offsets[k + 1]:
            k += 1
    i1 = min(i + 1, ni - 1)
    j1 = min(j + 1, nj - 1)
    k1 = min(k + 1, nk - 1)
    gap = offsets[k1] - offsets[k] if k1 > k else 1.0
    fi = ci - i
    fj = cj - j
    fk = (cn - offsets[k]) / gap
    si = 1.0
    sj = 1.0
    sk = 1.0 / gap
    # The outer half voxel takes the value of the outermost centres: no data lie beyond them.
    if fi < 0.0 or fi > 1.0 or i1 == i:
        fi = min(max(fi, 0.0), 1.0)
        si = 0.0
    if fj < 0.0 or fj > 1.0 or j1 == j:
        fj = min(max(fj, 0.0), 1.0)
        sj = 0.0
    if fk < 0.0 or fk > 1.0 or k1 == k:
        fk = min(max(fk, 0.0), 1.0)
        sk = 0.0
    d000 = dose[k, j, i]
    d001 = dose[k, j, i1]
    d010 = dose[k, j1, i]
    d011 = dose[k, j1, i1]
    d100 = dose[k1, j, i]
    d101 = dose[k1, j, i1]
    d110 = dose[k1, j1, i]
    d111 = dose[k1, j1, i1]
    a00 = d000 + fi * (d001 - d000)
    a01 = d010 + fi * (d011 - d010)
    a10 = d100 + fi * (d101 - d100)
    a11 = d110 + fi * (d111 - d110)
    b0 = a00 + fj * (a01 - a00)
    b1 = a10 + fj * (a11 - a10)
    gi0 = (d001 - d000) + fj * ((d011 - d010) - (d001 - d000))
    gi1 = (d101 - d100) + fj * ((d111 - d110) - (d101 - d100))
    gi = si * (gi0 + fk * (gi1 - gi0))
    gj = sj * ((a01 - a00) + fk * ((a11 - a10) - (a01 - a00)))
    gk = sk * (b1 - b0)
    out[0] = b0 + fk * (b1 - b0)
    out[1] = gi * to_dose[0, 0] + gj * to_dose[1, 0] + gk * to_dose[2, 0]
    out[2] = gi * to_dose[0, 1] + gj * to_dose[1, 1] + gk * to_dose[2, 1]
    out[3] = gi * to_dose[0, 2] + gj * to_dose[1, 2] + gk * to_dose[2, 2]
    return True


@njit(cache=True, nogil=True)
def _deposit(hist, low, high, dose, width, volume):
    """Book `volume` spread evenly over `width` around `dose`.

    `hist` (9, bins): change of slope of the cumulative volume, that times its place, that times half its place
    squared (so that three running sums give volume and dose integral up to any bin edge); volume and dose integral
    of pieces narrower than a bin; volume, dose integral, least and greatest dose of pieces at one dose.
    """
    n = hist.shape[1]
    scale = n / (high - low) if high > low else 0.0
    x = min(max(dose - low, 0.0), high - low)
    width = min(width, 2.0 * x, 2.0 * (high - low - x))
    middle = min(int(x * scale), n - 1)
    if width <= 1e-9 * abs(dose):
        if hist[5, middle] == 0.0:
            hist[7, middle] = dose
            hist[8, middle] = dose
        hist[5, middle] += volume
        hist[6, middle] += volume * (dose - low)
        hist[7, middle] = min(hist[7, middle], dose)
        hist[8, middle] = max(hist[8, middle], dose)
    elif width * scale < 0.5:
        hist[3, middle] += volume
        hist[4, middle] += volume * x
    else:
        slope = volume / width
        a = x - 0.5 * width
        b = x + 0.5 * width
        ka = min(max(int(a * scale), 0), n - 1)
        kb = min(max(int(b * scale), 0), n - 1)
        hist[0, ka] += slope
        hist[1, ka] += slope * a
        hist[2, ka] += 0.5 * slope * a * a
        hist[0, kb] -= slope
        hist[1, kb] -= slope * b
        hist[2, kb] -= 0.5 * slope * b * b


@njit(cache=True, nogil=True)
def _corners(dose, offsets, half_end, to_dose, u, v, w0, w1, hu, hv, out, extremes):
    """Let the eight corners of a cell that lies wholly inside count for the extremes."""
    for corner in range(8):
        uc = u + hu * (corner & 1)
        vc = v + hv * ((corner >> 1) & 1)
        wc = w1 if corner & 4 else w0
        if _dose_at(dose, offsets, half_end, to_dose, uc, vc, wc, out):
            extremes[0] = min(extremes[0], out[0])
            extremes[1] = max(extremes[1], out[0])


@njit(cache=True, nogil=True)
def _book_layer(
    layer,
    layer_first,
    layer_last,
    w0,
    w1,
    origin,
    step,
    dose,
    offsets,
    half_end,
    to_dose,
    low,
    high,
    hist,
    totals,
    extremes,
):
    """Evaluate the dose of each covered cell of a layer, book it, and hand the layer back empty."""
    out = np.empty(4)
    hu = step[0]
    hv = step[1]
    hw = w1 - w0
    cell = hu * hv
    for row in range(layer_first.size):
        for column in range(layer_first[row], layer_last[row] + 1):
            filled = layer[0, row, column]
            if filled <= 0.0:
                continue
            cu = min(max(layer[1, row, column] / filled, 0.0), 1.0)
            cv = min(max(layer[2, row, column] / filled, 0.0), 1.0)
            w = min(max(layer[3, row, column] / filled, w0), w1)
            for a in range(4):
                layer[a, row, column] = 0.0
            volume = filled * cell
            totals[0] += volume
            u = origin[0] + hu * (column + cu)
            v = origin[1] + hv * (row + cv)
            if not _dose_at(dose, offsets, half_end, to_dose, u, v, w, out):
                continue
            totals[1] += volume
            d = out[0]
            # A part of a cell reaches about as far beyond its centroid as the nearer face lies: exact for a part cut
            # off along an axis, and never out of the cell.
            su = out[1] * hu * 2.0 * min(cu, 1.0 - cu)
            sv = out[2] * hv * 2.0 * min(cv, 1.0 - cv)
            sw = out[3] * 2.0 * min(w - w0, w1 - w)
            width = sqrt(su * su + sv * sv + sw * sw)
            fraction = min(1.0, filled / hw)
            _deposit(hist, low, high, d, width, volume)
            extremes[0] = min(extremes[0], d)
            extremes[1] = max(extremes[1], d)
            if fraction > 1.0 - 1e-9:
                reach = abs(su) + abs(sv) + abs(sw)
                if d + reach > extremes[1] or d - reach < extremes[0]:
                    _corners(dose, offsets, half_end, to_dose, u - hu * cu, v - hv * cv, w0, w1, hu, hv, out, extremes)
        layer_first[row] = layer.shape[2]
        layer_last[row] = -1


@njit(cache=True, nogil=True)
def _fill_layer(
    points,
    ring_start,
    plane_ring,
    slab_lo,
    slab_hi,
    w0,
    w1,
    state,
    acc,
    first,
    last,
    area,
    layer,
    layer_first,
    layer_last,
    excess,
):
    """Sum the slabs that reach into a layer. `state`: the plane whose section `area` holds, the first plane to try."""
    n_planes = slab_lo.size
    touched = False
    plane = state[1]
    while plane < n_planes and slab_hi[plane] <= w0:
        plane += 1
    state[1] = plane
    while plane < n_planes and slab_lo[plane] < w1:
        lo = max(w0, slab_lo[plane])
        hi = min(w1, slab_hi[plane])
        if hi > lo:
            if state[0] != plane:
                excess[plane] = coverage(
                    points, ring_start, plane_ring[plane], plane_ring[plane + 1], acc, first, last, area
                )
                state[0] = plane
            _add_slab(area, first, last, layer, layer_first, layer_last, hi - lo, 0.5 * (lo + hi))
            touched = True
        plane += 1
    return touched


@njit(cache=True, nogil=True)
def accumulate_dvh(
    points,
    ring_start,
    plane_ring,
    slab_lo,
    slab_hi,
    layer_edges,
    n_rows,
    n_columns,
    origin,
    step,
    dose,
    offsets,
    half_end,
    to_dose,
    low,
    high,
    hist,
    totals,
    extremes,
    excess,
):
    """Stream the layers of a stack of prisms and book each covered cell's dose.

    Outputs: `hist` (9, bins) as in `_deposit`; `totals`: volume, volume with dose, in mm3; `extremes`: least and
    greatest dose met; `excess` (planes,): by how much a plane's coverage left [0, 1].
    """
    acc = np.zeros((5, n_rows, n_columns))
    area = np.zeros((3, n_rows, n_columns))
    layer = np.zeros((4, n_rows, n_columns))
    first = np.empty(n_rows, np.int64)
    last = np.empty(n_rows, np.int64)
    layer_first = np.full(n_rows, n_columns, np.int64)
    layer_last = np.full(n_rows, -1, np.int64)
    state = np.zeros(2, np.int64)
    state[0] = -1
    for index in range(layer_edges.size - 1):
        w0 = layer_edges[index]
        w1 = layer_edges[index + 1]
        if _fill_layer(
            points,
            ring_start,
            plane_ring,
            slab_lo,
            slab_hi,
            w0,
            w1,
            state,
            acc,
            first,
            last,
            area,
            layer,
            layer_first,
            layer_last,
            excess,
        ):
            _book_layer(
                layer,
                layer_first,
                layer_last,
                w0,
                w1,
                origin,
                step,
                dose,
                offsets,
                half_end,
                to_dose,
                low,
                high,
                hist,
                totals,
                extremes,
            )


@njit(cache=True, nogil=True)
def accumulate_field(points, ring_start, plane_ring, slab_lo, slab_hi, layer_edges, n_rows, n_columns, field, excess):
    """Fill `field` (layers, rows, columns) with the covered fraction of each cell of each layer."""
    acc = np.zeros((5, n_rows, n_columns))
    area = np.zeros((3, n_rows, n_columns))
    layer = np.zeros((4, n_rows, n_columns))
    first = np.empty(n_rows, np.int64)
    last = np.empty(n_rows, np.int64)
    layer_first = np.full(n_rows, n_columns, np.int64)
    layer_last = np.full(n_rows, -1, np.int64)
    state = np.zeros(2, np.int64)
    state[0] = -1
    for index in range(layer_edges.size - 1):
        w0 = layer_edges[index]
        w1 = layer_edges[index + 1]
        _fill_layer(
            points,
            ring_start,
            plane_ring,
            slab_lo,
            slab_hi,
            w0,
            w1,
            state,
            acc,
            first,
            last,
            area,
            layer,
            layer_first,
            layer_last,
            excess,
        )
        for row in range(n_rows):
            for column in range(layer_first[row], layer_last[row] + 1):
                field[index, row, column] = min(1.0, layer[0, row, column] / (w1 - w0))
                for a in range(4):
                    layer[a, row, column] = 0.0
            layer_first[row] = n_columns
            layer_last[row] = -1


@njit(cache=True, nogil=True)
def surface_extremes(
    points,
    ring_start,
    plane_ring,
    slab_lo,
    slab_hi,
    levels,
    origin,
    step,
    spacing,
    dose,
    offsets,
    half_end,
    to_dose,
    extremes,
):
    """Widen `extremes` by the dose on the walls of the prisms: along each edge, at each slab's ends and `levels`."""
    out = np.empty(4)
    level = 0
    for plane in range(slab_lo.size):
        lo = slab_lo[plane]
        hi = slab_hi[plane]
        while level < levels.size and levels[level] <= lo:
            level += 1
        for ring in range(plane_ring[plane], plane_ring[plane + 1]):
            end = ring_start[ring + 1]
            x0 = origin[0] + step[0] * points[end - 1, 0]
            y0 = origin[1] + step[1] * points[end - 1, 1]
            for p in range(ring_start[ring], end):
                x1 = origin[0] + step[0] * points[p, 0]
                y1 = origin[1] + step[1] * points[p, 1]
                length = sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)
                n = max(1, ceil(length / spacing))
                for s in range(1, n + 1):
                    x = x0 + (x1 - x0) * s / n
                    y = y0 + (y1 - y0) * s / n
                    z = lo
                    next_level = level
                    while True:
                        if _dose_at(dose, offsets, half_end, to_dose, x, y, z, out):
                            extremes[0] = min(extremes[0], out[0])
                            extremes[1] = max(extremes[1], out[0])
                        if z >= hi:
                            break
                        if next_level < levels.size and levels[next_level] < hi:
                            z = levels[next_level]
                            next_level += 1
                        else:
                            z = hi
                x0 = x1
                y0 = y1
