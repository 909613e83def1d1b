"""Marching squares: the rings where a field crosses zero, with the inside (negative) on their left."""

from dvhkit.engine.kernels.compiled import helper, kernel


@kernel
def touches_border(field):
    """Return whether the field is negative anywhere along its border."""
    n_rows, n_columns = field.shape
    for i in range(n_columns):
        if field[0, i] < 0.0 or field[n_rows - 1, i] < 0.0:
            return True
    for j in range(n_rows):
        if field[j, 0] < 0.0 or field[j, n_columns - 1] < 0.0:
            return True
    return False


@helper
def _link(field, j, i, case, following):
    """Join the crossed edges of one cell: bottom 0, right 1, top 2, left 3, in turning order of its corners."""
    n_columns = field.shape[1]
    bottom = 2 * (j * n_columns + i)
    left = bottom + 1
    right = left + 2
    top = bottom + 2 * n_columns
    if case == 1:
        following[bottom] = left
    elif case == 2:
        following[right] = bottom
    elif case == 3:
        following[right] = left
    elif case == 4:
        following[top] = right
    elif case == 6:
        following[top] = bottom
    elif case == 7:
        following[top] = left
    elif case == 8:
        following[left] = top
    elif case == 9:
        following[bottom] = top
    elif case == 11:
        following[right] = top
    elif case == 12:
        following[left] = right
    elif case == 13:
        following[bottom] = right
    elif case == 14:
        following[left] = bottom
    else:
        # A saddle: its middle decides whether the two inner corners hang together.
        joined = field[j, i] + field[j, i + 1] + field[j + 1, i + 1] + field[j + 1, i] < 0.0
        if case == 5 and joined:
            following[bottom] = right
            following[top] = left
        elif case == 5:
            following[bottom] = left
            following[top] = right
        elif joined:
            following[left] = bottom
            following[right] = top
        else:
            following[right] = bottom
            following[left] = top


@kernel
def link_crossings(field, following, edges):
    """Join the edges that change sign, cell by cell; return how many they are.

    `following` (2 * rows * columns): -1 on entry; for each edge the one that comes after it. `edges`: the edges that
    have one, in the order of cells; each crossing belongs to two cells, and is told by the one that leads on from it.
    """
    n_rows, n_columns = field.shape
    count = 0
    for j in range(n_rows - 1):
        left = (field[j, 0] < 0.0) + 8 * (field[j + 1, 0] < 0.0)
        for i in range(n_columns - 1):
            right = 2 * (field[j, i + 1] < 0.0) + 4 * (field[j + 1, i + 1] < 0.0)
            case = left + right
            left = right // 2 if right < 4 else 8 + (right - 4) // 2
            if case == 0 or case == 15:
                continue
            _link(field, j, i, case, following)
            bottom = 2 * (j * n_columns + i)
            # The edges by which the outline enters this cell are those whose follower was just set.
            a = case & 1
            b = (case >> 1) & 1
            c = (case >> 2) & 1
            d = (case >> 3) & 1
            if a == 1 and b == 0:
                edges[count] = bottom
                count += 1
            if b == 1 and c == 0:
                edges[count] = bottom + 3
                count += 1
            if c == 1 and d == 0:
                edges[count] = bottom + 2 * n_columns
                count += 1
            if d == 1 and a == 0:
                edges[count] = bottom + 1
                count += 1
    return count


@kernel
def walk_rings(field, following, edges, count, apart, least, points, ring_start):
    """Write the rings that linked edges make; return their number.

    `points` (count, 2): (column, row) in nodes; a point nearer than `apart` to the one before is left out. Rings of
    fewer than three points or less area than `least` are left out. `ring_start` (count + 1). `following` is -1 again
    on return.
    """
    n_columns = field.shape[1]
    rings = 0
    used = 0
    ring_start[0] = 0
    for n in range(count):
        edge = edges[n]
        if following[edge] < 0:
            continue
        begin = used
        area = 0.0
        while following[edge] >= 0:
            node = edge // 2
            j = node // n_columns
            i = node % n_columns
            a = field[j, i]
            x = float(i)
            y = float(j)
            if edge % 2 == 0:
                x += a / (a - field[j, i + 1])
            else:
                y += a / (a - field[j + 1, i])
            if used == begin or abs(x - points[used - 1, 0]) > apart or abs(y - points[used - 1, 1]) > apart:
                if used > begin:
                    x0 = points[begin, 0]
                    y0 = points[begin, 1]
                    area += (points[used - 1, 0] - x0) * (y - y0) - (x - x0) * (points[used - 1, 1] - y0)
                points[used, 0] = x
                points[used, 1] = y
                used += 1
            after = following[edge]
            following[edge] = -1
            edge = after
        if used - begin > 1:
            closes_x = abs(points[used - 1, 0] - points[begin, 0]) <= apart
            if closes_x and abs(points[used - 1, 1] - points[begin, 1]) <= apart:
                used -= 1
        if used - begin < 3 or abs(0.5 * area) <= least:
            used = begin
            continue
        rings += 1
        ring_start[rings] = used
    return rings
