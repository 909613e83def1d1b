"""Weigh solids by dose: book the layers that they fill, and say what was met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from dvhkit.engine.contours.frame import Frame
from dvhkit.engine.contours.planes import PlaneStack, next_in_ring
from dvhkit.engine.field.bounds import bounded, chords_mm
from dvhkit.engine.field.histogram import atoms, empty_histogram
from dvhkit.engine.field.layers import Filled, fill
from dvhkit.engine.kernels.book import book_layers, point_extremes, section_extremes, surface_extremes
from dvhkit.engine.lattice import Lattice, dose_lattice, end_halves_mm, rim_mm, volume_lattice
from dvhkit.engine.options import DoseEnd, EngineOptions
from dvhkit.engine.solid.links import Links
from dvhkit.engine.solid.solid import Solid, ends_alike, mended
from dvhkit.engine.solid.tremor import tremor_mm
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.dose import Dose
from dvhkit.model.dvh import Dvh

# Less volume than this outside the dose grid is rounding of coordinates.
_OUTSIDE_FRAC = 1e-6
# The surface between two slices is taken to be known to this part of their distance: about what the ideal solids of
# docs/validation.md show for curved surfaces.
_SURFACE_ERROR_FRAC = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """A way to read contours, and the dose to weigh them by; None for the volume alone.

    `bounds`: whether to say between what the extremes lie.
    """

    options: EngineOptions
    dose: Dose | None
    bounds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Field:
    """A dose as the kernels take it."""

    values_gy: FloatArray
    offsets_mm: FloatArray
    half_end_mm: FloatArray
    to_dose: FloatArray
    rim_mm: FloatArray
    low_gy: float
    high_gy: float


# No point is ever inside: volume alone.
_NO_DOSE = _Field(
    values_gy=frozen_array(np.zeros((1, 1, 1))),
    offsets_mm=frozen_array(np.zeros(1)),
    half_end_mm=np.zeros(2),
    to_dose=np.array([[0.0, 0.0, 0.0, -9.0]] * 3),
    rim_mm=np.zeros(4),
    low_gy=0.0,
    high_gy=0.0,
)


def _lattice(solids: Sequence[Solid], dose: Dose | None) -> Lattice:
    first = solids[0]
    lo_mm, hi_mm = np.array([s.lo_mm for s in solids]), np.array([s.hi_mm for s in solids])
    if dose is None:
        return volume_lattice(first.stack, lo_mm, hi_mm, first.options, margin_mm=first.margin_mm)
    return dose_lattice(first.stack, lo_mm, hi_mm, dose.grid, first.options, margin_mm=first.margin_mm)


def same_cells(drawn: Solid, options: tuple[EngineOptions, EngineOptions], dose: Dose | None) -> bool:
    """Whether readings of a solid under both options come to the same lattice."""
    one, two = (_lattice([replace(drawn, options=own)], dose) for own in options)
    same = one.n_rows == two.n_rows and one.n_columns == two.n_columns
    return same and np.array_equal(one.layer_edges_mm, two.layer_edges_mm)


def _field(lattice: Lattice, frame: Frame, dose: Dose | None, end: DoseEnd) -> _Field:
    if dose is None:
        return _NO_DOSE
    to_dose = frame.to_grid(dose.grid)
    low, high = _dose_range(lattice, dose, to_dose)
    # A dose of one plane would end where it begins.
    to_centres = end is DoseEnd.CENTRES and frame.is_aligned and len(dose.grid.offsets_mm) > 1
    return _Field(
        values_gy=dose.values_gy,
        offsets_mm=dose.grid.offsets_mm,
        half_end_mm=np.zeros(2) if to_centres else end_halves_mm(dose.grid),
        to_dose=to_dose,
        rim_mm=rim_mm(frame, dose.grid, to_centres=to_centres),
        low_gy=low,
        high_gy=high,
    )


def _dose_range(lattice: Lattice, dose: Dose, to_dose: FloatArray) -> tuple[float, float]:
    """Return least and greatest dose in the voxels around the lattice's window: bounds for any dose inside."""
    far = lattice.origin_mm + lattice.step_mm * [lattice.n_columns, lattice.n_rows]
    corners = np.array(list(product(*zip(lattice.origin_mm, far, strict=True), lattice.layer_edges_mm[[0, -1]])))
    index = corners @ to_dose[:, :3].T + to_dose[:, 3]
    low, high = index.min(axis=0), index.max(axis=0)
    planes = np.searchsorted(dose.grid.offsets_mm, [low[2], high[2]])
    spans = [(planes[0] - 1, planes[1] + 1), *((int(low[a]) - 1, int(high[a]) + 2) for a in (1, 0))]
    box = tuple(
        slice(min(max(a, 0), n - 1), min(max(b, 1), n)) for (a, b), n in zip(spans, dose.values_gy.shape, strict=True)
    )
    part = dose.values_gy[box]
    return float(part.min()), float(part.max())


def accumulated(drawn: Solid, readings: Sequence[Reading], *, is_mended: bool = False) -> tuple[Solid, list[Dvh]]:
    """Return a DVH for each reading of the same contours, and the solid with what had to be mended in them.

    The readings are of one kind and share a lattice: what is known of the drawn planes is computed once. `is_mended`:
    what still crosses now is rounding, and stays.
    """
    every = [drawn.under(reading.options) for reading in readings]
    # What ends alike is one solid: a rounded organ has no flat ends to be moved.
    number = [next(n for n in range(m + 1) if n == m or ends_alike(every[n], every[m])) for m in range(len(every))]
    kept = sorted(set(number))
    solids = [every[n] for n in kept]
    lattice = _lattice(solids, readings[0].dose)
    apart = {_key(reading): reading for reading in readings}
    fields = {key: _field(lattice, drawn.stack.frame, r.dose, r.options.dose_end) for key, r in apart.items()}
    tasks = {
        (n, _key(reading)): _Task(solid=every[n], field=fields[_key(reading)], bounds=reading.bounds)
        for n, reading in zip(number, readings, strict=True)
    }
    walls: dict[int, FloatArray] = {}
    for task in tasks.values():
        task.see_surface(lattice, walls)
    excess = np.zeros(drawn.stack.n_planes)
    for n, filled in fill(solids, lattice, excess):
        own = [task for (m, _), task in tasks.items() if m == kept[n]]
        for task in own:
            task.book(filled, lattice, keeps=task is not own[-1])
    again = None if is_mended else mended(drawn, excess)
    if again is not None:
        return accumulated(again, readings, is_mended=True)
    dvhs = {key: task.dvh() for key, task in tasks.items()}
    return drawn, [dvhs[n, _key(reading)] for n, reading in zip(number, readings, strict=True)]


def _key(reading: Reading) -> tuple[int, DoseEnd]:
    """Tell the dose of a reading, and where it ends."""
    return id(reading.dose), reading.options.dose_end


def _surface_mm2(solid: Solid) -> float:
    """Area of the walls, without what faces along w."""
    stack = solid.stack
    following = stack.points_mm[next_in_ring(stack)]
    edges = np.hypot(*(following - stack.points_mm).T)
    per_plane = np.add.reduceat(edges, stack.ring_start[stack.plane_ring[:-1]])
    return float(np.dot(per_plane, solid.hi_mm - solid.lo_mm))


class _Task:
    """One solid in one dose: what the kernels write, and the DVH that comes of it."""

    def __init__(self, *, solid: Solid, field: _Field, bounds: bool) -> None:
        self._solid = solid
        self._field = field
        self._hist = empty_histogram()
        self._totals = np.zeros(3)
        self._extremes = np.array([np.inf, -np.inf])
        self._met_gy = np.empty((solid.stack.n_planes, 2))
        self._inside_gy = np.empty((solid.stack.n_planes, 2)) if bounds else None

    @property
    def _place(self) -> tuple[FloatArray, ...]:
        field = self._field
        return field.values_gy, field.offsets_mm, field.half_end_mm, field.to_dose

    def see_surface(self, lattice: Lattice, walls: dict[int, FloatArray]) -> None:
        """Let the extremes begin with the dose on the drawn contours, on upright walls, and where caps end.

        `walls` keeps the dose on the drawn contours for other solids that go through them in the same dose.
        """
        if self._field is _NO_DOSE:
            return
        solid, stack = self._solid, self._solid.stack
        known = walls.get(id(self._field)) if solid.links is not None else None
        self._met_gy = self._on_walls(lattice) if known is None else known
        if solid.links is not None:
            walls[id(self._field)] = self._met_gy
        self._extremes[:] = self._met_gy[:, 0].min(), self._met_gy[:, 1].max()
        if self._inside_gy is not None:
            self._inside_gy[:] = self._met_gy
            section_extremes(  # type: ignore[call-arg]
                lattice.to_cells(stack.points_mm),
                stack.ring_start,
                stack.plane_ring,
                stack.offsets_mm,
                lattice.origin_mm,
                lattice.step_mm,
                lattice.n_rows,
                lattice.n_columns,
                *self._place,
                self._inside_gy,
            )
        if solid.links is not None:
            tips = _cap_points(stack, solid.links)
            point_extremes(tips, *self._place, self._extremes)  # type: ignore[call-arg]

    def _on_walls(self, lattice: Lattice) -> FloatArray:
        """Return least and greatest dose on the drawn contours of each plane, or on its upright walls."""
        solid, stack = self._solid, self._solid.stack
        lo, hi = (solid.lo_mm, solid.hi_mm) if solid.links is None else (stack.offsets_mm, stack.offsets_mm)
        met_gy = np.empty((stack.n_planes, 2))
        surface_extremes(  # type: ignore[call-arg]
            lattice.to_cells(stack.points_mm),
            stack.ring_start,
            stack.plane_ring,
            np.array(lo),
            np.array(hi),
            lattice.nodes_mm,
            lattice.origin_mm,
            lattice.step_mm,
            float(lattice.step_mm.min()),
            *self._place,
            met_gy,
        )
        return met_gy

    def book(self, filled: Filled, lattice: Lattice, *, keeps: bool) -> None:
        """Book complete layers; `keeps` them for another task."""
        book_layers(  # type: ignore[call-arg]
            filled.layers,
            filled.begin,
            filled.stop,
            lattice.layer_edges_mm,
            lattice.origin_mm,
            lattice.step_mm,
            *self._place,
            self._field.rim_mm,
            self._field.low_gy,
            self._field.high_gy,
            keeps,
            self._hist,
            self._totals,
            self._extremes,
        )

    def dvh(self) -> Dvh:
        """Return the DVH of all that was booked."""
        solid, field, totals = self._solid, self._field, self._totals
        dose_gy, part_mm3 = atoms(self._hist, field.low_gy, field.high_gy, self._extremes)
        covered = totals[1] > 0
        off_mm = _SURFACE_ERROR_FRAC * solid.usual_gap_mm + chords_mm(solid.stack)
        steep = float(totals[2] / totals[1]) if covered else 0.0
        tremor = tremor_mm(solid.stack, solid.runs)
        # Each slice trembles on its own; half of what is left over all of them moves the dose to a part.
        mean_mm = off_mm + 0.5 * tremor / solid.stack.n_planes**0.5
        dvh = Dvh(
            roi=solid.stack.name,
            dose_gy=dose_gy,
            part_cc=part_mm3 / 1000.0,
            volume_cc=float(totals[0]) / 1000.0,
            min_gy=float(self._extremes[0]) if covered else None,
            max_gy=float(self._extremes[1]) if covered else None,
            findings=solid.findings,
            volume_error_cc=off_mm * _surface_mm2(solid) / 1000.0,
            dose_error_gy=mean_mm * steep,
        )
        if field is _NO_DOSE:
            return dvh
        if self._inside_gy is not None:
            dvh = bounded(dvh, solid, self._met_gy, self._inside_gy, drawn_off_gy=2.0 * tremor * steep)
        return (
            dvh if dvh.uncovered_frac <= _OUTSIDE_FRAC else replace(dvh, findings=(*dvh.findings, _outside_grid(dvh)))
        )


def _cap_points(stack: PlaneStack, links: Links) -> FloatArray:
    """Return where caps end: the tips of rounded ones, the far rims of those cut off flat."""
    w = stack.offsets_mm[np.repeat(np.arange(stack.n_planes), np.diff(stack.plane_ring))]
    found = [np.empty((0, 3))]
    sides = ((links.up_mm, links.up_order, links.below, 1.0), (links.down_mm, links.down_order, links.above, -1.0))
    for height, order, back, sign in sides:
        ends = (height > 0) & ~links.is_hole
        tips = ends & ((order == 2) | (order == 3))
        found.append(np.column_stack([links.x_mm, links.y_mm, w + sign * height])[tips])
        for ring in np.flatnonzero(ends & ~tips):
            points = stack.points_mm[stack.ring_start[ring] : stack.ring_start[ring + 1]]
            rim = _carried_on(points, links, int(ring), int(back[ring]), w) if order[ring] else points
            found.append(np.column_stack([rim, np.full(len(rim), w[ring] + sign * height[ring])]))
    return np.concatenate(found)


def _carried_on(points: FloatArray, links: Links, ring: int, before: int, w: FloatArray) -> FloatArray:
    """Return a ring as it drifts and grows on to the end of its cap, as from the plane before to its own."""
    share = max(links.up_mm[ring], links.down_mm[ring]) / abs(w[ring] - w[before])
    centre = np.array([links.x_mm[ring], links.y_mm[ring]])
    drift = centre - [links.x_mm[before], links.y_mm[before]]
    growth = max(0.0, 1.0 + share * (1.0 - links.size_mm[before] / links.size_mm[ring]))
    return np.asarray(centre + share * drift + growth * (points - centre))


def _outside_grid(dvh: Dvh) -> Finding:
    outside_cc = dvh.volume_cc - dvh.covered_cc
    return Finding(
        level=Level.WARNING,
        code="outside-dose-grid",
        message=f"{outside_cc:.4g} cc ({100 * dvh.uncovered_frac:.3g} %) lie outside the dose grid and have no dose; "
        "dose metrics speak of the rest.",
        where=dvh.roi,
    )
