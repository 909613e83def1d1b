"""From the kernel's running sums to a `Dvh`: bins fine enough not to matter, each at its own mean dose."""

from __future__ import annotations

import numpy as np

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
    hist = np.ascontiguousarray(hist.T)
    edges = np.linspace(0.0, high_gy - low_gy, hist.shape[1] + 1)
    slope, first, second = (np.concatenate([[0.0], np.cumsum(row)]) for row in hist[:3])
    volume = np.diff(edges * slope - first) + hist[3]
    dose_sum = np.diff(0.5 * edges**2 * slope - second) + hist[4]
    total = float(volume.sum() + hist[5].sum())
    one_dose = (hist[5] > 0) & (hist[8] - hist[7] <= 1e-7 * np.abs(hist[8]))
    volume = volume + np.where(one_dose, 0.0, hist[5])
    dose_sum = dose_sum + np.where(one_dose, 0.0, hist[6])
    filled = volume > _NOISE_FRAC * total
    width = edges[1] - edges[0]
    mean = np.clip(dose_sum[filled] / volume[filled], edges[:-1][filled] - width, edges[1:][filled] + width)
    doses = np.concatenate([low_gy + mean, low_gy + hist[6][one_dose] / hist[5][one_dose]])
    parts = np.concatenate([volume[filled], hist[5][one_dose]])
    order = np.argsort(doses, kind="stable")
    return np.clip(doses[order], *extremes_gy), parts[order]
