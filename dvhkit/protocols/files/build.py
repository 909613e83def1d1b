"""From a validated file to plain records: texts become metrics, limits, expressions; every fault names its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.model.roi_kinds import OUTER_KINDS
from dvhkit.protocols.checks.applies import is_convertible
from dvhkit.protocols.checks.limits import Limit, parse_by_volume, parse_limit, parse_words
from dvhkit.protocols.checks.plan_words import WORDS
from dvhkit.protocols.checks.score import ScoreCurve
from dvhkit.protocols.files.build_ladder import ladder_check, ladder_goal
from dvhkit.protocols.files.fraction_text import parse_dose_range, parse_fractions
from dvhkit.protocols.files.problems import Problem, Problems
from dvhkit.protocols.files.rules import (
    Check,
    Condition,
    ContainmentCheck,
    ContextKey,
    ContextValue,
    DoseCheck,
    Fractionation,
    Group,
    LadderCheck,
    MarginCheck,
    PropertyCheck,
    Protocol,
    Rule,
    Source,
    StructureSelector,
)
from dvhkit.protocols.naming.names import nearest
from dvhkit.protocols.naming.regions import parse_region
from dvhkit.units import Unit, parse_unit
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.schema import ProtocolModel, RuleModel, StructureModel

_CONTEXT_TYPES: dict[str, type | tuple[type, ...]] = {"bool": bool, "number": (int, float), "text": str}


def build_protocol(
    model: ProtocolModel, *, path: Path, sha256: str, line_of: Callable[[Place], int]
) -> tuple[Protocol | None, list[Problem]]:
    """Return the protocol, or None and what is wrong with it."""
    builder = _Builder(model=model, line_of=line_of)
    rules = [builder.rule(i, rule) for i, rule in enumerate(model.rules)]
    builder.check_groups()
    if builder.problems.listed:
        return None, builder.problems.listed
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
    problems: Problems = field(default_factory=Problems)
    ids: set[str] = field(default_factory=set)

    def rule(self, index: int, model: RuleModel) -> Rule | None:
        place: Place = ("rules", index)
        if model.id in self.ids:
            self.problems.add((*place, "id"), f"a second rule has the id {model.id!r}")
        self.ids.add(model.id)
        when = self._conditions(place, model)
        fractionation = self._fractionation(place, model)
        made = self._check(place, model)
        if made is None:
            return None
        check, unit, bare_ok = made
        limits = self._limits(place, model, check, unit, bare_ok=bare_ok)
        if limits is None:
            return None
        goal, variation = limits
        rule = Rule(
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
            alpha_beta_gy=model.alpha_beta_gy,
            per_course=model.per_course,
        )
        if rule.alpha_beta_gy is not None and not is_convertible(rule):
            message = "alpha_beta_gy converts limits on dose that are for 2 Gy per fraction; this one is not"
            self.problems.add((*place, "alpha_beta_gy"), message)
        return rule

    def _limits(
        self, place: Place, model: RuleModel, check: Check, unit: Unit, *, bare_ok: bool
    ) -> tuple[Limit, Limit | None] | None:
        """Return goal and variation."""
        if isinstance(check, LadderCheck):
            return ladder_goal(place, model, self.problems)
        if model.by_volume_cc is not None:
            rows = model.by_volume_cc
            return self.problems.attempt((*place, "by_volume_cc"), lambda: parse_by_volume(model.goal, rows, unit=unit))
        goal = self._goal((*place, "goal"), model, check, unit, bare_ok=bare_ok)
        if goal is None:
            return None
        text = model.variation
        return goal, None if text is None else self._variation((*place, "variation"), text, goal, bare_ok=bare_ok)

    def check_groups(self) -> None:
        """Note groups without a title or without rules, and rule IDs that are taken by a group."""
        used = {rule.group: i for i, rule in enumerate(self.model.rules) if rule.group}
        for group, index in used.items():
            if group not in self.model.groups:
                message = f"the group {group!r} has no title; give it one under `groups:`"
                self.problems.add(("rules", index, "group"), message)
        for group in self.model.groups:
            if sum(rule.group == group for rule in self.model.rules) < 2:
                self.problems.add(("groups", group), f"the group {group!r} needs at least two rules that name it")
            if group in self.ids:
                self.problems.add(("groups", group), f"a rule has the id {group!r}, too")

    def _score(self, place: Place, model: RuleModel) -> ScoreCurve | None:
        if model.score is None:
            return None
        knots = tuple((float(value), float(points)) for value, points in model.score)
        return self.problems.attempt((*place, "score"), lambda: ScoreCurve(knots))

    def _goal(self, place: Place, model: RuleModel, check: Check, unit: Unit, *, bare_ok: bool) -> Limit | None:
        if not (isinstance(check, PropertyCheck) and check.is_text):
            return self.problems.attempt(place, lambda: parse_limit(model.goal, unit=unit, bare_ok=bare_ok))
        if model.score is not None:
            self.problems.add((*place[:-1], "score"), f"{check.name} is a text, and points are for numbers")
        goal = self.problems.attempt(place, lambda: parse_words(model.goal))
        known = WORDS.get(check.name, ())
        for word in goal.words if goal is not None and known else ():
            if word.casefold() not in {k.casefold() for k in known}:
                self.problems.add(place, f"{check.name} is never {word!r}; it is one of {', '.join(known)}")
        return goal

    def _variation(self, place: Place, text: str, goal: Limit, *, bare_ok: bool) -> Limit | None:
        if goal.words:
            return self.problems.attempt(place, lambda: parse_words(text))
        return self.problems.attempt(place, lambda: parse_limit(text, unit=goal.unit, like=goal, bare_ok=bare_ok))

    def _check(self, place: Place, model: RuleModel) -> tuple[Check, Unit, bool] | None:
        """Return what is measured, its unit, and whether a limit may leave the unit out."""
        if model.metric is not None and model.structure is not None:
            return self._dose(place, model.metric, model.structure)
        if model.margin is not None:
            inner = self._structure((*place, "margin", "from"), model.margin.from_)
            outer = self._structure((*place, "margin", "to"), model.margin.to)
            check: Check | None = None
            if inner is not None and outer is not None:
                check = MarginCheck(inner=inner, outer=outer, direction=model.margin.direction or "")
            return None if check is None else (check, Unit.MM, True)
        if model.ladder is not None:
            structure = self._structure((*place, "structure"), model.structure) if model.structure else None
            check = ladder_check(place, model, structure, self.problems)
            return None if check is None else (check, Unit.GY, True)
        if model.target is not None:
            return self._containment((*place, "target"), model.target), Unit.CC, True
        return self._property(place, model)

    def _dose(self, place: Place, text: str, asked: StructureModel) -> tuple[Check, Unit, bool] | None:
        metric = self.problems.attempt((*place, "metric"), lambda: parse_metric(text))
        structure = self._structure((*place, "structure"), asked)
        if metric is None or structure is None:
            return None
        return DoseCheck(structure=structure, metric=metric), metric.unit, _is_in_own_unit(text, metric)

    def _containment(self, place: Place, text: str) -> ContainmentCheck:
        inner, _, outer = text.partition(" in ")
        if outer and outer not in OUTER_KINDS[inner]:
            self.problems.add(place, f"{text!r}: what is drawn round a {inner} is {' or '.join(OUTER_KINDS[inner])}")
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
        from dvhkit.protocols.files.schema import PROPERTIES, PROPERTY

        if not PROPERTY.fullmatch(name):
            near = nearest(name, PROPERTIES)
            self.problems.add(place, f"there is no property {name!r}" + (f". Did you mean {near!r}?" if near else ""))
            return None
        if name.startswith("context."):
            key = self._context_key(place, name.removeprefix("context."))
            if key is not None and key != "number":
                self.problems.add(place, f"{name} is declared as {key}; only a number can be held against a limit")
            return Unit.NONE
        if name == "prescription.fractions" or name.startswith("plan."):
            return Unit.NONE
        return Unit.MM if name.startswith(("image.", "dose.")) else Unit.GY

    def _structure(self, place: Place, model: StructureModel) -> StructureSelector | None:
        derived = None
        if model.derived is not None:
            text = model.derived
            derived = self.problems.attempt(place, lambda: parse_region(text))
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
                self.problems.add(at, f"{key} is declared as {kind}, and {value!r} is none")
            made.append(Condition(key=key, value=value))
        return tuple(made)

    def _context_key(self, place: Place, key: str) -> str | None:
        """Return the declared type of a context key."""
        declared = self.model.context.get(key)
        if declared is not None:
            return declared.type
        near = nearest(key, self.model.context)
        hint = f". Did you mean {near!r}?" if near else "; declare it under `context:`"
        self.problems.add(place, f"the context key {key!r} is not declared{hint}")
        return None

    def _fractionation(self, place: Place, model: RuleModel) -> Fractionation | None:
        counts, text = model.fractions, model.dose_per_fraction_gy
        place_of_counts: Place = (*place, "fractions")
        if counts is None and (model.metric is not None or model.ladder is not None):
            counts, place_of_counts = self.model.fractions, ("fractions",)
        if counts is None and text is None:
            return None
        numbers = (
            frozenset() if counts is None else self.problems.attempt(place_of_counts, lambda: parse_fractions(counts))
        )
        dose = (
            None
            if text is None
            else self.problems.attempt((*place, "dose_per_fraction_gy"), lambda: parse_dose_range(text))
        )
        if numbers is None:
            return None
        said = [f"{counts} fractions" if counts != "1" else "1 fraction"] if counts else []
        said += [f"{text} Gy per fraction"] if text else []
        return Fractionation(counts=numbers, dose_per_fraction_gy=dose, text=", ".join(said))


def _fits(value: ContextValue, kind: str) -> bool:
    return isinstance(value, _CONTEXT_TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))


def _is_in_own_unit(text: str, metric: Metric) -> bool:
    """Whether the metric's result unit is written as dvhkit prints it, so that a bare number is in it too."""
    match = re.search(r"(?:\[|_)\s*([^\[\]_]*?)\s*\]?\s*$", text)
    parsed = parse_unit(match[1]) if match else None
    return parsed is None or parsed == (metric.unit, 1.0)


def _default_title(check: Check, goal: Limit) -> str:
    if isinstance(check, LadderCheck):
        return f"{check.structure} {check.quantity}"
    if isinstance(check, DoseCheck):
        return f"{check.structure} {check.quantity} {goal}"
    if isinstance(check, ContainmentCheck):
        return f"{check.link}: {check.quantity} {goal}"
    of_target = f"{check.target} " if isinstance(check, PropertyCheck) and check.target is not None else ""
    return f"{of_target}{check.quantity} {goal}"
