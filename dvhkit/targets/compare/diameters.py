"""Diameters of a lesion from its contours: longest inside it, perpendicular to that, across, and in space.

RECIST 1.1 measures in the imaging plane (Eisenhauer 2009). A line that leaves the lesion measures what is no lesion:
the longest diameter stays inside, and the unconstrained one stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from dvhkit.engine.contours.repair import rings_of
from dvhkit.engine.kernels.drawn.chords import longest_along, longest_inside
from dvhkit.model.arrays import FloatArray
from dvhkit.results.contours.lesions import Diameters, Point
from dvhkit.targets.compare.flat import flat_rings
from dvhkit.targets.compare.islands import Island, Piece
from dvhkit.targets.compare.lines import slice_position_mm
from dvhkit.targets.compare.skin import Skin

# A line may leave the outline by as much as texts are rounded.
_SLACK_MM = 0.02
# Corners that leave a straight line by less than this are none.
_STRAIGHT_MM = 0.002
# Dents of less than this on average are the rounding of texts.
_DENT_MM = 0.001
# Pairs of this many corners are looked through in a blink; outlines of more are thinned to about as many.
_MOST_CORNERS = 700
# Every climb to the farthest pair begins at the extreme of one of so many directions: on 60 random sets of 700 to 4,000
# points, half of them on ellipsoids of nearly one radius, none came out short by more than 0.002 mm.
_DIRECTIONS = 60


def measure_island(skin: Skin, island: Island, *, volume_cc: float | None = None) -> Diameters:
    """Return the diameters of one separate part of a solid.

    Parameters
    ----------
    volume_cc
        Its volume, where it is known better than from slabs.
    """
    longest, ends, piece = _longest(island.pieces)
    points, starts = _corners(piece.shape)
    along = (ends[1] - ends[0]) / max(longest, 1e-9)
    across = np.zeros((2, 2))
    short = longest_along(points, starts, -along[1], along[0], _SLACK_MM, across)
    return Diameters(
        longest_mm=float(longest),
        short_axis_mm=float(short),
        slice_mm=slice_position_mm(skin, piece.w_mm),
        end_points_mm=_in_patient(skin, ends, piece.w_mm),
        short_axis_points_mm=_in_patient(skin, across, piece.w_mm),
        longest_unconstrained_mm=max(_across(p.shape) for p in island.pieces),
        min_feret_mm=_least_width(piece.shape),
        longest_3d_mm=_in_space(skin, island),
        volume_cc=island.volume_cc if volume_cc is None else volume_cc,
    )


def _longest(pieces: Sequence[Piece]) -> tuple[float, FloatArray, Piece]:
    """Return the longest line inside any of the pieces, its ends (2, 2), and the piece."""
    best, kept, at = 0.0, np.zeros((2, 2)), pieces[0]
    for piece in sorted(pieces, key=lambda p: -_across(p.shape)):
        if _across(piece.shape) <= best:
            break
        if _is_convex(piece.shape):
            best, kept, at = (*_hull_pair(piece.shape), piece)
            continue
        points, starts = _corners(piece.shape)
        ends = np.zeros((2, 2))
        found = longest_inside(points, starts, *_candidates(points, starts), best, _SLACK_MM, ends)
        if found > best:
            best, kept, at = found, ends, piece
    return best, kept, at


def _corners(shape: Any) -> tuple[FloatArray, Any]:  # noqa: ANN401 -- a shapely polygon
    step = _STRAIGHT_MM
    thinned = shapely.simplify(shape, step)
    while shapely.get_num_coordinates(thinned) > _MOST_CORNERS and step < _SLACK_MM:
        step *= 1.5
        thinned = shapely.simplify(shape, step)
    return flat_rings(rings_of(thinned if thinned.is_valid and not thinned.is_empty else shape))


def _candidates(points: FloatArray, starts: Any) -> tuple[Any, Any, FloatArray]:  # noqa: ANN401 -- index arrays
    """Return pairs of corners, whether a line through them may go on beyond, and a bound of its length, falling."""
    i, j = np.triu_indices(len(points), 1)
    along = points[j] - points[i]
    distance = np.hypot(*along.T)
    pivot = _may_pass(points, starts, i, along, distance) | _may_pass(points, starts, j, along, distance)
    reach = np.where(pivot, _line_reach(points, i, j), distance)
    order = np.argsort(-reach, kind="stable")
    return np.column_stack([i, j])[order].astype(np.int64), pivot[order], reach[order]


def _may_pass(points: FloatArray, starts: Any, at: Any, along: FloatArray, length: FloatArray) -> Any:  # noqa: ANN401
    """Return which lines may go on beyond a corner: where it turns inwards and both its edges lie on one side."""
    index = np.arange(len(points))
    before, after = index - 1, index + 1
    before[starts[:-1]], after[starts[1:] - 1] = starts[1:] - 1, starts[:-1]
    back, on = points[before] - points, points[after] - points
    hollow = back[:, 0] * on[:, 1] - back[:, 1] * on[:, 0] > 0
    sides = [(along[:, 0] * edge[at, 1] - along[:, 1] * edge[at, 0]) / np.maximum(length, 1e-12) for edge in (back, on)]
    low, high = np.minimum(*sides), np.maximum(*sides)
    return hollow[at] & ((low >= -_SLACK_MM) | (high <= _SLACK_MM))


def _line_reach(points: FloatArray, i: Any, j: Any) -> FloatArray:  # noqa: ANN401
    """Return how long the line through two corners is within the box of all."""
    low, high = points.min(axis=0), points.max(axis=0)
    start, along = points[i], points[j] - points[i]
    length = np.maximum(np.hypot(*along.T), 1e-12)
    along = along / length[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (low - start) / along, (high - start) / along
    enter = np.where(np.abs(along) > 1e-12, np.minimum(one, two), -np.inf).max(axis=1)
    leave = np.where(np.abs(along) > 1e-12, np.maximum(one, two), np.inf).min(axis=1)
    return np.asarray(np.maximum(leave - enter, 0.0))


def _across(shape: Any) -> float:  # noqa: ANN401
    """Return the greatest distance of two points of an outline."""
    return _hull_pair(shape)[0]


def _hull_pair(shape: Any) -> tuple[float, FloatArray]:  # noqa: ANN401
    """Return the greatest distance of two points of an outline, and the two (2, 2)."""
    corners = shapely.get_coordinates(shapely.convex_hull(shape))
    apart = np.hypot(*(corners[:, None] - corners[None]).transpose(2, 0, 1))
    i, j = np.unravel_index(int(apart.argmax()), apart.shape)
    return float(apart[i, j]), corners[[i, j]]


def _is_convex(shape: Any) -> bool:  # noqa: ANN401
    return bool(shapely.convex_hull(shape).area - shape.area <= _DENT_MM * shape.length)


def _least_width(shape: Any) -> float:  # noqa: ANN401
    """Return the least distance of two parallel lines that hold an outline between them: one lies along a hull edge."""
    hull = shapely.get_coordinates(shapely.convex_hull(shape))
    edges = np.diff(hull, axis=0)
    edges = edges[np.hypot(*edges.T) > 1e-9]
    normals = np.column_stack([-edges[:, 1], edges[:, 0]]) / np.hypot(*edges.T)[:, None]
    return float(np.ptp(hull @ normals.T, axis=0).min())


def _in_space(skin: Skin, island: Island) -> float:
    """Return the greatest distance of two points of the solid near an island's slices."""
    points = skin.triangles_mm.reshape(-1, 3)
    uvw = skin.sections.frame.to_frame(points)
    gap = skin.sections.gap_mm
    low, high = island.heights_mm[0] - gap, island.heights_mm[-1] + gap
    boxes = np.array([p.shape.bounds for p in island.pieces])
    u, v, w = uvw.T
    near = (w >= low) & (w <= high)
    near &= (u >= boxes[:, 0].min() - 1) & (u <= boxes[:, 2].max() + 1)
    near &= (v >= boxes[:, 1].min() - 1) & (v <= boxes[:, 3].max() + 1)
    return _farthest_pair(points[near])


def _farthest_pair(points: FloatArray) -> float:
    """Return the greatest distance of two points: climbed to from the extremes of many directions."""
    points = np.unique(points, axis=0)
    if len(points) < 2:
        return 0.0
    if len(points) <= _MOST_CORNERS:
        return max(_reach_mm(points, one) for one in points)
    # The points of a pair lie no nearer to the middle than the pair is longer than the other can account for.
    from_middle = np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1))
    longest = _climbed(points, points[from_middle.argmax()])
    points = points[from_middle >= longest - from_middle.max() - 1e-9]
    return max(longest, *(_climbed(points, points[(points @ way).argmax()]) for way in _directions()))


def _reach_mm(points: FloatArray, one: FloatArray) -> float:
    return float(np.sqrt(((points - one) ** 2).sum(axis=1).max()))


def _climbed(points: FloatArray, one: FloatArray) -> float:
    """Go from a point to the one farthest from it, and on, until the distance grows no more."""
    reached = 0.0
    while (squared := ((points - one) ** 2).sum(axis=1)).max() > reached:
        reached, one = squared.max(), points[squared.argmax()]
    return float(np.sqrt(reached))


def _directions() -> FloatArray:
    """Return directions spread evenly over the sphere."""
    n = np.arange(_DIRECTIONS)
    polar, turn = np.arccos(1 - (n + 0.5) / _DIRECTIONS), np.pi * (1 + 5**0.5) * n
    return np.column_stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)])


def _in_patient(skin: Skin, ends_uv: FloatArray, w_mm: float) -> tuple[Point, Point]:
    placed = skin.sections.frame.to_patient(np.column_stack([ends_uv, np.full(2, w_mm)]))
    (ax, ay, az), (bx, by, bz) = placed.tolist()
    return (ax, ay, az), (bx, by, bz)
