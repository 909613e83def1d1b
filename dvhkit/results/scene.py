"""What a page shows of the patient: image, dose, contours, and the places that rules point to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dvhkit.model.dose import Dose
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure

if TYPE_CHECKING:
    from dvhkit.results.audit import RuleResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """The place that decides a rule.

    Attributes
    ----------
    rule
        Index of the rule in the record's `rules`.
    roi, quantity, kind
        The structure (empty for a rule on the image), what was measured, and what the place is, such as
        ``hottest place``, ``coldest drawn place`` (on a contour: the cap beyond the last one may be colder yet),
        ``worst place`` or ``middle``.
    point_mm
        Patient coordinates (LPS) of the hottest or coldest place of the structure, at a dose voxel's centre inside it
        or on a drawn contour; of the place that the rule's reason tells; or of a middle.
    dose_gy
        Dose there, trilinear between voxel centres; None where there is none.
    """

    rule: int
    roi: str
    quantity: str
    kind: str
    point_mm: tuple[float, float, float]
    dose_gy: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One patient, ready to be drawn.

    Attributes
    ----------
    grid
        Grid of the image, else that of the dose, else one made around the contours: the planes that are scrolled.
    values : (n_planes, n_rows, n_columns)
        Rescaled pixel values of the image (HU for CT) on `grid`; None where there is no image.
    modality, value_unit
        Such as ``CT`` and ``HU``; empty without an image.
    dose
        The dose, on its own grid; None where there is none, or it shares no frame with the contours.
    structures
        Everything with a contour, derived regions that rules were judged on after the drawn ones.
    spots
        The places that decide the rules that are not met.
    levels_gy
        Isodoses worth a line, descending, by prescription where there is one.
    prescription_gy
        The highest prescribed dose; None where none is stated.
    remarks
        What cannot be shown, and why, in sentences.
    dose_b
        The dose of a second plan, to be compared.
    """

    grid: Grid
    values: NDArray[Any] | None
    modality: str
    value_unit: str
    dose: Dose | None
    structures: tuple[Structure, ...]
    spots: tuple[Spot, ...] = ()
    levels_gy: tuple[float, ...] = ()
    prescription_gy: float | None = None
    remarks: tuple[str, ...] = ()
    dose_b: Dose | None = None
    label_a: str = ""
    label_b: str = ""


def deciding_end(rule: RuleResult) -> str:
    """Return which end of the dose a rule's limit guards: ``hottest`` for an upper one, ``coldest`` for a lower."""
    is_upper = rule.goal.strip().startswith("<")
    # A complement counts what stays below the dose: its lower limit keeps the dose down.
    return "hottest" if is_upper != rule.quantity.startswith("CV") else "coldest"
