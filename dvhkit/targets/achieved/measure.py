"""Distances between two surfaces, and the volumes that are missing, in excess, or outside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray
from dvhkit.results.margin import Distances, Place, Point
from dvhkit.targets.achieved.cloud import Cloud, distance_to, gauge_to
from dvhkit.targets.achieved.fit import DIRECTIONS, LEAST_MM, octant, support_mm
from dvhkit.targets.achieved.surface import Surface

# Nodes of the lattice on which volumes are counted.
_NODES = 120_000
_FINEST_MM = 0.5
# Contours are stored to a hundredth or a tenth of a millimetre; surfaces are sampled a little coarser.
_STORED_MM = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bands:
    """How well distances between two surfaces are known.

    Attributes
    ----------
    in_plane_mm
        From the chords of both polygons and the rounding of their vertices.
    across_mm
        Half the larger slice distance.
    """

    in_plane_mm: float
    across_mm: float
    axis: FloatArray

    def along(self, normals: FloatArray) -> FloatArray:
        """Return the band of a distance along each unit normal (n, 3).

        Where a surface slants, its course between two slices is known to a fraction of their distance; where it lies
        level, at the ends, it may be anywhere between the last slice and the next, and so may the other one's.
        """
        across = np.abs(normals @ self.axis)
        level = 1.8 * self.across_mm * across**4
        return np.asarray(self.in_plane_mm * np.sqrt(np.maximum(0.0, 1 - across**2)) + level)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reach:
    """How far the outer surface is from each sampled point of the inner one.

    Attributes
    ----------
    points_mm, normals : (n, 3)
    share : (n,)
        Part of the inner surface that a point stands for; sums to 1.
    distance_mm : (n,)
        To the nearest point of the outer surface; negative for a point outside of it.
    band_mm : (n,)
        How well it is known; beyond the last drawn slice by no more than nearly a slice.
    """

    points_mm: FloatArray
    normals: FloatArray
    share: FloatArray
    distance_mm: FloatArray
    outside: NDArray[np.bool_]
    band_mm: FloatArray


def find_bands(inner: Surface, outer: Surface) -> Bands:
    """Return how well distances between two surfaces can be known from their contours."""
    return Bands(
        in_plane_mm=_chord_mm(inner) + _chord_mm(outer) + _STORED_MM,
        across_mm=0.5 * max(inner.spacing_mm, outer.spacing_mm),
        axis=outer.slice_axis,
    )


def _chord_mm(surface: Surface) -> float:
    """Return how far contours may lie from the outline they stand for: a quarter pixel or the height of an arc."""
    stack = surface.stack
    edges = np.roll(stack.points_mm, -1, axis=0) - stack.points_mm
    last = stack.ring_start[1:] - 1
    edges[last] = stack.points_mm[stack.ring_start[:-1]] - stack.points_mm[last]
    lengths = np.linalg.norm(edges, axis=1)
    stepped = (np.abs(edges).min(axis=1) < 1e-3) & (lengths > 0)
    usual = float(np.median(lengths[lengths > 0]))
    if stepped.mean() > 0.9 and len(lengths) > 16 * stack.n_planes:
        return 0.25 * float(lengths[stepped].min())  # outlines of whole pixels
    radius = float(np.sqrt(np.abs(stack.areas_mm2()).max() / np.pi))
    return min(0.5, usual**2 / (8 * max(radius, 1.0)))


def measure_reach(inner: Surface, outer: Surface, bands: Bands) -> Reach:
    """Return the distance of every sampled point of the inner surface from the outer one."""
    cloud = inner.cloud.sampled()
    outside = outer.signed(cloud.points_mm) > 0
    distance = distance_to(cloud.points_mm, outer.cloud)
    band = bands.along(cloud.normals)
    w, drawn = inner.stack.frame.to_frame(cloud.points_mm)[:, 2], inner.stack.offsets_mm
    beyond = (w < drawn[0] - 1e-6) | (w > drawn[-1] + 1e-6)
    return Reach(
        points_mm=cloud.points_mm,
        normals=cloud.normals,
        share=cloud.area_mm2 / cloud.area_mm2.sum(),
        distance_mm=np.where(outside, -distance, distance),
        outside=outside,
        band_mm=np.where(beyond, np.maximum(band, 1.8 * bands.across_mm), band),
    )


def quantile(values: FloatArray, share: FloatArray, at: float) -> float:
    """Return the quantile of values of unequal weight."""
    order = np.argsort(values)
    total = np.cumsum(share[order])
    return float(values[order][min(len(values) - 1, int(np.searchsorted(total, at * total[-1])))])


def distances(reach: Reach) -> Distances:
    """Return the spread of distances over the whole inner surface."""
    d, w = reach.distance_mm, reach.share
    return Distances(
        minimum=float(d.min()),
        p05=quantile(d, w, 0.05),
        median=quantile(d, w, 0.5),
        p95=quantile(d, w, 0.95),
        maximum=float(d.max()),
    )


def relative_reach(reach: Reach, outer: Surface, margins_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the share of the margin that is kept at each point (1: just all of it), and how many mm are lacking.

    The expansion of one point by the margins must lie inside the outer structure; the gauge of the outer surface's
    nearest point says by what factor the margins may be scaled until it does.
    """
    margins = np.maximum(margins_mm, LEAST_MM)
    gauge, vector, _ = gauge_to(reach.points_mm, outer.cloud, margins, outward=True)
    length = np.linalg.norm(vector, axis=1)
    lacking = np.where(
        reach.outside, length + support_mm(reach.normals, margins), length / np.maximum(gauge, 1e-3) - length
    )
    near = gauge < 0.2
    lacking = np.where(near & ~reach.outside, support_mm(reach.normals, margins) - length, lacking)
    return np.where(reach.outside, -gauge, gauge), lacking


def facing(normals: FloatArray) -> np.ndarray:
    """Return the index of the direction (see `DIRECTIONS`) that each unit normal comes nearest to."""
    axis = np.abs(normals).argmax(axis=1)
    return np.asarray(2 * axis + (normals[np.arange(len(normals)), axis] < 0))


def excess_points(outer: Surface, inner: Surface, margins_mm: FloatArray) -> tuple[Cloud, FloatArray]:
    """Return the sampled points of the outer surface, and how far each lies beyond the widened inner structure."""
    cloud = outer.cloud.sampled()
    margins = np.maximum(margins_mm, LEAST_MM)
    gauge, vector, _ = gauge_to(cloud.points_mm, inner.cloud, margins, outward=False)
    length = np.linalg.norm(vector, axis=1)
    beyond = length - length / np.maximum(gauge, 1e-6)
    return cloud, np.where(inner.signed(cloud.points_mm) < 0, -length, beyond)


@lru_cache(maxsize=12)
def outside_volume_cc(inner: Surface, outer: Surface) -> tuple[float, FloatArray, FloatArray]:
    """Return the volume of `inner` outside `outer`, and the nodes (n, 3) where it lies with their volumes in mm3.

    Counted on the inner structure's slices, each as thick as half way to its neighbours.
    """
    stack, offsets = inner.stack, inner.stack.offsets_mm
    low, high = stack.points_mm.min(axis=0), stack.points_mm.max(axis=0)
    step = max(_FINEST_MM, float(np.sqrt(np.prod(high - low) * len(offsets) / (2 * _NODES))))
    xs = np.arange(low[0] + 0.5 * step, high[0], step)
    ys = np.arange(low[1] + 0.5 * step, high[1], step)
    gaps = np.minimum(np.diff(offsets), 1.5 * inner.spacing_mm)
    thick = 0.5 * (np.append(inner.spacing_mm, gaps) + np.append(gaps, inner.spacing_mm))
    k, y, x = (grid.ravel() for grid in np.meshgrid(np.arange(len(offsets)), ys, xs, indexing="ij"))
    nodes = np.column_stack([x, y, offsets[k]])
    within = inner.field.at(nodes) < 0
    nodes, volume = stack.frame.to_patient(nodes[within]), step * step * thick[k[within]]
    out = outer.signed(nodes) > 0
    return float(volume[out].sum()) / 1000.0, nodes[out], volume[out]


def missing_volume_cc(inner: Surface, outer: Surface, margins_mm: FloatArray) -> float:
    """Return the volume of the inner structure widened by `margins_mm` that the outer one does not hold."""
    nodes, cell = _lattice(inner, margins_mm)
    nodes = nodes[outer.signed(nodes) > 0]
    inside = inner.signed(nodes) < 0
    margins = np.maximum(margins_mm, LEAST_MM)
    gauge, _, _ = gauge_to(nodes[~inside], inner.cloud, margins, outward=False, enough=0.999, far=1.0)
    count = int(inside.sum()) + (int((gauge <= 1.0).sum()) if margins_mm.max() > LEAST_MM else 0)
    return count * cell / 1000.0


def excess_volume_cc(inner: Surface, outer: Surface, margins_mm: FloatArray) -> float:
    """Return the volume of the outer structure beyond the inner one widened by `margins_mm`."""
    nodes, cell = _lattice(outer, np.zeros(6))
    nodes = nodes[outer.signed(nodes) < 0]
    nodes = nodes[inner.signed(nodes) > 0]
    margins = np.maximum(margins_mm, LEAST_MM)
    gauge, _, _ = gauge_to(nodes, inner.cloud, margins, outward=False, enough=0.999, far=1.0)
    return int((gauge > 1.0).sum()) * cell / 1000.0


def _lattice(surface: Surface, margins_mm: FloatArray) -> tuple[FloatArray, float]:
    """Return nodes that fill the box of a surface and a margin, and the volume of a cell in mm3."""
    low = surface.cloud.points_mm.min(axis=0) - margins_mm[1::2]
    high = surface.cloud.points_mm.max(axis=0) + margins_mm[0::2]
    step = max(2 * _FINEST_MM, float(np.cbrt(np.prod(high - low) / _NODES)))
    axes = [np.arange(a + 0.5 * step, b, step) for a, b in zip(low, high, strict=True)]
    nodes = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    return nodes, step**3


def place_of(point_mm: FloatArray, direction: FloatArray, surface: Surface) -> Place:
    """Return a place in words: its point, the nearest slice of `surface`, the direction that it faces."""
    offsets = surface.stack.offsets_mm
    w = float(surface.stack.frame.to_frame(point_mm[None, :])[0, 2])
    nearest = offsets[np.abs(offsets - w).argmin()]
    on_slice = surface.stack.frame.to_patient(np.array([[0.0, 0.0, nearest]]))[0]
    point: Point = (round(float(point_mm[0]), 1), round(float(point_mm[1]), 1), round(float(point_mm[2]), 1))
    return Place(
        point_mm=point,
        slice_mm=round(float(on_slice @ surface.slice_axis), 2),
        direction=direction_words(direction),
    )


def direction_words(direction: FloatArray) -> str:
    """Return a vector in words, such as ``left-inferior``: every axis along which it has a good part of its length."""
    unit = direction / max(float(np.linalg.norm(direction)), 1e-12)
    named = [(abs(unit[a]), DIRECTIONS[2 * a + int(unit[a] < 0)]) for a in range(3)]
    named.sort(key=lambda pair: -pair[0])
    return "-".join(name for size, name in named if size >= max(0.4, named[0][0] * 0.5)) or named[0][1]


def margin_along(direction: FloatArray, margins_mm: FloatArray) -> float:
    """Return the length of the expansion's ellipsoid along a vector."""
    unit = direction[None, :] / max(float(np.linalg.norm(direction)), 1e-12)
    return float(1.0 / np.sqrt(((unit / octant(unit, margins_mm)) ** 2).sum()))
