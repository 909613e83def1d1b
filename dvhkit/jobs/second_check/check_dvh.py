"""Hold a planning system's DVHs against ours, and say which conventions the difference is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import DvhkitError, InputError
from dvhkit.findings import Finding, Level
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.second_check.compared import Compared, begin
from dvhkit.jobs.second_check.explain import explain
from dvhkit.jobs.second_check.matching import match, read_exports, stored
from dvhkit.jobs.second_check.searches import explain_by_edit, explain_by_shift
from dvhkit.jobs.second_check.smooth import clearer, smooth_twin
from dvhkit.jobs.second_check.telling import finish, not_compared
from dvhkit.results.second_check import Agreement, RoiCheck, SecondCheck
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure
    from dvhkit.model.tps_dvh import TpsDvh


# Edits are sought for seconds a structure: in an audit for the worst alone. `dvhkit check-dvh` seeks for all.
_EDITS_IN_AUDIT = 1


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
    exported = [curve for export in read_exports(tps) for curve in export.curves]
    theirs = [*exported, *stored(case)]
    if not theirs:
        raise InputError(
            "no DVH of a planning system is at hand: the RTDOSE stores none.",
            remedy="Export the DVHs as text and name the file with --tps.",
        )
    return SecondCheck(case=case.label, rois=_checked(CaseNumbers(case, engine=engine), theirs))


def check_in_audit(numbers: CaseNumbers, tps: Sequence[TpsDvh] = ()) -> tuple[RoiCheck, ...]:
    """Return the second check of an audit: of what the RTDOSE stores, and of text exports; empty where there is none.

    The numbers that the audit has computed are used. What agrees is not looked at further.
    """
    case = numbers.case
    if case.dose is None:
        return tuple(not_compared(curve, "there is no dose") for curve in tps)
    theirs = [*tps, *stored(case)]
    return _checked(numbers, theirs, whole=False) if theirs else ()


def text_findings(rois: Sequence[RoiCheck]) -> tuple[Finding, ...]:
    """Return a finding for each curve of a text export that nothing explains, or that may be cut off.

    Stored curves have their own.
    """
    told = [
        (roi, "tps-dvh-not-explained", roi.reason)
        for roi in rois
        if roi.verdict is Agreement.NOT_EXPLAINED and ", line " in roi.source
    ]
    told += [
        (roi, "tps-dvh-cut-off", f"Of {roi.roi!r} {roi.doubt}. Export the DVHs again.") for roi in rois if roi.doubt
    ]
    return tuple(
        Finding(level=Level.WARNING, code=code, message=message, where=roi.source, rois=(roi.roi,))
        for roi, code, message in told
    )


def _checked(numbers: CaseNumbers, theirs: Sequence[TpsDvh], *, whole: bool = True) -> tuple[RoiCheck, ...]:
    """Compare curves; not `whole`: readings are tried for those alone that do not agree as they are."""
    case = numbers.case
    matched = [(curve, *match(case, curve, theirs)) for curve in theirs]
    numbers.prepare([RoiRef(s.number, s.name) for _, s, _ in matched if s is not None and not s.is_empty])
    rows = [_begin(case, numbers, *row) for row in matched]
    compared = [row for row in rows if isinstance(row, Compared)]
    looked_at = [row for row in compared if whole or row.base_pct > row.tolerance_pct]
    for row in looked_at:
        explain(row)
    if looked_at:
        explain_by_shift(compared)
    worst_first = sorted(looked_at, key=lambda row: -row.base_pct)
    for row in worst_first[: None if whole else _EDITS_IN_AUDIT]:
        explain_by_edit(row)
    clear = _cleared(numbers, looked_at, compared) if whole else {}
    return _told(case, [clear.get(id(row), row) for row in rows], matched)


def _cleared(numbers: CaseNumbers, looked_at: Sequence[Compared], compared: Sequence[Compared]) -> dict[int, Compared]:
    """Return, by the identity of its row, each comparison that is clearer in a dose smooth between its voxels."""
    twins = [(row, twin) for row in looked_at if (twin := smooth_twin(row, numbers)) is not None]
    for _, twin in twins:
        explain(twin)
    smooth = [twin for _, twin in twins]
    without = [row for row in compared if all(row is not other for other, _ in twins)]
    explain_by_shift(smooth, others=without)
    for twin in smooth:
        explain_by_edit(twin)
    return {id(row): clearer(row, twin) for row, twin in twins}


_Matched = tuple["TpsDvh", "Structure | None", str]


def _begin(
    case: Case, numbers: CaseNumbers, curve: TpsDvh, structure: Structure | None, why: str
) -> RoiCheck | Compared:
    if structure is None:
        return not_compared(curve, why)
    if curve.unusable:
        return not_compared(curve, curve.unusable)
    if structure.is_empty:
        return not_compared(curve, "nothing is drawn in the structure")
    try:
        ours = numbers.dvh(RoiRef(structure.number, structure.name))
    except DvhkitError as error:
        return not_compared(curve, error.message)
    if not ours.covered_cc > 0:
        return not_compared(curve, "the structure lies outside the dose grid")
    return begin(curve, structure, ours, case)


def _told(case: Case, rows: Sequence[RoiCheck | Compared], matched: Sequence[_Matched]) -> tuple[RoiCheck, ...]:
    known = {id(structure) for _, structure, _ in matched}
    without = [
        RoiCheck(roi=s.name, verdict=Agreement.NOT_COMPARED, reason="the planning system gives no curve for it.")
        for s in case.structures
        if id(s) not in known and not s.is_empty
    ]
    return (*(finish(row) if isinstance(row, Compared) else row for row in rows), *without)
