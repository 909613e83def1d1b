"""The running sums of an accumulator of doses, turned into volumes at doses."""

import numpy as np

from dvhkit.engine.kernels.compiled import kernel


@kernel
def gather_atoms(slopes, points, shares, low, high, noise_frac, dose, part):
    """Write the doses and volumes of all bins that hold any, some shares together; return how many there are.

    `slopes` (shares, bins, 3) and `points` (shares, bins, 6) as kernel `book` leaves them, over doses from `low` to
    `high`; `shares`: which to count. `dose`, `part` (2 bins,): for each bin the mean dose of what was spread over it,
    no further than a bin from it, and what was met at one dose only.
    """
    n = slopes.shape[1]
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
            slope += slopes[share, b, 0]
            first += slopes[share, b, 1]
            second += slopes[share, b, 2]
            volume += points[share, b, 0]
            dose_sum += points[share, b, 1]
            if points[share, b, 2] > 0.0:
                single += points[share, b, 2]
                single_sum += points[share, b, 3]
                least = min(least, points[share, b, 4])
                most = max(most, points[share, b, 5])
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
