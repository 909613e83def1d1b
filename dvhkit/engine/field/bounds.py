"""How far a DVH may be off: chords for arcs, edges between slices, peaks between dose voxels."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from dvhkit.engine.contours.planes import PlaneStack, plane_of_ring
from dvhkit.engine.kernels.drawn.arcs import arcs_outside
from dvhkit.engine.kernels.field.extremes import BLOCK, block_extremes
from dvhkit.engine.kernels.field.peaks import round_peaks
from dvhkit.engine.solid.links import gaps_mm
from dvhkit.engine.solid.sampled import linked
from dvhkit.engine.solid.solid import Solid
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.dose import Dose
from dvhkit.model.dvh import Dvh

# An outline that turns by more than this at a point has a corner there; less is an arc drawn with chords: a circle of
# eleven points turns by 0.57.
_CORNER_RAD = 0.6


@lru_cache(maxsize=2)
def rounded(dose: Dose) -> Dose:
    """Return the dose with peaks and valleys as round as its voxels tell, where trilinear interpolation cuts them off.

    The trilinear dose and this one hold the smooth dose between them; see kernel `round_peaks`.
    """
    values = np.empty(dose.values_gy.shape)
    round_peaks(dose.values_gy, dose.grid.offsets_mm, min(0.0, float(dose.values_gy.min())), values)
    return replace(dose, values_gy=frozen_array(values))


@lru_cache(maxsize=2)
def block_bounds(dose: Dose) -> FloatArray:
    """Return between what the dose, and the rounded dose, lie in blocks of voxels; see kernel `block_extremes`."""
    planes, rows, columns = dose.values_gy.shape
    blocks = np.empty((planes, rows, -(-columns // BLOCK), 4))
    block_extremes(dose.values_gy, rounded(dose).values_gy, blocks)
    return blocks


@lru_cache(maxsize=16)
def chords_mm(stack: PlaneStack) -> float:
    """Return how far arcs lie outside the chords that they were drawn with, on average over the outlines."""
    outside, length = arcs_outside(stack.points_mm, stack.ring_start, _CORNER_RAD)
    return float(outside / max(length, 1e-9))


def ends_cc(solid: Solid) -> tuple[float, float]:
    """Return by how much less and more volume the ends may hold: flat ones anything up to the next, empty slice.

    Rounded ends a quarter less or more, of the two thirds that they fill of their prisms.
    """
    stack = solid.stack
    links = linked(solid).links
    assert links is not None
    area = np.pi * links.size_mm**2 * np.where(links.is_hole, -1.0, 1.0)
    plane = plane_of_ring(stack)
    less = more = 0.0
    below, above = gaps_mm(stack, solid.runs)
    for height, order, gap in ((links.up_mm, links.up_order, above), (links.down_mm, links.down_order, below)):
        is_round = (order == 2) | (order == 3)
        swing = 0.25 * 2.0 / 3.0 * height
        less += float(np.sum(area * np.where(is_round, swing, height)))
        room = np.maximum(np.minimum(2.0 * height, gap[plane]) - height, 0.0)
        more += float(np.sum(area * np.where(is_round, swing, room)))
    return max(less, 0.0) / 1000.0, max(more, 0.0) / 1000.0


def bounded(dvh: Dvh, solid: Solid, met_gy: FloatArray, inside_gy: FloatArray, *, drawn_off_gy: float) -> Dvh:
    """Return the DVH with bounds of its extremes: what was drawn for certain, and where outlines meet if carried on.

    `met_gy` (planes, 2): least and greatest dose on each plane's outlines; inf and -inf where there is none.
    `inside_gy` (2,): the same of all sections together, outlines included. `drawn_off_gy`: what the dose changes
    over as far as a hand that trembled may have drawn beside the surface.
    """
    if dvh.min_gy is None or dvh.max_gy is None:
        return dvh
    z, error = solid.stack.offsets_mm, dvh.error_gy(0.0) + drawn_off_gy
    runs = [slice(*run) for run in solid.runs.bounds]
    lowest = min(-_highest_ridge(z[run], -met_gy[run, 0]) for run in runs)
    highest = max(_highest_ridge(z[run], met_gy[run, 1]) for run in runs)
    # A section belongs to the structure: what it meets bounds the extremes, as exactly as it was drawn.
    drawn_low = min(float(inside_gy[0]) + dvh.dose_error_gy + drawn_off_gy, dvh.max_gy)
    drawn_high = max(float(inside_gy[1]) - dvh.dose_error_gy - drawn_off_gy, dvh.min_gy)
    return replace(
        dvh,
        min_bounds_gy=(max(0.0, min(lowest, dvh.min_gy - error)), max(dvh.min_gy, drawn_low)),
        max_bounds_gy=(min(dvh.max_gy, drawn_high), max(highest, dvh.max_gy + error)),
    )


def _highest_ridge(z_mm: FloatArray, top: FloatArray) -> float:
    """Return the greatest height at which the lines through `top` before and behind a gap meet, rising from both.

    A convex solid in a linear dose reaches no higher between two slices than where these lines meet.
    """
    if len(z_mm) < 4 or not np.isfinite(top).all():
        return -np.inf
    slope = np.diff(top) / np.diff(z_mm)
    rise, fall = slope[:-2], slope[2:]
    ridge = (rise > 0) & (fall < 0)
    gap = np.diff(z_mm)[1:-1]
    share = np.zeros_like(gap)
    np.divide(top[2:-1] - top[1:-2] - fall * gap, rise - fall, out=share, where=ridge)
    heights = top[1:-2] + rise * np.clip(share, 0.0, gap)
    return float(heights[ridge].max(initial=-np.inf))


def hull(one: tuple[float, float] | None, other: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the bounds that hold both."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])
