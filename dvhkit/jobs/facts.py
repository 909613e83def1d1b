"""What a case states, as protocols see it: structures, image, plan, prescriptions, what kind of dose it is."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from dvhkit.errors import Reason
from dvhkit.model.plan import Plan, Prescription
from dvhkit.protocols.facts import ContainmentFact, ImageFacts, StructureFact

if TYPE_CHECKING:
    from dvhkit.model.case import Case, SummedDose
    from dvhkit.targets.achieved.containment import Containment
    from dvhkit.targets.regions.pairing import TargetPair


class StatedFacts:
    """The part of `dvhkit.protocols.facts.CaseFacts` that needs no calculation.

    Parameters
    ----------
    case
        The case, as `dvhkit.read_case` returns it.
    accept_effective
        Whether limits are meant in the dose although it is a biologically effective one (`foreign_dose`).
    """

    def __init__(self, case: Case, *, accept_effective: bool = False) -> None:
        self.case = case
        self.accept_effective = accept_effective

    def structures(self) -> tuple[StructureFact, ...]:
        """Return what rules select structures by."""
        return tuple(
            StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type, is_empty=s.is_empty)
            for s in self.case.structures
        )

    def image(self) -> ImageFacts | None:
        """Return what rules on imaging look at; None if the case has no image.

        A lone slice tells no distance between slices: its SliceThickness need not be that.
        """
        image = self.case.image
        if image is None:
            return None
        gap_mm = image.largest_gap_mm
        spacing_mm = max(gap_mm, image.slice_thickness_mm or 0.0) if gap_mm > 0 else 0.0
        columns_mm, rows_mm = (float(s) for s in image.grid.spacing_mm)
        return ImageFacts(slice_spacing_mm=spacing_mm or None, pixel_spacing_mm=(columns_mm, rows_mm))

    def dose_spacing_mm(self) -> tuple[float, float, float] | None:
        """Return the distances between dose columns, rows and planes (the widest); None if they are not known."""
        grid = self.case.dose.grid if self.case.dose is not None else None
        if grid is None or len(grid.offsets_mm) < 2:
            return None
        columns_mm, rows_mm = (float(s) for s in grid.spacing_mm)
        gaps_mm = [float(b - a) for a, b in pairwise(grid.offsets_mm)]
        return columns_mm, rows_mm, max(gaps_mm)

    def plan(self) -> Plan | None:
        """Return the plan that rules on delivery look at; None if there is none."""
        return self.case.plan

    def prescriptions(self) -> tuple[Prescription, ...]:
        """Return the prescriptions that percent doses and rules on dose refer to."""
        return self.case.prescriptions

    def fractions(self) -> int | None:
        """Return the number of fractions, if anybody stated it."""
        return self.case.fractions

    def foreign_dose(self) -> str | None:
        """Return why the dose cannot be held against limits in Gy; None where it can.

        A biologically effective dose (DoseType EFFECTIVE) of an ion plan is weighted by RBE, and limits are meant in
        it. Of photons nobody says what it is; whoever knows vouches for it with `accept_effective`.
        """
        from dvhkit.model.dose import DoseType

        dose, plan, summed = self.case.dose, self.case.plan, self.case.summed
        own_sum = summed is not None and summed.eqd2_alpha_beta_gy is not None
        if dose is None or dose.dose_type is not DoseType.EFFECTIVE or own_sum or self.accept_effective:
            return None
        if plan is not None and plan.is_ion:
            return None
        return (
            "the dose is biologically effective dose (DoseType EFFECTIVE), and limits are in physical dose; "
            "where they are meant in this one, say so: --accept-effective."
        )

    def summed(self) -> SummedDose | None:
        """Return what the dose is the sum of; None for the dose of one plan."""
        return self.case.summed


def containment_fact(pair: TargetPair, held: Containment | None) -> ContainmentFact:
    """Return a link between targets as rules see it; which structures belong together is not guessed."""
    if pair.rivals:
        names = ([pair.outer.name] if pair.outer is not None else []) + list(pair.rivals)
        reason = f"it is not plain which of {', '.join(names)} was drawn round {pair.inner.name}; name them alike."
        return ContainmentFact(roi=pair.inner.name, reason_code=Reason.AMBIGUOUS_STRUCTURE.value, reason=reason)
    if pair.outer is None:
        return ContainmentFact(roi=pair.inner.name, reason_code=Reason.NO_STRUCTURE.value, reason=f"{pair.how}.")
    roi = f"{pair.inner.name} in {pair.outer.name}"
    if held is None:
        reason = f"the contours of {pair.inner.name} or {pair.outer.name} enclose no volume; look at them."
        return ContainmentFact(roi=roi, reason_code=Reason.NO_VOLUME.value, reason=reason)
    if held.is_kept:
        found = (
            f"{held.outside_cc:.3g} cc, up to {held.worst_mm:.2g} mm deep, is the rounding of contours that coincide"
        )
        note = pair.how if held.outside_cc == 0 else f"{pair.how}; {found}"
        return ContainmentFact(roi=roi, outside_cc=0.0, note=note)
    place = "" if held.place is None else f" at z = {held.place.slice_mm:.1f} mm, {held.place.direction}"
    where = f"up to {held.worst_mm:.1f} mm{place}"
    return ContainmentFact(roi=roi, outside_cc=held.outside_cc, place=where, note=pair.how)
