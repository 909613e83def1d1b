"""What a rule may ask of a case: an interface, so that verdicts need neither DICOM nor voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dvhkit.findings import Finding
from dvhkit.metrics.expression import Metric
from dvhkit.model.case import SummedDose
from dvhkit.model.plan import Plan, Prescription
from dvhkit.protocols.naming.regions import Region
from dvhkit.results.audit import MetricResult, Verdict
from dvhkit.targets.regions.expression import RoiRef


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFact:
    """A structure as rules see it."""

    name: str
    number: int
    rt_roi_type: str = ""
    is_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """The planning image.

    Attributes
    ----------
    slice_spacing_mm
        The larger of SliceThickness and the largest real distance between neighbouring slices; None if that distance
        is not known, as with one slice.
    pixel_spacing_mm
        Distance between columns and between rows.
    """

    slice_spacing_mm: float | None
    pixel_spacing_mm: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginFact:
    """What margin was drawn between two structures, held against what was expected.

    Attributes
    ----------
    value_mm, low_mm, high_mm
        The drawn margin that is nearest to breaking the expectation, or breaks it most, and its band; None where
        there is none.
    verdict
        PASS, FAIL, INDETERMINATE (the slices leave it open) or NOT_EVALUABLE.
    reason_code, reason
        Why it could not be measured, or what falls short and where, in words.
    note
        What was found, such as ``5 mm all round, cut by Body - 3 mm``.
    """

    verdict: Verdict
    value_mm: float | None = None
    low_mm: float | None = None
    high_mm: float | None = None
    reason_code: str | None = None
    reason: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFact:
    """The structure that was drawn round another, and how the two were found to belong together.

    Attributes
    ----------
    outer
        None where no structure could be it.
    rivals
        Names of other structures that could be the outer one as well.
    """

    inner: RoiRef
    outer: RoiRef | None
    how: str
    rivals: tuple[str, ...] = ()


@runtime_checkable
class MarginFacts(Protocol):
    """A case that can also tell drawn margins; where it cannot, rules on margins are not evaluable."""

    def pairs(self, inners: Sequence[RoiRef], outers: Sequence[RoiRef]) -> tuple[PairFact, ...]:
        """Return which of `outers` was drawn round each of `inners`."""

    def margin(self, inner: RoiRef, outer: RoiRef, expect: str) -> MarginFact:
        """Return the margin from one ROI to another.

        `expect` is what is allowed, in mm: ``2..5`` all round, or ``AP=6..8`` along one axis (AP, LR or CC).
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainmentFact:
    """How much of a target lies outside the structure that was drawn round it.

    Attributes
    ----------
    roi
        The pair, such as ``GTV in CTV``.
    outside_cc
        None where it could not be measured; then `reason_code` and `reason` say why.
    place
        Where most of it lies, and how far out, in words; empty where nothing does.
    note
        How the two were found to belong together.
    """

    roi: str
    outside_cc: float | None = None
    place: str = ""
    reason_code: str | None = None
    reason: str | None = None
    note: str = ""


@runtime_checkable
class ContainmentFacts(Protocol):
    """A case that can also tell how targets lie in each other; where it cannot, rules on that are not evaluable."""

    def containment(self, between: tuple[str, str] | None) -> tuple[ContainmentFact, ...]:
        """Return a fact for each target; `between` is the kinds of inner and outer, None for all of the chain."""


@runtime_checkable
class DoseGridFacts(Protocol):
    """A case that can also tell its dose grid; where it cannot, rules on that are not evaluable."""

    def dose_spacing_mm(self) -> tuple[float, float, float] | None:
        """Return the distances between dose columns, rows and planes; None without a dose, or with one plane."""


@runtime_checkable
class PlanFacts(Protocol):
    """A case that can also tell how it is delivered; where it cannot, rules on that are not evaluable."""

    def plan(self) -> Plan | None:
        """Return the plan; None if there is none."""


@runtime_checkable
class SumFacts(Protocol):
    """A case that can also tell whether its dose is the sum of several courses."""

    def summed(self) -> SummedDose | None:
        """Return what the dose is the sum of; None for the dose of one plan."""


@runtime_checkable
class DoseKindFacts(Protocol):
    """A case that can also tell whether its Gy are those that limits are stated in."""

    def foreign_dose(self) -> str | None:
        """Return why its dose cannot be held against limits in Gy, such as being a biologically effective one."""


@runtime_checkable
class LinkFacts(Protocol):
    """A case that can also tell whether its files belong together."""

    def withheld_links(self) -> tuple[Finding, ...]:
        """Return the findings after which nothing of the case may be judged."""


@runtime_checkable
class CaseFacts(Protocol):
    """One case."""

    def structures(self) -> tuple[StructureFact, ...]:
        """Return all structures, in stored order."""

    def metric(self, roi: Region, metric: Metric) -> MetricResult:
        """Return `metric` of one ROI or of a combination; a lack of data is a result with a reason, never raised."""

    def image(self) -> ImageFacts | None:
        """Return the image's geometry; None if there is none."""

    def prescriptions(self) -> tuple[Prescription, ...]:
        """Return what is prescribed, the user's own word first."""

    def fractions(self) -> int | None:
        """Return the number of fractions; None if nobody says."""
