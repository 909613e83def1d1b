"""Parts that go on nowhere: how they are closed between one slice and the next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.contours.repair import rings_of
from dvhkit.engine.kernels.outline import edge_distance
from dvhkit.engine.kernels.support import reaches
from dvhkit.engine.loft_bridge import convex_ring, merged_normals
from dvhkit.engine.loft_parts import CURVATURE_MAX, SECTIONS_MAX, STEP_MM, Gap, Part, Window
from dvhkit.engine.trace import trace_zero
from dvhkit.model.arrays import FloatArray

# The last section drawn of a rounded cap, in parts of the inradius it starts from.
_TIP_FRAC = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """Where a part that goes on nowhere ends: its inradius squared along the way, and the height of the cap."""

    square_mm2: float
    slope_mm: float
    curvature: float
    height_mm: float

    def square_at(self, t: float) -> float:
        return self.square_mm2 + self.slope_mm * t + self.curvature * t * t


def chain_of(gap: Gap, part: Part, *, upward: bool, is_hole: bool = False) -> list[tuple[float, Part]]:
    """Return a part and those it grew from, nearest first, with the distance of their slices; at most three."""
    k, step = (gap.k, -1) if upward else (gap.k + 1, 1)
    chain = [(0.0, part)]
    for n in (1, 2):
        plane = gap.plane(k + n * step)
        last = chain[-1][1]
        found = (plane.hole_over(last.shape) if is_hole else plane.touching(last.shape)) if plane else None
        if plane is None or found is None or len(found.polygons) != len(part.polygons):
            break
        if not part.holes:
            # A cavity that has ended says nothing of how the outside goes on.
            found = found.filled
        elif len(found.holes) != len(part.holes):
            break
        chain.append((abs(plane.w_mm - gap.planes[k].w_mm), found))
    return chain


class Cap:
    """A part, or a hole, that goes on nowhere: it is closed within the gap."""

    def __init__(self, gap: Gap, part: Part, *, upward: bool, is_hole: bool = False) -> None:
        self.gap, self.part, self.upward, self.is_hole = gap, part, upward, is_hole
        self.before = chain_of(gap, part, upward=upward, is_hole=is_hole)
        self.profile = self._profile()

    def _profile(self) -> _Profile:
        gap = self.gap.high - self.gap.low
        square = self.part.radius_mm**2
        flat = _Profile(square, 0.0, 0.0, 0.5 * gap)
        if len(self.before) == 1:
            return flat
        t = np.array([-d for d, _ in self.before])
        s = np.array([p.radius_mm**2 for _, p in self.before])
        first = (s[1] - s[0]) / t[1]
        # Two slices leave the curvature open: that of a sphere.
        curvature = -1.0 if len(t) == 2 else float(((s[2] - s[0]) / t[2] - first) / (t[2] - t[1]))
        slope = float(first - curvature * t[1])
        root = _first_root(square, slope, curvature)
        if root is None or root > 2 * gap:
            return flat
        # A shape that would reach well past the next slice was cut off before it: half way, as seen from far.
        height = root if root <= gap else gap - 0.5 * (root - gap)
        tip = _first_root(square * (1 - _TIP_FRAC**2), slope, curvature)
        return _Profile(square, slope, curvature, min(height, tip if tip is not None else height))

    def heights(self) -> list[float]:
        """Return heights at which the section's inradius falls in even steps."""
        p = self.profile
        end = p.square_at(p.height_mm)
        steps = 1
        if p.slope_mm or p.curvature:
            steps = max(2, min(SECTIONS_MAX, ceil(sqrt(0.25 * p.height_mm / self.gap.sag_mm))))
        r0, r1 = sqrt(p.square_mm2), sqrt(max(end, 0.0))
        rises = [p.height_mm]
        for n in range(1, steps):
            radius = r0 + (r1 - r0) * n / steps
            root = _first_root(p.square_mm2 - radius * radius, p.slope_mm, p.curvature)
            if root is not None and root < p.height_mm:
                rises.append(root)
        beyond = [p.height_mm + STEP_MM]
        sign = 1.0 if self.upward else -1.0
        start = self.gap.low if self.upward else self.gap.high
        return [start + sign * t for t in rises + beyond]

    def rings_at(self, w: float) -> list[FloatArray]:
        """Return the section at a height."""
        rings = self._filled_at(w)
        return [ring[::-1] for ring in rings] if self.is_hole else rings

    def _filled_at(self, w: float) -> list[FloatArray]:
        p = self.profile
        t = w - self.gap.low if self.upward else self.gap.high - w
        if t > p.height_mm + 0.5 * STEP_MM:
            return []
        if not (p.slope_mm or p.curvature):
            return rings_of(self.part.shape)
        if self._reach is not None:
            return self._convex_at(t)
        window, inside, rim, classes = self._fields
        inset = sqrt(p.square_mm2) - sqrt(max(p.square_at(t), 0.0))
        left = np.min([distance - share * inset for share, distance in classes], axis=0)
        return trace_zero(np.where(inside, -left, rim), origin_uv=window.origin_mm, step_mm=window.step_mm)

    def _convex_at(self, t: float) -> list[FloatArray]:
        assert self._reach is not None
        normals, square, slope, curvature, most = self._reach
        value = square + t * (slope + t * curvature)
        reach = np.minimum(np.sign(value) * np.sqrt(np.abs(value)), np.sqrt(square) + t * most)
        return convex_ring(normals, reach + normals @ self._middle_at(t))

    def _middle_at(self, t: float) -> FloatArray:
        """Return where the middle goes: on as it went, and no further than to where it would turn round."""
        t1 = -self.before[1][0]
        c0, c1 = self.part.middle, self.before[1][1].middle
        first = (c1 - c0) / t1
        if len(self.before) == 2:
            return np.asarray(c0 + t * first)
        t2, c2 = -self.before[2][0], self.before[2][1].middle
        bend = ((c2 - c0) / t2 - first) / (t2 - t1)
        slope = first - bend * t1
        turning = np.where(slope * bend < 0, -0.5 * slope / np.where(bend == 0, 1.0, bend), np.inf)
        slows = slope * bend < 0
        at = np.minimum(t, turning)
        return np.asarray(c0 + at * (slope + np.where(slows, bend, 0.0) * at))

    @cached_property
    def _reach(self) -> tuple[FloatArray, ...] | None:
        """Return how far each direction reaches beyond a convex part: each goes on as it went; None for other parts."""
        outlines = [None if p.holes else p.outline for _, p in self.before]
        if any(o is None for o in outlines) or len(outlines) == 1:
            return None
        known = [o for o in outlines if o is not None]
        normals = merged_normals(known[0], known[1])
        t = [-d for d, _ in self.before]
        reach = np.empty((len(known), len(normals)))
        for row, outline, (_, part) in zip(reach, known, self.before, strict=True):
            reaches(outline.points, part.middle, normals, row)
        square = reach * np.abs(reach)
        first = (square[1] - square[0]) / t[1]
        curvature = np.full(len(normals), -1.0)
        if len(known) == 3:
            bend = ((square[2] - square[0]) / t[2] - first) / (t[2] - t[1])
            curvature = np.clip(bend, -CURVATURE_MAX, CURVATURE_MAX)
        # What has been growing goes on at most as fast.
        most = np.maximum(0.0, (reach[0] - reach[1]) / -t[1])
        return normals, square[0], first - curvature * t[1], curvature, most

    @cached_property
    def _fields(self) -> tuple[Window, NDArray[np.bool_], FloatArray, list[tuple[float, FloatArray]]]:
        """Return the nodes inside, all distances to the outline, and those to each set of edges that recede alike.

        An edge goes on receding as it receded from the slice before: a face that stood still stands still.
        """
        radius = min(self.part.radii_mm)
        step = max(min(self.gap.step_mm, radius / 14), self.gap.step_mm / 8)
        window = Window.over([self.part.shape], step)
        nodes = np.argwhere(np.ones(window.shape, np.bool_))[:, ::-1].astype(np.float64)
        edges, shares = self._receding()
        edges = ((edges.reshape(-1, 2, 2) - window.origin_mm) / step).reshape(-1, 4)
        classes = []
        for share in np.unique(shares):
            distance = np.empty(len(nodes))
            edge_distance(np.ascontiguousarray(edges[shares == share]), nodes, distance)
            classes.append((float(share), step * distance.reshape(window.shape)))
        rim = np.min([distance for _, distance in classes], axis=0)
        return window, window.inside(self.part.shape), rim, classes

    def _receding(self) -> tuple[FloatArray, FloatArray]:
        """Return the outline's edges (n, 4), and how far each receded from the slice before, in units of the inradius.

        Measured along the edge's normal, in steps of an eighth, from 0 to 3.
        """
        rings = rings_of(self.part.shape)
        edges = np.concatenate([np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in rings])
        edges = edges[np.hypot(edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]) > 1e-6]
        before = self.before[1][1]
        usual = before.radius_mm - self.part.radius_mm
        if usual < 0.05 * self.part.radius_mm:
            return edges, np.ones(len(edges))
        along = edges[:, 2:] - edges[:, :2]
        normal = np.column_stack([along[:, 1], -along[:, 0]]) / np.hypot(*along.T)[:, None]
        middle = 0.5 * (edges[:, 2:] + edges[:, :2])
        rays = shapely.linestrings(np.stack([middle, middle + 3.0 * usual * normal], axis=1))
        shapely.prepare(before.shape)
        receded = shapely.length(shapely.intersection(rays, before.shape)) / usual
        return edges, np.clip(np.round(8 * receded) / 8, 0.0, 3.0)


def _first_root(square: float, slope: float, curvature: float) -> float | None:
    """Return the least t > 0 where ``square + slope t + curvature t^2`` is 0; a near miss counts."""
    if square <= 0:
        return 0.0
    disc = slope * slope - 4 * curvature * square
    if disc < 0:
        turning = -slope / (2 * curvature) if curvature > 0 and slope < 0 else None
        # A cone touches zero at its tip; rounding of the contours may lift it off.
        misses = turning is None or square + 0.5 * slope * turning > 0.02 * square
        return None if misses else turning
    # Citardauq: stable for either sign of the curvature, zero included.
    if slope <= 0:
        low = -slope + sqrt(disc)
        return 2 * square / low if low > 0 else None
    return None if curvature >= 0 else (slope + sqrt(disc)) / (-2 * curvature)
