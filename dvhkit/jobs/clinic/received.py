"""Whether what was received so far is a whole plan set."""

from __future__ import annotations

from pathlib import Path

from dvhkit.errors import DvhkitError


def is_complete(folder: Path) -> bool:
    """Whether every case under a folder has structures, a plan and a dose, and all slices that it refers to.

    A plan set without any of these may be meant, too; nobody can tell it from one that is still on its way.
    """
    from dvhkit.jobs.read import read_files
    from dvhkit.readers.linking.choose import find_cases

    try:
        cases = find_cases(folder)
        if not cases or any(c.problem or c.rtstruct is None or c.rtplan is None or not c.rtdose for c in cases):
            return False
        lacking = {"image-slices-missing", "plan-absent", "no-image", "image-linked-by-frame", "doses-summed"}
        return all(not lacking & {f.code for f in read_files(c).findings} for c in cases)
    except DvhkitError:
        return False
