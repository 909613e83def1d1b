"""Volumes of two solids and of what they share, by quadrature over exact sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvhkit.engine.kernels.surface.sweep import areas_at
from dvhkit.model.arrays import FloatArray
from dvhkit.targets.compare.skin import Skin

# Between two breaks areas are smooth: three nodes integrate polynomials up to the fifth degree, two up to the third,
# and a sphere's sections are of the second. Two are enough where there are many intervals.
_NODES, _NODES_OF_MANY, _MANY = 3, 2, 24
_NEAR_MM = 1e-3
# An interval shorter than this share of a slice distance has one node.
_THIN_FRAC = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlap:
    """Volumes in mm3 and centroids (3,) in patient coordinates."""

    volume_a_mm3: float
    volume_b_mm3: float
    shared_mm3: float
    centroid_a_mm: FloatArray
    centroid_b_mm: FloatArray


def overlap_of(a: Skin, b: Skin) -> Overlap:
    """Return the volumes of two solids whose sections lie in parallel planes of one frame."""
    heights, weights = quadrature([a, b])
    found = _areas(heights, a, b)
    volume_a, centroid_a = _moments(found[:, :3], heights, weights)
    volume_b, centroid_b = _moments(found[:, 3:6], heights, weights)
    return Overlap(
        volume_a_mm3=volume_a,
        volume_b_mm3=volume_b,
        shared_mm3=float(weights @ found[:, 6]),
        centroid_a_mm=a.sections.frame.to_patient(centroid_a),
        centroid_b_mm=b.sections.frame.to_patient(centroid_b),
    )


def _areas(heights_mm: FloatArray, a: Skin, b: Skin) -> FloatArray:
    """Return area and first moments of A and of B, and the area of both together, at each height: (n, 7)."""
    out = np.empty((len(heights_mm), 7))
    areas_at(heights_mm, a.strips.table, b.strips.table, out)
    return out


def volume_of(solid: Skin) -> tuple[float, FloatArray]:
    """Return a solid's volume in mm3 and its centroid (3,) in patient coordinates."""
    heights, weights = quadrature([solid])
    volume, centroid = _moments(_areas(heights, solid, solid)[:, :3], heights, weights)
    return volume, solid.sections.frame.to_patient(centroid)


def quadrature(solids: Sequence[Skin]) -> tuple[FloatArray, FloatArray]:
    """Return heights and weights of Gauss and Legendre between the breaks of all solids."""
    breaks = np.unique(np.concatenate([solid.breaks_mm() for solid in solids]))
    breaks = breaks[np.append(True, np.diff(breaks) > _NEAR_MM)]
    nodes, shares = np.polynomial.legendre.leggauss(_NODES if len(breaks) <= _MANY else _NODES_OF_MANY)
    middle, half = 0.5 * (breaks[:-1] + breaks[1:]), 0.5 * np.diff(breaks)
    # Where a rounded end dwindles many parts end, each at its own height.
    thin = half < _THIN_FRAC * min(solid.sections.gap_mm for solid in solids)
    heights = np.concatenate([(middle[~thin, None] + half[~thin, None] * nodes).ravel(), middle[thin]])
    weights = np.concatenate([(half[~thin, None] * shares).ravel(), 2.0 * half[thin]])
    order = np.argsort(heights)
    return heights[order], weights[order]


def _moments(areas: FloatArray, heights_mm: FloatArray, weights: FloatArray) -> tuple[float, FloatArray]:
    """Return volume and centroid from area and first moments at each height."""
    total, u, v = weights @ areas
    if total <= 0.0:
        return 0.0, np.zeros(3)
    return float(total), np.array([u, v, (weights * areas[:, 0]) @ heights_mm]) / total
