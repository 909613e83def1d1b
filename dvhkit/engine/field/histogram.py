"""From the kernel's running sums to a `Dvh`: bins fine enough not to matter, each at its own mean dose."""

from __future__ import annotations

import numpy as np

from dvhkit.engine.kernels.bins import gather_atoms
from dvhkit.model.arrays import FloatArray

BINS = 8192
# Running sums leave rounding noise of this share of the volume in bins that hold nothing.
_NOISE_FRAC = 1e-13


def empty_histogram() -> FloatArray:
    """Return the accumulator that the kernels write to."""
    return np.zeros((BINS, 9))


def atoms(hist: FloatArray, low_gy: float, high_gy: float, extremes_gy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return doses (ascending) and the volume in mm3 at each.

    Parameters
    ----------
    hist : (bins, 9)
        As the kernels' `_deposit` leaves it, over doses from `low_gy` to `high_gy`.
    extremes_gy : (2,)
        Least and greatest dose in the structure; no atom lies beyond.

    Notes
    -----
    A bin's spread-out volume becomes an atom at its mean dose, so the mean over all atoms is that over all cells.
    Volume at a single dose keeps that dose to the last digit: a plateau at a limit counts as reaching it.
    """
    dose_gy, part_mm3 = np.empty(2 * len(hist)), np.empty(2 * len(hist))
    count = gather_atoms(hist, low_gy, high_gy, _NOISE_FRAC, dose_gy, part_mm3)
    order = np.argsort(dose_gy[:count], kind="stable")
    return np.clip(dose_gy[order], *extremes_gy), part_mm3[order]
