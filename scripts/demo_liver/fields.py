"""Implicit functions of soft shapes: negative inside, about mm near the surface. Points are x, y, z in LPS mm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
Field = Callable[[Array, Array, Array], Array]
Triple = tuple[float, float, float]


def ellipsoid(
    centre: Triple, semi_axes: Triple, *, turn_deg: float = 0.0, tilt_deg: float = 0.0, power: float = 2.0
) -> Field:
    """Return a (super)ellipsoid turned about z and tilted about x."""
    turn, tilt = np.radians(turn_deg), np.radians(tilt_deg)

    def field(x: Array, y: Array, z: Array) -> Array:
        dx, dy, dz = x - centre[0], y - centre[1], z - centre[2]
        dx, dy = np.cos(turn) * dx + np.sin(turn) * dy, np.cos(turn) * dy - np.sin(turn) * dx
        dy, dz = np.cos(tilt) * dy + np.sin(tilt) * dz, np.cos(tilt) * dz - np.sin(tilt) * dy
        q = sum((np.abs(d) / a) ** power for d, a in zip((dx, dy, dz), semi_axes, strict=True))
        return (q ** (1 / power) - 1) * min(semi_axes)

    return field


def tube(points: Sequence[Triple], radii: Sequence[float], *, soft_mm: float = 4.0) -> Field:
    """Return a tube of changing radius along a polyline, its joints rounded over `soft_mm`."""
    knots = np.asarray(points, dtype=float)

    def field(x: Array, y: Array, z: Array) -> Array:
        best = None
        for a, b, ra, rb in zip(knots[:-1], knots[1:], radii[:-1], radii[1:], strict=True):
            ab = b - a
            p = (x - a[0], y - a[1], z - a[2])
            t = np.clip((p[0] * ab[0] + p[1] * ab[1] + p[2] * ab[2]) / (ab @ ab), 0, 1)
            d = np.sqrt(sum((q - t * c) ** 2 for q, c in zip(p, ab, strict=True))) - (ra + t * (rb - ra))
            best = d if best is None else smooth_min(best, d, soft_mm)
        return best

    return field


def smooth_min(a: Array, b: Array, k: float) -> Array:
    """Return a minimum rounded over a width k: melts two shapes into one."""
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return b + (a - b) * h - k * h * (1 - h)


def smooth_max(a: Array, b: Array, k: float) -> Array:
    """Return a maximum rounded over a width k: cuts one shape by another."""
    return -smooth_min(-a, -b, k)


def ripple(x: Array, y: Array, z: Array, *, wavelengths_mm: Sequence[float], seed: int) -> Array:
    """Return a smooth wavy field between about -1 and 1: a fixed sum of sines, no random noise."""
    total = 0.0
    for n, length in enumerate(wavelengths_mm):
        # Golden-angle directions and phases: spread out, and the same in every run.
        a = 2.399963 * (n + 1 + 7 * seed)
        c = np.cos(1.7 * (n + 1) + seed)
        s = np.sqrt(1 - c * c)
        k = 2 * np.pi / length
        total = total + np.sin(k * (s * np.cos(a) * x + s * np.sin(a) * y + c * z) + 1.3 * n + seed)
    return total / len(wavelengths_mm)
