"""What a rule may ask of a case: an interface, so that verdicts need neither DICOM nor voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dvhkit.metrics.expression import Metric
from dvhkit.model.plan import Prescription
from dvhkit.protocols.regions import Region
from dvhkit.results import MetricResult


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
        The larger of SliceThickness and the largest real distance between neighbouring slices; None if unknown.
    pixel_spacing_mm
        Distance between columns and between rows.
    """

    slice_spacing_mm: float | None
    pixel_spacing_mm: tuple[float, float]


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
