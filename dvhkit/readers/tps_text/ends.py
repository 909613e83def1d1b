"""Whether a text export may have been cut off although each of its rows can be read.

A cumulative curve comes down to nothing: behind its last row lies no more than one bin. The volume in a bin dwindles
towards the greatest dose, so that what the last row leaves is no more than what the row before it took. And one program
ends all curves of a file alike: where all others end on 0, so does the last.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.readers.tps_text.lines import damaged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.tps_dvh import TpsDvh

# Less than any program prints of a volume in percent or cc; and what a curve may lack without a number that changes.
_NOTHING = 1e-9
_HARMLESS_FRAC = 1e-3
# A bin may begin anywhere, and samples scatter: what is left may be this many times what each of the last rows took.
_FALL_MOST = 2.0
_ROWS_BEFORE = 5


def with_doubts(path: Path, curves: Sequence[TpsDvh], *, in_turn: bool) -> list[TpsDvh]:
    """Return the curves, each with a doubt where the file may be cut off within it.

    `in_turn`: one curve stands below the other, so that a cut goes through the last. Raises `InputError` with the line
    where that alone has volume left.
    """
    if in_turn:
        _require_last_like_others(path, curves)
    whole = _ends_with_a_line(path)
    last = curves[-1:] if in_turn else curves
    return [
        replace(one, doubt=_doubt(one, whole=whole)) if any(one is each for each in last) else one for one in curves
    ]


def _require_last_like_others(path: Path, curves: Sequence[TpsDvh]) -> None:
    known = [curve for curve in curves if len(curve.volume)]
    if len(known) < 2 or known[-1] is not curves[-1]:
        return
    last, others = known[-1], known[:-1]
    if last.volume[-1] > _HARMLESS_FRAC * last.volume[0] and all(curve.volume[-1] <= _NOTHING for curve in others):
        left = last.volume[-1] / last.volume[0]
        reason = (
            f"the curve of {last.roi!r} ends while {left:.2%} of its volume is left, but all others come down to 0; "
            "the file is cut off."
        )
        raise damaged(path, last.line, reason)


def _doubt(curve: TpsDvh, *, whole: bool) -> str:
    """Return why a curve may be cut off, in words; empty where nothing speaks for it."""
    volume, dose = np.asarray(curve.volume), np.asarray(curve.dose_gy)
    if curve.unusable or len(volume) < 3:
        return ""
    if volume[-1] > _HARMLESS_FRAC * volume[0]:
        left = f"the curve ends while {volume[-1] / volume[0]:.2%} of the volume is left"
        if not whole:
            return f"{left} and the file ends within a line: it may be cut off"
        if volume[-1] > _FALL_MOST * _usual_fall(dose, volume):
            return f"{left}, more than its last rows take each: the file may be cut off"
    elif not whole and volume[-2] - volume[-1] > max(
        _FALL_MOST * _usual_fall(dose[:-1], volume[:-1]), _HARMLESS_FRAC * volume[0]
    ):
        return f"the file ends within a line, whose volume falls from {volume[-2]:.4g}: its digits may be cut off"
    return ""


def _usual_fall(dose: FloatArray, volume: FloatArray) -> float:
    """Return what one more bin as wide as the last would take, had it as much a Gy as any of the rows before."""
    step = np.diff(dose[-_ROWS_BEFORE - 1 :])
    fall = -np.diff(volume[-_ROWS_BEFORE - 1 :])
    return float((fall / np.maximum(step, 1e-12)).max() * step[-1])


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 4))
        return file.read().rstrip(b"\x00").endswith((b"\n", b"\r"))
