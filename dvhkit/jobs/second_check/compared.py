"""One curve of a planning system with all that is found out about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.jobs.second_check import readings as words
from dvhkit.jobs.second_check.readings import Readings, Target, target_of
from dvhkit.metrics.curve_distance import Curve, curve_of
from dvhkit.model.tps_dvh import TpsDvh

if TYPE_CHECKING:
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.case import Case
    from dvhkit.model.dvh import Dvh
    from dvhkit.model.structure import Structure

# Curves of programs that read alike differ by sampling and by bins of 1 cGy: within this they agree.
TOLERANCE_PCT = 1.0
# Structures below 1 cc consist of fewer samples: the tolerance grows as their surface by volume does.
_TOLERANCE_MOST_PCT = 2.5
# A reading with free parameters bends to noise: it may leave a tenth of the difference that it explains, within these
# parts of the tolerance.
_FREE_PART = 0.1
_FREE_MOST_PART = 0.4
_CENTRES_PCT = 0.4
_FREE_SHARE = (0.3, 0.6)
_VOLUME_APART_PCT = 1.5
_SHAPE_ALIKE_PCT = 0.4
# Our curve with another volume is the simpler word: what changes the volume by free numbers must do twice as well.
ALONE_SHARE = 0.5

# An explanation must be worth its words: each costs this much, in percent, before it is preferred to none.
COST_PCT = 0.15
COST_FREE_PCT = 0.2
# What the words for a difference cost at least, as a part of their price at the tolerance.
_PRICE_LEAST = 0.25
# Below this a curve is as near as another program's sampling lets it be.
NEAR_PCT = 0.2
# Two readings that leave the same to this are one as far as the curve can say, and one with free numbers that leaves no
# more leaves nothing: 30,000 points have some 6,000 at the surface, each in or out by chance, which is a noise of
# sqrt(6000) / 2 points.
SAMPLING_PCT = 0.13


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One way to bring ours to theirs: the words for it, what it leaves, and what it costs."""

    names: tuple[str, ...]
    left_pct: float
    cost_pct: float
    free: bool = False
    note: str = ""
    curve: Curve | None = None


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
    solids: list[tuple[tuple[str, ...], Curve]] = field(default_factory=list)
    found: list[Explained] = field(default_factory=list)
    knots: FloatArray | None = None
    stated_pct: float | None = None
    rivals: tuple[Explained, ...] = ()

    @property
    def is_smooth(self) -> bool:
        """Whether the dose is taken to run smoothly between voxels here."""
        return self.readings.between is not self.readings.dose

    @property
    def worst_pct(self) -> float:
        """Distance of theirs from ours as we state it; `base_pct` is that of ours in the dose looked at here."""
        return self.base_pct if self.stated_pct is None else self.stated_pct

    @property
    def resolution_pct(self) -> float:
        """What two readings must differ by to be told apart: noise of sampling, and what printing rounds."""
        return max(SAMPLING_PCT, 100.0 * self.target.round_frac, 100.0 * self.target.step_frac)

    @property
    def others(self) -> tuple[Explained, ...]:
        """Readings that bring ours as near as the best does, as far as the curve can say; the likeliest first.

        What only adds a word to another must be nearer by more than the resolution. Of a curve that agrees as it is
        those count that take away half of what is left, and more than the resolution. A reading with free numbers
        fits some of the noise: beside such a one, one without may leave twice the resolution more.
        """
        best, apart = self.best, self.resolution_pct
        most = best.left_pct + apart if best.names else min(self.base_pct - apart, self.base_pct / 2)
        more = apart if best.free else 0.0
        fit = [
            e for e in self.found if e.names and e.left_pct <= min(most if e.free else most + more, self.limit_pct(e))
        ]
        kept = [best]
        for way in sorted(fit, key=lambda e: e.left_pct + e.cost_pct):
            simpler = [one for one in kept if set(one.names) <= set(way.names)]
            if all(way.names != one.names and way.left_pct < one.left_pct - apart for one in simpler):
                kept.append(way)
        return (*kept[1:], *(way for way in self.rivals if way.left_pct <= best.left_pct + apart))

    def limit_pct(self, way: Explained) -> float:
        """Return what a reading may leave."""
        if words.CENTRES in way.names:
            # Which centres lie inside is known: at most one of them is in doubt.
            one_pct = 100.0 * self.readings.voxel_cc / self.ours.volume_cc
            if self.shape_left_pct < one_pct / 2:  # of few voxels, chance may make another volume
                return min(self.tolerance_pct, _CENTRES_PCT)
            # Of few voxels one is more than the tolerance; then the volumes must be seen to be whole voxels.
            most = one_pct if self.readings.counts_voxels(self.target) else self.tolerance_pct
            return min(max(self.tolerance_pct, most), max(_CENTRES_PCT, one_pct)) + self.resolution_pct
        if not way.free:
            return self.tolerance_pct
        low, high = (share * self.tolerance_pct for share in _FREE_SHARE)
        # Within half a bin nothing is known.
        bin_pct = 0.0 if self.target.is_coarse else self.target.half_bin_pct
        most = min(high, max(low, _FREE_PART * self.base_pct) + bin_pct, _FREE_MOST_PART * self.base_pct)
        return max(SAMPLING_PCT, most)

    @property
    def best(self) -> Explained:
        """The cheapest that leaves no more than it may; where none does, the cheapest of all.

        Of a small difference words cost less: they need explain less.
        """
        fit = [e for e in self.found if e.left_pct <= self.limit_pct(e)]
        price = min(1.0, max(_PRICE_LEAST, self.base_pct / self.tolerance_pct))
        return min(fit or self.found, key=lambda e: e.left_pct + price * e.cost_pct)

    @property
    def volume_ratio(self) -> float | None:
        """Their volume by ours; None where theirs is not known."""
        if self.target.own_cc is None or not self.ours.volume_cc > 0:
            return None
        return self.target.own_cc / self.ours.volume_cc

    @property
    def shape_left_pct(self) -> float:
        """What is left where each curve is taken by its own volume; infinite where the volumes are the same."""
        return self.shape_left_of(curve_of(self.readings.ours))

    def shape_left_of(self, ours: Curve) -> float:
        """Return `shape_left_pct` with another reading of ours."""
        apart = self.volume_ratio
        if apart is None or abs(apart - 1.0) * 100.0 < _VOLUME_APART_PCT:
            return math.inf
        shape = replace(self.target, share=self.target.share / self.target.share[0], whole_cc=None, own_cc=None)
        return shape.residual(ours)

    @property
    def alone_pct(self) -> float:
        """What our curve with another volume leaves at best, in plain readings; infinite where volumes are the same."""
        return min(self.shape_left_of(curve) for curve, _ in plain_curves(self))

    def is_fit(self, way: Explained) -> bool:
        """Whether a reading leaves no more than it may, and our curve with another volume does not clearly better."""
        if way.left_pct > self.limit_pct(way):
            return False
        # Which voxels are counted changes a volume by chance.
        if words.CENTRES in way.names or not way.names:
            return True
        alone = self.alone_pct
        better = alone < ALONE_SHARE * way.left_pct and alone < way.left_pct - self.resolution_pct
        return not (better and alone <= _SHAPE_ALIKE_PCT)

    @property
    def is_volume_alone(self) -> bool:
        """Whether theirs is our curve with another volume."""
        return self.shape_left_pct <= _SHAPE_ALIKE_PCT


def begin(theirs: TpsDvh, structure: Structure, ours: Dvh, case: Case) -> Compared:
    """Return a curve with ours beside it, as they are."""
    target = target_of(theirs, ours)
    base, found = first_look(target, ours)
    small = min(_TOLERANCE_MOST_PCT, max(1.0, ours.volume_cc ** (-1 / 3)))
    return Compared(
        roi=structure.name,
        theirs=theirs,
        ours=ours,
        readings=Readings(case, structure, ours),
        target=target,
        base_pct=base,
        tolerance_pct=TOLERANCE_PCT * small,
        found=[found],
    )


def first_look(target: Target, ours: Dvh) -> tuple[float, Explained]:
    """Return how far theirs is from ours as it is, in percent, and that as the first of all explanations."""
    own = curve_of(ours)
    base = target.residual(own, fine=True)
    # Inside a coarse bin the curve says nothing: that it agrees there is an accident.
    cost = COST_PCT + COST_FREE_PCT if target.is_coarse else 0.0
    return base, Explained(names=(), left_pct=base, cost_pct=cost, curve=own)


def dose_at_share(dose: FloatArray, share: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the dose at which a falling curve passes each share."""
    return np.asarray(np.interp(-wanted, -share, dose))


def plain_curves(row: Compared) -> list[tuple[Curve, bool]]:
    """Return ours, and half caps with upright walls and with straight lines; for each whether lines join its slices."""
    plain = ((), (words.HALF_CAP, words.PRISM), (words.HALF_CAP, words.STRAIGHT))
    read = [
        (curve, words.STRAIGHT in names) for names, curve in row.solids if names in plain or words.OTHER_CAP in names
    ]
    return read or [(curve_of(row.readings.ours), False)]
