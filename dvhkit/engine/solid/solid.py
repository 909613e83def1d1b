"""The solid that drawn contours stand for: planes, runs, how they go on, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.chains import separate
from dvhkit.engine.contours.planes import PlaneStack, plane_of_ring, repaired, stack_planes, usual_gap_mm
from dvhkit.engine.contours.runs import Runs, find_runs
from dvhkit.engine.kernels.drawn.rings import orient
from dvhkit.engine.options import Between, EngineOptions
from dvhkit.engine.solid.ends import slabs
from dvhkit.engine.solid.links import Links, find_links
from dvhkit.errors import GeometryError, NotEvaluable, Reason
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure

if TYPE_CHECKING:
    from dvhkit.engine.solid.surface import Surface

# A cell's coverage may leave [0, 1] by this much through rounded texts; more means that rings cross or overlap.
EXCESS_FRAC = 1e-3
# Distances are known at least and at most this many slice distances around a contour. Measured on the ideal solids of
# docs/validation.md: with 1 and 5 the mean error of D99 is 0.40 % instead of 0.26 %, with 1.5 and 8 it is the same.
_BAND_LEAST = 2.0
_BAND_MOST = 6.0
# A cap that is moved to its plane keeps this height.
_LEAST_CAP_MM = 0.02
# Of a ring's size, and at most so far: what a rounded end needs to be round to its tip.
_WHOLE_FRAC = 1.1
_TIP_BAND_MM = 45.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solid:
    """The one solid that a structure's contours stand for: what lies between its slices and beyond the last.

    DVHs, bands, margins, margin checks, masks and comparisons all ask it, so that they agree::

        solid = Solid.of(structure, options=profile("reference"))
        solid.volume_cc
        solid.section(12.5)                  # rings at w = 12.5 mm, each (n, 2), in the frame of the contours' planes
        solid.signed(points_mm)              # (n,) negative inside, about the distance in mm near the surface
        solid.surface.points_mm              # points, normals and areas that stand for the surface
        solid.under(profile("prism")).volume_cc

    `frame` (of `stack`) leads from patient coordinates to (u, v, w) and back.

    Attributes
    ----------
    lo_mm, hi_mm : (n_planes,)
        Where the slab of each plane begins and ends along w, the caps of its run included.
    links
        Only where the surface runs through the contours (`Between.SHAPE`).
    islands
        Parts that never touch and were drawn on planes of their own, if it has such: volume, sections and inside are
        theirs. The planes of the whole are those of all of them together.
    """

    stack: PlaneStack
    runs: Runs
    options: EngineOptions
    lo_mm: FloatArray
    hi_mm: FloatArray
    links: Links | None = None
    islands: tuple[Solid, ...] = ()

    @staticmethod
    def of(
        structure: Structure,
        *,
        grid: Grid | None = None,
        options: EngineOptions | None = None,
        slice_spacing_mm: float | None = None,
        image: Grid | None = None,
    ) -> Solid:
        """Return the solid of a structure, its crossing rings mended; parameters as in `compute_dvh`.

        `grid`: along whose axes the contours' frame is laid.

        Raises
        ------
        NotEvaluable
            Nothing was drawn that bounds an area, or on one slice of unknown thickness.
        GeometryError
            Contours that are not planar or not parallel, or coordinates that are not numbers.
        """
        from dvhkit.engine.solid.sampled import mended_solid

        made = make_solid(structure, grid, options or EngineOptions(), slice_spacing_mm=slice_spacing_mm, image=image)
        if isinstance(made, Solid):
            return mended_solid(made)
        if any(finding.code == "structure-empty" for finding in made):
            message = f"{structure.name} has no contour that bounds an area."
            raise NotEvaluable(message, reason=Reason.EMPTY_STRUCTURE)
        message = f"{structure.name} is drawn on one slice only, and nothing says how thick that is."
        raise NotEvaluable(message, reason=Reason.NO_VOLUME)

    def under(self, options: EngineOptions) -> Solid:
        """Return what the same contours stand for under other options."""
        made = _solid(self.stack, self.runs, options)
        return replace(made, islands=tuple(island.under(options) for island in self.islands))

    @property
    def volume_cc(self) -> float:
        """Volume: the same as that of a DVH without dose."""
        if self.islands:
            return sum(island.volume_cc for island in self.islands)
        return _volume_cc(self)

    def section(self, w_mm: float, *, step_mm: float | None = None) -> list[FloatArray]:
        """Return the rings at height `w_mm`, each (n, 2): outer ones anticlockwise, holes clockwise.

        On a drawn slice as drawn; between and beyond traced on squares of `step_mm`, by default a 300th of the
        structure's width, from 0.1 to 1 mm. Without rings where the solid does not reach.
        """
        from dvhkit.engine.solid.sampled import fine_step_mm, sections_at

        if self.islands:
            return [ring for island in self.islands for ring in island.section(w_mm, step_mm=step_mm)]
        return list(sections_at(self, np.array([float(w_mm)]), step_mm or fine_step_mm(self))[0].rings)

    def signed(self, points_mm: FloatArray) -> FloatArray:
        """Return for patient points (n, 3) a value negative inside and positive outside.

        Near the surface it is about the distance within the plane, in mm.
        """
        from dvhkit.engine.solid.surface import inside_field

        if self.islands:
            return np.asarray(np.min([island.signed(points_mm) for island in self.islands], axis=0))
        return inside_field(self).at(self.stack.frame.to_frame(np.asarray(points_mm, np.float64)))

    @property
    def surface(self) -> Surface:
        """Points on the surface with normals and the areas that they stand for; some 12,000, drawn points besides."""
        from dvhkit.engine.solid.surface import make_surface

        return make_surface(self)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was odd about the contours."""
        return (*self.stack.findings, *self.runs.findings)

    @property
    def margin_mm(self) -> float:
        """How far the solid may reach beyond its contours in their planes."""
        return 0.5 * max(max(gaps) for gaps in self.runs.end_gap_mm) if self.links else 0.0

    @property
    def volume_mm3(self) -> float:
        """About how large it is: sections times the heights of their slabs."""
        return float(np.dot(np.abs(self.stack.areas_mm2()), self.hi_mm - self.lo_mm))

    @property
    def usual_gap_mm(self) -> float:
        """The usual distance between planes; of a lone one, its thickness."""
        return usual_gap_mm(self.stack) or self.runs.end_gap_mm[0][0]

    def bands_mm(self) -> FloatArray:
        """Return how far around its contours each plane has to know its distances.

        Upright walls need little; where the next section is another, or none, as far as it has moved.
        """
        links, stack = self.links, self.stack
        assert links is not None
        moved = np.zeros(len(links.x_mm))
        for onward in (links.above, links.below):
            step = np.hypot(links.x_mm[onward] - links.x_mm, links.y_mm[onward] - links.y_mm)
            step += np.abs(links.size_mm[onward] - links.size_mm)
            moved = np.maximum(moved, np.where(onward >= 0, step, np.inf))
        ring_plane = plane_of_ring(stack)
        farthest = np.zeros(stack.n_planes + 2)
        np.maximum.at(farthest, ring_plane + 1, moved)
        around = np.maximum(farthest[1:-1], np.maximum(farthest[:-2], farthest[2:]))
        usual = self.usual_gap_mm
        bands = np.minimum(_BAND_LEAST * usual + around, _BAND_MOST * usual) + 1.0
        return np.asarray(np.maximum(bands, self._tip_bands_mm(ring_plane)))

    def _tip_bands_mm(self, ring_plane: NDArray[np.int64]) -> FloatArray:
        """Return how far distances have to be known for rounded ends: to the middle, on the last three planes."""
        links = self.links
        assert links is not None
        bands = np.zeros(self.stack.n_planes)
        for order, back in ((links.up_order, links.below), (links.down_order, links.above)):
            rings = np.flatnonzero((order == 2) | (order == 3))
            for _ in range(3):
                np.maximum.at(bands, ring_plane[rings], _WHOLE_FRAC * links.size_mm[rings])
                rings = back[rings]
                rings = rings[rings >= 0]
        return np.minimum(bands, _TIP_BAND_MM)


@lru_cache(maxsize=32)
def _volume_cc(solid: Solid) -> float:
    from dvhkit.engine.field.accumulate import accumulated

    return accumulated(solid, [solid.options], None)[1][0].volume_cc


def make_solid(
    structure: Structure,
    grid: Grid | None,
    options: EngineOptions,
    *,
    slice_spacing_mm: float | None,
    image: Grid | None = None,
) -> Solid | tuple[Finding, ...]:
    """Return the solid that the contours stand for, or the findings that say why there is none.

    Raises
    ------
    GeometryError
        Contours that are not planar or not parallel, or coordinates that are not numbers.
    """
    stack = stack_planes(structure, grid)
    if stack is None:
        return (_nothing_drawn(structure),)
    parts = separate(stack)
    made = [_of_stack(part, grid, options, slice_spacing_mm, image) for part in parts]
    if len(made) == 1:
        return made[0]
    whole = _of_stack(stack, grid, options, slice_spacing_mm, image)
    if not isinstance(whole, Solid) or not all(isinstance(one, Solid) for one in made):
        return whole
    return replace(whole, islands=tuple(one for one in made if isinstance(one, Solid)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Islands:
    """A structure as solids that never touch, each on planes of its own; nearly always a single one.

    Attributes
    ----------
    solids
        Their volumes, and their DVHs, add up.
    others
        The same contours read otherwise, each again as solids that add up: bands reach to them.
    findings
        Why there is no solid; empty where there are some.
    """

    solids: tuple[Solid, ...]
    others: tuple[tuple[Solid, ...], ...] = ()
    findings: tuple[Finding, ...] = ()


def make_islands(
    structure: Structure,
    grid: Grid | None,
    options: EngineOptions,
    *,
    slice_spacing_mm: float | None,
    image: Grid | None = None,
) -> Islands:
    """Return a structure as islands that agree on their planes each, with what else the contours may mean.

    Raises
    ------
    GeometryError
        Contours that are not planar or not parallel, or coordinates that are not numbers.
    """
    stack = stack_planes(structure, grid)
    if stack is None:
        return Islands(solids=(), findings=(_nothing_drawn(structure),))

    def read(whole: PlaneStack) -> tuple[list[Solid], list[Finding]]:
        made = [_of_stack(part, grid, options, slice_spacing_mm, image) for part in separate(whole)]
        lost = [finding for one in made if not isinstance(one, Solid) for finding in one]
        return [one for one in made if isinstance(one, Solid)], lost

    solids, lost = read(stack)
    if lost:
        return Islands(solids=(), findings=tuple(lost))
    others: list[tuple[Solid, ...]] = []
    if any(s.runs.other is not None for s in solids):
        others.append(tuple(_solid(s.stack, s.runs.other or s.runs, options) for s in solids))
    if stack.by_letter is not None and (letter := read(stack.by_letter))[0] and not letter[1]:
        others.append(tuple(letter[0]))
    return Islands(solids=tuple(solids), others=tuple(others))


def _of_stack(
    stack: PlaneStack, grid: Grid | None, options: EngineOptions, slice_spacing_mm: float | None, image: Grid | None
) -> Solid | tuple[Finding, ...]:
    # What is not looked at is not told, so that whoever asks for the same solid with other words gets the same one.
    of_image = stack.slices is not None and stack.slices.is_image
    is_lone = stack.n_planes == 1
    return _of_planes(
        stack,
        options,
        slice_spacing_mm if is_lone else None,
        grid.plane_spacing_mm if is_lone and grid is not None else None,
        None if of_image else image,
    )


@lru_cache(maxsize=16)
def _of_planes(
    stack: PlaneStack,
    options: EngineOptions,
    slice_spacing_mm: float | None,
    fallback_mm: float | None,
    image: Grid | None,
) -> Solid | tuple[Finding, ...]:
    runs = find_runs(stack, slice_spacing_mm=slice_spacing_mm, fallback_mm=fallback_mm, image=image)
    if runs is None:
        return (*stack.findings, _thickness_unknown(stack.name))
    return _solid(stack, runs, options)


def ends_alike(one: Solid, other: Solid) -> bool:
    """Whether two readings of the same contours, which go on alike between slices, end alike too."""
    if one.links is None or other.links is None:
        return False
    same = (one.options.bend_max, one.options.round_stretch) == (other.options.bend_max, other.options.round_stretch)
    return same and all(
        np.array_equal(getattr(one.links, name), getattr(other.links, name)) for name in ("up_mm", "down_mm")
    )


def _solid(stack: PlaneStack, runs: Runs, options: EngineOptions) -> Solid:
    lo, hi = slabs(stack, runs, options)
    if options.between is not Between.SHAPE:
        return Solid(stack=stack, runs=runs, options=options, lo_mm=lo, hi_mm=hi)
    links = find_links(stack, runs, options)
    for (first, stop), _ in zip(runs.bounds, runs.end_gap_mm, strict=True):
        lo[first] = stack.offsets_mm[first] - _tallest(links.down_mm, stack, first)
        hi[stop - 1] = stack.offsets_mm[stop - 1] + _tallest(links.up_mm, stack, stop - 1)
    return Solid(
        stack=stack,
        runs=runs,
        options=options,
        lo_mm=lo,
        hi_mm=hi,
        links=links,
    )


def closing(solid: Solid, low: float | None, high: float | None) -> Solid:
    """Return the solid with its ends moved: each run reaches these shares of a slice distance beyond its last slices.

    None leaves an end where it is. Rounded ends are stretched or squeezed, flat ones moved.
    """
    links, stack = solid.links, solid.stack
    assert links is not None
    heights = {"up": links.up_mm.copy(), "down": links.down_mm.copy()}
    stretch = {"up": links.up_stretch.copy(), "down": links.down_stretch.copy()}
    lo, hi = solid.lo_mm.copy(), solid.hi_mm.copy()
    for (first, stop), gaps in zip(solid.runs.bounds, solid.runs.end_gap_mm, strict=True):
        for side, plane, gap, share in (("down", first, gaps[0], low), ("up", stop - 1, gaps[1], high)):
            if share is None:
                continue
            rings = slice(*stack.plane_ring[plane : plane + 2])
            wanted = max(share * gap, _LEAST_CAP_MM)
            stretch[side][rings] *= wanted / np.maximum(heights[side][rings], _LEAST_CAP_MM)
            heights[side][rings] = wanted
            if side == "down":
                lo[first] = stack.offsets_mm[first] - wanted
            else:
                hi[stop - 1] = stack.offsets_mm[stop - 1] + wanted
    moved = replace(
        links,
        up_mm=heights["up"],
        down_mm=heights["down"],
        up_stretch=np.where(links.up_order >= 2, stretch["up"], 1.0),
        down_stretch=np.where(links.down_order >= 2, stretch["down"], 1.0),
    )
    return replace(solid, links=moved, lo_mm=lo, hi_mm=hi)


def _tallest(heights_mm: FloatArray, stack: PlaneStack, plane: int) -> float:
    return float(heights_mm[stack.plane_ring[plane] : stack.plane_ring[plane + 1]].max())


def by_depth(solid: Solid) -> list[Solid]:
    """Return solids whose alternating difference is the given one: outer rings, holes, islands in holes, and so on.

    Each goes on from slice to slice on its own, so a thin wall between an outer ring and a hole is never lost where it
    slants by more than its thickness.
    """
    stack, links = solid.stack, solid.links
    assert links is not None
    if not links.is_hole.any():
        return [solid]
    groups = []
    for level, (chosen, part) in enumerate(_depths(stack)):
        own = find_links(part, solid.runs, solid.options, rho2=links.rho2[chosen] if level % 2 == 0 else None)
        own = replace(_open_ended(own, part, solid.runs) if level % 2 else own, wall_mm=links.wall_mm[chosen])
        groups.append(replace(solid, stack=part, links=own))
    return groups


@lru_cache(maxsize=32)
def _depths(stack: PlaneStack) -> list[tuple[NDArray[np.bool_], PlaneStack]]:
    """Return for each depth of nesting which rings lie there, and the stack with those alone."""
    n_rings = len(stack.ring_start) - 1
    depth, box = np.zeros(n_rings, np.int64), np.zeros((n_rings, 4))
    keep_all = np.zeros(stack.n_planes, np.bool_)
    orient(stack.points_mm.copy(), stack.ring_start, stack.plane_ring, keep_all, depth, np.zeros(n_rings), box)
    levels = [depth == level for level in range(int(depth.max()) + 1)]
    return [(at, _rings_of_depth(stack, at, reverse=n % 2 == 1)) for n, at in enumerate(levels)]


def _rings_of_depth(stack: PlaneStack, chosen: NDArray[np.bool_], *, reverse: bool) -> PlaneStack:
    """Return the stack with some of its rings only, on the same planes; holes turned round into solids."""
    step = -1 if reverse else 1
    rings = [stack.points_mm[stack.ring_start[r] : stack.ring_start[r + 1]][::step] for r in np.flatnonzero(chosen)]
    before = np.concatenate([[0], np.cumsum(chosen)])
    return replace(
        stack,
        points_mm=np.ascontiguousarray(np.concatenate(rings)),
        ring_start=np.concatenate([[0], np.cumsum([len(r) for r in rings])]).astype(np.int64),
        plane_ring=before[stack.plane_ring].astype(np.int64),
    )


def _open_ended(links: Links, stack: PlaneStack, runs: Runs) -> Links:
    """Let holes on the first and last slice of a run go on as far as what is around them may."""
    up, down = links.up_mm.copy(), links.down_mm.copy()
    for (first, stop), (gap_lo, gap_hi) in zip(runs.bounds, runs.end_gap_mm, strict=True):
        down[stack.plane_ring[first] : stack.plane_ring[first + 1]] = gap_lo
        up[stack.plane_ring[stop - 1] : stack.plane_ring[stop]] = gap_hi
    return replace(links, up_mm=up, down_mm=down)


def mended(solid: Solid, excess: FloatArray) -> Solid | None:
    """Return the solid with crossing rings put right where coverage left [0, 1]; None where it nowhere did."""
    bad = np.flatnonzero(excess > EXCESS_FRAC)
    if bad.size == 0:
        return None
    stack = repaired(solid.stack, bad)
    if stack is None or stack.n_planes != solid.stack.n_planes:
        raise GeometryError(
            f"the contours of {solid.stack.name} cross themselves so that nothing is left of a slice.",
            remedy="Redraw the structure.",
        )
    return _solid(stack, solid.runs, solid.options)


def _nothing_drawn(structure: Structure) -> Finding:
    return Finding(
        level=Level.INFO,
        code="structure-empty",
        message="No contour bounds an area, so there is neither volume nor dose.",
        where=structure.name,
    )


def _thickness_unknown(name: str) -> Finding:
    return Finding(
        level=Level.SERIOUS,
        code="slice-thickness-unknown",
        message="Drawn on one slice only, and neither image nor dose says how thick that is; no volume can be given. "
        "Supply the image series.",
        where=name,
    )
