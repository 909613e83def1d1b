"""The rule on the plan: technique, machine and approval as words, energy and number of beams as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.plan import Beam, Plan
from dvhkit.protocols.checks.limits import Limit, parse_words
from dvhkit.protocols.checks.properties import PropertyCheck
from dvhkit.protocols.facts import PlanFacts
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.rules import Asked, Built, Rule
from dvhkit.protocols.verdict import decided_row, hold_back, plain_row
from dvhkit.results.audit import RuleResult, Verdict
from dvhkit.units import number_text
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape

VMAT, IMRT, STATIC, ARC, SCANNING, BROAD = "VMAT", "IMRT", "static", "arc", "ion scanning", "ion broad beam"
TECHNIQUES = (VMAT, IMRT, STATIC, ARC, SCANNING, BROAD)
# The words that a text property can be; a machine has any name.
WORDS = {"plan.technique": TECHNIQUES, "plan.approval": ("APPROVED", "UNAPPROVED", "REJECTED")}

# Each thing that was looked at may be one word, or either of several where the plan does not tell them apart.
Found = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCheck(PropertyCheck):
    """Look at how the plan is delivered."""

    PATTERN = r"plan\.(technique|energy|machine|beam_count|approval)"
    NAMES = ("plan.technique", "plan.energy", "plan.machine", "plan.beam_count", "plan.approval")

    @property
    def is_text(self) -> bool:
        """Whether it is a text, which must be one of certain words."""
        return self.name in ("plan.technique", "plan.machine", "plan.approval")

    @classmethod
    def limits(
        cls, place: Place, model: RuleShape, parts: RuleParts, built: Built
    ) -> tuple[Limit, Limit | None] | None:
        """Return goal and variation, of words where the property is a text."""
        name, problems = built.check.quantity, parts.problems
        if not cls(name=name).is_text:
            return parts.limits(place, model, unit=built.unit, bare_ok=True)
        if model.score is not None:
            problems.add((*place, "score"), f"{name} is a text, and points are for numbers")
        goal = problems.attempt((*place, "goal"), lambda: parse_words(model.goal))
        known = WORDS.get(name, ())
        for word in goal.words if goal is not None and known else ():
            if word.casefold() not in {k.casefold() for k in known}:
                problems.add((*place, "goal"), f"{name} is never {word!r}; it is one of {', '.join(known)}")
        text = model.variation
        if goal is None or text is None:
            return None if goal is None else (goal, None)
        return goal, problems.attempt((*place, "variation"), lambda: parse_words(text))

    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        plan = asked.facts.plan() if isinstance(asked.facts, PlanFacts) else None
        if not self.is_text:
            for value, note in plan_values(self.name, plan):
                yield decided_row(rule, value, note=note)
            return
        found = plan_texts(self.name, plan)
        verdict, reason = judged_words(found, rule.goal, rule.variation)
        code = Reason.NO_PLAN if verdict is Verdict.NOT_EVALUABLE else None
        note = f"the plan: {in_words(found)}"
        yield hold_back(plain_row(rule, verdict=verdict, reason_code=code, reason=reason, note=note), rule)


def technique_of(beam: Beam) -> tuple[str, ...]:
    """Return what the technique of a beam may be; nothing where the plan does not say enough.

    With leaves that move it is VMAT while the gantry turns and IMRT while it stands; with leaves that stay, an arc or
    static. Where no leaf positions are stored, a DYNAMIC beam may be either. An arc whose leaves follow the target's
    outline (dynamic conformal) counts as VMAT: nothing in the plan says what its leaves are meant for.
    """
    if beam.scan_mode:
        modes = {"MODULATED": SCANNING, "MODULATED_SPEC": SCANNING, "UNIFORM": BROAD, "NONE": BROAD}
        return tuple(word for mode, word in modes.items() if mode == beam.scan_mode)
    if beam.gantry_rotation not in ("CW", "CC", "NONE"):
        return ()
    modulated, plain = (VMAT, ARC) if beam.gantry_rotation != "NONE" else (IMRT, STATIC)
    if beam.leaves_move is not None:
        return (modulated,) if beam.leaves_move else (plain,)
    if beam.beam_type == "DYNAMIC":
        return modulated, plain
    return (plain,) if beam.beam_type == "STATIC" else ()


def plan_texts(name: str, plan: Plan | None) -> Found:
    """Return what a text property of the plan is, each once; raises `NotEvaluable` where the plan does not say."""
    if name == "plan.approval":
        status = _there(plan).approval_status
        if not status:
            raise NotEvaluable("the plan states no approval status.", reason=Reason.NO_PLAN)
        return ((status,),)
    beams = _treatment_beams(plan)
    if name == "plan.machine":
        nameless = [b.number for b in beams if not b.machine.strip()]
        if nameless:
            raise NotEvaluable(f"the plan names no machine for beam {_listed(nameless)}.", reason=Reason.NO_PLAN)
        return tuple(dict.fromkeys((b.machine.strip(),) for b in beams))
    if _there(plan).is_ion:
        unknown = [b.number for b in beams if not (b.scan_mode and technique_of(b))]
        lacking = "a known scan mode"
    else:
        unknown = [b.number for b in beams if not technique_of(b)]
        lacking = "beam type and rotation of the gantry"
    if unknown:
        message = f"the plan does not state {lacking} for beam {_listed(unknown)}, so its technique is not known."
        raise NotEvaluable(message, reason=Reason.NO_PLAN)
    return tuple(dict.fromkeys(technique_of(b) for b in beams))


def plan_values(name: str, plan: Plan | None) -> list[tuple[float, str]]:
    """Return a number of the plan, or each where there are several, with a note; raises `NotEvaluable`.

    Energies are nominal, in MV for photons and in MeV (ions: MeV per nucleon) for others, as the plan states them.
    """
    beams = _treatment_beams(plan)
    if name == "plan.beam_count":
        return [(float(len(beams)), "set-up beams not counted")]
    lacking = [b.number for b in beams if not b.nominal_energies]
    if lacking:
        raise NotEvaluable(f"the plan states no energy for beam {_listed(lacking)}.", reason=Reason.NO_PLAN)
    by_energy: dict[tuple[float, str], list[int]] = {}
    for beam in beams:
        for energy in beam.nominal_energies:
            by_energy.setdefault((energy, beam.radiation_type), []).append(beam.number)
    return [
        (energy, f"{radiation.lower() or 'radiation not stated'}, beam {_listed(numbers)}")
        for (energy, radiation), numbers in sorted(by_energy.items())
    ]


def judged_words(found: Found, goal: Limit, variation: Limit | None) -> tuple[Verdict, str | None]:
    """Return the verdict on words, and why; what may be either of two is a pass only if both are allowed."""
    for limit, verdict in ((goal, Verdict.PASS), (variation, Verdict.VARIATION)):
        if limit is not None and all(_allowed(word, limit) for words in found for word in words):
            return verdict, None
    widest = [limit for limit in (goal, variation) if limit is not None]
    outside = [ws for ws in found if not any(_allowed(w, limit) for w in ws for limit in widest)]
    if outside:
        return Verdict.FAIL, f"the plan has {in_words(tuple(outside))}."
    open_ones = tuple(words for words in found if len(words) > 1)
    if not open_ones:
        return Verdict.FAIL, f"the plan has {in_words(found)}, which are not allowed together."
    return Verdict.NOT_EVALUABLE, f"the plan has {in_words(open_ones)}: it stores no leaf positions that would tell."


def in_words(found: Found) -> str:
    """Return ``VMAT and static``, ``VMAT or arc``."""
    return " and ".join(" or ".join(words) for words in found)


def _allowed(word: str, limit: Limit) -> bool:
    return word.casefold() in {allowed.casefold() for allowed in limit.words}


def _there(plan: Plan | None) -> Plan:
    if plan is None:
        raise NotEvaluable("there is no plan beside the structures.", reason=Reason.NO_PLAN)
    return plan


def _treatment_beams(plan: Plan | None) -> tuple[Beam, ...]:
    """Return the beams that treat; those for set-up, images and measurements do not."""
    beams = tuple(b for b in _there(plan).beams if b.delivery_type in ("", "TREATMENT", "CONTINUATION"))
    if not beams:
        raise NotEvaluable("the plan has no beams that treat.", reason=Reason.NO_PLAN)
    return beams


def _listed(numbers: Sequence[int]) -> str:
    """Return beam numbers in words; of very many, the first."""
    shown = ", ".join(number_text(n) for n in numbers[:8])
    return shown if len(numbers) <= 8 else f"{shown} and {len(numbers) - 8} more"
