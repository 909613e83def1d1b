"""A structure's surface as points: exact on the drawn slices, smoothly run between them, closed beyond the last.

What lies between slices nobody drew. Here the section changes evenly from one slice to the next (its signed distance
is interpolated), and beyond an end slice it closes where the areas of the last slices say that it would, at most one
slice further. How far that is from any other reading is what the bands of a margin check state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import PlaneStack, stack_planes, with_rings
from dvhkit.engine.contours.repair import rings_of
from dvhkit.engine.contours.runs import Runs, find_runs
from dvhkit.engine.kernels.surface import plane_fields, scattered_field
from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure
from dvhkit.targets.achieved.caps import LEVEL_MM, Cap, caps_of, drawn_in_mm
from dvhkit.targets.achieved.cloud import Cloud, sorted_cloud

# About so many points describe a surface; their spacing follows from its area.
_POINTS = 12_000
_STEP_MM = (0.5, 3.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """A structure ready to be measured to and from."""

    structure: Structure
    stack: PlaneStack
    runs: Runs
    caps: tuple[Cap, ...]
    spacing_mm: float
    cloud: Cloud

    @property
    def name(self) -> str:
        """The structure's name."""
        return self.structure.name

    @property
    def slice_axis(self) -> FloatArray:
        """Unit vector across the slices, in patient coordinates."""
        return np.asarray(self.stack.frame.axes[2])

    def ends_mm(self) -> tuple[float, float]:
        """Return where it closes at its lower and upper end along `slice_axis`, in plane offsets."""
        low = min(self.stack.offsets_mm[c.plane] - c.height_mm for c in self.caps if not c.upward)
        high = max(self.stack.offsets_mm[c.plane] + c.height_mm for c in self.caps if c.upward)
        return float(low), float(high)

    def signed(self, points_mm: FloatArray) -> FloatArray:
        """Return a value negative inside and positive outside; on a drawn slice the exact distance in it, in mm."""
        uvw = self.stack.frame.to_frame(points_mm)
        w, offsets = uvw[:, 2], self.stack.offsets_mm
        above = np.searchsorted(offsets, w, side="right").clip(1, max(1, len(offsets) - 1))
        lower = np.minimum(above - 1, len(offsets) - 1)
        upper = np.minimum(above, len(offsets) - 1)
        beyond, closing = np.full(len(w), -np.inf), np.zeros(len(w))
        for cap in self.caps:
            height = (w - offsets[cap.plane]) * (1 if cap.upward else -1)
            here = (height > 0) & (height <= cap.gap_mm if self._faces_gap(cap) else True)
            nearer = here & self._is_nearest_end(cap, w)
            lower[nearer] = upper[nearer] = cap.plane
            closing[nearer] = drawn_in_mm(height[nearer], cap)
            beyond[nearer] = height[nearer] - cap.height_mm
        gap = offsets[upper] - offsets[lower]
        weight = np.divide(w - offsets[lower], gap, out=np.zeros(len(w)), where=gap > 0).clip(0, 1)
        field = np.empty(len(w))
        scattered_field(
            np.ascontiguousarray(uvw[:, :2]),
            lower.astype(np.int64),
            upper.astype(np.int64),
            weight,
            self.stack.points_mm,
            self.stack.ring_start,
            self.stack.plane_ring,
            field,
        )
        return np.asarray(np.maximum(field + closing, beyond))

    def _faces_gap(self, cap: Cap) -> bool:
        return False if cap.plane in (0, self.stack.n_planes - 1) else bool(cap.gap_mm)

    def _is_nearest_end(self, cap: Cap, w: FloatArray) -> NDArray[np.bool_]:
        """Whether `w` lies between this end and the middle of the gap that it faces."""
        offsets = self.stack.offsets_mm
        other = cap.plane + (1 if cap.upward else -1)
        if not 0 <= other < len(offsets):
            return np.ones(len(w), bool)
        middle = 0.5 * (offsets[cap.plane] + offsets[other])
        return np.asarray(w <= middle if cap.upward else w >= middle)


def make_surface(
    structure: Structure,
    *,
    fallback_spacing_mm: float | None = None,
    window_mm: tuple[FloatArray, FloatArray] | None = None,
    step_mm: float | None = None,
    cap_shares: tuple[float | None, float | None] = (None, None),
) -> Surface:
    """Return the surface of a structure.

    Parameters
    ----------
    fallback_spacing_mm
        Slice distance for a structure drawn on one slice.
    window_mm
        Low and high corner of a box in patient coordinates; what lies outside is left out.
    step_mm
        Distance between points; by default so that there are about 12,000.
    cap_shares
        Close lower and upper ends these shares of the slice distance further, instead of where the sections say.

    Raises
    ------
    NotEvaluable
        Nothing was drawn, or the slice distance is unknown.
    GeometryError
        Contours that are not planar or not parallel.
    """
    stack = stack_planes(structure)
    if stack is None:
        raise NotEvaluable(f"{structure.name} has no contour that bounds an area.", reason=Reason.EMPTY_STRUCTURE)
    stack = _mended(stack)
    runs = find_runs(stack, slice_spacing_mm=fallback_spacing_mm, fallback_mm=None)
    if runs is None:
        raise NotEvaluable(
            f"{structure.name} is drawn on one slice only, and nothing says how thick that is.",
            reason=Reason.NO_VOLUME,
        )
    spacing = float(np.median(np.diff(stack.offsets_mm))) if stack.n_planes > 1 else runs.end_gap_mm[0][0]
    window = _window(stack, window_mm)
    step = step_mm or _step_for(stack, spacing)
    caps = caps_of(stack, runs, cap_shares)
    cloud, caps = _cloud(stack, runs, caps, window, step)
    return Surface(structure=structure, stack=stack, runs=runs, caps=caps, spacing_mm=spacing, cloud=cloud)


def _mended(stack: PlaneStack) -> PlaneStack:
    """Return the stack with rings that cross or overlap put right, so that even and odd tell inside from outside."""
    planes = [stack.rings(p) for p in range(stack.n_planes)]
    odd = [p for p, rings in enumerate(planes) if not _is_plain(rings)]
    for p in odd:
        planes[p] = rings_of(stack.section(p))
    return (with_rings(stack, planes) or stack) if odd else stack


def _is_plain(rings: list[FloatArray]) -> bool:
    if any(len(ring) < 3 for ring in rings):
        return False
    shapes = [shapely.Polygon(ring) for ring in rings]
    if not all(shape.is_valid for shape in shapes):
        return False
    lines = [shape.exterior for shape in shapes]
    return not any(a.intersects(b) for i, a in enumerate(lines) for b in lines[:i])


def _window(stack: PlaneStack, window_mm: tuple[FloatArray, FloatArray] | None) -> tuple[FloatArray, FloatArray]:
    low = np.append(stack.points_mm.min(axis=0), -np.inf)
    high = np.append(stack.points_mm.max(axis=0), np.inf)
    if window_mm is None:
        return low, high
    box = np.array(np.meshgrid(*zip(*window_mm, strict=True))).reshape(3, -1).T
    corners = stack.frame.to_frame(box)
    return np.maximum(low, corners.min(axis=0)), np.minimum(high, corners.max(axis=0))


def _step_for(stack: PlaneStack, spacing_mm: float) -> float:
    # A grid of lines of step h crosses a surface about 1.5 times an h squared.
    edges = np.diff(stack.points_mm, axis=0, append=stack.points_mm[:1])
    inner = np.ones(len(edges), bool)
    inner[stack.ring_start[1:] - 1] = False
    length = float(np.linalg.norm(edges[inner], axis=1).sum())
    area = length * spacing_mm + 2.0 * float(np.abs(stack.areas_mm2()).max())
    return float(np.clip(np.sqrt(1.5 * area / _POINTS), *_STEP_MM))


def _cloud(
    stack: PlaneStack, runs: Runs, caps: tuple[Cap, ...], window: tuple[FloatArray, FloatArray], step: float
) -> tuple[Cloud, tuple[Cap, ...]]:
    low, high = window
    if np.any(low[:2] >= high[:2]):
        return _as_cloud(stack, [], step), caps
    xs = np.arange(low[0] - 2 * step, high[0] + 2.01 * step, step)
    ys = np.arange(low[1] - 2 * step, high[1] + 2.01 * step, step)
    pieces, deep = [], []
    for number, (first, stop) in enumerate(runs.bounds):
        planes = np.arange(first, stop)
        reach = (stack.offsets_mm[planes] >= low[2] - 2 * step) & (stack.offsets_mm[planes] <= high[2] + 2 * step)
        planes = planes[reach]
        ends = caps[2 * number : 2 * number + 2]
        if planes.size == 0:
            deep += list(ends)
            continue
        field = np.empty((len(planes), len(ys), len(xs)))
        plane_ring = stack.plane_ring[planes[0] : planes[-1] + 2]
        plane_fields(xs, ys, stack.points_mm, stack.ring_start, plane_ring, field)
        ends = tuple(_with_depth(cap, planes, field) for cap in ends)
        deep += list(ends)
        levels, layers = _layers(stack.offsets_mm[planes], field, [c for c in ends if c.plane in planes], step)
        rings = _ring_points(stack, planes, step, (xs[0], xs[-1], ys[0], ys[-1]))
        pieces.append(_crossings(xs, ys, levels, layers, rings))
    return _as_cloud(stack, pieces, step), tuple(deep)


def _with_depth(cap: Cap, planes: NDArray[np.int64], field: FloatArray) -> Cap:
    at = np.flatnonzero(planes == cap.plane)
    return replace(cap, depth_mm=float(max(0.0, -field[at[0]].min()))) if at.size else cap


def _layers(offsets_mm: FloatArray, field: FloatArray, ends: list[Cap], step: float) -> tuple[FloatArray, FloatArray]:
    """Return heights and fields: those of the planes, evenly changing ones between them, and the closing caps."""
    heights, layers = [float(offsets_mm[0])], [field[0]]
    for k in range(1, len(offsets_mm)):
        n = max(1, ceil((offsets_mm[k] - offsets_mm[k - 1]) / step - 1e-6))
        for t in np.arange(1, n + 1) / n:
            heights.append(float(offsets_mm[k - 1] + t * (offsets_mm[k] - offsets_mm[k - 1])))
            layers.append((1 - t) * field[k - 1] + t * field[k])
    for cap in ends:
        n = max(2, ceil(cap.height_mm / step))
        rises = cap.height_mm * np.append(np.arange(1, n + 1) / n, 1 + LEVEL_MM / max(cap.height_mm, LEVEL_MM))
        closing = drawn_in_mm(rises, cap)
        base, base_at = (layers[-1], heights[-1]) if cap.upward else (layers[0], heights[0])
        for rise, drawn_in in zip(rises, closing, strict=True):
            layer = base + drawn_in
            if rise > cap.height_mm:
                layer = np.maximum(layer, np.abs(base) + LEVEL_MM)
            where = len(layers) if cap.upward else 0
            heights.insert(where, base_at + rise if cap.upward else base_at - rise)
            layers.insert(where, layer)
    return np.array(heights), np.stack(layers)


def _ring_points(
    stack: PlaneStack, planes: NDArray[np.int64], step: float, box: tuple[float, float, float, float]
) -> FloatArray:
    """Return points along the drawn contours, at most `step` apart, every vertex among them; (u, v, w)."""
    pieces = []
    for plane in planes:
        for ring in stack.rings(int(plane)):
            following = np.roll(ring, -1, axis=0)
            parts = np.ceil(np.linalg.norm(following - ring, axis=1) / step).astype(int).clip(1)
            edge = np.repeat(np.arange(len(ring)), parts)
            t = (np.arange(len(edge)) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[edge]
            points = ring[edge] + t[:, None] * (following - ring)[edge]
            pieces.append(np.column_stack([points, np.full(len(points), stack.offsets_mm[plane])]))
    points = np.concatenate(pieces)
    inside = (points[:, 0] > box[0]) & (points[:, 0] < box[1]) & (points[:, 1] > box[2]) & (points[:, 1] < box[3])
    return np.asarray(points[inside])


def _crossings(
    xs: FloatArray, ys: FloatArray, levels: FloatArray, field: FloatArray, rings: FloatArray
) -> tuple[FloatArray, ...]:
    """Return where the lines of a grid cross the surface: points (u, v, w), normals, areas; then the ring points.

    A crossing of a line along axis a stands for an area (face of the cell) / |n_a|. Counted with n_a squared and summed
    over the three families of lines this is the area of the surface, whichever way it faces.
    """
    thick = np.gradient(levels) if len(levels) > 1 else np.ones(1)
    step = (xs[1] - xs[0]) * np.ones(len(xs)), (ys[1] - ys[0]) * np.ones(len(ys)), thick
    axes = (levels, ys, xs)
    points, faces, family = [], [], []
    for axis in range(3):
        n = field.shape[axis] - 1
        a = field.take(np.arange(n), axis=axis)
        b = field.take(np.arange(1, n + 1), axis=axis)
        at = np.nonzero((a < 0) != (b < 0))
        t = a[at] / (a[at] - b[at])
        found = np.column_stack([axes[d][at[d]] for d in (2, 1, 0)])
        found[:, 2 - axis] += t * (axes[axis][at[axis] + 1] - axes[axis][at[axis]])
        others = [d for d in range(3) if d != axis]
        points.append(found)
        faces.append(step[2 - others[0]][at[others[0]]] * step[2 - others[1]][at[others[1]]])
        family.append(np.full(len(found), 2 - axis))
    crossing = np.concatenate(points)
    everything = np.concatenate([crossing, rings])
    gradient = np.gradient(field, *axes) if min(field.shape) > 1 else [np.zeros_like(field), *np.gradient(field[0])]
    normals = np.column_stack([_interpolated(gradient[d], axes, everything) for d in (2, 1, 0)])
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]
    along = np.abs(normals[np.arange(len(crossing)), np.concatenate(family)])
    area = np.concatenate([np.concatenate(faces) * np.maximum(along, 1e-6), np.zeros(len(rings))])
    return everything, normals, area


def _interpolated(values: FloatArray, axes: tuple[FloatArray, ...], points: FloatArray) -> FloatArray:
    """Return `values` on a rectilinear grid, interpolated linearly at points (u, v, w)."""
    low, share = [], []
    for axis, column in zip(axes, (2, 1, 0), strict=True):
        k = np.searchsorted(axis, points[:, column], side="right").clip(1, len(axis) - 1) - 1
        low.append(k)
        share.append(((points[:, column] - axis[k]) / (axis[k + 1] - axis[k])).clip(0, 1))
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        weight = np.ones(len(points))
        for d in range(3):
            weight = weight * (share[d] if corner[d] else 1 - share[d])
        total += weight * values[low[0] + corner[0], low[1] + corner[1], low[2] + corner[2]]
    return total


def _as_cloud(stack: PlaneStack, pieces: list[tuple[FloatArray, ...]], step: float) -> Cloud:
    if not pieces:
        none = np.zeros((0, 3))
        return sorted_cloud(none, none, np.zeros(0), np.zeros(0, bool), step)
    points, normals, area = (np.concatenate(part) for part in zip(*pieces, strict=True))
    patient = stack.frame.to_patient(points)
    return sorted_cloud(patient, normals @ stack.frame.axes, area, area == 0, step)
