"""A protocol held against a case: one verdict a rule and structure, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.applies import why_not_applicable, why_other_fractionation
from dvhkit.protocols.facts import (
    CaseFacts,
    ContainmentFacts,
    DoseGridFacts,
    ImageFacts,
    MarginFact,
    MarginFacts,
    PlanFacts,
    StructureFact,
)
from dvhkit.protocols.joint import with_joint_rows
from dvhkit.protocols.margins import expected_margin, margin_pairs
from dvhkit.protocols.one_of import best_row
from dvhkit.protocols.plan_words import in_words, judged_words, plan_texts, plan_values
from dvhkit.protocols.properties import dose_value, image_value, prescription_value
from dvhkit.protocols.regions import RoiRef
from dvhkit.protocols.rules import (
    ContainmentCheck,
    DoseCheck,
    MarginCheck,
    PropertyCheck,
    Protocol,
    Rule,
    StructureSelector,
)
from dvhkit.protocols.select import Target, select
from dvhkit.results import RuleResult, Verdict
from dvhkit.units import Unit, number_text

__all__ = ["CaseFacts", "ImageFacts", "MarginFact", "MarginFacts", "StructureFact", "evaluate_protocol"]

# DICOM stores lengths as decimal text: 2.999999 is 3 and 0.9765625 is what it says. 3.04 is not 3.
LENGTH_ATOL_MM = 1e-3


def evaluate_protocol(
    protocol: Protocol,
    facts: CaseFacts,
    context: Mapping[str, object] | None = None,
    *,
    exclude_unverified: bool = False,
) -> tuple[RuleResult, ...]:
    """Return the verdicts of all rules, in the protocol's order.

    Parameters
    ----------
    facts
        The case: computes each number when a rule first asks for it.
    context
        What the clinical context says, by key (`dvhkit.protocols.context.load_context`).
    exclude_unverified
        Leave out rules whose limit was not checked against its source. Otherwise they are measured, but come to
        "not evaluable": nobody should pass or fail a plan on a number that nobody read.

    Notes
    -----
    Never raises for what the case lacks. A rule on several structures or prescriptions gives a row for each. Rules that
    must hold together are followed by a row for all of them.
    """
    judge = _Judge(protocol=protocol, facts=facts, context=context or {})
    rules = (r for r in protocol.rules if not (exclude_unverified and r.is_unverified))
    return with_joint_rows(protocol, [result for rule in rules for result in judge.results(rule)])


# Dose, ROI number and origin of a prescription.
_Stated = tuple[float, int | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    protocol: Protocol
    facts: CaseFacts
    context: Mapping[str, object]

    def results(self, rule: Rule) -> Iterator[RuleResult]:
        """Yield the rule's rows; a rule that cannot be judged, or does not apply, yields one that says why."""
        try:
            why_not = self._why_not(rule)
            if why_not:
                yield _row(rule, verdict=Verdict.NOT_APPLICABLE, reason_code=Reason.NOT_APPLICABLE, reason=why_not)
                return
            yield from self._judged(rule)
        except NotEvaluable as lack:
            yield _row(rule, reason_code=lack.reason, reason=lack.message)

    def _why_not(self, rule: Rule) -> str | None:
        """Return why the rule does not apply; what is known to rule it out counts before what is not known."""
        lack: NotEvaluable | None = None
        try:
            why_not = why_not_applicable(rule, self.context, self.protocol)
        except NotEvaluable as unknown:
            why_not, lack = None, unknown
        if why_not is None:
            why_not = why_other_fractionation(rule.fractionation, self.facts.fractions(), self.facts.prescriptions())
        if why_not is None and lack is not None:
            raise lack
        return why_not

    def _judged(self, rule: Rule) -> Iterator[RuleResult]:
        check = rule.check
        if isinstance(check, DoseCheck):
            targets = select(check.structure, self.protocol, self.facts.structures())
            rows = [self._dose_row(rule, check, target) for target in targets]
            yield from [best_row(rows, check.structure)] if check.structure.need_one else rows
        elif isinstance(check, MarginCheck):
            yield from self._margin_rows(rule, check)
        elif isinstance(check, ContainmentCheck):
            yield from self._containment_rows(rule, check)
        else:
            yield from self._property_rows(rule, check)

    def _property_rows(self, rule: Rule, check: PropertyCheck) -> Iterator[RuleResult]:
        if check.name.startswith("image."):
            value, note = image_value(check.name, self.facts.image())
            yield _decided(rule, value, atol=LENGTH_ATOL_MM, note=note)
        elif check.name.startswith("dose."):
            facts = self.facts
            value, note = dose_value(facts.dose_spacing_mm() if isinstance(facts, DoseGridFacts) else None)
            yield _decided(rule, value, atol=LENGTH_ATOL_MM, note=note)
        elif check.name.startswith("plan."):
            yield from self._plan_rows(rule, check)
        elif check.name.startswith("prescription."):
            yield from self._prescription_rows(rule, check)
        else:
            yield _decided(rule, self._context_number(check))

    def _dose_row(self, rule: Rule, check: DoseCheck, target: Target) -> RuleResult:
        measured = self.facts.metric(target.region, check.metric)
        roi = str(target.region)
        note = "; ".join(part for part in (target.note, measured.note) if part)
        if measured.value is None:
            row = _row(rule, roi=roi, reason_code=measured.reason_code, reason=measured.reason, note=note)
            if not _is_insufficient(check, rule, row.reason_code):
                return row
            if measured.band_open_code is None:
                return replace(row, verdict=Verdict.FAIL)
            reason = f"{row.reason} As the slices are read otherwise, the volume suffices."
            return replace(row, verdict=Verdict.INDETERMINATE, reason=reason)
        open_to = None
        if measured.band_open_code is not None:
            fails = _is_insufficient(check, rule, measured.band_open_code)
            open_to = Verdict.FAIL if fails else Verdict.NOT_EVALUABLE
        return _decided(rule, measured.value, roi=roi, low=measured.low, high=measured.high, note=note, open_to=open_to)

    def _margin_rows(self, rule: Rule, check: MarginCheck) -> Iterator[RuleResult]:
        facts = self.facts
        if not isinstance(facts, MarginFacts):
            raise NotEvaluable("drawn margins are not yet evaluable.", reason=Reason.NOT_IMPLEMENTED)
        for inner, outer in margin_pairs(check, self.protocol, facts.structures()):
            roi = f"{inner} to {outer}"
            fact = facts.margin(inner, outer, expected_margin(rule.goal, check.direction))
            if fact.verdict is Verdict.FAIL and rule.variation is not None:
                allowed = facts.margin(inner, outer, expected_margin(rule.variation, check.direction))
                if allowed.verdict is Verdict.PASS:
                    fact = replace(fact, verdict=Verdict.VARIATION)
            yield _hold_back(_margin_row(rule, roi, fact), rule)

    def _containment_rows(self, rule: Rule, check: ContainmentCheck) -> Iterator[RuleResult]:
        """Yield a row for each target; a failure names the pair and the place."""
        facts = self.facts.containment(check.between) if isinstance(self.facts, ContainmentFacts) else None
        if facts is None:
            raise NotEvaluable("how targets lie in each other is not yet evaluable.", reason=Reason.NOT_IMPLEMENTED)
        if not facts:
            kind = "target" if check.between is None else check.between[0]
            raise NotEvaluable(f"no {kind} is drawn.", reason=Reason.NO_STRUCTURE)
        for fact in facts:
            if fact.outside_cc is None:
                yield _row(rule, roi=fact.roi, reason_code=fact.reason_code, reason=fact.reason, note=fact.note)
                continue
            row = _decided(rule, fact.outside_cc, roi=fact.roi, note=fact.note)
            if row.verdict in (Verdict.FAIL, Verdict.VARIATION):
                inner, _, outer = fact.roi.partition(" in ")
                said = f"{number_text(fact.outside_cc, digits=3)} cc of {inner} lie outside {outer}, {fact.place}."
                row = replace(row, reason=said)
            yield row

    def _plan_rows(self, rule: Rule, check: PropertyCheck) -> Iterator[RuleResult]:
        plan = self.facts.plan() if isinstance(self.facts, PlanFacts) else None
        if not check.is_text:
            for value, note in plan_values(check.name, plan):
                yield _decided(rule, value, note=note)
            return
        found = plan_texts(check.name, plan)
        verdict, reason = judged_words(found, rule.goal, rule.variation)
        code = Reason.NO_PLAN if verdict is Verdict.NOT_EVALUABLE else None
        yield _hold_back(
            _row(rule, verdict=verdict, reason_code=code, reason=reason, note=f"the plan: {in_words(found)}"), rule
        )

    def _prescription_rows(self, rule: Rule, check: PropertyCheck) -> Iterator[RuleResult]:
        """Yield a row for each prescription: every lesion is to get its dose."""
        usable = [p for p in self.facts.prescriptions() if math.isfinite(p.dose_gy) and p.dose_gy > 0]
        prescriptions = tuple(dict.fromkeys((p.dose_gy, p.roi_number, p.origin) for p in usable))
        if check.target is not None:
            prescriptions = self._of_target(check.target, prescriptions)
        if not prescriptions and check.name != "prescription.fractions":
            raise NotEvaluable("the plan states no prescription; say it yourself.", reason=Reason.NO_PRESCRIPTION)
        fractions = self.facts.fractions()
        if check.name == "prescription.fractions":
            yield _decided(rule, prescription_value(check.name, 0.0, fractions))
            return
        names = {s.number: s.name for s in self.facts.structures()}
        for dose_gy, roi_number, origin in prescriptions:
            roi = "" if roi_number is None else names.get(roi_number, f"#{roi_number}")
            in_fractions = "" if fractions is None else f" in {fractions} fractions"
            note = f"{number_text(dose_gy, digits=8)} Gy{in_fractions} ({origin})"
            yield _decided(rule, prescription_value(check.name, dose_gy, fractions), roi=roi, note=note)

    def _of_target(self, target: StructureSelector, stated: tuple[_Stated, ...]) -> tuple[_Stated, ...]:
        """Return the prescriptions to `target`; raises `NotEvaluable` where none is tied to it."""
        regions = [found.region for found in select(target, self.protocol, self.facts.structures())]
        numbers = {region.number for region in regions if isinstance(region, RoiRef)}
        own = tuple(one for one in stated if one[1] in numbers)
        if not own:
            raise NotEvaluable(f"no prescription is stated to {target}.", reason=Reason.NO_PRESCRIPTION)
        return own

    def _context_number(self, check: PropertyCheck) -> float:
        key = check.name.removeprefix("context.")
        stated = self.context.get(key)
        if isinstance(stated, bool) or not isinstance(stated, int | float) or not math.isfinite(stated):
            meaning = next((k.meaning for k in self.protocol.context if k.name == key), "")
            raise NotEvaluable(
                f"the clinical context does not state {key} as a number ({meaning.rstrip('.')}).",
                reason=Reason.NO_CONTEXT,
            )
        return float(stated)


def _is_insufficient(check: DoseCheck, rule: Rule, reason_code: str | None) -> bool:
    """Whether a volume was to be spared that the structure does not even have: that is a failure, no lack of data.

    So a liver of 690 cc fails `DC700cc[Gy] <= 15`: 700 cc of it cannot stay below any dose.
    """
    at = check.metric.at
    asks_to_spare = check.metric.kind == "DC" and at is not None and at.unit is Unit.CC and rule.goal.is_upper
    return asks_to_spare and reason_code == Reason.VOLUME_TOO_SMALL


def _decided(
    rule: Rule,
    value: float,
    *,
    roi: str | None = None,
    low: float | None = None,
    high: float | None = None,
    atol: float = 0.0,
    note: str = "",
    open_to: Verdict | None = None,
) -> RuleResult:
    """Return the row of a rule whose value is known; `open_to` is what a reading without a value comes to."""
    row = replace(_row(rule, roi=roi, note=note), value=value, low=low, high=high, margin=rule.goal.margin(value))
    row = replace(row, margin_pct=rule.goal.margin_pct(value), score=rule.score(value) if rule.score else None)
    verdict = _verdict(rule, value, atol)
    reached = {_verdict(rule, other, atol).value for other in _band_values(rule, low, high)}
    reached |= {open_to.value} if open_to is not None else set()
    others = sorted(reached - {verdict.value})
    if others:
        reason = f"the value alone would be a {verdict.value}, but its band reaches {' and '.join(others)}."
        return _hold_back(replace(row, verdict=Verdict.INDETERMINATE, reason=reason), rule)
    return _hold_back(replace(row, verdict=verdict), rule)


def _band_values(rule: Rule, low: float | None, high: float | None) -> list[float]:
    """Return the values of a band that the verdict may turn on: its ends, and every limit that lies inside.

    The ends alone do not do: a range such as 2..5 mm fails on both sides, and a band round it all holds passes, too.
    """
    ends = [edge for edge in (low, high) if edge is not None]
    limits = [rule.goal] if rule.variation is None else [rule.goal, rule.variation]
    bounds = [bound for limit in limits for bound in (limit.low, limit.high) if bound is not None]
    if low is None or high is None:
        return ends
    # Just at a bound both sides of it are within the band, and a value at a non-strict bound is good: for a range this
    # is the point that the ends may miss. One-sided limits are told by the ends alone.
    inside = [bound for bound in bounds if low < bound < high and any(limit.is_range for limit in limits)]
    return [*ends, *inside]


def _hold_back(row: RuleResult, rule: Rule) -> RuleResult:
    """Return the row without its verdict if nobody has checked the limit: value and margin stay."""
    if not rule.is_unverified or row.verdict is Verdict.NOT_EVALUABLE:
        return row
    return replace(
        row,
        score=None,
        verdict=Verdict.NOT_EVALUABLE,
        reason_code=Reason.UNVERIFIED.value,
        reason=f"the limit was not checked against its source (status {rule.weakest_status}); "
        f"if it were right, this would be a {row.verdict.value}.",
    )


def _margin_row(rule: Rule, roi: str, fact: MarginFact) -> RuleResult:
    """Return the row of a drawn margin, whose verdict is that of the margin check: it knows what slices can show."""
    return replace(
        _row(rule, roi=roi, reason_code=fact.reason_code, reason=fact.reason, note=fact.note),
        verdict=fact.verdict,
        value=fact.value_mm,
        low=fact.low_mm,
        high=fact.high_mm,
        margin=None if fact.value_mm is None else rule.goal.margin(fact.value_mm),
        margin_pct=None if fact.value_mm is None else rule.goal.margin_pct(fact.value_mm),
    )


def _verdict(rule: Rule, value: float, atol: float) -> Verdict:
    if rule.goal.is_met(value, atol=atol):
        return Verdict.PASS
    if rule.variation is not None and rule.variation.is_met(value, atol=atol):
        return Verdict.VARIATION
    return Verdict.FAIL


def _row(
    rule: Rule,
    *,
    roi: str | None = None,
    verdict: Verdict = Verdict.NOT_EVALUABLE,
    reason_code: str | None = None,
    reason: str | None = None,
    note: str = "",
) -> RuleResult:
    """Return the row of a rule without a value."""
    structure = rule.structure
    return RuleResult(
        rule_id=rule.id,
        title=rule.title,
        roi=roi if roi is not None else str(structure or ""),
        quantity=rule.quantity,
        goal=str(rule.goal),
        variation=str(rule.variation) if rule.variation else "",
        value=None,
        unit=rule.goal.unit.value,
        verdict=verdict,
        reason_code=None if reason_code is None else str(reason_code),
        reason=reason,
        source=rule.source,
        status=rule.weakest_status,
        priority=rule.priority,
        note="; ".join(part for part in (note, rule.note) if part),
        score_max=rule.score.most if rule.score is not None else None,
        group=rule.group,
    )
