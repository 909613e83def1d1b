"""A case: one structure set with the dose, plan and image that belong to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from dvhkit.findings import Finding
from dvhkit.model.dose import Dose
from dvhkit.model.image import ImageSeries
from dvhkit.model.plan import Plan, Prescription
from dvhkit.model.structure import StructureSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that a case was read from; `role` is CT, RTSTRUCT, RTPLAN, RTDOSE, ..."""

    role: str
    path: Path
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SummedDose:
    """What the dose of a case is, where it is the sum of several courses.

    Attributes
    ----------
    description
        In words, such as ``sum in physical dose of plan 1 (25 of 25 fractions) and plan 2 (5 of 5 fractions)``.
    eqd2_alpha_beta_gy
        The alpha/beta of a sum in EQD2; None for one in physical dose.
    fractions, dose_per_fraction_gy
        Of all courses together, where each is given in fractions of one and the same dose; None where they are not, or
        nobody knows.
    """

    description: str
    eqd2_alpha_beta_gy: float | None = None
    fractions: int | None = None
    dose_per_fraction_gy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One (structure set, plan, dose) triple and the image behind it.

    Attributes
    ----------
    label
        How reports call the case: taken from where it lies, never from a patient's name or ID.
    prescriptions
        What percent-of-prescription metrics refer to: the user's own if given, else the plan's.
    fractions
        Number of fractions, from the user or from the plan; None where nobody says.
    findings
        What is odd about the data.
    summed
        What the dose is the sum of; None for the dose of one plan.
    plan_beside
        A plan that lies beside a dose which names another one: none of its values are the case's.
    """

    label: str
    structures: StructureSet
    dose: Dose | None = None
    plan: Plan | None = None
    image: ImageSeries | None = None
    prescriptions: tuple[Prescription, ...] = ()
    fractions: int | None = None
    findings: tuple[Finding, ...] = ()
    sources: tuple[Source, ...] = ()
    summed: SummedDose | None = None
    plan_beside: Plan | None = None

    @property
    def slice_spacing_mm(self) -> float | None:
        """The distance of the image's slices, for structures drawn on one; None where it is not known."""
        return (self.image.grid.plane_spacing_mm or None) if self.image is not None else None

    def __repr__(self) -> str:
        return f"<Case {self.label!r}: {', '.join(self._parts())}>"

    def _repr_html_(self) -> str:
        return f"<b>{escape(self.label)}</b>: {escape(', '.join(self._parts()))}"

    def show(self) -> Any:  # noqa: ANN401 -- `dvhkit.jobs.pictures.show.CaseView`, which the model must not know
        """Return the slice viewer of this case for a notebook: image, contours and dose, offline in one cell."""
        # The one way back from the model to a door: what is typed at a case in a notebook is looked up when it is.
        return import_module("dvhkit.jobs.pictures.show").show_case(self)

    def _parts(self) -> list[str]:
        """Return what the case is made of, in a few words each."""
        dose = "no dose" if self.dose is None else f"dose up to {float(self.dose.values_gy.max(initial=0.0)):.4g} Gy"
        slices = 0 if self.image is None else len(self.image.grid.offsets_mm)
        image = "no image" if self.image is None else f"{self.image.modality} of {slices} slices"
        prescribed = dict.fromkeys(f"{p.dose_gy:g} Gy prescribed" for p in self.prescriptions)
        fractions = [f"{self.fractions} fractions"] if self.fractions else []
        odd = [f"{len(self.findings)} findings"] if self.findings else []
        return [f"{len(self.structures)} structures", dose, image, *prescribed, *fractions, *odd]

    def with_prescription(self, dose_gy: float, *, origin: str = Prescription.BY_USER) -> Case:
        """Return the case with one prescription for every structure, which overrides the plan's."""
        return replace(self, prescriptions=(Prescription(dose_gy=dose_gy, roi_number=None, origin=origin),))
