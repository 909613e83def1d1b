"""Whether a planning system's curve is that of the same structure with one contour drawn otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.joined_slices import Joined
from dvhkit.engine.sampled import Slabs
from dvhkit.jobs.second_check.readings import REACH_MM, Readings, Target
from dvhkit.metrics.curve_distance import Curve
from dvhkit.model.arrays import FloatArray

# By how much a redrawn contour may differ at first, and on how many neighbouring slices.
_SIZES_MM = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
_SHIFTS_MM = (3.0, 6.0, 10.0)
_FACTORS = (0.4, 0.6, 0.8, 1.2, 1.4, 1.6)
_KEPT: tuple[Literal["", "or", "and"], ...] = ("", "or", "and")
# An edit of more neighbours than these, or of more than a third of all slices, is another version.
_RUN_MOST = 5
_SLICES_LEAST = 4
_DOSES, _FINE_DOSES = 80, 400
# Columns of one segment that candidates are told by: a part of all, each standing for more.
_COARSE_COLUMNS = 500
# Of more slices than these not each begins a candidate: neighbours differ little, and refining moves to them.
_FIRST_MOST = 24
# The likeliest candidates of each kind are measured exactly, and the best of them refined.
_LIKELIEST_A_KIND = 3
_REFINED = 10
# A curve that is looked at some thousand times is a table.
_TABLE_DOSES, _TABLE_BEYOND = 4000, 1.3


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


def find_edit(
    readings: Readings, target: Target, bases: Sequence[tuple[Curve, bool]], *, absent_alone: bool = False
) -> tuple[float, Edit, str] | None:
    """Return the edit that brings ours nearest to theirs: what is left in percent, the edit, and where it lies.

    `bases`: curves of ours, and whether straight lines join their slices; `absent_alone`: only missing contours are
    looked for. None where the structure has too few slices for one of them to be told from all, or the whole structure
    grown or shrunk does better: that is another version.
    """
    slabs = readings.slabs()
    joined = readings.joined
    if slabs is None or joined is None or len(slabs.sections) < _SLICES_LEAST:
        return None
    best: tuple[float, Edit] | None = None
    whole_left = math.inf
    bases = [(_tabled(curve, target.scale_gy * _TABLE_BEYOND), straight) for curve, straight in bases]
    for straight in sorted({straight for _, straight in bases}):
        search = _Search(joined, slabs, target, straight=straight, absent_alone=absent_alone)
        for base in (curve for curve, own in bases if own is straight):
            whole_left = min(whole_left, search.left_of_whole(base))
            for edit in search.likeliest(base):
                found = search.refined(base, edit)
                if best is None or found[0] < best[0]:
                    best = found
    if best is None or best[0] > whole_left:
        return None
    return best[0], best[1], _words(slabs, best[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Segment:
    """The columns of one segment that an edit of its slices may reach: where they lie, and what is there.

    `low_mm`, `high_mm`: (m,) distances to the slices below and above; `before`: (LEVELS, m) part inside; `bins`: how
    many of the doses looked at each point reaches; `part_cc`: what a point stands for.
    """

    at: int
    u: FloatArray
    v: FloatArray
    low_mm: FloatArray
    high_mm: FloatArray
    before: FloatArray
    bins: NDArray[np.int64]
    part_cc: float


class _Search:
    """What an edit adds to the curve or takes from it."""

    def __init__(
        self, joined: Joined, slabs: Slabs, target: Target, *, straight: bool, absent_alone: bool = False
    ) -> None:
        self._joined, self._slabs, self._target, self._straight = joined, slabs, target, straight
        self._n_planes = len(joined.inside_mm)
        self._doses = np.linspace(0.0, float(target.fine_gy[-1]), _DOSES)[1:]
        self._fine = np.linspace(0.0, target.scale_gy * 1.2, _FINE_DOSES)[1:]
        self._segments = [self._segment(n, self._doses, _COARSE_COLUMNS) for n in range(len(joined.lower))]
        self._fine_segments = [self._segment(n, self._fine) for n in range(len(joined.lower))]
        self._theirs = np.interp(self._doses, target.fine_gy, target.fine_share)
        self._edits: list[Edit] = []
        changes = list(self._candidates(absent_alone=absent_alone))
        self._change = np.concatenate([change for change, _ in changes])
        self._change_cc = np.concatenate([whole for _, whole in changes])

    def _segment(self, n: int, doses: FloatArray, most: int | None = None) -> _Segment:
        joined = self._joined
        u, v = joined.columns(n)
        low, high = (joined.distances(int(k), u, v) for k in (joined.lower[n], joined.upper[n]))
        cells = np.flatnonzero(np.maximum(low, high) > -REACH_MM)
        every = 1 if most is None else -(-len(cells) // most)
        cells = cells[:: max(1, every)]
        # Outside the dose grid nothing is reached.
        gy = np.nan_to_num(joined.gy[n][:, cells], nan=-1.0)
        return _Segment(
            at=n,
            u=u[cells],
            v=v[cells],
            low_mm=low[cells],
            high_mm=high[cells],
            before=joined.filled(n, low[cells], high[cells], straight=self._straight),
            bins=np.searchsorted(doses, gy, side="right"),
            part_cc=float(joined.part_cc[n]) * every,
        )

    def likeliest(self, base: Curve) -> list[Edit]:
        """Return the edits whose curves lie nearest to theirs: of each kind by few doses, of all by the whole curve."""
        size = float(base(np.zeros(1))[0]) + self._change_cc
        whole = size if self._target.whole_cc is None else np.full(len(size), self._target.whole_cc)
        known = np.flatnonzero(size > 0)
        off = (base(self._doses) + self._change[known]) / whole[known, None] - self._theirs
        order = np.argsort(np.abs(off).mean(axis=1), kind="stable")
        found: dict[tuple[bool | str, ...], list[Edit]] = {}
        for n in order:
            edit = self._edits[known[n]]
            of_kind = found.setdefault(
                (edit.absent, edit.factor != 1.0, bool(edit.grown_mm), edit.kept, edit.count > 1), []
            )
            if len(of_kind) < _LIKELIEST_A_KIND:
                of_kind.append(edit)
        measured = [(self._left(base, edit), n, edit) for n, edit in enumerate(chain(*found.values()))]
        return [edit for _, _, edit in sorted(measured, key=lambda row: row[:2])[:_REFINED]]

    def _candidates(self, *, absent_alone: bool) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield what edits add at least at each dose, (n, DOSES), and to the whole, (n,), in cc; notes the edits.

        Each is computed on single slices. What neighbours add together is the sum, to first order where lines join
        them; and of many slices those between do what the nearest does.
        """
        n = self._n_planes
        yield from self._runs([Edit(first=0, absent=True)], every=1)
        bridged = [Edit(first=k, absent=True, bridged=True) for k in range(1, n - 1)]
        yield self._alone(bridged)
        self._edits += bridged
        if not absent_alone:
            yield from self._runs(list(_drawn_otherwise()), every=-(-n // _FIRST_MOST))

    def _runs(self, kinds: Sequence[Edit], *, every: int) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield the edits of each kind on one slice and on several neighbours, beginning on each `every`-th slice."""
        n = self._n_planes
        change, whole = self._alone([replace(kind, first=k) for k in range(0, n, every) for kind in kinds])
        change, whole = change.reshape(-1, len(kinds), change.shape[1]), whole.reshape(-1, len(kinds))
        for count in range(1, min(_RUN_MOST, max(1, n // 3)) + 1):
            for first in range(0, n - count + 1, every):
                of = np.minimum(np.rint(np.arange(first, first + count) / every).astype(int), len(change) - 1)
                self._edits += [replace(kind, first=first, count=count) for kind in kinds]
                yield change[of].sum(axis=0), whole[of].sum(axis=0)

    def _alone(self, edits: Sequence[Edit]) -> tuple[FloatArray, FloatArray]:
        each = [self._change_of(edit, fine=False) for edit in edits]
        return np.array([change for change, _ in each]), np.array([whole for _, whole in each])

    def _change_of(self, edit: Edit, *, fine: bool) -> tuple[FloatArray, float]:
        """Return what an edit adds at least at each dose, and to the whole, in cc."""
        joined = self._joined
        doses = self._fine if fine else self._doses
        counted, whole = np.zeros(len(doses) + 1), 0.0
        edited = range(edit.first, edit.first + edit.count)
        for segment in self._fine_segments if fine else self._segments:
            low, high = int(joined.lower[segment.at]), int(joined.upper[segment.at])
            if low not in edited and high not in edited:
                continue
            below = self._distances(edit, low, segment, segment.low_mm)
            above = self._distances(edit, high, segment, segment.high_mm)
            straight = self._straight and (edit.bridged or not edit.absent)
            if edit.bridged and not straight:
                below, above = (above, above) if low in edited else (below, below)
            after = joined.filled(segment.at, below, above, straight=straight)
            change = (after - segment.before) * segment.part_cc
            counted += np.bincount(segment.bins.ravel(), weights=change.ravel(), minlength=len(counted))
            whole += float(change.sum())
        return np.asarray(np.cumsum(counted[:0:-1])[::-1]), whole

    def _distances(self, edit: Edit, k: int, segment: _Segment, own: FloatArray) -> FloatArray:
        """Return the distances to slice k's outline in the edited structure; `own`: in ours."""
        if not edit.first <= k < edit.first + edit.count:
            return own
        section, joined, u, v = self._slabs.sections[k], self._joined, segment.u, segment.v
        if edit.bridged:
            return np.asarray((joined.distances(k - 1, u, v) + joined.distances(k + 1, u, v)) / 2.0)
        if edit.absent or section.is_empty:
            return np.full(len(u), -1e3)
        if edit.moved_mm != (0.0, 0.0):
            moved = joined.distances(k, u - edit.moved_mm[0], v - edit.moved_mm[1])
            return np.asarray({"": moved, "or": np.maximum(moved, own), "and": np.minimum(moved, own)}[edit.kept])
        if edit.factor != 1.0:
            cu, cv = section.centroid.x, section.centroid.y
            return edit.factor * joined.distances(k, cu + (u - cu) / edit.factor, cv + (v - cv) / edit.factor)
        return np.asarray(own + edit.grown_mm)

    def refined(self, base: Curve, edit: Edit) -> tuple[float, Edit]:
        """Return the best edit of the same kind on the same slices, and what is left in percent."""
        best = (self._left(base, edit), edit)
        if edit.absent:
            return best
        step = 1.0
        while step > 0.1:
            improved = False
            for other in (*_neighbours(best[1], step), *self._beside(best[1], step)):
                left = self._left(base, other)
                if left < best[0] - 1e-6:
                    best, improved = (left, other), True
            if not improved:
                step /= 2
        return best

    def left_of_whole(self, base: Curve) -> float:
        """Return what is left, in percent, with all contours drawn larger or smaller by one distance."""
        grown = (Edit(first=0, count=self._n_planes, grown_mm=size) for size in (-2.0, 2.0))
        return min(self.refined(base, edit)[0] for edit in grown)

    def _beside(self, edit: Edit, step: float) -> Iterator[Edit]:
        """Yield the same edit a slice lower and higher, where not each slice began a candidate."""
        last = self._n_planes - edit.count
        if step == 1.0 and self._n_planes > _FIRST_MOST:
            yield from (replace(edit, first=k) for k in (edit.first - 1, edit.first + 1) if 0 <= k <= last)

    def _left(self, base: Curve, edit: Edit) -> float:
        added, whole = self._change_of(edit, fine=True)
        doses, changes = np.concatenate([[0.0], self._fine]), np.concatenate([[whole], added])
        return self._target.residual(
            lambda at: np.maximum(base(at) + np.interp(np.maximum(at, 0.0), doses, changes), 0.0)
        )


def _drawn_otherwise() -> Iterator[Edit]:
    for size in _SIZES_MM:
        yield Edit(first=0, grown_mm=size)
        yield Edit(first=0, grown_mm=-size)
    for factor in _FACTORS:
        yield Edit(first=0, factor=factor)
    for reach in _SHIFTS_MM:
        for angle in np.arange(8) * np.pi / 4:
            way = (reach * float(np.cos(angle)), reach * float(np.sin(angle)))
            yield from (Edit(first=0, moved_mm=way, kept=kept) for kept in _KEPT)


def _tabled(curve: Curve, most_gy: float) -> Curve:
    doses = np.linspace(0.0, most_gy, _TABLE_DOSES)
    known = curve(doses)
    return lambda at: np.interp(at, doses, known)


def _neighbours(edit: Edit, step: float) -> list[Edit]:
    if edit.factor != 1.0:
        factors = (edit.factor - 0.1 * step, edit.factor + 0.1 * step)
        return [replace(edit, factor=f) for f in factors if f > 0.1 and f != 1.0]
    if edit.grown_mm:
        sizes = [s for s in (edit.grown_mm - step, edit.grown_mm + step) if s and abs(s) < REACH_MM]
        return [replace(edit, grown_mm=s) for s in sizes]
    u, v = edit.moved_mm
    moves = ((u + step, v), (u - step, v), (u, v + step), (u, v - step))
    return [replace(edit, moved_mm=m) for m in moves if 0 < np.hypot(*m) < REACH_MM]


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
        one, several = ("bulges", "bulge") if edit.kept == "or" else ("is cut back", "are cut back")
        way = f"contour {one}" if edit.count == 1 else f"contours {several}"
        return f"in their version the {way} by about {np.hypot(*edit.moved_mm):.2g} mm on one side at {place}"
    return f"in their version the {what} moved by about {np.hypot(*edit.moved_mm):.2g} mm at {place}"
