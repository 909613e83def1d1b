"""The dose: two arcs' worth of conformal beams, hot in the middle, with the bath that arcs leave behind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from demo_liver import anatomy, targets
from demo_liver.fields import Array
from dvhkit.model.grid import Grid

PRESCRIPTION_GY = 50.0
FRACTIONS = 5
# Share of the PTV that shall receive the prescription: the plan misses its 95 % on purpose.
COVERAGE_FRAC = 0.934
GRID_MM = 2.5
# The quantum of the stored dose: 65.535 Gy in 16 bit.
QUANTUM_GY = 0.001

_SOURCE_MM = 1000.0
_ATTENUATION_PER_MM = 0.0047  # 6 MV without flattening filter, in water, beyond the build-up
_PENUMBRA_MM = 2.2
_FIELD_RIM_MM = 1.5
_PEAK = 0.32  # how much more fluence the middle of the field gets than its rim
_BEV_STEP_MM = 0.5
_BEV_HALF_MM = 60.0
_LEAKAGE = 0.004


def dose_gy(grid: Grid, gantry_deg: Sequence[float]) -> Array:
    """Return the plan dose (z, y, x) of the grid, scaled so that the PTV is covered as `COVERAGE_FRAC` says."""
    x, y, z = _centres(grid)
    shape = _sum_of_beams(x, y, z, gantry_deg)
    inner = _ptv_samples()
    at_samples = _sum_of_beams(*inner.T, gantry_deg)
    threshold = np.quantile(at_samples, 1 - COVERAGE_FRAC)
    total = PRESCRIPTION_GY / threshold * shape
    total = np.where(anatomy.body(x, y, z) < 0, total, 0.1 * total)
    return np.rint(total / QUANTUM_GY) * QUANTUM_GY


def _centres(grid: Grid) -> tuple[Array, ...]:
    x = (grid.origin_mm[0] + np.arange(grid.n_columns) * grid.spacing_mm[0])[None, None, :]
    y = (grid.origin_mm[1] + np.arange(grid.n_rows) * grid.spacing_mm[1])[None, :, None]
    z = (grid.origin_mm[2] + grid.offsets_mm)[:, None, None]
    return np.broadcast_arrays(x, y, z)


def _ptv_samples() -> Array:
    """Return points that fill the PTV evenly."""
    axis = np.arange(-30.0, 30.1, 1.25)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3) + targets.CENTRE_MM
    return points[targets.ptv(*points.T) < 0]


def _sum_of_beams(x: Array, y: Array, z: Array, gantry_deg: Sequence[float]) -> Array:
    surface = targets.surface_mm(targets.ptv) - targets.CENTRE_MM
    dx, dy, dz = x - targets.CENTRE_MM[0], y - targets.CENTRE_MM[1], z - targets.CENTRE_MM[2]
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape))
    for angle in np.radians(gantry_deg):
        # IEC 61217, supine head first: gantry 0 above the patient (-y), 90 on the patient's left (+x).
        to_source = np.array([np.sin(angle), -np.cos(angle)])
        toward = dx * to_source[0] + dy * to_source[1]
        across = dx * -to_source[1] + dy * to_source[0]
        magnify = _SOURCE_MM / (_SOURCE_MM - toward)
        fluence = _fluence(surface, to_source)
        depth = _depth(x, y, to_source)
        build_up = 1 - 0.5 * np.exp(-depth / 4.0)
        at = (np.stack([across * magnify, dz * magnify]) + _BEV_HALF_MM) / _BEV_STEP_MM
        total += (
            map_coordinates(fluence, at, order=1, mode="nearest")
            * np.exp(-_ATTENUATION_PER_MM * depth)
            * build_up
            * magnify**2
        )
    return total / len(gantry_deg)


def _fluence(surface: Array, to_source: Array) -> Array:
    """Return the fluence in the beam's eye view: the PTV's outline with a rim, peaked in the middle, blurred."""
    toward = surface[:, :2] @ to_source
    across = surface[:, 0] * -to_source[1] + surface[:, 1] * to_source[0]
    magnify = _SOURCE_MM / (_SOURCE_MM - toward)
    n = int(2 * _BEV_HALF_MM / _BEV_STEP_MM) + 1
    hit = np.zeros((n, n), dtype=bool)
    column = np.rint((np.stack([across, surface[:, 2]]) * magnify + _BEV_HALF_MM) / _BEV_STEP_MM).astype(int)
    hit[column[0], column[1]] = True
    # All shades of the surface together fill the outline; a closing of 1.5 mm bridges the gaps between points.
    near = distance_transform_edt(~hit) * _BEV_STEP_MM <= 1.5
    filled = distance_transform_edt(near) * _BEV_STEP_MM > 1.5
    inside = distance_transform_edt(filled) * _BEV_STEP_MM
    outside = distance_transform_edt(~filled) * _BEV_STEP_MM
    open_field = outside <= _FIELD_RIM_MM
    peaked = np.where(open_field, 1 + _PEAK * (1 - np.exp(-inside / 9.0)), 0.0)
    blurred = gaussian_filter(peaked, _PENUMBRA_MM / _BEV_STEP_MM)
    scatter = gaussian_filter(peaked, 14.0 / _BEV_STEP_MM)
    return 0.93 * blurred + 0.07 * scatter + _LEAKAGE


def _depth(x: Array, y: Array, to_source: Array) -> Array:
    """Return the path through the trunk towards the source, the trunk taken as an ellipse (mm)."""
    a, b = 160.0, 104.0
    p = (x / a, y / b)
    d = (to_source[0] / a, to_source[1] / b)
    dd = d[0] ** 2 + d[1] ** 2
    pd = p[0] * d[0] + p[1] * d[1]
    pp = p[0] ** 2 + p[1] ** 2
    root = np.sqrt(np.maximum(pd**2 - dd * (pp - 1), 0))
    return np.maximum((root - pd) / dd, 0)
