"""A CTV that was drawn, held against the rules: what is covered, by compartment and by sector, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.targets.vertebra.anatomy.frame import Mask
from dvhkit.targets.vertebra.ctv import CtvPlan, LevelResult
from dvhkit.targets.vertebra.rules import ARCH_L, ARCH_R, Compartment, Flag, RuleOutcome, circumferential

# Our own numbers, from no paper: what fraction of a required compartment a CTV must hold.
PASS_FRAC = 0.95
REVIEW_FRAC = 0.80
_RING = ARCH_L | ARCH_R | {Compartment.BODY, Compartment.SPINOUS}
_REQUIRED, _CHOSEN, _OPTIONAL, _NOT_REQUIRED = "required", "required by choice", "optional", "not required"
_ASKED = (_REQUIRED, _CHOSEN)


class PartVerdict(StrEnum):
    """What a compartment's coverage comes to."""

    PASS = "pass"
    REVIEW = "review"
    FAIL = "fail"
    INCLUDED = "optional, included"
    NOT_INCLUDED = "optional, not included"
    EXTRA = "extra"
    NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCheck:
    """One compartment of a CTV that was drawn: its role by the rules, the fraction covered, and why.

    `role` is ``required``, ``required by choice`` (optional, and the user chose it), ``optional`` or ``not required``.
    """

    compartment: Compartment
    role: str
    covered_frac: float | None
    verdict: PartVerdict
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SectorCheck:
    """One sector of the profile: compartments that its guideline counts as one.

    Attributes
    ----------
    role
        The strongest role of its compartments.
    covered_frac, asked_frac
        Fraction covered of the whole sector, and of those of its compartments that are required or chosen; None where
        there is nothing to cover.
    verdict
        Of `asked_frac` where something is asked for, else of `covered_frac`.
    """

    sector: str
    compartments: tuple[Compartment, ...]
    role: str
    covered_frac: float | None
    asked_frac: float | None
    verdict: PartVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCheck:
    """A CTV held against the rules at one level; `verdict` is the worst of the required and the chosen compartments.

    `sectors` is empty where the profile counts in compartments alone.
    """

    level: str
    parts: tuple[PartCheck, ...]
    verdict: PartVerdict
    flags: tuple[Flag, ...]
    sectors: tuple[SectorCheck, ...] = ()


def check_ctv(plan: CtvPlan, ctv: FloatArray) -> tuple[LevelCheck, ...]:
    """Hold a CTV that was drawn against what the rules require, compartment by compartment.

    Parameters
    ----------
    ctv : (n_planes, n_rows, n_columns)
        How much of each voxel of the scene's grid the drawn CTV fills.
    """
    return tuple(_check_level(level, ctv) for level in plan.levels)


def _check_level(level: LevelResult, ctv: FloatArray) -> LevelCheck:
    held = _held(level.vertebra.parts, ctv[level.vertebra.window])
    parts = tuple(_check_part(level.outcome, part, _fraction(held, (part,))) for part in Compartment)
    return LevelCheck(
        level=level.vertebra.level,
        parts=parts,
        verdict=_worst(part.verdict for part in parts if part.role in _ASKED),
        flags=_flags(level.outcome, {part.compartment: part.covered_frac for part in parts}),
        sectors=tuple(_check_sector(level.outcome, name, members, held) for name, members in level.outcome.sectors),
    )


def _worst(verdicts: Iterable[PartVerdict]) -> PartVerdict:
    found = set(verdicts)
    return next((v for v in (PartVerdict.FAIL, PartVerdict.REVIEW) if v in found), PartVerdict.PASS)


def _flags(outcome: RuleOutcome, covered: Mapping[Compartment, float | None]) -> tuple[Flag, ...]:
    """Return the flags of the rules, with the advice on a closed ring as the drawn CTV deserves it."""
    if not all((covered[part] or 0.0) >= PASS_FRAC for part in _RING):
        return tuple(f for f in outcome.flags if f.code != "circumferential-ctv")
    flag = circumferential("the CTV closes round the canal")
    if _all_round(outcome):
        return outcome.flags
    return (*(f for f in outcome.flags if f.code != flag.code), flag)


def _all_round(outcome: RuleOutcome) -> bool:
    """Whether the tumour itself goes all round, so that the consensus has no objection."""
    touched = set(outcome.involved)
    sides = ({Compartment.PEDICLE_L, Compartment.LAMINA_L}, {Compartment.PEDICLE_R, Compartment.LAMINA_R})
    return {Compartment.BODY, Compartment.SPINOUS} <= touched and all(touched & side for side in sides)


def _check_part(outcome: RuleOutcome, part: Compartment, covered: float | None) -> PartCheck:
    role = _role(outcome, part)
    return PartCheck(
        compartment=part,
        role=role,
        covered_frac=covered,
        verdict=_verdict(role, covered),
        why=outcome.because_of(part) + ("; taken in by choice" if role == _CHOSEN else ""),
    )


def _role(outcome: RuleOutcome, part: Compartment) -> str:
    if part in outcome.required:
        return _REQUIRED
    if part in outcome.included:
        return _CHOSEN
    return _OPTIONAL if part in outcome.optional else _NOT_REQUIRED


def _check_sector(
    outcome: RuleOutcome, name: str, members: tuple[Compartment, ...], held: Mapping[Compartment, tuple[float, float]]
) -> SectorCheck:
    roles = {part: _role(outcome, part) for part in members}
    role = next(r for r in (_REQUIRED, _CHOSEN, _OPTIONAL, _NOT_REQUIRED) if r in roles.values())
    asked = tuple(part for part in members if roles[part] in _ASKED)
    covered, asked_frac = _fraction(held, members), _fraction(held, asked)
    missing = any(part not in held for part in asked)
    return SectorCheck(
        sector=name,
        compartments=members,
        role=role,
        covered_frac=covered,
        asked_frac=asked_frac,
        verdict=_verdict(role, (None if missing else asked_frac) if asked else covered),
    )


def _verdict(role: str, covered: float | None) -> PartVerdict:
    if role in _ASKED:
        if covered is None:
            return PartVerdict.REVIEW
        if covered >= PASS_FRAC:
            return PartVerdict.PASS
        return PartVerdict.REVIEW if covered >= REVIEW_FRAC else PartVerdict.FAIL
    inside = covered is not None and covered >= 0.5
    if role == _OPTIONAL:
        return PartVerdict.INCLUDED if inside else PartVerdict.NOT_INCLUDED
    return PartVerdict.EXTRA if inside else PartVerdict.NONE


def _fraction(held: Mapping[Compartment, tuple[float, float]], parts: Iterable[Compartment]) -> float | None:
    """Return which fraction of some compartments together a CTV holds; None where they are empty or not known."""
    pairs = [held[part] for part in parts if part in held]
    size = sum(pair[1] for pair in pairs)
    return sum(pair[0] for pair in pairs) / size if size > 0 else None


def _held(parts: Mapping[Compartment, FloatArray | Mask], ctv: FloatArray) -> dict[Compartment, tuple[float, float]]:
    """Return how many voxels of each compartment a CTV holds, and of how many; empty compartments are left out.

    A labelled compartment consists of whole voxels, so the CTV counts there in whole voxels too (half filled or
    more): else the rim of a contour traced round the label would be missing. A drawn compartment is compared in
    fractions of voxels.
    """
    whole = ctv >= 0.5
    made = {}
    for compartment, part in parts.items():
        size = float(np.sum(part))
        if size > 0:
            inside = np.logical_and(whole, part) if part.dtype == np.bool_ else np.minimum(ctv, part)
            made[compartment] = (float(np.sum(inside)), size)
    return made
