"""Book what fills the layers: volume by dose, or the filled share of each cell."""

from math import floor, sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, inlined, kernel, making_kernel


@inlined
def _plane_below(offsets, cn):
    """Index of the dose plane below offset `cn`, of the last but one at most."""
    nk = offsets.size
    if nk == 1:
        return 0
    k = int((cn - offsets[0]) * (nk - 1) / (offsets[nk - 1] - offsets[0]))
    k = min(max(k, 0), nk - 2)
    while k > 0 and cn < offsets[k]:
        k -= 1
    while k < nk - 2 and cn > offsets[k + 1]:
        k += 1
    return k


@helper
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
    k = _plane_below(offsets, cn)
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


@inlined
def _deposit(slopes, points, low, span, scale, dose, width, volume):
    """Book `volume` spread evenly over `width` around `dose`.

    `slopes` (bins, 3): change of slope of the cumulative volume, that times its place, that times half its place
    squared (so that three running sums give volume and dose integral up to any bin edge). `points` (bins, 6): volume
    and dose integral of pieces narrower than a bin; volume, dose integral, least and greatest dose of pieces at one
    dose. Most pieces are spread, and find what they write to close together. `span`: what the bins reach over from
    `low` on; `scale`: bins for each Gy.
    """
    n = slopes.shape[0]
    x = min(max(dose - low, 0.0), span)
    width = min(width, 2.0 * x, 2.0 * (span - x))
    if width <= 1e-9 * abs(dose):
        middle = min(int(x * scale), n - 1)
        if points[middle, 2] == 0.0:
            points[middle, 4] = dose
            points[middle, 5] = dose
        points[middle, 2] += volume
        points[middle, 3] += volume * (dose - low)
        points[middle, 4] = min(points[middle, 4], dose)
        points[middle, 5] = max(points[middle, 5], dose)
    elif width * scale < 0.5:
        middle = min(int(x * scale), n - 1)
        points[middle, 0] += volume
        points[middle, 1] += volume * x
    else:
        slope = volume / width
        a = x - 0.5 * width
        b = x + 0.5 * width
        ka = min(max(int(a * scale), 0), n - 1)
        kb = min(max(int(b * scale), 0), n - 1)
        slopes[ka, 0] += slope
        slopes[ka, 1] += slope * a
        slopes[ka, 2] += 0.5 * slope * a * a
        slopes[kb, 0] -= slope
        slopes[kb, 1] -= slope * b
        slopes[kb, 2] -= 0.5 * slope * b * b


@helper
def _corners(dose, offsets, half_end, to_dose, corner_at, size, out, extremes):
    """Let the eight corners of a cell that lies wholly inside count for the extremes, from its lower corner on."""
    u, v, w = corner_at
    for corner in range(8):
        uc = u + size[0] * (corner & 1)
        vc = v + size[1] * ((corner >> 1) & 1)
        wc = w + size[2] * ((corner >> 2) & 1)
        if _dose_at(dose, offsets, half_end, to_dose, uc, vc, wc, out):
            extremes[0] = min(extremes[0], out[0])
            extremes[1] = max(extremes[1], out[0])


@inlined
def _share(start, size, low, high):
    """Share of the stretch from `start` to ``start + size`` that lies between `low` and `high`."""
    inside = min(start + size, high) - max(start, low)
    return 1.0 if inside >= size * (1.0 - 1e-9) else max(0.0, inside / size)


@helper
def _node_line(dose, rounded, rounds, to_dose, offsets, v, w, first, last, line):
    """Write dose and its slopes along v and w at the nodes ``first..last`` of the row of voxels through (v, w).

    For lattices along the axes of the dose, u along columns. `line` (nodes, 5): the fourth, where `rounds`, what the
    rounded dose has more; the last, how the slope along v changes with w.
    """
    nk, nj, _ = dose.shape
    cj = to_dose[1, 1] * v + to_dose[1, 3]
    cn = to_dose[2, 2] * w + to_dose[2, 3]
    j = min(max(floor(cj), 0), max(nj - 2, 0))
    k = _plane_below(offsets, cn)
    j1 = min(j + 1, nj - 1)
    k1 = min(k + 1, nk - 1)
    gap = offsets[k1] - offsets[k] if k1 > k else 1.0
    fj = cj - j
    fk = (cn - offsets[k]) / gap
    sj = to_dose[1, 1]
    sk = to_dose[2, 2] / gap
    # The outer half voxel takes the value of the outermost centres: no data lie beyond them.
    if fj < 0.0 or fj > 1.0 or j1 == j:
        fj = min(max(fj, 0.0), 1.0)
        sj = 0.0
    if fk < 0.0 or fk > 1.0 or k1 == k:
        fk = min(max(fk, 0.0), 1.0)
        sk = 0.0
    for i in range(first, last + 1):
        d00 = dose[k, j, i]
        d01 = dose[k, j1, i]
        d10 = dose[k1, j, i]
        d11 = dose[k1, j1, i]
        b0 = d00 + fj * (d01 - d00)
        b1 = d10 + fj * (d11 - d10)
        line[i, 0] = b0 + fk * (b1 - b0)
        line[i, 1] = sj * ((d01 - d00) + fk * ((d11 - d10) - (d01 - d00)))
        line[i, 2] = sk * (b1 - b0)
        line[i, 3] = 0.0
        line[i, 4] = sj * sk * ((d11 - d10) - (d01 - d00))
    if not rounds:
        return
    for i in range(first, last + 1):
        b0 = rounded[k, j, i] + fj * (rounded[k, j1, i] - rounded[k, j, i])
        b1 = rounded[k1, j, i] + fj * (rounded[k1, j1, i] - rounded[k1, j, i])
        line[i, 3] = b0 + fk * (b1 - b0) - line[i, 0]


@helper
def _twist(line, first, last, slope, size):
    """Most by which the dose at a corner of a cell of the row may leave that of its gradient, nodes ``first..last``."""
    most = 0.0
    for i in range(first, last):
        vw = max(abs(line[i, 4]), abs(line[i + 1, 4])) * size[1] * size[2]
        uv = abs(line[i + 1, 1] - line[i, 1]) * size[0] * size[1]
        uw = abs(line[i + 1, 2] - line[i, 2]) * size[0] * size[2]
        uvw = abs(line[i + 1, 4] - line[i, 4]) * size[0] * size[1] * size[2]
        most = max(most, 0.25 * (vw + abs(slope) * (uv + uw + 0.5 * uvw)))
    return most


@inlined
def _from_line(line, to_dose, u):
    """Return dose, its gradient along u, v, w, and what the rounded dose has more, from a line of nodes."""
    n = line.shape[0]
    ci = to_dose[0, 0] * u + to_dose[0, 3]
    i = min(max(floor(ci), 0), max(n - 2, 0))
    i1 = min(i + 1, n - 1)
    f = ci - i
    slope = to_dose[0, 0]
    if f < 0.0 or f > 1.0 or i1 == i:
        f = min(max(f, 0.0), 1.0)
        slope = 0.0
    rise = line[i1, 0] - line[i, 0]
    return (
        line[i, 0] + f * rise,
        slope * rise,
        line[i, 1] + f * (line[i1, 1] - line[i, 1]),
        line[i, 2] + f * (line[i1, 2] - line[i, 2]),
        line[i, 3] + f * (line[i1, 3] - line[i, 3]),
    )


@helper
def _line_cells(line, to_dose, size, twist, count, full):
    """Complete `full` (7, cells) for the first `count` full cells of a row, whose middles lie on the line.

    Given: where they begin along u, and how high they are filled. Written: dose in the middle, over how much it
    spreads, how steep it is, how far a corner may leave it, and what the rounded dose has more. Apart from all that is
    written to many places, the processor does several cells at once.
    """
    hu, hv, hw = size[0], size[1], size[2]
    for n in range(count):
        d, gu, gv, gw, shift = _from_line(line, to_dose, full[0, n] + 0.5 * hu)
        su = gu * hu
        sv = gv * hv
        sw = gw * hw
        full[2, n] = d
        full[3, n] = sqrt(su * su + sv * sv + sw * sw)
        full[4, n] = sqrt(gu * gu + gv * gv + gw * gw)
        full[5, n] = 0.5 * (abs(su) + abs(sv) + abs(sw)) + twist
        full[6, n] = shift


@inlined
def _beside_line(line, to_dose, u, dv, dw):
    """Return what `_from_line` does, at `dv` and `dw` from the line: within one voxel a trilinear dose has no more."""
    n = line.shape[0]
    ci = to_dose[0, 0] * u + to_dose[0, 3]
    i = min(max(floor(ci), 0), max(n - 2, 0))
    i1 = min(i + 1, n - 1)
    f = ci - i
    slope = to_dose[0, 0]
    if f < 0.0 or f > 1.0 or i1 == i:
        f = min(max(f, 0.0), 1.0)
        slope = 0.0
    both = dv * dw
    here = line[i, 0] + dv * line[i, 1] + dw * line[i, 2] + both * line[i, 4]
    rise = line[i1, 0] + dv * line[i1, 1] + dw * line[i1, 2] + both * line[i1, 4] - here
    twist = line[i, 4] + f * (line[i1, 4] - line[i, 4])
    return (
        here + f * rise,
        slope * rise,
        line[i, 1] + f * (line[i1, 1] - line[i, 1]) + dw * twist,
        line[i, 2] + f * (line[i1, 2] - line[i, 2]) + dv * twist,
        line[i, 3] + f * (line[i1, 3] - line[i, 3]),
    )


@inlined
def _part_reach(gu, gv, gw, size, place):
    """Return over how much dose a cut cell with its centroid at `place` (shares of its size) spreads.

    A part of a cell reaches about as far beyond its centroid as the nearer face lies: exact for a part cut off along
    an axis, and never out of the cell.
    """
    along_u = gu * size[0] * 2.0 * min(place[0], 1.0 - place[0])
    along_v = gv * size[1] * 2.0 * min(place[1], 1.0 - place[1])
    along_w = gw * size[2] * 2.0 * min(place[2], 1.0 - place[2])
    return sqrt(along_u * along_u + along_v * along_v + along_w * along_w)


@inlined
def _inside_rim(u, v, size, rim):
    """Share of a cell, given its lower corner, that lies within the outermost voxels."""
    return _share(u, size[0], rim[0], rim[1]) * _share(v, size[1], rim[2], rim[3])


@inlined
def _value_at(dose, offsets, half_end, to_dose, u, v, w):
    """Dose at a point, NaN beyond the outer faces of the voxels."""
    nk, nj, ni = dose.shape
    ci = to_dose[0, 0] * u + to_dose[0, 1] * v + to_dose[0, 2] * w + to_dose[0, 3]
    cj = to_dose[1, 0] * u + to_dose[1, 1] * v + to_dose[1, 2] * w + to_dose[1, 3]
    cn = to_dose[2, 0] * u + to_dose[2, 1] * v + to_dose[2, 2] * w + to_dose[2, 3]
    tol = 1e-6
    if ci < -0.5 - tol or ci > ni - 0.5 + tol or cj < -0.5 - tol or cj > nj - 0.5 + tol:
        return np.nan
    if cn < offsets[0] - half_end[0] - tol or cn > offsets[nk - 1] + half_end[1] + tol:
        return np.nan
    i = min(max(floor(ci), 0), max(ni - 2, 0))
    j = min(max(floor(cj), 0), max(nj - 2, 0))
    k = _plane_below(offsets, cn)
    i1 = min(i + 1, ni - 1)
    j1 = min(j + 1, nj - 1)
    k1 = min(k + 1, nk - 1)
    fi = min(max(ci - i, 0.0), 1.0)
    fj = min(max(cj - j, 0.0), 1.0)
    fk = min(max((cn - offsets[k]) / (offsets[k1] - offsets[k]), 0.0), 1.0) if k1 > k else 0.0
    a00 = dose[k, j, i] + fi * (dose[k, j, i1] - dose[k, j, i])
    a01 = dose[k, j1, i] + fi * (dose[k, j1, i1] - dose[k, j1, i])
    a10 = dose[k1, j, i] + fi * (dose[k1, j, i1] - dose[k1, j, i])
    a11 = dose[k1, j1, i] + fi * (dose[k1, j1, i1] - dose[k1, j1, i])
    b0 = a00 + fj * (a01 - a00)
    b1 = a10 + fj * (a11 - a10)
    return b0 + fk * (b1 - b0)


@inlined
def _clear(part, moment, run, first, last):
    """Empty the columns ``first..last`` of a row of a layer."""
    for column in range(first, last + 1):
        if part[column] != 0.0:
            part[column] = 0.0
            moment[column, 0] = 0.0
            moment[column, 1] = 0.0
            moment[column, 2] = 0.0
        run[column, 0] = 0.0
        run[column, 1] = 0.0
    run[last + 1, 0] = 0.0
    run[last + 1, 1] = 0.0


@helper
def _book(layers, begin, stop, cells, field, ids, rounds, sums, work):
    """Do what `book_layers` says.

    `work`: dose and gradient, size of a cell, place in it, a row of nodes, and a row of full cells, see `_line_cells`.
    """
    edges, origin, step = cells
    dose, rounded, offsets, half_end, to_dose, rim, low, high = field
    slopes, points, totals, extremes, shifts, rounded_extremes = sums
    one, two = layers
    in_both, in_one, in_two = ids
    slots = one.part.shape[0]
    n_rows = one.span.shape[1]
    n_columns = one.part.shape[2]
    out, size, place, line, full = work
    size[0] = step[0]
    size[1] = step[1]
    base = step[0] * step[1]
    ni = dose.shape[2]
    is_axial = rim[0] > -np.inf and to_dose[0, 0] != 0.0 and to_dose[1, 1] != 0.0 and to_dose[2, 2] != 0.0
    span = high - low
    scale = slopes.shape[1] / span if span > 0.0 else 0.0
    shift_scale = shifts.shape[0] / span if span > 0.0 else 0.0
    hu = step[0]
    hv = step[1]
    shift = 0.0
    twist = 0.0
    # Most cells are full, in all solids: their sums are numbers of their own, since arrays had to be written each time.
    most_in = in_one if in_two < 0 else in_both
    most_slopes = slopes[most_in]
    most_points = points[most_in]
    most_extremes = extremes[most_in]
    filled_mm3 = 0.0
    steepness = 0.0
    least = most_extremes[0]
    most = most_extremes[1]
    for index in range(begin, stop):
        slot = index % slots
        w0 = edges[index]
        w1 = edges[index + 1]
        hw = w1 - w0
        size[2] = hw
        middle = 0.5 * (w0 + w1)
        cn = to_dose[2, 2] * middle + to_dose[2, 3]
        is_full_from = hw * (1.0 - 1e-12)
        for row in range(n_rows):
            first = one.span[slot, row, 0]
            last = one.span[slot, row, 1]
            one.span[slot, row, 0] = n_columns
            one.span[slot, row, 1] = -1
            if in_two >= 0:
                first = min(first, two.span[slot, row, 0])
                last = max(last, two.span[slot, row, 1])
                two.span[slot, row, 0] = n_columns
                two.span[slot, row, 1] = -1
            if last < 0:
                continue
            part = one.part[slot, row]
            moment = one.moment[slot, row]
            run = one.run[slot, row]
            other_part = two.part[slot, row]
            other_moment = two.moment[slot, row]
            other_run = two.run[slot, row]
            u0 = origin[0] + step[0] * first
            v0 = origin[1] + step[1] * row
            u1 = origin[0] + step[0] * (last + 1)
            # Full cells wholly inside the voxels share the line of nodes through their middles.
            in_line = (
                is_axial
                and v0 >= rim[2]
                and v0 + step[1] <= rim[3]
                and offsets[0] - half_end[0] <= cn <= offsets[offsets.size - 1] + half_end[1]
            )
            if in_line:
                ia = to_dose[0, 0] * u0 + to_dose[0, 3]
                ib = to_dose[0, 0] * u1 + to_dose[0, 3]
                node = min(max(floor(min(ia, ib)), 0), ni - 1)
                last_node = min(max(floor(max(ia, ib)) + 1, 0), ni - 1)
                _node_line(
                    dose,
                    rounded,
                    rounds,
                    to_dose,
                    offsets,
                    v0 + 0.5 * step[1],
                    middle,
                    node,
                    last_node,
                    line,
                )
                twist = _twist(line, node, last_node, to_dose[0, 0], size)
            height_one = 0.0
            raised_one = 0.0
            height_two = 0.0
            raised_two = 0.0
            n_full = 0
            for column in range(first, last + 1):
                height_one += run[column, 0]
                raised_one += run[column, 1]
                filled_one = height_one + part[column]
                count = 1
                to_one = in_one
                filled_two = 0.0
                if in_two >= 0:
                    height_two += other_run[column, 0]
                    raised_two += other_run[column, 1]
                    filled_two = height_two + other_part[column]
                    count = 2
                    if filled_one >= is_full_from and filled_two >= is_full_from:
                        to_one = in_both
                        count = 1
                u = origin[0] + step[0] * column
                is_in_line = in_line and u >= rim[0] and u + hu <= rim[1]
                if is_in_line and count == 1 and filled_one >= is_full_from:
                    full[0, n_full] = u
                    full[1, n_full] = filled_one
                    n_full += 1
                    continue
                for which in range(count):
                    filled = filled_one
                    to = to_one
                    if which == 1:
                        filled = filled_two
                        to = in_two
                    if filled <= hw * 1e-12:
                        continue
                    volume = base * filled
                    totals[to, 0] += volume
                    share = 1.0
                    is_full = filled >= is_full_from
                    w = middle
                    if not is_full:
                        inverse = 1.0 / filled
                        if which == 0:
                            place[0] = (moment[column, 0] + 0.5 * height_one) * inverse
                            place[1] = (moment[column, 1] + 0.5 * height_one) * inverse
                            w = (moment[column, 2] + raised_one) * inverse
                        else:
                            place[0] = (other_moment[column, 0] + 0.5 * height_two) * inverse
                            place[1] = (other_moment[column, 1] + 0.5 * height_two) * inverse
                            w = (other_moment[column, 2] + raised_two) * inverse
                        place[0] = min(max(place[0], 0.0), 1.0)
                        place[1] = min(max(place[1], 0.0), 1.0)
                        w = min(max(w, w0), w1)
                        place[2] = (w - w0) / hw
                    if is_in_line:
                        if is_full:
                            d, gu, gv, gw, shift = _from_line(line, to_dose, u + 0.5 * hu)
                        else:
                            dv = hv * (place[1] - 0.5)
                            d, gu, gv, gw, shift = _beside_line(line, to_dose, u + hu * place[0], dv, w - middle)
                    else:
                        share = _inside_rim(u, v0, size, rim)
                        if share <= 0.0:
                            continue
                        if is_full:
                            place[0] = 0.5
                            place[1] = 0.5
                        uc = min(max(u + hu * place[0], rim[0]), rim[1])
                        vc = min(max(v0 + hv * place[1], rim[2]), rim[3])
                        if not _dose_at(dose, offsets, half_end, to_dose, uc, vc, w, out):
                            continue
                        d, gu, gv, gw = out[0], out[1], out[2], out[3]
                        if rounds and in_line:
                            # It varies little within a cell.
                            shift = _from_line(line, to_dose, uc)[4]
                        elif rounds:
                            shift = _value_at(rounded, offsets, half_end, to_dose, uc, vc, w) - d
                    volume *= share
                    totals[to, 1] += volume
                    totals[to, 2] += volume * sqrt(gu * gu + gv * gv + gw * gw)
                    if rounds and which == 0:
                        n = min(max(int((d - low) * shift_scale), 0), shifts.shape[0] - 1)
                        shifts[n, 0] += volume
                        shifts[n, 1] += volume * shift
                    if is_full:
                        su = gu * hu
                        sv = gv * hv
                        sw = gw * hw
                        _deposit(slopes[to], points[to], low, span, scale, d, sqrt(su * su + sv * sv + sw * sw), volume)
                        reach = 0.5 * (abs(su) + abs(sv) + abs(sw)) + twist
                        if d + reach > extremes[to, 1] or d - reach < extremes[to, 0]:
                            _corners(dose, offsets, half_end, to_dose, (u, v0, w0), size, out, extremes[to])
                        if rounds and which == 0:
                            d += shift
                            if d + reach > rounded_extremes[1] or d - reach < rounded_extremes[0]:
                                _corners(rounded, offsets, half_end, to_dose, (u, v0, w0), size, out, rounded_extremes)
                        continue
                    width = _part_reach(gu, gv, gw, size, place)
                    _deposit(slopes[to], points[to], low, span, scale, d, width, volume)
                    fraction = filled / hw
                    if fraction > 0.05:
                        # How far a cut cell reaches towards the cut: 0.5 of the width if that lies across an axis, 0.35
                        # if across a diagonal. Slivers are left out: their centroid is uncertain, and their neighbours
                        # show more.
                        reach = 0.35 * width if fraction > 0.5 else 0.0
                        extremes[to, 0] = min(extremes[to, 0], max(low, d - reach))
                        extremes[to, 1] = max(extremes[to, 1], min(high, d + reach))
                        if rounds and which == 0:
                            rounded_extremes[0] = min(rounded_extremes[0], d + shift)
                            rounded_extremes[1] = max(rounded_extremes[1], d + shift)
            _line_cells(line, to_dose, size, twist, n_full, full)
            for n in range(n_full):
                volume = base * full[1, n]
                filled_mm3 += volume
                steepness += volume * full[4, n]
                d = full[2, n]
                reach = full[5, n]
                _deposit(most_slopes, most_points, low, span, scale, d, full[3, n], volume)
                if d + reach > most or d - reach < least:
                    # Cut cells may have written there, too.
                    most_extremes[0] = min(most_extremes[0], least)
                    most_extremes[1] = max(most_extremes[1], most)
                    _corners(dose, offsets, half_end, to_dose, (full[0, n], v0, w0), size, out, most_extremes)
                    least = most_extremes[0]
                    most = most_extremes[1]
                if rounds:
                    shift = full[6, n]
                    group = min(max(int((d - low) * shift_scale), 0), shifts.shape[0] - 1)
                    shifts[group, 0] += volume
                    shifts[group, 1] += volume * shift
                    d += shift
                    if d + reach > rounded_extremes[1] or d - reach < rounded_extremes[0]:
                        at = (full[0, n], v0, w0)
                        _corners(rounded, offsets, half_end, to_dose, at, size, out, rounded_extremes)
            _clear(part, moment, run, first, last)
            if in_two >= 0:
                _clear(other_part, other_moment, other_run, first, last)
    totals[most_in, 0] += filled_mm3
    totals[most_in, 1] += filled_mm3
    totals[most_in, 2] += steepness
    most_extremes[0] = min(most_extremes[0], least)
    most_extremes[1] = max(most_extremes[1], most)


@making_kernel
def book_layers(layers, begin, stop, cells, field, ids, rounds, sums):
    """Evaluate the dose of each covered cell of the layers ``begin:stop`` of one or two solids, and book it.

    The layers are handed back empty.

    Parameters
    ----------
    layers
        A pair of `Layers`, of the same slots; see kernel `reconstruct`.
    cells, field, sums
        See `buffers`.
    ids
        Which sums count the cells that are full in both solids, all others of the first, and all others of the second:
        -1 where there is no second.
    rounds
        Whether to note what the rounded dose has more than the dose, in the cells of the first solid.
    """
    rows = (np.empty((field.values.shape[2], 5)), np.empty((7, layers[0].part.shape[2])))
    work = (np.empty(4), np.empty(3), np.empty(3), *rows)
    _book(layers, begin, stop, cells, field, ids, rounds, sums, work)


@kernel
def book_field(layers, begin, stop, edges, field):
    """Write to `field` (layers, rows, columns) the filled share of each cell of the layers ``begin:stop``."""
    slots = layers.part.shape[0]
    for index in range(begin, stop):
        slot = index % slots
        hw = edges[index + 1] - edges[index]
        for row in range(layers.span.shape[1]):
            height = 0.0
            last = layers.span[slot, row, 1]
            for column in range(layers.span[slot, row, 0], last + 1):
                height += layers.run[slot, row, column, 0]
                filled = height + layers.part[slot, row, column]
                if filled > hw * 1e-12:
                    field[index, row, column] = min(1.0, filled / hw)
                layers.part[slot, row, column] = 0.0
                layers.moment[slot, row, column] = 0.0
                layers.run[slot, row, column] = 0.0
            if last >= 0:
                layers.run[slot, row, last + 1] = 0.0
            layers.span[slot, row, 0] = layers.part.shape[2]
            layers.span[slot, row, 1] = -1
