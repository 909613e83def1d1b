"""The solid of a structure as dense sections: the one place where comparisons ask the engine for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvhkit.engine.contours.frame import Frame
from dvhkit.engine.contours.planes import PlaneStack, width_mm
from dvhkit.engine.solid import Solid
from dvhkit.engine.solid.sampled import Section, all_sections, goes_by_direction, linked
from dvhkit.findings import Finding
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure

# Between slices other shapes than those seen whole from their middles are traced on squares of a 50th of the
# structure's width. Of lumpy organs of 6 to 80 mm it changes distances by less than 0.01 mm, volumes by less than
# 0.05 %, against squares of a 240th.
_STEP_FRAC = 50.0
_STEP_MM = (0.25, 1.5)
# Sections without rings stand just beyond both ends.
_BEYOND_MM = 1e-4


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
    is_traced
        Whether some outlines are not seen whole from their middles, so that sections were traced on squares.
    solid
        What the sections are of.
    """

    name: str
    frame: Frame
    drawn: tuple[Section, ...]
    runs: tuple[tuple[Section, ...], ...]
    gap_mm: float
    findings: tuple[Finding, ...]
    is_traced: bool
    solid: Solid

    @property
    def volume_mm3(self) -> float:
        """The solid's own volume, as a DVH has it: sections only come near it."""
        return 1000.0 * self.solid.volume_cc


def sections_of(
    structure: Structure,
    *,
    along: Grid | None = None,
    slice_spacing_mm: float | None = None,
    fallback_mm: float | None = None,
    traced: bool = False,
) -> Sections:
    """Return the solid that a structure's contours stand for, as sections.

    Parameters
    ----------
    along
        A grid along whose axes the planes are laid where they face its way.
    slice_spacing_mm, fallback_mm
        The thickness of a lone slice: the image's, or else what its company suggests.
    traced
        Trace sections in any case: ends of two solids are alike only if they are found alike.

    Raises
    ------
    NotEvaluable
        Nothing was drawn that bounds an area, or on one slice of unknown thickness.
    GeometryError
        Contours that are not planar or not parallel.
    """
    solid = Solid.of(structure, grid=along, slice_spacing_mm=slice_spacing_mm or fallback_mm)
    stack = solid.stack
    alone = [_run(solid, n) for n in range(len(solid.runs.bounds))]
    traced = traced or not all(goes_by_direction(run) for run in alone)
    runs = [_of_run(solid, run, n, traced=traced) for n, run in enumerate(alone)]
    drawn_at = {float(w) for w in stack.offsets_mm}
    drawn = sorted((s for run in runs for s in run if s.w_mm in drawn_at), key=lambda s: s.w_mm)
    return Sections(
        name=structure.name,
        frame=stack.frame,
        drawn=tuple(drawn),
        runs=tuple(runs),
        gap_mm=solid.usual_gap_mm,
        findings=solid.findings,
        is_traced=traced,
        solid=solid,
    )


def _run(solid: Solid, n: int) -> Solid:
    """Return one stretch by itself: ends of two may overlap where one slice is missing."""
    alone = replace(solid.runs, bounds=(solid.runs.bounds[n],), end_gap_mm=(solid.runs.end_gap_mm[n],))
    return linked(replace(solid, runs=alone))


def _of_run(solid: Solid, alone: Solid, n: int, *, traced: bool) -> tuple[Section, ...]:
    """Return the sections of one stretch."""
    first, stop = solid.runs.bounds[n]
    low, high = float(solid.lo_mm[first]) - _BEYOND_MM, float(solid.hi_mm[stop - 1]) + _BEYOND_MM
    found = all_sections(alone, _step_mm(solid.stack), by_direction=not traced)
    own = solid.stack.offsets_mm[first:stop]
    others = set(solid.stack.offsets_mm.tolist()) - set(own.tolist())
    return tuple(s for s in found if low <= s.w_mm <= high and s.w_mm not in others)


def _step_mm(stack: PlaneStack) -> float:
    return float(np.clip(width_mm(stack) / _STEP_FRAC, *_STEP_MM))


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
