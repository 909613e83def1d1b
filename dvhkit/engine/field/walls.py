"""The dose where a solid begins: on its drawn contours, its upright walls, its tips, and within its drawn sections."""

from __future__ import annotations

import numpy as np

from dvhkit.engine.contours.planes import PlaneStack, plane_of_ring
from dvhkit.engine.field.given import cells_of
from dvhkit.engine.kernels.buffers import Field
from dvhkit.engine.kernels.field.extremes import point_extremes, section_extremes, surface_extremes
from dvhkit.engine.lattice import Lattice
from dvhkit.engine.solid.links import Links
from dvhkit.engine.solid.solid import Solid
from dvhkit.model.arrays import FloatArray

_NO_BLOCKS = np.empty((0, 0, 0, 4))


def on_walls_gy(
    solid: Solid,
    lattice: Lattice,
    field: Field,
    *,
    rounds: bool = False,
    blocks: FloatArray | None = None,
    known_gy: FloatArray | None = None,
) -> list[FloatArray]:
    """Return least and greatest dose on the drawn contours of each plane, or on its upright walls, (planes, 2).

    `rounds`: and, second, the same in the dose with its peaks as round as they may be. `known_gy` (2,): what was met
    already counts as met on each plane; with `blocks`, between what the dose lies in blocks of voxels, walls are then
    looked at where they may tell something new, and not in the rounded dose.
    """
    stack = solid.stack
    lo, hi = (solid.lo_mm, solid.hi_mm) if solid.links is None else (stack.offsets_mm, stack.offsets_mm)
    met_gy = np.tile([np.inf, -np.inf, np.inf, -np.inf], (stack.n_planes, 1))
    if known_gy is not None:
        met_gy[:, :2] = known_gy
    surface_extremes(
        lattice.to_cells(stack.points_mm),
        (stack.ring_start, stack.plane_ring),
        (np.array(lo), np.array(hi)),
        lattice.nodes_mm,
        cells_of(lattice),
        field,
        _NO_BLOCKS if blocks is None else blocks,
        rounds,
        met_gy,
    )
    return [met_gy[:, :2], met_gy[:, 2:]] if rounds else [met_gy[:, :2]]


def in_sections_gy(solid: Solid, lattice: Lattice, field: Field, blocks: FloatArray, met_gy: FloatArray) -> FloatArray:
    """Return least and greatest dose in all drawn sections, and the same of the rounded dose, (2, 2).

    `blocks`: between what the dose lies in blocks of voxels; `met_gy` (2, 2): what was met on the sections' outlines.
    """
    stack, found = solid.stack, met_gy.copy()
    section_extremes(
        lattice.to_cells(stack.points_mm),
        (stack.ring_start, stack.plane_ring),
        stack.offsets_mm,
        (lattice.n_rows, lattice.n_columns),
        cells_of(lattice),
        field,
        blocks,
        found,
    )
    return found


def widen_by_caps(solid: Solid, field: Field, extremes_gy: FloatArray, *, is_rounded: bool = False) -> None:
    """Let least and greatest dose (2,) count the dose where rounded ends have their tips and flat ones their rims."""
    if solid.links is not None:
        values = field.rounded if is_rounded else field.values
        point_extremes(_cap_points(solid.stack, solid.links), values, field, extremes_gy)


def _cap_points(stack: PlaneStack, links: Links) -> FloatArray:
    """Return where caps end: the tips of rounded ones, the far rims of those cut off flat."""
    w = stack.offsets_mm[plane_of_ring(stack)]
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
