"""What is odd about the data: a finding travels with the case into every report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters to the numbers that follow."""

    INFO = "info"
    WARNING = "warning"
    SERIOUS = "serious"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One odd thing in data that can still be used.

    Attributes
    ----------
    level
        INFO: worth knowing. WARNING: a number may be affected. SERIOUS: do not rely on the number unseen.
    code
        Stable kebab-case identifier such as ``no-image``; documented in docs/findings.md.
    message
        What was found, in plain language, with numbers and units, and what the user can do.
    where
        The file name, ROI or tag concerned; never a patient's name or ID.
    """

    level: Level
    code: str
    message: str
    where: str = ""

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        return f"{self.level.value}: {self.message}{place}"
