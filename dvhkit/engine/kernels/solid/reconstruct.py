"""What lies between and beyond drawn planes: where an interpolated level function is negative, summed into layers.

On a drawn plane a section is the exact coverage. Elsewhere it is the area where the level, interpolated along z at the
four corners of a cell, is negative, plus the difference that the same estimate leaves on the drawn planes around.
Where a section moves, grows or branches so fast that its levels say little of what lies half way, the area does: it is
that of the cubic through the areas of the planes around, and the surface is moved until it is.

Planes and layers are kept in rings of slots: plane or layer n lies in slot n modulo the number of slots.
"""

from math import sqrt

import numpy as np

from dvhkit.engine.kernels.compiled import helper, inlined, maker, making_kernel, spliced

# Sections whose area is off by more than this part are put right, by moving the surface by no more than this at once,
# so often. What is then still off by more than `_STEP_TOLERANCE` changes at one height half way, as a prism does.
_AREA_TOLERANCE = 0.005
_STEP_TOLERANCE = 0.02
_SHIFT_MAX_MM = 2.0
# About what part of the outline gives way where parts merge.
_EASY = 0.4
_SHIFTS = 4
# Nodes that are inside or outside for certain are so by this much at least.
_LEAST_MM = 1e-3
# A ball that two equal, distant sections would need is given up where it held more than 1.5 times their prism.
_BALL_MOST = 11.0


@inlined
def _triangle(here, along_x, along_y, right, top):
    """Return area and first moments of the triangle that a corner with another sign than its neighbours cuts off."""
    s = here / (here - along_x)
    t = here / (here - along_y)
    area = 0.5 * s * t
    return area, area * (1.0 - s / 3.0 if right else s / 3.0), area * (1.0 - t / 3.0 if top else t / 3.0)


@inlined
def _between(a, b, c, d, ina, inb):
    """Return area and first moments of the part on the negative side where two neighbouring corners are negative."""
    if ina == inb:
        left = a / (a - d)
        right = b / (b - c)
    else:
        left = a / (a - b)
        right = d / (d - c)
    area = 0.5 * (left + right)
    across = (left * left + left * right + right * right) / 6.0
    along = left / 6.0 + right / 3.0
    # The shares above are those of the side of corner a; the other side is the rest of the cell.
    if not ina:
        area = 1.0 - area
        along = 0.5 - along
        across = 0.5 - across
    if ina == inb:
        return area, along, across
    return area, across, along


@inlined
def _negative_part(a, b, c, d):
    """Return area and first moments of the part of a unit cell where the level is negative.

    Corners (0, 0), (1, 0), (1, 1), (0, 1) in that order; the level changes linearly along the borders. Where opposite
    corners are negative, they are taken to be joined.
    """
    ina = a < 0.0
    inb = b < 0.0
    inc = c < 0.0
    ind = d < 0.0
    inside = int(ina) + int(inb) + int(inc) + int(ind)
    if inside == 0:
        return 0.0, 0.0, 0.0
    if inside == 4:
        return 1.0, 0.5, 0.5
    if inside == 2 and ina != inc:
        return _between(a, b, c, d, ina, inb)
    few = inside == 1
    area = 0.0
    mx = 0.0
    my = 0.0
    if ina == few:
        t = _triangle(a, b, d, False, False)
        area += t[0]
        mx += t[1]
        my += t[2]
    if inb == few:
        t = _triangle(b, a, c, True, False)
        area += t[0]
        mx += t[1]
        my += t[2]
    if inc == few:
        t = _triangle(c, d, b, True, True)
        area += t[0]
        mx += t[1]
        my += t[2]
    if ind == few:
        t = _triangle(d, c, a, False, True)
        area += t[0]
        mx += t[1]
        my += t[2]
    if few:
        return area, mx, my
    return 1.0 - area, 0.5 - mx, 0.5 - my


@inlined
def _cap(l0, l1, l2, g1, g2, order, bend):
    """Return slope and half curvature of a level beyond its last plane from its values on the last three planes."""
    if order == 0:
        return 0.0, 0.0
    f1 = (l0 - l1) / g1
    if order == 1:
        return f1, 0.0
    if order == 2:
        # A ball that only two slices cut has its widest section between them: beyond, it narrows.
        return max(0.0, f1 + g1), 1.0
    f2 = (l1 - l2) / g2
    half = min(bend, max(-bend, (f1 - f2) / (g1 + g2)))
    return f1 + half * g1, half


@inlined
def _beyond(level, slope, bend, tau):
    """Level at `tau` beyond a plane; what has begun to close does not open again."""
    if slope > 0.0 and bend < 0.0:
        tau = min(tau, -0.5 * slope / bend)
    return level + tau * (slope + tau * bend)


@inlined
def _half_curvature(la, lb, lc, per_a, per_b, per_both, bend):
    """Half curvature of the parabola through three values, given one over the distances between them, bounded."""
    return min(bend, max(-bend, ((lc - lb) * per_b - (lb - la) * per_a) * per_both))


@inlined
def _per_gaps(span):
    """Return one over the three distances of a span, and over the first two and last two together."""
    _, _, _, _, gap_before, gap, gap_after = span
    return 1.0 / gap_before, 1.0 / gap, 1.0 / gap_after, 1.0 / (gap_before + gap), 1.0 / (gap + gap_after)


@inlined
def _distance(level, radius):
    """Turn a level back into a signed distance, which is what changes linearly across a cell."""
    bent = level if radius >= 0.0 else -level
    return level / (abs(radius) + sqrt(max(0.0, radius * radius + bent)) + 1e-30)


@inlined
def _same_part(onward, own, other):
    """Whether a ring, the nearest to a node, goes on as the one nearest to it on the next plane."""
    return own < 0 or onward[own] == -2 or (onward[own] >= 0 and onward[own] == other)


@inlined
def _curvatures(level, ring, rings, row, column, span, per_gaps, bend):
    """Return the half curvatures along z that a node's level has on the planes below and above.

    `level`, `ring`: of one depth. `span`, `per_gaps`: see `_span`, `_per_gaps`.
    """
    before, lo, hi, after, _, _, _ = span
    per_before, per_gap, per_after, per_lower, per_upper = per_gaps
    l0 = level[lo, row, column]
    l1 = level[hi, row, column]
    # Another part's level on the plane beyond says nothing about this one's curvature.
    own = ring[lo, row, column]
    other = ring[hi, row, column]
    has_lo = before >= 0 and _same_part(rings.below, own, ring[before, row, column])
    has_hi = after >= 0 and _same_part(rings.above, other, ring[after, row, column])
    c_lo = min(bend, 1.0)
    if not has_lo and not has_hi and own >= 0 and other >= 0:
        c_lo = min(c_lo, _BALL_MOST * sqrt(rings.round2[own] * rings.round2[other]) * (per_gap * per_gap))
    c_hi = c_lo
    # As much as keeps the level between its values on both planes does not make it bulge.
    if bend > 0.0:
        bend = max(bend, abs(l1 - l0) * (per_gap * per_gap))
    if has_lo:
        c_lo = _half_curvature(level[before, row, column], l0, l1, per_before, per_gap, per_lower, bend)
    if has_hi:
        c_hi = _half_curvature(l0, l1, level[after, row, column], per_gap, per_after, per_upper, bend)
    if has_lo and not has_hi:
        c_hi = c_lo
    elif has_hi and not has_lo:
        c_lo = c_hi
    return c_lo, c_hi


@helper
def _span(lower, upper, run_lo, run_hi, z_lo, z_hi, offsets, slots):
    """Return the slots of four planes around an interval (-1 for none), and the distances between them."""
    before = lower - 1 if lower - 1 >= run_lo else -1
    after = upper + 1 if 0 <= upper and upper + 1 < run_hi else -1
    gap_before = offsets[lower] - offsets[before] if before >= 0 else 1.0
    gap_after = offsets[after] - offsets[upper] if after >= 0 else 1.0
    return (
        before % slots if before >= 0 else -1,
        lower % slots if lower >= 0 else -1,
        upper % slots if upper >= 0 else -1,
        after % slots if after >= 0 else -1,
        gap_before,
        z_hi - z_lo,
        gap_after,
    )


@helper
def _behind(plane, run_lo, run_hi, side, offsets, slots):
    """Return the slots of a plane and of the two behind it (-1 for none), and the distances between them.

    Seen upwards (`side` 1) or downwards (-1).
    """
    first = plane - side
    second = first - side
    has_first = run_lo <= first < run_hi
    has_second = run_lo <= second < run_hi
    return (
        plane % slots,
        first % slots if has_first else -1,
        second % slots if has_second else -1,
        abs(offsets[plane] - offsets[first]) if has_first else 1.0,
        abs(offsets[first] - offsets[second]) if has_second else 1.0,
    )


@inlined
def _going_on(level, ring, ends, behind, row, column, bend):
    """Return how a node's level goes on beyond a plane: see `_behind`.

    Height, slope, half curvature, and how much higher than its rule says. A node near no ring reaches nowhere. `ends`:
    of each ring the one that it goes on as backwards, its height, order and stretch.
    """
    back, heights, orders, stretches = ends
    slot, first, second, g1, g2 = behind
    own = ring[slot, row, column]
    if own < 0:
        return 0.0, 0.0, 0.0, 1.0
    order = orders[own]
    here = level[slot, row, column]
    l1 = here
    if first >= 0:
        l1 = level[first, row, column]
        if not _same_part(back, own, ring[first, row, column]):
            order = 0
    l2 = level[second, row, column] if second >= 0 else l1
    slope, half = _cap(here, l1, l2, g1, g2, order, max(bend, 4.0))
    return heights[own], slope, half, stretches[own]


@maker
def _node_levels(level, radius, ring, rings, nodes, n_nodes, place, z, span, offsets, bend, far, mids, phi):
    """Write the signed distance of `nodes` (row, column) at heights `mids` between two planes, or beyond one."""
    lower, upper, run_lo, run_hi = place
    z_lo, z_hi = z
    gap = z_hi - z_lo
    _, lo, hi, _, _, _, _ = span
    is_between = lo >= 0 and hi >= 0
    one = lo if lo >= 0 else hi
    two = hi if hi >= 0 else lo
    above = rings.above
    below = rings.below
    slots = level.shape[0]
    per_gaps = _per_gaps(span)
    # Numbers that are written out have the compiler make a function for each.
    upwards = 1 if gap > 0.0 else 0
    up_ends = (below, rings.up_height, rings.up_order, rings.up_stretch)
    down_ends = (above, rings.down_height, rings.down_order, rings.down_stretch)
    under = _behind(max(lower, 0), run_lo, run_hi, upwards, offsets, slots)
    over = _behind(max(upper, 0), run_lo, run_hi, -upwards, offsets, slots)
    bulge = np.empty((3, mids.size))
    for s in range(mids.size):
        t = (mids[s] - z_lo) / gap
        bulge[0, s] = t
        bulge[1, s] = t * (1.0 - t) * gap * gap * (1.0 - t)
        bulge[2, s] = t * (1.0 - t) * gap * gap * t
    for n in range(n_nodes):
        row = int(nodes[n, 0])
        column = int(nodes[n, 1])
        own = ring[one, row, column]
        other = ring[two, row, column]
        l0 = level[one, row, column]
        l1 = level[two, row, column]
        r0 = radius[one, row, column]
        r1 = radius[two, row, column]
        ends_up = lo >= 0 and (hi < 0 or (own >= 0 and above[own] == -1))
        ends_down = hi >= 0 and (lo < 0 or (other >= 0 and below[other] == -1))
        if is_between and not ends_up and not ends_down:
            c_lo, c_hi = _curvatures(level, ring, rings, row, column, span, per_gaps, bend)
            for s in range(mids.size):
                t = bulge[0, s]
                # The cubic whose slopes at both planes are those of the parabolas through each and its neighbours.
                value = l0 + t * (l1 - l0) - bulge[1, s] * c_lo - bulge[2, s] * c_hi
                phi[row, column, s] = _distance(value, r0 + (r1 - r0) * t)
            continue
        up = (0.0, 0.0, 0.0, 1.0)
        down = (0.0, 0.0, 0.0, 1.0)
        if ends_up:
            up = _going_on(level, ring, up_ends, under, row, column, bend)
        if ends_down:
            down = _going_on(level, ring, down_ends, over, row, column, bend)
        # A ring that ends takes no part in what goes on: without it, its inside would be outside.
        p0 = abs(l0) if ends_up else l0
        p1 = abs(l1) if ends_down else l1
        for s in range(mids.size):
            t = bulge[0, s]
            value = p0 + t * (p1 - p0) if is_between else far
            if ends_up and mids[s] - z_lo <= up[0]:
                value = min(value, _beyond(l0, up[1], up[2], (mids[s] - z_lo) / up[3]))
            if ends_down and z_hi - mids[s] <= down[0]:
                value = min(value, _beyond(l1, down[1], down[2], (z_hi - mids[s]) / down[3]))
            phi[row, column, s] = _distance(value, r0 + (r1 - r0) * min(1.0, max(0.0, t)))


@helper
def _hold_end(level, radius, nodes, n_nodes, reach, heights, phi):
    """Let an outline that moved or grew go on by no more than `reach` mm sideways beyond the last plane."""
    for n in range(n_nodes):
        row = nodes[n, 0]
        column = nodes[n, 1]
        least = _distance(level[row, column], radius[row, column]) - reach
        for s in range(heights):
            phi[row, column, s] = max(phi[row, column, s], least)


@helper
def _end_states(ring, sign, state):
    """Write the states of nodes beyond the first or last plane of a run: only what is near no ring is settled."""
    for row in range(state.shape[0]):
        for column in range(state.shape[1]):
            state[row, column] = 0 if ring[row, column] >= 0 else sign[row, column]


@helper
def _cap_states(level, ring, sign, rings, place, z, offsets, bend, height, state):
    """Write 1 where a node is inside at one `height` beyond the first or last plane of a run, -1 where outside.

    0 where it would be inside farther out than the plane's outline: how far that may reach is held back elsewhere.
    """
    lower, upper, run_lo, run_hi = place
    ends = (rings.below, rings.up_height, rings.up_order, rings.up_stretch)
    tau = height - z[0]
    if lower < 0:
        ends = (rings.above, rings.down_height, rings.down_order, rings.down_stretch)
        tau = z[1] - height
    behind = _behind(max(lower, upper), run_lo, run_hi, 1 if lower >= 0 else -1, offsets, level.shape[0])
    slot = behind[0]
    for row in range(state.shape[0]):
        for column in range(state.shape[1]):
            if ring[slot, row, column] < 0:
                state[row, column] = sign[slot, row, column]
                continue
            most, slope, half, stretch = _going_on(level, ring, ends, behind, row, column, bend)
            here = level[slot, row, column]
            value = _beyond(here, slope, half, tau / stretch) if tau <= most else 1.0
            inside = 1 if value < 0.0 and here < 0.0 else 0
            state[row, column] = -1 if value > 0.0 else inside


@helper
def _signs(below, above, state):
    """Write to `state` the sign of a row of nodes on both planes, 0 where they differ; return whether any does."""
    some = 0
    for column in range(state.size):
        same = below[column] if below[column] == above[column] else 0
        state[column] = same
        some |= same == 0
    return some


@helper
def _node_states(level, ring, sign, rings, ends, span, bend, state):
    """Write 1 where a node is inside at all heights between two planes, -1 where outside, 0 where that is open.

    `ends`: whether any ring of the two planes ends between them.
    """
    _, lo, hi, _, _, gap, _ = span
    per_gaps = _per_gaps(span)
    above = rings.above
    below = rings.below
    for row in range(state.shape[0]):
        if _signs(sign[lo, row], sign[hi, row], state[row]):
            for column in range(state.shape[1]):
                if state[row, column] == 0:
                    # No cubic leaves the straight line between two planes by more than a quarter of its curvature.
                    c_lo, c_hi = _curvatures(level, ring, rings, row, column, span, per_gaps, bend)
                    l0 = level[lo, row, column]
                    l1 = level[hi, row, column]
                    least = min(l0, l1) - 0.25 * gap * gap * max(0.0, c_lo, c_hi)
                    most = max(l0, l1) - 0.25 * gap * gap * min(0.0, c_lo, c_hi)
                    state[row, column] = int(most < 0.0) - int(least > 0.0)
        if ends:
            for column in range(state.shape[1]):
                own = ring[lo, row, column]
                other = ring[hi, row, column]
                if (own >= 0 and above[own] == -1) or (other >= 0 and below[other] == -1):
                    state[row, column] = 0


@helper
def _row_kinds(state, next_state, cover_lo, cover_hi, kind):
    """Write to `kind` which cells of a row are full (1) or empty (-1) at all heights, and which are cut (0).

    Between corners that agree a wall thinner than the cell may still pass: both planes must show none.
    """
    for column in range(kind.size):
        corner = state[column]
        agree = (
            (corner == state[column + 1])
            & (corner == next_state[column])
            & (corner == next_state[column + 1])
            & (corner == cover_lo[column])
            & (corner == cover_hi[column])
        )
        kind[column] = corner if agree else 0


@helper
def _merge_kinds(whole, kind, depth):
    """Write to `whole` what is left of a row's cells when a hole empties them, or an island fills them again."""
    for column in range(whole.size):
        if whole[column] != 0 and kind[column] != -1:
            whole[column] = 0 if kind[column] == 0 else (-1 if depth % 2 else 1)


@helper
def _note_rests(level, radius, cover, area, rest, known, cells, n_cells):
    """Note what the exact coverage of `cells` on a drawn plane has more than its estimate from levels."""
    for n in range(n_cells):
        row = cells[n, 0]
        column = cells[n, 1]
        if known[row, column]:
            continue
        known[row, column] = True
        part, mx, my = _negative_part(
            _distance(level[row, column], radius[row, column]),
            _distance(level[row, column + 1], radius[row, column + 1]),
            _distance(level[row + 1, column + 1], radius[row + 1, column + 1]),
            _distance(level[row + 1, column], radius[row + 1, column]),
        )
        covered = 1.0 if cover[row, column] > 0 else 0.0
        x = 0.5 * covered
        y = x
        if cover[row, column] == 0:
            covered = area[0, row, column]
            x = area[1, row, column]
            y = area[2, row, column]
        rest[row, column, 0] = covered - part
        rest[row, column, 1] = x - mx
        rest[row, column, 2] = y - my
        rest[row, column, 3] = part


@inlined
def _fade(tau, own, height, order):
    """How much of a plane's residual still holds `tau` beyond it: all along upright walls, less towards a tip."""
    if own < 0 or tau > height[own]:
        return 0.0
    return 1.0 - tau / height[own] if 2 <= order[own] <= 3 else 1.0


@helper
def _sections(ring, rest, rings, cells, n_cells, kind, z, span, mids, phi, part, stepped, sections, areas):
    """Write area and moments of `cells` at heights `mids` to `sections` (cells, heights, 3).

    `areas` (parts, heights): the sum over each part, by the entry of `part` at the cell's first node; -1 for none.
    `stepped`: the parts that keep the sections of both planes, see `_step_levels`.
    """
    _, lo, hi, _, _, _, _ = span
    z_lo, z_hi = z
    gap = z_hi - z_lo
    one = lo if lo >= 0 else hi
    two = hi if hi >= 0 else lo
    above = rings.above
    below = rings.below
    for n in range(n_cells):
        row = cells[n, 0]
        column = cells[n, 1]
        plain = kind[row, column]
        of_part = part[row, column]
        own = ring[one, row, column]
        other = ring[two, row, column]
        fades_up = hi < 0 or (own >= 0 and above[own] == -1)
        fades_down = lo < 0 or (other >= 0 and below[other] == -1)
        cut_lo = 0.0 < rest[one, row, column, 3] < 1.0
        cut_hi = 0.0 < rest[two, row, column, 3] < 1.0
        for s in range(mids.size):
            if plain != 0:
                area = 1.0 if plain == 1 else 0.0
                mx = 0.5 * area
                my = mx
            else:
                area, mx, my = _negative_part(
                    phi[row, column, s], phi[row, column + 1, s], phi[row + 1, column + 1, s], phi[row + 1, column, s]
                )
                # A border that has moved on to other cells takes its residual with it.
                moved = area <= 0.0 or area >= 1.0
                t = (mids[s] - z_lo) / gap
                if of_part >= 0 and stepped[of_part]:
                    moved = False
                    t = 0.0 if t < 0.5 else 1.0
                if lo >= 0 and not (moved and cut_lo):
                    weight = _fade(mids[s] - z_lo, own, rings.up_height, rings.up_order) if fades_up else 1.0 - t
                    area += weight * rest[lo, row, column, 0]
                    mx += weight * rest[lo, row, column, 1]
                    my += weight * rest[lo, row, column, 2]
                if hi >= 0 and not (moved and cut_hi):
                    weight = _fade(z_hi - mids[s], other, rings.down_height, rings.down_order) if fades_down else t
                    area += weight * rest[hi, row, column, 0]
                    mx += weight * rest[hi, row, column, 1]
                    my += weight * rest[hi, row, column, 2]
                area = min(1.0, area) if area > 1e-12 else 0.0
                mx = min(max(mx, 0.0), area)
                my = min(max(my, 0.0), area)
            sections[n, s, 0] = area
            sections[n, s, 1] = mx
            sections[n, s, 2] = my
            if of_part >= 0:
                areas[of_part, s] += area


@helper
def _merge_sections(sections, own, n_cells, heights, depth):
    """Take the sections of a depth from what is there: as holes, or put them into it as islands."""
    sign = -1.0 if depth % 2 else 1.0
    for n in range(n_cells):
        for s in range(heights):
            area = min(1.0, max(0.0, sections[n, s, 0] + sign * own[n, s, 0]))
            sections[n, s, 0] = area
            sections[n, s, 1] = min(area, max(0.0, sections[n, s, 1] + sign * own[n, s, 1]))
            sections[n, s, 2] = min(area, max(0.0, sections[n, s, 2] + sign * own[n, s, 2]))


@inlined
def _part_of(level, ring, lo, hi, row, column, part_up, part_down):
    """Part that a node belongs to: that of the ring nearest to it, on the plane on which it lies deeper inside."""
    own = ring[lo, row, column]
    other = ring[hi, row, column]
    lower_first = level[lo, row, column] <= level[hi, row, column]
    if own >= 0 and (lower_first or other < 0):
        return part_up[own]
    return part_down[other] if other >= 0 else -1


@helper
def _note_parts(level, ring, lo, hi, part_up, part_down, alone, cells, n_cells, kind, whole, part, full):
    """Write the part of each corner of `cells` to `part`, and the number of full cells not in the list to `full`.

    `alone`: whether all there is is one part.
    """
    full[:] = 0.0
    if alone:
        part[:] = 0
        for row in range(kind.shape[0]):
            count = 0
            for column in range(kind.shape[1]):
                count += (kind[row, column] == 1) & (whole[row, column] != 0)
            full[0] += count
        return
    for n in range(n_cells):
        for corner in range(4):
            row = cells[n, 0] + (corner >> 1)
            column = cells[n, 1] + (corner & 1)
            part[row, column] = _part_of(level, ring, lo, hi, row, column, part_up, part_down)
    for row in range(kind.shape[0]):
        for column in range(kind.shape[1]):
            if kind[row, column] == 1 and whole[row, column] != 0:
                own = _part_of(level, ring, lo, hi, row, column, part_up, part_down)
                if own >= 0:
                    full[own] += 1.0


@inlined
def _cubic(shape, quantity, has_lo, has_hi, gap_before, gap, gap_after):
    """Return value, slope and both half curvatures of a cubic through four planes, like that of the levels."""
    v1 = shape[1, quantity]
    slope = (shape[2, quantity] - v1) / gap
    c_lo = 0.0
    c_hi = 0.0
    if has_lo:
        c_lo = (slope - (v1 - shape[0, quantity]) / gap_before) / (gap_before + gap)
    if has_hi:
        c_hi = ((shape[3, quantity] - shape[2, quantity]) / gap_after - slope) / (gap + gap_after)
    if not has_lo:
        c_lo = c_hi
    if not has_hi:
        c_hi = c_lo
    return v1, slope, c_lo, c_hi


@inlined
def _at(cubic, tau, gap):
    """Value of a cubic `tau` above the lower plane."""
    t = tau / gap
    return cubic[0] + tau * cubic[1] - tau * (gap - tau) * ((1.0 - t) * cubic[2] + t * cubic[3])


@inlined
def _principal(shape, plane, own):
    """Write the greater and the smaller principal second moment of a plane's outline to `own`."""
    mean = 0.5 * (shape[plane, 1] + shape[plane, 2])
    off = sqrt((0.5 * (shape[plane, 1] - shape[plane, 2])) ** 2 + shape[plane, 3] ** 2)
    own[plane, 0] = shape[plane, 0]
    own[plane, 1] = mean + off
    own[plane, 2] = max(mean - off, 0.0)


@inlined
def _within_slopes(value, shape, has_lo, has_hi, tau, gap_before, gap, gap_after):
    """Return an area no further beyond those of both planes than the slopes on either side, carried on, reach."""
    a = shape[1, 0]
    b = shape[2, 0]
    from_lo = a + (a - shape[0, 0]) / gap_before * tau
    from_hi = b + (b - shape[3, 0]) / gap_after * (gap - tau)
    if not has_lo:
        from_lo = from_hi
    if not has_hi:
        from_hi = from_lo
    return min(max(a, b, min(from_lo, from_hi)), max(min(a, b, max(from_lo, from_hi)), value))


@maker
def _areas_between(shape, is_compact, span, mids, z_lo, ball, bend, targets):
    """Write the areas that sections should have, from what the planes around show: see `Parts`.

    The principal second moments are quadratic along z for ellipsoids, cones, oblique and lying cylinders alike, and
    know of no turning or moving; the area of compact sections follows from them. That of others follows the planes'
    areas. `ball`: half curvature that the principal moments of a ball have, in units of a cell: what two planes that
    stand alone are taken to show, as far as they are no more distant than a ball allows.
    """
    _, _, _, _, gap_before, gap, gap_after = span
    has_lo = shape[0, 0] >= 0.0
    has_hi = shape[3, 0] >= 0.0
    known = np.empty((4, 3))
    full_lo = 0.0
    full_hi = 0.0
    for plane in range(4):
        known[plane, 0] = shape[plane, 0]
    if is_compact:
        for plane in range(4):
            if shape[plane, 0] >= 0.0:
                _principal(shape, plane, known)
        full_lo = shape[1, 0] / sqrt(known[1, 1] * known[1, 2])
        full_hi = shape[2, 0] / sqrt(known[2, 1] * known[2, 2])
    course = np.empty((3, 4))
    for quantity in range(3):
        own = _cubic(known, quantity, has_lo, has_hi, gap_before, gap, gap_after)
        course[quantity, 0], course[quantity, 1], course[quantity, 2], course[quantity, 3] = own
    alone = not has_lo and not has_hi
    if alone and is_compact:
        bulge = -min(min(bend, 1.0) * ball, _BALL_MOST * sqrt(known[1, 2] * known[2, 2]) / (gap * gap))
        for quantity in range(1, 3):
            course[quantity, 2] = bulge
            course[quantity, 3] = bulge
    least = 0.5 * min(shape[1, 0], shape[2, 0])
    for s in range(mids.size):
        tau = mids[s] - z_lo
        target = _at(course[0], tau, gap)
        if is_compact:
            spread = max(0.0, _at(course[1], tau, gap)) * max(0.0, _at(course[2], tau, gap))
            target = (full_lo + tau / gap * (full_hi - full_lo)) * sqrt(spread)
        if not alone:
            target = _within_slopes(target, shape, has_lo, has_hi, tau, gap_before, gap, gap_after)
        targets[s] = max(target, least)


@helper
def _step_levels(level, radius, lo, hi, z, mids, nodes, n_nodes, part, stepped, phi):
    """Let the parts that are `stepped` keep the section of either plane as far as half way to the other."""
    middle = 0.5 * (z[0] + z[1])
    for n in range(n_nodes):
        row = nodes[n, 0]
        column = nodes[n, 1]
        own = part[row, column]
        if own < 0 or not stepped[own]:
            continue
        below = _distance(level[lo, row, column], radius[lo, row, column])
        above = _distance(level[hi, row, column], radius[hi, row, column])
        for s in range(mids.size):
            phi[row, column, s] = below if mids[s] < middle else above


@helper
def _shift_levels(phi, nodes, n_nodes, part, shifts, ease):
    """Move the surface outwards by `shifts` mm, one for each part and height, as far as each node of `ease` gives."""
    for n in range(n_nodes):
        row = nodes[n, 0]
        column = nodes[n, 1]
        own = part[row, column]
        if own < 0:
            continue
        for s in range(shifts.shape[1]):
            phi[row, column, s] -= ease[n] * shifts[own, s]


@maker
def _eases(level, radius, lo, hi, gap, nodes, n_nodes, part, branches):
    """Return how far each node gives way where a surface is moved: all, or, where parts merge, as their planes differ.

    A wall that both planes show at one place stays there; what merges or parts does so through a saddle between them.
    """
    ease = np.ones(n_nodes)
    some = False
    for p in range(branches.size):
        some |= branches[p]
    if not some:
        return ease
    for n in range(n_nodes):
        row = nodes[n, 0]
        column = nodes[n, 1]
        if part[row, column] >= 0 and branches[part[row, column]]:
            below = _distance(level[lo, row, column], radius[lo, row, column])
            above = _distance(level[hi, row, column], radius[hi, row, column])
            ease[n] = min(1.0, abs(above - below) / gap)
    return ease


@helper
def _next_shifts(areas, full, targets, course, first_time):
    """Write how far to move the surface of each part at each height, and return whether any area is off by too much.

    `course` (4, parts, heights): the shifts in mm, how area grows with them, the last shifts, and the areas before.
    """
    some = False
    for part in range(full.size):
        for s in range(targets.shape[1]):
            course[0, part, s] = 0.0
            if targets[part, s] <= 0.0:
                continue
            area = areas[part, s] + full[part]
            slope = course[1, part, s]
            moved = course[2, part, s]
            if not first_time and abs(moved) > 1e-6:
                slope = max(0.2 * slope, (area - course[3, part, s]) / moved)
            lack = targets[part, s] - area
            some |= abs(lack) > _AREA_TOLERANCE * targets[part, s]
            course[0, part, s] = min(max(lack / slope, -_SHIFT_MAX_MM), _SHIFT_MAX_MM)
            course[2, part, s] = course[0, part, s]
            course[3, part, s] = area
    return some


@helper
def _find_steps(areas, full, targets, stepped):
    """Mark the parts whose areas could not be put right; return whether there is any."""
    some = False
    for part in range(full.size):
        off = 0.0
        total = 0.0
        for s in range(targets.shape[1]):
            if targets[part, s] <= 0.0:
                continue
            off += abs(targets[part, s] - areas[part, s] - full[part])
            total += targets[part, s]
        stepped[part] = off > _STEP_TOLERANCE * total
        some |= stepped[part]
    return some


@helper
def _fill_runs(whole, layers, first, stop, slab_lo, slab_hi, slab_layer):
    """Add all cells that are full at the heights of the slabs ``first:stop``."""
    slots = layers.part.shape[0]
    run = layers.run
    span = layers.span
    for row in range(whole.shape[0]):
        column = 0
        while column < whole.shape[1]:
            if whole[row, column] != 1:
                column += 1
                continue
            begin = column
            while column < whole.shape[1] and whole[row, column] == 1:
                column += 1
            for s in range(first, stop):
                if slab_layer[s] < 0:
                    continue
                slot = slab_layer[s] % slots
                height = slab_hi[s] - slab_lo[s]
                moment = height * 0.5 * (slab_hi[s] + slab_lo[s])
                run[slot, row, begin, 0] += height
                run[slot, row, begin, 1] += moment
                run[slot, row, column, 0] -= height
                run[slot, row, column, 1] -= moment
                span[slot, row, 0] = min(span[slot, row, 0], begin)
                span[slot, row, 1] = max(span[slot, row, 1], column - 1)


@helper
def _fill_cells(cells, n_cells, sections, layers, first, stop, slab_lo, slab_hi, slab_layer):
    """Add the sections of cut cells to their layers."""
    part = layers.part
    moment = layers.moment
    span = layers.span
    for s in range(first, stop):
        if slab_layer[s] < 0:
            continue
        slot = slab_layer[s] % part.shape[0]
        height = slab_hi[s] - slab_lo[s]
        middle = 0.5 * (slab_lo[s] + slab_hi[s])
        for n in range(n_cells):
            area = sections[n, s - first, 0]
            if area <= 0.0:
                continue
            row = cells[n, 0]
            column = cells[n, 1]
            volume = area * height
            part[slot, row, column] += volume
            moment[slot, row, column, 0] += sections[n, s - first, 1] * height
            moment[slot, row, column, 1] += sections[n, s - first, 2] * height
            moment[slot, row, column, 2] += volume * middle
            span[slot, row, 0] = min(span[slot, row, 0], column)
            span[slot, row, 1] = max(span[slot, row, 1], column)


@helper
def _list_cells(whole, cells):
    """List the cut cells; return how many there are."""
    n_cells = 0
    for row in range(whole.shape[0]):
        for column in range(whole.shape[1]):
            if whole[row, column] == 0:
                cells[n_cells, 0] = row
                cells[n_cells, 1] = column
                n_cells += 1
    return n_cells


@helper
def _list_nodes(cells, n_cells, kind, done, nodes):
    """List the corners of the cells that are cut at this depth; return how many there are."""
    done[:] = False
    n_nodes = 0
    for n in range(n_cells):
        if kind[cells[n, 0], cells[n, 1]] != 0:
            continue
        for corner in range(4):
            row = cells[n, 0] + (corner >> 1)
            column = cells[n, 1] + (corner & 1)
            if not done[row, column]:
                done[row, column] = True
                nodes[n_nodes, 0] = row
                nodes[n_nodes, 1] = column
                n_nodes += 1
    return n_nodes


@helper
def _kinds(planes, rings, place, z, span, offsets, bend, mids, settles, scratch):
    """Write which cells are full, empty or cut between two planes: at each depth, and of all together.

    `settles`: beyond the last plane, whether what is inside or outside at the one height of `mids` is told apart.
    """
    state, kind, whole = scratch.state, scratch.kind, scratch.whole
    depths, _, n_rows, _ = planes.cover.shape
    lower, upper, _, _ = place
    lo = span[1] if lower >= 0 else span[2]
    hi = span[2] if upper >= 0 else span[1]
    for depth in range(depths):
        if lo == hi and settles:
            level, ring, sign = planes.level[depth], planes.ring[depth], planes.sign[depth]
            _cap_states(level, ring, sign, rings, place, z, offsets, bend, mids[0], state[depth])
        elif lo == hi:
            _end_states(planes.ring[depth, lo], planes.sign[depth, lo], state[depth])
        else:
            ends = rings.ends_up[lower] or rings.ends_down[upper]
            level, ring, sign = planes.level[depth], planes.ring[depth], planes.sign[depth]
            _node_states(level, ring, sign, rings, ends, span, bend, state[depth])
        for row in range(n_rows):
            below, above = planes.cover[depth, lo, row], planes.cover[depth, hi, row]
            _row_kinds(state[depth, row], state[depth, row + 1], below, above, kind[depth, row])
    # Copied one by one: a slice would have the compiler make texts of its possible errors.
    for row in range(n_rows):
        for column in range(whole.shape[1]):
            whole[row, column] = kind[0, row, column]
    for depth in range(1, depths):
        for row in range(n_rows):
            _merge_kinds(whole[row], kind[depth, row], depth)


@spliced
def _settle(planes, rings, parts, rules, depth, interval, mids, scratch, part, into):
    """Write to `scratch.phi` the surface of one depth at heights `mids` of an interval, and its sections to `into`.

    `interval`: place, heights of both planes, span, height of each plane's w, and the number of cut cells. Return the
    number of nodes at which `phi` is known: those marked in `scratch.done`.
    """
    place, z, span, offsets, n_cells = interval
    lower, upper, _, _ = place
    lo = span[1] if lower >= 0 else span[2]
    hi = span[2] if upper >= 0 else span[1]
    _, kind, whole, done, cells, nodes, phi = scratch
    level, radius, ring, rest = planes.level[depth], planes.radius[depth], planes.ring[depth], planes.rest[depth]
    for slot in (lo, hi):
        cover, area, known = planes.cover[depth, slot], planes.area[depth, slot], planes.known[depth, slot]
        _note_rests(level[slot], radius[slot], cover, area, rest[slot], known, cells, n_cells)
    n_nodes = _list_nodes(cells, n_cells, kind[depth], done, nodes)
    bend, far, all_step = rules
    _node_levels(level, radius, ring, rings, nodes, n_nodes, place, z, span, offsets, bend, far, mids, phi)
    if lo == hi and depth % 2 == 0:
        # A hole may widen: so a ring round it closes.
        _hold_end(level[lo], radius[lo], nodes, n_nodes, 0.5 * (z[1] - z[0]), mids.size, phi)
    begin = parts.start[depth, lower] if lo != hi else 0
    n_parts = parts.start[depth, lower + 1] - begin if lo != hi else 0
    full = np.empty(n_parts)
    areas = np.zeros((n_parts, mids.size))
    stepped = np.full(n_parts, all_step)
    if n_parts > 0:
        alone = parts.alone[depth, lower]
        _note_parts(level, ring, lo, hi, parts.up, parts.down, alone, cells, n_cells, kind[depth], whole, part, full)
    else:
        part[:] = -1
    if all_step:
        _step_levels(level, radius, lo, hi, z, mids, nodes, n_nodes, part, stepped, phi)
    _sections(ring, rest, rings, cells, n_cells, kind[depth], z, span, mids, phi, part, stepped, into, areas)
    if n_parts == 0 or all_step:
        return n_nodes
    targets = np.zeros((n_parts, mids.size))
    course = np.zeros((4, n_parts, mids.size))
    # Of what branches no moments are known.
    branches = parts.shape[begin : begin + n_parts, 1, 1] < 0.0
    ease = _eases(level, radius, lo, hi, z[1] - z[0], nodes, n_nodes, part, branches)
    for p in range(n_parts):
        if parts.is_wall[begin + p]:
            continue
        compact = parts.is_compact[begin + p]
        _areas_between(parts.shape[begin + p], compact, span, mids, z[0], rings.ball, bend, targets[p])
        one, two = parts.around[begin + p]
        for s in range(mids.size):
            course[1, p, s] = one + (mids[s] - z[0]) / (z[1] - z[0]) * (two - one)
            if branches[p]:
                course[1, p, s] *= _EASY
    for again in range(_SHIFTS + 1):
        if not _next_shifts(areas, full, targets, course, again == 0):
            break
        if again == _SHIFTS:
            if not _find_steps(areas, full, targets, stepped):
                break
            _step_levels(level, radius, lo, hi, z, mids, nodes, n_nodes, part, stepped, phi)
        else:
            _shift_levels(phi, nodes, n_nodes, part, course[0], ease)
        areas[:] = 0.0
        _sections(ring, rest, rings, cells, n_cells, kind[depth], z, span, mids, phi, part, stepped, into, areas)
    return n_nodes


@helper
def _sample(level, radius, state, z, mids, done, phi, depth, out):
    """Write the surface of one depth at heights `mids`, or cut it into what shallower depths left there."""
    below_level, above_level = level
    below_radius, above_radius = radius
    for row in range(done.shape[0]):
        for column in range(done.shape[1]):
            is_known = done[row, column]
            below = _distance(below_level[row, column], below_radius[row, column])
            above = _distance(above_level[row, column], above_radius[row, column])
            is_inside = state[row, column] == 1
            for s in range(mids.size):
                if is_known:
                    value = phi[row, column, s]
                else:
                    t = (mids[s] - z[0]) / (z[1] - z[0])
                    value = (1.0 - t) * below + t * above
                    value = min(value, -_LEAST_MM) if is_inside else max(value, _LEAST_MM)
                before = out[s, row, column]
                if depth == 0:
                    out[s, row, column] = value
                elif depth % 2 == 1:
                    out[s, row, column] = max(before, -value)
                else:
                    out[s, row, column] = min(before, value)


@making_kernel
def fill_intervals(planes, rings, parts, intervals, slabs, offsets, rules, scratch, layers, out):
    """Add what lies between two planes of a run, or beyond its first or last, to the layers; or sample its surface.

    Parameters as named in `buffers`; `offsets`: where the planes lie along w. `out` (heights, node rows, node columns):
    where it is not empty, about the distance from the surface within the plane, negative inside, is written to it for
    the middle of each slab, and no layer is touched. One kernel for both, since all that they call is compiled with it.
    """
    places, heights, slab_range = intervals
    slab_lo, slab_hi, slab_layer = slabs
    samples = out.shape[0] > 0
    depths = planes.cover.shape[0]
    slots = planes.cover.shape[1]
    cells, phi = scratch.cells, scratch.phi
    sections = np.empty((1, phi.shape[2], 3))
    own = np.empty((1, phi.shape[2], 3))
    part = np.full(scratch.done.shape, -1, np.int32)
    for i in range(places.shape[0]):
        lower, upper, run_lo, run_hi = places[i]
        place = (lower, upper, run_lo, run_hi)
        z = (heights[i, 0], heights[i, 1])
        begin, end = slab_range[i]
        if begin == end:
            continue
        span = _span(lower, upper, run_lo, run_hi, z[0], z[1], offsets, slots)
        lo = span[1] if lower >= 0 else span[2]
        hi = span[2] if upper >= 0 else span[1]
        # Where a solid closes hardly a cell is full, or empty, at all heights; at each of them most are.
        settles = lo == hi and not samples
        step = 1 if settles else end - begin
        for first in range(begin, end, step):
            stop = first + step
            mids = 0.5 * (slab_lo[first:stop] + slab_hi[first:stop])
            _kinds(planes, rings, place, z, span, offsets, rules.bend, mids, settles, scratch)
            if not samples:
                _fill_runs(scratch.whole, layers, first, stop, slab_lo, slab_hi, slab_layer)
            n_cells = _list_cells(scratch.whole, cells)
            if n_cells > sections.shape[0]:
                sections = np.empty((n_cells, phi.shape[2], 3))
                own = np.empty((n_cells if depths > 1 else 1, phi.shape[2], 3))
            interval = (place, z, span, offsets, n_cells)
            for depth in range(depths):
                into = own if depth > 0 else sections
                _settle(planes, rings, parts, rules, depth, interval, mids, scratch, part, into)
                if samples:
                    level = (planes.level[depth, lo], planes.level[depth, hi])
                    radius = (planes.radius[depth, lo], planes.radius[depth, hi])
                    _sample(level, radius, scratch.state[depth], z, mids, scratch.done, phi, depth, out[first:stop])
                elif depth > 0:
                    _merge_sections(sections, own, n_cells, mids.size, depth)
            if not samples:
                _fill_cells(cells, n_cells, sections, layers, first, stop, slab_lo, slab_hi, slab_layer)
