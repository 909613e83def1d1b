"""Readings of one structure by itself: ends and walls, bins, dose edges, a factor on the dose."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dvhkit.jobs.second_check import readings as words
from dvhkit.jobs.second_check.compared import (
    ALONE_SHARE,
    COST_FREE_PCT,
    COST_PCT,
    SAMPLING_PCT,
    Compared,
    Explained,
    dose_at_share,
)
from dvhkit.jobs.second_check.readings import Target, interpolated, scaled_dose
from dvhkit.metrics.curve_distance import Curve
from dvhkit.model.arrays import FloatArray

# A scale nearer to 1 than three times the noise of sampling is not told from it; beyond these no unit is mistaken for
# another.
_SCALE_LEAST = 3.0 * SAMPLING_PCT / 100.0
_SCALE_RANGE = (0.005, 200.0)
# What a straight line may miss by, beyond rounding; a smooth curve needs some eighty lines or more for that.
_STRAIGHT_FRAC = 2e-5
_KNOTS_MOST = 80
_POINTS_A_KNOT = 3
# The readings that are tried together with an interpolated curve.
_SIMPLE = (
    (),
    *((cap, walls) for cap in (words.HALF_CAP, words.NO_CAP) for walls in (words.PRISM, words.STRAIGHT)),
)


def explain(row: Compared) -> None:
    """Try every reading without regard to the other structures."""
    coarse = row.target.is_coarse
    row.knots = None if coarse else _knots(row.target)
    if row.base_pct <= row.resolution_pct and not coarse:
        row.solids = row.readings.prisms()
        return
    row.solids = row.readings.solids()
    _with_other_cap(row)
    for names, curve in (*row.solids, *row.readings.outside(), *row.readings.centres()):
        row.found += _with_bins(row.target, names, curve, coarse=coarse, knots=row.knots)
    if min(e.left_pct for e in row.found) > row.resolution_pct:
        for names, curve in row.solids:
            row.found += _with_scale(row.target, names, curve)


def _with_other_cap(row: Compared) -> None:
    """Add ends at the height that gives their volume, where that does twice as well as our curve with that volume."""
    if row.target.own_cc is None or row.target.whole_cc is None:
        return
    found = row.readings.capped_to(row.target.own_cc)
    if found is None:
        return
    slices, curve = found
    alone = min(row.shape_left_of(other) for _, other in row.solids)
    left = row.target.residual(curve, fine=True)
    # Volumes that are hardly apart are within the two flat rules.
    if math.isfinite(alone) and left <= ALONE_SHARE * alone:
        row.solids.append(((words.OTHER_CAP, f"ends {slices:.2g} slices beyond the last contours"), curve))


def _with_bins(
    target: Target, names: tuple[str, ...], curve: Curve, *, coarse: bool, knots: FloatArray | None
) -> Iterator[Explained]:
    """Yield a reading as it is, and with each way of bins."""
    cost = COST_PCT if names else 0.0
    said = names[:1]
    note = f"with {names[1]}" if len(names) > 1 else ""
    if names:
        left, free = target.residual(curve, fine=True), words.OTHER_CAP in said
        yield Explained(names=said, left_pct=left, cost_pct=cost, free=free, note=note, curve=curve)
    if coarse:
        # On which side of its bin a volume is printed is told by the fit alone.
        for offset in (0.0, 0.5, -0.5, 1.0, -1.0):
            shift = offset * target.bin_gy
            extra = 0.1 if offset == 0.0 else 0.2
            left = target.residual(curve, dose_shift_gy=shift)
            bins = f"bins of {target.bin_gy:.3g} Gy" + (
                "" if not shift else f", volumes printed {shift:+.3g} Gy from where they hold"
            )
            yield Explained(
                names=(*said, words.COARSE),
                left_pct=left,
                cost_pct=cost + extra,
                note="; ".join(filter(None, (note, bins))),
                curve=curve,
            )
        return
    if knots is not None and names in _SIMPLE:
        yield Explained(
            names=(*said, words.INTERPOLATED),
            left_pct=target.residual(interpolated(curve, knots), fine=True),
            cost_pct=cost + COST_PCT,
            note="; ".join(filter(None, (note, f"straight lines between {len(knots)} points"))),
            curve=curve,
        )


def _knots(target: Target) -> FloatArray | None:
    """Return the doses at which a finely printed curve bends, where it is straight between few of them; else None.

    Bends are sought by halving at the farthest point (Ramer 1972, Douglas and Peucker 1973), to what printing rounds.
    """
    dose, share = target.printed_gy, target.printed_share
    end = min(len(dose), int(np.flatnonzero(share > 0)[-1]) + 2)
    dose, share = dose[:end], share[:end]
    allowed = max(_STRAIGHT_FRAC, 1.01 * target.round_frac)
    most = min(_KNOTS_MOST, len(dose) // _POINTS_A_KNOT)
    bends, waiting = {0, len(dose) - 1}, [(0, len(dose) - 1)]
    while waiting:
        a, b = waiting.pop()
        line = share[a] + (dose[a : b + 1] - dose[a]) * (share[b] - share[a]) / (dose[b] - dose[a])
        off = np.abs(share[a : b + 1] - line)
        at = a + int(off.argmax())
        if off[at - a] > allowed:
            bends.add(at)
            waiting += [(a, at), (at, b)]
        if len(bends) > most:
            return None
    return np.asarray(dose[sorted(bends)])


def _with_scale(target: Target, names: tuple[str, ...], curve: Curve) -> Iterator[Explained]:
    """Yield a reading with all doses scaled by the factor that fits."""
    factor = _factor(target, curve)
    if factor is None:
        return
    tried = [(target.residual(scaled_dose(curve, f)), f) for f in factor * (1.0 + np.linspace(-0.01, 0.01, 21))]
    left, best = min(tried)
    if abs(best - 1.0) < _SCALE_LEAST:
        return
    note = f"their doses are {best:.4g} times those of the grid"
    cost = COST_FREE_PCT + (COST_PCT if names else 0.0)
    yield Explained(
        names=(*names[:1], words.SCALED),
        left_pct=left,
        cost_pct=cost,
        free=True,
        note=note,
        curve=scaled_dose(curve, best),
    )


def _factor(target: Target, curve: Curve) -> float | None:
    """Return the ratio of their doses to ours at equal volumes."""
    doses = np.linspace(0.0, target.scale_gy / _SCALE_RANGE[0], 20) if target.scale_gy <= 0 else None
    if doses is not None:
        return None
    shares = np.linspace(0.95, 0.05, 19)
    own = target.fine_share / max(float(target.fine_share[0]), 1e-12)
    theirs = dose_at_share(target.fine_gy, own, shares)
    top = target.scale_gy * 2
    while float(curve(np.array([top]))[0]) > 0 and top < 1e6:
        top *= 2
    grid = np.linspace(0.0, top, 4000)
    ours_curve = curve(grid)
    ours = dose_at_share(grid, ours_curve / max(float(ours_curve[0]), 1e-12), shares)
    usable = (ours > 0) & (theirs > 0)
    if usable.sum() < 5:
        return None
    factor = float(np.median(theirs[usable] / ours[usable]))
    return factor if _SCALE_RANGE[0] <= factor <= _SCALE_RANGE[1] else None
