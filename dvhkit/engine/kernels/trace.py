"""Marching squares: the rings where a field crosses zero, with the inside (negative) on their left."""

from numba import njit


@njit(cache=True, nogil=True)
def count_crossings(field):
    """Return how many edges between neighbouring nodes change sign."""
    n_rows, n_columns = field.shape
    count = 0
    for j in range(n_rows):
        for i in range(n_columns):
            here = field[j, i] < 0.0
            if i + 1 < n_columns and here != (field[j, i + 1] < 0.0):
                count += 1
            if j + 1 < n_rows and here != (field[j + 1, i] < 0.0):
                count += 1
    return count


@njit(cache=True, nogil=True)
def _link(field, j, i, following):
    """Join the crossed edges of one cell: bottom 0, right 1, top 2, left 3, in turning order of its corners."""
    n_columns = field.shape[1]
    a = field[j, i]
    b = field[j, i + 1]
    c = field[j + 1, i + 1]
    d = field[j + 1, i]
    case = (a < 0.0) + 2 * (b < 0.0) + 4 * (c < 0.0) + 8 * (d < 0.0)
    if case in (0, 15):
        return
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
        joined = a + b + c + d < 0.0
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


@njit(cache=True, nogil=True)
def trace_rings(field, following, points, ring_start):
    """Write the rings; return their number.

    `field` must be positive all along its border. `following` (2 * rows * columns): work space, -1 on entry and on
    return. `points` (crossings, 2): (column, row) in nodes. `ring_start` (crossings + 1).
    """
    n_rows, n_columns = field.shape
    for j in range(n_rows - 1):
        for i in range(n_columns - 1):
            _link(field, j, i, following)
    rings = 0
    used = 0
    ring_start[0] = 0
    for start in range(following.size):
        edge = start
        if following[edge] < 0:
            continue
        while following[edge] >= 0:
            node = edge // 2
            j = node // n_columns
            i = node % n_columns
            a = field[j, i]
            if edge % 2 == 0:
                points[used, 0] = i + a / (a - field[j, i + 1])
                points[used, 1] = j
            else:
                points[used, 0] = i
                points[used, 1] = j + a / (a - field[j + 1, i])
            used += 1
            after = following[edge]
            following[edge] = -1
            edge = after
        rings += 1
        ring_start[rings] = used
    return rings
