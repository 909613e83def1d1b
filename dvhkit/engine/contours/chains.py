"""Chains: rings that go on as one another from slice to slice, each judged by its own planes.

Two islands in one ROI may be drawn on slices of their own. Held against the planes of both, each would seem to end and
begin anew on every slice of the other, so they are read apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.contours.heights import Along
from dvhkit.engine.contours.planes import PlaneStack, with_rings
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray

# A chain's planes and those of others are told apart by this share of its slice distance.
_APART_FRAC = 0.1
# Interleaved islands: a ring goes on so many planes further as one that covers so much of the same place.
_INTERLEAVED, _SAME_PLACE_FRAC = 4, 0.5
# A slender ring that has jumped sideways goes on as the nearest one, if no farther than so many of their radii.
_JUMP = 1.5
# Jumped so little that the outlines all but touch: a share of their radii, or a millimetre.
_TOUCH_FRAC, _TOUCH_MM = 0.1, 1.0
# A branch that skips slices is filled in over so many of them.
_FILLED, _POINTS = 3, 120


@lru_cache(maxsize=16)
def separate(stack: PlaneStack) -> tuple[PlaneStack, ...]:
    """Return the stack cut into stacks of islands that agree on their planes; itself alone where all do."""
    if stack.n_planes < 3 or _is_one_column(stack):
        return (stack,)
    rings = _Rings(stack)
    if not rings.has_skips():
        return (stack,)
    chains = rings.chains()
    if skips := rings.skips_beside_others(chains):
        # Filled in, branches pass over no plane any more.
        return separate(_filled(stack, rings, skips))
    groups: list[list[_Chain]] = []
    for chain in sorted(chains, key=lambda c: -len(c.rings)):
        for group in groups:
            if _agree([*group, chain], stack.offsets_mm):
                group.append(chain)
                break
        else:
            groups.append([chain])
    if len(groups) == 1:
        return (stack,)
    parts = [_only(stack, np.concatenate([c.rings for c in group]), first=n == 0) for n, group in enumerate(groups)]
    if stack.slices is not None:
        return tuple(parts)
    return tuple(part if part.n_planes > 1 else replace(part, slices=_own(part, parts[0])) for part in parts)


def _is_one_column(stack: PlaneStack) -> bool:
    """Whether there is one ring a plane, each over half of the next: nearly all structures, told quickly."""
    if int(np.diff(stack.plane_ring).max()) > 1:
        return False
    low, high = (f.reduceat(stack.points_mm, stack.ring_start[:-1], axis=0) for f in (np.minimum, np.maximum))
    common = np.maximum(np.minimum(high[1:], high[:-1]) - np.maximum(low[1:], low[:-1]), 0.0).prod(axis=1)
    area = (high - low).prod(axis=1)
    return bool(np.all(common >= _SAME_PLACE_FRAC * np.minimum(area[1:], area[:-1])))


def _own(part: PlaneStack, largest: PlaneStack) -> Along:
    """Return a part's planes with the slice distance of the largest part, for want of any other."""
    usual = float(np.median(np.diff(largest.offsets_mm))) if largest.n_planes > 1 else 0.0
    return Along(at_mm=part.offsets_mm, gap_mm=np.full(part.n_planes, usual), is_image=False)


def _filled(stack: PlaneStack, rings: _Rings, skips: list[tuple[int, int]]) -> PlaneStack:
    """Return the stack with the sections that branches lack on planes between, and a finding that says so."""
    planes = [stack.rings(p) for p in range(stack.n_planes)]
    at = stack.offsets_mm
    widest = 0.0
    for ring, other in skips:
        low, high = int(rings.plane[ring]), int(rings.plane[other])
        widest = max(widest, float(at[high] - at[low]))
        a, b = (_even_points(stack.points_mm[stack.ring_start[r] : stack.ring_start[r + 1]]) for r in (ring, other))
        for plane in range(low + 1, high):
            share = (at[plane] - at[low]) / (at[high] - at[low])
            planes[plane].append((1.0 - share) * a + share * b)
    filled = with_rings(stack, planes)
    assert filled is not None
    finding = Finding(
        level=Level.WARNING,
        code="branch-filled",
        message=f"A branch lacks its outline in {len(skips)} places (gaps up to {widest:.4g} mm) on slices where the "
        "rest was drawn; it was interpolated there. Draw it.",
        where=stack.name,
    )
    return replace(filled, findings=(*stack.findings, finding))


def _even_points(ring: FloatArray) -> FloatArray:
    """Return points that divide a ring evenly, from where it crosses the positive u direction of its middle."""
    closed = np.vstack([ring, ring[:1]])
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    wanted = np.linspace(0.0, at[-1], _POINTS, endpoint=False)
    even = np.column_stack([np.interp(wanted, at, closed[:, n]) for n in (0, 1)])
    around = even - even.mean(axis=0)
    return np.roll(even, -int(np.abs(np.arctan2(around[:, 1], around[:, 0])).argmin()), axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    rings: NDArray[np.int64]
    planes: NDArray[np.int64]


def _agree(chains: list[_Chain], offsets: FloatArray) -> bool:
    """Whether no plane of one chain lies between those of another, or nearer to its ends than its slice distance."""
    union = np.unique(np.concatenate([c.planes for c in chains]))
    at = offsets[union]
    known = [float(np.median(np.diff(offsets[c.planes]))) for c in chains if len(c.planes) > 1]
    usual = min(known) if known else 0.0
    for chain in chains:
        own = offsets[chain.planes]
        gap = float(np.median(np.diff(own))) if len(own) > 1 else usual
        reach = (1.0 - _APART_FRAC) * gap
        near = (at > own[0] - reach) & (at < own[-1] + reach)
        if not np.isin(union[near], chain.planes).all():
            return False
    return True


def _only(stack: PlaneStack, chosen: NDArray[np.int64], *, first: bool) -> PlaneStack:
    """Return the stack with some of its rings only, and the planes that these lie on."""
    chosen = np.sort(chosen)
    plane = np.searchsorted(stack.plane_ring, chosen, side="right") - 1
    kept, counts = np.unique(plane, return_counts=True)
    rings = [stack.points_mm[stack.ring_start[r] : stack.ring_start[r + 1]] for r in chosen]
    points = np.ascontiguousarray(np.concatenate(rings))
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    at = stack.frame.to_patient(np.array([[*middle, float(stack.offsets_mm[kept].mean())]]))[0]
    return replace(
        stack,
        offsets_mm=stack.offsets_mm[kept],
        points_mm=points,
        ring_start=np.concatenate([[0], np.cumsum([len(r) for r in rings])]).astype(np.int64),
        plane_ring=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        plane_xor=stack.plane_xor[kept],
        findings=stack.findings if first else (),
        island=f"the island about x {at[0]:.0f}, y {at[1]:.0f}, z {at[2]:.0f} mm",
    )


class _Rings:
    """The rings of a stack as places, and which go on as which."""

    def __init__(self, stack: PlaneStack) -> None:
        self.stack = stack
        starts = stack.ring_start[:-1]
        low, high = (f.reduceat(stack.points_mm, starts, axis=0) for f in (np.minimum, np.maximum))
        self.box = np.hstack([low, high])
        self.plane = np.repeat(np.arange(stack.n_planes), np.diff(stack.plane_ring))
        counts = np.diff(stack.ring_start)
        self.middle = np.add.reduceat(stack.points_mm, starts, axis=0) / counts[:, None]
        self.radius = 0.25 * (high - low).sum(axis=1)
        self.area = self._areas()
        self.is_hole = self.area < 0
        self.parent = np.arange(len(starts))
        self._shapes: dict[int, shapely.Polygon] = {}
        self.skips: list[tuple[int, int]] = []

    def _areas(self) -> FloatArray:
        stack = self.stack
        starts = stack.ring_start[:-1]
        around = stack.points_mm - np.repeat(stack.points_mm[starts], np.diff(stack.ring_start), axis=0)
        following = np.arange(1, len(around) + 1)
        following[stack.ring_start[1:] - 1] = starts
        x, y = around.T
        return np.asarray(0.5 * np.add.reduceat(x * y[following] - x[following] * y, starts))

    def _members(self, plane: int) -> NDArray[np.int64]:
        return np.arange(self.stack.plane_ring[plane], self.stack.plane_ring[plane + 1])

    def _meeting(self, ring: int, others: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of `others`, of the ring's kind, that cover some of its place."""
        one, many = self.box[ring], self.box[others]
        meets = (many[:, 0] <= one[2]) & (many[:, 2] >= one[0]) & (many[:, 1] <= one[3]) & (many[:, 3] >= one[1])
        meets &= self.is_hole[others] == self.is_hole[ring]
        return np.array([o for o in others[meets] if self._covers(ring, o) or self._covers(o, ring)], np.int64)

    def _covers(self, outer: int, inner: int) -> bool:
        points = self.stack.points_mm[self.stack.ring_start[inner] : self.stack.ring_start[inner + 1]]
        some = points[:: max(1, len(points) // 24)]
        return bool(shapely.intersects_xy(self._shape(outer), some[:, 0], some[:, 1]).any())

    def _shape(self, ring: int) -> shapely.Polygon:
        if ring not in self._shapes:
            points = self.stack.points_mm[self.stack.ring_start[ring] : self.stack.ring_start[ring + 1]]
            shape = shapely.Polygon(points) if len(points) > 2 else shapely.Polygon()
            shape = shape if shape.is_valid else shape.buffer(0)
            shapely.prepare(shape)
            self._shapes[ring] = shape
        return self._shapes[ring]

    def has_skips(self) -> bool:
        """Whether some ring goes on as none of the next plane: without any, every chain has all planes it passes."""
        n = self.stack.n_planes
        self.above = [
            self._meeting(r, self._members(p + 1)) if (p := int(self.plane[r])) + 1 < n else _NONE
            for r in range(len(self.plane))
        ]
        met = np.zeros(len(self.plane), np.bool_)
        for onward in self.above:
            met[onward] = True
        self.ends = np.array([not len(on) for on in self.above]) & (self.plane < n - 1) & ~self.is_hole
        self.begins = ~met & (self.plane > 0) & ~self.is_hole
        return bool(self.ends.any() and self.begins.any())

    def chains(self) -> list[_Chain]:
        """Return the rings, holes with what is around them, as chains."""
        for ring, onward in enumerate(self.above):
            for other in onward:
                self._join(ring, int(other))
        self._holes()
        self._jumps(near=True)
        self._interleaved()
        self._jumps(near=False)
        self._across_gaps()
        roots = np.array([self._root(r) for r in range(len(self.plane))])
        found = [np.flatnonzero(roots == root) for root in np.unique(roots)]
        return [_Chain(rings, np.unique(self.plane[rings])) for rings in found]

    def skips_beside_others(self, chains: list[_Chain]) -> list[tuple[int, int]]:
        """Return the rings that go on over planes on which other branches of their chain were drawn."""
        found = []
        of_ring = {int(r): n for n, c in enumerate(chains) for r in c.rings}
        for ring, other in self.skips:
            planes = chains[of_ring[ring]].planes
            between = planes[(planes > self.plane[ring]) & (planes < self.plane[other])]
            if 0 < len(between) <= _FILLED:
                found.append((ring, other))
        return found

    def _root(self, ring: int) -> int:
        while self.parent[ring] != ring:
            self.parent[ring] = self.parent[self.parent[ring]]
            ring = int(self.parent[ring])
        return ring

    def _join(self, one: int, other: int) -> None:
        self.parent[self._root(one)] = self._root(other)

    def _holes(self) -> None:
        for ring in np.flatnonzero(self.is_hole):
            around = self._members(int(self.plane[ring]))
            around = around[~self.is_hole[around] & (self.area[around] >= -self.area[ring])]
            holding = [o for o in around if self._covers(o, int(ring))]
            if holding:
                self._join(int(ring), int(min(holding, key=lambda o: self.area[o])))

    def _interleaved(self) -> None:
        """Join rings that end to those that begin at the same place a few planes further."""
        for ring in np.flatnonzero(self.ends):
            for plane in range(
                int(self.plane[ring]) + 2, min(int(self.plane[ring]) + _INTERLEAVED + 1, self.stack.n_planes)
            ):
                members = self._members(plane)
                onward = [
                    o for o in self._meeting(int(ring), members[self.begins[members]]) if self._same_place(int(ring), o)
                ]
                if onward:
                    self._go_on(int(ring), onward)
                    break

    def _same_place(self, ring: int, other: int) -> bool:
        a, b = self.box[ring], self.box[other]
        common = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0.0))
        return bool(common >= _SAME_PLACE_FRAC * min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2])))

    def _jumps(self, *, near: bool) -> None:
        """Join rings that end to the nearest that begins on the next plane, where a slender outline has jumped.

        `near`: only those that all but touch, whatever lies at the same place farther on.
        """
        for ring in np.flatnonzero(self.ends):
            members = self._members(int(self.plane[ring]) + 1)
            members = members[self.begins[members]]
            if len(members):
                far = np.hypot(*(self.middle[members] - self.middle[ring]).T)
                nearest = int(members[far.argmin()])
                both = float(self.radius[ring] + self.radius[nearest])
                apart = max(
                    (self.box[nearest, :2] - self.box[ring, 2:]).max(),
                    (self.box[ring, :2] - self.box[nearest, 2:]).max(),
                )
                if apart <= max(_TOUCH_FRAC * both, _TOUCH_MM) if near else far.min() <= _JUMP * both:
                    self._go_on(int(ring), [nearest])

    def _across_gaps(self) -> None:
        """Join rings that end to those that begin over the same place, however far: the gap belongs to their chain."""
        for ring in np.flatnonzero(self.ends):
            for plane in range(int(self.plane[ring]) + 2, self.stack.n_planes):
                members = self._members(plane)
                onward = self._meeting(int(ring), members)
                if len(onward):
                    if self.begins[onward].any():
                        self._go_on(int(ring), [int(o) for o in onward[self.begins[onward]]])
                    break

    def _go_on(self, ring: int, onward: list[int]) -> None:
        if len(onward) == 1 and self.plane[onward[0]] > self.plane[ring] + 1:
            self.skips.append((ring, int(onward[0])))
        for other in onward:
            self._join(ring, int(other))
            self.begins[other] = False
        self.ends[ring] = False


_NONE = np.empty(0, np.int64)
