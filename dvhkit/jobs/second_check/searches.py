"""What is searched for: one shift of the dose grid for all structures, and contours drawn otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.jobs.second_check import readings as words
from dvhkit.jobs.second_check.compared import ALONE_SHARE, SAMPLING_PCT, Compared, Explained, plain_curves
from dvhkit.jobs.second_check.edits import Edit, find_edit
from dvhkit.jobs.second_check.shift import find_shift, left_after

if TYPE_CHECKING:
    from dvhkit.model.arrays import FloatArray

_COST_SHIFT_PCT = 0.25
_COST_EDIT_PCT = 0.3
# One contour in many moves a curve by no more than this; one in few by twice its own part.
_EDIT_MOST_PCT = 30.0
_EDIT_PARTS_MOST = 2.0
# A search over more takes seconds: only for what nothing else explains.
_QUICK_SLICES = 12
# No search brings a curve nearer than this.
_EDIT_LEAST_PCT = 0.05


def explain_by_shift(asked: Sequence[Compared], others: Sequence[Compared] = ()) -> None:
    """Try one shift of the dose grid for all structures: a grid has one place. `others` may only speak against it."""
    open_rows = [row for row in asked if row.solids and _asks_for_free(row)]
    if not open_rows:
        return
    closed = [row for row in (*asked, *others) if row not in open_rows]
    worst_first = sorted(open_rows, key=lambda row: -row.base_pct)
    chosen = [*worst_first[:3], *closed[:2], *worst_first[3:]]
    parts = [(row.readings, row.target, plain_curves(row)) for row in chosen]
    shift = find_shift(parts)
    if shift is None:
        return
    size = float(np.linalg.norm(shift))
    if size < 0.1 or _contradicted(closed, shift):
        return
    place = " ".join(f"{value:+.2f}" for value in shift)
    for row in open_rows:
        plain = plain_curves(row)
        left = left_after((row.readings, row.target, plain), shift)
        if left > ALONE_SHARE * row.alone_pct:
            continue  # no shift changes a volume
        note = (
            f"their dose grid lies ({place}) mm from ours, or the structure by as much from theirs: a curve cannot tell"
        )
        row.found.append(
            Explained(names=(words.SHIFTED,), left_pct=left, cost_pct=_COST_SHIFT_PCT, free=True, note=note)
        )


def _asks_for_free(row: Compared) -> bool:
    """Whether a reading with free numbers may be at work: without one something is left, or one is known already.

    Below twice the resolution such a reading fits noise.
    """
    if row.base_pct <= 2.0 * row.resolution_pct:
        return False
    return row.best.free or row.best.left_pct > row.resolution_pct


def _contradicted(closed: Sequence[Compared], shift: FloatArray) -> bool:
    """Whether a structure that agrees without the shift would clearly not agree with it."""
    for row in closed:
        left = left_after((row.readings, row.target, plain_curves(row)), shift)
        if left > max(row.tolerance_pct, 3 * row.base_pct):
            return True
    return False


def _edit_most_pct(row: Compared) -> float:
    return max(_EDIT_MOST_PCT, 100.0 * _EDIT_PARTS_MOST / max(1, _n_slices(row)))


def _n_slices(row: Compared) -> int:
    slabs = row.readings.slabs()
    return len(slabs.sections) if slabs is not None else 0


def explain_by_edit(row: Compared) -> None:
    """Try one contour drawn otherwise, where nothing else explains a curve."""
    if not 2.0 * row.resolution_pct < row.base_pct <= _edit_most_pct(row):
        return
    # Where nothing else fits, our curve with another volume is the simpler word for what a contour that was edited does
    # hardly better. An edit is looked for in either reading, so the volume is.
    plain = plain_curves(row)
    best = row.best
    explained = bool(best.names) and best.left_pct <= (SAMPLING_PCT if best.free else row.resolution_pct)
    fits = bool(best.names) and not best.free and row.is_fit(best)
    alone = row.alone_pct
    most = math.inf if explained or fits else ALONE_SHARE * alone
    found = None
    if most >= _EDIT_LEAST_PCT:
        # What is explained is searched where that is quick; a contour that is missing reads as caps that are.
        quick = explained and _n_slices(row) > _QUICK_SLICES
        found = _within(find_edit(row.readings, row.target, plain, absent_alone=quick), most)
    if found is None and math.isfinite(most):
        # Which contour is missing is one number, as another volume is: it need not do better, only as well.
        absent = find_edit(row.readings, row.target, plain, absent_alone=True)
        found = _within(absent, max(alone, row.resolution_pct))
    if found is not None:
        left, _, note = found
        row.found.append(Explained(names=(words.EDITED,), left_pct=left, cost_pct=_COST_EDIT_PCT, free=True, note=note))


def _within(found: tuple[float, Edit, str] | None, most_pct: float) -> tuple[float, Edit, str] | None:
    return found if found is not None and found[0] <= most_pct else None
