"""The solid of a structure as dense sections: the one place where comparisons ask the engine for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvhkit.engine.contours.frame import Frame
from dvhkit.engine.contours.planes import PlaneStack, stack_planes
from dvhkit.engine.contours.runs import Runs, find_runs
from dvhkit.engine.loft import loft
from dvhkit.engine.loft_parts import Section
from dvhkit.errors import NotEvaluable, Reason
from dvhkit.findings import Finding
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure

# Between slices shapes that are not convex are traced on squares of a 200th of the structure's width.
_STEP_FRAC = 200.0
_STEP_MM = (0.15, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sections:
    """A solid as sections so dense that straight lines between neighbours follow its surface.

    Attributes
    ----------
    frame
        Leads from patient coordinates to (u, v, w) and back.
    drawn
        The drawn slices, ascending.
    runs
        For each stretch without a missing slice the sections, ascending; empty ones stand just beyond both ends.
    gap_mm
        The usual distance of the slices; of a lone one its thickness.
    """

    name: str
    frame: Frame
    drawn: tuple[Section, ...]
    runs: tuple[tuple[Section, ...], ...]
    gap_mm: float
    findings: tuple[Finding, ...]


def sections_of(
    structure: Structure,
    *,
    along: Grid | None = None,
    slice_spacing_mm: float | None = None,
    fallback_mm: float | None = None,
) -> Sections:
    """Return the solid that a structure's contours stand for, as sections.

    Parameters
    ----------
    along
        A grid along whose axes the planes are laid where they face its way.
    slice_spacing_mm, fallback_mm
        The thickness of a lone slice: the image's, or else what its company suggests.

    Raises
    ------
    NotEvaluable
        Nothing was drawn that bounds an area, or on one slice of unknown thickness.
    GeometryError
        Contours that are not planar or not parallel.
    """
    stack = stack_planes(structure, along)
    if stack is None:
        raise NotEvaluable(f"{structure.name} has no contour that bounds an area.", reason=Reason.EMPTY_STRUCTURE)
    runs = find_runs(stack, slice_spacing_mm=slice_spacing_mm, fallback_mm=fallback_mm)
    if runs is None:
        raise NotEvaluable(
            f"{structure.name} is drawn on one slice only, and nothing says how thick that is.",
            reason=Reason.NO_VOLUME,
        )
    lofted = [tuple(loft(stack, run, step_mm=_step_mm(stack))) for run in _single(runs)]
    drawn_at = {float(w) for w in stack.offsets_mm}
    drawn = sorted((s for run in lofted for s in run if s.w_mm in drawn_at), key=lambda s: s.w_mm)
    gaps = np.diff(stack.offsets_mm)
    return Sections(
        name=structure.name,
        frame=stack.frame,
        drawn=tuple(drawn),
        runs=tuple(lofted),
        gap_mm=float(np.median(gaps)) if gaps.size else runs.end_gap_mm[0][0],
        findings=(*stack.findings, *runs.findings),
    )


def _single(runs: Runs) -> list[Runs]:
    """Return each stretch as runs of its own: their ends may overlap where one slice is missing."""
    return [
        replace(runs, bounds=(bounds,), end_gap_mm=(ends,))
        for bounds, ends in zip(runs.bounds, runs.end_gap_mm, strict=True)
    ]


def _step_mm(stack: PlaneStack) -> float:
    width = float(np.ptp(stack.points_mm, axis=0).max())
    return float(np.clip(width / _STEP_FRAC, *_STEP_MM))


def grid_along(frame: Frame) -> Grid:
    """Return a grid whose axes are those of a frame, so that another structure can be laid along them."""
    return Grid(
        origin_mm=frame.origin_mm,
        axes=frame.axes,
        spacing_mm=np.ones(2),
        offsets_mm=np.zeros(1),
        n_rows=1,
        n_columns=1,
    )
