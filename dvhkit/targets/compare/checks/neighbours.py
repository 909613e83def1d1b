"""Checks of structures against each other: overlaps, what lies outside, couch and body, copies, sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvhkit.findings import Level as Severity
from dvhkit.results.contours.checks import ContourFinding
from dvhkit.targets.compare.checks.drawn import Drawn, Level
from dvhkit.targets.regions.bodies import bodies_of

# Outlines of two organs that touch are drawn across each other by about a millimetre.
_DEEP_MM = 2.0
_OVERLAP_CC = 0.2
# What lies in another by this much is a part of it, as a cord lies in its canal.
_NESTED = 0.9
# Outside its body or its outer target by more than rounding and a pixel.
_OUTSIDE_MM = 1.0
_OUTSIDE_MM2 = 5.0
# Organs of one side reach over the middle.
_COPY_MM = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """A drawn structure and what its name means.

    Attributes
    ----------
    standard
        TG-263 name, empty where it is not known.
    role
        ``body``, ``couch``, ``target``, ``organ``, ``risk`` (a planning risk volume), ``derived``, or empty.
    """

    drawn: Drawn
    standard: str
    role: str


def check_neighbours(members: Sequence[Member]) -> Iterator[ContourFinding]:
    """Yield what is wrong between the structures of one set."""
    drawn = [m for m in members if m.drawn.levels]
    surest = {id(s) for s in bodies_of(m.drawn.structure for m in drawn)}
    bodies = [m for m in drawn if id(m.drawn.structure) in surest]
    couches = [m for m in drawn if m.role == "couch"]
    yield from _copies(drawn)
    yield from _overlaps([m for m in drawn if m.role == "organ"])
    if len(bodies) == 1:
        for couch in couches:
            yield from _couch(bodies[0], couch)
        for member in drawn:
            if member.role in {"organ", "target", "risk"}:
                severity = Severity.INFO if member.standard.startswith("PTV") else Severity.WARNING
                yield from outside_of(member.drawn, bodies[0].drawn, "outside-body", severity)


def _near(a: Drawn, b: Drawn) -> bool:
    low, high = np.maximum(a.box_mm[0], b.box_mm[0]), np.minimum(a.box_mm[1], b.box_mm[1])
    return bool((high - low >= -0.01).all()) and np.allclose(a.frame.axes, b.frame.axes, atol=1e-6)


def _shared_levels(a: Drawn, b: Drawn) -> Iterator[tuple[Level, Level]]:
    within = 0.5 * (b.gap_mm or a.gap_mm or 1.0) + 0.01
    for level in a.levels:
        other = b.level_near(level.w_mm, within)
        if other is not None:
            yield level, other


def _overlaps(organs: Sequence[Member]) -> Iterator[ContourFinding]:
    """Yield organs that lie in each other by more than their outlines touch, and neither in the other altogether."""
    for n, one in enumerate(organs):
        for two in organs[:n]:
            if one.standard != two.standard and _near(one.drawn, two.drawn) and not _one_of_other(one, two):
                yield from _overlap(one.drawn, two.drawn)


def _one_of_other(one: Member, two: Member) -> bool:
    """Whether names say that one is made of the other: Lungs and Lung_L, Heart and Heart_..."""
    a, b = (m.standard.casefold().removesuffix("_l").removesuffix("_r").rstrip("s") for m in (one, two))
    sided = [m.standard[-2:] for m in (one, two)]
    return (a.startswith(b) or b.startswith(a)) and set(sided) != {"_L", "_R"}


def _overlap(a: Drawn, b: Drawn) -> Iterator[ContourFinding]:
    shared = [(own.w_mm, own.area.intersection(other.area)) for own, other in _shared_levels(a, b)]
    shared = [(w, area) for w, area in shared if area.area > 0]
    if not shared:
        return
    thick = (a.gap_mm or b.gap_mm or 1.0) / 1000.0
    total = sum(area.area for _, area in shared) * thick
    smaller = min(a.volume_cc, b.volume_cc)
    w, widest = max(shared, key=lambda item: item[1].area)
    deep = any(not area.buffer(-_DEEP_MM / 2).is_empty for _, area in shared)
    if total < _OVERLAP_CC or not deep or (smaller > 0 and total > _NESTED * smaller):
        return
    yield ContourFinding(
        code="organs-overlap", roi=a.name, severity=Severity.WARNING, slice_mm=a.slice_mm(w),
        place_mm=a.inside_of(widest, w), message=f"{total:.3g} cc lie in {b.name} too", other=b.name,
        repair="one of the two to be cropped",
    )  # fmt: skip


def outside_of(inner: Drawn, outer: Drawn, code: str, severity: Severity) -> Iterator[ContourFinding]:
    """Yield where a structure lies outside the one that has to hold it; slices beyond the outer one's ends too."""
    if not np.allclose(inner.frame.axes, outer.frame.axes, atol=1e-6) or not outer.levels:
        return
    gap = outer.gap_mm or inner.gap_mm or 1.0
    low, high = outer.levels[0].w_mm - 0.5 * gap, outer.levels[-1].w_mm + 0.5 * gap
    worst: tuple[float, float, Any] | None = None
    total = 0.0
    for level in inner.levels:
        if code == "outside-body" and not low <= level.w_mm <= high:
            continue
        other = outer.level_near(level.w_mm, 0.5 * gap + 0.01)
        left = level.area.difference(other.area.buffer(_OUTSIDE_MM)) if other is not None else level.area
        if left.area <= _OUTSIDE_MM2:
            continue
        total += left.area * (inner.gap_mm or gap) / 1000.0
        if worst is None or left.area > worst[0]:
            worst = (left.area, level.w_mm, left)
    if worst is None:
        return
    _, w, left = worst
    yield ContourFinding(
        code=code, roi=inner.name, severity=severity, slice_mm=inner.slice_mm(w), place_mm=inner.inside_of(left, w),
        message=f"{total:.3g} cc lie outside {outer.name}", other=outer.name, repair="to be drawn inside, or cropped",
    )  # fmt: skip


def _couch(body: Member, couch: Member) -> Iterator[ContourFinding]:
    """Yield where the body's outline takes in the couch."""
    shared = [(own.w_mm, own.area.intersection(other.area)) for own, other in _shared_levels(body.drawn, couch.drawn)]
    deep = [(w, area) for w, area in shared if area.area > 4 * _OUTSIDE_MM2 and not area.buffer(-0.5).is_empty]
    if not deep:
        return
    w, widest = max(deep, key=lambda item: item[1].area)
    yield ContourFinding(
        code="body-couch-overlap", roi=body.drawn.name, severity=Severity.WARNING, slice_mm=body.drawn.slice_mm(w),
        place_mm=body.drawn.inside_of(widest, w), message=f"it takes in {couch.drawn.name} on {len(deep)} slices",
        other=couch.drawn.name, repair="the couch to be cut out of the body",
    )  # fmt: skip


def _copies(members: Sequence[Member]) -> Iterator[ContourFinding]:
    """Yield structures whose contours are those of another, point by point."""
    seen: dict[bytes, Drawn] = {}
    for member in members:
        drawn = member.drawn
        key = b"".join(np.round(r.points / _COPY_MM).astype(np.int64).tobytes() for r in drawn.rings)
        first = seen.setdefault(key, drawn)
        if first is not drawn:
            level = drawn.levels[len(drawn.levels) // 2]
            yield ContourFinding(
                code="contours-copied", roi=drawn.name, severity=Severity.WARNING,
                slice_mm=drawn.slice_mm(level.w_mm), place_mm=drawn.inside_of(level.area, level.w_mm),
                message=f"all contours are those of {first.name}", other=first.name,
            )  # fmt: skip
