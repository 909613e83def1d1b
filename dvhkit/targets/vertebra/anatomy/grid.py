"""Windows of a grid, and masks and contours brought onto them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dvhkit.engine.options import Between, EndCap, EngineOptions
from dvhkit.engine.rasterise import volume_on_grid, voxel_edges_mm
from dvhkit.errors import InputError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure
from dvhkit.targets.vertebra.anatomy.frame import Mask, mask_points_mm
from dvhkit.targets.vertebra.anatomy.local import value_at

Window = tuple[slice, slice, slice]

# Compartments are taken slice by slice, as they were drawn: what the result must be drawn on are the same slices.
SLICES = EngineOptions(profile="slices", between=Between.PRISM, end_cap=EndCap.HALF_SLICE)
# Round the vertebrae, so that a mask that ends at the window's edge is known to end at the image's.
ROOM_MM = 12.0
_PIXEL_MM = 1.0


def voxel_volume_cc(grid: Grid) -> FloatArray:
    """Return the volume of a voxel on each plane in cc, shaped (n_planes, 1, 1)."""
    heights = np.diff(voxel_edges_mm(grid, 2))
    return np.asarray(heights[:, None, None] * float(np.prod(grid.spacing_mm)) / 1000.0)


def crop_grid(grid: Grid, window: Window) -> Grid:
    """Return the part of a grid that a window of indices (planes, rows, columns) cuts out."""
    k, j, i = window
    shift = i.start * grid.spacing_mm[0] * grid.axes[0] + j.start * grid.spacing_mm[1] * grid.axes[1]
    return Grid(
        origin_mm=grid.origin_mm + shift,
        axes=grid.axes,
        spacing_mm=grid.spacing_mm,
        offsets_mm=grid.offsets_mm[k],
        n_rows=j.stop - j.start,
        n_columns=i.stop - i.start,
    )


def window_round(grid: Grid, points_mm: FloatArray, *, room_mm: float = ROOM_MM) -> Window:
    """Return the window of `grid` that holds (n, 3) points with some room.

    Raises
    ------
    InputError
        If the points lie outside the grid.
    """
    local = grid.to_grid_mm(points_mm)
    low, high = local.min(axis=0) - room_mm, local.max(axis=0) + room_mm
    planes = np.flatnonzero((grid.offsets_mm >= low[2]) & (grid.offsets_mm <= high[2]))
    spans = []
    for axis, count in ((0, grid.n_columns), (1, grid.n_rows)):
        first = max(0, int(np.floor(low[axis] / grid.spacing_mm[axis])))
        last = min(count - 1, int(np.ceil(high[axis] / grid.spacing_mm[axis])))
        spans.append(slice(first, last + 1))
    if len(planes) == 0 or any(s.stop <= s.start for s in spans):
        raise InputError(
            "GTV and vertebra lie outside the image.", remedy="Check that image, structures and labels belong together."
        )
    return slice(int(planes[0]), int(planes[-1]) + 1), spans[1], spans[0]


def grid_over(structures: Sequence[Structure]) -> Grid:
    """Return an axial grid of 1 mm pixels on the planes that contours were drawn on."""
    points = np.concatenate([points_of(s) for s in structures])
    planes = np.unique(np.round(points[:, 2], 3))
    gap = float(np.median(np.diff(planes))) if len(planes) > 1 else 2.0
    low, high = points.min(axis=0) - ROOM_MM - 2.0, points.max(axis=0) + ROOM_MM + 2.0
    below = np.arange(planes[0] - gap, low[2] - gap, -gap)[::-1]
    above = np.arange(planes[-1] + gap, high[2] + gap, gap)
    inner = np.arange(planes[0], planes[-1] + 0.5 * gap, gap)
    size = np.ceil((high - low) / _PIXEL_MM).astype(int)
    return Grid(
        origin_mm=np.array([low[0], low[1], 0.0]),
        axes=np.eye(3),
        spacing_mm=np.array([_PIXEL_MM, _PIXEL_MM]),
        offsets_mm=np.concatenate([below, inner, above]),
        n_rows=int(size[1]),
        n_columns=int(size[0]),
    )


def sample_mask(mask: Mask, source: Grid, grid: Grid) -> Mask:
    """Return a mask on another grid, each voxel taking the value at its centre."""
    out = np.zeros(grid.shape_zyx, dtype=np.bool_)
    everywhere = np.ones((1, grid.n_rows, grid.n_columns), dtype=np.bool_)
    for k in range(grid.shape_zyx[0]):
        plane = replace(grid, offsets_mm=grid.offsets_mm[k : k + 1])
        out[k] = value_at(mask, source, mask_points_mm(everywhere, plane)).reshape(out.shape[1:])
    return out


def points_of(structure: Structure) -> FloatArray:
    """Return the (n, 3) points of the contours that bound an area."""
    return np.concatenate([contour.points_mm for contour in structure.closed_contours])


def filled_by(structure: Structure, grid: Grid) -> FloatArray:
    """Return how much of each voxel a structure fills, its slices taken as they were drawn."""
    return volume_on_grid(structure, grid, SLICES)
