"""The occupancy field: how much of each cell a structure fills. Volume, DVH and voxel masks all come from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvhkit.engine.kernels.prism import accumulate_field
from dvhkit.engine.options import EngineOptions
from dvhkit.engine.planes import PlaneStack, Runs, find_runs, repaired, slabs, stack_planes
from dvhkit.errors import GeometryError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure

# A cell's coverage may leave [0, 1] by this much through rounded texts; more means that rings cross or overlap.
EXCESS_FRAC = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solid:
    """A structure ready to be rasterised: its planes, and where each plane's slab begins and ends along w."""

    stack: PlaneStack
    runs: Runs
    lo_mm: FloatArray
    hi_mm: FloatArray

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was odd about the contours."""
        return (*self.stack.findings, *self.runs.findings)


def make_solid(
    structure: Structure, grid: Grid | None, options: EngineOptions, *, slice_spacing_mm: float | None
) -> Solid | tuple[Finding, ...]:
    """Return the solid that the contours stand for, or the findings that say why there is none.

    Raises
    ------
    GeometryError
        Contours that are not planar or not parallel, or coordinates that are not numbers.
    """
    stack = stack_planes(structure, grid)
    if stack is None:
        return (_nothing_drawn(structure),)
    fallback = grid.plane_spacing_mm if grid is not None else None
    runs = find_runs(stack, slice_spacing_mm=slice_spacing_mm, fallback_mm=fallback)
    if runs is None:
        return (*stack.findings, _thickness_unknown(structure))
    lo, hi = slabs(stack, runs, options)
    return Solid(stack=stack, runs=runs, lo_mm=lo, hi_mm=hi)


def mended(solid: Solid, excess: FloatArray) -> Solid | None:
    """Return the solid with crossing rings put right where coverage left [0, 1]; None where it nowhere did."""
    bad = np.flatnonzero(excess > EXCESS_FRAC)
    if bad.size == 0:
        return None
    stack = repaired(solid.stack, bad)
    if stack is None or stack.n_planes != solid.stack.n_planes:
        raise GeometryError(
            f"the contours of {solid.stack.name} cross themselves so that nothing is left of a slice.",
            remedy="Redraw the structure.",
        )
    return replace(solid, stack=stack)


def volume_on_grid(
    structure: Structure,
    grid: Grid,
    options: EngineOptions | None = None,
    *,
    slice_spacing_mm: float | None = None,
) -> FloatArray:
    """Return how much of each voxel a structure fills.

    Parameters
    ----------
    structure
        Contours in planes parallel to any of the grid's three faces.
    grid
        Voxels span half a step to either side of their centres; planes reach half way to their neighbours.

    Returns
    -------
    ndarray (n_planes, n_rows, n_columns), float64
        Fractions from 0 to 1; what lies outside the grid is left out.

    Raises
    ------
    GeometryError
        Contours oblique to the grid, not planar, or not parallel.
    """
    options = options or EngineOptions()
    solid = make_solid(structure, grid, options, slice_spacing_mm=slice_spacing_mm)
    if not isinstance(solid, Solid):
        return np.zeros(grid.shape_zyx)
    if not solid.stack.frame.is_aligned:
        raise GeometryError(
            f"the contours of {structure.name} lie oblique to the voxels asked for.",
            remedy="Resample the image along the contours' planes.",
        )
    field, excess = _field(solid, grid)
    again = mended(solid, excess)
    if again is not None:
        field, _ = _field(again, grid)
    # From [w, v, u] of the frame back to [k, j, i] of the grid.
    axes = {grid_axis: 2 - frame_axis for frame_axis, grid_axis in enumerate(solid.stack.frame.grid_axis)}
    return frozen_array(field.transpose(axes[2], axes[1], axes[0]))


def _field(solid: Solid, grid: Grid) -> tuple[FloatArray, FloatArray]:
    edges = [voxel_edges_mm(grid, axis) for axis in solid.stack.frame.grid_axis]
    points, window = _to_index(solid.stack.points_mm, edges)
    (u0, u1), (v0, v1) = window
    part = np.zeros((len(edges[2]) - 1, v1 - v0, u1 - u0))
    excess = np.zeros(solid.stack.n_planes)
    stack = solid.stack
    accumulate_field(
        np.ascontiguousarray(points - [u0, v0]),
        stack.ring_start,
        stack.plane_ring,
        solid.lo_mm,
        solid.hi_mm,
        np.array(edges[2]),
        v1 - v0,
        u1 - u0,
        part,
        excess,
    )
    nu, nv = len(edges[0]) - 1, len(edges[1]) - 1
    field: FloatArray = np.zeros((part.shape[0], nv, nu))
    au, bu, av, bv = max(u0, 0), min(u1, nu), max(v0, 0), min(v1, nv)
    if au < bu and av < bv:
        field[:, av:bv, au:bu] = part[:, av - v0 : bv - v0, au - u0 : bu - u0]
    return field, excess


def _to_index(points_uv: FloatArray, edges: list[FloatArray]) -> tuple[FloatArray, list[tuple[int, int]]]:
    """Return points in voxel units, and the window of voxels that holds them with a margin of one."""
    step = np.array([edges[a][1] - edges[a][0] for a in range(2)])
    for a in range(2):
        if np.ptp(np.diff(edges[a])) > 1e-6 * step[a]:
            raise GeometryError(
                "contours across unevenly spaced planes cannot be put on that grid.",
                remedy="Resample the image to even plane distances.",
            )
    points = (points_uv - [edges[0][0], edges[1][0]]) / step
    low, high = np.floor(points.min(axis=0)).astype(int) - 1, np.ceil(points.max(axis=0)).astype(int) + 1
    return points, [(int(low[a]), int(high[a])) for a in range(2)]


def voxel_edges_mm(grid: Grid, axis: int) -> FloatArray:
    """Return where voxels begin and end along an axis of `grid` (0 columns, 1 rows, 2 planes), from its origin."""
    if axis < 2:
        count = (grid.n_columns, grid.n_rows)[axis]
        return frozen_array((np.arange(count + 1) - 0.5) * float(grid.spacing_mm[axis]))
    from dvhkit.engine.lattice import end_halves_mm

    below, above = end_halves_mm(grid)
    middle = 0.5 * (grid.offsets_mm[:-1] + grid.offsets_mm[1:])
    return np.concatenate([[grid.offsets_mm[0] - below], middle, [grid.offsets_mm[-1] + above]])


def _nothing_drawn(structure: Structure) -> Finding:
    return Finding(
        level=Level.INFO,
        code="structure-empty",
        message="No contour bounds an area, so there is neither volume nor dose.",
        where=structure.name,
    )


def _thickness_unknown(structure: Structure) -> Finding:
    return Finding(
        level=Level.SERIOUS,
        code="slice-thickness-unknown",
        message="Drawn on one slice only, and neither image nor dose says how thick that is; no volume can be given. "
        "Supply the image series.",
        where=structure.name,
    )
