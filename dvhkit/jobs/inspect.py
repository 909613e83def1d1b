"""What lies in a folder, and what a DVH of it would tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.readers.case import inventory

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.readers.archive.index import Progress
    from dvhkit.results.inventory import Inventory


def inspect_folder(
    path: Path | str,
    *,
    read: bool | None = None,
    progress: Progress | None = None,
    case_progress: Progress | None = None,
) -> Inventory:
    """Return what lies at or under `path`, with what is odd about it.

    Parameters
    ----------
    read
        Read every case and compute the DVH of each structure, so that all is told that `dvhkit dvh` would find. None:
        if there is one case, which takes seconds; an archive would take hours.
    """
    if read is None:
        found = inventory(path, progress=progress)
        if len(found.triples) != 1 or found.triples[0].problem:
            return found
    deepen = _with_findings_of_dvhs if read or read is None else None
    return inventory(path, read=deepen is not None, deepen=deepen, progress=progress, case_progress=case_progress)


def _with_findings_of_dvhs(case: Case) -> Case:
    numbers = CaseNumbers(case)
    numbers.prepare(numbers.every_roi())
    return replace(case, findings=numbers.findings())
