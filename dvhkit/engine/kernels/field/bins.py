"""The running sums of an accumulator of doses, turned into volumes at doses."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def gather_atoms(hist, shares, low, high, noise_frac, dose, part):
    """Write the doses and volumes of all bins that hold any, some shares together; return how many there are.

    `hist` (shares, bins, 9) as kernel `book` leaves it, over doses from `low` to `high`; `shares`: which to count.
    `dose`, `part` (2 bins,): for each bin the mean dose of what was spread over it, no further than a bin from it, and
    what was met at one dose only.
    """
    n = hist.shape[1]
    step = (high - low) / n
    total = 0.0
    slope = 0.0
    first = 0.0
    second = 0.0
    before = 0.0
    before_sum = 0.0
    count = 0
    # Bins that hold no more than rounding leaves are taken out again below, when the whole is known.
    for b in range(n):
        volume = 0.0
        dose_sum = 0.0
        single = 0.0
        single_sum = 0.0
        least = np.inf
        most = -np.inf
        for share in shares:
            slope += hist[share, b, 0]
            first += hist[share, b, 1]
            second += hist[share, b, 2]
            volume += hist[share, b, 3]
            dose_sum += hist[share, b, 4]
            if hist[share, b, 5] > 0.0:
                single += hist[share, b, 5]
                single_sum += hist[share, b, 6]
                least = min(least, hist[share, b, 7])
                most = max(most, hist[share, b, 8])
        edge = (b + 1) * step
        after = edge * slope - first
        after_sum = 0.5 * edge * edge * slope - second
        volume += after - before
        dose_sum += after_sum - before_sum
        before = after
        before_sum = after_sum
        one_dose = single > 0.0 and most - least <= 1e-7 * abs(most)
        if not one_dose:
            volume += single
            dose_sum += single_sum
        total += volume
        if volume > 0.0:
            dose[count] = low + min(max(dose_sum / volume, edge - 2.0 * step), edge + step)
            part[count] = volume
            count += 1
        if one_dose:
            total += single
            dose[count] = low + single_sum / single
            part[count] = single
            count += 1
    kept = 0
    for n in range(count):
        if part[n] > noise_frac * total:
            dose[kept] = dose[n]
            part[kept] = part[n]
            kept += 1
    return kept
