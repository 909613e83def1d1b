"""Ideal solids as contours, for tests of comparisons: spheres, boxes, prisms of any outline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvhkit.model.structure import Contour, Structure


def sphere(r: float, c: Sequence[float] = (0, 0, 0), *, dz: float = 2.0, n: int = 128, name: str = "S") -> Structure:
    """Return a sphere on slices at multiples of `dz`."""
    angle = np.arange(n) * 2 * np.pi / n
    # A polygon of the same area as the circle.
    stretch = np.sqrt(2 * np.pi / n / np.sin(2 * np.pi / n))
    contours = []
    for z in dz * np.arange(np.floor((c[2] - r) / dz), np.ceil((c[2] + r) / dz) + 1):
        square = r * r - (z - c[2]) ** 2
        if square > 1e-6:
            rho = np.sqrt(square) * stretch
            ring = np.column_stack([c[0] + rho * np.cos(angle), c[1] + rho * np.sin(angle), np.full(n, z)])
            contours.append(Contour(points_mm=ring))
    return Structure(number=1, name=name, contours=tuple(contours))


def box(low: Sequence[float], high: Sequence[float], *, dz: float = 2.0, name: str = "B") -> Structure:
    """Return a box whose first and last slice lie half a slice distance inside it."""
    count = round((high[2] - low[2]) / dz)
    outline = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    return prism(outline, low[2] + dz * (np.arange(count) + 0.5), name=name)


def prism(
    outline: Sequence[Sequence[float]], heights: Sequence[float], *, holes: Sequence[object] = (), name: str = "P"
) -> Structure:
    """Return one outline, and holes, on every height."""
    contours = []
    for z in heights:
        for ring in (outline, *holes):
            points = np.asarray(ring, float)
            contours.append(Contour(points_mm=np.column_stack([points, np.full(len(points), z)])))
    return Structure(number=1, name=name, contours=tuple(contours))


def circle(r: float, n: int = 256) -> np.ndarray:
    """Return a circle's corners (n, 2)."""
    angle = np.arange(n) * 2 * np.pi / n
    return r * np.column_stack([np.cos(angle), np.sin(angle)])
