"""Pairs of structures whose margin is known by how they were made, drawn on slices as a planner would see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial import cKDTree

from dvhkit.model.structure import Contour, Structure
from dvhkit.phantoms.isoline import trace_rings

# Left, right, posterior, anterior, superior, inferior.
Margins = Sequence[float]
Field = Callable[[np.ndarray], np.ndarray]


def planes(spacing_mm: float, phase: float = 0.0, reach_mm: float = 60.0) -> np.ndarray:
    return np.arange(-reach_mm, reach_mm, spacing_mm) + phase * spacing_mm


def structure(name: str, number: int, rings: Sequence[tuple[float, np.ndarray]], kind: str = "") -> Structure:
    contours = tuple(
        Contour(points_mm=np.round(np.column_stack([ring, np.full(len(ring), z)]), 3)) for z, ring in rings
    )
    return Structure(number=number, name=name, contours=contours, rt_roi_type=kind)


def expanded_ellipsoid(
    semi_mm: Sequence[float],
    margins_mm: Margins,
    zs: np.ndarray,
    *,
    centre_mm: Sequence[float] = (0, 0, 0),
    n: int = 90,
) -> list[tuple[float, np.ndarray]]:
    """Draw the Minkowski sum of an ellipsoid and the ellipsoid of eight octants: exact points on each slice.

    Both have one boundary point for each normal; their sum has the sum of the two. Along a meridian of normals its
    height falls steadily, so that the point at a given height is found by interpolation.
    """
    polar = np.linspace(0, np.pi, 2001)[None, :]
    azimuth = (np.arange(n) * 2 * np.pi / n)[:, None]
    normal = np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar) + 0 * azimuth], -1
    )
    m = np.asarray(margins_mm, float)
    octant = np.where(normal >= 0, m[0::2], m[1::2])
    points = np.zeros_like(normal)
    for axes in (np.asarray(semi_mm, float), octant):
        size = np.linalg.norm(normal * axes, axis=-1, keepdims=True)
        points += np.divide(normal * axes**2, size, out=np.zeros_like(normal), where=size > 0)
    points += np.asarray(centre_mm, float)
    top, bottom = points[0, 0, 2], points[0, -1, 2]
    rings = []
    for z in zs:
        if bottom < z < top:
            ring = np.array([[np.interp(-z, -p[:, 2], p[:, a]) for a in range(2)] for p in points])
            rings.append((float(z), ring))
    return rings


def ellipsoid_pair(
    semi_mm: Sequence[float],
    margins_mm: Margins,
    *,
    spacing_mm: float,
    phase: float = 0.0,
    centre_mm: Sequence[float] = (0, 0, 0),
) -> tuple[Structure, Structure]:
    """Return CTV and PTV; the margin is exact everywhere."""
    zs = planes(spacing_mm, phase)
    inner = expanded_ellipsoid(semi_mm, [0.0] * 6, zs, centre_mm=centre_mm)
    outer = expanded_ellipsoid(semi_mm, margins_mm, zs, centre_mm=centre_mm)
    return structure("CTV", 1, inner, "CTV"), structure("PTV", 2, outer, "PTV")


def traced(
    field: Field, zs: np.ndarray, *, reach_mm: float = 33.0, step_mm: float = 1.5
) -> list[tuple[float, np.ndarray]]:
    """Draw the zero line of a field of points (..., 3) on each slice."""
    x = np.arange(-reach_mm, reach_mm + 0.1, step_mm)
    rings = []
    for z in zs:

        def in_plane(u: np.ndarray, v: np.ndarray, z: float = float(z)) -> np.ndarray:
            u, v = np.broadcast_arrays(u, v)
            return field(np.stack([u, v, np.full(u.shape, z)], axis=-1))

        rings += [(float(z), ring) for ring in trace_rings(in_plane, x_mm=x, y_mm=x) if len(ring) > 3]
    return rings


def blob(points: np.ndarray) -> np.ndarray:
    """A lumpy target of about 3 cm, with a hollow."""
    r = np.linalg.norm(points, axis=-1) + 1e-9
    u, v, w = np.moveaxis(points / r[..., None], -1, 0)
    return np.asarray(r - 16 * (1 + 0.12 * u * v + 0.10 * np.sin(3 * w + 2 * u) + 0.08 * np.cos(4 * v - w)))


def surface_of(field: Field, n: int = 12_000, reach_mm: float = 60.0) -> np.ndarray:
    """Return points on a star-shaped surface, by bisection along evenly spread rays."""
    k = np.arange(n)
    w = 1 - (2 * k + 1) / n
    a = k * np.pi * (3 - np.sqrt(5))
    s = np.sqrt(1 - w * w)
    rays = np.column_stack([s * np.cos(a), s * np.sin(a), w])
    near, far = np.zeros(n), np.full(n, reach_mm)
    for _ in range(30):
        middle = (near + far) / 2
        inside = field(middle[:, None] * rays) < 0
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    return near[:, None] * rays


def widened(field: Field, axes_mm: Sequence[float] = (5, 5, 5)) -> Field:
    """Return the field widened by an ellipsoid (the same both ways along each axis): nearest points after scaling."""
    scale = np.asarray(axes_mm, float)
    tree = cKDTree(surface_of(field) / scale)

    def out(points: np.ndarray) -> np.ndarray:
        distance = tree.query((points / scale).reshape(-1, 3))[0].reshape(points.shape[:-1])
        return np.asarray((np.where(field(points) < 0, -distance, distance) - 1) * scale.min())

    return out


def cut(*fields: Field) -> Field:
    """Return what lies in all fields."""
    return lambda points: np.maximum.reduce([f(points) for f in fields])


def sphere(radius_mm: float, centre_mm: Sequence[float] = (0, 0, 0)) -> Field:
    return lambda points: np.linalg.norm(points - np.asarray(centre_mm, float), axis=-1) - radius_mm
