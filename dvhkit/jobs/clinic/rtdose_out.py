"""A case's dose and DVHs, filed back as RTDOSE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dvhkit.engine.dose_sum import onto_grid
from dvhkit.errors import InputError
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.protocols.naming.regions import Region
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    from dvhkit.model.dose import Dose


def write_case_dose(
    numbers: CaseNumbers,
    regions: Sequence[Region],
    out: Path,
    *,
    bits: Literal[16, 32] = 32,
    resampled: bool = False,
) -> str:
    """Write the dose of a case with the DVHs of `regions`; return the new SOP instance UID.

    Parameters
    ----------
    regions
        Structures of the set; expressions have no ROI number and are refused.
    resampled
        Write the dose on the image's lattice, as far as it reaches, instead of on its own.
    """
    case = numbers.case
    if case.dose is None or not case.dose.paths:
        raise InputError("there is no dose to write.", remedy="Name it with --rtdose.")
    made = next((r for r in regions if not isinstance(r, RoiRef)), None)
    if made is not None:
        raise InputError(
            f"{made} is no ROI of the structure set, so no RTDOSE can refer to it.",
            remedy="Write it as an ROI first (dvhkit target), or leave it out.",
        )
    drawn = [r for r in regions if isinstance(r, RoiRef) and not numbers.structure(r).is_empty]
    from dvhkit.outputs.dicom.rtdose_dvh import write_rtdose

    return write_rtdose(
        out,
        _on_image(numbers) if resampled else case.dose,
        {r.number: numbers.dvh(r) for r in drawn},
        source=case.dose.paths[0],
        structure_set_uid=case.structures.sop_instance_uid,
        bits=bits,
        comment=case.summed.description if case.summed is not None else "",
    )


def _on_image(numbers: CaseNumbers) -> Dose:
    dose, image = numbers.case.dose, numbers.case.image
    assert dose is not None
    if image is None:
        raise InputError("there is no image whose lattice the dose could be put on.", remedy="Name it with --image.")
    values, grid = onto_grid(dose, image.grid)
    return replace(dose, values_gy=values, grid=grid, stored_dvhs=(), sop_instance_uid="")
