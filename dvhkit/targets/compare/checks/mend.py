"""Contours put right where no choice is left: what `contours check --repair` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely

from dvhkit.engine.contours.repair import compose, rings_of
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Contour, Structure
from dvhkit.results.contours.checks import ContourFinding
from dvhkit.targets.compare.checks.bridge import around, bridged
from dvhkit.targets.compare.checks.drawn import Drawn, Level, drawn_of
from dvhkit.targets.compare.checks.outlines import TWIN_MM, is_sliver, is_turned, spike_points

# What lies so near is the same point, or slice.
_SAME_MM = 0.01


def mended(structure: Structure, found: Sequence[ContourFinding]) -> Structure:
    """Return a structure with the safe repairs of its findings applied; the same object where there are none."""
    codes = {f.code for f in found if f.is_safe}
    if not codes:
        return structure
    drawn = drawn_of(structure)
    if drawn.problem or not drawn.levels or any(is_turned(ring) for ring in drawn.rings):
        return structure  # flattened, a contour that faces another way would be lost
    kept = [c for c in structure.contours if not c.kind.is_closed]
    spikes = np.array([f.place_mm for f in found if f.code == "spike" and f.is_safe and f.place_mm]).reshape(-1, 3)
    spikes = drawn.frame.to_frame(spikes)
    for level in drawn.levels:
        here = spikes[np.abs(spikes[:, 2] - level.w_mm) < _SAME_MM, :2]
        kept += [_contour(drawn, ring, level.w_mm) for ring in _rings(level, here)]
    whole = replace(structure, contours=tuple(kept))
    return _filled_in(whole, found) if "missing-slice" in codes else whole


def _without_spikes(points: FloatArray, spikes: FloatArray) -> FloatArray:
    """Return a ring's points less those that jut out and straight back, and those that were found to be spikes."""
    if len(points) < 6:
        return points
    named = (np.abs(points[:, None] - spikes).max(axis=2) < _SAME_MM).any(axis=1)
    return np.asarray(points[~(spike_points(points) | named)])


def _rings(level: Level, spikes: FloatArray) -> list[FloatArray]:
    """Return the rings of a slice without spikes (n, 2), slivers and twins, outlined anew where they cross."""
    rings: list[FloatArray] = []
    kept = [r for r in level.rings if not is_sliver(r)] or list(level.rings)
    for ring in sorted(kept, key=lambda r: -r.area_mm2):
        points = _without_spikes(ring.points, spikes)
        line = shapely.linearrings(points)
        if any(shapely.hausdorff_distance(line, shapely.linearrings(other)) <= TWIN_MM for other in rings):
            continue
        rings.append(points)
    shapes = [shapely.Polygon(r) for r in rings]
    if all(s.is_valid for s in shapes) and not _cross(shapes):
        return rings
    if all(s.is_valid for s in shapes):
        return rings_of(compose(rings, xor=False))
    # A ring that only touches itself, as a keyhole does, stays as it is.
    made: list[FloatArray] = []
    for points in rings:
        made += rings_of(compose([points], xor=False)) if _winds(points) else [points]
    return made


def _cross(shapes: Sequence[Any]) -> bool:
    for n, one in enumerate(shapes):
        for two in shapes[:n]:
            shared = one.intersection(two).area
            if 0.01 * min(one.area, two.area) < shared < 0.99 * min(one.area, two.area):
                return True
    return False


def _winds(points: FloatArray) -> bool:
    """Whether a ring encloses other than its signed area says: it crosses itself."""
    x, y = (points - points[0]).T
    net = abs(0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)))
    return abs(float(compose([points], xor=False).area) - net) > max(0.05, 1e-4 * net)


def _contour(drawn: Drawn, ring: FloatArray, w_mm: float) -> Contour:
    return Contour(points_mm=drawn.frame.to_patient(np.column_stack([ring, np.full(len(ring), w_mm)])))


def _filled_in(structure: Structure, found: Sequence[ContourFinding]) -> Structure:
    """Return the structure with the slices drawn that it skips."""
    drawn = drawn_of(structure)
    added: list[Contour] = []
    for finding in found:
        if finding.code != "missing-slice" or not finding.is_safe or finding.place_mm is None:
            continue
        u, v, w = (float(x) for x in drawn.frame.to_frame(np.array([finding.place_mm]))[0])
        section = bridged(drawn, around(drawn, shapely.Point(u, v), w), w)
        added += [_contour(drawn, ring, w) for ring in rings_of(section)]
    return replace(structure, contours=(*structure.contours, *added))
