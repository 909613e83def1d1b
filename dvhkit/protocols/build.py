"""From a validated file to plain records: texts become metrics, limits, expressions; every fault names its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dvhkit.errors import MetricSyntaxError
from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.protocols.limits import Limit, parse_limit, parse_words
from dvhkit.protocols.names import nearest
from dvhkit.protocols.plan_words import WORDS
from dvhkit.protocols.regions import parse_region
from dvhkit.protocols.rules import (
    Check,
    Condition,
    ContainmentCheck,
    ContextKey,
    ContextValue,
    DoseCheck,
    Fractionation,
    Group,
    MarginCheck,
    PropertyCheck,
    Protocol,
    Rule,
    Source,
    StructureSelector,
)
from dvhkit.protocols.score import ScoreCurve
from dvhkit.units import Unit, parse_unit
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.schema import ProtocolModel, RuleModel, StructureModel

Problem = tuple[Place, str]
Made = TypeVar("Made")

_MOST_FRACTIONS = 100
# What may be drawn round each kind of target.
OUTER_KINDS = {"GTV": ("CTV", "ITV", "PTV"), "CTV": ("ITV", "PTV"), "ITV": ("PTV",), "PTV": ("EXTERNAL",)}
_CONTEXT_TYPES: dict[str, type | tuple[type, ...]] = {"bool": bool, "number": (int, float), "text": str}


def build_protocol(
    model: ProtocolModel, *, path: Path, sha256: str, line_of: Callable[[Place], int]
) -> tuple[Protocol | None, list[Problem]]:
    """Return the protocol, or None and what is wrong with it."""
    builder = _Builder(model=model, line_of=line_of)
    rules = [builder.rule(i, rule) for i, rule in enumerate(model.rules)]
    builder.check_groups()
    if builder.problems:
        return None, builder.problems
    protocol = Protocol(
        id=model.id,
        version=model.version,
        title=model.title,
        site=model.site or "",
        rules=tuple(rule for rule in rules if rule is not None),
        sources=tuple(Source(key=s.key, citation=s.citation, url=s.url or "") for s in model.sources),
        context=tuple(ContextKey(name=k, type=v.type, meaning=v.meaning) for k, v in model.context.items()),
        aliases=tuple((name, tuple(spellings)) for name, spellings in model.aliases.items()),
        notes=tuple(model.notes),
        groups=tuple(Group(id=key, title=title) for key, title in model.groups.items()),
        path=path,
        sha256=sha256,
    )
    return protocol, []


@dataclass(slots=True)
class _Builder:
    model: ProtocolModel
    line_of: Callable[[Place], int]
    problems: list[Problem] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def rule(self, index: int, model: RuleModel) -> Rule | None:
        place: Place = ("rules", index)
        if model.id in self.ids:
            self._problem((*place, "id"), f"a second rule has the id {model.id!r}")
        self.ids.add(model.id)
        when = self._conditions(place, model)
        fractionation = self._fractionation(place, model)
        made = self._check(place, model)
        if made is None:
            return None
        check, unit, bare_ok = made
        goal = self._goal((*place, "goal"), model, check, unit, bare_ok=bare_ok)
        if goal is None:
            return None
        text = model.variation
        variation = None if text is None else self._variation((*place, "variation"), text, goal, bare_ok=bare_ok)
        return Rule(
            id=model.id,
            title=model.title or _default_title(check, goal),
            check=check,
            goal=goal,
            variation=variation,
            priority=model.priority,
            when=when,
            fractionation=fractionation,
            waivable=model.waivable,
            source=model.source or "",
            status=model.status or "",
            note=model.note or "",
            line=self.line_of(place),
            score=self._score(place, model),
            group=model.group or "",
        )

    def check_groups(self) -> None:
        """Note groups without a title or without rules, and rule IDs that are taken by a group."""
        used = {rule.group: i for i, rule in enumerate(self.model.rules) if rule.group}
        for group, index in used.items():
            if group not in self.model.groups:
                message = f"the group {group!r} has no title; give it one under `groups:`"
                self._problem(("rules", index, "group"), message)
        for group in self.model.groups:
            if sum(rule.group == group for rule in self.model.rules) < 2:
                self._problem(("groups", group), f"the group {group!r} needs at least two rules that name it")
            if group in self.ids:
                self._problem(("groups", group), f"a rule has the id {group!r}, too")

    def _score(self, place: Place, model: RuleModel) -> ScoreCurve | None:
        if model.score is None:
            return None
        knots = tuple((float(value), float(points)) for value, points in model.score)
        return self._try((*place, "score"), lambda: ScoreCurve(knots))

    def _goal(self, place: Place, model: RuleModel, check: Check, unit: Unit, *, bare_ok: bool) -> Limit | None:
        if not (isinstance(check, PropertyCheck) and check.is_text):
            return self._try(place, lambda: parse_limit(model.goal, unit=unit, bare_ok=bare_ok))
        if model.score is not None:
            self._problem((*place[:-1], "score"), f"{check.name} is a text, and points are for numbers")
        goal = self._try(place, lambda: parse_words(model.goal))
        known = WORDS.get(check.name, ())
        for word in goal.words if goal is not None and known else ():
            if word.casefold() not in {k.casefold() for k in known}:
                self._problem(place, f"{check.name} is never {word!r}; it is one of {', '.join(known)}")
        return goal

    def _variation(self, place: Place, text: str, goal: Limit, *, bare_ok: bool) -> Limit | None:
        if goal.words:
            return self._try(place, lambda: parse_words(text))
        return self._try(place, lambda: parse_limit(text, unit=goal.unit, like=goal, bare_ok=bare_ok))

    def _check(self, place: Place, model: RuleModel) -> tuple[Check, Unit, bool] | None:
        """Return what is measured, its unit, and whether a limit may leave the unit out."""
        if model.metric is not None and model.structure is not None:
            text = model.metric
            metric = self._try((*place, "metric"), lambda: parse_metric(text))
            structure = self._structure((*place, "structure"), model.structure)
            if metric is None or structure is None:
                return None
            return DoseCheck(structure=structure, metric=metric), metric.unit, _is_in_own_unit(text, metric)
        if model.margin is not None:
            inner = self._structure((*place, "margin", "from"), model.margin.from_)
            outer = self._structure((*place, "margin", "to"), model.margin.to)
            if inner is None or outer is None:
                return None
            return MarginCheck(inner=inner, outer=outer, direction=model.margin.direction or ""), Unit.MM, True
        if model.target is not None:
            return self._containment((*place, "target"), model.target), Unit.CC, True
        return self._property(place, model)

    def _containment(self, place: Place, text: str) -> ContainmentCheck:
        inner, _, outer = text.partition(" in ")
        if outer and outer not in OUTER_KINDS[inner]:
            self._problem(place, f"{text!r}: what is drawn round a {inner} is {' or '.join(OUTER_KINDS[inner])}")
        return ContainmentCheck(between=(inner, outer) if outer else None)

    def _property(self, place: Place, model: RuleModel) -> tuple[Check, Unit, bool] | None:
        assert model.property is not None  # the schema lets nothing else through
        unit = self._property_unit((*place, "property"), model.property)
        target = None
        if model.structure is not None:
            target = self._structure((*place, "structure"), model.structure)
            if target is None:
                return None
        return None if unit is None else (PropertyCheck(name=model.property, target=target), unit, True)

    def _property_unit(self, place: Place, name: str) -> Unit | None:
        from dvhkit.protocols.schema import PROPERTIES, PROPERTY

        if not PROPERTY.fullmatch(name):
            near = nearest(name, PROPERTIES)
            self._problem(place, f"there is no property {name!r}" + (f". Did you mean {near!r}?" if near else ""))
            return None
        if name.startswith("context."):
            key = self._context_key(place, name.removeprefix("context."))
            if key is not None and key != "number":
                self._problem(place, f"{name} is declared as {key}; only a number can be held against a limit")
            return Unit.NONE
        if name == "prescription.fractions" or name.startswith("plan."):
            return Unit.NONE
        return Unit.MM if name.startswith(("image.", "dose.")) else Unit.GY

    def _structure(self, place: Place, model: StructureModel) -> StructureSelector | None:
        derived = None
        if model.derived is not None:
            text = model.derived
            derived = self._try(place, lambda: parse_region(text))
            if derived is None:
                return None
        return StructureSelector(
            name=model.name or "",
            aliases=tuple(model.aliases),
            any_of=tuple(model.any_of),
            need_one=model.need == "one",
            rt_roi_type=model.type or "",
            each=model.each,
            derived=derived,
            derived_text=model.derived or "",
        )

    def _conditions(self, place: Place, model: RuleModel) -> tuple[Condition, ...]:
        made = []
        for key, value in model.when.items():
            at = (*place, "when", key)
            kind = self._context_key(at, key)
            if kind is not None and not _fits(value, kind):
                self._problem(at, f"{key} is declared as {kind}, and {value!r} is none")
            made.append(Condition(key=key, value=value))
        return tuple(made)

    def _context_key(self, place: Place, key: str) -> str | None:
        """Return the declared type of a context key."""
        declared = self.model.context.get(key)
        if declared is not None:
            return declared.type
        near = nearest(key, self.model.context)
        hint = f". Did you mean {near!r}?" if near else "; declare it under `context:`"
        self._problem(place, f"the context key {key!r} is not declared{hint}")
        return None

    def _fractionation(self, place: Place, model: RuleModel) -> Fractionation | None:
        counts, text = model.fractions, model.dose_per_fraction_gy
        place_of_counts: Place = (*place, "fractions")
        if counts is None and model.metric is not None:
            counts, place_of_counts = self.model.fractions, ("fractions",)
        if counts is None and text is None:
            return None
        numbers = frozenset() if counts is None else self._try(place_of_counts, lambda: parse_fractions(counts))
        dose = None if text is None else self._try((*place, "dose_per_fraction_gy"), lambda: _dose_range(text))
        if numbers is None:
            return None
        said = [f"{counts} fractions" if counts != "1" else "1 fraction"] if counts else []
        said += [f"{text} Gy per fraction"] if text else []
        return Fractionation(counts=numbers, dose_per_fraction_gy=dose, text=", ".join(said))

    def _try(self, place: Place, make: Callable[[], Made]) -> Made | None:
        try:
            return make()
        except MetricSyntaxError as bad:
            self.problems.append((place, f"{bad.message} {bad.remedy or ''}".strip()))
        except ValueError as bad:
            self._problem(place, str(bad))
        return None

    def _problem(self, place: Place, message: str) -> None:
        self.problems.append((place, message if message.endswith("?") else f"{message}."))


def parse_fractions(text: str) -> frozenset[int]:
    """Return the numbers of fractions that ``5``, ``3, 5`` or ``3..5`` spells; ValueError if it spells none."""
    numbers: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})\s*(?:(?:\.\.|-)\s*(\d{1,3})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= _MOST_FRACTIONS:
            raise ValueError(f"{text!r} spells no numbers of fractions; write 5, [3, 5] or 3..5")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def _dose_range(text: str) -> tuple[float, float]:
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(?:\.\.\s*(\d+(?:\.\d*)?)\s*)?", text)
    low, high = (float(match[1]), float(match[2] or match[1])) if match else (0.0, 0.0)
    if not 0 < low <= high:
        raise ValueError(f"{text!r} spells no range of dose per fraction; write 1.8..2.0")
    return low, high


def _fits(value: ContextValue, kind: str) -> bool:
    return isinstance(value, _CONTEXT_TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))


def _is_in_own_unit(text: str, metric: Metric) -> bool:
    """Whether the metric's result unit is written as dvhkit prints it, so that a bare number is in it too."""
    match = re.search(r"(?:\[|_)\s*([^\[\]_]*?)\s*\]?\s*$", text)
    parsed = parse_unit(match[1]) if match else None
    return parsed is None or parsed == (metric.unit, 1.0)


def _default_title(check: Check, goal: Limit) -> str:
    if isinstance(check, DoseCheck):
        return f"{check.structure} {check.quantity} {goal}"
    if isinstance(check, ContainmentCheck):
        return f"{check.link}: {check.quantity} {goal}"
    of_target = f"{check.target} " if isinstance(check, PropertyCheck) and check.target is not None else ""
    return f"{of_target}{check.quantity} {goal}"
