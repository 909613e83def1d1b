"""Hold a planning system's DVHs against ours, and say which conventions the difference is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import DvhkitError, InputError
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.second_check import readings as words
from dvhkit.jobs.second_check.edits import find_edit
from dvhkit.jobs.second_check.readings import Readings, Target, interpolated, scaled_dose, target_of
from dvhkit.jobs.second_check.shift import find_shift, left_after
from dvhkit.metrics.curve_distance import Curve, curve_of
from dvhkit.model.tps_dvh import TpsDvh
from dvhkit.protocols.naming.names import fold
from dvhkit.results.second_check import Agreement, MetricPair, RoiCheck, SecondCheck
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.case import Case
    from dvhkit.model.dvh import Dvh
    from dvhkit.model.structure import Structure

# Curves of programs that read alike differ by sampling and by bins of 1 cGy: within this they agree.
TOLERANCE_PCT = 1.0
# Structures below 1 cc consist of fewer samples: the tolerance grows as their surface by volume does.
_TOLERANCE_MOST_PCT = 2.5
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
# Half a slice beyond the ends is how most programs read, and what ours does at blunt ends: no difference below this.
_HALF_CAP_ALIKE_PCT = 0.5
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
_LEVELS_PCT = (98.0, 95.0, 50.0, 2.0)
# One contour in many moves a curve by no more than this.
_EDIT_MOST_PCT = 30.0
_SHAPE_ALIKE_PCT = 0.4
# The readings that are tried together with an interpolated curve.
_SIMPLE = ((), (words.HALF_CAP, words.PRISM), (words.NO_CAP, words.PRISM))
_VOLUME_APART_PCT = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Explained:
    """One way to bring ours to theirs: the words for it, what it leaves, and what it costs."""

    names: tuple[str, ...]
    left_pct: float
    cost_pct: float
    free: bool = False
    note: str = ""
    curve: Curve | None = None

    @property
    def score(self) -> float:
        return self.left_pct + self.cost_pct


@dataclass(slots=True)
class _Compared:
    """One curve of theirs with all that was found out about it."""

    roi: str
    theirs: TpsDvh
    ours: Dvh
    readings: Readings
    target: Target
    base_pct: float
    tolerance_pct: float
    solids: list[tuple[tuple[str, ...], Curve]]
    found: list[_Explained] = field(default_factory=list)

    def limit_pct(self, free: bool) -> float:
        """Return what a reading may leave."""
        if not free:
            return self.tolerance_pct
        low, high = (share * self.tolerance_pct for share in _FREE_SHARE)
        return min(high, max(low, _FREE_PART * self.base_pct))

    @property
    def best(self) -> _Explained:
        fit = [e for e in self.found if e.left_pct <= self.limit_pct(e.free)]
        return min(fit or self.found, key=lambda e: e.score)


def check_dvh(case: Case, tps: Sequence[Path] = (), *, engine: str | None = None) -> SecondCheck:
    """Compare each DVH that a planning system gives for a case with ours, and name the conventions between them.

    Parameters
    ----------
    tps
        Text exports; the DVHs stored in the RTDOSE are compared in any case.

    Raises
    ------
    InputError
        If there is no dose, no DVH of a planning system, or a file is damaged or of no known dialect.
    """
    if case.dose is None:
        raise InputError("there is no dose, so no DVH can be compared.", remedy="Name it with --rtdose.")
    theirs = [*_of_files(tps), *_stored(case)]
    if not theirs:
        raise InputError(
            "no DVH of a planning system is at hand: the RTDOSE stores none.",
            remedy="Export the DVHs as text and name the file with --tps.",
        )
    numbers = CaseNumbers(case, engine=engine)
    matched = [(curve, *_match(case, curve, theirs)) for curve in theirs]
    numbers.prepare([RoiRef(s.number, s.name) for _, s, _ in matched if s is not None and not s.is_empty])
    rows: list[RoiCheck | _Compared] = [_begin(case, numbers, *row) for row in matched]
    compared = [row for row in rows if isinstance(row, _Compared)]
    for row in compared:
        _explain(row)
    _explain_by_shift(compared)
    for row in compared:
        _explain_by_edit(row)
    finished = tuple(_finish(row) if isinstance(row, _Compared) else row for row in rows)
    return SecondCheck(case=case.label, rois=(*finished, *_without_curve(case, matched)))


def _of_files(tps: Sequence[Path]) -> Iterator[TpsDvh]:
    from dvhkit.readers.tps_text.read import read_tps_dvhs

    for path in tps:
        yield from read_tps_dvhs(path)[1]


def _stored(case: Case) -> Iterator[TpsDvh]:
    """Return the DVHs of the RTDOSE; their minimum, mean and maximum are left out where percent may stand for Gy."""
    assert case.dose is not None
    names = {s.number: s.name for s in case.structures}
    source = case.dose.paths[0].name if case.dose.paths else "RTDOSE"
    for stored in case.dose.stored_dvhs:
        in_cc = stored.volume_cc is not None
        yield TpsDvh(
            roi=names.get(stored.roi_number, f"#{stored.roi_number}"),
            roi_number=stored.roi_number,
            dose_gy=stored.dose_gy,
            volume=stored.volume_cc if stored.volume_cc is not None else stored.volume_pct,
            in_cc=in_cc,
            source=source,
            unusable="it leaves out the part inside other structures" if stored.excluded_numbers else "",
        )


def _match(case: Case, curve: TpsDvh, every: Sequence[TpsDvh]) -> tuple[Structure | None, str]:
    """Return the structure that a curve is of, or None and why."""
    structures = list(case.structures)
    if curve.roi_number is not None:
        found = [s for s in structures if s.number == curve.roi_number]
        elsewhere = case.dose.referenced_structure_set_uid if case.dose is not None else ""
        if elsewhere not in ("", case.structures.sop_instance_uid):
            return None, "the dose refers to another structure set, whose ROI numbers mean other structures"
    else:
        found = [s for s in structures if s.name == curve.roi]
        found = found or [s for s in structures if s.name.strip().casefold() == curve.roi.strip().casefold()]
        found = found or [s for s in structures if fold(s.name) == fold(curve.roi)]
        plans = {c.plan for c in every if c.source == curve.source and c.plan}
        label = getattr(case.plan, "label", "") if case.plan is not None else ""
        if len(plans) > 1 and curve.plan != label:
            return (
                None,
                f"it is of plan {curve.plan!r}, and the dose at hand is of {label or 'a plan without a label'!r}",
            )
    if len(found) != 1:
        why = "no structure bears its name" if not found else f"{len(found)} structures bear its name"
        return None, f"{why} in the structure set"
    return found[0], ""


def _begin(
    case: Case, numbers: CaseNumbers, curve: TpsDvh, structure: Structure | None, why: str
) -> RoiCheck | _Compared:
    if structure is None:
        return _not_compared(curve, why)
    if curve.unusable:
        return _not_compared(curve, curve.unusable)
    if structure.is_empty:
        return _not_compared(curve, "nothing is drawn in the structure")
    try:
        ours = numbers.dvh(RoiRef(structure.number, structure.name))
    except DvhkitError as error:
        return _not_compared(curve, error.message)
    if not ours.covered_cc > 0:
        return _not_compared(curve, "the structure lies outside the dose grid")
    readings = Readings(case, structure, ours)
    target = target_of(curve, ours)
    base = target.residual(curve_of(ours), fine=True)
    small = min(_TOLERANCE_MOST_PCT, max(1.0, ours.volume_cc ** (-1 / 3)))
    return _Compared(
        roi=structure.name,
        theirs=curve,
        ours=ours,
        readings=readings,
        target=target,
        base_pct=base,
        tolerance_pct=TOLERANCE_PCT * small,
        solids=[],
    )


def _not_compared(curve: TpsDvh, why: str) -> RoiCheck:
    return RoiCheck(roi=curve.roi, verdict=Agreement.NOT_COMPARED, reason=why + ".", source=_source(curve))


def _source(curve: TpsDvh) -> str:
    return f"{curve.source}, line {curve.line}" if curve.line else curve.source


def _without_curve(case: Case, matched: Sequence[tuple[TpsDvh, Structure | None, str]]) -> list[RoiCheck]:
    known = {id(structure) for _, structure, _ in matched}
    return [
        RoiCheck(roi=s.name, verdict=Agreement.NOT_COMPARED, reason="the planning system gives no curve for it.")
        for s in case.structures
        if id(s) not in known and not s.is_empty
    ]


def _explain(row: _Compared) -> None:
    """Try every reading without regard to the other structures."""
    ours = curve_of(row.ours)
    coarse = _is_coarse(row.target)
    # Inside a coarse bin the curve says nothing: that it agrees there is an accident.
    cost = _COST_PCT + _COST_FREE_PCT if coarse else 0.0
    row.found.append(_Explained(names=(), left_pct=row.base_pct, cost_pct=cost, curve=ours))
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


def _with_bins(target: Target, names: tuple[str, ...], curve: Curve, *, coarse: bool) -> Iterator[_Explained]:
    """Yield a reading as it is, and with each way of bins."""
    cost = _COST_PCT if names else 0.0
    said = names[:1]
    note = f"with {names[1]}" if len(names) > 1 else ""
    if names:
        yield _Explained(names=said, left_pct=target.residual(curve, fine=True), cost_pct=cost, note=note, curve=curve)
    if coarse:
        # On which side of its bin a volume is printed is told by the fit alone.
        for offset in (0.0, 0.5, -0.5, 1.0, -1.0):
            shift = offset * target.bin_gy
            extra = 0.1 if offset == 0.0 else 0.2
            left = target.residual(curve, dose_shift_gy=shift)
            bins = f"bins of {target.bin_gy:.3g} Gy" + (
                "" if not shift else f", volumes printed {shift:+.3g} Gy from where they hold"
            )
            yield _Explained(
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
        yield _Explained(
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


def _with_scale(target: Target, names: tuple[str, ...], curve: Curve) -> Iterator[_Explained]:
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
    yield _Explained(
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
    theirs = _dose_at_share(target.fine_gy, own, shares)
    top = target.scale_gy * 2
    while float(curve(np.array([top]))[0]) > 0 and top < 1e6:
        top *= 2
    grid = np.linspace(0.0, top, 4000)
    ours_curve = curve(grid)
    ours = _dose_at_share(grid, ours_curve / max(float(ours_curve[0]), 1e-12), shares)
    usable = (ours > 0) & (theirs > 0)
    if usable.sum() < 5:
        return None
    factor = float(np.median(theirs[usable] / ours[usable]))
    return factor if _SCALE_RANGE[0] <= factor <= _SCALE_RANGE[1] else None


def _dose_at_share(dose: FloatArray, share: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the dose at which a falling curve passes each share."""
    return np.asarray(np.interp(-wanted, -share, dose))


def _explain_by_shift(compared: Sequence[_Compared]) -> None:
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
            _Explained(names=(words.SHIFTED,), left_pct=left, cost_pct=_COST_SHIFT_PCT, free=True, note=note)
        )


def _plain_curves(row: _Compared) -> list[Curve]:
    """Return ours, and the reading with upright walls and half caps."""
    return [curve for names, curve in row.solids if names in ((), (words.HALF_CAP, words.PRISM))]


def _contradicted(closed: Sequence[_Compared], shift: FloatArray) -> bool:
    """Whether a structure that agrees without the shift would clearly not agree with it."""
    for row in closed:
        left = left_after((row.readings, row.target, _plain_curves(row)), shift)
        if left > max(row.tolerance_pct, 3 * row.base_pct):
            return True
    return False


def _explain_by_edit(row: _Compared) -> None:
    """Try one contour drawn otherwise, where nothing else explains a curve."""
    best = row.best
    near = _FREE_NEAR_PCT if best.free else _NEAR_PCT
    explained = bool(best.names) and best.left_pct <= near
    if row.base_pct <= _NEAR_PCT or row.base_pct > _EDIT_MOST_PCT or explained or _volume_alone(row):
        return
    found = find_edit(row.readings, row.target, _plain_curves(row))
    if found is not None:
        left, _, note = found
        row.found.append(
            _Explained(names=(words.EDITED,), left_pct=left, cost_pct=_COST_EDIT_PCT, free=True, note=note)
        )


def _volume_alone(row: _Compared) -> bool:
    """Whether theirs is our curve with another volume: no contour that was edited leaves the shape of a curve."""
    apart = _volume_ratio(row)
    if apart is None or abs(apart - 1.0) * 100.0 < _VOLUME_APART_PCT:
        return False
    shape = replace(row.target, share=row.target.share / row.target.share[0], whole_cc=None, own_cc=None)
    return shape.residual(curve_of(row.ours)) <= _SHAPE_ALIKE_PCT


def _volume_ratio(row: _Compared) -> float | None:
    if row.target.own_cc is None or not row.ours.volume_cc > 0:
        return None
    return row.target.own_cc / row.ours.volume_cc


def _finish(row: _Compared) -> RoiCheck:
    best = row.best
    names: tuple[str, ...] = ()
    if best.left_pct > row.limit_pct(best.free):
        verdict, reason = Agreement.NOT_EXPLAINED, _not_explained(row, best)
    elif best.names and (best.names != (words.HALF_CAP,) or row.base_pct > _HALF_CAP_ALIKE_PCT):
        verdict, names, reason = Agreement.EXPLAINED, best.names, _because(row, best)
    else:
        verdict, names = Agreement.AGREES, best.names or _tells_of_itself(row)
        reason = f"the curves lie within {max(row.base_pct, 0.01):.2g} % of each other."
    return RoiCheck(
        roi=row.roi,
        verdict=verdict,
        explained_by=names,
        worst_pct=round(row.base_pct, 3),
        left_pct=round(best.left_pct, 3),
        reason=reason,
        metrics=_metrics(row, best.curve if best.names else None),
        source=_source(row.theirs),
    )


def _because(row: _Compared, best: _Explained) -> str:
    note = f": {best.note}" if best.note else ""
    return f"{' and '.join(best.names)}{note}; {best.left_pct:.2g} % are left of {row.base_pct:.2g} %."


def _not_explained(row: _Compared, best: _Explained) -> str:
    parts = []
    ratio = _volume_ratio(row)
    if ratio is not None and abs(ratio - 1.0) > 0.01:
        parts.append(
            f"their volume is {ratio:.4g} times ours ({row.target.own_cc:.4g} and {row.ours.volume_cc:.4g} cc)"
        )
    if _volume_alone(row):
        parts.append("the shape of the curve is ours")
    else:
        parts.append(_where(row))
    if best.names:
        parts.append(f"the nearest reading, {' and '.join(best.names)}, leaves {best.left_pct:.2g} %")
    parts.append("look whether structures and dose are of one version")
    return f"the curves differ by {row.base_pct:.2g} %: " + "; ".join(parts) + "."


def _where(row: _Compared) -> str:
    """Say at which dose the curves lie farthest apart."""
    ours = curve_of(row.ours)(row.target.fine_gy) / (row.target.whole_cc or row.ours.volume_cc)
    off = row.target.fine_share - ours
    at = int(np.abs(off).argmax())
    way = "more" if off[at] > 0 else "less"
    return f"at {row.target.fine_gy[at]:.4g} Gy theirs has {100 * abs(off[at]):.2g} % of the volume {way}"


def _tells_of_itself(row: _Compared) -> tuple[str, ...]:
    """Return the ends that a curve shows which agrees: where only one rule of ends would do."""
    if row.target.whole_cc is None:
        return ()
    left = {
        names[0]: row.target.residual(curve, fine=True)
        for names, curve in row.solids
        if names and names[1:] == (words.PRISM,)
    }
    half, none = left.get(words.HALF_CAP, 100.0), left.get(words.NO_CAP, 100.0)
    for name, own, other in ((words.HALF_CAP, half, none), (words.NO_CAP, none, half)):
        if own <= max(row.base_pct, 0.1) + 0.1 and other > row.tolerance_pct:
            return (name,)
    return ()


def _metrics(row: _Compared, reading: Curve | None) -> tuple[MetricPair, ...]:
    target, ours = row.target, row.ours
    pairs = [
        MetricPair(metric="Volume", unit="cc", theirs=target.own_cc, ours=ours.volume_cc, under_reading=_whole(reading))
    ]
    for name, theirs, own in (
        ("Min", row.theirs.min_gy, ours.min_gy),
        ("Mean", row.theirs.mean_gy, ours.mean_gy),
        ("Max", row.theirs.max_gy, ours.max_gy),
    ):
        pairs.append(MetricPair(metric=name, unit="Gy", theirs=theirs, ours=own))
    grid = np.linspace(0.0, max(target.scale_gy, ours.max_gy or 0.0) * 1.02, 4000)
    for level in _LEVELS_PCT:
        theirs = _level(target.fine_gy, target.fine_share, level)
        under = None if reading is None else _level(grid, reading(grid), level)
        own = ours.dose_to_hottest_gy(ours.covered_cc * level / 100.0)
        pairs.append(MetricPair(metric=f"D{level:g}%", unit="Gy", theirs=theirs, ours=own, under_reading=under))
    return tuple(pairs)


def _whole(reading: Curve | None) -> float | None:
    return None if reading is None else float(reading(np.zeros(1))[0])


def _level(dose: FloatArray, volume: FloatArray, level_pct: float) -> float | None:
    top = float(volume[0])
    if not top > 0:
        return None
    return float(_dose_at_share(dose, np.asarray(volume) / top, np.array([level_pct / 100.0]))[0])
