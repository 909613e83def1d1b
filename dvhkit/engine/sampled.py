"""A structure as points of upright slabs, for readings of other programs: they sample, where the engine integrates."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from dvhkit.engine.contours.planes import PlaneStack
from dvhkit.engine.dose_sum import reach_mm, trilinear
from dvhkit.engine.kernels.field.points import dose_at_points
from dvhkit.engine.options import Between, EndCap, EngineOptions
from dvhkit.engine.solid.solid import Solid, make_solid
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import Dose
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure

# Levels at which a slab is sampled: the midpoint rule over the height of one slice.
LEVELS = 3
# Steps in parts of a lattice's pitch that spread its shifted copies evenly over two axes: powers of the plastic number.
SPREAD = np.array([0.7548776662466927, 0.5698402909980532])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slabs:
    """The sections of a structure, each with the height that it stands for.

    Attributes
    ----------
    sections
        A shapely polygon or multipolygon in (u, v) a plane, holes left out.
    lo_mm, hi_mm : (n_planes,)
        Where each slab begins and ends along w.
    """

    stack: PlaneStack
    sections: tuple[Any, ...]
    lo_mm: FloatArray
    hi_mm: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cloud:
    """Points inside slabs, at `LEVELS` heights of each.

    Attributes
    ----------
    uvw : (n, 3)
        In the frame of the contours.
    part_cc : (n,)
        Volume that each stands for.
    """

    uvw: FloatArray
    part_cc: FloatArray


def slabs_of(
    structure: Structure,
    dose: Dose,
    *,
    cap: EndCap = EndCap.HALF_SLICE,
    slice_spacing_mm: float | None = None,
    image: Grid | None = None,
) -> Slabs | None:
    """Return the upright slabs of a structure; None where nothing bounds an area."""
    options = EngineOptions(profile="slabs", between=Between.PRISM, end_cap=cap)
    solid = make_solid(structure, dose.grid, options, slice_spacing_mm=slice_spacing_mm, image=image)
    if not isinstance(solid, Solid):
        return None
    sections = tuple(solid.stack.section(k) for k in range(solid.stack.n_planes))
    return Slabs(stack=solid.stack, sections=sections, lo_mm=np.array(solid.lo_mm), hi_mm=np.array(solid.hi_mm))


def cloud_of(slabs: Slabs, *, points: int, spread: bool = True) -> Cloud:
    """Return about `points` lattice points inside the slabs.

    At each height the lattice stands elsewhere, or a dose that varies along u alone would be met at few values; not
    `spread`: the points stand on each other.
    """
    heights = slabs.hi_mm - slabs.lo_mm
    areas = np.array([section.area for section in slabs.sections])
    pitch = float(np.sqrt(max(areas.sum(), 1e-6) * LEVELS / points))
    found: list[tuple[FloatArray, FloatArray]] = []
    for n in range(len(slabs.sections) * LEVELS):
        k, level = divmod(n, LEVELS)
        section = slabs.sections[k]
        if section.is_empty:
            continue
        u0, v0, u1, v1 = section.bounds
        aside = ((n * SPREAD) % 1.0 if spread else np.full(2, 0.5)) * pitch
        u, v = np.arange(u0 + aside[0], u1, pitch), np.arange(v0 + aside[1], v1, pitch)
        uu, vv = (axis.ravel() for axis in np.meshgrid(u, v))
        inside = contains(section, uu, vv)
        w = slabs.lo_mm[k] + (level + 0.5) / LEVELS * heights[k]
        uvw = np.column_stack([uu[inside], vv[inside], np.full(int(inside.sum()), w)])
        # Weighed so that the points make up the slab's exact volume.
        found.append((uvw, np.full(len(uvw), areas[k] * heights[k] / 1000.0 / (max(1, len(uvw)) * LEVELS))))
    uvw, part = (np.concatenate(column) for column in zip(*found, strict=True))
    return Cloud(uvw=uvw, part_cc=part)


def contains(section: Any, u: FloatArray, v: FloatArray) -> np.ndarray:  # noqa: ANN401 -- a shapely geometry
    """Return which points lie inside a section."""
    shapely.prepare(section)
    return np.asarray(shapely.contains_xy(section, u, v))


class DosePoints:
    """Points of the contours' frame in a dose, which may be looked at again with its grid moved."""

    def __init__(self, slabs: Slabs, uvw: FloatArray, dose: Dose) -> None:
        grid = dose.grid
        self._along_mm = np.ascontiguousarray(grid.to_grid_mm(slabs.stack.frame.to_patient(uvw)))
        self._dose, self._axes, self._reach_mm = dose, grid.axes, reach_mm(grid)

    def every(self, n: int) -> DosePoints:
        """Return each n-th point."""
        return self.taken(np.arange(0, len(self._along_mm), n))

    def taken(self, which: np.ndarray) -> DosePoints:
        """Return the points of these indices."""
        found = copy.copy(self)
        found._along_mm = np.ascontiguousarray(self._along_mm[which])
        return found

    def gy(self, shift_mm: FloatArray | None = None) -> FloatArray:
        """Return the dose at each point, NaN outside the grid; the grid moved by (x, y, z) `shift_mm`."""
        moved = np.zeros(3) if shift_mm is None else np.asarray(self._axes @ shift_mm)
        out = np.empty(len(self._along_mm))
        grid = self._dose.grid
        dose_at_points(
            self._dose.values_gy, grid.spacing_mm, grid.offsets_mm, self._reach_mm, self._along_mm, moved, out
        )
        return out


def voxel_centres_inside(slabs: Slabs, dose: Dose) -> tuple[FloatArray, float]:
    """Return the dose of each voxel whose centre lies inside the slabs, and the volume of a voxel in cc.

    Planes of the grid may be uneven; the usual distance counts. Of contours oblique to the grid nothing is returned.
    """
    size = float(np.prod(dose.grid.spacing_mm)) * (dose.grid.plane_spacing_mm or 1.0) / 1000.0
    found = [np.empty(0)]
    heights = _plane_heights(slabs, dose.grid)
    if heights is None:
        return found[0], size
    of_plane = np.searchsorted(slabs.lo_mm, heights, side="right") - 1
    for k in range(len(slabs.sections)):
        planes = np.flatnonzero((of_plane == k) & (heights < slabs.hi_mm[k]))
        if len(planes):
            rows, columns = np.nonzero(_columns_inside(slabs, k, dose.grid))
            found += [np.asarray(dose.values_gy[plane][rows, columns]) for plane in planes]
    return np.concatenate(found), size


def values_between_slices(slabs: Slabs, dose: Dose) -> FloatArray:
    """Return the dose of each voxel whose centre lies inside where straight lines join the slices.

    Between two slices the distances to their outlines run linearly; beyond the ends a slab is upright. Of contours
    oblique to the grid nothing is returned.
    """
    heights = _plane_heights(slabs, dose.grid)
    found = [np.empty(0)]
    at = slabs.stack.offsets_mm
    for plane, height in enumerate(heights if heights is not None else ()):
        k = int(np.searchsorted(slabs.lo_mm, height, side="right")) - 1
        if k < 0 or height >= slabs.hi_mm[k]:
            continue
        n = min(max(k + (1 if height > at[k] else -1), 0), len(at) - 1)
        share = 0.0 if n == k else (height - at[k]) / (at[n] - at[k])
        rows, columns = np.nonzero(_columns_between(slabs, (k, n), share, dose.grid))
        found.append(np.asarray(dose.values_gy[plane][rows, columns]))
    return np.concatenate(found)


def _columns_between(slabs: Slabs, of: tuple[int, int], share: float, grid: Grid) -> np.ndarray:
    """Return which columns of voxels, (n_rows, n_columns), lie inside at a share of the way from a slice to another."""
    one, other = (_columns_inside(slabs, k, grid) for k in of)
    inside = one.copy()
    asked = np.argwhere(one != other)
    if share > 0 and len(asked):
        local = np.column_stack(
            [asked[:, 1] * grid.spacing_mm[0], asked[:, 0] * grid.spacing_mm[1], np.zeros(len(asked))]
        )
        uvw = slabs.stack.frame.to_frame(grid.origin_mm + local @ grid.axes)
        points = shapely.points(uvw[:, 0], uvw[:, 1])
        # One of them lies inside, the other outside.
        away = [
            _away_mm(slabs.sections[k], points) * np.where(m[tuple(asked.T)], 1, -1)
            for k, m in zip(of, (one, other), strict=True)
        ]
        inside[tuple(asked.T)] = away[0] + share * (away[1] - away[0]) > 0
    return inside


def _away_mm(section: Any, points: np.ndarray) -> FloatArray:  # noqa: ANN401 -- a shapely geometry
    return np.full(len(points), np.inf) if section.is_empty else np.asarray(shapely.distance(points, section.boundary))


def _plane_heights(slabs: Slabs, grid: Grid) -> FloatArray | None:
    """Return where the grid's planes lie along w; None where the contours are not parallel to them."""
    frame = slabs.stack.frame
    if frame.grid_axis[2] != 2:
        return None
    sign = float(np.sign(frame.axes[2] @ grid.normal))
    start = float((grid.origin_mm - frame.origin_mm) @ frame.axes[2])
    return np.asarray(start + sign * grid.offsets_mm)


def _columns_inside(slabs: Slabs, k: int, grid: Grid) -> np.ndarray:
    """Return which columns of voxels, (n_rows, n_columns), pass through a section."""
    inside = np.zeros((grid.n_rows, grid.n_columns), dtype=bool)
    section = slabs.sections[k]
    if section.is_empty:
        return inside
    u0, v0, u1, v1 = section.bounds
    w = float(slabs.stack.offsets_mm[k])
    corners = np.array([(u0, v0, w), (u1, v0, w), (u0, v1, w), (u1, v1, w)])
    along = grid.to_grid_mm(slabs.stack.frame.to_patient(corners))
    low = np.maximum(np.floor(along[:, :2].min(axis=0) / grid.spacing_mm), 0).astype(int)
    high = np.minimum(np.ceil(along[:, :2].max(axis=0) / grid.spacing_mm) + 1, [grid.n_columns, grid.n_rows]).astype(
        int
    )
    if np.any(high <= low):
        return inside
    j, i = np.meshgrid(np.arange(low[1], high[1]), np.arange(low[0], high[0]), indexing="ij")
    local = np.column_stack([i.ravel() * grid.spacing_mm[0], j.ravel() * grid.spacing_mm[1], np.zeros(i.size)])
    uvw = slabs.stack.frame.to_frame(grid.origin_mm + local @ grid.axes)
    inside[low[1] : high[1], low[0] : high[0]] = contains(section, uvw[:, 0], uvw[:, 1]).reshape(i.shape)
    return inside


def plane_centres_inside(slabs: Slabs, dose: Dose) -> tuple[FloatArray, FloatArray]:
    """Return dose and volume of the grid's columns that pass through each section: no thickness is looked at.

    The dose lies between the grid's planes, at the height of the contours. Of contours oblique to the grid nothing is
    returned.
    """
    grid = dose.grid
    found: list[tuple[FloatArray, FloatArray]] = [(np.empty(0), np.empty(0))]
    heights = _plane_heights(slabs, grid)
    area = float(np.prod(grid.spacing_mm))
    for k in range(len(slabs.sections) if heights is not None else 0):
        assert heights is not None
        order = np.argsort(heights)
        at = float(np.interp(slabs.stack.offsets_mm[k], heights[order], order.astype(float), left=np.nan, right=np.nan))
        rows, columns = np.nonzero(_columns_inside(slabs, k, grid))
        index = np.array([np.full(len(rows), at), rows, columns])
        values = trilinear(dose.values_gy, np.nan_to_num(index)) if len(rows) else np.empty(0)
        values = np.where(np.isfinite(index[0]), values, np.nan)
        found.append((values, np.full(len(values), area * float(slabs.hi_mm[k] - slabs.lo_mm[k]) / 1000.0)))
    values, part = (np.concatenate(column) for column in zip(*found, strict=True))
    return values, part
