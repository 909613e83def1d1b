"""Compute a DVH: the one occupancy field of a structure, weighed by dose."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, product

import numpy as np

from dvhkit.engine.frame import Frame
from dvhkit.engine.histogram import atoms, empty_histogram
from dvhkit.engine.kernels.book import book_layers, point_extremes, surface_extremes
from dvhkit.engine.lattice import Lattice, dose_lattice, end_halves_mm, rim_mm, volume_lattice
from dvhkit.engine.options import EngineOptions, admissible
from dvhkit.engine.planes import PlaneStack, next_in_ring
from dvhkit.engine.sections import fill
from dvhkit.engine.solid import Links, Solid, ends_alike, make_solid, mended, under
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.dose import Dose
from dvhkit.model.dvh import Dvh
from dvhkit.model.structure import Structure

# Less volume than this outside the dose grid is rounding of coordinates.
_OUTSIDE_FRAC = 1e-6
# Above this volume, where a structure ends is a small part of it, and its DVH a large part of the time: its band comes
# from the rule between slices alone.
_ENDS_MATTER_CC = 1000.0
# The surface between two slices is taken to be known to this part of their distance: about what the ideal solids of
# docs/validation.md show for curved surfaces.
_SURFACE_ERROR_FRAC = 0.01


def compute_dvh(
    structure: Structure,
    dose: Dose | None,
    *,
    options: EngineOptions | None = None,
    slice_spacing_mm: float | None = None,
    with_band: bool = False,
) -> Dvh:
    """Return how much of a structure receives which dose.

    Parameters
    ----------
    structure
        Closed contours in parallel planes of any orientation. Rings inside rings are holes; a structure without
        closed contours gives a DVH of volume 0.
    dose
        Trilinear between voxel centres. The half voxel outside the outermost centres takes their dose; what lies
        beyond counts in the volume, has no dose, and is reported. None gives the volume alone.
    slice_spacing_mm
        The image's slice distance: the thickness of a structure drawn on one slice only.
    with_band
        Also compute what else the drawn slices allow, as `Dvh.variants`: the band of a metric runs from its least to
        its greatest value over the DVH and its variants.

    Raises
    ------
    GeometryError
        Contours that are not planar or not parallel, or coordinates that are not numbers.
    """
    options = options or EngineOptions()
    solid = make_solid(structure, dose.grid if dose else None, options, slice_spacing_mm=slice_spacing_mm)
    if not isinstance(solid, Solid):
        return _without_volume(structure, solid)
    solid, (dvh,) = _accumulated(solid, (options,), dose)
    if not with_band or dvh.volume_cc <= 0:
        return dvh
    others = admissible(options)
    if dvh.volume_cc > _ENDS_MATTER_CC:
        others = others[:1]
    return replace(dvh, variants=_variants(solid, others, dose))


def _variants(solid: Solid, others: Sequence[EngineOptions], dose: Dose | None) -> tuple[Dvh, ...]:
    """Return the DVHs of the same contours under other options, those of one kind computed side by side."""
    found: list[Dvh] = []
    for _, alike in groupby(others, key=lambda o: (o.between, o.cells_target)):
        found += _accumulated(solid, tuple(alike), dose)[1]
    return tuple(found)


def compute_dvhs(
    structures: Sequence[Structure],
    dose: Dose | None,
    *,
    options: EngineOptions | None = None,
    slice_spacing_mm: float | None = None,
    with_band: bool = False,
    threads: int | None = None,
) -> list[Dvh]:
    """Return `compute_dvh` of each structure, in the same order and to the last bit, on several threads.

    `threads` None takes one a processor. The kernels release Python's lock, so threads run side by side.
    """

    def one(structure: Structure) -> Dvh:
        return compute_dvh(structure, dose, options=options, slice_spacing_mm=slice_spacing_mm, with_band=with_band)

    # The longest first, so that no thread is left with it at the end.
    order = sorted(range(len(structures)), key=lambda n: -sum(len(c.points_mm) for c in structures[n].contours))
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        found = dict(zip(order, pool.map(lambda n: one(structures[n]), order), strict=True))
    return [found[n] for n in range(len(structures))]


def _without_volume(structure: Structure, findings: tuple[Finding, ...]) -> Dvh:
    nothing = np.empty(0)
    return Dvh(
        roi=structure.name, dose_gy=nothing, part_cc=nothing, volume_cc=0.0, min_gy=None, max_gy=None, findings=findings
    )


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


def _field(lattice: Lattice, frame: Frame, dose: Dose | None) -> _Field:
    if dose is None:
        return _NO_DOSE
    to_dose = frame.to_grid(dose.grid)
    low, high = _dose_range(lattice, dose, to_dose)
    return _Field(
        values_gy=dose.values_gy,
        offsets_mm=dose.grid.offsets_mm,
        half_end_mm=end_halves_mm(dose.grid),
        to_dose=to_dose,
        rim_mm=rim_mm(frame, dose.grid),
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


def _accumulated(drawn: Solid, options: Sequence[EngineOptions], dose: Dose | None) -> tuple[Solid, tuple[Dvh, ...]]:
    """Return the DVHs of the contours under each of `options`, and the solid with what had to be mended in them."""
    solids = [under(drawn, own) for own in options]
    # What ends alike is one solid: a rounded organ has no flat ends to be moved.
    index = [
        next(n for n in range(len(solids)) if n == m or ends_alike(solids[n], solids[m])) for m in range(len(solids))
    ]
    kept = sorted(set(index))
    chosen = [solids[n] for n in kept]
    lattice = _lattice(chosen, dose)
    field = _field(lattice, drawn.stack.frame, dose)
    runs, excess = _run(chosen, lattice, field)
    again = mended(chosen[0], excess)
    if again is not None:
        return _accumulated(again, options, dose)
    dvhs = {n: _dvh(solid, run, field) for n, solid, run in zip(kept, chosen, runs, strict=True)}
    return drawn, tuple(dvhs[n] for n in index)


def _dvh(solid: Solid, run: _Run, field: _Field) -> Dvh:
    dose_gy, part_mm3 = atoms(run.hist, field.low_gy, field.high_gy, run.extremes)
    covered = run.totals[1] > 0
    dvh = Dvh(
        roi=solid.stack.name,
        dose_gy=dose_gy,
        part_cc=part_mm3 / 1000.0,
        volume_cc=float(run.totals[0]) / 1000.0,
        min_gy=float(run.extremes[0]) if covered else None,
        max_gy=float(run.extremes[1]) if covered else None,
        findings=solid.findings,
        volume_error_cc=_SURFACE_ERROR_FRAC * _usual_gap_mm(solid) * _surface_mm2(solid) / 1000.0,
        dose_error_gy=_SURFACE_ERROR_FRAC * _usual_gap_mm(solid) * float(run.totals[2] / run.totals[1])
        if covered
        else 0.0,
    )
    if field is _NO_DOSE or dvh.uncovered_frac <= _OUTSIDE_FRAC:
        return dvh
    return replace(dvh, findings=(*dvh.findings, _outside_grid(dvh)))


def _usual_gap_mm(solid: Solid) -> float:
    gaps = np.diff(solid.stack.offsets_mm)
    return float(np.median(gaps)) if gaps.size else solid.runs.end_gap_mm[0][0]


def _surface_mm2(solid: Solid) -> float:
    """Area of the walls, without what faces along w."""
    stack = solid.stack
    following = stack.points_mm[next_in_ring(stack)]
    edges = np.hypot(*(following - stack.points_mm).T)
    per_plane = np.add.reduceat(edges, stack.ring_start[stack.plane_ring[:-1]])
    return float(np.dot(per_plane, solid.hi_mm - solid.lo_mm))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """What the kernels wrote."""

    hist: FloatArray
    totals: FloatArray
    extremes: FloatArray


def _run(solids: Sequence[Solid], lattice: Lattice, field: _Field) -> tuple[list[_Run], FloatArray]:
    """Return what each solid holds, and by how much coverage leaves [0, 1] on each plane."""
    excess = np.zeros(solids[0].stack.n_planes)
    place = (field.values_gy, field.offsets_mm, field.half_end_mm, field.to_dose)
    runs = [_Run(hist=empty_histogram(), totals=np.zeros(3), extremes=_no_extremes()) for _ in solids]
    if field is not _NO_DOSE:
        walls = _no_extremes()
        for solid, run in zip(solids, runs, strict=True):
            if solid.links is None:
                _walls(solid, lattice, place, run.extremes)
                continue
            if solid is solids[0]:
                _walls(solid, lattice, place, walls)
            run.extremes[:] = walls
            point_extremes(_cap_points(solid.stack, solid.links), *place, run.extremes)
    for number, filled in fill(solids, lattice, excess):
        run = runs[number]
        book_layers(
            filled.layers,
            filled.begin,
            filled.stop,
            lattice.layer_edges_mm,
            lattice.origin_mm,
            lattice.step_mm,
            *place,
            field.rim_mm,
            field.low_gy,
            field.high_gy,
            run.hist,
            run.totals,
            run.extremes,
        )
    return runs, excess


def _no_extremes() -> FloatArray:
    return np.array([np.inf, -np.inf])


def _walls(solid: Solid, lattice: Lattice, place: tuple[FloatArray, ...], extremes: FloatArray) -> None:
    """Widen the extremes by the dose on the drawn contours, and on upright walls."""
    stack = solid.stack
    lo, hi = (solid.lo_mm, solid.hi_mm) if solid.links is None else (stack.offsets_mm, stack.offsets_mm)
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
        *place,
        extremes,
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
