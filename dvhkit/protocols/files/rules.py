"""A protocol as plain frozen records: what the evaluator reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from dvhkit.findings import Level
from dvhkit.metrics.expression import Metric
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.checks.score import ScoreCurve
from dvhkit.protocols.facts import CaseFacts
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.naming.selector import StructureSelector
from dvhkit.results.audit import RuleResult
from dvhkit.units import Unit, number_text
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape

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
class Asked:
    """What a rule is judged with.

    Attributes
    ----------
    context
        What the clinical context says, by key.
    eqd2_alpha_beta_gy
        Measure in EQD2 with this alpha/beta: the limit is for conventional fractions and the plan has others.
    why
        What to say beside a value, such as why it is converted.
    """

    protocol: Protocol
    facts: CaseFacts
    context: Mapping[str, object]
    eqd2_alpha_beta_gy: float | None = None
    why: str = ""


class Check(ABC):
    """What a rule measures. Each kind is one file in `protocols/checks` and one line in `checks.kinds`.

    Attributes
    ----------
    KEY
        The key of a rule in a protocol file that asks for this kind; several kinds may share one (`claims`).
    NAMES
        What may stand there, where that is one of a list.
    STRUCTURE
        Whether the rule names a structure beside it.
    BY_FRACTIONS
        Whether the fractions that the whole protocol is for are those of the rule, too.
    """

    __slots__ = ()
    KEY: ClassVar[str]
    NAMES: ClassVar[tuple[str, ...]] = ()
    STRUCTURE: ClassVar[Literal["must", "may", "no"]] = "no"
    BY_FRACTIONS: ClassVar[bool] = False

    @classmethod
    def claims(cls, value: object) -> bool:
        """Whether what stands at `KEY` asks for this kind."""
        return True

    @classmethod
    @abstractmethod
    def shape(cls) -> Any:  # noqa: ANN401 -- a type, as pydantic reads it
        """Return the type of what stands at `KEY`, as the schema of protocol files has it."""

    @classmethod
    @abstractmethod
    def build(cls, place: Place, model: RuleShape, parts: RuleParts) -> Built | None:
        """Return the check that a rule asks for; None after noting in `parts.problems` what is wrong."""

    @property
    @abstractmethod
    def quantity(self) -> str:
        """What is measured, in canonical form."""

    @abstractmethod
    def data(self) -> dict[str, Any]:
        """Return the keys of a rule in a protocol file that ask for this."""

    @abstractmethod
    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        """Yield the rows of a rule that applies; `NotEvaluable` becomes a row with its reason."""

    @classmethod
    def limits(
        cls, place: Place, model: RuleShape, parts: RuleParts, built: Built
    ) -> tuple[Limit, Limit | None] | None:
        """Return goal and variation; None after noting what is wrong."""
        return parts.limits(place, model, unit=built.unit, bare_ok=built.bare_ok)

    def judged(self) -> StructureSelector | None:
        """Return the structure that rows are about, where there is one."""
        return None

    def selectors(self) -> tuple[StructureSelector, ...]:
        """Return every structure that is asked for by name."""
        return () if (one := self.judged()) is None else (one,)

    def measured(self) -> Metric | None:
        """Return the metric that is held against the limit; None where that is none."""
        return None

    def is_on_dose(self) -> bool:
        """Whether a dose that limits are not meant in makes it void."""
        return False

    def title(self, goal: Limit) -> str:
        """Return how a rule without a title is called."""
        return f"{self.quantity} {goal}"

    def lint(self, rule: Rule) -> Iterator[Slip]:
        """Yield what looks wrong in a rule of this kind: level, code, message."""
        yield from ()


Slip = tuple[Level, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A check, the unit that it comes in, and whether a limit may leave the unit out."""

    check: Check
    unit: Unit
    bare_ok: bool = True


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
        return self.check.judged()

    @property
    def metric(self) -> Metric | None:
        """The metric that is held against the limit; None where that is none."""
        return self.check.measured()

    @property
    def quantity(self) -> str:
        """What is measured."""
        return self.check.quantity

    @property
    def bounds(self) -> list[float]:
        """The numbers of goal and variation."""
        limits = (self.goal,) if self.variation is None else (self.goal, self.variation)
        return [bound for limit in limits for bound in (limit.low, limit.high) if bound is not None]

    @property
    def where(self) -> str:
        """Where it stands, for findings."""
        return f"line {self.line}, rule {self.id}"

    @property
    def weakest_status(self) -> str:
        """The status of the limit or, where that is weaker, of the outcome model that it is a limit on."""
        model = self.metric.outcome_model if self.metric is not None else None
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
