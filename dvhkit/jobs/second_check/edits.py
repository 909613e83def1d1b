"""Whether a planning system's curve is that of the same structure with one contour drawn otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.sampled import LEVELS, DosePoints, Slabs, cloud_of, contains
from dvhkit.jobs.second_check.readings import Readings, Target
from dvhkit.metrics.curve_distance import Curve
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import Dose

# How far a redrawn contour may lie from the old one, and on how many neighbouring slices.
_REACH_MM = 14.0
_SIZES_MM = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
_SHIFTS_MM = (3.0, 6.0, 10.0)
_FACTORS = (0.4, 0.6, 0.8, 1.2, 1.4, 1.6)
_RUN_MOST = 3
_SLICES_LEAST = 4
_DOSES, _FINE_DOSES = 80, 400
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plane:
    """Points in and around one slice: columns (m,) that stand on each other at several levels.

    `gy` (levels, m); `levels_mm`: where the levels lie along w; `part_cc`: what each point stands for.
    """

    u: FloatArray
    v: FloatArray
    inside_mm: FloatArray
    part_cc: float
    gy: FloatArray
    levels_mm: FloatArray

    def change(self, belongs: np.ndarray, bins: NDArray[np.int64], n_doses: int) -> tuple[FloatArray, float]:
        """Return what is added at least at each dose, and to the whole, in cc; `belongs`: (m,) or (levels, m)."""
        sign = belongs.astype(np.int8) - (self.inside_mm > 0)
        changed = np.flatnonzero(sign if sign.ndim == 1 else sign.any(axis=0))
        weight = np.broadcast_to(sign[..., changed] * self.part_cc, (len(self.levels_mm), len(changed)))
        counted = np.bincount(bins[:, changed].ravel(), weights=weight.ravel(), minlength=n_doses + 1)[1:]
        return np.asarray(np.cumsum(counted[::-1])[::-1]), float(weight.sum())


class _Search:
    """Points around each slice, and what an edit adds to the curve or takes from it."""

    def __init__(self, readings: Readings, slabs: Slabs, target: Target) -> None:
        self._slabs, self._target = slabs, target
        self._planes = _planes(slabs, readings.dose)
        self._doses = np.linspace(0.0, float(target.fine_gy[-1]), _DOSES)[1:]
        self._bins = self._reached(self._doses)
        self._fine = np.linspace(0.0, target.scale_gy * 1.2, _FINE_DOSES)[1:]
        self._fine_bins = self._reached(self._fine)
        self._theirs = np.interp(self._doses, target.fine_gy, target.fine_share)
        edits, changes, wholes = zip(*self._changes(), strict=True)
        self._edits: list[Edit] = list(edits)
        self._change, self._change_cc = np.array(changes), np.array(wholes)

    def _reached(self, doses: FloatArray) -> list[NDArray[np.int64]]:
        # Outside the dose grid nothing is reached.
        return [np.searchsorted(doses, np.nan_to_num(p.gy, nan=-1.0), side="right") for p in self._planes]

    def likeliest(self, base: Curve) -> list[Edit]:
        """Return the edits whose curves lie nearest to theirs at a few doses."""
        size = float(base(np.zeros(1))[0]) + self._change_cc
        whole = size if self._target.whole_cc is None else np.full(len(size), self._target.whole_cc)
        known = np.flatnonzero(size > 0)
        off = (base(self._doses) + self._change[known]) / whole[known, None] - self._theirs
        order = np.argsort(np.abs(off).mean(axis=1), kind="stable")
        return [self._edits[known[n]] for n in order[:_REFINED]]

    def _changes(self) -> Iterator[tuple[Edit, FloatArray, float]]:
        """Yield each edit with what it adds at least at each dose, and to the whole, in cc."""
        n_planes = len(self._planes)
        for size in (*_SIZES_MM, *(-s for s in _SIZES_MM), None):
            single = [self._coarse(Edit(first=k, grown_mm=size or 0.0, absent=size is None)) for k in range(n_planes)]
            for count in range(1, min(_RUN_MOST, n_planes // 3) + 1):
                for k in range(n_planes - count + 1):
                    parts = single[k : k + count]
                    edit = Edit(first=k, count=count, grown_mm=size or 0.0, absent=size is None)
                    yield edit, np.sum([p[0] for p in parts], axis=0), sum(p[1] for p in parts)
        for k in range(n_planes):
            if 0 < k < n_planes - 1:
                bridged = Edit(first=k, absent=True, bridged=True)
                yield bridged, *self._coarse(bridged)
            for factor in _FACTORS:
                scaled = Edit(first=k, factor=factor)
                yield scaled, *self._coarse(scaled)
            yield from self._moved(k)

    def _moved(self, k: int) -> Iterator[tuple[Edit, FloatArray, float]]:
        for reach in _SHIFTS_MM:
            for angle in np.arange(8) * np.pi / 4:
                way = (reach * float(np.cos(angle)), reach * float(np.sin(angle)))
                moved = self._belongs(Edit(first=k, moved_mm=way), k)
                more, less = (self._of(k, self._with_old(moved, k, kept)) for kept in ("or", "and"))
                yield Edit(first=k, moved_mm=way), more[0] + less[0], more[1] + less[1]
                yield Edit(first=k, moved_mm=way, kept="or"), *more
                yield Edit(first=k, moved_mm=way, kept="and"), *less

    def _coarse(self, edit: Edit) -> tuple[FloatArray, float]:
        return self._of(edit.first, self._belongs(edit, edit.first))

    def _of(self, k: int, belongs: np.ndarray) -> tuple[FloatArray, float]:
        return self._planes[k].change(belongs, self._bins[k], len(self._doses))

    def _with_old(self, moved: np.ndarray, k: int, kept: str) -> np.ndarray:
        old = self._planes[k].inside_mm > 0
        return np.asarray({"": moved, "or": moved | old, "and": moved & old}[kept])

    def _belongs(self, edit: Edit, k: int) -> np.ndarray:
        """Return which points near slice k belong to the edited structure: (m,), or (levels, m)."""
        plane, section = self._planes[k], self._slabs.sections[k]
        if edit.bridged:
            above, below = (contains(self._slabs.sections[n], plane.u, plane.v) for n in (k + 1, k - 1))
            upper = plane.levels_mm > self._slabs.stack.offsets_mm[k]
            return np.asarray(np.where(upper[:, None], above, below))
        if edit.absent or section.is_empty:
            return np.zeros(len(plane.u), dtype=bool)
        if edit.moved_mm != (0.0, 0.0):
            moved = contains(section, plane.u - edit.moved_mm[0], plane.v - edit.moved_mm[1])
            return self._with_old(moved, k, edit.kept)
        if edit.factor != 1.0:
            u, v = section.centroid.x, section.centroid.y
            return contains(section, u + (plane.u - u) / edit.factor, v + (plane.v - v) / edit.factor)
        return np.asarray(plane.inside_mm > -edit.grown_mm)

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
        added, whole = np.zeros(len(self._fine)), 0.0
        for k in range(edit.first, edit.first + edit.count):
            change, change_cc = self._planes[k].change(self._belongs(edit, k), self._fine_bins[k], len(self._fine))
            added, whole = added + change, whole + change_cc
        doses, changes = np.concatenate([[0.0], self._fine]), np.concatenate([[whole], added])
        return self._target.residual(
            lambda at: np.maximum(base(at) + np.interp(np.maximum(at, 0.0), doses, changes), 0.0)
        )


def _planes(slabs: Slabs, dose: Dose) -> list[_Plane]:
    cloud = cloud_of(slabs, points=_CLOUD_POINTS, reach_mm=_REACH_MM)
    gy = DosePoints(slabs, cloud.uvw, dose).gy()
    found = []
    for k in range(len(slabs.sections)):
        mine = np.flatnonzero(cloud.plane == k)
        u, v, w = cloud.uvw[mine].T.reshape(3, LEVELS, -1)
        empty = len(mine) == 0
        found.append(
            _Plane(
                u=u[0],
                v=v[0],
                inside_mm=cloud.inside_mm[mine].reshape(LEVELS, -1)[0],
                part_cc=0.0 if empty else float(cloud.part_cc[mine[0]]),
                gy=gy[mine].reshape(LEVELS, -1),
                levels_mm=np.zeros(LEVELS) if empty else w[:, 0],
            )
        )
    return found


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
