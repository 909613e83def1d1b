"""Grow and shrink structures by margins in patient directions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import shapely

from dvhkit.engine.contours.planes import PlaneStack, stack_planes
from dvhkit.engine.contours.repair import compose, rings_of
from dvhkit.engine.distance import FrameMargins, grown_sections, shrunk_sections
from dvhkit.engine.options import EngineOptions
from dvhkit.engine.solid import Solid
from dvhkit.engine.solid.sampled import Section, mended_solid
from dvhkit.engine.solid.solid import make_islands
from dvhkit.errors import GeometryError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.image import ImageSeries
from dvhkit.model.slices import SAME_PLANE_MM
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.targets.derive.margin_sizes import Margins, margins_text

# Axes that lie off the patient's by less than a quarter of a degree are those axes, rounded.
_ALONG = 0.99999
# A margin smaller than this is finer than the grid on which results are traced.
_FINE_MM = 1.0
_SLIVER_MM2 = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Derived:
    """A structure made out of others, how it was made, and what was odd on the way."""

    structure: Structure
    how: str
    findings: tuple[Finding, ...] = ()


def grow(
    structure: Structure,
    margins: Margins | float,
    *,
    image: ImageSeries | None = None,
    name: str | None = None,
    step_mm: float | None = None,
    options: EngineOptions | None = None,
) -> Derived:
    """Grow a structure by a margin, from its contours, to a fraction of a voxel.

    Parameters
    ----------
    margins
        Six margins, or one in mm for all sides.
    image
        The result is drawn on its slices. Without it, on the structure's own slices and as many beyond them, at the
        same distance, as the margin needs.
    name
        Of the result; by default it says what was done.
    step_mm
        Grid on which the result is traced; by default chosen from structure and margin.
    options
        What lies between and beyond the drawn slices: the same solid that DVHs are computed of.

    Returns
    -------
    Derived
        ROI number -1: it stands in no file. A structure without closed contours gives an empty one.

    Raises
    ------
    GeometryError
        Contours that are not planar or not parallel; six margins for contours that lie oblique to the patient's axes.
    """
    return _derive(structure, margins, image=image, name=name, step_mm=step_mm, options=options, shrinks=False)


def shrink(
    structure: Structure,
    margins: Margins | float,
    *,
    image: ImageSeries | None = None,
    name: str | None = None,
    step_mm: float | None = None,
    options: EngineOptions | None = None,
) -> Derived:
    """Shrink a structure by a margin; parameters as in `grow`.

    What is left are the points whose whole margin lies inside. A structure that is nowhere as thick as its margins
    leaves an empty one, and a finding.
    """
    return _derive(structure, margins, image=image, name=name, step_mm=step_mm, options=options, shrinks=True)


def _derive(
    structure: Structure,
    margins: Margins | float,
    *,
    image: ImageSeries | None,
    name: str | None,
    step_mm: float | None,
    options: EngineOptions | None,
    shrinks: bool,
) -> Derived:
    if not isinstance(margins, Margins):
        margins = Margins.isotropic(margins)
    how = f"{_operand(structure.name)} {'-' if shrinks else '+'} {margins_text(margins)}"
    result = replace(structure, number=-1, name=name or how, contours=())
    solids = _solids(structure, image, options)
    if not solids:
        return Derived(structure=result, how=how, findings=(_empty(structure.name),))
    if margins.greatest_mm == 0:
        # Nothing to do must change nothing, not even by tracing.
        unchanged = replace(result, contours=structure.closed_contours)
        return Derived(structure=unchanged, how=how, findings=solids[0].stack.findings)
    stack = solids[0].stack
    if len(solids) > 1:
        stack = stack_planes(structure, image.grid if image is not None else None) or stack
    across = _frame_margins(stack, margins, structure.name)
    heights, beyond = _heights(stack, across, image, shrinks=shrinks)
    findings = [_cut_off(structure.name, beyond)] if beyond else []
    make = shrunk_sections if shrinks else grown_sections
    sections: list[Section] = []
    for solid in solids:
        findings += solid.findings
        sections = _together(sections, make(solid, across, heights, step_mm=step_mm))
    if min(across.in_plane) < _FINE_MM:
        sections = [_kept_true(s, stack, shrinks=shrinks) for s in sections]
    contours = to_contours(stack, sections)
    if not contours:
        findings.append(_nothing_left(structure.name, margins))
    return Derived(structure=replace(result, contours=contours), how=how, findings=tuple(findings))


def _together(one: list[Section], other: list[Section]) -> list[Section]:
    """Return the sections of two islands as one: united where both have one."""
    if not one:
        return other
    found = {s.w_mm: s for s in one}
    for s in other:
        if s.w_mm in found:
            shapes = [compose(each.rings, xor=True) for each in (found[s.w_mm], s)]
            found[s.w_mm] = Section(w_mm=s.w_mm, rings=tuple(rings_of(shapely.union_all(shapes))))
        else:
            found[s.w_mm] = s
    return [found[w] for w in sorted(found)]


def _operand(name: str) -> str:
    """Return a name as it stands in an expression: in parentheses if it is one itself."""
    return f"({name})" if any(f" {sign} " in name for sign in "-+|&") else name


def _solids(structure: Structure, image: ImageSeries | None, options: EngineOptions | None) -> list[Solid]:
    """Return what a structure stands for, island by island; nothing where nothing was drawn."""
    grid = image.grid if image is not None else None
    spacing = grid.plane_spacing_mm if grid is not None else 0.0
    islands = make_islands(structure, grid, options or EngineOptions(), slice_spacing_mm=spacing or None, image=grid)
    if any(finding.code == "slice-thickness-unknown" for finding in islands.findings):
        raise GeometryError(
            f"{structure.name} is drawn on one slice only and nobody says how thick that is.",
            remedy="Supply the image series (at least two slices), or draw the structure on more slices.",
        )
    return [mended_solid(solid) for solid in islands.solids]


def _frame_margins(stack: PlaneStack, margins: Margins, name: str) -> FrameMargins:
    """Turn patient directions into those of the contours' planes."""
    if margins.is_isotropic:
        m = margins.left_mm
        return FrameMargins(u_up=m, u_down=m, v_up=m, v_down=m, w_up=m, w_down=m)
    pairs = []
    for axis in stack.frame.axes:
        along = int(np.abs(axis).argmax())
        if abs(axis[along]) < _ALONG:
            raise GeometryError(
                f"the contours of {name} lie oblique to the patient's axes, where margins that differ by direction "
                "cannot be drawn.",
                remedy="Use one margin for all sides, or resample the image along the patient's axes.",
            )
        positive, negative = margins.along_axes[along]
        pairs.append((positive, negative) if axis[along] > 0 else (negative, positive))
    (u_up, u_down), (v_up, v_down), (w_up, w_down) = pairs
    return FrameMargins(u_up=u_up, u_down=u_down, v_up=v_up, v_down=v_down, w_up=w_up, w_down=w_down)


def _heights(
    stack: PlaneStack, margins: FrameMargins, image: ImageSeries | None, *, shrinks: bool
) -> tuple[FloatArray, float]:
    """Return the heights to draw on, and by how much the image is too short for the result (0 if it is not)."""
    own = stack.offsets_mm
    usual = float(np.median(np.diff(own))) if len(own) > 1 else 0.0
    low, high = (0.0, 0.0) if shrinks else (margins.w_down, margins.w_up)
    bottom, top = own[0] - low, own[-1] + high
    if image is not None and stack.frame.grid_axis[2] == 2 and len(image.grid.offsets_mm) > 1:
        slices = image.grid.offsets_mm
        pitch = image.grid.plane_spacing_mm
        missing = max(slices[0] - pitch - bottom, top - slices[-1] - pitch, 0.0)
        # A cap may reach up to a slice further than the last contour.
        reach = (slices >= bottom - usual - pitch) & (slices <= top + usual + pitch)
        return np.asarray(slices[reach]), missing if missing > 0.5 * pitch else 0.0
    if usual == 0.0 and image is not None:
        usual = image.grid.plane_spacing_mm
    return _own_heights(own, usual, bottom, top), 0.0


def _own_heights(own: FloatArray, usual: float, bottom: float, top: float) -> FloatArray:
    """Return the drawn slices, those missing between them, and as many beyond as the margin and a cap need."""
    between = [own[:1]]
    for a, b in pairwise(own):
        n = max(1, round((b - a) / usual))
        between.append(a + (b - a) * np.arange(1, n + 1) / n)
    below = own[0] - usual * np.arange(int((own[0] - bottom) / usual) + 2, 0, -1)
    above = own[-1] + usual * np.arange(1, int((top - own[-1]) / usual) + 3)
    return np.concatenate([below, *between, above])


def _kept_true(section: Section, stack: PlaneStack, *, shrinks: bool) -> Section:
    """Put right what tracing costs where a side has no margin: growing loses nothing, shrinking wins nothing."""
    plane = int(np.abs(stack.offsets_mm - section.w_mm).argmin())
    if abs(stack.offsets_mm[plane] - section.w_mm) > SAME_PLANE_MM:
        return section
    shape, own = compose(section.rings, xor=True), stack.section(plane)
    joined = shapely.intersection(shape, own) if shrinks else shapely.union(shape, own)
    return Section(w_mm=section.w_mm, rings=tuple(rings_of(joined)))


def to_contours(stack: PlaneStack, sections: list[Section]) -> tuple[Contour, ...]:
    """Return sections in a stack's planes as contours; of kind CLOSEDPLANAR_XOR where one has a hole."""
    areas = [[_area_mm2(ring) for ring in s.rings] for s in sections]
    kept = [
        (s.w_mm, ring)
        for s, found in zip(sections, areas, strict=True)
        for ring, area in zip(s.rings, found, strict=True)
        if abs(area) > _SLIVER_MM2
    ]
    if not kept:
        return ()
    has_hole = any(area < -_SLIVER_MM2 for found in areas for area in found)
    kind = ContourKind.CLOSEDPLANAR_XOR if has_hole else ContourKind.CLOSED_PLANAR
    counts = [len(ring) for _, ring in kept]
    uvw = np.empty((sum(counts), 3))
    uvw[:, :2] = np.concatenate([ring for _, ring in kept])
    uvw[:, 2] = np.repeat([w for w, _ in kept], counts)
    split = np.split(stack.frame.to_patient(uvw), np.cumsum(counts)[:-1])
    return tuple(Contour(points_mm=points, kind=kind) for points in split)


def _area_mm2(ring: FloatArray) -> float:
    # Counted from the first point, so that the edge that closes the ring adds nothing.
    x, y = (ring - ring[0]).T
    return 0.5 * float(x[:-1] @ y[1:] - x[1:] @ y[:-1])


def _empty(name: str) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="structure-empty",
        message="No contour bounds an area, so there is nothing to put a margin on.",
        where=name,
    )


def _nothing_left(name: str, margins: Margins) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="derived-empty",
        message=f"Nothing is left after shrinking by {margins}: the structure is nowhere thick enough.",
        where=name,
    )


def _cut_off(name: str, missing_mm: float) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="margin-beyond-image",
        message=f"The image ends {missing_mm:.3g} mm before the margin does; the result is cut off at its last slice.",
        where=name,
    )
