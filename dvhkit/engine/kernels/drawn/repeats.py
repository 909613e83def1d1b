"""Which rings pass through one point twice."""

from dvhkit.engine.kernels.compiled import kernel


@kernel
def mark_repeats(points, order, ring_start, same, repeats):
    """Mark the rings in which two points, not neighbours along it, are nearer than `same` in x and in y.

    `order`: the points of each ring by growing x.
    """
    for r in range(ring_start.size - 1):
        begin = ring_start[r]
        n = ring_start[r + 1] - begin
        repeats[r] = False
        for a in range(n):
            i = order[begin + a] - begin
            b = a + 1
            while b < n and points[order[begin + b], 0] - points[begin + i, 0] <= same:
                other = order[begin + b] - begin
                apart = abs(other - i)
                if 1 < apart < n - 1 and abs(points[begin + other, 1] - points[begin + i, 1]) <= same:
                    repeats[r] = True
                    break
                b += 1
            if repeats[r]:
                break
