"""Outline a region that is given as an implicit function in a plane: marching squares with vertices on the curve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dvhkit.model.arrays import FloatArray

PlaneFunction = Callable[[FloatArray, FloatArray], FloatArray]

# Directed steps through a cell, inside on the left: corner bits are lower left 1, lower right 2, upper right 4, upper
# left 8; edges are bottom 0, right 1, top 2, left 3. The saddles 5 and 10 are decided at the cell's middle.
_STEPS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((0, 3),),
    2: ((1, 0),),
    3: ((1, 3),),
    4: ((2, 1),),
    6: ((2, 0),),
    7: ((2, 3),),
    8: ((3, 2),),
    9: ((0, 2),),
    11: ((1, 2),),
    12: ((3, 1),),
    13: ((0, 1),),
    14: ((3, 0),),
}
_SADDLES = {
    (5, True): ((0, 1), (2, 3)),
    (5, False): ((0, 3), (2, 1)),
    (10, True): ((3, 0), (1, 2)),
    (10, False): ((1, 0), (3, 2)),
}
# Halvings of a grid step: 1 mm becomes 1e-12 mm.
_BISECTIONS = 40


def trace_rings(f: PlaneFunction, *, x_mm: FloatArray, y_mm: FloatArray) -> tuple[FloatArray, ...]:
    """Return the closed curves f = 0 as (n, 2) rings, the region f < 0 on their left.

    Outer boundaries therefore run anticlockwise (seen with y up), holes clockwise. Each vertex lies on the curve to
    rounding; a feature narrower than a grid step may be missed. The region must not reach the rim of the grid: what
    lies on the rim counts as outside.

    Parameters
    ----------
    x_mm, y_mm
        Ascending node positions of the search grid.
    """
    inside = np.asarray(f(x_mm[None, :], y_mm[:, None])) < 0
    inside = np.broadcast_to(inside, (len(y_mm), len(x_mm))).copy()
    inside[[0, -1], :] = False
    inside[:, [0, -1]] = False
    successor = _link(f, inside, x_mm, y_mm)
    if not successor:
        return ()
    edges = np.array(list(successor), dtype=np.int64)
    position = dict(zip(map(tuple, edges.tolist()), _crossings(f, inside, edges, x_mm, y_mm), strict=True))
    return tuple(np.array([position[edge] for edge in ring]) for ring in _rings(successor))


Edge = tuple[int, int, int]


def _edge(row: int, column: int, side: int) -> Edge:
    """Name a cell's edge by direction (0 along x, 1 along y) and its lower node."""
    return ((0, row, column), (1, row, column + 1), (0, row + 1, column), (1, row, column))[side]


def _link(f: PlaneFunction, inside: np.ndarray, x_mm: FloatArray, y_mm: FloatArray) -> dict[Edge, Edge]:
    bits = inside.astype(np.int64)
    code = bits[:-1, :-1] + 2 * bits[:-1, 1:] + 4 * bits[1:, 1:] + 8 * bits[1:, :-1]
    successor: dict[Edge, Edge] = {}
    for row, column in np.argwhere((code > 0) & (code < 15)).tolist():
        case = int(code[row, column])
        if case in (5, 10):
            x = np.array([(x_mm[column] + x_mm[column + 1]) / 2])
            y = np.array([(y_mm[row] + y_mm[row + 1]) / 2])
            steps: tuple[tuple[int, int], ...] = _SADDLES[case, bool(np.ravel(f(x, y))[0] < 0)]
        else:
            steps = _STEPS[case]
        for start, end in steps:
            successor[_edge(row, column, start)] = _edge(row, column, end)
    return successor


def _crossings(
    f: PlaneFunction, inside: np.ndarray, edges: np.ndarray, x_mm: FloatArray, y_mm: FloatArray
) -> FloatArray:
    """Return where the curve crosses each edge, by bisection."""
    along_x, row, column = edges[:, 0] == 0, edges[:, 1], edges[:, 2]
    first = np.stack([x_mm[column], y_mm[row]], axis=1)
    second = np.stack([x_mm[column + along_x], y_mm[row + ~along_x]], axis=1)
    starts_inside = inside[row, column]
    within = np.where(starts_inside[:, None], first, second)
    without = np.where(starts_inside[:, None], second, first)
    for _ in range(_BISECTIONS):
        middle = (within + without) / 2
        is_in = np.asarray(f(middle[:, 0], middle[:, 1])) < 0
        within = np.where(is_in[:, None], middle, within)
        without = np.where(is_in[:, None], without, middle)
    return np.asarray((within + without) / 2)


def _rings(successor: dict[Edge, Edge]) -> list[list[Edge]]:
    waiting = dict(successor)
    rings = []
    while waiting:
        start, following = waiting.popitem()
        ring = [start]
        while following != start:
            ring.append(following)
            following = waiting.pop(following)
        rings.append(ring)
    return rings
