"""The curves that a planning system gives for a case, and the structures that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.model.tps_dvh import TpsDvh, TpsExport
from dvhkit.protocols.naming.names import fold

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure


def read_exports(paths: Sequence[Path]) -> tuple[TpsExport, ...]:
    """Return text exports; raises `InputError` for a file that is damaged or of no known dialect."""
    from dvhkit.readers.tps_text.read import read_tps_export

    return tuple(read_tps_export(path) for path in paths)


def stored(case: Case) -> Iterator[TpsDvh]:
    """Return the DVHs of the RTDOSE; their minimum, mean and maximum are left out where percent may stand for Gy."""
    assert case.dose is not None
    names = {s.number: s.name for s in case.structures}
    source = case.dose.paths[0].name if case.dose.paths else "RTDOSE"
    for each in case.dose.stored_dvhs:
        in_cc = each.volume_cc is not None
        yield TpsDvh(
            roi=names.get(each.roi_number, f"#{each.roi_number}"),
            roi_number=each.roi_number,
            dose_gy=each.dose_gy,
            volume=each.volume_cc if each.volume_cc is not None else each.volume_pct,
            in_cc=in_cc,
            source=source,
            unusable="it leaves out the part inside other structures" if each.excluded_numbers else "",
        )


def match(case: Case, curve: TpsDvh, every: Sequence[TpsDvh]) -> tuple[Structure | None, str]:
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
