"""Least and greatest dose where a solid begins and in what was drawn for certain: walls, points, sections."""

from math import ceil, floor, sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, inlined, kernel, making_kernel

# Columns of voxels that are looked at together.
BLOCK = 16


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


@inlined
def _step_of(c, n):
    """Return the node below the place `c` among `n` nodes, the next one, and how far on the way to it `c` is."""
    at = min(max(floor(c), 0), max(n - 2, 0))
    return at, min(at + 1, n - 1), min(max(c - at, 0.0), 1.0)


@inlined
def _place_of(shape, offsets, half_end, to_dose, u, v, w):
    """Return which nodes lie around a point, and how far on the way from each to the next it is; -1 first outside."""
    nk, nj, ni = shape
    ci = to_dose[0, 0] * u + to_dose[0, 1] * v + to_dose[0, 2] * w + to_dose[0, 3]
    cj = to_dose[1, 0] * u + to_dose[1, 1] * v + to_dose[1, 2] * w + to_dose[1, 3]
    cn = to_dose[2, 0] * u + to_dose[2, 1] * v + to_dose[2, 2] * w + to_dose[2, 3]
    tol = 1e-6
    beside = ci < -0.5 - tol or ci > ni - 0.5 + tol or cj < -0.5 - tol or cj > nj - 0.5 + tol
    if beside or cn < offsets[0] - half_end[0] - tol or cn > offsets[nk - 1] + half_end[1] + tol:
        return -1, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0
    i, i1, fi = _step_of(ci, ni)
    j, j1, fj = _step_of(cj, nj)
    k = _plane_below(offsets, cn)
    k1 = min(k + 1, nk - 1)
    fk = min(max((cn - offsets[k]) / (offsets[k1] - offsets[k]), 0.0), 1.0) if k1 > k else 0.0
    if fk == 1.0:
        return k1, k1, j, j1, i, i1, 0.0, fj, fi
    return k, k1, j, j1, i, i1, fk, fj, fi


@inlined
def _mixed(values, place):
    """Trilinear value between eight nodes."""
    k, k1, j, j1, i, i1, fk, fj, fi = place
    a00 = values[k, j, i] + fi * (values[k, j, i1] - values[k, j, i])
    a01 = values[k, j1, i] + fi * (values[k, j1, i1] - values[k, j1, i])
    b0 = a00 + fj * (a01 - a00)
    if fk == 0.0:
        return b0
    a10 = values[k1, j, i] + fi * (values[k1, j, i1] - values[k1, j, i])
    a11 = values[k1, j1, i] + fi * (values[k1, j1, i1] - values[k1, j1, i])
    return b0 + fk * (a10 + fj * (a11 - a10) - b0)


@helper
def _is_in_line(to_dose):
    """Whether a lattice runs along the axes of the dose."""
    turned = 0.0
    for a in range(3):
        for b in range(3):
            turned += abs(to_dose[a, b]) if a != b else 0.0
    return turned < 1e-12


@helper
def _heights_of_walls(lo, hi, levels, first, heights):
    """Write to `heights` where walls from `lo` to `hi` are looked at: at both ends and at the levels between."""
    heights[0] = lo
    count = 1
    while lo < hi and first < levels.size and levels[first] < hi:
        heights[count] = levels[first]
        count += 1
        first += 1
    if lo < hi:
        heights[count] = hi
        count += 1
    return count


@helper
def _on_walls(points, rings, slabs, levels, cells, field, blocks, rounds, work, extremes):
    """Do what `surface_extremes` says; `work`: heights, and the dose planes below them."""
    ring_start, plane_ring = rings
    slab_lo, slab_hi = slabs
    _, origin, step = cells
    dose, rounded, offsets, half_end, to_dose, _, _, _ = field
    spacing = min(step[0], step[1])
    heights, below = work
    looks_up = blocks.shape[0] > 0 and _is_in_line(to_dose)
    _, nj, ni = dose.shape
    level = 0
    for plane in range(slab_lo.size):
        lo = slab_lo[plane]
        least = extremes[plane, 0]
        most = extremes[plane, 1]
        round_least = extremes[plane, 2]
        round_most = extremes[plane, 3]
        while level < levels.size and levels[level] <= lo:
            level += 1
        count = _heights_of_walls(lo, slab_hi[plane], levels, level, heights)
        for m in range(count):
            below[m] = _plane_below(offsets, to_dose[2, 2] * heights[m] + to_dose[2, 3])
        for ring in range(plane_ring[plane], plane_ring[plane + 1]):
            end = ring_start[ring + 1]
            x0 = origin[0] + step[0] * points[end - 1, 0]
            y0 = origin[1] + step[1] * points[end - 1, 1]
            for p in range(ring_start[ring], end):
                x1 = origin[0] + step[0] * points[p, 0]
                y1 = origin[1] + step[1] * points[p, 1]
                n = max(1, ceil(sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2) / spacing))
                for s in range(1, n + 1):
                    u = x0 + (x1 - x0) * s / n
                    v = y0 + (y1 - y0) * s / n
                    if looks_up:
                        i = _step_of(to_dose[0, 0] * u + to_dose[0, 3], ni)[0] // BLOCK
                        j = _step_of(to_dose[1, 1] * v + to_dose[1, 3], nj)[0]
                        some = False
                        for m in range(count):
                            some |= (blocks[below[m], j, i, 0] < least) | (blocks[below[m], j, i, 1] > most)
                        if not some:
                            continue
                    for m in range(count):
                        place = _place_of(dose.shape, offsets, half_end, to_dose, u, v, heights[m])
                        if place[0] < 0:
                            continue
                        here = _mixed(dose, place)
                        least = min(least, here)
                        most = max(most, here)
                        if rounds:
                            here = _mixed(rounded, place)
                            round_least = min(round_least, here)
                            round_most = max(round_most, here)
                x0 = x1
                y0 = y1
        extremes[plane, 0] = least
        extremes[plane, 1] = most
        extremes[plane, 2] = round_least
        extremes[plane, 3] = round_most


@making_kernel
def surface_extremes(points, rings, slabs, levels, cells, field, blocks, rounds, extremes):
    """Widen `extremes` (planes, 4) by the dose on walls, and by the rounded dose where `rounds`.

    Along each edge, at its ends and at `levels`. Where `blocks` is not empty, walls are passed over that lie in blocks
    which tell nothing new of the dose; see `block_extremes`. `points` in
    cell units; `rings`: where rings and planes begin; `slabs`: where each plane's walls begin and end.
    """
    work = (np.empty(levels.size + 2), np.empty(levels.size + 2, np.int64))
    _on_walls(points, rings, slabs, levels, cells, field, blocks, rounds, work, extremes)


@kernel
def point_extremes(points, dose, field, extremes):
    """Widen `extremes` by the dose at single points (u, v, w) of the surface."""
    offsets, half_end, to_dose = field.offsets, field.half_end, field.to_dose
    for p in range(points.shape[0]):
        place = _place_of(dose.shape, offsets, half_end, to_dose, points[p, 0], points[p, 1], points[p, 2])
        if place[0] < 0:
            continue
        here = _mixed(dose, place)
        extremes[0] = min(extremes[0], here)
        extremes[1] = max(extremes[1], here)


@inlined
def _tells(block, extremes):
    """Whether what lies within the bounds `block` may widen `extremes`."""
    of_dose = (block[0] < extremes[0, 0]) | (block[1] > extremes[0, 1])
    return of_dose | (block[2] < extremes[1, 0]) | (block[3] > extremes[1, 1])


@kernel
def block_extremes(values, rounded, blocks):
    """Write least and greatest dose, and rounded dose, of each block between voxel centres to `blocks`.

    `blocks` (planes, rows, blocks, 4): of the centres of two planes, two rows, and `BLOCK` columns and the next.
    """
    nk, nj, ni = values.shape
    for k in range(nk):
        for j in range(nj):
            for b in range(blocks.shape[2]):
                low = np.inf
                high = -np.inf
                round_low = np.inf
                round_high = -np.inf
                for i in range(b * BLOCK, min((b + 1) * BLOCK + 1, ni)):
                    low = min(low, values[k, j, i])
                    high = max(high, values[k, j, i])
                    round_low = min(round_low, rounded[k, j, i])
                    round_high = max(round_high, rounded[k, j, i])
                blocks[k, j, b, 0] = low
                blocks[k, j, b, 1] = high
                blocks[k, j, b, 2] = round_low
                blocks[k, j, b, 3] = round_high
    # Later rows and planes have not been taken together yet when they are looked at.
    for axis in range(2):
        for k in range(nk - (axis == 1)):
            for j in range(nj - (axis == 0)):
                for b in range(blocks.shape[2]):
                    for a in range(0, 4, 2):
                        k1 = k + axis
                        j1 = j + 1 - axis
                        blocks[k, j, b, a] = min(blocks[k, j, b, a], blocks[k1, j1, b, a])
                        blocks[k, j, b, a + 1] = max(blocks[k, j, b, a + 1], blocks[k1, j1, b, a + 1])


@helper
def _note_crossings(points, begin, end, winding, firsts, lasts):
    """Note where the middles of rows cross a ring: +1 in the first column inside it, -1 in the first beyond."""
    n_rows = winding.shape[0]
    n_columns = winding.shape[1] - 1
    x0 = points[end - 1, 0]
    y0 = points[end - 1, 1]
    for p in range(begin, end):
        x1 = points[p, 0]
        y1 = points[p, 1]
        turn = 1 if y1 < y0 else -1
        for row in range(max(0, ceil(min(y0, y1) - 0.5)), min(n_rows, ceil(max(y0, y1) - 0.5))):
            column = ceil(x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0) - 0.5)
            column = min(max(column, 0), n_columns)
            winding[row, column] += turn
            firsts[row] = min(firsts[row], column)
            lasts[row] = max(lasts[row], column)
        x0 = x1
        y0 = y1


@helper
def _in_sections(points, rings, heights, cells, field, blocks, work, extremes):
    """Do what `section_extremes` says; `work`: changes of winding, first and last column of each row, none so far."""
    ring_start, plane_ring = rings
    _, origin, step = cells
    dose, rounded, offsets, half_end, to_dose, _, _, _ = field
    winding, firsts, lasts = work
    n_rows = firsts.size
    n_columns = winding.shape[1] - 1
    _, nj, ni = dose.shape
    # Along the axes of the dose a row of cells runs through one row of blocks.
    in_line = _is_in_line(to_dose)
    for plane in range(heights.size):
        w = heights[plane]
        cn = to_dose[2, 2] * w + to_dose[2, 3]
        for ring in range(plane_ring[plane], plane_ring[plane + 1]):
            _note_crossings(points, ring_start[ring], ring_start[ring + 1], winding, firsts, lasts)
        for row in range(n_rows):
            v = origin[1] + step[1] * (row + 0.5)
            first = firsts[row]
            last = lasts[row]
            firsts[row] = n_columns
            lasts[row] = -1
            if last < 0:
                continue
            if in_line:
                block_row = blocks[_plane_below(offsets, cn), _step_of(to_dose[1, 1] * v + to_dose[1, 3], nj)[0]]
                ia = to_dose[0, 0] * (origin[0] + step[0] * first) + to_dose[0, 3]
                ib = to_dose[0, 0] * (origin[0] + step[0] * (last + 1)) + to_dose[0, 3]
                some = False
                for b in range(_step_of(min(ia, ib), ni)[0] // BLOCK, _step_of(max(ia, ib), ni)[0] // BLOCK + 1):
                    some |= _tells(block_row[b], extremes)
                if not some:
                    for column in range(first, last + 1):
                        winding[row, column] = 0
                    continue
            inside = 0
            known = -1
            tells = True
            for column in range(first, last + 1):
                inside += winding[row, column]
                winding[row, column] = 0
                if inside <= 0 or column == n_columns:
                    continue
                u = origin[0] + step[0] * (column + 0.5)
                if in_line:
                    b = _step_of(to_dose[0, 0] * u + to_dose[0, 3], ni)[0] // BLOCK
                    if b != known:
                        known = b
                        tells = _tells(block_row[b], extremes)
                    if not tells:
                        continue
                place = _place_of(dose.shape, offsets, half_end, to_dose, u, v, w)
                if place[0] < 0:
                    continue
                here = _mixed(dose, place)
                other = _mixed(rounded, place)
                extremes[0, 0] = min(extremes[0, 0], here)
                extremes[0, 1] = max(extremes[0, 1], here)
                extremes[1, 0] = min(extremes[1, 0], other)
                extremes[1, 1] = max(extremes[1, 1], other)


@making_kernel
def section_extremes(points, rings, heights, shape, cells, field, blocks, extremes):
    """Widen `extremes` by the dose inside the drawn sections, at the middles of the lattice's cells.

    `points` in cell units; holes run clockwise; `rings`: where rings and planes begin; `shape`: rows and columns of
    the lattice; `blocks`: as kernel `block_extremes` has it; `extremes` (2, 2): least and greatest of the dose, and of
    the rounded dose. What lies in blocks that tell nothing new tells nothing new.
    """
    n_rows, n_columns = shape
    work = (np.zeros((n_rows, n_columns + 1), np.int32), np.full(n_rows, n_columns), np.full(n_rows, -1))
    _in_sections(points, rings, heights, cells, field, blocks, work, extremes)
