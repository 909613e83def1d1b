"""Structures out of structures: difference, union and intersection, exact in every plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Any, Literal

import numpy as np
import shapely

from dvhkit.engine.contours.planes import PlaneStack, stack_planes
from dvhkit.engine.contours.repair import compose, rings_of
from dvhkit.engine.contours.runs import is_parted
from dvhkit.engine.options import EngineOptions
from dvhkit.engine.solid.sampled import fine_step_mm, mended_solid, sections_at
from dvhkit.engine.solid.solid import Solid, make_solid
from dvhkit.errors import GeometryError, InputError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.slices import slices_of_image
from dvhkit.model.structure import Contour, ContourKind, Structure

Operator = Literal["-", "|", "&"]
_Point = tuple[float, float, float]

# Planes nearer than this are the same slice (coordinates are rounded texts).
_SAME_MM = 0.02
# Numbers are read on a slice for each quarter of the operands' slice distance or less, never nearer than this.
_FINE_PARTS = 4.0
_LEAST_GAP_MM = 0.2
# Sections that stand out by less than this share of their area lie within each other.
_NESTED_FRAC = 2e-3
# Slivers of less area than this are rounding, not tissue.
_SLIVER_MM2 = 1e-6
# Wider than this in slice distances is a gap.
_WIDE_RATIO = 1.5
_COMBINE = {"-": shapely.difference, "|": shapely.union, "&": shapely.intersection}


def combine(
    op: Operator,
    a: Structure,
    b: Structure,
    *,
    name: str,
    options: EngineOptions | None = None,
    fine: bool = False,
) -> Structure:
    """Return ``a - b``, ``a | b`` or ``a & b`` as a structure of its own.

    Sections are combined exactly, plane by plane. Where the operands share their slices the result lies on them.
    Where one has slices that the other lacks, the other's section there is that of its solid; if slices interleave,
    the result is drawn on slices fine enough for both.

    Parameters
    ----------
    op
        ``-`` difference, ``|`` union, ``&`` intersection.
    a, b
        Structures in parallel planes of the same direction, in the same frame of reference.
    options
        What lies between and beyond the drawn slices.
    fine
        For numbers, not for files: where the operands cross, draw on several slices for each of theirs, so that the
        edge in which they meet is as exact between the slices as on them.
    name
        Name of the result, whose ROI number is -1: it stands in no file.

    Returns
    -------
    Structure
        Contours of kind CLOSEDPLANAR_XOR, so that holes are holes to any reader; without contours where nothing is
        left.

    Raises
    ------
    GeometryError
        Planes that face different ways, or different frames of reference.
    """
    if op not in _COMBINE:
        raise InputError(f"{op!r} combines no structures.", remedy="Use '-', '|' or '&'.")
    if a.frame_of_reference_uid and b.frame_of_reference_uid and a.frame_of_reference_uid != b.frame_of_reference_uid:
        raise GeometryError(
            f"{a.name} and {b.name} are drawn in different frames of reference.",
            remedy="Bring them into one with a registration first.",
        )
    first, second = _solids(a, b, options or EngineOptions())
    base = first or second
    if base is None:
        return replace(a, number=-1, name=name, contours=())
    heights, is_own = _heights(op, first, second, fine=fine)
    pairs = zip(heights, _sections(first, heights), _sections(second, heights), strict=True)
    contours = [c for w, left, right in pairs for c in _contours(_COMBINE[op](left, right), base, float(w))]
    return Structure(
        number=-1,
        name=name,
        contours=tuple(contours),
        frame_of_reference_uid=a.frame_of_reference_uid or b.frame_of_reference_uid,
        slices=(a.slices or b.slices) if is_own else slices_of_image(_grid_along(base.stack, heights)),
        parted_at_mm=_parted(contours, base, [solid for solid in (first, second) if solid is not None]),
    )


def _parted(
    contours: Sequence[Contour], base: Solid, operands: Sequence[Solid]
) -> tuple[tuple[float, float, float], ...]:
    """Return a point in each wide gap of a result that no operand has of itself, for want of a slice."""
    if not contours:
        return ()
    frame = base.stack.frame
    heights = np.unique(np.round(frame.to_frame(np.array([c.points_mm[0] for c in contours]))[:, 2], 6))
    gaps = np.diff(heights)
    if not gaps.size:
        return ()
    wide = np.flatnonzero(gaps > _WIDE_RATIO * float(np.median(gaps)))
    middles = [float(heights[n] + gaps[n] / 2) for n in wide]
    made = [w for w in middles if not any(_lacks_slices(solid, w) for solid in operands)]
    x, y = frame.to_frame(contours[0].points_mm[:1])[0, :2]
    return tuple((float(p[0]), float(p[1]), float(p[2])) for w in made for p in frame.to_patient(np.array([[x, y, w]])))


def _lacks_slices(solid: Solid, w_mm: float) -> bool:
    """Whether a solid was split at a height because slices are missing there."""
    if solid.islands:
        return any(_lacks_slices(island, w_mm) for island in solid.islands)
    offsets = solid.stack.offsets_mm
    splits = [stop - 1 for _, stop in solid.runs.bounds[:-1]]
    return any(offsets[n] < w_mm < offsets[n + 1] and not is_parted(solid.stack, n) for n in splits)


def _solids(a: Structure, b: Structure, options: EngineOptions) -> tuple[Solid | None, Solid | None]:
    """Return what both stand for, in one frame; a lone slice has the other's slice distance, or stands for itself."""
    stack = stack_planes(a)
    other = stack_planes(b, None if stack is None else _grid_along(stack))
    if stack is not None and other is not None and other.frame.grid_axis != (0, 1, 2):
        raise GeometryError(
            f"{a.name} and {b.name} are drawn on planes that face different ways.",
            remedy="Resample one of them onto the other's slices.",
        )

    def solid(structure: Structure, own: PlaneStack | None, beside: PlaneStack | None) -> Solid | None:
        if own is None:
            return None
        gap = None if beside is None or beside.n_planes < 2 else float(np.median(np.diff(beside.offsets_mm)))
        grid = _grid_along(stack) if stack is not None and own is not stack else None
        made = make_solid(structure, grid, options, slice_spacing_mm=gap or 2 * _SAME_MM)
        return made if isinstance(made, Solid) else None

    return solid(a, stack, other), solid(b, other, stack)


def _grid_along(stack: PlaneStack, heights_mm: FloatArray | None = None) -> Grid:
    """Return a grid whose axes are the stack's frame, so that another stack can be laid along it, with its slices."""
    heights = np.zeros(1) if heights_mm is None else heights_mm
    return Grid(
        origin_mm=stack.frame.to_patient(np.array([[0.0, 0.0, heights[0]]]))[0],
        axes=stack.frame.axes,
        spacing_mm=np.ones(2),
        offsets_mm=heights - heights[0],
        n_rows=1,
        n_columns=1,
    )


def _heights(op: Operator, a: Solid | None, b: Solid | None, *, fine: bool) -> tuple[FloatArray, bool]:
    """Return the heights on which the result is drawn, and whether these are the operands' own slices alone."""
    if a is None or b is None:
        only = a or b
        assert only is not None
        return only.stack.offsets_mm, True
    own, other = a.stack.offsets_mm, b.stack.offsets_mm
    within = (other >= float(a.lo_mm.min()) - _SAME_MM) & (other <= float(a.hi_mm.max()) + _SAME_MM)
    apart = np.abs(other[:, None] - own).min(axis=1) > _SAME_MM
    if not np.any(apart & within) and not (fine and _cross(a, b)):
        beyond = other[apart & ~within] if op == "|" else np.empty(0)
        return np.sort(np.concatenate([own, beyond])), True
    low, high = float(a.lo_mm.min()), float(a.hi_mm.max())
    if op == "|":
        low, high = min(low, float(b.lo_mm.min())), max(high, float(b.hi_mm.max()))
    target = min(a.usual_gap_mm, b.usual_gap_mm)
    if not fine:
        return _divided(a, target, low, high), False
    step = max(target / _FINE_PARTS, _LEAST_GAP_MM)
    return _with_ends(_divided(a, step, low, high), np.concatenate([_ends_mm(a), _ends_mm(b)]), step), False


def _ends_mm(solid: Solid) -> FloatArray:
    """Return where the runs of a solid end."""
    if solid.islands:
        return np.concatenate([_ends_mm(island) for island in solid.islands])
    first, stop = np.array(solid.runs.bounds).T
    return np.concatenate([solid.lo_mm[first], solid.hi_mm[stop - 1]])


def _with_ends(heights_mm: FloatArray, ends_mm: FloatArray, step_mm: float) -> FloatArray:
    """Return the heights with two close by on either side of each end, half way between which lies the end itself."""
    near = step_mm / 6.0
    kept = heights_mm[np.abs(heights_mm[:, None] - ends_mm).min(axis=1) > 4.0 * near]
    around = (ends_mm[:, None] + near * np.array([-3.0, -1.0, 1.0, 3.0])).ravel()
    every = np.unique(np.concatenate([kept, around]))
    # Of ends that all but fall together one is enough.
    return np.asarray(every[np.append(True, np.diff(every) > 0.5 * near)])


def _divided(solid: Solid, target_mm: float, low_mm: float, high_mm: float) -> FloatArray:
    """Return a solid's planes with others evenly between them, about `target_mm` apart, and on to `low` and `high`.

    An odd number of parts: half way between two slices, where upright walls change, lies no other.
    """
    own = solid.stack.offsets_mm
    gaps = np.diff(own)
    parts = [max(1, 2 * ceil((gap / target_mm - 1.0) / 2.0 - 1e-6) + 1) for gap in gaps]
    usual = solid.usual_gap_mm
    step = usual / max(1, 2 * ceil((usual / target_mm - 1.0) / 2.0 - 1e-6) + 1)
    below = own[0] - step * np.arange(ceil((own[0] - low_mm) / step), 0, -1)
    above = own[-1] + step * np.arange(1, ceil((high_mm - own[-1]) / step) + 1)
    between = [w + gap * np.arange(n) / n for w, gap, n in zip(own[:-1], gaps, parts, strict=True)]
    return np.concatenate([below, *between, own[-1:], above])


def _cross(a: Solid, b: Solid) -> bool:
    """Whether two solids meet, and neither lies within the other, as far as their own slices tell."""
    heights = np.unique(np.concatenate([a.stack.offsets_mm, b.stack.offsets_mm]))
    first, second = (np.array(_sections(solid, heights)) for solid in (a, b))
    both = shapely.area(shapely.intersection(first, second))
    areas = shapely.area(first), shapely.area(second)
    slack = _NESTED_FRAC * np.maximum(*areas)
    return bool(np.any(both > slack) and np.any(areas[0] - both > slack) and np.any(areas[1] - both > slack))


def _sections(solid: Solid | None, heights_mm: FloatArray) -> list[Any]:
    """Return the sections at ascending heights as shapely geometries: as drawn, between, and empty beyond the ends."""
    found: list[Any] = [shapely.Polygon()] * len(heights_mm)
    if solid is None:
        return found
    if solid.islands:
        parts = zip(*(_sections(island, heights_mm) for island in solid.islands), strict=True)
        return [shapely.union_all(list(part)) for part in parts]
    offsets = solid.stack.offsets_mm
    nearest = np.abs(heights_mm[:, None] - offsets).argmin(axis=1)
    is_drawn = np.abs(heights_mm - offsets[nearest]) <= _SAME_MM
    for n in np.flatnonzero(is_drawn):
        found[n] = solid.stack.section(int(nearest[n]))
    inside = (heights_mm > float(solid.lo_mm.min())) & (heights_mm < float(solid.hi_mm.max()))
    others = np.flatnonzero(~is_drawn & inside)
    if others.size:
        mended = mended_solid(solid)
        for n, section in zip(others, sections_at(mended, heights_mm[others], fine_step_mm(mended)), strict=True):
            found[n] = compose(section.rings, xor=True)
    return found


def _contours(section: Any, operand: Solid, w_mm: float) -> list[Contour]:  # noqa: ANN401
    if section.is_empty or section.area <= _SLIVER_MM2:
        return []
    parts = [part for part in shapely.get_parts(section) if part.area > _SLIVER_MM2]
    return [
        Contour(
            points_mm=operand.stack.frame.to_patient(np.column_stack([ring, np.full(len(ring), w_mm)])),
            kind=ContourKind.CLOSEDPLANAR_XOR,
        )
        for part in parts
        for ring in rings_of(part)
    ]
