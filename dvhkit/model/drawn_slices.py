"""The planes that the contours of a set lie on, for sets without an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.model.slices import SAME_PLANE_MM, Slices
from dvhkit.model.structure import Contour, Structure

# Planes face one way within 2.5 degrees.
_PARALLEL_COS = 0.999
# Distances that differ by less than this share are one distance; planes nearer than it are one plane.
_ALIKE_FRAC = 0.05


def with_slices_of_set(structures: Iterable[Structure]) -> tuple[Structure, ...]:
    """Return structures that know on which slices all of their frame, facing their way, were drawn.

    A set tells nothing about an ROI that is alone in it.
    """
    drawn = tuple(structures)
    facing = {n: way for n, s in enumerate(drawn) if (way := _facing(s)) is not None}
    groups: list[list[int]] = []
    for n, (normal, _) in facing.items():
        for group in groups:
            first = drawn[group[0]]
            parallel = abs(float(facing[group[0]][0] @ normal)) > _PARALLEL_COS
            if parallel and first.frame_of_reference_uid == drawn[n].frame_of_reference_uid:
                group.append(n)
                break
        else:
            groups.append([n])
    found = list(drawn)
    for group in groups:
        if len(group) < 2:
            continue
        slices = _shared([facing[n] for n in group])
        if slices is not None:
            for n in group:
                found[n] = replace(drawn[n], slices=slices)
    return tuple(found)


def _facing(structure: Structure) -> tuple[FloatArray, FloatArray] | None:
    """Return the normal of a structure's contours and their heights along it, one a contour."""
    closed = structure.closed_contours
    if not closed:
        return None
    widest = _widest(closed)
    if not np.isfinite(widest).all():
        return None
    spread = np.ptp(widest, axis=0)
    flat = [axis for axis in (2, 1, 0) if spread[axis] <= SAME_PLANE_MM]
    if flat:
        normal = np.eye(3)[flat[0]]
    else:
        around = widest - widest[0]
        normal = np.cross(around, np.roll(around, -1, axis=0)).sum(axis=0)
        length = float(np.linalg.norm(normal))
        if length == 0:
            return None
        normal = normal / length * np.sign(normal[int(np.abs(normal).argmax())])
    # The mean, without what `ndarray.mean` does around it for each contour.
    return normal, np.array([float((np.add.reduce(c.points_mm, axis=0) / len(c.points_mm)) @ normal) for c in closed])


def _widest(closed: Sequence[Contour]) -> FloatArray:
    """Return the points of the contour that reaches farthest, the first of equals."""
    points = np.concatenate([c.points_mm for c in closed])
    begins = np.cumsum([0, *(len(c.points_mm) for c in closed[:-1])])
    reach = np.maximum.reduceat(points, begins) - np.minimum.reduceat(points, begins)
    return closed[int(reach.sum(axis=1).argmax())].points_mm


def _shared(ways: list[tuple[FloatArray, FloatArray]]) -> Slices | None:
    """Return the planes of several structures as slices, each with the distance that most of them keep there."""
    normal = ways[0][0]
    planes = [_apart(np.sort(heights * np.sign(own @ normal)), 1e-3) for own, heights in ways]
    gaps = np.concatenate([np.diff(own) for own in planes])
    usual = _most(gaps)
    if usual is None:
        return None
    planes = [_apart(own, _ALIKE_FRAC * usual) for own in planes]
    at = _apart(np.sort(np.concatenate(planes)), _ALIKE_FRAC * usual)
    about: list[list[float]] = [[] for _ in at]
    for own in planes:
        firsts = np.searchsorted(at, own[:-1] - _ALIKE_FRAC * usual).tolist()
        lasts = np.searchsorted(at, own[1:] + _ALIKE_FRAC * usual).tolist()
        for first, last, gap in zip(firsts, lasts, np.diff(own).tolist(), strict=True):
            for n in range(first, last):
                about[n].append(gap)
    # Most planes have the same distances around them.
    known = {near: _most(np.array(near)) or usual for near in set(map(tuple, about))}
    local = [known[tuple(near)] for near in about]
    return Slices(normal=normal, at_mm=at, gap_mm=np.array(local))


def _apart(rising: FloatArray, tolerance_mm: float) -> FloatArray:
    """Return ascending heights, of those nearer than the tolerance the first only."""
    kept: list[float] = []
    for height in rising:
        if not kept or height - kept[-1] > tolerance_mm:
            kept.append(float(height))
    return np.array(kept)


def _most(gaps: FloatArray) -> float | None:
    """Return the commonest distance, of equally common ones the least; distances are alike to 5 %."""
    gaps = gaps[gaps > 0]
    if gaps.size == 0:
        return None
    bins = Counter(np.rint(np.log(gaps) / np.log1p(_ALIKE_FRAC)).astype(int).tolist())
    keys = np.rint(np.log(gaps) / np.log1p(_ALIKE_FRAC)).astype(int)
    best = min(bins, key=lambda key: (-bins[key] - bins.get(key + 1, 0) - bins.get(key - 1, 0), key))
    return float(np.median(gaps[np.abs(keys - best) <= 1]))
