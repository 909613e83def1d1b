"""Our DVH beside the one that the planning system stored: two programs on the same contours and the same dose.

The stored curve is never an input to a number of ours. Where the two differ by more than programs usually do, one of
them read the contours or the dose in another way, and somebody should look before either is relied upon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvhkit.findings import Finding, Level
from dvhkit.metrics.evaluate import MAX_UNCOVERED_FRAC
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import StoredDvh
from dvhkit.model.dvh import Dvh
from dvhkit.units import number_text

# Commissioning limits for the volumes of test objects: 5 % above 1 cc, 0.05 cc below
# (Eaton and Alty, Br J Radiol 2017; 90:20170219, PMC6047653).
VOLUME_LIMIT_FRAC = 0.05
SMALL_VOLUME_CC = 1.0
SMALL_VOLUME_LIMIT_CC = 0.05
# Comparisons of DVH programs count deviations from 3 % on (Nelms et al., Med Phys 2015; 42:4435); here of the stored
# maximum, so that a cold organ is not held to hundredths of a gray.
DOSE_LIMIT_FRAC = 0.03
# A centigray is the smallest step of dose that the field speaks of.
LEAST_DOSE_LIMIT_GY = 0.01
# Near-maximum, median and near-minimum (ICRU report 83, section 3.6).
_LEVELS_PCT = (2.0, 50.0, 98.0)
# Two programs on one dose: mean and median lie within a few percent of the greatest dose, ends within more, where a
# dose falls off by a tenth a millimetre. Beyond these no convention leads.
_FAR_FRAC, _FAR_END_FRAC = 0.08, 0.15
# One factor on every curve: so near to one another, and so far from 1.
_ONE_FACTOR_RTOL, _LEAST_FACTOR = 0.02, 0.03
# What a dose is too low for a ratio, in parts of the structure's greatest.
_LEAST_RATIO_FRAC = 0.1


@dataclass(frozen=True, slots=True)
class _Stored:
    """A dose as the stored curve has it: the best guess, and the bin that it lies in."""

    value_gy: float
    low_gy: float
    high_gy: float

    def distance_gy(self, other_gy: float) -> float:
        """Return how far `other_gy` lies outside the bin: the curve says nothing of what is inside."""
        return max(self.low_gy - other_gy, other_gy - self.high_gy, 0.0)

    def meets(self, low_gy: float, high_gy: float) -> bool:
        """Return whether the bin reaches into the band from `low_gy` to `high_gy`."""
        return self.low_gy <= high_gy and low_gy <= self.high_gy


def disagreement(dvh: Dvh, stored: StoredDvh) -> Finding | None:
    """Compare a DVH with the one that the planning system stored for the same ROI.

    Parameters
    ----------
    dvh
        Ours.
    stored
        From the RTDOSE. Its curve is used; its stored minimum, mean and maximum are not, since some systems keep
        percent there.

    Returns
    -------
    Finding or None
        ``stored-dvh-differs`` with both numbers of each quantity that differs: the volume by more than 5 %
        (0.05 cc up to 1 cc), or the mean or the dose to 2, 50 or 98 % of the volume by more than 3 % of the greatest
        stored dose (0.01 Gy at least) from the stored bin. None where they agree, or nothing can be compared.

    Notes
    -----
    A stored value within our band agrees, however far from our value. Where over 1 % of the structure lies outside the
    dose grid, the stored volume says whether the planning system counted the part inside alone: then its doses are
    compared with that part; else they are not, since what it took the dose outside to be is not in the file. A volume
    stored in percent has no size to compare.
    """
    parts = [part for part in (_volume_part(dvh, stored), *_dose_parts(dvh, stored)) if part]
    if not parts:
        return None
    message = (
        f"The DVH that the planning system stored differs from ours: {'; '.join(parts)}. Check that dose and "
        "structures are of one export; on few slices, programs differ in where they end a structure."
    )
    return Finding(level=Level.WARNING, code="stored-dvh-differs", message=message, where=dvh.roi)


def _volume_part(dvh: Dvh, stored: StoredDvh) -> str:
    if stored.volume_cc is None:
        return ""
    theirs_cc = float(stored.volume_cc[0])
    inside = [d.covered_cc for d in _readings(dvh)] if dvh.covered_cc > 0 else []
    if any(_volumes_agree(ours, theirs_cc, dvh) for ours in ([d.volume_cc for d in _readings(dvh)], inside) if ours):
        return ""
    return f"volume {_number(theirs_cc)} cc stored, {_number(dvh.volume_cc)} cc here"


def _readings(dvh: Dvh) -> tuple[Dvh, ...]:
    return (dvh, *(variant for variant in dvh.variants if variant.covered_cc > 0 or dvh.covered_cc <= 0))


def _volumes_agree(ours_cc: list[float], theirs_cc: float, dvh: Dvh) -> bool:
    """Return whether a stored volume is near the first of ours, or between the least and the greatest of them."""
    limit_cc = VOLUME_LIMIT_FRAC * theirs_cc if theirs_cc > SMALL_VOLUME_CC else SMALL_VOLUME_LIMIT_CC
    error_cc = dvh.volume_error_cc
    return abs(ours_cc[0] - theirs_cc) <= limit_cc or min(ours_cc) - error_cc <= theirs_cc <= max(ours_cc) + error_cc


def _counts_the_part_inside(dvh: Dvh, stored: StoredDvh) -> bool:
    """Return whether, by its volume, a stored curve is that of the part inside the dose grid."""
    if dvh.uncovered_frac <= MAX_UNCOVERED_FRAC:
        return True
    if stored.volume_cc is None:
        return False
    theirs_cc = float(stored.volume_cc[0])
    nearer = abs(dvh.covered_cc - theirs_cc) < abs(dvh.volume_cc - theirs_cc)
    return nearer and _volumes_agree([d.covered_cc for d in _readings(dvh)], theirs_cc, dvh)


def _dose_parts(dvh: Dvh, stored: StoredDvh) -> list[str]:
    if not dvh.covered_cc > 0 or not _counts_the_part_inside(dvh, stored):
        return []
    limit_gy = max(DOSE_LIMIT_FRAC * _greatest_gy(stored), LEAST_DOSE_LIMIT_GY)
    every = _readings(dvh)
    pairs = [("mean", _stored_mean(stored), [d.mean_gy for d in every], dvh.dose_error_gy)]
    for level in _LEVELS_PCT:
        ours_gy = [d.dose_to_hottest_gy(d.covered_cc * level / 100.0) for d in every]
        error_gy = dvh.error_gy(dvh.covered_cc * level / 100.0)
        pairs.append((f"D{level:g}%", _stored_dose(stored, level), ours_gy, error_gy))
    return [
        f"{name} {_number(theirs.value_gy)} Gy stored, {_number(ours_gy[0])} Gy here"
        for name, theirs, ours_gy, error_gy in pairs
        if theirs.distance_gy(ours_gy[0]) > limit_gy
        and not theirs.meets(min(ours_gy) - error_gy, max(ours_gy) + error_gy)
    ]


def _greatest_gy(stored: StoredDvh) -> float:
    """Return the greatest dose that some volume receives by the stored curve."""
    reached = np.flatnonzero(stored.volume_pct > 0)
    return float(stored.dose_gy[reached[-1]]) if reached.size else 0.0


def _stored_dose(stored: StoredDvh, level_pct: float) -> _Stored:
    """Return the greatest dose that `level_pct` of the volume receives at least, linear within its bin."""
    falling = np.minimum.accumulate(stored.volume_pct)
    last = int(np.flatnonzero(falling >= level_pct)[-1])
    low_gy = float(stored.dose_gy[last])
    if last + 1 == falling.size:  # the curve ends there
        return _Stored(low_gy, low_gy, low_gy)
    high_gy = float(stored.dose_gy[last + 1])
    above, below = float(falling[last]), float(falling[last + 1])
    share = (above - level_pct) / (above - below)
    return _Stored(low_gy + share * (high_gy - low_gy), low_gy, high_gy)


def _stored_mean(stored: StoredDvh) -> _Stored:
    """Return the area under the stored curve; its bins leave open what the volumes inside them receive."""
    widths_gy: FloatArray = np.diff(stored.dose_gy)
    frac = stored.volume_pct / 100.0
    start_gy = float(stored.dose_gy[0])
    low_gy = start_gy + float(widths_gy @ frac[1:])
    high_gy = start_gy + float(widths_gy @ frac[:-1])
    return _Stored((low_gy + high_gy) / 2, min(low_gy, high_gy), max(low_gy, high_gy))


def _number(value: float) -> str:
    return number_text(value, digits=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePair:
    """Mean, D2%, D50% and D98% of one structure in Gy, ours and as stored; `top_gy` is the greatest of either."""

    name: str
    is_target: bool
    ours_gy: tuple[float, ...]
    stored_gy: tuple[float, ...]
    off_gy: tuple[float, ...]
    top_gy: float

    @property
    def is_far(self) -> bool:
        """Whether no convention of programs leads from one to the other."""
        limits = (_FAR_FRAC, _FAR_END_FRAC, _FAR_FRAC, _FAR_END_FRAC)
        return any(off > limit * self.top_gy for off, limit in zip(self.off_gy, limits, strict=True))

    @property
    def agrees(self) -> bool:
        """Whether all four lie as near as programs usually do."""
        return max(self.off_gy) <= max(DOSE_LIMIT_FRAC * self.top_gy, LEAST_DOSE_LIMIT_GY)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Stored over ours of mean, D2% and D50%, where the dose is high enough; D98% is a matter of ends."""
        pairs = list(zip(self.ours_gy, self.stored_gy, strict=True))[:3]
        least_gy = _LEAST_RATIO_FRAC * max(self.ours_gy)
        return tuple(stored / ours for ours, stored in pairs if ours > least_gy)


def curve_pair(dvh: Dvh, stored: StoredDvh, *, is_target: bool) -> CurvePair | None:
    """Return the doses of one structure side by side; None where volumes or the part inside the grid differ."""
    theirs_cc = None if stored.volume_cc is None else float(stored.volume_cc[0])
    unlike = theirs_cc is not None and not _volumes_agree([d.volume_cc for d in _readings(dvh)], theirs_cc, dvh)
    if unlike or not dvh.covered_cc > 0 or dvh.uncovered_frac > MAX_UNCOVERED_FRAC:
        return None
    theirs = [_stored_mean(stored), *(_stored_dose(stored, level) for level in _LEVELS_PCT)]
    ours = [dvh.mean_gy, *(dvh.dose_to_hottest_gy(dvh.covered_cc * level / 100.0) for level in _LEVELS_PCT)]
    return CurvePair(
        name=dvh.roi,
        is_target=is_target,
        ours_gy=tuple(ours),
        stored_gy=tuple(t.value_gy for t in theirs),
        off_gy=tuple(t.distance_gy(gy) for t, gy in zip(theirs, ours, strict=True)),
        top_gy=max(_greatest_gy(stored), dvh.max_gy or 0.0),
    )


def judge_curves(
    pairs: Sequence[CurvePair], *, prescribed_gy: Sequence[float] = (), scale_is_right: bool = False
) -> Finding | None:
    """Return a finding where stored curves are of a scaled dose, or of another dose than the grid's altogether.

    Parameters
    ----------
    prescribed_gy
        For telling curves in percent of a prescription, which are no other dose.
    scale_is_right
        The grid's dose is known to be in the right scale: one factor on all curves is then a fault of theirs.
    """
    factor = _one_factor(pairs)
    if factor is not None:
        if scale_is_right or abs(factor - 1.0) <= _LEAST_FACTOR or _is_unit(factor, pairs, prescribed_gy):
            return None
        told = f"all have {_number(factor)} times the doses of the grid, so one of the two was scaled"
    else:
        far = [pair for pair in pairs if pair.is_far]
        if len(far) < 2 and not any(pair.is_target for pair in far):
            return None
        told = f"those of {len(far)} of {len(pairs)} structures are of another dose, or the grid was shifted"
    worst = max(pairs, key=lambda pair: max(pair.off_gy) / pair.top_gy)
    at = max(range(len(worst.off_gy)), key=lambda k: worst.off_gy[k])
    name = ("mean", *(f"D{level:g}%" for level in _LEVELS_PCT))[at]
    message = (
        f"The DVHs that the planning system stored beside the dose do not belong to it: {told} ({worst.name}: {name} "
        f"{_number(worst.stored_gy[at])} Gy stored, {_number(worst.ours_gy[at])} Gy here; its volume agrees). Export "
        "dose and DVHs of one calculation."
    )
    return Finding(level=Level.SERIOUS, code="stored-dvh-other-dose", message=message)


def _one_factor(pairs: Sequence[CurvePair]) -> float | None:
    """Return the factor between all curves and ours; None where there is none, or one structure alone."""
    ratios = [ratio for pair in pairs for ratio in pair.ratios]
    if len(pairs) < 2 or not ratios:
        return None
    factor = float(np.median(ratios))
    return factor if all(abs(ratio / factor - 1.0) <= _ONE_FACTOR_RTOL for ratio in ratios) else None


def _is_unit(factor: float, pairs: Sequence[CurvePair], prescribed_gy: Sequence[float]) -> bool:
    """Whether a factor is that of another unit: cGy, or percent of a prescription or of the greatest dose."""
    top_gy = max(max(pair.ours_gy) for pair in pairs)
    percent = [100.0 / gy for gy in (*prescribed_gy, top_gy) if gy > 0]
    return any(abs(factor / unit - 1.0) <= _ONE_FACTOR_RTOL for unit in (100.0, *percent))
