"""The rule on the geometry of the planning image and of the dose grid: distances between slices, pixels, voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.findings import Level
from dvhkit.protocols.checks.properties import PropertyCheck
from dvhkit.protocols.facts import DoseGridFacts, ImageFacts
from dvhkit.protocols.files.rules import Asked, Rule, Slip
from dvhkit.protocols.verdict import LENGTH_ATOL_MM, decided_row
from dvhkit.results.audit import RuleResult
from dvhkit.units import Unit, number_text


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCheck(PropertyCheck):
    """Look at a distance between slices or pixels of the image, or between voxels of the dose."""

    PATTERN = r"image\.(slice_spacing|pixel_spacing)|dose\.grid_spacing"
    NAMES = ("image.slice_spacing", "image.pixel_spacing", "dose.grid_spacing")

    @classmethod
    def unit_of(cls, name: str) -> Unit:
        return Unit.MM

    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        if self.name.startswith("dose."):
            facts = asked.facts
            value, note = _dose_value(facts.dose_spacing_mm() if isinstance(facts, DoseGridFacts) else None)
        else:
            value, note = _image_value(self.name, asked.facts.image())
        yield decided_row(rule, value, atol=LENGTH_ATOL_MM, note=note)

    def lint(self, rule: Rule) -> Iterator[Slip]:
        for bound in rule.bounds:
            if self.name.startswith("image.") and not 0.1 <= bound <= 10:
                said = f"{number_text(bound)} mm is no spacing of a planning image; is it in cm?"
                yield Level.WARNING, "unit-slip", said


def _image_value(name: str, image: ImageFacts | None) -> tuple[float, str]:
    """Return a length of the planning image in mm, and a note.

    ``image.slice_spacing`` is the larger of slice thickness and real distance between slices; ``image.pixel_spacing``
    the larger of the two distances between pixels. Raises `NotEvaluable` without an image.
    """
    if image is None:
        raise NotEvaluable("there is no planning image beside the structures.", reason=Reason.NO_IMAGE)
    if name == "image.slice_spacing":
        if image.slice_spacing_mm is None:
            raise NotEvaluable(
                "only one image slice is at hand, so the distance between slices is not known; "
                "its SliceThickness alone does not tell it.",
                reason=Reason.NO_IMAGE,
            )
        return image.slice_spacing_mm, ""
    columns_mm, rows_mm = image.pixel_spacing_mm
    return max(columns_mm, rows_mm), f"{columns_mm:.5g} x {rows_mm:.5g} mm"


def _dose_value(spacing_mm: tuple[float, float, float] | None) -> tuple[float, str]:
    """Return ``dose.grid_spacing``: the largest distance between neighbouring dose voxels in mm, and a note."""
    if spacing_mm is None:
        raise NotEvaluable("there is no dose grid whose spacing is known.", reason=Reason.NO_DOSE)
    return max(spacing_mm), " x ".join(f"{side:.5g}" for side in spacing_mm) + " mm"
