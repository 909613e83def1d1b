"""What is searched for: one shift of the dose grid for all structures, and contours drawn otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.jobs.second_check import readings as words
from dvhkit.jobs.second_check.compared import NEAR_PCT, Compared, Explained
from dvhkit.jobs.second_check.edits import find_edit
from dvhkit.jobs.second_check.shift import find_shift, left_after
from dvhkit.metrics.curve_distance import Curve, curve_of

if TYPE_CHECKING:
    from dvhkit.model.arrays import FloatArray

_COST_SHIFT_PCT = 0.25
_COST_EDIT_PCT = 0.3
# What a reading with free parameters leaves if it is the right one.
_FREE_NEAR_PCT = 0.12
# One contour in many moves a curve by no more than this.
_EDIT_MOST_PCT = 30.0
_EDIT_SHARE = 0.5
# No search brings a curve nearer than this.
_EDIT_LEAST_PCT = 0.05


def explain_by_shift(compared: Sequence[Compared]) -> None:
    """Try one shift of the dose grid for all structures: a grid has one place."""
    open_rows = [row for row in compared if row.base_pct > NEAR_PCT and (row.best.free or row.best.left_pct > NEAR_PCT)]
    if not open_rows:
        return
    closed = [row for row in compared if row not in open_rows]
    worst_first = sorted(open_rows, key=lambda row: -row.base_pct)
    chosen = [*worst_first[:3], *closed[:2], *worst_first[3:]]
    parts = [(row.readings, row.target, _plain_curves(row)) for row in chosen]
    shift = find_shift(parts)
    if shift is None:
        return
    size = float(np.linalg.norm(shift))
    if size < 0.1 or _contradicted(closed, shift):
        return
    place = " ".join(f"{value:+.2f}" for value in shift)
    for row in open_rows:
        left = left_after((row.readings, row.target, _plain_curves(row)), shift)
        note = f"their dose grid lies ({place}) mm from ours"
        row.found.append(
            Explained(names=(words.SHIFTED,), left_pct=left, cost_pct=_COST_SHIFT_PCT, free=True, note=note)
        )


def _plain_curves(row: Compared) -> list[Curve]:
    """Return ours, and the reading with upright walls and half caps."""
    read = [curve for names, curve in row.solids if names in ((), (words.HALF_CAP, words.PRISM))]
    return read or [curve_of(row.ours)]


def _contradicted(closed: Sequence[Compared], shift: FloatArray) -> bool:
    """Whether a structure that agrees without the shift would clearly not agree with it."""
    for row in closed:
        left = left_after((row.readings, row.target, _plain_curves(row)), shift)
        if left > max(row.tolerance_pct, 3 * row.base_pct):
            return True
    return False


def explain_by_edit(row: Compared) -> None:
    """Try one contour drawn otherwise, where nothing else explains a curve."""
    best = row.best
    near = _FREE_NEAR_PCT if best.free else NEAR_PCT
    explained = bool(best.names) and best.left_pct <= near
    if row.base_pct <= NEAR_PCT or row.base_pct > _EDIT_MOST_PCT or explained:
        return
    # Our curve with another volume is the simpler word for what a contour that was edited does hardly better.
    # An edit is looked for in either reading, so the volume is.
    plain = _plain_curves(row)
    most = _EDIT_SHARE * min(map(row.shape_left_of, plain))
    if most < _EDIT_LEAST_PCT:
        return
    found = find_edit(row.readings, row.target, plain)
    if found is not None and found[0] <= most:
        left, _, note = found
        row.found.append(Explained(names=(words.EDITED,), left_pct=left, cost_pct=_COST_EDIT_PCT, free=True, note=note))
