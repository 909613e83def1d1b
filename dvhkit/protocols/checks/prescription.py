"""The rule on what is prescribed: a verdict for each prescription, since every lesion is to get its dose."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.radiobiology.biology import bed_gy, eqd2_gy
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.checks.properties import PropertyCheck
from dvhkit.protocols.facts import CaseFacts
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.rules import Asked, Built, Protocol, Rule
from dvhkit.protocols.naming.select import select
from dvhkit.protocols.naming.selector import StructureSelector
from dvhkit.protocols.verdict import decided_row
from dvhkit.results.audit import RuleResult
from dvhkit.targets.regions.expression import RoiRef
from dvhkit.units import Unit, number_text
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape

# Dose, ROI number and origin of a prescription.
_Stated = tuple[float, int | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrescriptionCheck(PropertyCheck):
    """Look at a property of the prescriptions, N in bedN and eqd2_N being the alpha/beta in Gy.

    `target` narrows them to those of certain structures; None takes every prescription.
    """

    STRUCTURE = "may"
    PATTERN = r"prescription\.(dose|fractions|dose_per_fraction|(bed|eqd2_)[1-9]\d*(\.\d+)?)"
    NAMES = (
        "prescription.dose",
        "prescription.fractions",
        "prescription.dose_per_fraction",
        "prescription.bed10",
        "prescription.eqd2_10",
    )
    target: StructureSelector | None = None

    @classmethod
    def build(cls, place: Place, model: RuleShape, parts: RuleParts) -> Built | None:
        name = getattr(model, cls.KEY)
        target = parts.structure((*place, "structure"), model.structure)
        if target is None and model.structure is not None:
            return None
        return Built(check=cls(name=name, target=target), unit=cls.unit_of(name))

    @classmethod
    def unit_of(cls, name: str) -> Unit:
        return Unit.NONE if name == "prescription.fractions" else Unit.GY

    def data(self) -> dict[str, Any]:
        return {"property": self.name, "structure": None if self.target is None else self.target.data()}

    def title(self, goal: Limit) -> str:
        of_target = "" if self.target is None else f"{self.target} "
        return f"{of_target}{self.quantity} {goal}"

    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        """Yield a row for each prescription; raises `NotEvaluable` where there is none."""
        facts = asked.facts
        usable = [p for p in facts.prescriptions() if math.isfinite(p.dose_gy) and p.dose_gy > 0]
        prescriptions = tuple(dict.fromkeys((p.dose_gy, p.roi_number, p.origin) for p in usable))
        if self.target is not None:
            prescriptions = _of_target(self.target, prescriptions, asked.protocol, facts)
        if not prescriptions and self.name != "prescription.fractions":
            raise NotEvaluable("the plan states no prescription; say it yourself.", reason=Reason.NO_PRESCRIPTION)
        fractions = facts.fractions()
        if self.name == "prescription.fractions":
            yield decided_row(rule, _value_of(self.name, 0.0, fractions))
            return
        names = {s.number: s.name for s in facts.structures()}
        for dose_gy, roi_number, origin in prescriptions:
            roi = "" if roi_number is None else names.get(roi_number, f"#{roi_number}")
            in_fractions = "" if fractions is None else f" in {fractions} fractions"
            note = f"{number_text(dose_gy, digits=8)} Gy{in_fractions} ({origin})"
            yield decided_row(rule, _value_of(self.name, dose_gy, fractions), roi=roi, note=note)


def _of_target(
    target: StructureSelector, stated: tuple[_Stated, ...], protocol: Protocol, facts: CaseFacts
) -> tuple[_Stated, ...]:
    """Return the prescriptions to `target`; raises `NotEvaluable` where none is tied to it."""
    regions = [found.region for found in select(target, protocol, facts.structures())]
    numbers = {region.number for region in regions if isinstance(region, RoiRef)}
    own = tuple(one for one in stated if one[1] in numbers)
    if not own:
        raise NotEvaluable(f"no prescription is stated to {target}.", reason=Reason.NO_PRESCRIPTION)
    return own


def _value_of(name: str, dose_gy: float, fractions: int | None) -> float:
    """Return a property of one prescription: Gy, or the number of fractions.

    ``bedN`` and ``eqd2_N`` are by the linear-quadratic model with an alpha/beta of N Gy. Raises `NotEvaluable` where
    the number of fractions is needed and not known.
    """
    what = name.removeprefix("prescription.")
    if what == "dose":
        return dose_gy
    if fractions is None or fractions < 1:
        raise NotEvaluable("nobody states the number of fractions.", reason=Reason.NO_FRACTIONS)
    if what == "fractions":
        return float(fractions)
    if what == "dose_per_fraction":
        return dose_gy / fractions
    if what.startswith("eqd2_"):
        alpha_beta_gy = float(what.removeprefix("eqd2_"))
        return eqd2_gy(dose_gy, fractions, alpha_beta_gy)
    return bed_gy(dose_gy, fractions, float(what.removeprefix("bed")))
