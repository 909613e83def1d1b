"""Lines drawn on one slice, held against those of another contour there: added path length, Hausdorff in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.kernels.drawn.line_distance import compare_slices
from dvhkit.engine.kernels.surface.sweep import areas_at
from dvhkit.model.arrays import FloatArray
from dvhkit.model.slices import SAME_PLANE_MM
from dvhkit.results.contours.comparison import SliceAgreement
from dvhkit.targets.compare.flat import clean_rings, slices_as_strips, stacked
from dvhkit.targets.compare.skin import Skin

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
    mine, theirs = _by_slice([drawn.rings for drawn in own]), _by_slice(others)
    found, areas = np.empty((len(own), 4)), np.empty((len(own), 7))
    voxels = (_VOXEL_MM, _VOXEL_TOLERANCE_MM)
    compare_slices(mine, theirs, tolerance_mm + _ROUNDED_MM, (_RESOLUTION_MM, _STEP_MM), voxels, found)
    areas_at(np.arange(len(own), dtype=float), slices_as_strips(*mine), slices_as_strips(*theirs), areas)
    total = areas[:, 0] + areas[:, 3]
    dice = np.minimum(1.0, 2.0 * areas[:, 6] / np.where(total > 0.0, total, 1.0))
    rows = [
        SliceAgreement(
            slice_mm=slice_position_mm(a, drawn.w_mm),
            dice=agreed,
            hausdorff_mm=worst if worst >= 0.0 else None,
            apl_mm=beyond,
        )
        for drawn, agreed, (beyond, _, worst, _) in zip(own, dice.tolist(), found.tolist(), strict=True)
    ]
    added, whole, _, pixels = (float(x) for x in found.sum(axis=0))
    return Lines(slices=tuple(rows), added_mm=added, whole_mm=whole, added_voxels_mm=pixels * _VOXEL_MM)


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
            found.append(b.strips.rings_at(w) if low + _ROUNDED_MM < w < high - _ROUNDED_MM else ())
    return found


def _by_slice(slices: Sequence[Sequence[FloatArray]]) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Return the rings of all slices as the kernel takes them; see `compare_slices`."""
    cleaned = [clean_rings(rings) for rings in slices]
    points, ring_start = stacked([ring for rings in cleaned for ring in rings])
    return points, ring_start, np.cumsum([0, *(len(rings) for rings in cleaned)])


def slice_position_mm(skin: Skin, w_mm: float) -> float:
    """Return where a slice lies along its normal, in patient coordinates: z for axial slices."""
    frame = skin.sections.frame
    normal = frame.axes[2]
    turned = normal if normal[np.abs(normal).argmax()] >= 0 else -normal
    return float(frame.to_patient(np.array([[0.0, 0.0, w_mm]]))[0] @ turned)
