"""How far the arcs that outlines were drawn of lie outside their chords."""

from math import atan2, sqrt

from dvhkit.engine.kernels.compiled import kernel


@kernel
def arcs_outside(points, ring_start, corner):
    """Return the area in mm2 between all chords and their arcs, and the length of all chords in mm.

    `points` (n, 2) in mm; `ring_start`: where rings begin. An outline that turns by more than `corner` rad at both
    points of an edge has corners there, and no arc; else that edge is the chord of an arc that turns as the outline
    does at the point where it turns less.
    """
    outside = 0.0
    whole = 0.0
    for ring in range(ring_start.size - 1):
        begin = ring_start[ring]
        end = ring_start[ring + 1]
        # A point that comes twice has no edge of its own.
        while end - 1 > begin and points[end - 1, 0] == points[begin, 0] and points[end - 1, 1] == points[begin, 1]:
            end -= 1
        # From the edge that ends where the ring begins on.
        x0 = points[end - 1, 0]
        y0 = points[end - 1, 1]
        dx = points[begin, 0] - x0
        dy = points[begin, 1] - y0
        length = sqrt(dx * dx + dy * dy)
        behind = -1.0
        first = -1
        for n in range(2 * (end - begin)):
            p = begin + n if begin + n < end else begin + n - (end - begin)
            q = p + 1 if p + 1 < end else begin
            dx1 = points[q, 0] - points[p, 0]
            dy1 = points[q, 1] - points[p, 1]
            if dx1 == 0.0 and dy1 == 0.0:
                continue
            turn = abs(atan2(dx * dy1 - dy * dx1, dx * dx1 + dy * dy1))
            if behind >= 0.0:
                arc = min(turn, behind)
                # An arc that turns by `arc` over a chord lies off it by length * arc / 12 on average.
                if arc <= corner:
                    outside += length * length * arc / 12.0
                whole += length
            if p == first:
                break
            if first < 0:
                first = p
            behind = turn
            dx = dx1
            dy = dy1
            length = sqrt(dx * dx + dy * dy)
    return outside, whole
