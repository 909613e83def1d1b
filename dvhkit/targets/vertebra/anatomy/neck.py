"""What is different in the neck: a hole in each transverse process, beside the body, and pillars of joints behind it.

The vertebral artery runs through the hole (foramen transversarium), which is seen along the canal as the canal is.
The pedicle runs askew from the body to the articular pillar on the inner side of the hole; the bone round the hole is
transverse process; the pillar and what lies behind it is lamina.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.targets.vertebra.anatomy.frame import Mask
from dvhkit.targets.vertebra.anatomy.local import STEP_MM, LocalVolume
from dvhkit.targets.vertebra.anatomy.pieces import label_pieces

# Foramina are 4-8 mm wide.
_AREA_MM2 = (4.0, 90.0)
# Where they are sought: this far beyond the canal's side, in front of the back wall and behind it.
_ASIDE_MM = (-2.0, 16.0)
_ALONG_MM = (-12.0, 12.0)
# Left and right foramen mirror each other to this.
_ALIKE_MM = 5.0
# A foramen that is not seen is taken to begin so far beside the canal, and to lie so far before the back wall.
_USUAL_MM = (3.0, 1.0)
# The pillar begins where columns of bone are taller than this fraction of the tallest.
_TALL_FRAC = 0.6
_FEW = 6
# Of the pedicle's height, bone fills more than this beside the hole and less in it.
_THROUGH_FRAC = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class NeckCuts:
    """Cuts of a cervical vertebra in its own axes, in mm; sides are (left, right).

    Attributes
    ----------
    inner_u
        Inner edge of the foramen: bone between it and the body or canal is pedicle.
    middle_v
        Middle of the foramen; behind it the pedicle runs outwards at half a right angle.
    pillar_v
        Front of the articular pillars.
    foramina_seen
        Whether the foramina were seen, or are only known from where they usually lie.
    """

    inner_u: tuple[float, float]
    middle_v: tuple[float, float]
    pillar_v: float
    foramina_seen: bool


def find_neck(volume: LocalVolume, wall_v: float, pedicle_w: tuple[float, float], *, assume: bool) -> NeckCuts | None:
    """Return the cuts of a cervical vertebra, or None where no pair of foramina is seen and none is assumed."""
    canal = float(np.abs(volume.frame.canal_uv[:, 0]).max())
    # A leaning process closes its hole to the view, but not at the height of the pedicle.
    beside = volume.mask[(volume.w_mm >= pedicle_w[0]) & (volume.w_mm <= pedicle_w[1])]
    seen_from_above = beside.sum(axis=0) > _THROUGH_FRAC * max(1, len(beside))
    found = [_foramen(volume, seen_from_above, side, wall_v, canal) for side in (1, -1)]
    seen = [f for f in found if f is not None]
    both = len(seen) == 2 and all(abs(a - b) < _ALIKE_MM for a, b in zip(*seen, strict=True))
    if not both and not assume:
        return None
    usual = seen[0] if len(seen) == 1 else (canal + _USUAL_MM[0], wall_v - _USUAL_MM[1])
    left, right = (f if f is not None and (both or len(seen) == 1) else usual for f in found)
    return NeckCuts(
        inner_u=(left[0], right[0]),
        middle_v=(left[1], right[1]),
        pillar_v=_pillar_front(volume, wall_v, canal),
        foramina_seen=both,
    )


def _foramen(volume: LocalVolume, picture: Mask, side: int, wall_v: float, canal: float) -> tuple[float, float] | None:
    """Return the inner edge (distance from the midline) and the middle (v) of the foramen of one side, where seen."""
    holes = label_pieces(~picture)
    best, best_area = None, 0.0
    for number in range(1, int(holes.max()) + 1):
        rows, columns = np.nonzero(holes == number)
        u, v = volume.u_mm[columns] * side, volume.v_mm[rows]
        area = len(rows) * STEP_MM**2
        aside, along = float(u.mean()) - canal, float(v.mean()) - wall_v
        in_place = _ASIDE_MM[0] < aside < _ASIDE_MM[1] and _ALONG_MM[0] < along < _ALONG_MM[1]
        if in_place and _AREA_MM2[0] <= area <= _AREA_MM2[1] and area > best_area:
            best, best_area = (float(u.min()) - 0.5 * STEP_MM, float(v.mean())), area
    return best


def _pillar_front(volume: LocalVolume, wall_v: float, canal: float) -> float:
    """Return where, beside the canal and from its front backwards, columns of bone become tall."""
    beside = (np.abs(volume.u_mm) > canal) & (np.abs(volume.u_mm) < canal + _ASIDE_MM[1])
    rows = np.flatnonzero(volume.v_mm > wall_v)
    if len(rows) == 0 or not beside.any():
        return wall_v
    # The tallest few columns of a row: one alone may be a corner of a thick slice.
    heights = np.sort(volume.mask[:, rows][:, :, beside].sum(axis=0), axis=1)[:, -_FEW:].mean(axis=1)
    first = int(np.argmax(heights))
    while first > 0 and heights[first - 1] > _TALL_FRAC * heights.max():
        first -= 1
    return float(volume.v_mm[rows[first]]) - 0.5


def neck_sides(volume: LocalVolume, neck: NeckCuts) -> tuple[Mask, Mask]:
    """Return, for the cubes of the volume, where body or pedicle lie (inside the foramina), and where the pillars."""
    v, u = np.meshgrid(volume.v_mm, volume.u_mm, indexing="ij", sparse=True)
    inner = np.where(u >= 0, *neck.inner_u)
    outwards = np.clip(v - np.where(u >= 0, *neck.middle_v), 0.0, None)
    return np.abs(u) < inner + outwards, np.broadcast_to(v >= neck.pillar_v, (len(volume.v_mm), len(volume.u_mm)))
