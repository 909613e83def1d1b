"""GTV, CTV and PTV: star-shaped about one centre, each the former plus a true three-dimensional margin."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from demo_liver import anatomy
from demo_liver.fields import Array, Field, smooth_max

CENTRE_MM = np.array([-90.0, 2.0, -4.0])
CTV_MARGIN_MM = 5.0
PTV_MARGIN_MM = 5.0
# The planted fault: towards the patient's left, a little down and back, the PTV margin falls to 1 mm.
FAULT_MARGIN_MM = 1.0
FAULT_DIRECTION = np.array([0.86, 0.22, -0.46]) / np.linalg.norm([0.86, 0.22, -0.46])
# Full fault within 23 degrees of that direction, none beyond 37.
_FAULT_COSINES = (0.80, 0.92)
_N_SURFACE = 8000
# What lies farther out than this is in no target.
_REACH_MM = 45.0


def gtv(x: Array, y: Array, z: Array) -> Array:
    """Return the tumour: about 3 cm across, with bumps."""
    dx, dy, dz = x - CENTRE_MM[0], y - CENTRE_MM[1], z - CENTRE_MM[2]
    r = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
    u, v, w = dx / r, dy / r, dz / r
    bumps = 0.07 * (3 * u * v + w) + 0.06 * np.sin(3 * w + 4 * u) + 0.05 * np.cos(5 * v - 2 * w)
    return r - 15.2 * (1 + bumps)


def ctv(x: Array, y: Array, z: Array) -> Array:
    """Return GTV + 5 mm, inside the liver."""
    return smooth_max(_beyond(gtv, x, y, z) - CTV_MARGIN_MM, anatomy.liver(x, y, z) + 0.5, 1.0)


def ptv(x: Array, y: Array, z: Array) -> Array:
    """Return CTV + 5 mm, less where the fault is planted."""
    return _beyond(ctv, x, y, z) - ptv_margin_mm(x, y, z)


def ptv_margin_mm(x: Array, y: Array, z: Array) -> Array:
    """Return the margin that was drawn towards a point."""
    d = np.stack(np.broadcast_arrays(x, y, z), axis=-1) - CENTRE_MM
    cosine = d @ FAULT_DIRECTION / (np.linalg.norm(d, axis=-1) + 1e-9)
    t = np.clip((cosine - _FAULT_COSINES[0]) / (_FAULT_COSINES[1] - _FAULT_COSINES[0]), 0, 1)
    return PTV_MARGIN_MM - (PTV_MARGIN_MM - FAULT_MARGIN_MM) * t * t * (3 - 2 * t)


def ptv_distance(x: Array, y: Array, z: Array) -> Array:
    """Return the signed distance from the PTV's surface (mm), negative inside."""
    return _beyond(ptv, x, y, z)


def surface_mm(target: Field) -> Array:
    """Return points on a target's surface, (n, 3)."""
    return _surface(target)[0]


@cache
def _surface(target: Field) -> tuple[Array, cKDTree]:
    """Return surface points along evenly spread directions, by bisection, and a tree of them."""
    n = np.arange(_N_SURFACE)
    w = 1 - (2 * n + 1) / _N_SURFACE
    a = n * np.pi * (3 - np.sqrt(5))
    s = np.sqrt(1 - w * w)
    directions = np.column_stack([s * np.cos(a), s * np.sin(a), w])
    near, far = np.zeros(_N_SURFACE), np.full(_N_SURFACE, _REACH_MM)
    for _ in range(26):
        middle = (near + far) / 2
        inside = target(*(CENTRE_MM + middle[:, None] * directions).T) < 0
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    points = CENTRE_MM + near[:, None] * directions
    return points, cKDTree(points)


def _beyond(target: Field, x: Array, y: Array, z: Array) -> Array:
    """Return the signed distance from a target's surface, exact to the spread of its surface points."""
    points = np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(float)
    distance = _surface(target)[1].query(points.reshape(-1, 3))[0].reshape(points.shape[:-1])
    return np.where(target(x, y, z) < 0, -distance, distance)
