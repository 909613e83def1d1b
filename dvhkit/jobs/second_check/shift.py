"""Whether one rigid shift of the dose grid brings all curves of a case to the planning system's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.jobs.second_check.readings import Readings, Sampled, Target
from dvhkit.metrics.curve_distance import Curve, curve_of, distance
from dvhkit.model.arrays import FloatArray

if TYPE_CHECKING:
    from dvhkit.jobs.second_check.compared import Compared

# A grid is misplaced by half a voxel along each axis (a corner taken for a centre), or by one along one (planes counted
# from 0 or 1); more is another dose.
_MOST_VOXELS = 1.05
_SEEDS = (-1.0, -0.5, 0.0, 0.5, 1.0)
# What a shape takes for a shift and for its mirror image is nearly one: several valleys are followed to their ends.
_VALLEYS = 4
_VALLEY_VOXELS = 1.0
_VALLEYS_ALIKE = 1.5
_FINEST_VOXELS = 0.02
_AXES = tuple(np.array(d, dtype=float) for d in product((-1, 0, 1), repeat=3) if sum(map(abs, d)) == 1)
_DIAGONALS = tuple(np.array(d, dtype=float) for d in product((-1, 0, 1), repeat=3) if sum(map(abs, d)) > 1)
_ROIS_MOST = 5
# One curve that no shift explains must not pull the others' shift.
_CAPPED_FRAC = 0.05
# The search looks at a few doses and points, at more where it ends; what it finds is measured with all.
_DOSES = 48
_POINTS, _POINTS_AT_THE_END = 3_000, 10_000
_POLISH_VOXELS = 0.125


# Curves of one structure, and whether straight lines join the slices of each.
Curves = list[tuple[Curve, bool]]


def find_shift(parts: Sequence[tuple[Readings, Target, Curves]]) -> FloatArray | None:
    """Return the shift (x, y, z) in mm that brings the curves of `parts` nearest to theirs; None without points."""
    parts = [part for part in parts if part[0].cloud is not None][:_ROIS_MOST]
    if not parts:
        return None
    grid = parts[0][0].dose.grid
    voxel = np.array([*grid.spacing_mm, grid.plane_spacing_mm or 1.0])

    def to_mm(voxels: FloatArray) -> FloatArray:
        return np.asarray((voxels * voxel) @ grid.axes)

    def distance(of: list[_Quick]) -> Callable[[FloatArray], float]:
        return lambda voxels: sum(min(_CAPPED_FRAC, one.left(to_mm(voxels))) for one in of) / len(of)

    left = distance([_Quick(*part, of_points=_POINTS) for part in parts])

    seeds = sorted(
        ((left(np.array(seed)), seed) for seed in product(_SEEDS, repeat=3) if _is_near(np.array(seed))),
        key=lambda row: row[0],
    )
    refined = [_refine(left, np.array(seed), value) for value, seed in _apart(seeds)]
    finer = distance([_Quick(*part, of_points=_POINTS_AT_THE_END) for part in parts])
    # Coarsely sampled, the right valley may look up to this much shallower than another.
    most = _VALLEYS_ALIKE * min(value for value, _ in refined)
    ends = [voxels for value, voxels in refined if value <= most]
    polished = [_refine(finer, voxels, finer(voxels), step=_POLISH_VOXELS) for voxels in ends]
    return to_mm(min(polished, key=lambda row: row[0])[1])


_Seed = tuple[float, tuple[float, ...]]


def _apart(seeds: Sequence[_Seed]) -> list[_Seed]:
    """Return the best seeds of which none lies beside a better one."""
    found: list[_Seed] = []
    for seed in seeds:
        if all(np.abs(np.subtract(seed[1], other)).max() >= _VALLEY_VOXELS for _, other in found):
            found.append(seed)
    return found[:_VALLEYS]


class _Quick:
    """One structure's curve at a few doses, and how far theirs is from it under a shift."""

    def __init__(self, readings: Readings, target: Target, curves: Curves, *, of_points: int) -> None:
        self._doses = np.linspace(0.0, target.scale_gy * 1.02, _DOSES)[1:]
        self._theirs = np.interp(self._doses, target.fine_gy, target.fine_share)
        self._points: list[tuple[Sampled, list[FloatArray]]] = []
        for straight in (False, True):
            cloud = readings.straight_cloud if straight else readings.cloud
            own = [curve for curve, lines in curves if lines is straight]
            if cloud is None or not own:
                continue
            points = cloud.every(max(1, len(cloud.part_cc) // of_points))
            wholes = [target.whole_cc or float(curve(np.zeros(1))[0]) for curve in own]
            before = self._at_least(points, points.gy)
            rest = [
                curve(self._doses) / whole - before / whole - self._theirs
                for curve, whole in zip(own, wholes, strict=True)
            ]
            self._points.append((points, rest))
            self._whole = wholes[0]

    def _at_least(self, points: Sampled, gy: FloatArray) -> FloatArray:
        # What has no dose counts below the least one.
        bins = np.searchsorted(self._doses, np.nan_to_num(gy, nan=-1.0), side="right")
        counted = np.bincount(bins, weights=points.part_cc, minlength=_DOSES)[1:]
        return np.asarray(np.cumsum(counted[::-1])[::-1])

    def left(self, shift_mm: FloatArray) -> float:
        """Return the mean distance along volume, in parts of the structure."""
        found = np.inf
        for points, rest in self._points:
            moved = self._at_least(points, points.points.gy(shift_mm)) / self._whole
            found = min(found, *(float(np.abs(moved + each).mean()) for each in rest))
        return found


def left_after(part: tuple[Readings, Target, Curves], shift_mm: FloatArray) -> float:
    """Return what a shift leaves of one structure's difference, in percent, under the best of its curves."""
    readings, target, curves = part
    changes = {straight: readings.shifted(shift_mm, straight=straight) for _, straight in curves}
    pairs = [(changes[straight], curve) for curve, straight in curves]
    return min((target.residual(change(curve)) for change, curve in pairs if change is not None), default=100.0)


def shift_unseen_mm(row: Compared) -> float | None:
    """Return how far the dose grid may be shifted along its least telling axis without the curve leaving the tolerance.

    At most one voxel; None without points. The shift's effect is taken from half a voxel, to first order.
    """
    cloud = row.readings.cloud
    if cloud is None:
        return None
    grid, reach = row.readings.dose.grid, 0.0
    own = curve_of(row.ours)
    doses = np.linspace(0.0, row.target.scale_gy, _DOSES)
    share = own(doses) / row.ours.volume_cc
    for axis, size in zip(grid.axes, (*grid.spacing_mm, grid.plane_spacing_mm or 1.0), strict=True):
        change = row.readings.shifted(axis * size / 2)
        assert change is not None
        moved = 100.0 * distance(change(own), doses, share, whole_cc=row.ours.volume_cc, scale_gy=row.target.scale_gy)
        reach = max(reach, size * min(1.0, row.tolerance_pct / max(2.0 * moved, 1e-9)))
    return reach


def _is_near(voxels: FloatArray) -> bool:
    return float(np.linalg.norm(voxels)) <= _MOST_VOXELS


def _refine(
    left: Callable[[FloatArray], float], voxels: FloatArray, value: float, step: float = 0.25
) -> tuple[float, FloatArray]:
    """Follow the slope from a seed with steps that halve; diagonals, too, since valleys lie aslant to the axes."""
    while step > _FINEST_VOXELS:
        found = None
        for ways in (_AXES, _DIAGONALS):
            near = [other for other in (voxels + step * way for way in ways) if _is_near(other)]
            best = min(((left(other), n) for n, other in enumerate(near)), default=(np.inf, 0))
            if best[0] < value - 1e-7:
                found = (best[0], near[best[1]])
                break
        if found is None:
            step /= 2
        else:
            value, voxels = found
    return value, voxels
