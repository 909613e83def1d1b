"""Lines drawn on one slice, held against those of another contour there: added path length, Hausdorff in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvhkit.engine.contours.repair import rings_of
from dvhkit.engine.kernels.drawn.line_distance import count_beyond, farther_length, line_hausdorff
from dvhkit.engine.kernels.drawn.outline import fill_inside
from dvhkit.model.arrays import FloatArray
from dvhkit.model.slices import SAME_PLANE_MM
from dvhkit.results.contours.comparison import SliceAgreement
from dvhkit.targets.compare.flat import flat_rings
from dvhkit.targets.compare.skin import Skin, polygon_of

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
    rows, added, whole, voxels = [], 0.0, 0.0, 0.0
    for drawn in a.sections.drawn:
        if not drawn.rings:
            continue
        other = _rings_of_b(b, drawn.w_mm)
        line = flat_rings(drawn.rings)
        if other:
            beyond, length = farther_length(*line, *flat_rings(other), tolerance_mm + _ROUNDED_MM, _RESOLUTION_MM)
        else:
            length = _length(drawn.rings)
            beyond = length
        added, whole = added + beyond, whole + length
        voxels += _added_voxels_mm(drawn.rings, other)
        rows.append(_row(a, drawn.w_mm, drawn.rings, other, beyond))
    return Lines(slices=tuple(rows), added_mm=added, whole_mm=whole, added_voxels_mm=voxels)


def _rings_of_b(b: Skin, w_mm: float) -> Sequence[FloatArray]:
    near = min(b.sections.drawn, key=lambda s: abs(s.w_mm - w_mm))
    if abs(near.w_mm - w_mm) <= SAME_PLANE_MM:
        return near.rings
    low, high = b.ends_mm()
    if not low + _ROUNDED_MM < w_mm < high - _ROUNDED_MM:
        return ()
    return rings_of(b.cut(w_mm))


def _row(
    a: Skin, w_mm: float, own: Sequence[FloatArray], other: Sequence[FloatArray], beyond_mm: float
) -> SliceAgreement:
    slice_mm = slice_position_mm(a, w_mm)
    if not other:
        return SliceAgreement(slice_mm=slice_mm, dice=0.0, hausdorff_mm=None, apl_mm=float(beyond_mm))
    mine, theirs = polygon_of(own), polygon_of(other)
    total = mine.area + theirs.area
    one, two = flat_rings(own), flat_rings(other)
    worst = max(line_hausdorff(*one, *two, _STEP_MM), line_hausdorff(*two, *one, _STEP_MM))
    dice = 2.0 * mine.intersection(theirs).area / total if total > 0 else 0.0
    return SliceAgreement(slice_mm=slice_mm, dice=float(dice), hausdorff_mm=float(worst), apl_mm=float(beyond_mm))


def slice_position_mm(skin: Skin, w_mm: float) -> float:
    """Return where a slice lies along its normal, in patient coordinates: z for axial slices."""
    frame = skin.sections.frame
    normal = frame.axes[2]
    turned = normal if normal[np.abs(normal).argmax()] >= 0 else -normal
    return float(frame.to_patient(np.array([[0.0, 0.0, w_mm]]))[0] @ turned)


def _length(rings: Sequence[FloatArray]) -> float:
    return float(sum(np.hypot(*(np.roll(r, -1, axis=0) - r).T).sum() for r in rings))


def _added_voxels_mm(own: Sequence[FloatArray], other: Sequence[FloatArray]) -> float:
    """Return the added path length as voxel programs count it, on pixels of 1 mm and with 3 mm of tolerance.

    Pixels inside A with a neighbour outside, which are farther than the tolerance from B's area.
    """
    points, starts = flat_rings(own)
    low = np.floor(points.min(axis=0)) - 1.5
    size = np.ceil((points.max(axis=0) + 2.0 - low) / _VOXEL_MM).astype(int)
    inside = np.zeros((size[1], size[0]), np.bool_)
    fill_inside((points - low) / _VOXEL_MM, starts, inside)
    padded = np.pad(inside, 1)
    rim = inside & ~(padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:])
    if not other:
        return float(rim.sum()) * _VOXEL_MM
    theirs, their_starts = flat_rings(other)
    inside_b = np.zeros(inside.shape, np.bool_)
    fill_inside((theirs - low) / _VOXEL_MM, their_starts, inside_b)
    pixels = low + _VOXEL_MM * np.argwhere(rim & ~inside_b)[:, ::-1]
    return float(count_beyond(pixels, theirs, their_starts, _VOXEL_TOLERANCE_MM)) * _VOXEL_MM
