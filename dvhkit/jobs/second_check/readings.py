"""What a curve of ours would look like under other programs' conventions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.joined_slices import Joined, join_slices
from dvhkit.engine.options import Between, EndCap, EngineOptions
from dvhkit.engine.sampled import (
    DosePoints,
    Slabs,
    cloud_of,
    plane_centres_inside,
    slabs_of,
    values_between_slices,
    voxel_centres_inside,
)
from dvhkit.metrics.curve_distance import Curve, curve_of, curve_of_atoms, distance
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dvh import Dvh
from dvhkit.model.tps_dvh import TpsDvh

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.dose import Dose
    from dvhkit.model.structure import Structure

NO_CAP = "no cap"
HALF_CAP = "half cap"
HALF_CAP_1_5 = "half cap of at most 1.5 mm"
CAP_WITHOUT_DOSE = "cap without dose"
OTHER_CAP = "cap of another height"
PRISM = "upright walls between slices"
SMOOTH = "smooth walls between slices"
STRAIGHT = "straight lines between slices"
CENTRES = "centres-only dose"
COARSE = "coarse bins"
INTERPOLATED = "interpolated curve"
SHIFTED = "shifted grid"
SCALED = "scaled dose"
EDITED = "edited contour"
SMOOTH_DOSE = "smooth dose between voxels"
DOSE_EDGE = "dose edge"

_COARSE_GY = 0.5
_COARSE_FRAC = 0.01
_FINE_GY = 0.05
# Points of a curve that are compared: as many as a screen shows.
_POINTS = 300
_CLOUD_POINTS = 30_000
# Columns within a section where slices are joined, and how far around it contours may be drawn otherwise.
_COLUMNS = 300
REACH_MM = 14.0
# Of more voxels than these the surface is a trifle, and with it where voxels are counted.
VOXELS_MOST = 250_000
# Multiples of a voxel: how near to whole numbers (a fifth of all are by chance), and how many of them.
_NEAR_WHOLE = 0.1
_MULTIPLES_LEAST = 12
# Beyond this volume smooth walls and straight lines give one curve.
_LARGE_CC = 1000.0
_WALLS = {PRISM: Between.PRISM, SMOOTH: Between.SHAPE}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """A planning system's curve, ready to be held against ours.

    Attributes
    ----------
    dose_gy, share : (n,)
        Its points as printed; volumes in parts of `whole_cc`.
    fine_gy, fine_share : (m,)
        The same as a reader takes it, straight between its points.
    whole_cc
        What its volumes are parts of; None where only percent of an unknown volume are known: shapes are compared.
    bin_gy
        Usual distance between its points.
    printed_gy, printed_share : (k,)
        All of its points; `round_frac` is half of the last digit of their volumes.
    """

    dose_gy: FloatArray
    share: FloatArray
    fine_gy: FloatArray
    fine_share: FloatArray
    whole_cc: float | None
    own_cc: float | None
    scale_gy: float
    bin_gy: float
    step_frac: float
    printed_gy: FloatArray
    printed_share: FloatArray
    round_frac: float

    @property
    def is_coarse(self) -> bool:
        """Whether its points lie so far apart that what happens between them is not known."""
        return self.bin_gy >= _COARSE_GY or self.bin_gy >= max(_COARSE_FRAC * self.scale_gy, _FINE_GY)

    @property
    def half_bin_pct(self) -> float:
        """How far a curve may run otherwise between two of its points, in percent of the greatest dose."""
        return 50.0 * self.bin_gy / self.scale_gy

    def residual(self, curve: Curve, *, fine: bool = False, dose_shift_gy: float = 0.0) -> float:
        """Return the distance of the printed points (or of the lines between them) from `curve`, in percent."""
        whole = self.whole_cc if self.whole_cc is not None else float(curve(np.zeros(1))[0])
        if not whole > 0:
            return 100.0
        dose, share = (self.fine_gy, self.fine_share) if fine else (self.dose_gy, self.share)
        found = distance(curve, dose + dose_shift_gy, share, whole_cc=whole, scale_gy=self.scale_gy)
        if self.own_cc is not None and self.whole_cc is not None:
            # The curve may begin beyond dose 0; the stated volume counts in any case, less its rounding.
            off = abs(float(curve(np.zeros(1))[0]) - self.own_cc) / self.whole_cc - self.step_frac
            found = max(found, off)
        return 100.0 * max(0.0, found - self.step_frac)


def target_of(theirs: TpsDvh, ours: Dvh) -> Target:
    """Prepare a planning system's curve for comparison with ours."""
    dose, volume = np.asarray(theirs.dose_gy), np.asarray(theirs.volume)
    dose, first = np.unique(dose, return_index=True)
    volume = np.minimum.accumulate(volume[first])
    if dose[0] > 0:
        dose, volume = np.concatenate([[0.0], dose]), np.concatenate([[volume[0]], volume])
    top = float(volume[0])
    if theirs.in_cc:
        whole: float | None = ours.volume_cc
        own = theirs.volume_cc if theirs.volume_cc and not theirs.volume_step_cc else top
        share = volume / ours.volume_cc
    elif theirs.volume_cc:
        whole, own = ours.volume_cc, theirs.volume_cc
        share = volume / 100.0 * theirs.volume_cc / ours.volume_cc
    else:
        whole, own, share = None, None, volume / top
    scale = max(float(dose[np.flatnonzero(share > 1e-4)[-1]]), ours.max_gy or 0.0, 1e-3)
    bins = np.diff(dose[(share > 1e-4) & (share < share[0] * 0.9999)]) if len(dose) > 3 else np.diff(dose)
    bin_gy = float(np.median(bins)) if len(bins) else float(np.median(np.diff(dose)))
    end = min(len(dose), int(np.flatnonzero(share > 0)[-1]) + 2)
    fine = np.linspace(0.0, dose[end - 1], _POINTS)
    kept = np.unique(np.linspace(0, end - 1, min(end, _POINTS)).astype(int))
    # What printing the volume has cut off can be no difference: a curve in percent is scaled by it.
    step = (theirs.volume_step_cc / ours.volume_cc) if theirs.volume_cc and not theirs.in_cc else 0.0
    return Target(
        dose_gy=dose[kept],
        share=share[kept],
        fine_gy=fine,
        fine_share=np.interp(fine, dose, share),
        whole_cc=whole,
        own_cc=own,
        scale_gy=scale,
        bin_gy=bin_gy,
        step_frac=step,
        printed_gy=dose,
        printed_share=share,
        round_frac=_rounding(np.asarray(theirs.volume)) * float(share[0]) / max(top, 1e-12),
    )


def _rounding(volume: FloatArray) -> float:
    """Return half of the last decimal that volumes were printed with; 0 where they were not rounded to decimals."""
    for decimals in range(5):
        if np.allclose(volume, np.round(volume, decimals), rtol=0.0, atol=1e-9):
            return 0.5 * float(10.0**-decimals)
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """Points inside a structure: the volume in cc that each stands for, and its dose in Gy."""

    points: DosePoints
    part_cc: FloatArray
    gy: FloatArray

    def every(self, n: int) -> Sampled:
        """Return each n-th point, standing for as many."""
        part = self.part_cc[::n]
        part = part * (self.part_cc.sum() / max(float(part.sum()), 1e-12))
        return Sampled(points=self.points.every(n), part_cc=part, gy=self.gy[::n])


class Readings:
    """One structure in one dose, read in the ways of other programs; each is computed when it is first asked for."""

    def __init__(self, case: Case, structure: Structure, ours: Dvh, *, finer: Dose | None = None) -> None:
        assert case.dose is not None
        self.structure, self.ours = structure, ours
        self.dose: Dose = case.dose
        # What is sampled and integrated: the dose, or one that runs smoothly between its voxels.
        self.between: Dose = finer or case.dose
        self._image = case.image.grid if case.image is not None else None
        self._spacing = case.slice_spacing_mm
        self._known: dict[tuple[str, EndCap], Dvh] = {}
        self._slabs: dict[EndCap, Slabs | None] = {}

    @property
    def voxel_cc(self) -> float:
        """Volume of a voxel of the dose grid."""
        grid = self.dose.grid
        return float(np.prod(grid.spacing_mm)) * (grid.plane_spacing_mm or 1.0) / 1000.0

    def dvh(self, walls: str, cap: EndCap) -> Dvh:
        """Return our DVH with these walls between slices (`PRISM` or `SMOOTH`), and this end."""
        key = (walls, cap)
        if key not in self._known:
            self._known[key] = compute_dvh(
                self.structure,
                self.between,
                options=_options(walls, cap),
                slice_spacing_mm=self._spacing,
                image=self._image,
            )
        return self._known[key]

    def solids(self) -> list[tuple[tuple[str, ...], Curve]]:
        """Return the ways to end and to join slices, each with its name and its curve."""
        found: list[tuple[tuple[str, ...], Curve]] = [((), curve_of(self.ours))]
        large = self.ours.volume_cc > _LARGE_CC
        for walls in (PRISM, SMOOTH)[: 1 if large else 2]:
            for cap, name in (
                (EndCap.HALF_SLICE, HALF_CAP),
                (EndCap.NONE, NO_CAP),
                (EndCap.HALF_SLICE_1_5MM, HALF_CAP_1_5),
            ):
                if cap is EndCap.HALF_SLICE_1_5MM and not self._is_capped_at_1_5mm:
                    continue  # it is half a slice
                dvh = self.dvh(walls, cap)
                if dvh.volume_cc > 0:
                    found.append(((name, walls), curve_of(dvh)))
        found += [((name, STRAIGHT), curve) for name, curve in self._straight()]
        half, none = self.dvh(PRISM, EndCap.HALF_SLICE), self.dvh(PRISM, EndCap.NONE)
        if half.volume_cc > 0 and none.volume_cc > 0:
            found.append(((CAP_WITHOUT_DOSE,), _scaled_volume(curve_of(none), half.volume_cc / none.volume_cc)))
        return found

    def capped_to(self, whole_cc: float) -> tuple[float, Curve] | None:
        """Return the ends, in slices beyond the last contours, that give this volume, and the curve with them.

        None where no such ends are: the next slice is empty, so a structure ends before it.
        """
        half, none = self.dvh(PRISM, EndCap.HALF_SLICE), self.dvh(PRISM, EndCap.NONE)
        more_cc = half.volume_cc - none.volume_cc
        if not none.volume_cc < whole_cc < none.volume_cc + 2.0 * more_cc:
            return None
        times = (whole_cc - none.volume_cc) / more_cc
        with_half, without = curve_of(half), curve_of(none)
        return times / 2.0, lambda doses: without(doses) + times * (with_half(doses) - without(doses))

    def _straight(self) -> Iterator[tuple[str, Curve]]:
        """Yield our curves with slices joined by straight lines: those of upright walls, and what lines change."""
        joined = self.joined
        if joined is None:
            return
        upright, straight = (joined.weights_cc(straight=lines).ravel() for lines in (False, True))
        between = np.repeat(joined.lower != joined.upper, joined.gy[0].size)
        gy = joined.gy.ravel()
        old, new = (_sampled(gy[between], part[between]) for part in (upright, straight))
        more_cc = float((straight - upright)[between].sum())
        for cap, name in ((EndCap.HALF_SLICE, HALF_CAP), (EndCap.NONE, NO_CAP)):
            yield name, _joined_curve(curve_of(self.dvh(PRISM, cap)), new, old, more_cc)

    @cached_property
    def _is_capped_at_1_5mm(self) -> bool:
        """Whether half a slice is more than 1.5 mm at either end."""
        half, short = self.slabs(EndCap.HALF_SLICE), self.slabs(EndCap.HALF_SLICE_1_5MM)
        if half is None or short is None:
            return True
        return not (np.array_equal(half.lo_mm, short.lo_mm) and np.array_equal(half.hi_mm, short.hi_mm))

    def prisms(self) -> list[tuple[tuple[str, ...], Curve]]:
        """Return ours, and upright walls and straight lines with and without half a slice beyond the ends."""
        caps = ((EndCap.HALF_SLICE, HALF_CAP), (EndCap.NONE, NO_CAP))
        read = [((name, PRISM), self.dvh(PRISM, cap)) for cap, name in caps]
        found = [((), curve_of(self.ours)), *((names, curve_of(dvh)) for names, dvh in read if dvh.volume_cc > 0)]
        return [*found, *(((name, STRAIGHT), curve) for name, curve in self._straight())]

    def outside(self) -> list[tuple[tuple[str, ...], Curve]]:
        """Return the ways to count what lies outside the dose grid."""
        if self.ours.uncovered_frac < 1e-4 or not self.ours.covered_cc > 0:
            return []
        found: list[tuple[tuple[str, ...], Curve]] = []
        ends = ((HALF_CAP, EndCap.HALF_SLICE), (NO_CAP, EndCap.NONE))
        for dvh, extra in ((self.ours, ()), *((self.dvh(PRISM, cap), (name,)) for name, cap in ends)):
            if dvh.covered_cc > 0:
                atoms = curve_of_atoms(np.asarray(dvh.dose_gy), np.asarray(dvh.part_cc))
                found.append(((DOSE_EDGE, *extra), atoms))
                found.append(((DOSE_EDGE, *extra), _scaled_volume(atoms, dvh.volume_cc / dvh.covered_cc)))
        return found

    def centres(self) -> list[tuple[tuple[str, ...], Curve]]:
        """Return the ways to count whole voxels by their centres."""
        found: list[tuple[tuple[str, ...], Curve]] = []
        # Voxels are those of the grid, whatever runs between them.
        if self.between is not self.dose or self.ours.volume_cc > VOXELS_MOST * self.voxel_cc:
            return found
        for cap in (EndCap.HALF_SLICE, EndCap.NONE):
            slabs = self.slabs(cap)
            if slabs is None:
                continue
            values, size = voxel_centres_inside(slabs, self.dose)
            samples = [(values, np.full(len(values), size)), plane_centres_inside(slabs, self.dose)]
            between = values_between_slices(slabs, self.dose)
            samples.append((between, np.full(len(between), size)))
            for values, part in samples:
                known = np.isfinite(values)
                if not known.any():
                    continue
                order = np.argsort(values[known], kind="stable")
                curve = curve_of_atoms(values[known][order], part[known][order])
                counted = float(part[known].sum())
                found.append(((CENTRES,), curve))
                # Many programs take the volume from the contours and only the shape of the curve from the centres.
                for whole in (self.ours.volume_cc, self.dvh(PRISM, cap).volume_cc):
                    if whole > 0 and counted > 0:
                        found.append(((CENTRES,), _scaled_volume(curve, whole / counted)))
        return found

    def counts_voxels(self, target: Target) -> bool:
        """Whether their volumes are whole multiples of one voxel: of the grid's, or of their volume by our count.

        That many volumes are so by chance is as likely as each is to lie that near to a whole number.
        """
        if target.own_cc is None or target.whole_cc is None or self.ours.volume_cc > VOXELS_MOST * self.voxel_cc:
            return False
        volume_cc = np.unique(target.printed_share * target.whole_cc)[1:]
        rounding_cc = target.round_frac * target.whole_cc
        slabs = self.slabs()
        counts = [len(voxel_centres_inside(slabs, self.dose)[0])] if slabs is not None else []
        units = [self.voxel_cc, *(float(volume_cc[-1]) / n for n in counts if n and len(volume_cc))]
        return any(
            rounding_cc < _NEAR_WHOLE * unit
            and len(volume_cc) >= _MULTIPLES_LEAST
            and float(np.abs(volume_cc / unit - np.rint(volume_cc / unit)).max()) < _NEAR_WHOLE
            for unit in units
        )

    def slabs(self, cap: EndCap = EndCap.HALF_SLICE) -> Slabs | None:
        """Return the upright slabs of the structure."""
        if cap not in self._slabs:
            self._slabs[cap] = slabs_of(
                self.structure, self.dose, cap=cap, slice_spacing_mm=self._spacing, image=self._image
            )
        return self._slabs[cap]

    @cached_property
    def joined(self) -> Joined | None:
        """The slices as distances to their outlines, and the dose between them."""
        slabs = self.slabs()
        return None if slabs is None else join_slices(slabs, self.between, columns=_COLUMNS, reach_mm=REACH_MM)

    @cached_property
    def straight_cloud(self) -> Sampled | None:
        """The same as `cloud` where straight lines join slices."""
        joined = self.joined
        if joined is None:
            return None
        part = joined.weights_cc(straight=True).ravel()
        kept = np.flatnonzero(part > 0)
        return Sampled(points=joined.points.taken(kept), part_cc=part[kept], gy=joined.gy.ravel()[kept])

    @cached_property
    def cloud(self) -> Sampled | None:
        """Points inside the slabs, and the dose at each."""
        slabs = self.slabs()
        if slabs is None:
            return None
        cloud = cloud_of(slabs, points=_CLOUD_POINTS)
        points = DosePoints(slabs, cloud.uvw, self.between)
        return Sampled(points=points, part_cc=cloud.part_cc, gy=points.gy())

    def shifted(self, shift_mm: FloatArray, *, straight: bool = False) -> Callable[[Curve], Curve] | None:
        """Return what a shift of the dose grid by (x, y, z) mm does to a curve of this structure."""
        cloud = self.straight_cloud if straight else self.cloud
        if cloud is None:
            return None
        old, new = _sampled(cloud.gy, cloud.part_cc), _sampled(cloud.points.gy(shift_mm), cloud.part_cc)
        return lambda curve: lambda doses: curve(doses) + new(doses) - old(doses)


def _options(walls: str, cap: EndCap) -> EngineOptions:
    flat = (0.0, 0.0) if cap is EndCap.NONE else (1.0, 1.0)
    return EngineOptions(profile="reading", between=_WALLS[walls], end_cap=cap, flat_scale=flat)


def _joined_curve(upright: Curve, new: Curve, old: Curve, more_cc: float) -> Curve:
    def at_least_cc(doses: FloatArray) -> FloatArray:
        change = np.where(np.asarray(doses) <= 0, more_cc, new(doses) - old(doses))
        return np.maximum(upright(doses) + change, 0.0)

    return at_least_cc


def _sampled(values: FloatArray, part: FloatArray) -> Curve:
    known = np.isfinite(values)
    order = np.argsort(values[known], kind="stable")
    # Only differences of two such curves are used: the whole is left out at dose 0.
    return curve_of_atoms(values[known][order], part[known][order], whole_cc=0.0)


def _scaled_volume(curve: Curve, factor: float) -> Curve:
    return lambda doses: curve(doses) * factor


def scaled_dose(curve: Curve, factor: float) -> Curve:
    """Return the curve of all doses times `factor`."""
    return lambda doses: curve(np.asarray(doses) / factor)


def interpolated(curve: Curve, knots_gy: FloatArray) -> Curve:
    """Return the curve as somebody has it who knows it at some doses only, and draws lines between."""
    known = curve(knots_gy)
    return lambda doses: np.interp(np.maximum(doses, 0.0), knots_gy, known)
