"""Doses of several plans brought onto one grid: the first one's, cut to where every plan has a dose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvhkit.engine.lattice import end_halves_mm
from dvhkit.errors import GeometryError, LinkError
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.dose import Dose
from dvhkit.model.grid import Grid

# Positions are decimal texts: a voxel centre just on the rim of another grid counts as inside.
_RIM_ATOL_MM = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnOneGrid:
    """Doses at the same voxels.

    Attributes
    ----------
    grid
        The part of the first dose's grid that lies inside all others.
    values_gy : tuple of (n_planes, n_rows, n_columns)
        Dose of each plan there, in the order given.
    cut_frac
        Share of the first grid's voxels that was cut off for want of another dose.
    """

    grid: Grid
    values_gy: tuple[FloatArray, ...]
    cut_frac: float


def on_one_grid(doses: Sequence[Dose]) -> OnOneGrid:
    """Bring doses onto the first one's grid, trilinearly between voxel centres.

    As in a DVH, the half voxel outside the outermost centres takes their dose and nothing is known beyond; where one of
    the doses is not known there is no sum, so the grid is cut to the box where all are.

    Raises
    ------
    LinkError
        If the frames of reference differ or are not stated: positions cannot be compared then.
    GeometryError
        If the grids do not overlap, or a tilted one leaves no whole box of the first.
    """
    first = doses[0]
    frames = {dose.frame_of_reference_uid for dose in doses}
    if len(frames) != 1 or not first.frame_of_reference_uid:
        raise LinkError(
            "the doses do not share one frame of reference, so their places cannot be compared.",
            remedy="Register the plans and resample the doses onto one image first.",
        )
    values, inside = [first.values_gy], np.ones(first.grid.shape_zyx, dtype=bool)
    for dose in doses[1:]:
        sampled, known = _resampled(dose, first.grid)
        values.append(sampled)
        inside &= known
    box = _box(inside)
    return OnOneGrid(
        grid=_cut(first.grid, box),
        values_gy=tuple(frozen_array(value[box]) for value in values),
        cut_frac=1.0 - inside.sum() / inside.size,
    )


def onto_grid(dose: Dose, grid: Grid) -> tuple[FloatArray, Grid]:
    """Return `dose` on the box of another grid in which it is known, and that box.

    Raises `GeometryError` where they do not overlap, or are so tilted that no whole box is known.
    """
    values, known = _resampled(dose, grid)
    box = _box(known)
    return frozen_array(values[box]), _cut(grid, box)


def dose_at(dose: Dose, points_mm: FloatArray) -> FloatArray:
    """Return the dose in Gy at (n, 3) patient points, trilinear between voxel centres; NaN outside the grid.

    As in a DVH, the half voxel outside the outermost centres takes their dose and nothing is known beyond.
    """
    index, inside = grid_index(dose.grid, np.asarray(points_mm, dtype=np.float64).reshape(-1, 3))
    return np.where(inside, trilinear(dose.values_gy, index), np.nan)


def _resampled(dose: Dose, grid: Grid) -> tuple[FloatArray, np.ndarray]:
    """Return `dose` at the voxel centres of `grid`, and where it is known."""
    values, known = np.empty(grid.shape_zyx), np.empty(grid.shape_zyx, dtype=bool)
    rows, columns = np.meshgrid(np.arange(grid.n_rows), np.arange(grid.n_columns), indexing="ij")
    in_plane = (
        columns[..., None] * grid.spacing_mm[0] * grid.axes[0] + rows[..., None] * grid.spacing_mm[1] * grid.axes[1]
    )
    for k, offset in enumerate(grid.offsets_mm):
        points = (grid.origin_mm + in_plane + offset * grid.axes[2]).reshape(-1, 3)
        index, inside = grid_index(dose.grid, points)
        sampled = trilinear(dose.values_gy, index)
        values[k], known[k] = sampled.reshape(rows.shape), inside.reshape(rows.shape)
    return values, known


def trilinear(values: FloatArray, index: FloatArray) -> FloatArray:
    """Return `values` at fractional indices (3, n) of (k, j, i), level beyond the outermost centres."""
    last = np.array(values.shape)[:, None] - 1
    index = np.clip(index, 0, last)
    below = np.minimum(np.floor(index).astype(np.intp), np.maximum(last - 1, 0))
    above, share = np.minimum(below + 1, last), index - below
    total = np.zeros(index.shape[1])
    for corner in np.ndindex(2, 2, 2):
        at = tuple(np.where(side, above[axis], below[axis]) for axis, side in enumerate(corner))
        weights = [share[axis] if side else 1 - share[axis] for axis, side in enumerate(corner)]
        total += values[at] * weights[0] * weights[1] * weights[2]
    return total


def grid_index(grid: Grid, points_mm: FloatArray) -> tuple[FloatArray, np.ndarray]:
    """Return the fractional index (k, j, i) of points in `grid`, and which of them lie within its voxels."""
    along = grid.to_grid_mm(points_mm)
    i, j = along[:, 0] / grid.spacing_mm[0], along[:, 1] / grid.spacing_mm[1]
    planes = np.arange(len(grid.offsets_mm), dtype=np.float64)
    k = np.interp(along[:, 2], grid.offsets_mm, planes)
    low_mm, high_mm = reach_mm(grid)
    inside = np.all((along >= low_mm) & (along <= high_mm), axis=1)
    return np.stack([k, j, i]), inside


def reach_mm(grid: Grid) -> FloatArray:
    """Return where the grid's voxels begin and end along i, j and its normal, (2, 3); the rim is inside."""
    size = np.array([(grid.n_columns - 1) * grid.spacing_mm[0], (grid.n_rows - 1) * grid.spacing_mm[1]])
    below, above = end_halves_mm(grid)
    low = np.array([-grid.spacing_mm[0] / 2, -grid.spacing_mm[1] / 2, grid.offsets_mm[0] - below])
    high = np.array([*(size + grid.spacing_mm / 2), grid.offsets_mm[-1] + above])
    return np.array([low - _RIM_ATOL_MM, high + _RIM_ATOL_MM])


def _box(inside: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the box of voxels where every dose is known."""
    if not inside.any():
        raise GeometryError("the dose grids do not overlap.", remedy="Check that the plans are of one region.")
    ends = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = (
        slice(int(ends[0][0]), int(ends[0][-1]) + 1),
        slice(int(ends[1][0]), int(ends[1][-1]) + 1),
        slice(int(ends[2][0]), int(ends[2][-1]) + 1),
    )
    if not inside[box].all():
        raise GeometryError(
            "the dose grids are tilted against each other and neither holds the other.",
            remedy="Export the doses on parallel grids, the smallest first.",
        )
    return box


def _cut(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    planes, rows, columns = box
    shift = columns.start * grid.spacing_mm[0] * grid.axes[0] + rows.start * grid.spacing_mm[1] * grid.axes[1]
    return Grid(
        origin_mm=grid.origin_mm + shift,
        axes=grid.axes,
        spacing_mm=grid.spacing_mm,
        offsets_mm=grid.offsets_mm[planes],
        n_rows=rows.stop - rows.start,
        n_columns=columns.stop - columns.start,
    )
