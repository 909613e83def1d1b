"""Sections between and beyond drawn planes, where an interpolated level function is negative.

On a drawn plane a section is the exact coverage. Elsewhere it is the area where the level, interpolated along z at the
four corners of a cell, is negative, plus the difference that the same estimate leaves on the drawn planes around.
"""

from math import sqrt

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _negative_part(a, b, c, d, out):
    """Write area and first moments of the part of a unit cell where the level is negative.

    Corners (0, 0), (1, 0), (1, 1), (0, 1) in that order; the level changes linearly along the borders.
    """
    inside = (a < 0.0) + (b < 0.0) + (c < 0.0) + (d < 0.0)
    if inside == 0:
        out[0] = 0.0
        out[1] = 0.0
        out[2] = 0.0
        return
    if inside == 4:
        out[0] = 1.0
        out[1] = 0.5
        out[2] = 0.5
        return
    corner_x = (0.0, 1.0, 1.0, 0.0)
    corner_y = (0.0, 0.0, 1.0, 1.0)
    level = (a, b, c, d)
    area = 0.0
    mx = 0.0
    my = 0.0
    x0 = 0.0
    y0 = 0.0
    first_x = 0.0
    first_y = 0.0
    n = 0
    for k in range(4):
        here = level[k]
        there = level[(k + 1) % 4]
        for half in range(2):
            if half == 0:
                if here >= 0.0:
                    continue
                x1 = corner_x[k]
                y1 = corner_y[k]
            else:
                if (here < 0.0) == (there < 0.0):
                    continue
                t = here / (here - there)
                x1 = corner_x[k] + t * (corner_x[(k + 1) % 4] - corner_x[k])
                y1 = corner_y[k] + t * (corner_y[(k + 1) % 4] - corner_y[k])
            if n == 0:
                first_x = x1
                first_y = y1
            else:
                cross = x0 * y1 - x1 * y0
                area += cross
                mx += (x0 + x1) * cross
                my += (y0 + y1) * cross
            x0 = x1
            y0 = y1
            n += 1
    cross = x0 * first_y - first_x * y0
    out[0] = 0.5 * (area + cross)
    out[1] = (mx + (x0 + first_x) * cross) / 6.0
    out[2] = (my + (y0 + first_y) * cross) / 6.0


@njit(cache=True, nogil=True)
def _cap(l0, l1, l2, g1, g2, order, bend, out):
    """Write slope and half curvature of a level beyond its last plane from its values on the last three planes."""
    out[0] = 0.0
    out[1] = 0.0
    if order == 0:
        return
    f1 = (l0 - l1) / g1
    if order == 1:
        out[0] = f1
    elif order == 2:
        # A ball that only two slices cut has its widest section between them: beyond, it narrows.
        out[0] = max(0.0, f1 + g1)
        out[1] = 1.0
    else:
        f2 = (l1 - l2) / g2
        out[1] = min(bend, max(-bend, (f1 - f2) / (g1 + g2)))
        out[0] = f1 + out[1] * g1


@njit(cache=True, nogil=True)
def _beyond(level, slope, bend, tau):
    """Level at `tau` beyond a plane; what has begun to close does not open again."""
    if slope > 0.0 and bend < 0.0:
        tau = min(tau, -0.5 * slope / bend)
    return level + tau * (slope + tau * bend)


@njit(cache=True, nogil=True)
def _half_curvature(la, lb, lc, ga, gb, bend):
    """Half curvature of the parabola through three values, bounded."""
    return min(bend, max(-bend, ((lc - lb) / gb - (lb - la) / ga) / (ga + gb)))


@njit(cache=True, nogil=True)
def _distance(level, radius):
    """Turn a level back into a signed distance, which is what changes linearly across a cell."""
    if radius < 0.0:
        return level / (-radius + sqrt(max(0.0, radius * radius - level)))
    return level / (radius + sqrt(max(0.0, radius * radius + level)))


@njit(cache=True, nogil=True)
def _node_levels(
    level,
    radius,
    ring,
    row,
    column,
    base,
    lower,
    upper,
    run_lo,
    run_hi,
    offsets,
    above,
    below,
    up_height,
    up_order,
    down_height,
    down_order,
    hole,
    bend,
    stretch,
    far,
    z_lo,
    z_hi,
    mids,
    cap,
    phi,
):
    """Interpolate the level of one node for heights `mids` between planes `lower` and `upper` (-1: none)."""
    gap = z_hi - z_lo
    end_up = 0.0
    end_down = 0.0
    up_stretch = 1.0
    down_stretch = 1.0
    up_slope = 0.0
    up_bend = 0.0
    down_slope = 0.0
    down_bend = 0.0
    l0 = far
    l1 = far
    r0 = radius[lower - base, row, column] if lower >= 0 else radius[upper - base, row, column]
    r1 = radius[upper - base, row, column] if upper >= 0 else r0
    ends_up = False
    ends_down = False
    hole_up = False
    hole_down = False
    if lower >= 0:
        l0 = level[lower - base, row, column]
        own = ring[lower - base, row, column]
        ends_up = upper < 0 or (own >= 0 and above[own] == -1)
        if ends_up and own >= 0:
            hole_up = hole[own]
            end_up = up_height[own]
            before = level[lower - 1 - base, row, column] if lower - 1 >= run_lo else l0
            before2 = level[lower - 2 - base, row, column] if lower - 2 >= run_lo else before
            g1 = offsets[lower] - offsets[lower - 1] if lower - 1 >= run_lo else 1.0
            g2 = offsets[lower - 1] - offsets[lower - 2] if lower - 2 >= run_lo else 1.0
            order = up_order[own] if lower - 1 < run_lo or _goes_on(below, ring, lower - base, -1, row, column) else 0
            _cap(l0, before, before2, g1, g2, order, max(bend, 4.0), cap)
            up_stretch = stretch if 2 <= up_order[own] <= 3 else 1.0
            up_slope = cap[0]
            up_bend = cap[1]
    if upper >= 0:
        l1 = level[upper - base, row, column]
        own = ring[upper - base, row, column]
        ends_down = lower < 0 or (own >= 0 and below[own] == -1)
        if ends_down and own >= 0:
            hole_down = hole[own]
            end_down = down_height[own]
            after = level[upper + 1 - base, row, column] if upper + 1 < run_hi else l1
            after2 = level[upper + 2 - base, row, column] if upper + 2 < run_hi else after
            g1 = offsets[upper + 1] - offsets[upper] if upper + 1 < run_hi else 1.0
            g2 = offsets[upper + 2] - offsets[upper + 1] if upper + 2 < run_hi else 1.0
            order = down_order[own] if upper + 1 >= run_hi or _goes_on(above, ring, upper - base, 1, row, column) else 0
            _cap(l1, after, after2, g1, g2, order, max(bend, 4.0), cap)
            down_stretch = stretch if 2 <= down_order[own] <= 3 else 1.0
            down_slope = cap[0]
            down_bend = cap[1]
    c_lo = 0.0
    c_hi = 0.0
    p0 = l0
    p1 = l1
    # A ring that ends takes no part in what goes on: without it, its inside would be outside.
    if ends_up:
        p0 = -abs(l0) if hole_up else abs(l0)
    if ends_down:
        p1 = -abs(l1) if hole_down else abs(l1)
    if lower >= 0 and upper >= 0 and not ends_up and not ends_down:
        # Another part's level on the plane beyond says nothing about this one's curvature.
        has_lo = lower - 1 >= run_lo and _goes_on(below, ring, lower - base, -1, row, column)
        has_hi = upper + 1 < run_hi and _goes_on(above, ring, upper - base, 1, row, column)
        if has_lo:
            before = level[lower - 1 - base, row, column]
            c_lo = _half_curvature(before, l0, l1, offsets[lower] - offsets[lower - 1], gap, bend)
        if has_hi:
            after = level[upper + 1 - base, row, column]
            c_hi = _half_curvature(l0, l1, after, gap, offsets[upper + 1] - offsets[upper], bend)
        if not has_lo and not has_hi:
            c_lo = 1.0
            c_hi = 1.0
        elif not has_lo:
            c_lo = c_hi
        elif not has_hi:
            c_hi = c_lo
    for s in range(mids.size):
        z = mids[s]
        value = far
        if lower >= 0 and upper >= 0:
            t = (z - z_lo) / gap
            # The cubic whose slopes at both planes are those of the parabolas through each and its neighbours.
            value = p0 + t * (p1 - p0) - t * (1.0 - t) * gap * gap * ((1.0 - t) * c_lo + t * c_hi)
        if ends_up:
            tau = z - z_lo
            if tau <= end_up:
                tau /= up_stretch
                beyond = _beyond(l0, up_slope, up_bend, tau)
                value = max(value, beyond) if hole_up and upper >= 0 else min(value, beyond)
        if ends_down:
            tau = z_hi - z
            if tau <= end_down:
                tau /= down_stretch
                beyond = _beyond(l1, down_slope, down_bend, tau)
                value = max(value, beyond) if hole_down and lower >= 0 else min(value, beyond)
        r = r0 + (r1 - r0) * min(1.0, max(0.0, (z - z_lo) / gap))
        phi[s, row, column] = _distance(value, r)


@njit(cache=True, nogil=True)
def _goes_on(onward, ring, slot, side, row, column):
    """Whether the ring nearest to a node goes on as the one nearest to it on the next plane to that side."""
    own = ring[slot, row, column]
    if own < 0:
        return True
    return onward[own] == -2 or (onward[own] >= 0 and onward[own] == ring[slot + side, row, column])


@njit(cache=True, nogil=True)
def _sure(level, ring, row, column, base, lower, upper, above, below, sure):
    """Return 1 where a node is inside at all heights between two planes, -1 where outside, 0 where that is open."""
    low = np.inf
    high = -np.inf
    if lower >= 0:
        own = ring[lower - base, row, column]
        if own >= 0 and (upper < 0 or above[own] == -1):
            return 0
        low = level[lower - base, row, column]
        high = low
    if upper >= 0:
        own = ring[upper - base, row, column]
        if own >= 0 and (lower < 0 or below[own] == -1):
            return 0
        low = min(low, level[upper - base, row, column])
        high = max(high, level[upper - base, row, column])
    if low > sure:
        return -1
    return 1 if high < -sure else 0


@njit(cache=True, nogil=True)
def _residual(level, radius, slot, area, row, column, out):
    """Write what the exact coverage of a drawn plane has more than the estimate from its levels, and that estimate."""
    _negative_part(
        _distance(level[slot, row, column], radius[slot, row, column]),
        _distance(level[slot, row, column + 1], radius[slot, row, column + 1]),
        _distance(level[slot, row + 1, column + 1], radius[slot, row + 1, column + 1]),
        _distance(level[slot, row + 1, column], radius[slot, row + 1, column]),
        out,
    )
    out[3] = out[0]
    for a in range(3):
        out[a] = area[slot, a, row, column] - out[a]


@njit(cache=True, nogil=True)
def _node_states(level, ring, base, lower, upper, above, below, sure, state):
    """Write 1 where a node is inside at all heights between two planes, -1 where outside, 0 where that is open."""
    n_rows, n_columns = state.shape
    if lower < 0 or upper < 0:
        for row in range(n_rows):
            for column in range(n_columns):
                state[row, column] = _sure(level, ring, row, column, base, lower, upper, above, below, sure)
        return
    for row in range(n_rows):
        for column in range(n_columns):
            l0 = level[lower - base, row, column]
            l1 = level[upper - base, row, column]
            state[row, column] = (max(l0, l1) < -sure) - (min(l0, l1) > sure)
    some = False
    for own in range(above.size):
        some = some or above[own] == -1 or below[own] == -1
    if not some:
        return
    for row in range(n_rows):
        for column in range(n_columns):
            own = ring[lower - base, row, column]
            other = ring[upper - base, row, column]
            if (own >= 0 and above[own] == -1) or (other >= 0 and below[other] == -1):
                state[row, column] = 0


@njit(cache=True, nogil=True)
def _plain_cells(state, area, base, lower, upper, row, kind):
    """Write 1 for the cells of a row that are full at all heights, -1 for the empty ones, 0 for the others.

    Between corners that agree a wall thinner than the cell may still pass: both planes must show none.
    """
    for column in range(kind.size):
        total = state[row, column] + state[row, column + 1] + state[row + 1, column] + state[row + 1, column + 1]
        full = (total == 4) + 0.0
        low = area[lower - base, 0, row, column] if lower >= 0 else full
        high = area[upper - base, 0, row, column] if upper >= 0 else full
        plain = (total == 4 or total == -4) and abs(low - full) < 1e-12 and abs(high - full) < 1e-12
        kind[column] = (1 if total == 4 else -1) if plain else 0


@njit(cache=True, nogil=True)
def interval_sections(
    level,
    radius,
    ring,
    area,
    base,
    lower,
    upper,
    run_lo,
    run_hi,
    offsets,
    above,
    below,
    up_height,
    up_order,
    down_height,
    down_order,
    hole,
    bend,
    stretch,
    far,
    z_lo,
    z_hi,
    mids,
    phi,
    state,
    done,
    kind,
    sections,
    section_first,
    section_last,
):
    """Write the sections at heights `mids` between two planes of a run, or beyond its first or last.

    Parameters
    ----------
    level, radius, ring, area
        Levels and the radii they were made with, nearest rings and exact coverage (zero where there is none) of the
        planes from `base` on.
    lower, upper
        The planes below and above, -1 for none; `z_lo` and `z_hi` their heights (or where they would be).
    run_lo, run_hi
        First plane of the run, and one past its last.
    above, below, up_height, up_order, down_height, down_order, hole
        From kernels `link`, `reach` and `ring_shapes`.
    bend
        Bound on half the curvature of a level along z.
    stretch
        Factor on the height of rounded caps.
    far
        Level of a point far outside.
    mids
        Heights of the sections.
    phi, state, done, kind
        Scratch: (heights, node rows, node columns), twice (node rows, node columns), and (columns,).
    sections, section_first, section_last
        Output as kernel `coverage` writes it, one for each height; moments of full cells are left out.
    """
    n_rows = sections.shape[2]
    n_columns = sections.shape[3]
    gap = z_hi - z_lo
    rest_lo = np.zeros(4)
    rest_hi = np.zeros(4)
    part = np.empty(3)
    cap = np.empty(2)
    # No cubic leaves the straight line between two planes by more than this.
    sure = 0.25 * bend * gap * gap
    _node_states(level, ring, base, lower, upper, above, below, sure, state)
    done[:] = False
    for row in range(n_rows):
        _plain_cells(state, area, base, lower, upper, row, kind)
        for s in range(mids.size):
            section_first[s, row] = n_columns
            section_last[s, row] = -1
            for column in range(n_columns):
                sections[s, 0, row, column] = 1.0 if kind[column] == 1 else 0.0
        for column in range(n_columns):
            if kind[column] == -1:
                continue
            if kind[column] == 1:
                for s in range(mids.size):
                    section_first[s, row] = min(section_first[s, row], column)
                    section_last[s, row] = column
                continue
            for a in range(2):
                for b in range(2):
                    if not done[row + a, column + b]:
                        done[row + a, column + b] = True
                        _node_levels(
                            level,
                            radius,
                            ring,
                            row + a,
                            column + b,
                            base,
                            lower,
                            upper,
                            run_lo,
                            run_hi,
                            offsets,
                            above,
                            below,
                            up_height,
                            up_order,
                            down_height,
                            down_order,
                            hole,
                            bend,
                            stretch,
                            far,
                            z_lo,
                            z_hi,
                            mids,
                            cap,
                            phi,
                        )
            if lower >= 0:
                _residual(level, radius, lower - base, area, row, column, rest_lo)
            if upper >= 0:
                _residual(level, radius, upper - base, area, row, column, rest_hi)
            for s in range(mids.size):
                _negative_part(
                    phi[s, row, column],
                    phi[s, row, column + 1],
                    phi[s, row + 1, column + 1],
                    phi[s, row + 1, column],
                    part,
                )
                # A border that has moved on to other cells takes its residual with it.
                moved = part[0] <= 0.0 or part[0] >= 1.0
                if lower >= 0 and not (moved and 0.0 < rest_lo[3] < 1.0):
                    own = ring[lower - base, row, column]
                    weight = 1.0 - (mids[s] - z_lo) / gap
                    if upper < 0 or (own >= 0 and above[own] == -1):
                        weight = _fade(mids[s] - z_lo, own, up_height, up_order)
                    for k in range(3):
                        part[k] += weight * rest_lo[k]
                if upper >= 0 and not (moved and 0.0 < rest_hi[3] < 1.0):
                    own = ring[upper - base, row, column]
                    weight = 1.0 - (z_hi - mids[s]) / gap
                    if lower < 0 or (own >= 0 and below[own] == -1):
                        weight = _fade(z_hi - mids[s], own, down_height, down_order)
                    for k in range(3):
                        part[k] += weight * rest_hi[k]
                if part[0] > 1e-12:
                    covered = min(1.0, part[0])
                    sections[s, 0, row, column] = covered
                    sections[s, 1, row, column] = min(max(part[1], 0.0), covered)
                    sections[s, 2, row, column] = min(max(part[2], 0.0), covered)
                    section_first[s, row] = min(section_first[s, row], column)
                    section_last[s, row] = column


@njit(cache=True, nogil=True)
def _fade(tau, own, height, order):
    """How much of a plane's residual still holds `tau` beyond it: all along upright walls, less towards a tip."""
    if own < 0 or tau > height[own]:
        return 0.0
    return 1.0 - tau / height[own] if 2 <= order[own] <= 3 else 1.0


@njit(cache=True, nogil=True)
def merge_sections(area, first, last, other, other_first, other_last, sign):
    """Take holes out of sections (`sign` -1), or put islands into them (+1), cell by cell."""
    for s in range(area.shape[0]):
        for row in range(area.shape[2]):
            for column in range(other_first[s, row], other_last[s, row] + 1):
                part = other[s, 0, row, column]
                if part <= 0.0:
                    continue
                inside = first[s, row] <= column <= last[s, row]
                if not inside:
                    if sign < 0:
                        continue
                    for gap in range(column + 1, first[s, row]):
                        if last[s, row] >= 0:
                            area[s, 0, row, gap] = 0.0
                    for gap in range(last[s, row] + 1, column):
                        if last[s, row] >= 0:
                            area[s, 0, row, gap] = 0.0
                    area[s, 0, row, column] = 0.0
                    area[s, 1, row, column] = 0.0
                    area[s, 2, row, column] = 0.0
                    first[s, row] = min(first[s, row], column)
                    last[s, row] = max(last[s, row], column)
                mx = 0.5 if part == 1.0 else other[s, 1, row, column]
                my = 0.5 if part == 1.0 else other[s, 2, row, column]
                if area[s, 0, row, column] == 1.0:
                    area[s, 1, row, column] = 0.5
                    area[s, 2, row, column] = 0.5
                left = min(1.0, max(0.0, area[s, 0, row, column] + sign * part))
                area[s, 0, row, column] = left
                area[s, 1, row, column] = min(left, max(0.0, area[s, 1, row, column] + sign * mx))
                area[s, 2, row, column] = min(left, max(0.0, area[s, 2, row, column] + sign * my))
