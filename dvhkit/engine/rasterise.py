"""The occupancy field: how much of each cell a structure fills. Volume, DVH and voxel masks all come from it."""

from __future__ import annotations

import numpy as np

from dvhkit.engine.field.layers import fill
from dvhkit.engine.kernels.field.book import book_field
from dvhkit.engine.lattice import Lattice, end_halves_mm
from dvhkit.engine.options import EngineOptions
from dvhkit.engine.solid.solid import Solid, make_islands, mended
from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure


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
    islands = make_islands(structure, grid, options or EngineOptions(), slice_spacing_mm=slice_spacing_mm)
    total = np.zeros(grid.shape_zyx)
    for solid in islands.solids:
        total += _one_on_grid(solid, structure, grid)
    return frozen_array(np.minimum(total, 1.0) if len(islands.solids) > 1 else total)


def _one_on_grid(solid: Solid, structure: Structure, grid: Grid) -> FloatArray:
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
    return field.transpose(axes[2], axes[1], axes[0])


def _field(solid: Solid, grid: Grid) -> tuple[FloatArray, FloatArray]:
    edges = [voxel_edges_mm(grid, axis) for axis in solid.stack.frame.grid_axis]
    step, window = _window(solid, edges)
    (u0, u1), (v0, v1) = window
    layers = np.array(edges[2])
    lattice = Lattice(
        origin_mm=np.array([edges[0][0] + u0 * step[0], edges[1][0] + v0 * step[1]]),
        step_mm=step,
        n_rows=v1 - v0,
        n_columns=u1 - u0,
        layer_edges_mm=layers,
        nodes_mm=layers,
    )
    part = np.zeros((len(layers) - 1, v1 - v0, u1 - u0))
    excess = np.zeros(solid.stack.n_planes)
    for filled in fill((solid,), lattice, excess):
        book_field(filled.layers[0], filled.begin, filled.stop, layers, part)
    nu, nv = len(edges[0]) - 1, len(edges[1]) - 1
    field: FloatArray = np.zeros((part.shape[0], nv, nu))
    au, bu, av, bv = max(u0, 0), min(u1, nu), max(v0, 0), min(v1, nv)
    if au < bu and av < bv:
        field[:, av:bv, au:bu] = part[:, av - v0 : bv - v0, au - u0 : bu - u0]
    return field, excess


def _window(solid: Solid, edges: list[FloatArray]) -> tuple[FloatArray, list[tuple[int, int]]]:
    """Return the size of a voxel along u and v, and the window of voxels that holds the solid with a margin of one."""
    step = np.array([edges[a][1] - edges[a][0] for a in range(2)])
    for a in range(2):
        if np.ptp(np.diff(edges[a])) > 1e-6 * step[a]:
            raise GeometryError(
                "contours across unevenly spaced planes cannot be put on that grid.",
                remedy="Resample the image to even plane distances.",
            )
    corner = np.array([edges[0][0], edges[1][0]])
    points, margin = solid.stack.points_mm, solid.margin_mm
    low = np.floor((points.min(axis=0) - margin - corner) / step).astype(int) - 1
    high = np.ceil((points.max(axis=0) + margin - corner) / step).astype(int) + 1
    return step, [(int(low[a]), int(high[a])) for a in range(2)]


def voxel_edges_mm(grid: Grid, axis: int) -> FloatArray:
    """Return where voxels begin and end along an axis of `grid` (0 columns, 1 rows, 2 planes), from its origin."""
    if axis < 2:
        count = (grid.n_columns, grid.n_rows)[axis]
        return frozen_array((np.arange(count + 1) - 0.5) * float(grid.spacing_mm[axis]))
    below, above = end_halves_mm(grid)
    middle = 0.5 * (grid.offsets_mm[:-1] + grid.offsets_mm[1:])
    return np.concatenate([[grid.offsets_mm[0] - below], middle, [grid.offsets_mm[-1] + above]])
