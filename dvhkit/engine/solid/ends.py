"""Where a solid of upright walls ends: half way to the next plane, and the caps of its runs."""

from __future__ import annotations

import numpy as np

from dvhkit.engine.contours.planes import PlaneStack
from dvhkit.engine.contours.runs import Runs
from dvhkit.engine.options import EndCap, EngineOptions
from dvhkit.model.arrays import FloatArray

_THIN_CAP_MM = 1.5


def slabs(stack: PlaneStack, runs: Runs, options: EngineOptions) -> tuple[FloatArray, FloatArray]:
    """Return where each plane's prism begins and ends along w: half way to its neighbours, and the cap at the ends."""
    middle = 0.5 * (stack.offsets_mm[:-1] + stack.offsets_mm[1:])
    lo = np.concatenate([[0.0], middle])
    hi = np.concatenate([middle, [0.0]])
    for (first, stop), (gap_lo, gap_hi) in zip(runs.bounds, runs.end_gap_mm, strict=True):
        lone = stop - first == 1
        lo[first] = stack.offsets_mm[first] - cap_mm(gap_lo, options.end_cap, lone=lone)
        hi[stop - 1] = stack.offsets_mm[stop - 1] + cap_mm(gap_hi, options.end_cap, lone=lone)
    return lo, hi


def cap_mm(gap_mm: float, cap: EndCap, *, lone: bool) -> float:
    """Return the height of an end cap; a lone plane always gets half its slice distance, or it had no volume."""
    if cap is EndCap.NONE and not lone:
        return 0.0
    half = 0.5 * gap_mm
    return min(half, _THIN_CAP_MM) if cap is EndCap.HALF_SLICE_1_5MM else half
