"""Whether a target's dose can be that of its prescription, and if not, what it looks like.

Judged by the target's own dose, never by the greatest dose of the grid: that lies beside a source in brachytherapy and
in another patient's target in a dose of another plan. The limits are wide enough for every way to prescribe
(docs/findings.md derives them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dvhkit.findings import Finding, Level
from dvhkit.units import number_text

# External beams, the median dose: prescriptions to 50 % of the maximum reach 1.8; those to the maximum, 0.8.
LEAST_MEDIAN_FRAC, MOST_MEDIAN_FRAC = 0.70, 2.5
# Where the target's dose is even, nothing but the prescription itself can be meant.
LEAST_EVEN_FRAC, MOST_EVEN_FRAC = 0.85, 1.20
EVEN_HOMOGENEITY = 0.20
# The dose that all but 5 % of the target receives: no organ at risk makes it less, no prescription more.
LEAST_D95_FRAC, MOST_D95_FRAC = 0.50, 1.50
# Of the PTV that is prescribed to: its edge lies on the prescribed isodose, or a little inside.
MOST_PTV_D95_FRAC = 1.30
# A dose with a flat top, however cold the rest: what is prescribed to an isodose far below the maximum has a peak.
MOST_FLAT_FRAC, FLAT_TOP = 1.45, 1.10
# Where a dose falls off at a target's edge, D98% is a little below D95%; next to an organ that is spared, far below.
EDGE_FRAC = 0.90
# The hottest 2 % of the target: even what is prescribed to the maximum gets there.
LEAST_D2_FRAC = 0.85
# Brachytherapy, D90: high-risk volumes in use reach from 0.7 to 2.
LEAST_D90_FRAC, MOST_D90_FRAC = 0.60, 2.5
# Without a target, the greatest dose: every prescription lies somewhere in the grid.
LEAST_MAX_FRAC, MOST_MAX_FRAC = 0.85, 5.0
# A set without its target may hold a part of the dose; so little of it, or just one fraction, is no part of any use.
LEAST_PART_FRAC = 0.25
# Without a prescription, what no treatment by beams reaches: functional radiosurgery gives up to 160 Gy at most, and
# treatments of benign disease some 0.3 Gy a fraction at least.
MOST_BEAM_GY, LEAST_FRACTION_GY = 300.0, 0.1
# Two numbers that mean the same dose: coverage and normalisation differ by so much.
_ALIKE = (0.85, 1.20)
_RBE = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDose:
    """What a target receives, in Gy; `prescribed` tells whether the plan prescribes to this very ROI.

    `d98_gy` to `d2_gy` are of the part inside the body and the dose grid. `hot_away_mm` is how far the middle of the
    hottest part of the grid lies from the middle of the target.
    """

    name: str
    d98_gy: float
    d95_gy: float
    d90_gy: float
    d50_gy: float
    d2_gy: float
    prescribed: bool = False
    is_target: bool = True
    is_ptv: bool = False
    hot_away_mm: float | None = None

    @property
    def is_even(self) -> bool:
        """Whether (D2% - D98%) / D50%, the homogeneity index of ICRU 83, is small."""
        return self.d50_gy > 0 and (self.d2_gy - self.d98_gy) / self.d50_gy <= EVEN_HOMOGENEITY

    @property
    def is_flat(self) -> bool:
        """Whether half of the target has nearly its greatest dose, though it is not even."""
        return not self.is_even and self.d2_gy <= FLAT_TOP * self.d50_gy


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the plan says beside the prescription, to guess by what a wrong dose is.

    Attributes
    ----------
    total_gy
        All prescribed doses together: a plan that states its phases one by one gives their sum to the boost.
    others_gy
        Its other prescribed doses.
    parts_gy
        Dose of a beam or of a fraction group over all its fractions, by what it is in words.
    """

    prescribed_gy: float
    fractions: int | None = None
    total_gy: float = 0.0
    others_gy: tuple[float, ...] = ()
    parts_gy: tuple[tuple[str, float], ...] = ()
    is_brachy: bool = False
    is_ion: bool = False
    max_gy: float = 0.0


def judge_target(target: TargetDose, told: Told, rivals: Sequence[TargetDose] = ()) -> Finding | None:
    """Return what is wrong with a target's dose, or None where it can be that of the prescription.

    Parameters
    ----------
    rivals
        The other targets: one that has the prescribed dose tells that the dose belongs elsewhere.
    """
    beyond = _beyond_d90(target, told) if told.is_brachy else _beyond_beams(target, told)
    if beyond is not None:
        return _far(target, told, *beyond, rivals)
    if told.is_brachy:
        return None
    if target.d95_gy < LEAST_D95_FRAC * told.prescribed_gy:
        return _partly_cold(target, told)
    if target.d50_gy < LEAST_EVEN_FRAC * told.prescribed_gy:
        return _unlike(target, told)
    return _low_all_round(target, told) if _is_low_all_round(target, told) else None


def _is_low_all_round(target: TargetDose, told: Told) -> bool:
    """Whether a peaked dose has its prescribed isodose well inside the target, on every side alike.

    What is prescribed to the maximum looks like that too, but goes no higher than what is prescribed.
    """
    rx = told.prescribed_gy
    is_peaked = not target.is_even and target.d2_gy > rx
    no_cold_tail = target.d98_gy >= EDGE_FRAC * target.d95_gy
    low = target.d95_gy < LEAST_EVEN_FRAC * rx and target.d50_gy < rx
    return is_peaked and low and no_cold_tail and target.is_ptv and target.prescribed


def _beyond_d90(target: TargetDose, told: Told) -> tuple[str, float] | None:
    frac = target.d90_gy / told.prescribed_gy
    return None if LEAST_D90_FRAC <= frac <= MOST_D90_FRAC * _total_frac(told) else ("D90%", target.d90_gy)


def _beyond_beams(target: TargetDose, told: Told) -> tuple[str, float] | None:
    """Return the metric, and its value, that no prescription to an external beam's target leaves so far from itself."""
    rx, over = told.prescribed_gy, _total_frac(told)
    low, high = (LEAST_EVEN_FRAC, MOST_EVEN_FRAC) if target.is_even else (LEAST_MEDIAN_FRAC, MOST_MEDIAN_FRAC)
    if target.is_flat:
        high = MOST_FLAT_FRAC
    if not low * rx <= target.d50_gy <= high * over * rx:
        return "D50%", target.d50_gy
    if target.d95_gy > (MOST_PTV_D95_FRAC if target.is_ptv and target.prescribed else MOST_D95_FRAC) * over * rx:
        return "D95%", target.d95_gy
    return ("D2%", target.d2_gy) if target.d2_gy < LEAST_D2_FRAC * rx else None


def judge_maximum(told: Told) -> Finding | None:
    """Return what is wrong with a dose whose target is not known, by its greatest value alone."""
    frac = told.max_gy / told.prescribed_gy
    too_much = not told.is_brachy and frac > MOST_MAX_FRAC * _total_frac(told)
    if frac >= LEAST_MAX_FRAC and not too_much:
        return None
    message = (
        f"The whole dose grid reaches {_gy(told.max_gy)} where {_gy(told.prescribed_gy)} are prescribed. "
        f"{_guess(told.max_gy, told)}{_WHAT_TO_DO}"
    )
    one_fraction = told.fractions is not None and told.fractions > 1 and _alike(frac, 1.0 / told.fractions)
    if too_much or frac < LEAST_PART_FRAC or one_fraction:
        return Finding(level=Level.SERIOUS, code="dose-far-from-prescription", message=message)
    return Finding(level=Level.WARNING, code="dose-unlike-prescription", message=message)


def judge_unprescribed(told: Told) -> Finding | None:
    """Return what is wrong with a dose of which no prescription is known: what no beams give to anybody, by far."""
    if told.is_brachy:
        return None
    if told.max_gy > MOST_BEAM_GY:
        why = f"reaches {_gy(told.max_gy)}, more than any treatment by beams. It looks as if cGy were read as Gy"
    elif told.max_gy < LEAST_FRACTION_GY * (told.fractions or 1):
        course = "one fraction" if (told.fractions or 1) == 1 else f"{told.fractions} fractions"
        why = (
            f"reaches {_gy(told.max_gy)} in {course}, less than any treatment gives. It looks like the dose of one "
            "fraction, or as if Gy were divided by 100"
        )
    else:
        return None
    message = f"The whole dose grid {why}. {_WHAT_TO_DO}"
    return Finding(level=Level.SERIOUS, code="dose-far-from-prescription", message=message)


_WHAT_TO_DO = "Check the export, or give the prescription with --rx."


def _total_frac(told: Told) -> float:
    return max(1.0, told.total_gy / told.prescribed_gy)


def _far(target: TargetDose, told: Told, metric: str, reached_gy: float, rivals: Sequence[TargetDose]) -> Finding:
    share = f"{number_text(100 * reached_gy / told.prescribed_gy, digits=3)} %"
    # Of an uneven dose, the target's edge is what has the prescription.
    edge_gy = () if told.is_brachy or target.is_even else (target.d95_gy,)
    message = (
        f"{target.name} receives {_gy(reached_gy)} ({metric}) where {_gy(told.prescribed_gy)} are prescribed, {share} "
        f"of it. {_elsewhere(target, told, reached_gy, rivals) or _guess(reached_gy, told, *edge_gy)}{_WHAT_TO_DO}"
    )
    return Finding(level=Level.SERIOUS, code="dose-far-from-prescription", message=message, where=target.name)


def _partly_cold(target: TargetDose, told: Told) -> Finding:
    share = f"{number_text(100 * target.d95_gy / told.prescribed_gy, digits=3)} %"
    message = (
        f"Part of {target.name} is cold: 5 % of it receive less than {_gy(target.d95_gy)} where "
        f"{_gy(told.prescribed_gy)} are prescribed, {share} of it, though its median is {_gy(target.d50_gy)}. It may "
        "be the dose of another plan, or shifted. Check that dose and structures are of one plan."
    )
    return Finding(level=Level.SERIOUS, code="target-partly-cold", message=message, where=target.name)


def _unlike(target: TargetDose, told: Told) -> Finding:
    message = (
        f"The median dose of {target.name} is {_gy(target.d50_gy)} where {_gy(told.prescribed_gy)} are prescribed. "
        "That fits a prescription to the maximum, or a dose that lacks a beam: check which."
    )
    return Finding(level=Level.WARNING, code="dose-unlike-prescription", message=message, where=target.name)


def _low_all_round(target: TargetDose, told: Told) -> Finding:
    message = (
        f"Less than half of {target.name} receives the {_gy(told.prescribed_gy)} that are prescribed to it, and its "
        f"edge {_gy(target.d95_gy)} (D95%) on every side, though D2% is {_gy(target.d2_gy)}. That fits a prescription "
        "to a point or to the mean, or a dose that was scaled down: check which."
    )
    return Finding(level=Level.WARNING, code="dose-unlike-prescription", message=message, where=target.name)


def _elsewhere(target: TargetDose, told: Told, reached_gy: float, rivals: Sequence[TargetDose]) -> str:
    """Return that the prescribed dose lies elsewhere, where it does and the target is cold."""
    if reached_gy >= LEAST_EVEN_FRAC * told.prescribed_gy or told.max_gy < LEAST_MAX_FRAC * told.prescribed_gy:
        return ""
    if told.is_brachy and (target.hot_away_mm is None or target.hot_away_mm < _SHIFTED_MM):
        return ""
    near = [r.name for r in rivals if _alike(r.d50_gy, told.prescribed_gy) and r.name != target.name]
    if near:
        return f"{near[0]} has that dose: the dose may be of another plan. "
    away = target.hot_away_mm
    if away is not None and away >= _SHIFTED_MM and not target.is_even:
        return (
            f"The grid does reach {_gy(told.max_gy)}, {number_text(away, digits=2)} mm from the middle of the target: "
            "the dose may be of another plan, or shifted. "
        )
    return ""


_SHIFTED_MM = 5.0


def _guess(reached_gy: float, told: Told, *edge_gy: float) -> str:
    """Return what a dose so far from its prescription looks like, in words; the likeliest first."""
    for gy in (*edge_gy, reached_gy):
        for holds, words in _guesses(gy, told):
            if holds:
                return f"{words}. "
    if reached_gy < told.prescribed_gy:
        return "It may be part of the treatment (a beam, a phase, a boost), of another plan, or wrongly scaled. "
    return "It may be a sum of plans, a biologically effective dose, of another plan, or wrongly scaled. "


def _guesses(reached_gy: float, told: Told) -> tuple[tuple[bool, str], ...]:
    """Return what a dose may be, each with whether it looks like that."""
    rx, n = told.prescribed_gy, told.fractions
    frac = reached_gy / rx
    return (
        (_alike(frac, 0.01), "It looks as if Gy were divided by 100, or the prescription were in cGy"),
        (_alike(frac, 100.0), "It looks as if cGy were read as Gy"),
        (n is not None and n > 1 and _alike(frac * n, 1.0), "It looks like the dose of one fraction"),
        *((_near(reached_gy, gy), f"It looks like the dose of {what} alone") for what, gy in told.parts_gy),
        *((_near(reached_gy, gy), f"It fits {_gy(gy)}, another of the plan's prescriptions") for gy in told.others_gy),
        (_near(reached_gy, 100.0, rtol=0.05) and not _alike(rx, 100.0), "It looks like percent of the prescription"),
        (_near(reached_gy, 1.0) and rx > 2.5, "It looks like a relative dose, in parts of the prescription"),
        (told.is_ion and _near(frac, 1 / _RBE, rtol=0.02), "It looks like physical dose without the RBE of 1.1"),
        (_alike(frac, 1000.0) or _alike(frac, 0.001), "It looks wrongly scaled by 1000"),
        (_near(frac, 0.5, rtol=0.1), "It looks like half the plan, such as one of two parts"),
        (_near(frac, 1 / 3, rtol=0.12), "It looks like a third of the plan, such as one beam of three"),
        (_near(frac, 2 / 3, rtol=0.06), "It looks like two thirds of the plan, such as two beams of three"),
        (_near(frac, 2.0, rtol=0.1), "It looks like twice the plan: a sum, or added twice"),
        (n is not None and n > 1 and _alike(frac, float(n)), "The prescription looks like that of one fraction"),
    )


def _alike(value: float, other: float) -> bool:
    return _ALIKE[0] * other <= value <= _ALIKE[1] * other


def _near(value: float, other: float, *, rtol: float = 0.08) -> bool:
    return other > 0 and abs(value - other) <= rtol * other


def _gy(dose_gy: float) -> str:
    return f"{number_text(dose_gy, digits=4)} Gy"
