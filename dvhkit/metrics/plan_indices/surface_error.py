"""DVHs as they may be by the engine's own error: what an index is asked of besides, so that its band holds that too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.model.dvh import Dvh


def off_by_error(dvh: Dvh) -> tuple[Dvh, ...]:
    """Return a DVH as hot, as cold, as wide and as narrow, and as large and as small as its own error allows.

    Doses move by `Dvh.error_gy` of the part that they bound, extremes within their bounds; none where no band was
    asked for. An index of two doses is off most where both are off towards each other, or away.
    """
    if dvh.part_cc.size == 0 or dvh.min_gy is None or dvh.max_gy is None or dvh.covered_cc <= 0:
        return ()
    lows = dvh.min_bounds_gy or (dvh.min_gy, dvh.min_gy)
    highs = dvh.max_bounds_gy or (dvh.max_gy, dvh.max_gy)
    below_frac = (np.cumsum(dvh.part_cc) - 0.5 * dvh.part_cc) / dvh.covered_cc
    error = dvh.errors_gy(below_frac)
    away = np.where(below_frac < 0.5, -error, error)
    moved = [
        _moved(dvh, shift, min_gy, max_gy)
        for shift, min_gy, max_gy in (
            (error, lows[1], highs[1]),
            (-error, lows[0], highs[0]),
            (away, lows[0], highs[1]),
            (-away, lows[1], highs[0]),
        )
    ]
    share = min(0.5, dvh.volume_error_cc / dvh.volume_cc)
    sized = [
        replace(dvh, part_cc=dvh.part_cc * scale, volume_cc=dvh.volume_cc * scale, variants=())
        for scale in ({1.0 - share, 1.0 + share} if share > 0 else ())
    ]
    return (*moved, *sized)


def _moved(dvh: Dvh, shift_gy: FloatArray, min_gy: float, max_gy: float) -> Dvh:
    """Return the DVH with its doses moved, still in order, and no lower than doses can be."""
    floor = min(0.0, float(dvh.dose_gy[0]))
    dose_gy = np.maximum(np.maximum.accumulate(dvh.dose_gy + shift_gy), floor)
    return replace(dvh, dose_gy=dose_gy, min_gy=max(min_gy, floor), max_gy=max_gy, variants=())
