"""Which conventions the difference between a planning system's DVH and ours is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.jobs.second_check import readings as words
from dvhkit.jobs.second_check.edits import find_edit
from dvhkit.jobs.second_check.readings import Readings, Target, interpolated, scaled_dose
from dvhkit.jobs.second_check.shift import find_shift, left_after
from dvhkit.metrics.curve_distance import Curve, curve_of
from dvhkit.model.tps_dvh import TpsDvh

if TYPE_CHECKING:
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.dvh import Dvh

# A reading with free parameters bends to noise: it may leave a fifth of the difference that it explains, within these
# parts of the tolerance.
_FREE_PART = 0.2
_FREE_SHARE = (0.3, 0.6)
# An explanation must be worth its words: each costs this much, in percent, before it is preferred to none.
_COST_PCT = 0.15
_COST_FREE_PCT = 0.2
_COST_SHIFT_PCT = 0.25
_COST_EDIT_PCT = 0.3
# Below this a curve is as near as another program's sampling lets it be.
_NEAR_PCT = 0.2
# What a reading with free parameters leaves if it is the right one.
_FREE_NEAR_PCT = 0.12
# A scale nearer to 1 than this is rounding; beyond these no unit is mistaken for another.
_SCALE_LEAST = 0.003
_SCALE_RANGE = (0.005, 200.0)
_COARSE_GY = 0.5
_COARSE_FRAC = 0.01
_FINE_GY = 0.05
_STEPS_GY = (0.2, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0)
_STEPS_FRAC = (0.01, 0.02, 0.025, 0.04, 0.05, 0.1)
# One contour in many moves a curve by no more than this.
_EDIT_MOST_PCT = 30.0
_SHAPE_ALIKE_PCT = 0.4
# The readings that are tried together with an interpolated curve.
_SIMPLE = ((), (words.HALF_CAP, words.PRISM), (words.NO_CAP, words.PRISM))
_VOLUME_APART_PCT = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One way to bring ours to theirs: the words for it, what it leaves, and what it costs."""

    names: tuple[str, ...]
    left_pct: float
    cost_pct: float
    free: bool = False
    note: str = ""
    curve: Curve | None = None

    @property
    def score(self) -> float:
        """What it leaves, and what its words cost."""
        return self.left_pct + self.cost_pct


@dataclass(slots=True)
class Compared:
    """One curve of theirs with all that was found out about it."""

    roi: str
    theirs: TpsDvh
    ours: Dvh
    readings: Readings
    target: Target
    base_pct: float
    tolerance_pct: float
    solids: list[tuple[tuple[str, ...], Curve]]
    found: list[Explained] = field(default_factory=list)

    def limit_pct(self, free: bool) -> float:
        """Return what a reading may leave."""
        if not free:
            return self.tolerance_pct
        low, high = (share * self.tolerance_pct for share in _FREE_SHARE)
        return min(high, max(low, _FREE_PART * self.base_pct))

    @property
    def best(self) -> Explained:
        """The way that leaves little enough at the least cost; of none that does, the nearest."""
        fit = [e for e in self.found if e.left_pct <= self.limit_pct(e.free)]
        return min(fit or self.found, key=lambda e: e.score)


def explain(row: Compared) -> None:
    """Try every reading without regard to the other structures."""
    ours = curve_of(row.ours)
    coarse = _is_coarse(row.target)
    # Inside a coarse bin the curve says nothing: that it agrees there is an accident.
    cost = _COST_PCT + _COST_FREE_PCT if coarse else 0.0
    row.found.append(Explained(names=(), left_pct=row.base_pct, cost_pct=cost, curve=ours))
    if row.base_pct <= _NEAR_PCT and not coarse:
        row.solids = row.readings.prisms()
        return
    row.solids = row.readings.solids()
    for names, curve in (*row.solids, *row.readings.outside(), *row.readings.centres()):
        row.found += _with_bins(row.target, names, curve, coarse=coarse)
    if min(e.left_pct for e in row.found) > _NEAR_PCT:
        for names, curve in row.solids:
            row.found += _with_scale(row.target, names, curve)


def _is_coarse(target: Target) -> bool:
    return target.bin_gy >= _COARSE_GY or target.bin_gy >= max(_COARSE_FRAC * target.scale_gy, _FINE_GY)


def _with_bins(target: Target, names: tuple[str, ...], curve: Curve, *, coarse: bool) -> Iterator[Explained]:
    """Yield a reading as it is, and with each way of bins."""
    cost = _COST_PCT if names else 0.0
    said = names[:1]
    note = f"with {names[1]}" if len(names) > 1 else ""
    if names:
        yield Explained(names=said, left_pct=target.residual(curve, fine=True), cost_pct=cost, note=note, curve=curve)
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
    for step, start in _steps(target) if names in _SIMPLE else ():
        if step <= 2.5 * target.bin_gy:
            continue
        left = target.residual(interpolated(curve, step, start), fine=True)
        yield Explained(
            names=(*said, words.INTERPOLATED),
            left_pct=left,
            cost_pct=cost + _COST_FREE_PCT,
            note="; ".join(filter(None, (note, f"straight lines between points every {step:.3g} Gy"))),
            curve=curve,
        )


def _steps(target: Target) -> list[tuple[float, float]]:
    """Return steps of dose between which a curve may have been interpolated, and where they begin."""
    found = [(step, 0.0) for step in (*_STEPS_GY, *(f * target.scale_gy for f in _STEPS_FRAC))]
    found += [(step, step / 2) for step, _ in found]
    knots = _knots(target)
    return [*found, knots] if knots else found


def _knots(target: Target) -> tuple[float, float] | None:
    """Return the distance of the points at which a finely printed curve bends, if it bends at regular ones only."""
    if len(target.dose_gy) < 20:
        return None
    slope = np.diff(target.share) / np.diff(target.dose_gy)
    bend = np.abs(np.diff(slope))
    at = target.dose_gy[1:-1][bend > 1e-3 * max(float(np.abs(slope).max()), 1e-12)]
    if len(at) < 3 or len(at) > len(bend) / 2:
        return None
    step = float(np.median(np.diff(at)))
    return (step, float(at[0] % step)) if step > 0 else None


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
    cost = _COST_FREE_PCT + (_COST_PCT if names else 0.0)
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


def dose_at_share(dose: FloatArray, share: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the dose at which a falling curve passes each share."""
    return np.asarray(np.interp(-wanted, -share, dose))


def explain_by_shift(compared: Sequence[Compared]) -> None:
    """Try one shift of the dose grid for all structures: a grid has one place."""
    open_rows = [row for row in compared if row.base_pct > _NEAR_PCT and row.best.left_pct > _NEAR_PCT]
    if not open_rows:
        return
    closed = [row for row in compared if row not in open_rows]
    worst_first = sorted(open_rows, key=lambda row: -row.base_pct)
    chosen = [*worst_first[:3], *closed[:2], *worst_first[3:]]
    parts = [(row.readings, row.target, _plain_curves(row)) for row in chosen]
    shift = find_shift(parts)
    if shift is None:
        return
    size = float(np.linalg.norm(shift))
    if size < 0.1 or _contradicted(closed, shift):
        return
    place = " ".join(f"{value:+.2f}" for value in shift)
    for row in open_rows:
        left = left_after((row.readings, row.target, _plain_curves(row)), shift)
        note = f"their dose grid lies ({place}) mm from ours"
        row.found.append(
            Explained(names=(words.SHIFTED,), left_pct=left, cost_pct=_COST_SHIFT_PCT, free=True, note=note)
        )


def _plain_curves(row: Compared) -> list[Curve]:
    """Return ours, and the reading with upright walls and half caps."""
    return [curve for names, curve in row.solids if names in ((), (words.HALF_CAP, words.PRISM))]


def _contradicted(closed: Sequence[Compared], shift: FloatArray) -> bool:
    """Whether a structure that agrees without the shift would clearly not agree with it."""
    for row in closed:
        left = left_after((row.readings, row.target, _plain_curves(row)), shift)
        if left > max(row.tolerance_pct, 3 * row.base_pct):
            return True
    return False


def explain_by_edit(row: Compared) -> None:
    """Try one contour drawn otherwise, where nothing else explains a curve."""
    best = row.best
    near = _FREE_NEAR_PCT if best.free else _NEAR_PCT
    explained = bool(best.names) and best.left_pct <= near
    if row.base_pct <= _NEAR_PCT or row.base_pct > _EDIT_MOST_PCT or explained or volume_alone(row):
        return
    found = find_edit(row.readings, row.target, _plain_curves(row))
    if found is not None:
        left, _, note = found
        row.found.append(Explained(names=(words.EDITED,), left_pct=left, cost_pct=_COST_EDIT_PCT, free=True, note=note))


def volume_alone(row: Compared) -> bool:
    """Whether theirs is our curve with another volume: no contour that was edited leaves the shape of a curve."""
    apart = volume_ratio(row)
    if apart is None or abs(apart - 1.0) * 100.0 < _VOLUME_APART_PCT:
        return False
    shape = replace(row.target, share=row.target.share / row.target.share[0], whole_cc=None, own_cc=None)
    return shape.residual(curve_of(row.ours)) <= _SHAPE_ALIKE_PCT


def volume_ratio(row: Compared) -> float | None:
    """Return their volume by ours; None where either is not told."""
    if row.target.own_cc is None or not row.ours.volume_cc > 0:
        return None
    return row.target.own_cc / row.ours.volume_cc
