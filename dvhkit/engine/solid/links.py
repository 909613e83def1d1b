"""How the rings of drawn planes go on from one to the next, and how far the solid reaches beyond those that end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import PlaneStack, next_in_ring, plane_of_ring
from dvhkit.engine.contours.runs import Runs
from dvhkit.engine.kernels.solid.links import link, reach, ring_shapes
from dvhkit.engine.options import EndCap, EngineOptions
from dvhkit.engine.solid.ends import cap_mm
from dvhkit.model.arrays import FloatArray

# An outline that turns aside by more than this part of its half-thickness, or turns or changes its shape by more than
# this, has jumped: how it went on so far says nothing of what lies beyond its last slice.
_JUMP_FRAC = 0.5
# A hole that widens by more than this share of what its outline narrows by lies in a wall round across itself.
_OPPOSITE_FRAC = 0.3
# A wall that changes its thickness by less than this share is upright.
_CHANGES_FRAC = 0.05
# So many sections tell a quadratic, and nothing of whether the solid is one.
FEW_PLANES = 4
# A rounded end holds about two thirds of the prism of its height.
_ROUND_FRAC = 2.0 / 3.0
# What one slice alone meets is thinner than two slice distances. Of the heights that it may have, at any place, all but
# 2.25 % (0.15 squared) lie between these shares of one.
_LONE_LEAST, _LONE_MOST = 0.15, 1.85


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """How the rings of a stack go on from plane to plane; one entry a ring unless said otherwise.

    Attributes
    ----------
    following, point_ring
        One a point: the next point of the same ring, and its ring.
    x_mm, y_mm, size_mm, is_hole, rho2
        Centroid (u, v), radius of the circle of equal area, whether the ring bounds a hole, and the squared
        half-thickness in mm2 of what it bounds.
    thick_mm
        Half-thickness of the ring itself.
    above, below
        The ring that it goes on as; -1 where it ends, -2 where it branches.
    up_mm, down_mm, up_order, down_order
        How far the solid reaches beyond a ring that ends, and after which rule; see kernel `reach`.
    up_stretch, down_stretch
        By what factor a rounded end is higher than its rule says.
    wall_mm
        Half-thickness of a wall that is round across itself, as a torus is: of its outer ring, and negative of the
        inner one; 0 for all others.
    """

    following: NDArray[np.int64]
    point_ring: NDArray[np.int64]
    x_mm: FloatArray
    y_mm: FloatArray
    size_mm: FloatArray
    is_hole: NDArray[np.bool_]
    rho2: FloatArray
    thick_mm: FloatArray
    above: NDArray[np.int64]
    below: NDArray[np.int64]
    up_mm: FloatArray
    down_mm: FloatArray
    up_order: NDArray[np.int64]
    down_order: NDArray[np.int64]
    up_stretch: FloatArray
    down_stretch: FloatArray
    wall_mm: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """What of `Links` follows from the outlines alone, whatever the options; `rho2` of rings and of what they bound.

    `jumps`: seen from below and from above.
    """

    following: NDArray[np.int64]
    point_ring: NDArray[np.int64]
    x_mm: FloatArray
    y_mm: FloatArray
    size_mm: FloatArray
    is_hole: NDArray[np.bool_]
    own_rho2: FloatArray
    full_rho2: FloatArray
    above: NDArray[np.int64]
    below: NDArray[np.int64]
    wall_mm: FloatArray
    jumps: tuple[NDArray[np.bool_], NDArray[np.bool_]]


@lru_cache(maxsize=32)
def as_drawn(stack: PlaneStack, runs: Runs) -> _Drawn:
    """Return what all readings of the same outlines share."""
    n_rings = len(stack.ring_start) - 1
    x, y, size, own_rho2, full_rho2 = (np.empty(n_rings) for _ in range(5))
    is_hole = np.empty(n_rings, np.bool_)
    ring_shapes(stack.points_mm, stack.ring_start, stack.plane_ring, x, y, size, is_hole, own_rho2, full_rho2)
    above, below = np.empty(n_rings, np.int64), np.empty(n_rings, np.int64)
    run_of_plane = np.repeat(np.arange(len(runs.bounds)), [stop - first for first, stop in runs.bounds])
    link(stack.points_mm, stack.ring_start, stack.plane_ring, run_of_plane, is_hole, above, below)
    place, thick, lie = np.column_stack([x, y]), np.sqrt(own_rho2), _lie(stack)
    return _Drawn(
        following=next_in_ring(stack),
        point_ring=np.repeat(np.arange(n_rings), np.diff(stack.ring_start)),
        x_mm=x,
        y_mm=y,
        size_mm=size,
        is_hole=is_hole,
        own_rho2=own_rho2,
        full_rho2=full_rho2,
        above=above,
        below=below,
        wall_mm=_round_walls_mm(stack, size, is_hole, above),
        jumps=(_jumps(stack, place, thick, lie, below), _jumps(stack, place, thick, lie, above)),
    )


@lru_cache(maxsize=32)
def _usual_reaches(stack: PlaneStack, runs: Runs) -> tuple[FloatArray, list[tuple[FloatArray, NDArray[np.int64]]]]:
    drawn = as_drawn(stack, runs)
    rho2 = np.where(drawn.wall_mm > 0, drawn.wall_mm**2, drawn.own_rho2)
    return rho2, _reaches(stack, runs, rho2)


def _reaches(stack: PlaneStack, runs: Runs, rho2: FloatArray) -> list[tuple[FloatArray, NDArray[np.int64]]]:
    """Return how far rings that end reach upwards and downwards by their shape, and after which rule."""
    drawn, n_rings = as_drawn(stack, runs), len(rho2)
    ring_plane = plane_of_ring(stack)
    gap_below, gap_above = gaps_mm(stack, runs)
    found = []
    sides = ((drawn.above, drawn.below, gap_above), (drawn.below, drawn.above, gap_below))
    for (onward, back, gap), jumps in zip(sides, drawn.jumps, strict=True):
        height, order = np.empty(n_rings), np.empty(n_rings, np.int64)
        reach(rho2, stack.offsets_mm, ring_plane, onward, back, gap[ring_plane], height, order)
        if not np.array_equal(rho2, drawn.full_rho2):
            roof, roof_order = np.empty(n_rings), np.empty(n_rings, np.int64)
            reach(drawn.full_rho2, stack.offsets_mm, ring_plane, onward, back, gap[ring_plane], roof, roof_order)
            height, order = _roofed(height, order, roof, roof_order)
        height = np.where(jumps & ((order == 2) | (order == 3)), _ROUND_FRAC * height, height)
        found.append((height, np.where(jumps, 0, order)))
    return found


def find_links(stack: PlaneStack, runs: Runs, options: EngineOptions, rho2: FloatArray | None = None) -> Links:
    """Return how the rings go on under `options`; `rho2` stands for the squared half-thicknesses where it is known."""
    drawn, n_rings = as_drawn(stack, runs), len(stack.ring_start) - 1
    if rho2 is None:
        rho2, reaches = _usual_reaches(stack, runs)
    else:
        reaches = _reaches(stack, runs, rho2)
    ring_plane = plane_of_ring(stack)
    sides: list[NDArray[Any]] = []
    gap_below, gap_above = gaps_mm(stack, runs)
    scale_below, scale_above = options.flat_scale
    ends = ((drawn.above, gap_above, scale_above), (drawn.below, gap_below, scale_below))
    few = np.isin(ring_plane, _of_few_planes(runs))
    for (onward, gap, scale), shape in zip(ends, reaches, strict=True):
        height, order = shape
        if options.end_cap is not EndCap.SHAPE:
            flat = _flat_caps_mm(runs, options, gap)[ring_plane]
            height, order = np.where(onward == -1, flat, 0.0), np.zeros(n_rings, np.int64)
        # A ring that stands alone is a slice of something: no reading may leave nothing of it, or twice as much; but
        # one that is moved keeps its thickness.
        alone = (drawn.above == -1) & (drawn.below == -1)
        moved = scale_below + scale_above == 2.0
        flat_scale = np.where(alone & (not moved), min(_LONE_MOST, max(_LONE_LEAST, scale)), scale)
        if scale != 1.0:
            # So few sections do not tell a rounded end from a flat one, which lies anywhere up to the next slice.
            height = np.where(few & (order > 0), 0.5 * gap[ring_plane], height)
            order = np.where(few, 0, order)
        is_round = (order == 2) | (order == 3)
        stretch = np.where(is_round, options.round_stretch, 1.0)
        scaled = height * np.where(is_round, stretch, flat_scale)
        sides += [np.minimum(scaled, gap[ring_plane]), order, stretch]
    return Links(
        following=drawn.following,
        point_ring=drawn.point_ring,
        x_mm=drawn.x_mm,
        y_mm=drawn.y_mm,
        size_mm=drawn.size_mm,
        is_hole=drawn.is_hole,
        rho2=rho2,
        thick_mm=np.sqrt(drawn.own_rho2),
        above=drawn.above,
        below=drawn.below,
        up_mm=sides[0],
        up_order=sides[1],
        up_stretch=sides[2],
        down_mm=sides[3],
        down_order=sides[4],
        down_stretch=sides[5],
        wall_mm=drawn.wall_mm,
    )


def _round_walls_mm(
    stack: PlaneStack, size_mm: FloatArray, is_hole: NDArray[np.bool_], above: NDArray[np.int64]
) -> FloatArray:
    """Return `wall_mm` of all rings: where an outline with one hole narrows as the hole widens, and the other way."""
    wall = np.zeros(len(size_mm))
    paired = np.flatnonzero(np.diff(stack.plane_ring) == 2)
    first = stack.plane_ring[paired]
    mixed = is_hole[first] != is_hole[first + 1]
    paired, first = paired[mixed], first[mixed]
    outer = first + is_hole[first]
    hole = first + ~is_hole[first]
    for begin, stop in _chains(paired, outer, hole, above):
        out, inn = outer[begin:stop], hole[begin:stop]
        half = 0.5 * (size_mm[out] - size_mm[inn])
        narrows, widens = np.diff(size_mm[out]), -np.diff(size_mm[inn])
        is_opposite = float(narrows @ widens) > _OPPOSITE_FRAC * float(narrows @ narrows)
        if len(out) < 2 or not is_opposite or float(np.ptp(half)) < _CHANGES_FRAC * float(half.max()):
            continue
        wall[out] = half
        wall[inn] = -wall[out]
    return wall


def _chains(
    planes: NDArray[np.int64], outer: NDArray[np.int64], hole: NDArray[np.int64], above: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Return the stretches of planes, by their place in the list, whose outlines and holes go on as one another."""
    goes_on = (np.diff(planes) == 1) & (above[outer[:-1]] == outer[1:]) & (above[hole[:-1]] == hole[1:])
    edges = [0, *(np.flatnonzero(~goes_on) + 1).tolist(), len(planes)]
    return list(pairwise(edges))


def _jumps(
    stack: PlaneStack, place: FloatArray, thick_mm: FloatArray, lie: FloatArray, back: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which rings have jumped from the plane before: moved unlike before, or turned, or changed in shape."""
    w = stack.offsets_mm[plane_of_ring(stack)]
    before = np.where(back >= 0, back, 0)
    first = back >= 0
    second = first & (back[before] >= 0)
    beyond = np.where(second, back[before], 0)
    gap, gap_before = np.abs(w - w[before]), np.abs(w[before] - w[beyond])
    step = place - place[before]
    earlier = np.zeros_like(step)
    earlier[second] = (place[before] - place[beyond])[second] * (gap[second] / gap_before[second])[:, None]
    aside = np.hypot(*(step - earlier).T)
    lay = lie[before]
    turned = np.abs(lie[:, 0] * lay[:, 1] - lie[:, 1] * lay[:, 0])
    changed = np.abs(lie - lay).max(axis=1)
    least = np.minimum(thick_mm, thick_mm[before])
    return np.asarray(
        first & ((second & (aside > _JUMP_FRAC * least)) | (turned > _JUMP_FRAC) | (changed > _JUMP_FRAC))
    )


def _lie(stack: PlaneStack) -> FloatArray:
    """Return which way each ring lies and how long it is: its second moments without trace and size, (rings, 2)."""
    xx, yy, xy = ring_moments(stack)
    whole = np.maximum(xx + yy, 1e-12)
    return np.column_stack([(xx - yy) / whole, 2 * xy / whole])


def half_axes_mm(stack: PlaneStack) -> FloatArray:
    """Return the half-axes of the ellipse with each ring's second moments, the long one first, (rings, 2)."""
    xx, yy, xy = ring_moments(stack)
    mean, off = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    return 2.0 * np.sqrt(np.maximum(np.column_stack([mean + off, mean - off]), 0.0))


@lru_cache(maxsize=32)
def ring_moments(stack: PlaneStack) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each ring's second moments (xx, yy, xy) about its centroid, divided by its area, in mm2."""
    following, starts = next_in_ring(stack), stack.ring_start[:-1]
    counts = np.diff(stack.ring_start)
    middle = np.add.reduceat(stack.points_mm, starts) / counts[:, None]
    x, y = (stack.points_mm - np.repeat(middle, counts, axis=0)).T
    x2, y2 = x[following], y[following]
    cross = x * y2 - x2 * y
    area, mx, my = (np.add.reduceat(v * cross, starts) for v in (0.5 + 0 * x, (x + x2) / 6, (y + y2) / 6))
    area = np.where(area != 0, area, 1.0)
    mx, my = mx / area, my / area
    xx, yy = (
        np.add.reduceat(v * cross, starts) / (12 * area) - m * m
        for v, m in ((x * x + x * x2 + x2 * x2, mx), (y * y + y * y2 + y2 * y2, my))
    )
    xy = np.add.reduceat((x * y2 + 2 * x * y + 2 * x2 * y2 + x2 * y) * cross, starts) / (24 * area) - mx * my
    return xx, yy, xy


def _of_few_planes(runs: Runs) -> list[int]:
    """Return the planes of short runs: how round they end is known little better than where a flat end lies."""
    return [n for first, stop in runs.bounds if stop - first <= FEW_PLANES for n in range(first, stop)]


def _flat_caps_mm(runs: Runs, options: EngineOptions, gap_mm: FloatArray) -> FloatArray:
    """Return how far a ring that ends on each plane reaches: the cap at the ends of a run, half way within it."""
    flat = 0.5 * gap_mm
    for first, stop in runs.bounds:
        for plane in (first, stop - 1):
            flat[plane] = cap_mm(gap_mm[plane], options.end_cap, lone=stop - first == 1)
    return flat


def _roofed(
    height: FloatArray, order: NDArray[np.int64], roof: FloatArray, roof_order: NDArray[np.int64]
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Let a wall that does not thin out close over its hole where its outline, taken alone, would: a hollow ball."""
    taken = ((roof_order == 2) | (roof_order == 3)) & (order != 2) & (order != 3)
    return np.where(taken, roof, height), np.where(taken, roof_order, order)


def gaps_mm(stack: PlaneStack, runs: Runs) -> tuple[FloatArray, FloatArray]:
    """Return the distance from each plane to the one below and above, or to where it would be."""
    gaps = np.diff(stack.offsets_mm)
    below, above = np.concatenate([[0.0], gaps]), np.concatenate([gaps, [0.0]])
    for (first, stop), (gap_lo, gap_hi) in zip(runs.bounds, runs.end_gap_mm, strict=True):
        below[first], above[stop - 1] = gap_lo, gap_hi
    return below, above
