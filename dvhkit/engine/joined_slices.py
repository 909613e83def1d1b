"""Slices of a structure as distances to their outlines, joined by upright walls or straight lines, in a dose.

Between two slices straight lines are taken as shape-based interpolation takes them: distances to the outlines run
linearly from one slice to the next (Raya and Udupa 1990). Other programs join slices so; the engine's surface bends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.sampled import SPREAD, DosePoints, Slabs, contains
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import Dose

# Heights at which the space between two slices is sampled; even, so that upright walls change half way.
LEVELS = 4
# Nearer to an outline than this distances to it are exact; farther away at most a twentieth of a column too long.
_EXACT_PITCHES = 3.0
# Two slabs with less between them touch.
_TOUCH_MM = 0.01
_LATTICE_LEAST, _LATTICE_MOST = 24, 90


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined:
    """Segments between neighbouring slices, and beyond the ends, on one lattice of columns.

    Attributes
    ----------
    inside_mm : (n_planes, n_v, n_u)
        Distance to each slice's outline on the lattice, positive inside.
    aside_mm : (n_segments, 2)
        How far the columns of a segment stand from the lattice's: a dose that varies along u alone would otherwise be
        met at a few values only.
    lower, upper : (n_segments,)
        The slices that a segment lies between; the same one beyond an end.
    share : (n_segments, LEVELS)
        How far up from the lower slice to the upper each level lies, 0..1.
    part_cc : (n_segments,)
        What a point stands for that lies wholly inside.
    gy : (n_segments, LEVELS, n_v * n_u)
        Dose at the points, NaN outside the grid; `points` holds them, level after level, to be looked at moved.
    """

    u_mm: FloatArray
    v_mm: FloatArray
    inside_mm: FloatArray
    aside_mm: FloatArray
    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    share: FloatArray
    part_cc: FloatArray
    points: DosePoints
    gy: FloatArray

    @property
    def pitch_mm(self) -> float:
        """Distance between columns."""
        return float(self.u_mm[1] - self.u_mm[0])

    def columns(self, segment: int) -> tuple[FloatArray, FloatArray]:
        """Return where the columns of a segment stand, u and v, (n_v * n_u,) each."""
        u, v = np.meshgrid(self.u_mm + self.aside_mm[segment, 0], self.v_mm + self.aside_mm[segment, 1])
        return u.ravel(), v.ravel()

    def distances(self, plane: int, u_mm: FloatArray, v_mm: FloatArray) -> FloatArray:
        """Return the distances to a slice's outline at any points, (n,), bilinearly; beyond the lattice its edge's."""
        inside = self.inside_mm[plane]
        column = np.clip((u_mm - self.u_mm[0]) / self.pitch_mm, 0.0, inside.shape[1] - 1.001)
        row = np.clip((v_mm - self.v_mm[0]) / self.pitch_mm, 0.0, inside.shape[0] - 1.001)
        i, j = column.astype(int), row.astype(int)
        x, y = column - i, row - j
        at = j * inside.shape[1] + i
        flat, down = inside.ravel(), inside.shape[1]
        low = flat[at] + x * (flat[at + 1] - flat[at])
        high = flat[at + down] + x * (flat[at + down + 1] - flat[at + down])
        return np.asarray(low + y * (high - low))

    def filled(self, segment: int, below: FloatArray, above: FloatArray, *, straight: bool) -> FloatArray:
        """Return which part of each point lies inside, (LEVELS, n), from distances to the slices around it, (n,)."""
        share = self.share[segment][:, None]
        between = below + share * (above - below) if straight else np.where(share < 0.5, below, above)
        return np.asarray(np.clip(between / self.pitch_mm + 0.5, 0.0, 1.0))

    def weights_cc(self, *, straight: bool) -> FloatArray:
        """Return what each point stands for inside the structure, as `gy` is laid out."""
        found = np.empty_like(self.gy)
        for n, around in enumerate(zip(self.lower, self.upper, strict=True)):
            below, above = (self.distances(int(plane), *self.columns(n)) for plane in around)
            found[n] = self.filled(n, below, above, straight=straight) * self.part_cc[n]
        return found


def join_slices(slabs: Slabs, dose: Dose, *, columns: int, reach_mm: float) -> Joined:
    """Return the segments of a structure on a lattice of about `columns` inside a section, and `reach_mm` around.

    The lattice has at most 90 columns a side: of what is large, a column is a small part in any case.
    """
    bounds = np.array([section.bounds for section in slabs.sections if not section.is_empty])
    u0, v0 = bounds[:, :2].min(axis=0) - reach_mm
    u1, v1 = bounds[:, 2:].max(axis=0) + reach_mm
    area = max(float(np.mean([section.area for section in slabs.sections])), 1e-6)
    side = max(u1 - u0, v1 - v0)
    pitch = min(max((area / columns) ** 0.5, side / _LATTICE_MOST), side / _LATTICE_LEAST)
    u, v = np.arange(u0 + pitch / 2, u1 + pitch, pitch), np.arange(v0 + pitch / 2, v1 + pitch, pitch)
    uu, vv = np.meshgrid(u, v)
    inside = np.array([_distances(section, uu, vv, 2 * reach_mm + side) for section in slabs.sections])
    lower, upper, low, high = _segments(slabs)
    middle = (np.arange(LEVELS) + 0.5) / LEVELS
    heights = low[:, None] + middle * (high - low)[:, None]
    aside = ((np.arange(len(low))[:, None] * SPREAD) % 1.0 - 0.5) * pitch
    points = DosePoints(slabs, _points(uu + aside[:, :1, None], vv + aside[:, 1:, None], heights), dose)
    return Joined(
        u_mm=u,
        v_mm=v,
        inside_mm=inside,
        aside_mm=aside,
        lower=lower,
        upper=upper,
        share=np.tile(middle, (len(lower), 1)),
        part_cc=(high - low) * pitch * pitch / 1000.0 / LEVELS,
        points=points,
        gy=points.gy().reshape(*heights.shape, uu.size),
    )


def _points(u: FloatArray, v: FloatArray, heights: FloatArray) -> FloatArray:
    """Return the points (n, 3) at heights (n_segments, LEVELS) of columns (n_segments, n_v, n_u)."""
    shape = (*heights.shape, *u.shape[1:])
    parts = (u[:, None], v[:, None], heights[:, :, None, None])
    return np.stack([np.broadcast_to(part, shape) for part in parts], axis=-1).reshape(-1, 3)


def _distances(section: Any, uu: FloatArray, vv: FloatArray, none_mm: float) -> FloatArray:  # noqa: ANN401 -- shapely
    if section.is_empty:
        return np.full(uu.shape, -none_mm)
    boundary, pitch = section.boundary, float(uu[0, 1] - uu[0, 0])
    # To points set along the outline, which is as good as the outline from farther than they are apart.
    on = shapely.STRtree(shapely.points(shapely.get_coordinates(shapely.segmentize(boundary, pitch))))
    at = np.column_stack([uu.ravel(), vv.ravel()])
    (asked, _), found = on.query_nearest(shapely.points(at), return_distance=True, all_matches=False)
    away = np.empty(len(at))
    away[asked] = found
    close = np.flatnonzero(away < _EXACT_PITCHES * pitch)
    away[close] = shapely.distance(shapely.points(at[close]), boundary)
    inside = contains(section, at[:, 0], at[:, 1])
    return np.asarray(np.where(inside, away, -away).reshape(uu.shape))


def _segments(slabs: Slabs) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, FloatArray]:
    """Return lower and upper slice, beginning and end of each segment; those without height are left out."""
    at, rows = slabs.stack.offsets_mm, []
    last = len(slabs.sections) - 1
    for k in range(last + 1):
        if k == 0 or slabs.lo_mm[k] - slabs.hi_mm[k - 1] > _TOUCH_MM:
            rows.append((k, k, float(slabs.lo_mm[k]), float(at[k])))
        if k < last and slabs.lo_mm[k + 1] - slabs.hi_mm[k] <= _TOUCH_MM:
            rows.append((k, k + 1, float(at[k]), float(at[k + 1])))
        else:
            rows.append((k, k, float(at[k]), float(slabs.hi_mm[k])))
    kept = [row for row in rows if row[3] - row[2] > _TOUCH_MM]
    lower, upper, low, high = (np.array(column) for column in zip(*kept, strict=True))
    return lower, upper, low.astype(float), high.astype(float)
