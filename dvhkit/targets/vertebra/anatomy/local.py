"""One vertebra turned upright: its mask on cubes of 1 mm along its own axes, and the way back to the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.grid import Grid
from dvhkit.targets.vertebra.anatomy.frame import Mask, VertebraFrame, mask_points_mm

STEP_MM = 1.0
_RIM = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalVolume:
    """A mask on cubes along a vertebra's axes.

    Attributes
    ----------
    mask : (n_w, n_v, n_u) bool
        Upwards, backwards, to the left.
    u_mm, v_mm, w_mm
        Centres of the cubes along each axis.
    """

    frame: VertebraFrame
    mask: Mask
    u_mm: FloatArray
    v_mm: FloatArray
    w_mm: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", frozen_array(self.mask, dtype=np.bool_))

    def index_of(self, points_mm: FloatArray) -> NDArray[np.intp]:
        """Return the (w, v, u) index of the cube that holds each of (n, 3) patient points, kept inside the volume."""
        local = self.frame.to_local(points_mm)[:, ::-1]
        first = np.array([self.w_mm[0], self.v_mm[0], self.u_mm[0]])
        index = np.round((local - first) / STEP_MM).astype(np.intp)
        return np.asarray(np.clip(index, 0, np.array(self.mask.shape) - 1))


def to_local_volume(mask: Mask, grid: Grid, frame: VertebraFrame) -> LocalVolume:
    """Return `mask` on cubes of 1 mm along the vertebra's axes, each taking the value of the voxel at its centre."""
    corners = frame.to_local(mask_points_mm(mask, grid))
    low, high = corners.min(axis=0), corners.max(axis=0)
    u, v, w = (np.arange(np.floor(low[a]) - _RIM, np.ceil(high[a]) + _RIM + 1, STEP_MM) for a in range(3))
    filled = np.empty((len(w), len(v), len(u)), dtype=np.bool_)
    plane = np.column_stack([np.tile(u, len(v)), np.repeat(v, len(u))])
    for n, height in enumerate(w):
        local = np.column_stack([plane, np.full(len(plane), height)])
        filled[n] = value_at(mask, grid, local @ frame.axes + frame.origin_mm).reshape(len(v), len(u))
    return LocalVolume(frame=frame, mask=filled, u_mm=u, v_mm=v, w_mm=w)


def value_at(values: NDArray[np.bool_ | np.uint8], grid: Grid, points_mm: FloatArray) -> NDArray[np.bool_ | np.uint8]:
    """Return the value of the voxel that holds each of (n, 3) patient points; zero outside the grid."""
    local = grid.to_grid_mm(points_mm)
    i = np.round(local[:, 0] / grid.spacing_mm[0]).astype(np.intp)
    j = np.round(local[:, 1] / grid.spacing_mm[1]).astype(np.intp)
    middle = 0.5 * (grid.offsets_mm[:-1] + grid.offsets_mm[1:])
    k = np.searchsorted(middle, local[:, 2])
    half = 0.5 * (grid.plane_spacing_mm or 1.0)
    inside = (i >= 0) & (i < grid.n_columns) & (j >= 0) & (j < grid.n_rows)
    inside &= (local[:, 2] >= grid.offsets_mm[0] - half) & (local[:, 2] <= grid.offsets_mm[-1] + half)
    found = np.zeros(len(points_mm), dtype=values.dtype)
    found[inside] = values[k[inside], j[inside], i[inside]]
    return found
