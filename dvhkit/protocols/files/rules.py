"""A protocol as plain frozen records: what the evaluator reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from dvhkit.metrics.expression import Metric
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.checks.score import ScoreCurve
from dvhkit.protocols.naming.regions import Expression
from dvhkit.units import number_text

# How far a limit has been checked against its source.
STATUS_MEANING = {
    "P": "read in the primary text",
    "T": "read in a documented transcription of the primary text",
    "S2": "read in two or more independent copies that agree",
    "S1": "limit not verified: read in one secondary copy only",
    "C": "limit not verified: computed or inferred from numbers that were read",
    "X": "limit not verified: copies disagree",
    "B": "limit not verified: from background knowledge, not read in a source",
}
UNVERIFIED = frozenset({"S1", "C", "X", "B"})

ContextValue = bool | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A publication that limits are taken from; rules cite it by `key`."""

    key: str
    citation: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextKey:
    """Something clinical that no DICOM file states and rules depend on; `type` is bool, number or text."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A rule applies only where the clinical context says that `key` is `value`."""

    key: str
    value: ContextValue

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return f"{self.key}: {str(self.value).lower()}"
        return f"{self.key}: {number_text(self.value) if isinstance(self.value, float) else self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fractionation:
    """The fractionation that a limit is for: numbers of fractions, or a range of dose per fraction in Gy."""

    counts: frozenset[int] = frozenset()
    dose_per_fraction_gy: tuple[float, float] | None = None
    text: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureSelector:
    """Which structure, or structures, a rule is about.

    Attributes
    ----------
    name, aliases
        By name; empty where `rt_roi_type` or only `derived` is given.
    any_of
        By several names: each of them that the case has is judged, such as both sides of a paired organ.
    need_one
        Whether it is enough that one of them keeps to the limit, such as one spared parotid.
    rt_roi_type
        By RTROIInterpretedType.
    each
        Whether several matches are judged one by one; otherwise several are ambiguous.
    derived
        How to make the structure from others where none has the name.
    """

    name: str = ""
    aliases: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    need_one: bool = False
    rt_roi_type: str = ""
    each: bool = False
    derived: Expression | None = None
    derived_text: str = ""

    def __str__(self) -> str:
        if self.name:
            return self.name
        if self.any_of:
            return f"one of {', '.join(self.any_of)}" if self.need_one else " or ".join(self.any_of)
        if self.rt_roi_type:
            return f"each {self.rt_roi_type}" if self.each else f"the {self.rt_roi_type}"
        return self.derived_text


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseCheck:
    """Measure a metric on a structure."""

    structure: StructureSelector
    metric: Metric

    @property
    def quantity(self) -> str:
        """What is measured, in canonical form."""
        return self.metric.canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyCheck:
    """Look at a property of image, dose, plan, prescription or clinical context, such as ``image.slice_spacing``.

    `target` narrows a property of the prescription to that of certain structures; None takes every prescription.
    """

    name: str
    target: StructureSelector | None = None

    @property
    def quantity(self) -> str:
        """The property's name."""
        return self.name

    @property
    def is_text(self) -> bool:
        """Whether it is a text, which must be one of certain words."""
        return self.name in ("plan.technique", "plan.machine", "plan.approval")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginCheck:
    """Measure the margin that was drawn between two structures, all round or along one axis of the patient.

    `direction` is AP, LR or CC (cranio-caudal), each way by itself; empty for all round.
    """

    inner: StructureSelector
    outer: StructureSelector
    direction: str = ""

    @property
    def quantity(self) -> str:
        """What is measured, in words."""
        along = f" along {self.direction}" if self.direction else ""
        return f"margin from {self.inner} to {self.outer}{along}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainmentCheck:
    """Measure how much of each target lies outside the structure that was drawn round it.

    `between` is the kinds of inner and outer, such as ``("GTV", "CTV")``; None takes the whole chain, up to the body.
    """

    between: tuple[str, str] | None = None

    @property
    def link(self) -> str:
        """What is asked for, as protocols write it."""
        return "containment" if self.between is None else " in ".join(self.between)

    @property
    def quantity(self) -> str:
        """What is measured, in words."""
        return "outside volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of a ladder: the limits, a metric each, that a plan with this prescription must keep to."""

    prescription_gy: float
    limits: tuple[tuple[Metric, Limit], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderCheck:
    """Find the highest prescription of a ladder whose limits a structure keeps to; the highest rung comes first."""

    structure: StructureSelector
    rungs: tuple[Rung, ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured, the same on each rung."""
        return tuple(metric for metric, _ in self.rungs[0].limits)

    @property
    def quantity(self) -> str:
        """What is found, in words."""
        return "highest prescription by " + " and ".join(metric.canonical for metric in self.metrics)


Check = DoseCheck | PropertyCheck | MarginCheck | ContainmentCheck | LadderCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes
    ----------
    check, goal, variation
        What is measured, what it must keep to, and what is still acceptable (None where nothing is).
    when, fractionation
        Where it applies; elsewhere it is not applicable.
    waivable
        Whether a physician may waive it with a reason.
    source, status
        Citation, and how far the number was checked (`STATUS_MEANING`); empty in a site's own protocol.
    line
        Where it stands in its file.
    score
        Points for the measured value; None where the rule gives none.
    group
        The set of rules that it must hold together with; empty where it stands alone.
    alpha_beta_gy
        With which to measure in EQD2 where the limit is for conventional fractions and the plan has others; None
        where it is not to be converted.
    per_course
        Whether it is for one course, so that it does not apply to a sum of several.
    """

    id: str
    title: str
    check: Check
    goal: Limit
    variation: Limit | None = None
    priority: int = 1
    when: tuple[Condition, ...] = ()
    fractionation: Fractionation | None = None
    waivable: bool = False
    source: str = ""
    status: str = ""
    note: str = ""
    line: int = 0
    score: ScoreCurve | None = None
    group: str = ""
    alpha_beta_gy: float | None = None
    per_course: bool = False

    @property
    def structure(self) -> StructureSelector | None:
        """The structure it is about, where it is about one."""
        return self.check.structure if isinstance(self.check, DoseCheck | LadderCheck) else None

    @property
    def quantity(self) -> str:
        """What is measured."""
        return self.check.quantity

    @property
    def where(self) -> str:
        """Where it stands, for findings."""
        return f"line {self.line}, rule {self.id}"

    @property
    def weakest_status(self) -> str:
        """The status of the limit or, where that is weaker, of the outcome model that it is a limit on."""
        model = self.check.metric.outcome_model if isinstance(self.check, DoseCheck) else None
        return model.status if model is not None and model.status in UNVERIFIED else self.status

    @property
    def is_unverified(self) -> bool:
        """Whether nobody has yet checked its numbers against their source well enough to pass a plan on them."""
        return self.weakest_status in UNVERIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules that must hold together; they name it by its `id`."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A protocol.

    Attributes
    ----------
    aliases
        Other spellings of structure names, for all rules.
    path, sha256
        The file it was read from and the fingerprint of its bytes.
    """

    id: str
    version: str
    title: str
    rules: tuple[Rule, ...]
    site: str = ""
    sources: tuple[Source, ...] = ()
    context: tuple[ContextKey, ...] = ()
    aliases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    clinic_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    path: Path | None = None
    sha256: str = ""

    def verified_only(self) -> Protocol:
        """Return the protocol without the rules whose limit nobody has checked against its source."""
        return replace(self, rules=tuple(rule for rule in self.rules if not rule.is_unverified))

    def aliases_of(self, name: str) -> tuple[str, ...]:
        """Return the other spellings of `name` that hold for all rules, whichever of them `name` itself is."""
        spellings = list(next((found for known, found in self.aliases if known == name), ()))
        wanted = _folded(name)
        for known, others in self.aliases:
            if known != name and wanted in map(_folded, others):
                spellings += [known, *(other for other in others if _folded(other) != wanted)]
        return tuple(dict.fromkeys(spellings))


def _folded(name: str) -> str:
    return "".join(name.split()).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolInfo:
    """A line in the list of shipped protocols."""

    id: str
    version: str
    title: str
    site: str
    rule_count: int
    path: Path
