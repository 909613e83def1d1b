"""Sections between and beyond the drawn slices: the surface that runs smoothly through the contours.

In each gap the parts that overlap from slice to slice are joined. Convex outlines are told by how far they reach in
each direction, and the squares of these reaches run quadratically along w: that reproduces ellipsoids, cylinders, cones
and boxes at any tilt and phase of the slices (`engine.loft_bridge`). Other parts have a field ``(d + r)^2 - r^2`` with
d the signed distance to the contour and r its inradius, interpolated alike. A part that goes on nowhere is closed where
its inradius says that it ends, if that is before the slice on which it would have been drawn; else it is taken to end
half way to it (`engine.loft_cap`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dvhkit.engine.contours.planes import PlaneStack
from dvhkit.engine.contours.runs import Runs
from dvhkit.engine.loft_bridge import ConvexBridge, FieldBridge, HoleBridge, matched_holes
from dvhkit.engine.loft_cap import Cap
from dvhkit.engine.loft_parts import STEP_MM, Gap, Part, Plane, Section, joined
from dvhkit.model.arrays import FloatArray

# How far a straight line between two source planes may leave the surface.
_SAG_MM = (0.004, 0.02)
_SAG_FRAC = 5e-4
# A hole's inradius in parts of that of the wall round it: a ring with a wider one is rounded across its wall.
_WIDE_HOLE = 2.0

Member = ConvexBridge | FieldBridge | HoleBridge | Cap


def loft(stack: PlaneStack, runs: Runs, *, step_mm: float) -> list[Section]:
    """Return sections so close that straight lines between neighbours follow the surface to 0.004 mm (large ones 0.02).

    Parameters
    ----------
    stack, runs
        The drawn slices, and where slices are missing: nothing is bridged there.
    step_mm
        Grid on which sections between slices are traced.

    Returns
    -------
    list of Section
        Ascending; the drawn slices are among them with their contours as drawn. A section without rings stands just
        beyond each end.
    """
    size_mm = float(np.ptp(stack.points_mm, axis=0).max()) / 2
    sag_mm = float(np.clip(_SAG_FRAC * size_mm, *_SAG_MM))
    sections: list[Section] = []
    all_planes = Plane.all_of(stack)
    for (first, stop), (below, above) in zip(runs.bounds, runs.end_gap_mm, strict=True):
        planes = all_planes[first:stop]
        heights = [planes[0].w_mm - below, *(p.w_mm for p in planes), planes[-1].w_mm + above]
        for k, (low, high) in enumerate(pairwise(heights)):
            gap = Gap(planes=planes, k=k - 1, low=low, high=high, step_mm=step_mm, sag_mm=sag_mm)
            sections += _sections(gap)
            if k < len(planes):
                sections.append(Section(w_mm=planes[k].w_mm, rings=planes[k].rings))
    return sections


def _sections(gap: Gap) -> list[Section]:
    below, above = gap.plane(gap.k), gap.plane(gap.k + 1)
    bridges, ended_low, ended_high = _linked(below, above)
    members: list[Member] = [m for pair in bridges for m in _bridged(gap, *pair)]
    members += [Cap(gap, part, upward=True) for part in ended_low]
    members += [Cap(gap, part, upward=False) for part in ended_high]
    heights = sorted({w for m in members for w in m.heights() if gap.low < w < gap.high})
    heights = [w for w, before in zip(heights, [gap.low, *heights], strict=False) if w - before >= 0.5 * STEP_MM]
    result = [Section(w_mm=w, rings=tuple(_rings(members, w))) for w in heights]
    return _closed(gap, result) if below is None or above is None else result


def _rings(members: Sequence[Member], w: float) -> list[FloatArray]:
    return [ring for m in members for ring in m.rings_at(w)]


def _closed(gap: Gap, sections: list[Section]) -> list[Section]:
    """Beyond an end: an empty section outside the last one with rings."""
    filled = [s for s in sections if s.rings]
    if gap.k < 0:
        edge = min((s.w_mm for s in filled), default=gap.high)
        return [Section(w_mm=edge - STEP_MM, rings=()), *filled]
    edge = max((s.w_mm for s in filled), default=gap.low)
    return [*filled, Section(w_mm=edge + STEP_MM, rings=())]


def _bridged(gap: Gap, a: Part, b: Part) -> list[Member]:
    """Return what fills a gap between two parts: their outlines and holes each for itself where all are convex."""
    around = gap.around(a, b)
    convex = a.outline is not None and b.outline is not None and _tells_curvature(gap, a, b, around)
    holes = matched_holes(a, b) if convex else None
    if holes is None:
        return [FieldBridge(gap, a, b, around)]
    pairs, ended, begun = holes
    if not all(_stands_alone(hole, of) for of in (a, b) for hole in of.holes):
        return [FieldBridge(gap, a, b, around)]
    if not all(
        _closed_or_on(gap.plane(gap.k - 1), low) and _closed_or_on(gap.plane(gap.k + 2), high) for low, high in pairs
    ):
        return [FieldBridge(gap, a, b, around)]
    members: list[Member] = [ConvexBridge(gap, a, b, around)]
    for low, high in pairs:
        before, after = gap.plane(gap.k - 1), gap.plane(gap.k + 2)
        beside = (before.hole_over(low.shape) if before else None, after.hole_over(high.shape) if after else None)
        members.append(HoleBridge(ConvexBridge(gap, low, high, beside)))
    members += [Cap(gap, hole, upward=True, is_hole=True) for hole in ended]
    members += [Cap(gap, hole, upward=False, is_hole=True) for hole in begun]
    return members


def _tells_curvature(gap: Gap, a: Part, b: Part, around: tuple[Part | None, Part | None]) -> bool:
    """Whether a convex outline goes on on either side, or none at all does: else it is no ball that stands alone."""
    if any(p is not None and p.outline is not None for p in around):
        return True
    before, after = gap.plane(gap.k - 1), gap.plane(gap.k + 2)
    return not (before and before.touching(a.shape)) and not (after and after.touching(b.shape))


def _stands_alone(hole: Part, of: Part) -> bool:
    """Whether a hole is convex and not so wide that inner and outer face are those of one thin wall."""
    return hole.outline is not None and hole.radius_mm < _WIDE_HOLE * of.radius_mm


def _closed_or_on(plane: Plane | None, hole: Part) -> bool:
    """Whether a hole goes on in a slice or is closed there, rather than open to the outside."""
    if plane is None or plane.hole_over(hole.shape) is not None:
        return True
    return any(p.shape.contains(hole.shape) for p in plane.parts)


def _linked(below: Plane | None, above: Plane | None) -> tuple[list[tuple[Part, Part]], list[Part], list[Part]]:
    """Return the groups of parts that overlap across a gap, and the parts on either side that overlap none."""
    low, high = (below.parts if below else ()), (above.parts if above else ())
    group = list(range(len(low) + len(high)))

    def root(n: int) -> int:
        while group[n] != n:
            n = group[n]
        return n

    for i, a in enumerate(low):
        for j, b in enumerate(high):
            if a.shape.intersects(b.shape):
                group[root(i)] = root(len(low) + j)
    bridges, ended = [], ([], [])  # type: ignore[var-annotated]
    for r in sorted({root(n) for n in range(len(group))}):
        mine = [p for n, p in enumerate(low) if root(n) == r]
        theirs = [p for n, p in enumerate(high) if root(len(low) + n) == r]
        if mine and theirs:
            bridges.append((joined(mine), joined(theirs)))
        else:
            ended[0].extend(mine)
            ended[1].extend(theirs)
    return bridges, ended[0], ended[1]
