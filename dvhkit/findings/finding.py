"""A finding: one odd thing in data that can still be used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters to the numbers that follow."""

    INFO = "info"
    WARNING = "warning"
    SERIOUS = "serious"


class Withholds(StrEnum):
    """Which numbers a serious finding takes out of verdicts: they are shown, marked, and decide nothing."""

    NOTHING = "nothing"
    ROI = "metrics of one ROI"
    DOSE = "all dose metrics"
    VOLUMES = "volumes"
    LINKS = "links"


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
    rois
        Names of the ROIs whose numbers it is about; empty where it is about none, or about the whole case.
    """

    level: Level
    code: str
    message: str
    where: str = ""
    rois: tuple[str, ...] = ()

    @property
    def gist(self) -> str:
        """The first sentence of the message, without its full stop: what a reason or a headline has room for."""
        first = re.split(r"(?<=[^.\d][.?]) (?=[A-Z])", self.message, maxsplit=1)[0]
        return first.removesuffix(".")

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        return f"{self.level.value}: {self.message}{place}"
