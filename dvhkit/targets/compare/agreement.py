"""How two structures agree: volumes shared, distances between surfaces, lines to be drawn anew, direction by direction.

Everything is measured on the solids that the contours stand for, ends included, and never on voxels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely

from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure
from dvhkit.results.contours.comparison import DIRECTIONS, IslandAgreement, PairComparison
from dvhkit.targets.compare.distances import Distances, Measured, distances_between
from dvhkit.targets.compare.islands import Island, is_one_part, islands_of
from dvhkit.targets.compare.lines import compare_lines
from dvhkit.targets.compare.overlap import Overlap, overlap_of, volume_of
from dvhkit.targets.compare.relaid import relaid
from dvhkit.targets.compare.sections import Sections, grid_along, sections_of
from dvhkit.targets.compare.skin import Skin, skin_of

_SHARE = 0.95
_MM3_PER_CC = 1000.0
# A surface faces a direction if its normal lies within 45 degrees of it.
_FACING_COS = float(np.cos(np.pi / 4))
# Directions need no more points than this, every so many of those on the surface.
_EVERY = 2
_SPREAD = 300_000
_NEAR_MM = 0.1
# What sections by direction may hold more or less than the solid: the promise for every metric of a comparison.
_NEAR_FRAC = 0.003
_AXES = np.array([[1, 0, 0], [-1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]], float)


def compare(
    a: Structure,
    b: Structure,
    *,
    tolerance_mm: float,
    slice_spacing_mm: float | None = None,
    volumes_cc: tuple[float | None, float | None] = (None, None),
) -> PairComparison:
    """Return how structure B agrees with structure A; what has no value says why.

    Parameters
    ----------
    tolerance_mm
        How far two surfaces, or lines, may be apart and still count as the same.
    slice_spacing_mm
        The thickness of a structure drawn on one slice; else the other's slice distance is taken.
    volumes_cc
        The volumes of their solids where DVHs have told them; None has them computed.
    """
    record = PairComparison(roi_a=a.name, roi_b=b.name, tolerance_mm=tolerance_mm)
    empty = _which_is_empty(a, b)
    if empty:
        return replace(record, reason=empty)
    try:
        found = _overlapping(_solids(a, b, slice_spacing_mm), volumes_cc)
        if not (found.a.sections.is_traced or found.is_near):
            found = _overlapping(_solids(a, b, slice_spacing_mm, traced=True), volumes_cc)
        if found.has_nothing:
            return replace(record, reason="the contours of one of the two enclose no volume.")
        lines_of_b = found.b if found.is_parallel else _on_planes_of(found.a, found.b, b)
        return _measured(record, found, lines_of_b, tolerance_mm)
    except (GeometryError, NotEvaluable) as error:
        return replace(record, reason=str(error))


def _which_is_empty(a: Structure, b: Structure) -> str:
    missing = [f"{s.name} ({side})" for s, side in ((a, "A"), (b, "B")) if s.is_empty]
    if not missing:
        return ""
    verb = "have" if len(missing) > 1 else "has"
    return f"{' and '.join(missing)} {verb} no contour that bounds an area: there is nothing to compare."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Overlapping:
    """Two solids, what their sections share, and the volumes in mm3 that DVHs have of them."""

    a: Skin
    b: Skin
    is_parallel: bool
    shared: Overlap
    volume_a_mm3: float
    volume_b_mm3: float

    @property
    def is_near(self) -> bool:
        """Whether sections found by direction hold what the solids hold: of few slices they may say something else."""
        if self.has_nothing:
            return False
        one, other = self.shared.volume_a_mm3 / self.volume_a_mm3, self.shared.volume_b_mm3 / self.volume_b_mm3
        return max(abs(one - 1.0), abs(other - 1.0)) < _NEAR_FRAC

    @property
    def has_nothing(self) -> bool:
        """Whether the contours of one of the two enclose no volume."""
        found = (self.shared.volume_a_mm3, self.shared.volume_b_mm3, self.volume_a_mm3, self.volume_b_mm3)
        return min(found) <= 0.0


def _overlapping(solids: tuple[Skin, Skin], volumes_cc: tuple[float | None, float | None]) -> _Overlapping:
    a, b = solids
    is_parallel = share_planes(a, b)
    one, other = (
        s.sections.volume_mm3 if known is None else _MM3_PER_CC * known
        for s, known in zip(solids, volumes_cc, strict=True)
    )
    return _Overlapping(
        a=a,
        b=b,
        is_parallel=is_parallel,
        shared=overlap_of(a, b) if is_parallel else _overlap_across(a, b),
        volume_a_mm3=one,
        volume_b_mm3=other,
    )


def _solids(a: Structure, b: Structure, spacing_mm: float | None, *, traced: bool = False) -> tuple[Skin, Skin]:
    fallback = spacing_mm or _own_gap_mm(a) or _own_gap_mm(b)
    first = sections_of(a, slice_spacing_mm=spacing_mm, fallback_mm=fallback, traced=traced)
    if _drawn_alike(a, b):
        both = skin_of(first)
        return both, both
    along = grid_along(first.frame)
    second = sections_of(b, along=along, slice_spacing_mm=spacing_mm, fallback_mm=fallback, traced=first.is_traced)
    if second.is_traced and not first.is_traced:
        first = sections_of(a, slice_spacing_mm=spacing_mm, fallback_mm=fallback, traced=True)
    return skin_of(first), skin_of(second)


def _drawn_alike(a: Structure, b: Structure) -> bool:
    return len(a.contours) == len(b.contours) and all(
        one.kind is two.kind and np.array_equal(one.points_mm, two.points_mm)
        for one, two in zip(a.contours, b.contours, strict=True)
    )


def _own_gap_mm(structure: Structure) -> float | None:
    from dvhkit.engine.contours.planes import stack_planes

    stack = stack_planes(structure)
    return float(np.median(np.diff(stack.offsets_mm))) if stack is not None and stack.n_planes > 1 else None


def _on_planes_of(a: Skin, b: Skin, drawn: Structure) -> Skin:
    """Return B's solid as it would have been drawn on A's slices."""
    laid = relaid(drawn, b, a)
    gap = a.sections.gap_mm
    return skin_of(sections_of(laid, along=grid_along(a.sections.frame), slice_spacing_mm=gap, fallback_mm=gap))


def _measured(record: PairComparison, found: _Overlapping, lines_of_b: Skin, tolerance_mm: float) -> PairComparison:
    """`lines_of_b`: B on planes parallel to A's, for what is compared slice by slice."""
    a, b = found.a, found.b
    one = Measured.of(a)
    two = one if a is b else Measured.of(b)
    far = distances_between(one, two)
    row = replace(
        _with_surfaces(_with_volumes(record, found), far, tolerance_mm),
        larger_mm=_by_direction(one, far.from_a_mm, b),
    )
    lines = compare_lines(a, lines_of_b, tolerance_mm)
    return replace(
        row,
        apl_mm=float(lines.added_mm),
        apl_relative=float(lines.added_mm / lines.whole_mm) if lines.whole_mm > 0 else None,
        apl_voxel_3mm_mm=float(lines.added_voxels_mm),
        slices=lines.slices,
        islands=_islands(a.sections, lines_of_b.sections),
    )


def share_planes(a: Skin, b: Skin) -> bool:
    """Whether sections of both at one height lie in one plane."""
    one, two = a.sections.frame, b.sections.frame
    return bool(np.allclose(one.axes, two.axes, atol=1e-9) and np.allclose(one.origin_mm, two.origin_mm, atol=1e-9))


def _overlap_across(a: Skin, b: Skin) -> Overlap:
    """Return volumes and overlap of solids on planes that face different ways: by points spread over both."""
    volume_a, centroid_a = volume_of(a)
    volume_b, centroid_b = volume_of(b)
    corners = [skin.corners_mm for skin in (a, b)]
    low = np.maximum(*(c.min(axis=0) for c in corners))
    size = np.minimum(*(c.max(axis=0) for c in corners)) - low
    shared = 0.0
    if (size > 0).all():
        # A sequence of low discrepancy (R3, Roberts 2018): the overlap errs by about 0.1 %.
        steps = 1.0 / 1.2207440846057596 ** np.arange(1, 4)
        points = low + size * ((0.5 + np.arange(_SPREAD)[:, None] * steps) % 1.0)
        inside = a.holds(points) & b.holds(points)
        shared = float(np.prod(size)) * float(inside.mean())
    return Overlap(
        volume_a_mm3=volume_a,
        volume_b_mm3=volume_b,
        shared_mm3=shared,
        centroid_a_mm=centroid_a,
        centroid_b_mm=centroid_b,
    )


def _with_volumes(record: PairComparison, found: _Overlapping) -> PairComparison:
    """Return what they share by their sections, and the volumes of the solids themselves, as a DVH has them."""
    overlap = found.shared
    a, b = overlap.volume_a_mm3, overlap.volume_b_mm3
    shared = min(overlap.shared_mm3, a, b)
    x, y, z = (float(v) for v in overlap.centroid_b_mm - overlap.centroid_a_mm)
    return replace(
        record,
        dice=2.0 * shared / (a + b),
        jaccard=shared / (a + b - shared),
        volume_a_cc=found.volume_a_mm3 / _MM3_PER_CC,
        volume_b_cc=found.volume_b_mm3 / _MM3_PER_CC,
        volume_ratio=found.volume_b_mm3 / found.volume_a_mm3,
        centroid_shift_mm=(x, y, z),
    )


def _with_surfaces(record: PairComparison, far: Distances, tolerance_mm: float) -> PairComparison:
    return replace(
        record,
        hausdorff_mm=far.hausdorff_mm,
        hd95_pooled_mm=far.pooled_mm(_SHARE),
        hd95_directed_mm=far.directed_mm(_SHARE),
        mean_surface_distance_mm=far.mean_mm,
        surface_dice=far.surface_dice(tolerance_mm),
        surface_a_cm2=far.area_a_mm2 / 100.0,
        surface_b_cm2=far.area_b_mm2 / 100.0,
    )


def _by_direction(one: Measured, from_a_mm: FloatArray, b: Skin) -> dict[str, float | None]:
    """Return how far B's surface lies beyond A's, on average over what of A faces each direction."""
    normals, points = one.normals_at(_EVERY), one.points_mm[::_EVERY]
    distance = from_a_mm[::_EVERY]
    signed = np.where(b.holds(points), distance, -distance)
    found: dict[str, float | None] = {}
    for name, axis in zip(DIRECTIONS, _AXES, strict=True):
        facing = normals @ axis > _FACING_COS
        found[name] = float(signed[facing].mean()) if facing.any() else None
    return found


def _islands(a: Sections, b: Sections) -> tuple[IslandAgreement, ...]:
    """Return how each separate part of A agrees with what of B touches it; none where both are of one part."""
    if is_one_part(a) and is_one_part(b):
        return ()
    own, other = islands_of(a), islands_of(b)
    if len(own) < 2 and len(other) < 2:
        return ()
    rows = []
    for island in own:
        met = [o for o in other if _touch(island, o)]
        shared = sum(_shared_cc(island, o, a.gap_mm) for o in met)
        volume_b = sum(o.volume_cc for o in met)
        rows.append(
            IslandAgreement(
                place_mm=_place(a, island),
                volume_a_cc=island.volume_cc,
                volume_b_cc=volume_b,
                dice=min(1.0, 2.0 * shared / (island.volume_cc + volume_b)) if met else 0.0,
            )
        )
    return tuple(rows)


def _place(sections: Sections, island: Island) -> tuple[float, float, float]:
    largest = max(island.pieces, key=lambda p: p.shape.area)
    centre = shapely.get_coordinates(shapely.centroid(largest.shape))[0]
    x, y, z = sections.frame.to_patient(np.array([[*centre, largest.w_mm]]))[0]
    return float(x), float(y), float(z)


def _touch(a: Island, b: Island) -> bool:
    return any(abs(p.w_mm - q.w_mm) <= _NEAR_MM and p.shape.intersects(q.shape) for p in a.pieces for q in b.pieces)


def _shared_cc(a: Island, b: Island, gap_mm: float) -> float:
    return float(
        sum(
            p.shape.intersection(q.shape).area * gap_mm / _MM3_PER_CC
            for p in a.pieces
            for q in b.pieces
            if abs(p.w_mm - q.w_mm) <= _NEAR_MM
        )
    )
