"""Checks from slice to slice: slices left out, jumps, stray islands, pinholes, contours between the slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from dvhkit.findings import Level as Severity
from dvhkit.model.arrays import FloatArray
from dvhkit.results.contours.checks import ContourFinding
from dvhkit.targets.compare.checks.bridge import why_unsure
from dvhkit.targets.compare.checks.drawn import Drawn, Level
from dvhkit.targets.compare.checks.outlines import SLIVER_MM2

# So many slices in a row may be missing and still be a slip rather than an end.
_MOST_MISSING = 3
_SAME_FRAC = 0.2
# Parts go on from slice to slice if they share this much of the smaller one.
_GOES_ON = 0.3
# A slice that shares less than this with both neighbours, which share more than that with each other, was slipped.
_JUMP, _ALIKE = 0.7, 0.75
# A stray island: less than this part of the structure and less than so much, this far from the rest.
_STRAY_FRAC, _STRAY_CC, _STRAY_MM = 0.05, 0.5, 5.0
_PINHOLE_MM2 = 20.0
# A part of a slice of less than this, and of less than this share of it, is none that skips slices.
_CRUMB_MM2, _CRUMB_FRAC = 20.0, 0.01
# A contour this far from every slice lies between them; slices vary by rounding.
_OFF_SLICE_MM = 0.25


def check_slices(drawn: Drawn, slices_mm: FloatArray | None) -> Iterator[ContourFinding]:
    """Yield what is wrong from slice to slice.

    Parameters
    ----------
    slices_mm
        Where the image has slices, in the structure's frame, ascending; None where that is not known.
    """
    yield from _between_slices(drawn, slices_mm)
    gap = _gap_mm(drawn, slices_mm)
    if gap is None:
        return
    missing = list(_missing(drawn, gap, slices_mm))
    yield from missing
    yield from _jumps(drawn, gap)
    yield from _strays(drawn, gap)
    yield from _pinholes(drawn)


def _gap_mm(drawn: Drawn, slices_mm: FloatArray | None) -> float | None:
    """Return the slice distance that a structure keeps; two slices alone tell none, and the image or the set does."""
    if len(drawn.levels) != 2:
        return drawn.gap_mm
    known = drawn.structure.slices
    if slices_mm is not None and len(slices_mm) > 1:
        return min(drawn.gap_mm or 0.0, float(np.median(np.diff(slices_mm))))
    return drawn.gap_mm if known is None else min(drawn.gap_mm or 0.0, float(np.median(known.gap_mm)))


def _finding(
    drawn: Drawn,
    code: str,
    w: float,
    place: tuple[float, float, float],
    message: str,
    **more: Any,  # noqa: ANN401
) -> ContourFinding:
    given = {"severity": Severity.WARNING, **more}
    return ContourFinding(
        code=code, roi=drawn.name, slice_mm=drawn.slice_mm(w), place_mm=place, message=message, **given
    )


def _missing(drawn: Drawn, gap: float, slices_mm: FloatArray | None) -> Iterator[ContourFinding]:
    """Yield each slice that a part skips and goes on after, at its own height."""
    told: set[tuple[int, int]] = set()
    for level in drawn.levels:
        for piece in level.pieces:
            if piece.area < min(_CRUMB_MM2, _CRUMB_FRAC * level.area.area):
                continue  # cut off by a line that touches itself
            found = _next_of(drawn, level, piece, gap)
            if found is None:
                continue
            steps, onward = found
            for n in range(1, steps):
                w = level.w_mm + (onward.w_mm - level.w_mm) * n / steps
                if slices_mm is not None and np.abs(slices_mm - w).min() > _SAME_FRAC * gap:
                    continue
                place = drawn.inside_of(piece, w)
                key = (round(w * 10), round(place[0] + 7 * place[1]))
                if key in told:
                    continue
                told.add(key)
                yield _left_out(drawn, w, place)


def _left_out(drawn: Drawn, w: float, place: tuple[float, float, float]) -> ContourFinding:
    u, v, _ = drawn.frame.to_frame(np.array([place]))[0]
    unsure = why_unsure(drawn, shapely.Point(u, v), w)
    return _finding(
        drawn, "missing-slice", w, place, "a slice is left out, and the structure goes on beyond it",
        severity=Severity.SERIOUS, is_safe=not unsure,
        repair=f"to be drawn by hand: {unsure}" if unsure else "drawn as the slices around it go on",
    )  # fmt: skip


def _next_of(drawn: Drawn, level: Level, piece: Any, gap: float) -> tuple[int, Level] | None:  # noqa: ANN401
    """Return how many slices further a part goes on, if not on the next one; None where it does or ends."""
    for steps in range(1, _MOST_MISSING + 2):
        onward = drawn.level_near(level.w_mm + steps * gap, _SAME_FRAC * gap)
        if onward is None:
            continue
        shared = onward.area.intersection(piece).area
        overlaps = [p for p in onward.pieces if p.intersects(piece)]
        if steps == 1:
            if shared > 0:
                return None
            continue
        smallest = min([piece.area, *(p.area for p in overlaps)])
        if overlaps and shared > _GOES_ON * smallest:
            return steps, onward
    return None


def _jumps(drawn: Drawn, gap: float) -> Iterator[ContourFinding]:
    """Yield slices unlike both neighbours, which are alike."""
    for n, (before, here, after) in enumerate(zip(drawn.levels, drawn.levels[1:], drawn.levels[2:], strict=False)):
        if max(here.w_mm - before.w_mm, after.w_mm - here.w_mm) > (1 + _SAME_FRAC) * gap:
            continue
        if here.area.area <= SLIVER_MM2:
            continue  # told as a sliver, and as a slice left out
        around = _dice(before.area, after.area)
        own = max(_dice(here.area, before.area), _dice(here.area, after.area))
        if around > _ALIKE and own < min(_JUMP, around - _SAME_FRAC) and not _grew(before, here, after):
            if _is_whole_part(drawn.levels, n):
                continue
            odd = here.area.symmetric_difference(before.area.union(after.area))
            odd = odd if not odd.is_empty else here.area
            message = f"this slice shares {own:.0%} with its neighbours, which share {around:.0%} with each other"
            yield _finding(drawn, "slice-jump", here.w_mm, drawn.inside_of(odd, here.w_mm), message)


def _is_whole_part(levels: Sequence[Level], n: int) -> bool:
    """Whether three slices from `n` on hold all of a small part that is widest in the middle, as a ball is."""
    before, here, after = levels[n : n + 3]
    beyond = [levels[k].area for k in (n - 1, n + 3) if 0 <= k < len(levels)]
    ends = before.area.union(after.area)
    goes_on = any(area.intersects(ends) for area in beyond)
    return not goes_on and bool(here.area.intersection(ends).area > 0.98 * ends.area)


def _grew(before: Level, here: Level, after: Level) -> bool:
    """Whether a slice has as many parts more than both neighbours have: an island of its own is told as such."""
    inner = before.area.intersection(after.area)
    return bool(here.area.intersection(inner).area > 0.98 * inner.area and len(here.pieces) > len(before.pieces))


def _dice(a: Any, b: Any) -> float:  # noqa: ANN401
    total = a.area + b.area
    return float(2.0 * a.intersection(b).area / total) if total > 0 else 0.0


def _strays(drawn: Drawn, gap: float) -> Iterator[ContourFinding]:
    """Yield small parts far from the rest."""
    groups = _groups(drawn.levels, gap)
    if len(groups) < 2:
        return
    volumes = [sum(p.area for _, p in group) * gap / 1000.0 for group in groups]
    main = int(np.argmax(volumes))
    for group, volume in zip(groups, volumes, strict=True):
        if group is groups[main] or volume > min(_STRAY_CC, _STRAY_FRAC * volumes[main]):
            continue
        away = min(_apart(group, other) for other in groups if other is not group)
        if away < _STRAY_MM:
            continue
        w, piece = max(group, key=lambda item: item[1].area)
        message = f"a part of {volume:.3g} cc lies {away:.0f} mm from the rest"
        yield _finding(drawn, "stray-island", w, drawn.inside_of(piece, w), message, repair="to be left out")


def _groups(levels: Sequence[Level], gap: float) -> list[list[tuple[float, Any]]]:
    parts = [(level.w_mm, piece) for level in levels for piece in level.pieces]
    root = list(range(len(parts)))

    def find(n: int) -> int:
        while root[n] != n:
            n = root[n]
        return n

    starts = np.cumsum([0, *(len(level.pieces) for level in levels)])
    for k, (low, high) in enumerate(pairwise(levels)):
        if high.w_mm - low.w_mm > (_MOST_MISSING + 1) * gap:
            continue
        for i in range(starts[k], starts[k + 1]):
            for j in range(starts[k + 1], starts[k + 2]):
                if parts[i][1].intersects(parts[j][1]):
                    root[find(j)] = find(i)
    found: dict[int, list[tuple[float, Any]]] = {}
    for n, part in enumerate(parts):
        found.setdefault(find(n), []).append(part)
    return list(found.values())


def _apart(a: Sequence[tuple[float, Any]], b: Sequence[tuple[float, Any]]) -> float:
    return min(float(np.hypot(p.distance(q), w - x)) for w, p in a for x, q in b)


def _pinholes(drawn: Drawn) -> Iterator[ContourFinding]:
    """Yield holes of some square millimetres in a slice whose neighbours are filled there."""
    for n, level in enumerate(drawn.levels):
        beside = [drawn.levels[k].area for k in (n - 1, n + 1) if 0 <= k < len(drawn.levels)]
        for piece in level.pieces:
            for ring in piece.interiors:
                hole = shapely.Polygon(ring)
                if SLIVER_MM2 < hole.area < _PINHOLE_MM2 and beside and all(area.contains(hole) for area in beside):
                    message = f"a hole of {hole.area:.2g} mm2 on this slice alone"
                    place = drawn.inside_of(hole, level.w_mm)
                    yield _finding(drawn, "pinhole", level.w_mm, place, message, repair="to be filled")


def _between_slices(drawn: Drawn, slices_mm: FloatArray | None) -> Iterator[ContourFinding]:
    """Yield contours that lie on no slice of the image or, without one, off the beat of the structure's own."""
    for level in drawn.levels:
        off = _off_by(drawn, level, slices_mm)
        if off is None or off <= _OFF_SLICE_MM:
            continue
        place = drawn.inside_of(level.area, level.w_mm) if level.area.area > 0 else None
        message = f"a contour lies {off:.2f} mm beside the nearest slice"
        yield ContourFinding(
            code="off-slice", roi=drawn.name, severity=Severity.WARNING, slice_mm=drawn.slice_mm(level.w_mm),
            place_mm=place, message=message, repair="to be moved onto a slice",
        )  # fmt: skip


def _off_by(drawn: Drawn, level: Level, slices_mm: FloatArray | None) -> float | None:
    if slices_mm is not None and slices_mm.size:
        return float(np.abs(slices_mm - level.w_mm).min())
    gap = drawn.gap_mm
    if gap is None or len(drawn.levels) < 5:
        return None
    phase = np.array([other.w_mm / gap for other in drawn.levels if other is not level])
    usual = np.angle(np.exp(2j * np.pi * phase).mean()) / (2 * np.pi)
    spread = 1 - abs(np.exp(2j * np.pi * phase).mean())
    if spread > 0.02:
        return None
    own = level.w_mm / gap - usual
    return float(abs(own - round(own)) * gap)
