"""Exact coverage of lattice cells by polygons.

Lattice coordinates: cell ``[row, column]`` spans ``[column, column + 1] x [row, row + 1]``. Rings arrive oriented:
anticlockwise (positive shoelace area) adds, clockwise takes away.
"""

from math import ceil, floor

import numpy as np

from dvhkit.engine.kernels.compiled import helper, kernel, making_kernel


@helper
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


@helper
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


@kernel
def coverage(points, ring_start, ring_lo, ring_hi, acc, first, last, area):
    """Fill `area[0:3]` with covered area and its first moments in each cell for rings ``ring_lo:ring_hi``.

    `area` (3, rows, columns): covered area, and the integrals of x and y over it, in cell units from the cell's
    corner; cells outside ``first[row]..last[row]`` are
    left as they are and count as empty. `acc` (5, rows, columns)
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


@kernel
def plane_excess(points, ring_start, plane_ring, acc, first, last, area, excess):
    """Write to `excess` (planes,) by how much each plane's coverage leaves [0, 1]; `area` is scratch."""
    for plane in range(excess.size):
        excess[plane] = coverage(points, ring_start, plane_ring[plane], plane_ring[plane + 1], acc, first, last, area)


@kernel
def plane_covers(points, rings, plane_lo, plane_hi, scratch, cover, area, excess):
    """Write the coverage of planes ``plane_lo:plane_hi``, plane n to slot n modulo the number of slots.

    `cover` (slots, rows, columns): 1 for full cells, -1 for empty ones, 0 for cut ones, of which `area` (slots, 3,
    rows, columns) holds covered area and first moments. `excess` (planes,): by how much coverage leaves [0, 1].
    `rings`: where rings begin, and planes among them; `scratch`: `acc`, `first` and `last` of `coverage`.
    """
    ring_start, plane_ring = rings
    acc, first, last = scratch
    slots, n_rows, _ = cover.shape
    for plane in range(plane_lo, plane_hi):
        slot = plane % slots
        excess[plane] = coverage(
            points, ring_start, plane_ring[plane], plane_ring[plane + 1], acc, first, last, area[slot]
        )
        for row in range(n_rows):
            cover[slot, row, :] = -1
            for column in range(first[row], last[row] + 1):
                covered = area[slot, 0, row, column]
                cover[slot, row, column] = (abs(covered - 1.0) < 1e-12) - (abs(covered) < 1e-12)


@helper
def _list_section(cover, area, at, cells, parts, changes, spans):
    """List what of a drawn section is cut, and where full cells begin (+1) and end (-1); return how many of each.

    `cells` (n, 2), `parts` (n, 3): row and column, covered area and first moments; `changes` (n, 3): row, column, and
    which; `spans` (rows, 2): first and last column with any.
    """
    depths, _, n_rows, n_columns = cover.shape
    n_cells = 0
    n_changes = 0
    for row in range(n_rows):
        first = n_columns
        last = -1
        was_full = False
        for column in range(n_columns):
            kind = cover[0, at, row, column]
            if kind == -1 and not was_full:
                continue
            if depths == 1 and kind == 1 and was_full:
                last = column
                continue
            covered = 1.0 if kind == 1 else 0.0
            x = 0.5 * covered
            y = x
            if kind == 0:
                covered = area[0, at, 0, row, column]
                x = area[0, at, 1, row, column]
                y = area[0, at, 2, row, column]
            for depth in range(1, depths):
                kind = cover[depth, at, row, column]
                sign = -1.0 if depth % 2 else 1.0
                if kind == 1:
                    covered += sign
                    x += 0.5 * sign
                    y += 0.5 * sign
                elif kind == 0:
                    covered += sign * area[depth, at, 0, row, column]
                    x += sign * area[depth, at, 1, row, column]
                    y += sign * area[depth, at, 2, row, column]
            is_full = abs(covered - 1.0) < 1e-12
            if is_full != was_full:
                changes[n_changes, 0] = row
                changes[n_changes, 1] = column
                changes[n_changes, 2] = 1 if is_full else -1
                n_changes += 1
                was_full = is_full
            if covered <= 1e-12:
                continue
            first = min(first, column)
            last = column
            if is_full:
                continue
            cells[n_cells, 0] = row
            cells[n_cells, 1] = column
            parts[n_cells, 0] = min(1.0, covered)
            parts[n_cells, 1] = x
            parts[n_cells, 2] = y
            n_cells += 1
        if was_full:
            changes[n_changes, 0] = row
            changes[n_changes, 1] = n_columns
            changes[n_changes, 2] = -1
            n_changes += 1
        spans[row, 0] = first
        spans[row, 1] = last
    return n_cells, n_changes


@making_kernel
def fill_prisms(cover, area, planes, slabs, layers):
    """Add upright prisms over drawn planes to the layers; see `Planes`, `Slabs` and `Layers` in `buffers`.

    `planes`: that of each slab, whose coverage `cover` and `area` (depths, slots, ...) hold.
    """
    slab_lo, slab_hi, slab_layer = slabs
    _, plane_slots, n_rows, n_columns = cover.shape
    part, moment, run, span = layers
    slots = part.shape[0]
    cells = np.empty((n_rows * n_columns, 2), np.int32)
    parts = np.empty((n_rows * n_columns, 3))
    changes = np.empty((n_rows * (n_columns + 1), 3), np.int32)
    spans = np.empty((n_rows, 2), np.int64)
    n_cells = 0
    n_changes = 0
    for s in range(planes.size):
        if s == 0 or planes[s] != planes[s - 1]:
            # A section is the same in all its slabs.
            n_cells, n_changes = _list_section(cover, area, planes[s] % plane_slots, cells, parts, changes, spans)
        slot = slab_layer[s] % slots
        height = slab_hi[s] - slab_lo[s]
        middle = 0.5 * (slab_hi[s] + slab_lo[s])
        for n in range(n_changes):
            change = height if changes[n, 2] > 0 else -height
            run[slot, changes[n, 0], changes[n, 1], 0] += change
            run[slot, changes[n, 0], changes[n, 1], 1] += change * middle
        for n in range(n_cells):
            row = cells[n, 0]
            column = cells[n, 1]
            volume = parts[n, 0] * height
            part[slot, row, column] += volume
            moment[slot, row, column, 0] += parts[n, 1] * height
            moment[slot, row, column, 1] += parts[n, 2] * height
            moment[slot, row, column, 2] += volume * middle
        for row in range(n_rows):
            span[slot, row, 0] = min(span[slot, row, 0], spans[row, 0])
            span[slot, row, 1] = max(span[slot, row, 1], spans[row, 1])
