"""Weigh solids by dose: book the layers that they fill, and say what was met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from dvhkit.engine.contours.planes import outline_lengths_mm
from dvhkit.engine.field.bounds import block_bounds, bounded, chords_mm, rounded
from dvhkit.engine.field.given import cells_of, field_of, lattice_of
from dvhkit.engine.field.histogram import BINS, GROUPS, atoms, shifted
from dvhkit.engine.field.layers import Filled, fill
from dvhkit.engine.field.walls import in_sections_gy, on_walls_gy, widen_by_caps
from dvhkit.engine.kernels.buffers import Field, Sums
from dvhkit.engine.kernels.field.book import book_layers
from dvhkit.engine.lattice import Lattice
from dvhkit.engine.options import EngineOptions
from dvhkit.engine.solid.solid import Solid, ends_alike, mended
from dvhkit.engine.solid.tremor import most_tremor_mm, tremor_mm
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import Dose
from dvhkit.model.dvh import PEAKS, Dvh

# Less volume than this outside the dose grid is rounding of coordinates.
_OUTSIDE_FRAC = 1e-6
# The surface between two slices is taken to be known to this part of their distance: about what the ideal solids of
# docs/validation.md show for curved surfaces.
_SURFACE_ERROR_FRAC = 0.01
# Shares of solids that are counted by themselves for a band: of all, with and without upright walls, and of the ends.
_SHARES = 10


def accumulated(
    drawn: Solid,
    options: Sequence[EngineOptions],
    dose: Dose | None,
    *,
    rounds: bool = False,
    is_mended: bool = False,
) -> tuple[Solid, list[Dvh]]:
    """Return a DVH for each reading of the same contours, and the solid with what had to be mended in them.

    All are booked on the lattice of the first, what they share once: the interiors of the first, and of one of upright
    walls. Others must be like the first except where they end. `rounds`: also return, last, the first in
    the dose with its peaks as round as they may be, both with bounds of their extremes. `is_mended`: what still crosses
    now is rounding, and stays.
    """
    every = [drawn if own is drawn.options else drawn.under(own) for own in options]
    # What ends alike is one solid: a rounded organ has no flat ends to be moved.
    number = [next(n for n in range(m + 1) if n == m or ends_alike(every[n], every[m])) for m in range(len(every))]
    kept = sorted(set(number))
    booking = _Booking([every[n] for n in kept], dose, rounds=rounds)
    excess = np.zeros(drawn.stack.n_planes)
    for filled in fill(booking.solids, booking.lattice, excess):
        booking.book(filled)
    again = None if is_mended else mended(drawn, excess)
    if again is not None:
        return accumulated(again, options, dose, rounds=rounds, is_mended=True)
    dvhs = {n: booking.dvh(m) for m, n in enumerate(kept)}
    found = [dvhs[n] for n in number]
    if rounds and dose is not None:
        found = [booking.with_bounds(found[0]), *found[1:], booking.rounded_dvh(found[0])]
    return drawn, found


class _Booking:
    """Solids in one dose: what the kernels write, and the DVHs that come of it."""

    def __init__(self, solids: list[Solid], dose: Dose | None, *, rounds: bool) -> None:
        self.solids = solids
        self.lattice: Lattice = lattice_of(solids[0], dose)
        self._rounds = rounds and dose is not None
        smooth = rounded(dose) if rounds and dose is not None else None
        self._field: Field = field_of(self.lattice, solids[0].stack.frame, dose, smooth, solids[0].options.dose_end)
        self._dose = dose
        # What is counted by itself: for which solids it counts, and its place among the sums.
        self._places: dict[frozenset[int], int] = {}
        self._sums = _sums(1 if len(solids) == 1 else _SHARES)
        self._place(frozenset(range(len(solids))))

    def book(self, filled: Filled) -> None:
        """Book complete layers, two solids at a time: cells full in both are counted once, for all like them."""
        for k in range(0, len(filled.groups), 2):
            (one, as_one), (two, as_two) = filled.groups[k], filled.groups[min(k + 1, len(filled.groups) - 1)]
            first = self._place(as_one)
            ids = (first, first, -1) if one == two else (self._place(as_one | as_two), first, self._place(as_two))
            layers = (filled.layers[one], filled.layers[two])
            rounds = self._rounds and one == 0
            book_layers(layers, filled.begin, filled.stop, cells_of(self.lattice), self._field, ids, rounds, self._sums)

    def _place(self, solids: frozenset[int]) -> int:
        """Return where it is summed what counts for some solids and no other."""
        place = self._places.setdefault(solids, len(self._places))
        if place == len(self._sums.totals):
            self._sums = _longer(self._sums)
        return place

    def _shares(self, n: int) -> list[int]:
        """Return the shares that make up a solid."""
        return [place for solids, place in self._places.items() if n in solids]

    def dvh(self, n: int) -> Dvh:
        """Return the DVH of a solid."""
        solid, field, shares = self.solids[n], self._field, self._shares(n)
        totals = self._sums.totals[shares].sum(axis=0)
        extremes = np.array([self._sums.extremes[shares, 0].min(), self._sums.extremes[shares, 1].max()])
        if self._dose is not None:
            met = self._met_gy(solid, extremes)
            extremes[:] = min(extremes[0], met[:, 0].min()), max(extremes[1], met[:, 1].max())
            widen_by_caps(solid, field, extremes)
        dose_gy, part_mm3 = atoms(self._sums, shares, field.low, field.high, extremes)
        covered = totals[1] > 0
        off_mm = _SURFACE_ERROR_FRAC * solid.usual_gap_mm + chords_mm(solid.stack)
        steep = float(totals[2] / totals[1]) if covered else 0.0
        tremor = tremor_mm(solid.stack, solid.runs) if self._rounds and n == 0 else 0.0  # bands alone ask for it
        # Each slice trembles by itself, and so do about four stretches of its outline: of twice the standard deviation
        # this is left over all of them.
        mean_mm = off_mm + tremor / solid.stack.n_planes**0.5
        dvh = Dvh(
            roi=solid.stack.name,
            dose_gy=dose_gy,
            part_cc=part_mm3 / 1000.0,
            volume_cc=float(totals[0]) / 1000.0,
            min_gy=float(extremes[0]) if covered else None,
            max_gy=float(extremes[1]) if covered else None,
            findings=solid.findings,
            volume_error_cc=mean_mm * _surface_mm2(solid) / 1000.0,
            dose_error_gy=mean_mm * steep,
        )
        if self._dose is None or dvh.uncovered_frac <= _OUTSIDE_FRAC:
            return dvh
        return replace(dvh, findings=(*dvh.findings, _outside_grid(dvh)))

    def _met_gy(self, solid: Solid, extremes_gy: FloatArray) -> FloatArray:
        """Return the dose on the drawn contours, which all solids share that run through them, or on upright walls.

        On the latter no more than what may widen `extremes_gy`.
        """
        if solid.links is not None or solid is self.solids[0]:
            return self._outlines_gy[0]
        blocks = block_bounds(self._dose) if self._rounds and self._dose is not None else None
        return on_walls_gy(solid, self.lattice, self._field, blocks=blocks, known_gy=extremes_gy)[0]

    @cached_property
    def _outlines_gy(self) -> list[FloatArray]:
        """Dose on the first solid's contours, and rounded dose where it is asked for."""
        return on_walls_gy(self.solids[0], self.lattice, self._field, rounds=self._rounds)

    @cached_property
    def _inside_gy(self) -> FloatArray:
        met = np.array([[met[:, 0].min(), met[:, 1].max()] for met in self._outlines_gy])
        assert self._dose is not None  # without one nothing is met
        return in_sections_gy(self.solids[0], self.lattice, self._field, block_bounds(self._dose), met)

    @property
    def _drawn_off_gy(self) -> float:
        """What the dose changes over twice as far as the hand trembled, or once as far as it may have."""
        first, totals = self.solids[0], self._sums.totals[self._shares(0)].sum(axis=0)
        off_mm = max(2.0 * tremor_mm(first.stack, first.runs), most_tremor_mm(first.stack, first.runs))
        return off_mm * float(totals[2] / totals[1]) if totals[1] > 0 else 0.0

    def with_bounds(self, dvh: Dvh) -> Dvh:
        """Return the first solid's DVH with bounds of its extremes."""
        return bounded(dvh, self.solids[0], self._outlines_gy[0], self._inside_gy[0], drawn_off_gy=self._drawn_off_gy)

    def rounded_dvh(self, dvh: Dvh) -> Dvh:
        """Return the first solid's DVH in the dose with its peaks as round as they may be, with bounds."""
        if dvh.min_gy is None:
            return replace(dvh, reading=PEAKS)
        first, met, sums = self.solids[0], self._outlines_gy[1], self._sums
        dose_gy, part_cc = shifted(dvh.dose_gy, dvh.part_cc, sums.shifts, self._field.low, self._field.high)
        extremes = np.array([min(sums.rounded_extremes[0], met[:, 0].min()), 0.0])
        extremes[1] = max(sums.rounded_extremes[1], met[:, 1].max())
        widen_by_caps(first, self._field, extremes, is_rounded=True)
        low, high = float(extremes[0]), float(extremes[1])
        found = replace(
            dvh, dose_gy=np.clip(dose_gy, low, high), part_cc=part_cc, min_gy=low, max_gy=high, reading=PEAKS
        )
        return bounded(found, first, met, self._inside_gy[1], drawn_off_gy=self._drawn_off_gy)


def _sums(shares: int) -> Sums:
    """Return sums of nothing."""
    return Sums(
        slopes=np.zeros((shares, BINS, 3)),
        points=np.zeros((shares, BINS, 6)),
        totals=np.zeros((shares, 3)),
        extremes=np.tile([np.inf, -np.inf], (shares, 1)),
        shifts=np.zeros((GROUPS, 2)),
        rounded_extremes=np.array([np.inf, -np.inf]),
    )


def _longer(sums: Sums) -> Sums:
    """Return the sums with room for one share more: few structures ask for it."""
    more, names = _sums(1), ("slopes", "points", "totals", "extremes")
    return sums._replace(**{name: np.concatenate([getattr(sums, name), getattr(more, name)]) for name in names})


def _surface_mm2(solid: Solid) -> float:
    """Area of the walls, without what faces along w."""
    return float(np.dot(outline_lengths_mm(solid.stack), solid.hi_mm - solid.lo_mm))


def _outside_grid(dvh: Dvh) -> Finding:
    outside_cc = dvh.volume_cc - dvh.covered_cc
    return Finding(
        level=Level.WARNING,
        code="outside-dose-grid",
        message=f"{outside_cc:.4g} cc ({100 * dvh.uncovered_frac:.3g} %) lie outside the dose grid and have no dose; "
        "dose metrics speak of the rest.",
        where=dvh.roi,
    )
