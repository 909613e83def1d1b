"""Whether the DVHs that the planning system stored are of the dose in the grid."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dvhkit.jobs.plausibility.targets import is_target_structure
from dvhkit.metrics.agreement import CurvePair, curve_pair, judge_curves

if TYPE_CHECKING:
    from dvhkit.findings import Finding
    from dvhkit.jobs.plausibility.targets import Targets
    from dvhkit.model.dose import StoredDvh
    from dvhkit.model.structure import Structure

# Looked at: a target and organs around it, the quickest to measure first, until so many of each kind agree.
_TARGETS_ENOUGH, _ORGANS_ENOUGH, _MOST = 1, 2, 6
# A structure far from the beams agrees with any dose; one so small is another in each program.
_LEAST_SHARE_OF_TOP, _LEAST_CC = 0.2, 1.0
# A target that is evenly irradiated and receives this much of its prescription has the right dose in the grid.
_RIGHT_FRAC = (0.98, 1.06)


def stored_dose_findings(targets: Targets) -> tuple[Finding, ...]:
    """Return a finding where stored curves are of another dose than the grid's, or of one that was scaled."""
    pairs: list[CurvePair] = []
    for structure, stored in _candidates(targets):
        if len(pairs) >= _MOST or _is_settled(pairs):
            break
        dvh = targets.dvh(structure)
        pair = None if dvh is None else curve_pair(dvh, stored, is_target=is_target_structure(structure))
        pairs += [pair] if pair is not None else []
    doses = tuple(p.dose_gy for p in targets.case.prescriptions)
    found = judge_curves(pairs, prescribed_gy=doses, scale_is_right=_scale_is_right(targets))
    return () if found is None else (found,)


def _is_settled(pairs: list[CurvePair]) -> bool:
    agreed = Counter(pair.is_target for pair in pairs if pair.agrees)
    return agreed[True] >= _TARGETS_ENOUGH and agreed[False] >= _ORGANS_ENOUGH and all(p.agrees for p in pairs)


def _candidates(targets: Targets) -> list[tuple[Structure, StoredDvh]]:
    """Return structures with the one curve that is stored for each: targets first, in the order of their size."""
    found = []
    for structure in targets.case.structures:
        curves = [] if structure.is_empty else targets.numbers.stored_dvhs_of(structure)
        if len(curves) == 1 and not curves[0].excluded_numbers:
            found.append((structure, curves[0]))
    top = max((_top_gy(stored) for _, stored in found), default=0.0)
    found = [
        row
        for row in found
        if _top_gy(row[1]) >= _LEAST_SHARE_OF_TOP * top
        and (row[1].volume_cc is None or row[1].volume_cc[0] >= _LEAST_CC)
    ]
    return sorted(
        found, key=lambda row: (not is_target_structure(row[0]), sum(len(c.points_mm) for c in row[0].contours))
    )


def _top_gy(stored: StoredDvh) -> float:
    return float(stored.dose_gy[stored.volume_pct > 0].max(initial=0.0))


def _scale_is_right(targets: Targets) -> bool:
    """Whether a target's even dose is the one that is prescribed to it: then the curves, not the grid, were scaled."""
    for prescription in targets.case.prescriptions:
        own = targets.own(prescription)
        for structure in (own,) if own is not None else targets.structures:
            dose = targets.dose(structure)
            if dose is not None and dose.is_even and prescription.dose_gy > 0:
                low, high = _RIGHT_FRAC
                if low <= dose.d50_gy / prescription.dose_gy <= high:
                    return True
    return False
