"""Whether a planning system's curve is that of the same structure with one contour drawn otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dvhkit.engine.sampled import Cloud, Slabs, cloud_of, contains, dose_at
from dvhkit.jobs.second_check.readings import Readings, Target
from dvhkit.metrics.curve_distance import Curve
from dvhkit.model.arrays import FloatArray

# How far a redrawn contour may lie from the old one, and on how many neighbouring slices.
_REACH_MM = 14.0
_SIZES_MM = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
_SHIFTS_MM = (3.0, 6.0, 10.0)
_KEPT: tuple[Literal["", "or", "and"], ...] = ("", "or", "and")
_FACTORS = (0.4, 0.6, 0.8, 1.2, 1.4, 1.6)
_RUN_MOST = 3
_SLICES_LEAST = 4
_DOSES = 80
_CLOUD_POINTS = 20_000
# The likeliest candidates are refined and measured exactly.
_REFINED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One contour, or a few neighbours, drawn otherwise.

    `first`, `count`: which slices, from below. `grown_mm`, `moved_mm`, `factor` (of size, about the centroid): how the
    contours differ; `absent`: they are missing in the other version. `kept`: a contour that is moved is joined with the
    old one (it bulges to one side), or shares what both have (it is cut back on one side).
    """

    first: int
    count: int = 1
    grown_mm: float = 0.0
    moved_mm: tuple[float, float] = (0.0, 0.0)
    factor: float = 1.0
    kept: Literal["", "or", "and"] = ""
    absent: bool = False
    bridged: bool = False


def find_edit(readings: Readings, target: Target, bases: list[Curve]) -> tuple[float, Edit, str] | None:
    """Return the edit that brings ours nearest to theirs: what is left in percent, the edit, and where it lies.

    None where the structure has too few slices for one of them to be told from all.
    """
    slabs = readings.slabs()
    if slabs is None or len(slabs.sections) < _SLICES_LEAST:
        return None
    search = _Search(readings, slabs, target)
    best: tuple[float, Edit] | None = None
    for base in bases:
        for edit in search.likeliest(base):
            found = search.refined(base, edit)
            if best is None or found[0] < best[0]:
                best = found
    if best is None:
        return None
    return best[0], best[1], _words(slabs, best[1])


class _Search:
    """Points around each slice, and what an edit adds to the curve or takes from it."""

    def __init__(self, readings: Readings, slabs: Slabs, target: Target) -> None:
        self._slabs, self._target = slabs, target
        self._cloud: Cloud = cloud_of(slabs, points=_CLOUD_POINTS, reach_mm=_REACH_MM)
        self._gy = dose_at(slabs, self._cloud.uvw, readings.dose)
        self._doses = np.linspace(0.0, float(target.fine_gy[-1]), _DOSES)[1:]
        self._theirs = np.interp(self._doses, target.fine_gy, target.fine_share)
        order = np.argsort(self._cloud.plane, kind="stable")
        bounds = np.searchsorted(self._cloud.plane[order], np.arange(len(slabs.sections) + 1))
        self._of_plane = [order[a:b] for a, b in itertools.pairwise(bounds)]

    def likeliest(self, base: Curve) -> list[Edit]:
        """Return the edits whose curves lie nearest to theirs at a few doses."""
        whole = self._target.whole_cc
        ours = base(self._doses)
        total = float(base(np.zeros(1))[0])
        scored: list[tuple[float, int, Edit]] = []
        for edit, change, change_cc in self._changes():
            size = total + change_cc
            if size <= 0:
                continue
            off = (ours + change) / (whole if whole is not None else size) - self._theirs
            scored.append((float(np.abs(off).mean()), len(scored), edit))
        scored.sort(key=lambda row: row[:2])
        return [edit for _, _, edit in scored[:_REFINED]]

    def _changes(self) -> Iterator[tuple[Edit, FloatArray, float]]:
        planes = range(len(self._slabs.sections))
        for size in (*_SIZES_MM, *(-s for s in _SIZES_MM), None):
            single = [
                self._change(Edit(first=k, grown_mm=size or 0.0, absent=size is None), self._doses) for k in planes
            ]
            for count in range(1, min(_RUN_MOST, len(planes) // 3) + 1):
                for k in range(len(planes) - count + 1):
                    parts = single[k : k + count]
                    edit = Edit(first=k, count=count, grown_mm=size or 0.0, absent=size is None)
                    yield edit, sum((p[0] for p in parts), np.zeros(len(self._doses))), sum(p[1] for p in parts)
        for k in planes:
            if 0 < k < len(planes) - 1:
                bridged = Edit(first=k, absent=True, bridged=True)
                yield bridged, *self._change(bridged, self._doses)
            for factor in _FACTORS:
                scaled = Edit(first=k, factor=factor)
                yield scaled, *self._change(scaled, self._doses)
            for reach in _SHIFTS_MM:
                for angle in np.arange(8) * np.pi / 4:
                    way = (reach * float(np.cos(angle)), reach * float(np.sin(angle)))
                    for kept in _KEPT:
                        moved = Edit(first=k, moved_mm=way, kept=kept)
                        yield moved, *self._change(moved, self._doses)

    def _change(self, edit: Edit, doses: FloatArray) -> tuple[FloatArray, float]:
        """Return what an edit adds to the cumulative volume at `doses`, and to the whole, in cc."""
        added = np.zeros(len(doses))
        whole = 0.0
        for k in range(edit.first, edit.first + edit.count):
            mine = self._of_plane[k]
            sign = self._belongs(edit, k, mine).astype(np.int8) - (self._cloud.inside_mm[mine] > 0)
            changed = np.flatnonzero(sign)
            weight = sign[changed] * self._cloud.part_cc[mine][changed]
            gy = self._gy[mine][changed]
            order = np.argsort(gy)
            beyond = np.concatenate([np.cumsum(weight[order][::-1])[::-1], [0.0]])
            added += beyond[np.searchsorted(gy[order], doses)]
            whole += float(weight.sum())
        return added, whole

    def _belongs(self, edit: Edit, k: int, mine: np.ndarray) -> np.ndarray:
        """Return which points near slice k belong to the edited structure."""
        cloud = self._cloud
        if edit.bridged:
            u, v, w = cloud.uvw[mine].T
            upper = w > self._slabs.stack.offsets_mm[k]
            above, below = self._slabs.sections[k + 1], self._slabs.sections[k - 1]
            return np.asarray(np.where(upper, contains(above, u, v), contains(below, u, v)))
        if edit.absent:
            return np.zeros(len(mine), dtype=bool)
        if edit.moved_mm != (0.0, 0.0):
            u, v = cloud.uvw[mine, 0] - edit.moved_mm[0], cloud.uvw[mine, 1] - edit.moved_mm[1]
            moved = contains(self._slabs.sections[k], u, v)
            old = cloud.inside_mm[mine] > 0
            return np.asarray({"": moved, "or": moved | old, "and": moved & old}[edit.kept])
        if edit.factor != 1.0:
            section = self._slabs.sections[k]
            if section.is_empty:
                return np.zeros(len(mine), dtype=bool)
            middle = np.array([section.centroid.x, section.centroid.y])
            u, v = (middle + (cloud.uvw[mine, :2] - middle) / edit.factor).T
            return contains(section, u, v)
        return np.asarray(cloud.inside_mm[mine] > -edit.grown_mm)

    def refined(self, base: Curve, edit: Edit) -> tuple[float, Edit]:
        """Return the best edit of the same kind on the same slices, and what is left in percent."""
        best = (self._left(base, edit), edit)
        if edit.absent:
            return best
        step = 1.0
        while step > 0.1:
            improved = False
            for other in _neighbours(best[1], step):
                left = self._left(base, other)
                if left < best[0] - 1e-6:
                    best, improved = (left, other), True
            if not improved:
                step /= 2
        return best

    def _left(self, base: Curve, edit: Edit) -> float:
        doses = np.concatenate([[0.0], np.linspace(0.0, self._target.scale_gy * 1.2, 400)[1:]])
        change, change_cc = self._change(edit, doses[1:])
        change = np.concatenate([[change_cc], change])
        return self._target.residual(
            lambda at: np.maximum(base(at) + np.interp(np.maximum(at, 0.0), doses, change), 0.0)
        )


def _neighbours(edit: Edit, step: float) -> list[Edit]:
    from dataclasses import replace

    if edit.factor != 1.0:
        factors = (edit.factor - 0.1 * step, edit.factor + 0.1 * step)
        return [replace(edit, factor=f) for f in factors if f > 0.1 and f != 1.0]
    if edit.grown_mm:
        sizes = [s for s in (edit.grown_mm - step, edit.grown_mm + step) if s and abs(s) < _REACH_MM]
        return [replace(edit, grown_mm=s) for s in sizes]
    u, v = edit.moved_mm
    moves = ((u + step, v), (u - step, v), (u, v + step), (u, v - step))
    return [replace(edit, moved_mm=m) for m in moves if 0 < np.hypot(*m) < _REACH_MM]


def _words(slabs: Slabs, edit: Edit) -> str:
    z = [float(slabs.stack.offsets_mm[k]) for k in (edit.first, edit.first + edit.count - 1)]
    at = slabs.stack.frame.to_patient(np.array([[0.0, 0.0, z[0]], [0.0, 0.0, z[1]]]))
    axis = int(np.abs(slabs.stack.frame.axes[2]).argmax())
    name = "xyz"[axis]
    place = (
        f"{name} = {at[0, axis]:.4g} mm" if edit.count == 1 else f"{name} = {at[0, axis]:.4g} to {at[1, axis]:.4g} mm"
    )
    what = "contour is" if edit.count == 1 else "contours are"
    if edit.absent:
        return f"in their version the {what} missing at {place}"
    if edit.grown_mm:
        way = "larger" if edit.grown_mm > 0 else "smaller"
        return f"in their version the {what} about {abs(edit.grown_mm):.2g} mm {way} all round at {place}"
    if edit.factor != 1.0:
        return f"in their version the {what} about {edit.factor:.2g} times as wide at {place}"
    if edit.kept:
        way = "bulges" if edit.kept == "or" else "is cut back"
        return f"in their version the contour {way} by about {np.hypot(*edit.moved_mm):.2g} mm on one side at {place}"
    return f"in their version the {what} moved by about {np.hypot(*edit.moved_mm):.2g} mm at {place}"
