"""From the kernel's running sums to a `Dvh`: bins fine enough not to matter, each at its own mean dose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvhkit.engine.kernels.buffers import Sums
from dvhkit.engine.kernels.field.bins import gather_atoms
from dvhkit.model.arrays import FloatArray

BINS = 8192
# Steps of dose in which it is noted what the rounded dose has more: far finer than that varies.
GROUPS = 512
# Running sums leave rounding noise of this share of the volume in bins that hold nothing.
_NOISE_FRAC = 1e-13


def atoms(
    sums: Sums, shares: Sequence[int], low_gy: float, high_gy: float, extremes_gy: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return doses (ascending) and the volume in mm3 at each, of some shares of what was booked.

    Parameters
    ----------
    sums
        As booking leaves them, over doses from `low_gy` to `high_gy`.
    extremes_gy : (2,)
        Least and greatest dose in the structure; no atom lies beyond.

    Notes
    -----
    A bin's spread-out volume becomes an atom at its mean dose, so the mean over all atoms is that over all cells.
    Volume at a single dose keeps that dose to the last digit: a plateau at a limit counts as reaching it.
    """
    dose_gy, part_mm3 = np.empty(2 * sums.slopes.shape[1]), np.empty(2 * sums.slopes.shape[1])
    count = gather_atoms(sums.slopes, sums.points, np.array(shares), low_gy, high_gy, _NOISE_FRAC, dose_gy, part_mm3)
    order = np.argsort(dose_gy[:count], kind="stable")
    return np.clip(dose_gy[order], *extremes_gy), part_mm3[order]


def shifted(
    dose_gy: FloatArray, part: FloatArray, shifts: FloatArray, low_gy: float, high_gy: float
) -> tuple[FloatArray, FloatArray]:
    """Return doses (ascending) and the volume at each where every dose is another by a little.

    `shifts` (groups, 2): in steps from `low_gy` to `high_gy` the volume, and the difference times it. Volume at one
    dose is moved by the mean difference there: to first order what booking it anew would give.
    """
    met = np.flatnonzero(shifts[:, 0] > 0)
    if not met.size:
        return dose_gy, part
    middle_gy = low_gy + (met + 0.5) * ((high_gy - low_gy) / len(shifts))
    moved = dose_gy + np.interp(dose_gy, middle_gy, shifts[met, 1] / shifts[met, 0])
    order = np.argsort(moved, kind="stable")
    return moved[order], part[order]
