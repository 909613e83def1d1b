"""Structures out of structures: difference, union and intersection, exact in every plane."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
import shapely

from dvhkit.engine.contours.chains import separate
from dvhkit.engine.contours.planes import PlaneStack, stack_planes
from dvhkit.engine.contours.repair import rings_of
from dvhkit.engine.contours.runs import find_runs
from dvhkit.engine.options import profile
from dvhkit.engine.solid.ends import slabs
from dvhkit.errors import GeometryError, InputError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, ContourKind, Structure

Operator = Literal["-", "|", "&"]

# Planes nearer than this are the same slice (coordinates are rounded texts).
_SAME_MM = 0.02
# Slivers of less area than this are rounding, not tissue.
_SLIVER_MM2 = 1e-6
_COMBINE = {"-": shapely.difference, "|": shapely.union, "&": shapely.intersection}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Operand:
    """One operand: its sections, and the stretch along w for which each stands."""

    stack: PlaneStack
    lo_mm: FloatArray
    hi_mm: FloatArray
    islands: tuple[_Operand, ...] = ()

    def at(self, w_mm: float) -> Any:  # noqa: ANN401 -- a shapely geometry
        """Return the section at `w_mm`: that of the plane whose slab holds it, empty beyond the ends."""
        if self.islands:
            return shapely.union_all([island.at(w_mm) for island in self.islands])
        inside = np.flatnonzero((self.lo_mm <= w_mm + 1e-9) & (w_mm - 1e-9 <= self.hi_mm))
        if inside.size == 0:
            return shapely.Polygon()
        nearest = inside[np.abs(self.stack.offsets_mm[inside] - w_mm).argmin()]
        return self.stack.section(int(nearest))


def combine(op: Operator, a: Structure, b: Structure, *, name: str) -> Structure:
    """Return ``a - b``, ``a | b`` or ``a & b`` as a structure of its own.

    Sections are combined exactly, plane by plane. Where the operands share their slices the result lies on them.
    Where one has slices that the other lacks, the other's section there is that of its nearest slice, as far as
    half a slice distance reaches; if slices interleave, the result is drawn on slices fine enough for both.

    Parameters
    ----------
    op
        ``-`` difference, ``|`` union, ``&`` intersection.
    a, b
        Structures in parallel planes of the same direction, in the same frame of reference.
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
    first, second = _operands(a, b)
    contours: list[Contour] = []
    for w_mm in _planes(op, first, second):
        left = first.at(w_mm) if first else shapely.Polygon()
        right = second.at(w_mm) if second else shapely.Polygon()
        section = _COMBINE[op](left, right)
        base = first or second
        assert base is not None
        contours += _contours(section, base, w_mm)
    return Structure(
        number=-1,
        name=name,
        contours=tuple(contours),
        frame_of_reference_uid=a.frame_of_reference_uid or b.frame_of_reference_uid,
        slices=a.slices or b.slices,
    )


def _operands(a: Structure, b: Structure) -> tuple[_Operand | None, _Operand | None]:
    first = stack_planes(a)
    if first is None:
        second = stack_planes(b)
        return None, None if second is None else _operand(second, None)
    second = stack_planes(b, _grid_along(first))
    if second is None:
        return _operand(first, None), None
    if not second.frame.grid_axis == (0, 1, 2):
        raise GeometryError(
            f"{a.name} and {b.name} are drawn on planes that face different ways.",
            remedy="Resample one of them onto the other's slices.",
        )
    spacing = [_usual_gap(stack) for stack in (first, second)]
    return _operand(first, spacing[1]), _operand(second, spacing[0])


def _grid_along(stack: PlaneStack) -> Grid:
    """Return a grid whose axes are the stack's frame, so that another stack can be laid along it."""
    return Grid(
        origin_mm=stack.frame.origin_mm,
        axes=stack.frame.axes,
        spacing_mm=np.ones(2),
        offsets_mm=np.zeros(1),
        n_rows=1,
        n_columns=1,
    )


def _usual_gap(stack: PlaneStack) -> float | None:
    return float(np.median(np.diff(stack.offsets_mm))) if stack.n_planes > 1 else None


def _operand(stack: PlaneStack, other_gap_mm: float | None) -> _Operand:
    """Let a lone slice stand for the other operand's slice distance, or for itself alone if nobody knows one."""
    parts = separate(stack)
    islands = tuple(_operand(part, other_gap_mm) for part in parts) if len(parts) > 1 else ()
    stack = stack if islands else parts[0]
    runs = find_runs(stack, slice_spacing_mm=None, fallback_mm=other_gap_mm or 2 * _SAME_MM)
    assert runs is not None
    lo, hi = slabs(stack, runs, profile("prism"))
    return _Operand(stack=stack, lo_mm=lo, hi_mm=hi, islands=islands)


def _planes(op: Operator, a: _Operand | None, b: _Operand | None) -> list[float]:
    """Return the slices on which the result is drawn."""
    if a is None or b is None:
        only = a or b
        return [] if only is None else [float(w) for w in only.stack.offsets_mm]
    own, other = a.stack.offsets_mm, b.stack.offsets_mm
    within = (other >= a.lo_mm[0] - _SAME_MM) & (other <= a.hi_mm[-1] + _SAME_MM)
    apart = np.abs(other[:, None] - own[None, :]).min(axis=1) > _SAME_MM
    beyond = other[apart & ~within] if op == "|" else np.empty(0)
    if np.any(apart & within):
        own = _finer(a, b)
    return [float(w) for w in np.sort(np.concatenate([own, beyond]))]


def _finer(a: _Operand, b: _Operand) -> FloatArray:
    """Divide each slab of `a` so finely that no slice of `b` is passed over."""
    gap = min(_usual_gap(b.stack) or np.inf, float((a.hi_mm - a.lo_mm).min()))
    pieces = []
    for lo, hi in zip(a.lo_mm, a.hi_mm, strict=True):
        n = max(1, ceil((hi - lo) / gap - 1e-6))
        pieces.append(lo + (hi - lo) * (np.arange(n) + 0.5) / n)
    return np.concatenate(pieces)


def _contours(section: Any, operand: _Operand, w_mm: float) -> list[Contour]:  # noqa: ANN401
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
