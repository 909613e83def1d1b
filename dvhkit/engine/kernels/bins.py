"""The running sums of an accumulator of doses, turned into volumes at doses."""

from numba import njit


@njit(cache=True, nogil=True)
def gather_atoms(hist, low, high, noise_frac, dose, part):
    """Write the doses and volumes of all bins that hold any; return how many there are.

    `hist` (bins, 9) as kernel `book` leaves it, over doses from `low` to `high`. `dose`, `part` (2 bins,): for each bin
    the mean dose of what was spread over it, no further than a bin from it, and what was met at one dose only.
    """
    n = hist.shape[0]
    step = (high - low) / n
    total = 0.0
    slope = 0.0
    first = 0.0
    before = 0.0
    for b in range(n):
        slope += hist[b, 0]
        first += hist[b, 1]
        after = (b + 1) * step * slope - first
        total += after - before + hist[b, 3] + hist[b, 5]
        before = after
    slope = 0.0
    first = 0.0
    second = 0.0
    before = 0.0
    before_sum = 0.0
    count = 0
    for b in range(n):
        slope += hist[b, 0]
        first += hist[b, 1]
        second += hist[b, 2]
        edge = (b + 1) * step
        after = edge * slope - first
        after_sum = 0.5 * edge * edge * slope - second
        volume = after - before + hist[b, 3]
        dose_sum = after_sum - before_sum + hist[b, 4]
        before = after
        before_sum = after_sum
        one_dose = hist[b, 5] > 0.0 and hist[b, 8] - hist[b, 7] <= 1e-7 * abs(hist[b, 8])
        if not one_dose:
            volume += hist[b, 5]
            dose_sum += hist[b, 6]
        if volume > noise_frac * total:
            dose[count] = low + min(max(dose_sum / volume, edge - 2.0 * step), edge + step)
            part[count] = volume
            count += 1
        if one_dose:
            dose[count] = low + hist[b, 6] / hist[b, 5]
            part[count] = hist[b, 5]
            count += 1
    return count
