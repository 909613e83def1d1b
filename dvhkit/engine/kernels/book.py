"""Book what sections cover: volume by dose, or the filled share of each cell. Also the dose on a solid's walls.

A section is a plane's coverage as kernel `coverage` writes it: covered area of each cell and its first moments, in cell
units. Slabs of a section, sorted by height, fill layers; a layer's cells are booked when it is complete.
"""

from math import ceil, floor, sqrt

import numpy as np
from numba import njit


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
            layer[row, column, 0] += volume
            if covered == 1.0:
                # The middle of a full cell needs no moments; sections may leave them out.
                layer[row, column, 1] += 0.5 * dz
                layer[row, column, 2] += 0.5 * dz
            else:
                layer[row, column, 1] += area[1, row, column] * dz
                layer[row, column, 2] += area[2, row, column] * dz
            layer[row, column, 3] += volume * zc
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

    `hist` (bins, 9): change of slope of the cumulative volume, that times its place, that times half its place
    squared (so that three running sums give volume and dose integral up to any bin edge); volume and dose integral
    of pieces narrower than a bin; volume, dose integral, least and greatest dose of pieces at one dose.
    """
    n = hist.shape[0]
    scale = n / (high - low) if high > low else 0.0
    x = min(max(dose - low, 0.0), high - low)
    width = min(width, 2.0 * x, 2.0 * (high - low - x))
    middle = min(int(x * scale), n - 1)
    if width <= 1e-9 * abs(dose):
        if hist[middle, 5] == 0.0:
            hist[middle, 7] = dose
            hist[middle, 8] = dose
        hist[middle, 5] += volume
        hist[middle, 6] += volume * (dose - low)
        hist[middle, 7] = min(hist[middle, 7], dose)
        hist[middle, 8] = max(hist[middle, 8], dose)
    elif width * scale < 0.5:
        hist[middle, 3] += volume
        hist[middle, 4] += volume * x
    else:
        slope = volume / width
        a = x - 0.5 * width
        b = x + 0.5 * width
        ka = min(max(int(a * scale), 0), n - 1)
        kb = min(max(int(b * scale), 0), n - 1)
        hist[ka, 0] += slope
        hist[ka, 1] += slope * a
        hist[ka, 2] += 0.5 * slope * a * a
        hist[kb, 0] -= slope
        hist[kb, 1] -= slope * b
        hist[kb, 2] -= 0.5 * slope * b * b


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
def _share(start, size, low, high):
    """Share of the stretch from `start` to ``start + size`` that lies between `low` and `high`."""
    inside = min(start + size, high) - max(start, low)
    return 1.0 if inside >= size * (1.0 - 1e-9) else max(0.0, inside / size)


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
    rim,
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
            filled = layer[row, column, 0]
            if filled <= 0.0:
                continue
            if filled >= hw * (1.0 - 1e-12):
                cu = 0.5
                cv = 0.5
                w = 0.5 * (w0 + w1)
            else:
                part = 1.0 / filled
                cu = min(max(layer[row, column, 1] * part, 0.0), 1.0)
                cv = min(max(layer[row, column, 2] * part, 0.0), 1.0)
                w = min(max(layer[row, column, 3] * part, w0), w1)
            for a in range(4):
                layer[row, column, a] = 0.0
            volume = filled * cell
            totals[0] += volume
            u = origin[0] + hu * (column + cu)
            v = origin[1] + hv * (row + cv)
            share = _share(origin[0] + hu * column, hu, rim[0], rim[1])
            share *= _share(origin[1] + hv * row, hv, rim[2], rim[3])
            if share <= 0.0:
                continue
            if share < 1.0:
                u = min(max(u, rim[0]), rim[1])
                v = min(max(v, rim[2]), rim[3])
                volume *= share
            if not _dose_at(dose, offsets, half_end, to_dose, u, v, w, out):
                continue
            totals[1] += volume
            totals[2] += volume * sqrt(out[1] * out[1] + out[2] * out[2] + out[3] * out[3])
            d = out[0]
            # A part of a cell reaches about as far beyond its centroid as the nearer face lies: exact for a part cut
            # off along an axis, and never out of the cell.
            su = out[1] * hu * 2.0 * min(cu, 1.0 - cu)
            sv = out[2] * hv * 2.0 * min(cv, 1.0 - cv)
            sw = out[3] * 2.0 * min(w - w0, w1 - w)
            width = sqrt(su * su + sv * sv + sw * sw)
            fraction = min(1.0, filled / hw)
            _deposit(hist, low, high, d, width, volume)
            if fraction > 0.05:
                # How far a cut cell reaches towards the cut: 0.5 of the width if that lies across an axis, 0.35 if
                # across a diagonal. Slivers are left out: their centroid is uncertain, and their neighbours show more.
                reach = 0.35 * width if fraction > 0.5 else 0.0
                extremes[0] = min(extremes[0], max(low, d - reach))
                extremes[1] = max(extremes[1], min(high, d + reach))
            if fraction > 1.0 - 1e-9:
                reach = abs(su) + abs(sv) + abs(sw)
                if d + reach > extremes[1] or d - reach < extremes[0]:
                    _corners(dose, offsets, half_end, to_dose, u - hu * cu, v - hv * cv, w0, w1, hu, hv, out, extremes)
        layer_first[row] = layer.shape[1]
        layer_last[row] = -1


@njit(cache=True, nogil=True)
def book_dose(
    sections,
    first,
    last,
    slab_section,
    slab_lo,
    slab_hi,
    slab_layer,
    layer_edges,
    origin,
    step,
    dose,
    offsets,
    half_end,
    to_dose,
    rim,
    low,
    high,
    layer,
    layer_first,
    layer_last,
    open_layer,
    final,
    hist,
    totals,
    extremes,
):
    """Add slabs to their layers and book the dose of each layer that is complete.

    `rim` (least and greatest u, least and greatest v): where the outermost voxels end; a cell across it has dose in
    its share within.

    `slab_section` names the section of each slab, `slab_layer` its layer; both ascend. Unless `final`, the last layer
    stays open for the next call in `layer`, `layer_first`, `layer_last`, its number in `open_layer` (1,). Outputs:
    `hist` (bins, 9) as in `_deposit`; `totals`: volume, volume with dose (mm3), and volume times dose gradient
    (Gy mm2); `extremes`: least and greatest dose met.
    """
    for s in range(slab_lo.size):
        if open_layer[0] >= 0 and slab_layer[s] != open_layer[0]:
            _book_layer(
                layer,
                layer_first,
                layer_last,
                layer_edges[open_layer[0]],
                layer_edges[open_layer[0] + 1],
                origin,
                step,
                dose,
                offsets,
                half_end,
                to_dose,
                rim,
                low,
                high,
                hist,
                totals,
                extremes,
            )
        open_layer[0] = slab_layer[s]
        section = slab_section[s]
        _add_slab(
            sections[section],
            first[section],
            last[section],
            layer,
            layer_first,
            layer_last,
            slab_hi[s] - slab_lo[s],
            0.5 * (slab_lo[s] + slab_hi[s]),
        )
    if final and open_layer[0] >= 0:
        _book_layer(
            layer,
            layer_first,
            layer_last,
            layer_edges[open_layer[0]],
            layer_edges[open_layer[0] + 1],
            origin,
            step,
            dose,
            offsets,
            half_end,
            to_dose,
            rim,
            low,
            high,
            hist,
            totals,
            extremes,
        )


@njit(cache=True, nogil=True)
def book_field(sections, first, last, slab_section, slab_lo, slab_hi, slab_layer, layer_edges, field):
    """Add slabs to `field` (layers, rows, columns): the filled share of each cell of each layer."""
    for s in range(slab_lo.size):
        section = slab_section[s]
        index = slab_layer[s]
        share = (slab_hi[s] - slab_lo[s]) / (layer_edges[index + 1] - layer_edges[index])
        for row in range(first.shape[1]):
            for column in range(first[section, row], last[section, row] + 1):
                covered = min(1.0, max(0.0, sections[section, 0, row, column]))
                field[index, row, column] += covered * share


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


@njit(cache=True, nogil=True)
def point_extremes(points, dose, offsets, half_end, to_dose, extremes):
    """Widen `extremes` by the dose at single points (u, v, w) of the surface."""
    out = np.empty(4)
    for p in range(points.shape[0]):
        if _dose_at(dose, offsets, half_end, to_dose, points[p, 0], points[p, 1], points[p, 2], out):
            extremes[0] = min(extremes[0], out[0])
            extremes[1] = max(extremes[1], out[0])
