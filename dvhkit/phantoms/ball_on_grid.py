"""The DVH of a ball in a sampled dose: what a perfect calculator gets out of a dose grid by trilinear interpolation."""

from __future__ import annotations

import numpy as np

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.phantoms.sets.phantom_set import voxel_centres_mm
from dvhkit.phantoms.solids import Vector
from dvhkit.phantoms.truth import Truth

# Shells of equal thickness, each with this many evenly spread points and the weight of its volume: 1.6e5 samples.
_SHELLS = 160
_DIRECTIONS = 1000


def truth_of_ball_on_grid(centre_mm: Vector, radius_mm: float, grid: Grid, values_gy: FloatArray) -> Truth:
    """Return the DVH of a ball by dense sampling of the trilinear interpolant.

    Volumes at a dose are good to about 1e-3; so is the least dose. The greatest is exact if a voxel centre has it, as
    inside the ball it must. Raises `GeometryError` where the ball leaves the grid or its planes are uneven.
    """
    shells = [_shell_gy(n, centre_mm, radius_mm, grid, values_gy) for n in range(_SHELLS)]
    weight = np.diff((np.arange(_SHELLS + 1) / _SHELLS) ** 3) / _DIRECTIONS
    dose, part = np.concatenate(shells), np.repeat(weight, _DIRECTIONS)
    order = np.argsort(dose, kind="stable")
    dose, below = dose[order], np.concatenate([[0.0], np.cumsum(part[order])])
    rim = trilinear(np.asarray(centre_mm) + radius_mm * _spread(_DIRECTIONS, 0.0), grid, values_gy)
    extremes = np.concatenate([dose[[0, -1]], rim, _nodes_gy(centre_mm, radius_mm, grid, values_gy)])
    volume_cc = 4 / 3 * np.pi * radius_mm**3 / 1000

    def volume_at_least_cc(dose_gy: float) -> float:
        return volume_cc * (1.0 - float(below[np.searchsorted(dose, dose_gy, side="left")]))

    return Truth(
        volume_cc=volume_cc,
        min_gy=float(extremes.min()),
        max_gy=float(extremes.max()),
        mean_gy=float(dose @ part[order]),
        volume_at_least_cc=volume_at_least_cc,
    )


def trilinear(points_mm: FloatArray, grid: Grid, values: FloatArray) -> FloatArray:
    """Return values at (n, 3) points between the voxel centres of an even grid."""
    if not grid.is_uniform:
        raise GeometryError("the planes of the grid are not evenly spaced.")
    step = np.array([*grid.spacing_mm, grid.plane_spacing_mm])
    at = (grid.to_grid_mm(points_mm) - [0.0, 0.0, grid.offsets_mm[0]]) / step
    last = np.array(grid.shape_zyx[::-1]) - 1
    if np.any(at < 0) or np.any(at > last):
        raise GeometryError("a point lies outside the grid.")
    base = np.minimum(at.astype(np.int64), last - 1)
    f = at - base
    i, j, k = base.T
    total = np.zeros(len(at))
    for corner in range(8):
        di, dj, dk = corner & 1, corner >> 1 & 1, corner >> 2 & 1
        weight = np.prod(np.where([di, dj, dk], f, 1 - f), axis=1)
        total += weight * values[k + dk, j + dj, i + di]
    return total


def _shell_gy(n: int, centre_mm: Vector, radius_mm: float, grid: Grid, values_gy: FloatArray) -> FloatArray:
    reach = radius_mm * (n + 0.5) / _SHELLS
    # Each shell is turned by its own angle, so that the points of neighbours do not line up.
    return trilinear(np.asarray(centre_mm) + reach * _spread(_DIRECTIONS, 2.4 * n), grid, values_gy)


def _nodes_gy(centre_mm: Vector, radius_mm: float, grid: Grid, values_gy: FloatArray) -> FloatArray:
    """Return the values of the voxel centres inside the ball."""
    x, y, z = voxel_centres_mm(grid)
    inside = (x - centre_mm[0]) ** 2 + (y - centre_mm[1]) ** 2 + (z - centre_mm[2]) ** 2 <= radius_mm**2
    return np.asarray(values_gy[np.broadcast_to(inside, values_gy.shape)])


def _spread(count: int, turn: float) -> FloatArray:
    """Return unit vectors spread evenly over the sphere (Fibonacci lattice), turned about z."""
    n = np.arange(count)
    z = 1 - (2 * n + 1) / count
    angle = n * np.pi * (3 - np.sqrt(5)) + turn
    s = np.sqrt(1 - z * z)
    return np.column_stack([s * np.cos(angle), s * np.sin(angle), z])
