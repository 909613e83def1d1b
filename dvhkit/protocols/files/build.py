"""From a validated file to plain records: texts become metrics, limits, expressions; every fault names its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.protocols.checks.applies import is_convertible
from dvhkit.protocols.checks.kinds import KEYS, KINDS, kind_at, names_at
from dvhkit.protocols.checks.score import ScoreCurve
from dvhkit.protocols.files.fraction_text import parse_dose_range, parse_fractions
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.problems import Problem
from dvhkit.protocols.files.rules import (
    Built,
    Condition,
    ContextKey,
    ContextValue,
    Fractionation,
    Group,
    Protocol,
    Rule,
    Source,
)
from dvhkit.protocols.naming.names import nearest
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.schema import ProtocolModel, RuleModel

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


@dataclass
class _Builder:
    model: ProtocolModel
    line_of: Callable[[Place], int]
    ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.parts = RuleParts(self.model.context)
        self.problems = self.parts.problems

    def rule(self, index: int, model: RuleModel) -> Rule | None:
        place: Place = ("rules", index)
        if model.id in self.ids:
            self.problems.add((*place, "id"), f"a second rule has the id {model.id!r}")
        self.ids.add(model.id)
        when = self._conditions(place, model)
        fractionation = self._fractionation(place, model)
        built = self._built(place, model)
        limits = None if built is None else built.check.limits(place, model, self.parts, built)
        if built is None or limits is None:
            return None
        check, (goal, variation) = built.check, limits
        rule = Rule(
            id=model.id,
            title=model.title or check.title(goal),
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

    def _built(self, place: Place, model: RuleModel) -> Built | None:
        """Return what is measured; the schema lets just one thing through."""
        key, value = next((key, v) for key in KEYS if (v := getattr(model, key)) is not None)
        kind = kind_at(key, value)
        if kind is not None:
            return kind.build(place, model, self.parts)
        near = nearest(value, names_at(key))
        message = f"there is no {key} {value!r}" + (f". Did you mean {near!r}?" if near else "")
        self.problems.add((*place, key), message)
        return None

    def _conditions(self, place: Place, model: RuleModel) -> tuple[Condition, ...]:
        made = []
        for key, value in model.when.items():
            at = (*place, "when", key)
            kind = self.parts.context_type(at, key)
            if kind is not None and not _fits(value, kind):
                self.problems.add(at, f"{key} is declared as {kind}, and {value!r} is none")
            made.append(Condition(key=key, value=value))
        return tuple(made)

    def _fractionation(self, place: Place, model: RuleModel) -> Fractionation | None:
        counts, text = model.fractions, model.dose_per_fraction_gy
        place_of_counts: Place = (*place, "fractions")
        if counts is None and any(kind.BY_FRACTIONS and getattr(model, kind.KEY) is not None for kind in KINDS):
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
