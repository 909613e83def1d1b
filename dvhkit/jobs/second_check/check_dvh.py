"""Hold a planning system's DVHs against ours, and say which conventions the difference is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import DvhkitError, InputError
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.second_check.explain import Compared, explain, explain_by_edit, explain_by_shift
from dvhkit.jobs.second_check.readings import Readings, target_of
from dvhkit.jobs.second_check.words import finish, source_of
from dvhkit.metrics.curve_distance import curve_of
from dvhkit.model.tps_dvh import TpsDvh
from dvhkit.protocols.naming.names import fold
from dvhkit.results.second_check import Agreement, RoiCheck, SecondCheck
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure

# Curves of programs that read alike differ by sampling and by bins of 1 cGy: within this they agree.
TOLERANCE_PCT = 1.0
# Structures below 1 cc consist of fewer samples: the tolerance grows as their surface by volume does.
_TOLERANCE_MOST_PCT = 2.5


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
    rows: list[RoiCheck | Compared] = [_begin(case, numbers, *row) for row in matched]
    compared = [row for row in rows if isinstance(row, Compared)]
    for row in compared:
        explain(row)
    explain_by_shift(compared)
    for row in compared:
        explain_by_edit(row)
    finished = tuple(finish(row) if isinstance(row, Compared) else row for row in rows)
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
) -> RoiCheck | Compared:
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
    return Compared(
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
    return RoiCheck(roi=curve.roi, verdict=Agreement.NOT_COMPARED, reason=why + ".", source=source_of(curve))


def _without_curve(case: Case, matched: Sequence[tuple[TpsDvh, Structure | None, str]]) -> list[RoiCheck]:
    known = {id(structure) for _, structure, _ in matched}
    return [
        RoiCheck(roi=s.name, verdict=Agreement.NOT_COMPARED, reason="the planning system gives no curve for it.")
        for s in case.structures
        if id(s) not in known and not s.is_empty
    ]
