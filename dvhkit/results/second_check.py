"""The second check of a planning system's DVHs, as it comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SECOND_CHECK_SCHEMA = "dvhkit/second-check/1"


class Agreement(StrEnum):
    """How a planning system's curve stands beside ours."""

    AGREES = "agrees"
    EXPLAINED = "explained"
    NOT_EXPLAINED = "not explained"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPair:
    """One number of both; None where one has none."""

    metric: str
    unit: str
    theirs: float | None
    ours: float | None
    under_reading: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiCheck:
    """One curve of a planning system beside ours.

    Attributes
    ----------
    explained_by
        The conventions that bring ours to theirs, in the words of docs/second-check.md. Beside ``agrees``: what the
        curve tells of itself although nothing needed explaining.
    worst_pct
        Greatest distance between the curves, in percent of the volume and of the greatest dose alike; None where
        nothing was compared.
    left_pct
        The same with the conventions of `explained_by`.
    reason
        In words: where the difference lies, or why nothing was compared.
    metrics
        Both sides' numbers, with ours under the conventions that explain.
    source
        Where the curve was read: a file's name, and for text the line.
    doubt
        Why the planning system's curve may not be whole; empty where nothing speaks for that.
    """

    roi: str
    verdict: Agreement
    explained_by: tuple[str, ...] = ()
    worst_pct: float | None = None
    left_pct: float | None = None
    reason: str = ""
    metrics: tuple[MetricPair, ...] = ()
    source: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondCheck:
    """All curves of a case."""

    case: str
    rois: tuple[RoiCheck, ...]

    @property
    def all_clear(self) -> bool:
        """Whether something was compared, and nothing stayed unexplained."""
        compared = [roi for roi in self.rois if roi.verdict is not Agreement.NOT_COMPARED]
        return bool(compared) and all(roi.verdict is not Agreement.NOT_EXPLAINED for roi in compared)
