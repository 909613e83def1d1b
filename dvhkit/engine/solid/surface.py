"""A solid's surface: inside or outside at any point, and points with normals that stand for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import plane_of_ring
from dvhkit.engine.kernels.solid.nodes import sign_changes, slopes_at, values_at
from dvhkit.engine.lattice import Lattice
from dvhkit.engine.options import Between
from dvhkit.engine.solid.sampled import linked, sampled, window_over
from dvhkit.engine.solid.solid import Solid
from dvhkit.model.arrays import FloatArray

# A field has about this many nodes: memory, and time, are bounded by it.
_NODES = 2_500_000
_FINEST_MM = 0.4
# About so many points describe a surface; their spacing follows from its area.
_POINTS = 12_000
_STEP_MM = (0.5, 3.0)
# Two layers, one with and one without tissue, are this far apart.
_FACE_MM = 5e-3
# Room for crossings along one axis before they are counted.
_CROSSINGS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InsideField:
    """A solid's surface at the nodes of a grid: negative inside, about the distance within the plane in mm.

    `values` (w, v, u) at `axes`: the heights, rows and columns of the nodes, ascending.
    """

    axes: tuple[FloatArray, FloatArray, FloatArray]
    values: NDArray[np.float32]

    def at(self, points_uvw: FloatArray) -> FloatArray:
        """Return the field at points (n, 3), linear between nodes; beyond all nodes how far a point lies from them."""
        inside = interpolated(self.values, self.axes, points_uvw)
        away = np.zeros(len(points_uvw))
        for axis, column in zip(self.axes, (2, 1, 0), strict=True):
            x = points_uvw[:, column]
            away = np.maximum(away, np.maximum(axis[0] - x, x - axis[-1]))
        return np.where(away > 0, np.maximum(inside, 0.0) + away, inside)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """Points on a solid's surface, in patient coordinates.

    Attributes
    ----------
    points_mm, normals : (n, 3)
        Unit normals point outwards.
    area_mm2 : (n,)
        The part of the surface for which a point stands; zero for points of drawn contours, added for exactness.
    on_ring : (n,)
        Whether a point lies on a drawn contour.
    step_mm
        About the distance between neighbours.
    """

    points_mm: FloatArray
    normals: FloatArray
    area_mm2: FloatArray
    on_ring: NDArray[np.bool_]
    step_mm: float


@lru_cache(maxsize=8)
def inside_field(solid: Solid) -> InsideField:
    """Return the solid at the nodes of a grid as fine as memory allows, 0.4 mm at least."""
    stack = solid.stack
    extent = np.append(np.ptp(stack.points_mm, axis=0) + 2 * linked(solid).margin_mm, 0.0)
    extent[2] = float(solid.hi_mm.max() - solid.lo_mm.min())
    step = max(_FINEST_MM, float(np.cbrt(np.prod(extent + 2.0) / _NODES)))
    return field_of(solid, window_over(solid, step), step)


def field_of(
    solid: Solid, lattice: Lattice, step_mm: float, *, between_mm: tuple[float, float] = (-np.inf, np.inf)
) -> InsideField:
    """Return the solid at the nodes of a lattice, at heights no more than `step_mm` apart, between two of them."""
    heights = _layer_heights(linked(solid), step_mm)
    if np.isfinite(between_mm).any():
        near = (heights >= between_mm[0] - 2 * step_mm) & (heights <= between_mm[1] + 2 * step_mm)
        heights = heights[near] if near.sum() > 1 else heights[:2]
    values = np.full((len(heights), lattice.n_rows + 1, lattice.n_columns + 1), 2.0 * step_mm, np.float32)
    for which, found in sampled(solid, lattice, heights):
        values[which] = found
    us = lattice.origin_mm[0] + lattice.step_mm[0] * np.arange(lattice.n_columns + 1)
    vs = lattice.origin_mm[1] + lattice.step_mm[1] * np.arange(lattice.n_rows + 1)
    return InsideField(axes=(heights, vs, us), values=values)


def make_surface(
    solid: Solid,
    *,
    step_mm: float | None = None,
    field: InsideField | None = None,
    box_uvw: tuple[FloatArray, FloatArray] | None = None,
) -> Surface:
    """Return points where the lines of a grid cross the surface, and points along the drawn contours.

    Parameters
    ----------
    step_mm
        Distance between points; by default so that there are about 12,000.
    field
        Made before, with this step; only where it reaches are there points.
    box_uvw
        Low and high corner of a box in the frame of the planes; points outside of it are left out.
    """
    step = step_mm or step_for(solid)
    field = field or field_of(solid, window_over(solid, step), step)
    rings = _ring_points(solid, step, field.axes[0])
    if box_uvw is not None:
        rings = rings[np.all((rings >= box_uvw[0]) & (rings <= box_uvw[1]), axis=1)]
    points, normals, area = _crossings(field, rings, box_uvw)
    frame = solid.stack.frame
    return Surface(
        points_mm=frame.to_patient(points),
        normals=normals @ frame.axes,
        area_mm2=area,
        on_ring=area == 0,
        step_mm=step,
    )


def step_for(solid: Solid) -> float:
    """Return the distance between points at which a surface has about 12,000."""
    # A grid of lines of step h crosses a surface about 1.5 times an h squared.
    stack = solid.stack
    edges = np.diff(stack.points_mm, axis=0, append=stack.points_mm[:1])
    inner = np.ones(len(edges), bool)
    inner[stack.ring_start[1:] - 1] = False
    length = float(np.linalg.norm(edges[inner], axis=1).sum())
    area = length * solid.usual_gap_mm + 2.0 * float(np.abs(stack.areas_mm2()).max())
    return float(np.clip(np.sqrt(1.5 * area / _POINTS), *_STEP_MM))


def _layer_heights(solid: Solid, step_mm: float) -> FloatArray:
    """Return the drawn planes, heights between them, and where caps end, ascending."""
    stack, links = solid.stack, solid.links
    assert links is not None
    offsets = stack.offsets_mm
    plane = plane_of_ring(stack)
    found = [offsets]
    for first, stop in solid.runs.bounds:
        for low, high in zip(offsets[first : stop - 1], offsets[first + 1 : stop], strict=True):
            n = max(1, ceil((high - low) / step_mm - 1e-6))
            found.append(low + (high - low) * np.arange(1, n) / n)
            if solid.options.between is Between.PRISM:
                found.append(0.5 * (low + high) + _FACE_MM * np.array([-1.0, 1.0]))
    for height, sign in ((links.up_mm, 1.0), (links.down_mm, -1.0)):
        for at, h in {(float(offsets[p]), float(h)) for p, h in zip(plane, height, strict=True) if h > 2 * _FACE_MM}:
            n = max(2, ceil(h / step_mm))
            rises = np.append(h * (1.0 - (1.0 - np.arange(1, n) / n) ** 2), [h - _FACE_MM, h + _FACE_MM])
            found.append(at + sign * rises)
    heights = np.sort(np.concatenate(found))
    heights = heights[np.append(True, np.diff(heights) > 0.2 * _FACE_MM)]
    return np.concatenate([[heights[0] - _FACE_MM], heights, [heights[-1] + _FACE_MM]])


def _ring_points(solid: Solid, step: float, heights_mm: FloatArray) -> FloatArray:
    """Return points along the drawn contours, at most `step` apart, every vertex among them; (u, v, w)."""
    stack, pieces = solid.stack, [np.empty((0, 3))]
    inside = (stack.offsets_mm >= heights_mm[0]) & (stack.offsets_mm <= heights_mm[-1])
    for plane in np.flatnonzero(inside):
        for ring in stack.rings(int(plane)):
            following = np.roll(ring, -1, axis=0)
            parts = np.ceil(np.linalg.norm(following - ring, axis=1) / step).astype(int).clip(1)
            edge = np.repeat(np.arange(len(ring)), parts)
            t = (np.arange(len(edge)) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[edge]
            points = ring[edge] + t[:, None] * (following - ring)[edge]
            pieces.append(np.column_stack([points, np.full(len(points), stack.offsets_mm[plane])]))
    return np.concatenate(pieces)


def _crossings(
    field: InsideField, rings: FloatArray, box_uvw: tuple[FloatArray, FloatArray] | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return where the lines of a grid cross the surface: points (u, v, w), normals, areas; then the ring points.

    A crossing of a line along axis a stands for an area (face of the cell) / |n_a|. Counted with n_a squared and summed
    over the three families of lines this is the area of the surface, whichever way it faces.
    """
    axes, values = field.axes, field.values
    step = [np.gradient(axis) for axis in axes]
    points, faces, family = [], [], []
    for axis in range(3):
        at = _sign_changes(field, axis, box_uvw)
        onward = at + np.eye(3, dtype=np.int64)[axis]
        a, b = values[tuple(at.T)], values[tuple(onward.T)]
        t = a / (a - b)
        found = np.column_stack([axes[d][at[:, d]] for d in (2, 1, 0)])
        found[:, 2 - axis] += t * (axes[axis][at[:, axis] + 1] - axes[axis][at[:, axis]])
        one, two = (d for d in range(3) if d != axis)
        points.append(found)
        faces.append(step[one][at[:, one]] * step[two][at[:, two]])
        family.append(np.full(len(found), 2 - axis))
    crossing = np.concatenate(points)
    everything = np.concatenate([crossing, rings])
    normals = np.empty_like(everything)
    slopes_at(values, *axes, everything, normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]
    along = np.abs(normals[np.arange(len(crossing)), np.concatenate(family)])
    area = np.concatenate([np.concatenate(faces) * np.maximum(along, 1e-6), np.zeros(len(rings))])
    return everything, normals, area


def _sign_changes(field: InsideField, axis: int, box_uvw: tuple[FloatArray, FloatArray] | None) -> NDArray[np.int64]:
    """Return the nodes (n, 3) of w, v, u beyond which lines along an axis cross the surface, in a box or everywhere."""
    low, high = np.zeros(3, np.int64), np.array(field.values.shape)
    if box_uvw is not None:
        for d, column in enumerate((2, 1, 0)):
            low[d] = np.searchsorted(field.axes[d], box_uvw[0][column])
            high[d] = np.searchsorted(field.axes[d], box_uvw[1][column], side="right")
    found = np.empty((_CROSSINGS, 3), np.int64)
    count = sign_changes(field.values, axis, low, high, found)
    if count > len(found):
        found = np.empty((count, 3), np.int64)
        sign_changes(field.values, axis, low, high, found)
    return found[:count]


def interpolated(values: NDArray[Any], axes: tuple[FloatArray, ...], points: FloatArray) -> FloatArray:
    """Return `values` (w, v, u) on a rectilinear grid, interpolated linearly at points (u, v, w)."""
    out = np.empty(len(points))
    values_at(values, axes[0], axes[1], axes[2], np.ascontiguousarray(points), out)
    return out
