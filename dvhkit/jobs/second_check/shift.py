"""Whether one rigid shift of the dose grid brings all curves of a case to the planning system's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from dvhkit.jobs.second_check.readings import Readings, Target
from dvhkit.metrics.curve_distance import Curve
from dvhkit.model.arrays import FloatArray

# A grid is misplaced by half a voxel (a corner taken for a centre) or by one; more is another dose.
_MOST_VOXELS = 1.05
_SEEDS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_SEEDS_REFINED = 3
_FINEST_VOXELS = 0.02
_AXES = tuple(np.array(d, dtype=float) for d in product((-1, 0, 1), repeat=3) if sum(map(abs, d)) == 1)
_DIAGONALS = tuple(np.array(d, dtype=float) for d in product((-1, 0, 1), repeat=3) if sum(map(abs, d)) > 1)
_ROIS_MOST = 5
# One curve that no shift explains must not pull the others' shift.
_CAPPED_FRAC = 0.05
# The search looks at a few doses and points, at more where it ends; what it finds is measured with all.
_DOSES = 48
_EVERY, _EVERY_AT_THE_END = 10, 3
_POLISH_VOXELS = 0.125


def find_shift(parts: Sequence[tuple[Readings, Target, list[Curve]]]) -> FloatArray | None:
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

    left = distance([_Quick(*part, every=_EVERY) for part in parts])

    seeds = sorted(((left(np.array(seed)), seed) for seed in product(_SEEDS, repeat=3)), key=lambda row: row[0])
    refined = [_refine(left, np.array(seed), value) for value, seed in seeds[:_SEEDS_REFINED]]
    _, voxels = min(refined, key=lambda row: row[0])
    finer = distance([_Quick(*part, every=_EVERY_AT_THE_END) for part in parts])
    _, voxels = _refine(finer, voxels, finer(voxels), step=_POLISH_VOXELS)
    return to_mm(voxels)


class _Quick:
    """One structure's curve at a few doses, and how far theirs is from it under a shift."""

    def __init__(self, readings: Readings, target: Target, curves: list[Curve], *, every: int) -> None:
        assert readings.cloud is not None
        self._points = readings.cloud.every(every)
        self._doses = np.linspace(0.0, target.scale_gy * 1.02, _DOSES)[1:]
        self._theirs = np.interp(self._doses, target.fine_gy, target.fine_share)
        wholes = [target.whole_cc or float(curve(np.zeros(1))[0]) for curve in curves]
        self._ours = [curve(self._doses) / whole for curve, whole in zip(curves, wholes, strict=True)]
        self._whole = wholes[0]
        self._before = self._at_least(self._points.gy)

    def _at_least(self, gy: FloatArray) -> FloatArray:
        # What has no dose counts below the least one.
        bins = np.searchsorted(self._doses, np.nan_to_num(gy, nan=-1.0), side="right")
        counted = np.bincount(bins, weights=self._points.part_cc, minlength=_DOSES)[1:]
        return np.asarray(np.cumsum(counted[::-1])[::-1])

    def left(self, shift_mm: FloatArray) -> float:
        """Return the mean distance along volume, in parts of the structure."""
        change = (self._at_least(self._points.points.gy(shift_mm)) - self._before) / self._whole
        return min(float(np.abs(ours + change - self._theirs).mean()) for ours in self._ours)


def left_after(part: tuple[Readings, Target, list[Curve]], shift_mm: FloatArray) -> float:
    """Return what a shift leaves of one structure's difference, in percent, under the best of its curves."""
    readings, target, curves = part
    change = readings.shifted(shift_mm)
    if change is None:
        return 100.0
    return min(target.residual(change(curve)) for curve in curves)


def _refine(
    left: Callable[[FloatArray], float], voxels: FloatArray, value: float, step: float = 0.25
) -> tuple[float, FloatArray]:
    """Follow the slope from a seed with steps that halve; diagonals, too, since valleys lie aslant to the axes."""
    while step > _FINEST_VOXELS:
        found = None
        for ways in (_AXES, _DIAGONALS):
            near = [other for other in (voxels + step * way for way in ways) if np.abs(other).max() <= _MOST_VOXELS]
            best = min(((left(other), n) for n, other in enumerate(near)), default=(np.inf, 0))
            if best[0] < value - 1e-7:
                found = (best[0], near[best[1]])
                break
        if found is None:
            step /= 2
        else:
            value, voxels = found
    return value, voxels
