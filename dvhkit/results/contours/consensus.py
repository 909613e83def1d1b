"""What several observers of the same structures agree upon."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding

CONSENSUS_SCHEMA = "dvhkit/consensus/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementLevel:
    """The volume that at least so many observers took in."""

    at_least: int
    volume_cc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainMargin:
    """Kappa and STAPLE's volume where the empty space around all contours is that wide."""

    margin_mm: float
    kappa: float | None
    staple_cc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StapleEstimate:
    """What STAPLE (Warfield 2004) estimates.

    Attributes
    ----------
    volume_cc
        Where the estimated probability is at least a half.
    sensitivity, specificity
        By observer, in the order of the structure's `observers`.
    few_added_cc, many_removed_cc
        Taken in although no majority drew it; left out although a majority did.
    """

    volume_cc: float
    sensitivity: tuple[float, ...]
    specificity: tuple[float, ...]
    few_added_cc: float
    many_removed_cc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDice:
    """The Dice coefficient of two observers."""

    observer_a: str
    observer_b: str
    dice: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One observer against the majority of all others; None where `reason` says why."""

    observer: str
    volume_cc: float
    others_cc: float | None = None
    dice: float | None = None
    hd95_pooled_mm: float | None = None
    mean_surface_distance_mm: float | None = None
    surface_dice: float | None = None
    centroid_shift_mm: tuple[float, float, float] | None = None
    kappa_without: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiConsensus:
    """One structure as all observers drew it. Numbers are None where `reason` says why there are none.

    Attributes
    ----------
    observers
        Who drew it, by letter; `missing`: who did not, or left it empty. They do not vote.
    majority_cc
        What more than half of the observers took in; `ties_cc`: what just half of them did, which is left out.
    kappa, kappa_low, kappa_high
        Fleiss' generalised kappa in a box around all contours, grown by `margin_mm`; its 95 % interval by the jackknife
        over observers.
    conformity
        Generalised conformity index (Kouwenhoven 2009): overlaps over unions of all pairs; needs no box.
    by_margin
        What kappa and STAPLE would be with more or less empty space.
    """

    roi: str
    names: tuple[str, ...] = ()
    observers: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    volumes_cc: tuple[float, ...] = ()
    majority_cc: float | None = None
    ties_cc: float | None = None
    staple: StapleEstimate | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    margin_mm: float | None = None
    conformity: float | None = None
    agreement: tuple[AgreementLevel, ...] = ()
    by_margin: tuple[DomainMargin, ...] = ()
    pairs: tuple[PairDice, ...] = ()
    leave_one_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """A structure set of one observer: its letter, and its file's name."""

    observer: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """All structures that at least two observers drew."""

    observers: tuple[Observer, ...]
    rois: tuple[RoiConsensus, ...]
    drawn_by_one: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
