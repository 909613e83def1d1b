"""What an object says of its own approval (DICOM PS3.3 C.8.8.16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvhkit.findings import Finding, Level
from dvhkit.readers.files.elements import DataSet, text

if TYPE_CHECKING:
    from pathlib import Path


def rejection(data: DataSet, what: str, path: Path) -> list[Finding]:
    """Return the finding for a plan, structure set or dose that a reviewer rejected; else nothing."""
    if text(data, "ApprovalStatus").strip().upper() != "REJECTED":
        return []
    message = (
        f"The {what} is rejected: ApprovalStatus (300E,0002) is REJECTED. A reviewer found it not fit for treatment. "
        "Take the version that was approved instead, or ask the reviewer."
    )
    return [Finding(level=Level.WARNING, code="approval-rejected", message=message, where=path.name)]
