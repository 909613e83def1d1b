"""The slices on which structures were drawn: those of an image, or the planes that the contours of a set lie on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure

# Contour coordinates are text, often rounded to 0.1 mm or less: what lies so near lies on one plane.
SAME_PLANE_MM = 0.1
# Planes face one way within 2.5 degrees.
_PARALLEL_COS = 0.999
# Distances that differ by less than this share are one distance; planes nearer than it are one plane.
_ALIKE_FRAC = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slices:
    """Parallel slices in patient coordinates.

    Attributes
    ----------
    normal : (3,)
        Unit normal.
    at_mm : (n,)
        Distance of each slice from the patient's origin along the normal, ascending.
    gap_mm : (n,)
        Slice distance about each of them: of an image from its neighbours; of a set the distance that most of its
        structures keep there.
    uids
        SOPInstanceUID of each slice; empty for a set.
    """

    normal: FloatArray
    at_mm: FloatArray
    gap_mm: FloatArray
    uids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("normal", "at_mm", "gap_mm"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))

    @property
    def is_image(self) -> bool:
        """Whether an image tells where slices are: between two of them there is none."""
        return bool(self.uids)


def stored_step_mm(values_mm: FloatArray) -> float:
    """Return to what stored positions are rounded: the coarsest of 1 to 0.001 mm of which all are multiples."""
    for unit in (1.0, 0.1, 0.01):
        if np.abs(values_mm / unit - np.rint(values_mm / unit)).max() < 1e-4:
            return unit
    return 1e-3


def slices_of_image(grid: Grid, uids: tuple[str, ...] = ()) -> Slices | None:
    """Return the slices of an image; None for a single one, which tells no distance."""
    if len(grid.offsets_mm) < 2:
        return None
    gaps = np.diff(grid.offsets_mm)
    near = np.minimum(np.append(gaps, gaps[-1]), np.append(gaps[0], gaps))
    named = uids if len(uids) == len(grid.offsets_mm) else tuple(f"#{n}" for n in range(len(grid.offsets_mm)))
    at = grid.offsets_mm + float(grid.origin_mm @ grid.axes[2])
    return Slices(normal=grid.axes[2], at_mm=at, gap_mm=near, uids=named)


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
    widest = max(closed, key=lambda c: float(np.ptp(c.points_mm, axis=0).sum())).points_mm
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
    return normal, np.array([float(c.points_mm.mean(axis=0) @ normal) for c in closed])


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
        for low, high in pairwise(own.tolist()):
            first, last = np.searchsorted(at, [low - _ALIKE_FRAC * usual, high + _ALIKE_FRAC * usual])
            for n in range(int(first), int(last)):
                about[n].append(float(high - low))
    local = [_most(np.array(near)) or usual for near in about]
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
