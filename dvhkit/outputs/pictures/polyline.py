"""Fewer points for the same line."""

from __future__ import annotations

Point = tuple[float, float]


def simplified(points: list[Point], *, tolerance: float) -> list[Point]:
    """Return the line through `points` with as few of them as keep it within `tolerance` of each.

    Ramer's and Douglas and Peucker's method (doi:10.1016/S0146-664X(72)80017-0), the distance being the one to the
    chord. Both ends stay.
    """
    if len(points) < 3:
        return points
    kept = {0, len(points) - 1}
    open_spans = [(0, len(points) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        index, distance = _farthest(points, first, last)
        if distance > tolerance:
            kept.add(index)
            open_spans += [(first, index), (index, last)]
    return [points[i] for i in sorted(kept)]


def _farthest(points: list[Point], first: int, last: int) -> tuple[int, float]:
    (x0, y0), (x1, y1) = points[first], points[last]
    dx, dy = x1 - x0, y1 - y0
    length = (dx * dx + dy * dy) ** 0.5
    best, best_distance = first, 0.0
    for i in range(first + 1, last):
        x, y = points[i][0] - x0, points[i][1] - y0
        distance = abs(dx * y - dy * x) / length if length else (x * x + y * y) ** 0.5
        if distance > best_distance:
            best, best_distance = i, distance
    return best, best_distance
