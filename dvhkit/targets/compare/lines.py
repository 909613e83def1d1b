"""Lines drawn on one slice, held against those of another contour there: added path length, Hausdorff in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.contours.repair import rings_of
from dvhkit.engine.kernels.drawn.line_distance import count_beyond, farther_length, line_hausdorff
from dvhkit.engine.kernels.drawn.outline import fill_inside
from dvhkit.model.arrays import FloatArray
from dvhkit.model.slices import SAME_PLANE_MM
from dvhkit.results.contours.comparison import SliceAgreement
from dvhkit.targets.compare.flat import flat_rings
from dvhkit.targets.compare.skin import Skin, polygons_of

# Where a line crosses the tolerance is known to this length.
_RESOLUTION_MM = 0.001
_ROUNDED_MM = 1e-3
# Steps along a line between which its distance from another changes by no more than they are long.
_STEP_MM = 0.5
_VOXEL_MM = 1.0
_VOXEL_TOLERANCE_MM = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What all slices of A come to."""

    slices: tuple[SliceAgreement, ...]
    added_mm: float
    whole_mm: float
    added_voxels_mm: float


def compare_lines(a: Skin, b: Skin, tolerance_mm: float) -> Lines:
    """Hold each drawn slice of A against B's line there: as drawn, or the section of B's solid between its slices."""
    own = [drawn for drawn in a.sections.drawn if drawn.rings]
    others = _lines_of_b(b, [drawn.w_mm for drawn in own])
    mine, theirs = polygons_of([drawn.rings for drawn in own]), polygons_of(others)
    shared, total = shapely.area(shapely.intersection(mine, theirs)), shapely.area(mine) + shapely.area(theirs)
    dice = 2.0 * shared / np.where(total > 0.0, total, 1.0)
    rows, added, whole, voxels = [], 0.0, 0.0, 0.0
    for drawn, other, agreed in zip(own, others, dice.tolist(), strict=True):
        line, against = flat_rings(drawn.rings), flat_rings(other)
        slice_mm = slice_position_mm(a, drawn.w_mm)
        if other:
            beyond, length = farther_length(*line, *against, tolerance_mm + _ROUNDED_MM, _RESOLUTION_MM)
            worst = max(line_hausdorff(*line, *against, _STEP_MM), line_hausdorff(*against, *line, _STEP_MM))
            rows.append(SliceAgreement(slice_mm=slice_mm, dice=agreed, hausdorff_mm=float(worst), apl_mm=beyond))
        else:
            beyond = length = _length(drawn.rings)
            rows.append(SliceAgreement(slice_mm=slice_mm, dice=0.0, hausdorff_mm=None, apl_mm=beyond))
        added, whole = added + beyond, whole + length
        voxels += _added_voxels_mm(line, against)
    return Lines(slices=tuple(rows), added_mm=added, whole_mm=whole, added_voxels_mm=voxels)


def _lines_of_b(b: Skin, heights_mm: Sequence[float]) -> list[Sequence[FloatArray]]:
    """Return B's rings at heights of A: as drawn where B has the slice."""
    levels = np.array([s.w_mm for s in b.sections.drawn])
    low, high = b.ends_mm()
    found: list[Sequence[FloatArray]] = []
    for w in heights_mm:
        near = int(np.abs(levels - w).argmin())
        if abs(levels[near] - w) <= SAME_PLANE_MM:
            found.append(b.sections.drawn[near].rings)
        else:
            found.append(rings_of(b.cut(w)) if low + _ROUNDED_MM < w < high - _ROUNDED_MM else ())
    return found


def slice_position_mm(skin: Skin, w_mm: float) -> float:
    """Return where a slice lies along its normal, in patient coordinates: z for axial slices."""
    frame = skin.sections.frame
    normal = frame.axes[2]
    turned = normal if normal[np.abs(normal).argmax()] >= 0 else -normal
    return float(frame.to_patient(np.array([[0.0, 0.0, w_mm]]))[0] @ turned)


def _length(rings: Sequence[FloatArray]) -> float:
    return float(sum(np.hypot(*(np.roll(r, -1, axis=0) - r).T).sum() for r in rings))


def _added_voxels_mm(line: tuple[FloatArray, NDArray[np.int64]], other: tuple[FloatArray, NDArray[np.int64]]) -> float:
    """Return the added path length as voxel programs count it, on pixels of 1 mm and with 3 mm of tolerance.

    Pixels inside A with a neighbour outside, which are farther than the tolerance from B's area.
    """
    (points, starts), (theirs, their_starts) = line, other
    low = np.floor(points.min(axis=0)) - 1.5
    size = np.ceil((points.max(axis=0) + 2.0 - low) / _VOXEL_MM).astype(int)
    inside = np.zeros((size[1], size[0]), np.bool_)
    fill_inside((points - low) / _VOXEL_MM, starts, inside)
    # Nothing lies on the outermost pixels.
    rim = inside.copy()
    rim[1:-1, 1:-1] &= ~(inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:])
    if not len(theirs):
        return float(rim.sum()) * _VOXEL_MM
    inside_b = np.zeros(inside.shape, np.bool_)
    fill_inside((theirs - low) / _VOXEL_MM, their_starts, inside_b)
    pixels = low + _VOXEL_MM * np.argwhere(rim & ~inside_b)[:, ::-1]
    return float(count_beyond(pixels, theirs, their_starts, _VOXEL_TOLERANCE_MM)) * _VOXEL_MM
