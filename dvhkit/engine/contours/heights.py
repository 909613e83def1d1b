"""On which slice each contour lies: stored heights are texts, rounded to a hundredth or to whole millimetres."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.frame import Frame
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.slices import Slices, stored_step_mm

# Slices face the way of the contours within 2.5 degrees.
_PARALLEL_COS = 0.999
# Contours nearer than this share of the slice distance lie on one plane.
SAME_PLANE_FRAC = 0.05
_EXACT_MM = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Along:
    """Slices as heights w of a structure's frame, ascending, with the slice distance about each."""

    at_mm: FloatArray
    gap_mm: FloatArray
    is_image: bool
    uids: tuple[str, ...] = ()

    def gap_at(self, w_mm: float) -> float:
        """Return the slice distance at a height."""
        return float(self.gap_mm[int(np.abs(self.at_mm - w_mm).argmin())])

    def between(self, low_mm: FloatArray, high_mm: FloatArray) -> NDArray[np.int64]:
        """Return how many slices lie between two heights each, those within a fifth of the way of either left out."""
        inner = 0.2 * (high_mm - low_mm)
        return np.searchsorted(self.at_mm, high_mm - inner) - np.searchsorted(self.at_mm, low_mm + inner)


def along(slices: Slices | None, frame: Frame) -> Along | None:
    """Return slices in a structure's frame; None where they face another way."""
    if slices is None or len(slices.at_mm) < 2:
        return None
    cosine = float(slices.normal @ frame.axes[2])
    if abs(cosine) < _PARALLEL_COS:
        return None
    sign = 1.0 if cosine > 0 else -1.0
    step = -1 if sign < 0 else 1
    at = sign * slices.at_mm - float(frame.origin_mm @ frame.axes[2])
    return Along(at_mm=at[::step], gap_mm=slices.gap_mm[::step], is_image=slices.is_image, uids=slices.uids[::step])


def rounding_mm(heights_mm: FloatArray, frame: Frame) -> float:
    """Return to what the stored heights are rounded; across oblique planes none are stored."""
    if np.abs(frame.axes[2]).max() < 1.0 - 1e-9:
        return 0.01
    return stored_step_mm(heights_mm + float(frame.origin_mm @ frame.axes[2]))


def placed(
    heights_mm: FloatArray, uids: list[str], frame: Frame, slices: Along | None, name: str
) -> tuple[FloatArray, Along | None, list[Finding]]:
    """Return the height of each contour's slice, and the slices themselves, as far as rounding explains the rest.

    Parameters
    ----------
    heights_mm : (n,)
        As stored, in stored order.
    uids
        Of the image slice that each contour refers to; empty where it refers to none.
    """
    unit = rounding_mm(heights_mm, frame)
    if slices is not None and slices.is_image:
        found = _on_image(heights_mm, uids, slices, unit)
        if found is None:
            return heights_mm, slices, []
        moved = float(np.abs(found - heights_mm).max())
        apart = len(np.unique(found)) > len(np.unique(np.round(heights_mm, 3)))
        findings = (
            [_collapsed(name, unit)] if apart else [_rounded(name, unit)] if moved > 0.1 * slices.gap_mm.min() else []
        )
        return found, slices, findings
    lattice = _lattice(slices.at_mm if slices is not None else heights_mm, unit)
    if lattice is None:
        return heights_mm, slices, []
    first, step = lattice
    even = first + step * np.rint((heights_mm - first) / step)
    if slices is not None:
        at = np.unique(np.rint((slices.at_mm - first) / step))
        slices = replace(slices, at_mm=first + step * at, gap_mm=np.full(len(at), step))
    return even, slices, [_rounded(name, unit)]


def _on_image(heights: FloatArray, uids: list[str], slices: Along, unit: float) -> FloatArray | None:
    """Return the image slice of each contour; None where rounding does not explain how far they lie from one."""
    reach = 0.5 * unit + _EXACT_MM
    place = {uid: n for n, uid in enumerate(slices.uids)}
    if all(uid in place for uid in uids):
        named = slices.at_mm[[place[uid] for uid in uids]]
        if np.abs(named - heights).max() <= reach:
            return np.asarray(named)
    nearest = slices.at_mm[_nearest(slices.at_mm, heights)]
    if np.abs(nearest - heights).max() > reach:
        return None
    if float(slices.gap_mm.min()) > unit:
        same = len(np.unique(nearest)) == len(np.unique(np.round(heights, 3)))
        return np.asarray(nearest) if same else None
    return _in_turn(heights, slices, reach)


def _in_turn(heights: FloatArray, slices: Along, reach: float) -> FloatArray | None:
    """Return one slice after the other for contours stored in order, where rounding put several on one height."""
    steps = np.diff(heights)
    if len(heights) < 3 or len(heights) > len(slices.at_mm) or not (np.all(steps >= 0) or np.all(steps <= 0)):
        return None
    if np.all(steps != 0):
        return None
    turn = 1 if heights[-1] >= heights[0] else -1
    rising = heights[::turn]
    best: tuple[float, FloatArray] | None = None
    for first in range(len(slices.at_mm) - len(rising) + 1):
        taken = slices.at_mm[first : first + len(rising)]
        off = np.abs(taken - rising)
        if off.max() <= reach and (best is None or off.sum() < best[0]):
            best = float(off.sum()), taken
    return None if best is None else np.asarray(best[1][::turn])


def _nearest(at: FloatArray, heights: FloatArray) -> NDArray[np.intp]:
    above = np.clip(np.searchsorted(at, heights), 1, len(at) - 1)
    return np.where(heights - at[above - 1] <= at[above] - heights, above - 1, above)


def _lattice(heights: FloatArray, unit: float) -> tuple[float, float] | None:
    """Return first height and step of the even lattice that heights were rounded from to n or n + 1 units' distance.

    Distances of one unit and of two in turn are those of slices between one and two units apart, and no missing
    slices. One such distance alone may be a missing slice; those of the first and the last slice tell nothing, since
    slices are often farther apart towards the ends (3, 2, 2, ..., 2, 3 mm would be 2.1 mm rounded).
    """
    # The frame may begin anywhere; what was rounded to units lies whole units from each other.
    base = float(heights.min())
    at = base + np.unique(np.round((heights - base) / unit).astype(np.int64)) * unit
    gaps = np.rint(np.diff(at) / unit).astype(np.int64)
    least = int(gaps.min(initial=1 << 30))
    within = gaps[1:-1]
    short, longer = int((within == least).sum()), int((within == least + 1).sum())
    # Planes of several images lie at any distance: they have no lattice, though a fine one is near all of them.
    if unit < 0.1 or min(short, longer) < 2 or longer < 0.1 * (short + longer) or 2 * (short + longer) < within.size:
        return None
    step = float(gaps[gaps <= least + 1].mean()) * unit
    for _ in range(3):
        onward = np.where(gaps <= least + 1, 1.0, np.maximum(1, np.rint(gaps * unit / step)))
        places = np.concatenate([[0.0], np.cumsum(onward)])
        step = _tightest_step(np.asarray(places, np.float64), np.asarray(at, np.float64), unit)
    off = at - step * places
    if np.ptp(off) > unit + 1e-6 or step < (least + 0.05) * unit:
        return None
    # The middle of what is left over, not its mean: rounding is bounded, and either side is as likely.
    return float(0.5 * (off.max() + off.min())), float(step)


def _tightest_step(places: FloatArray, at: FloatArray, unit: float) -> float:
    """Return the step about which heights range least: convex in the step, so thirds close in on it.

    Heights that lie half way are rounded to even numbers, and only the step itself explains all of them.
    """
    about = float(np.polyfit(places, at, 1)[0])
    low, high = (about + side * 2.0 * unit / float(places[-1]) for side in (-1.0, 1.0))
    for _ in range(80):
        third = (high - low) / 3.0
        if np.ptp(at - (low + third) * places) <= np.ptp(at - (high - third) * places):
            high -= third
        else:
            low += third
    return 0.5 * (low + high)


def _rounded(name: str, unit: float) -> Finding:
    return Finding(
        level=Level.INFO,
        code="slices-rounded",
        message=f"Heights of contours are rounded to {unit:g} mm; they were put back onto the even slices that explain "
        "them.",
        where=name,
    )


def _collapsed(name: str, unit: float) -> Finding:
    return Finding(
        level=Level.SERIOUS,
        code="slices-collapsed",
        message=f"Heights of contours are rounded to {unit:g} mm, so that several slices fell onto one; each contour "
        "was put back onto its image slice. Compare the volume with the planning system.",
        where=name,
    )
