"""From voxels back to structures: the CTV and compartments as contours on the image's slices."""

from __future__ import annotations

import numpy as np

from dvhkit.engine.combine import combine
from dvhkit.engine.trace import trace_zero
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.targets.vertebra.ctv import CtvPlan
from dvhkit.targets.vertebra.labels.names import parse_level, structure_name

# Specks smaller than this are corners of voxels, not tissue.
_LEAST_AREA_MM2 = 1.0


def field_contours(filled: FloatArray, grid: Grid) -> tuple[Contour, ...]:
    """Return the outlines, plane by plane, of where a field of fractions is half or more.

    Contours are stored as CLOSEDPLANAR_XOR, so that an outline inside another is a hole to any reader.

    Parameters
    ----------
    filled : (n_planes, n_rows, n_columns)
        How much of each voxel is filled; crossings lie linearly between voxel centres.
    """
    found: list[Contour] = []
    step = np.asarray(grid.spacing_mm)
    for plane, offset in zip(filled, grid.offsets_mm, strict=True):
        if not np.any(plane >= 0.5):
            continue
        rings = trace_zero(
            0.5 - np.pad(np.asarray(plane, dtype=np.float64), 1), origin_uv=np.full(2, -1.0), step_mm=1.0
        )
        for ring in rings:
            flat = ring * step
            if abs(_area_mm2(flat)) < _LEAST_AREA_MM2:
                continue
            points = np.column_stack([flat, np.full(len(flat), offset)]) @ grid.axes + grid.origin_mm
            found.append(Contour(points_mm=points, kind=ContourKind.CLOSEDPLANAR_XOR))
    return tuple(found)


def _area_mm2(ring: FloatArray) -> float:
    x, y = (ring - ring[0]).T
    return 0.5 * float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)


def ctv_structure(plan: CtvPlan, gtv: Structure, *, name: str) -> Structure:
    """Return the CTV as a structure: the bone traced from its voxels, united with the GTV as it was drawn."""
    bone = Structure(
        number=-1,
        name=name,
        contours=field_contours(plan.bone, plan.scene.grid),
        rt_roi_type="CTV",
        frame_of_reference_uid=gtv.frame_of_reference_uid,
    )
    joined = gtv if bone.is_empty else combine("|", bone, gtv, name=name)
    return Structure(
        number=-1,
        name=name,
        contours=joined.contours,
        rt_roi_type="CTV",
        frame_of_reference_uid=gtv.frame_of_reference_uid,
    )


def compartment_structures(plan: CtvPlan, *, frame_of_reference_uid: str = "") -> tuple[Structure, ...]:
    """Return the compartments of all levels as structures, under names such as zPed_L03_L."""
    made = []
    for result in plan.levels:
        level = parse_level(result.vertebra.level) or "X"
        for part, filled in result.vertebra.parts.items():
            field = np.zeros(plan.scene.grid.shape_zyx)
            field[result.vertebra.window] = filled
            made.append(
                Structure(
                    number=-1,
                    name=structure_name(part, level),
                    contours=field_contours(field, plan.scene.grid),
                    rt_roi_type="ORGAN",
                    frame_of_reference_uid=frame_of_reference_uid,
                )
            )
    return tuple(s for s in made if not s.is_empty)
