"""Slips in the numbers of a protocol: direction, hot and cold, units, sizes, limits that limit nothing.

Most are rows of a table: when a rule looks so, this is said. Of a group of rows the first that holds counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any

from dvhkit.findings import Finding, Level
from dvhkit.metrics.expression import Metric
from dvhkit.model.roi_kinds import TARGET_KINDS
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.files.rules import Protocol, Rule, Slip
from dvhkit.protocols.naming.organs import Organ, find_organ, is_target
from dvhkit.units import Quantity, Unit, number_text

# Doses above these are no total dose, or biological dose, of any course; 1500 and 6000 are cGy.
_MOST_GY = 150.0
_MOST_BED_GY = 500.0
# No single fraction of any course comes near this.
_MOST_GY_PER_FRACTION = 60.0
# A variation is a little looser than its goal; 4500 beside 7425 was a slip of the row.
_WIDEST_VARIATION = 1.5
# Shares of a volume: 1 is ideal and the most there is.
_AT_MOST_ONE = ("CI_Paddick", "Selectivity_Lomax")

_SERIOUS, _WARNING, _INFO = Level.SERIOUS, Level.WARNING, Level.INFO


@dataclass(frozen=True, slots=True)
class Row:
    """A slip: how a rule looks that has it, and what is said; `{x}` in the text is what was looked at."""

    level: Level
    code: str
    when: Callable[[Any], bool]
    text: str


@dataclass(frozen=True)
class Limited:
    """What a rule limits, in the words of the table.

    Attributes
    ----------
    bound
        The number of the limit that is looked at, where each is looked at by itself.
    """

    rule: Rule
    bound: float = 0.0

    @cached_property
    def metric(self) -> Metric:
        """The metric; that of a rule on one."""
        assert self.rule.metric is not None
        return self.rule.metric

    @cached_property
    def goal(self) -> Limit:
        """What it must keep to."""
        return self.rule.goal

    @cached_property
    def kind(self) -> str:
        """The metric's kind: D, DC, V, CV, Mean, ..."""
        return self.metric.kind

    @cached_property
    def upper(self) -> bool:
        """Whether it is bounded from above."""
        return self.goal.is_upper

    @cached_property
    def at(self) -> Quantity | None:
        """What the metric is read at."""
        return self.metric.at

    def is_at(self, unit: Unit, low: float, high: float = float("inf")) -> bool:
        """Whether the metric is read at so much of a unit."""
        return self.at is not None and self.at.unit is unit and low <= self.at.value <= high

    @cached_property
    def target(self) -> bool:
        """Whether the structure is a target."""
        structure = self.rule.structure
        return structure is not None and (structure.rt_roi_type in TARGET_KINDS or is_target(structure.name))

    @cached_property
    def organ(self) -> Organ | None:
        """The organ that the structure is, where it is known."""
        structure = self.rule.structure
        if structure is None or self.target:
            return None
        name = structure.name or next(iter(structure.any_of), "") or structure.derived_text
        return find_organ(name.split(" ")[0])

    @cached_property
    def is_coverage(self) -> bool:
        """Whether the metric tells how much of a target has its dose."""
        return (self.kind == "D" and self.is_at(Unit.PERCENT, 50)) or (
            self.kind == "V" and self.is_at(Unit.PERCENT, 80, 100)
        )

    @cached_property
    def number(self) -> str:
        """What the metric is read at, without its unit."""
        return "" if self.at is None else number_text(self.at.value)

    def meant(self, kind: str) -> Metric:
        """Return the metric as one of another kind."""
        return replace(self.metric, kind=kind)

    @cached_property
    def hot(self) -> Metric:
        """The metric on the hottest part."""
        return self.meant("D")

    @cached_property
    def cold(self) -> Metric:
        """The metric on the coldest part."""
        return self.meant("DC")

    @cached_property
    def shown(self) -> str:
        """The bound with its unit."""
        return f"{number_text(self.bound)} {self.goal.unit.value}"

    @cached_property
    def as_percent(self) -> str:
        """The bound, if it were a fraction."""
        return number_text(100 * self.bound)

    @cached_property
    def most_gy(self) -> float:
        """The most Gy that a course has, as dose or as biological dose."""
        biological = self.rule.quantity.startswith(("prescription.bed", "prescription.eqd2_", "BED_", "EQD2_"))
        return _MOST_BED_GY if biological else _MOST_GY

    @cached_property
    def is_spill(self) -> bool:
        """Whether less than 1 % of the volume is a limit that makes sense: a spill, or `< 1 %` of a serial organ."""
        return self.rule.metric is not None and self.kind == "V" and self.upper and self.goal.strict

    @cached_property
    def of_volume(self) -> bool:
        """Whether the metric is a share of the volume."""
        return self.kind in ("V", "CV") and self.metric.unit is Unit.PERCENT

    @cached_property
    def always(self) -> bool:
        """Whether every plan meets the limit."""
        goal = self.goal
        if self.of_volume and goal.low is None and goal.high is not None and goal.high >= 100 and not goal.strict:
            return True
        return goal.low is not None and goal.low <= 0 and goal.high is None and not goal.strict

    @cached_property
    def never(self) -> bool:
        """Whether no plan meets the limit."""
        goal = self.goal
        return (goal.low is not None and self.of_volume and goal.low > 100) or (goal.high is not None and goal.high < 0)


VARIATION = (
    Row(_SERIOUS, "variation-direction",
        lambda x: x.goal.is_upper != x.variation.is_upper or x.goal.is_range != x.variation.is_range,
        "the variation {x.variation} points another way than the goal {x.goal}."),
    Row(_WARNING, "variation-equal", lambda x: _numbers(x.goal) == _numbers(x.variation),
        "the variation {x.variation} allows nothing that the goal does not."),
    Row(_SERIOUS, "variation-stricter", lambda x: not x.variation.is_looser_than(x.goal),
        "the variation {x.variation} is stricter than the goal {x.goal}."),
    Row(_WARNING, "variation-far", lambda x: _ratio(x.goal, x.variation) > _WIDEST_VARIATION,
        "the variation {x.variation} is far from the goal {x.goal}; is it this row's?"),
)  # fmt: skip
# Of each number of a limit.
UNITS = (
    Row(_SERIOUS, "unit-slip", lambda x: x.goal.unit is Unit.GY and x.bound > x.most_gy,
        "{x.shown} is no dose of any course; is it cGy?"),
    Row(_WARNING, "unit-slip", lambda x: x.goal.unit is Unit.GY and 0 < x.bound < 0.1,
        "{x.shown} is next to nothing; is the unit right?"),
    Row(_WARNING, "unit-slip", lambda x: x.goal.unit is Unit.PERCENT and 0 < x.bound < 1 and not x.is_spill,
        "{x.shown}: is it a fraction, {x.as_percent} %?"),
    Row(_SERIOUS, "unit-slip", lambda x: x.goal.unit is Unit.PERCENT and x.bound > 200,
        "{x.shown} cannot be; is the unit right?"),
)  # fmt: skip
# Groups on metrics: where a limit bounds, which part is meant, what it is read at, what limits nothing.
METRICS: tuple[tuple[Row, ...], ...] = (
    (
        Row(_SERIOUS, "direction", lambda x: x.kind == "CV" and x.upper and not x.target,
            "{x.metric} {x.goal} limits the volume that is spared; did you mean >=?"),
        Row(_SERIOUS, "direction", lambda x: x.kind == "DC" and not x.upper and not x.target and not x.goal.is_range,
            "{x.metric} {x.goal} asks the spared part for more dose; did you mean <=?"),
        Row(_SERIOUS, "direction",
            lambda x: x.kind not in ("DC", "CV", "Volume", "Min") and x.organ and not x.upper and not x.goal.is_range,
            "{x.metric} {x.goal} asks an organ for more dose; did you mean <=?"),
        Row(_WARNING, "direction", lambda x: x.kind == "Min" and x.upper,
            "{x.metric} {x.goal} limits the least dose; did you mean Max or >=?"),
        Row(_SERIOUS, "direction", lambda x: x.target and x.upper and x.is_coverage,
            "{x.metric} {x.goal} limits the coverage of a target; did you mean >=?"),
    ),
    (
        Row(_SERIOUS, "hot-for-cold",
            lambda x: x.kind == "D" and x.upper and x.is_at(Unit.CC, 100) and x.organ and x.organ.parallel,
            "{x.metric} is the least dose to the *hottest* part; did you mean {x.cold}?"),
        Row(_SERIOUS, "cold-for-hot", lambda x: x.kind == "DC" and x.upper and x.is_at(Unit.CC, 0, 20),
            "{x.metric} is the dose to the *coldest* part; did you mean {x.hot}?"),
    ),
    (
        Row(_SERIOUS, "unit-slip", lambda x: x.is_at(Unit.GY, _MOST_GY) and x.at.value > _MOST_GY,
            "{x.metric}: {x.at} is no dose of any course; is it cGy?"),
        Row(_WARNING, "unit-slip", lambda x: x.kind == "D" and x.is_at(Unit.PERCENT, 0) and 0 < x.at.value < 0.5,
            "{x.metric}: is {x.at} of the volume meant, or {x.number} cc?"),
        Row(_WARNING, "unit-slip", lambda x: x.kind == "D" and x.target and x.is_at(Unit.CC, 90),
            "{x.metric}: is {x.at} of a target meant, or {x.number} %?"),
        Row(_INFO, "relative-dose",
            lambda x: x.kind == "V" and not x.target and x.is_at(Unit.PERCENT, -1) and x.at.value < 80,
            "{x.metric} is at {x.at} of the prescription; or is {x.number} Gy meant?"),
        Row(_WARNING, "unit-slip",
            lambda x: x.kind == "V" and x.target and x.is_at(Unit.GY, 0) and x.at.value in (90, 95, 100, 105, 107),
            "{x.metric}: is {x.at} meant, or {x.number} % of the prescription?"),
    ),
    (
        Row(_SERIOUS, "vacuous", lambda x: x.kind in _AT_MOST_ONE and x.goal.low is None and (x.goal.high or 0.0) >= 1,
            "{x.metric} is never above 1, so every plan meets {x.goal}."),
        Row(_SERIOUS, "impossible", lambda x: x.kind in _AT_MOST_ONE and (x.goal.low or 0.0) > 1,
            "{x.metric} is never above 1, so no plan meets {x.goal}."),
        Row(_SERIOUS, "vacuous", lambda x: x.kind not in _AT_MOST_ONE and x.always,
            "every plan meets {x.metric} {x.goal}."),
    ),
    (
        Row(_SERIOUS, "impossible", lambda x: x.kind not in _AT_MOST_ONE and x.never,
            "no plan can meet {x.metric} {x.goal}."),
    ),
    (
        Row(_INFO, "brittle", lambda x: x.of_volume and x.target and x.kind == "V" and x.goal.low == 100,
            "{x.metric} {x.goal} hangs on a single point of the surface; >= 99.95 % says nearly the same."),
    ),
)  # fmt: skip


def _first(rows: tuple[Row, ...], x: Limited | Rule) -> Iterator[Slip]:
    row = next((row for row in rows if row.when(x)), None)
    if row is not None:
        yield row.level, row.code, row.text.format(x=x)


def metric_slips(rule: Rule, metric: Metric) -> Iterator[Slip]:
    """Yield what looks wrong in a limit on a metric."""
    x = Limited(rule)
    for group in METRICS:
        yield from _first(group, x)
    yield from _sizes(rule, metric, x.organ)
    yield from _per_fraction(rule)


def _sizes(rule: Rule, metric: Metric, organ: Organ | None) -> Iterator[Slip]:
    """Find volumes that the organ does not have."""
    volumes = [metric.at.value] if metric.at is not None and metric.at.unit is Unit.CC else []
    volumes += rule.bounds if rule.goal.unit is Unit.CC else []
    for volume_cc in volumes if organ is not None else ():
        if organ is not None and volume_cc > organ.largest_cc:
            message = f"{number_text(volume_cc)} cc is more than any {organ.name} has; are these mm³ or another organ?"
            yield Level.SERIOUS, "above-organ-size", message


def _per_fraction(rule: Rule) -> Iterator[Slip]:
    """Find total doses that the number of fractions cannot carry: a row of another fractionation."""
    if (
        rule.fractionation is None
        or not rule.fractionation.counts
        or rule.goal.unit is not Unit.GY
        or not rule.goal.is_upper
    ):
        return
    for bound in rule.bounds:
        dose_gy = bound / max(rule.fractionation.counts)
        if dose_gy > _MOST_GY_PER_FRACTION:
            message = (
                f"{rule.goal} in {rule.fractionation} is {dose_gy:.0f} Gy per fraction; is it a conventional limit?"
            )
            yield Level.WARNING, "other-fractionation", message


def _titles(rule: Rule) -> Iterator[Slip]:
    """Find a title that states another number than the limit."""
    unit = re.escape(rule.goal.unit.value)
    if not unit:
        return
    # In parentheses stands what the limit is for, such as the rate of an end point.
    title = re.sub(r"\([^()]*\)", "", rule.title)
    said = {float(n) for n in re.findall(rf"(\d+(?:\.\d+)?)\s*{unit}(?![A-Za-z])", title)}
    meant = set(rule.bounds)
    if rule.metric is not None and rule.metric.at is not None:
        meant.add(rule.metric.at.value)
        said -= {rule.metric.at.value}
    if said and not said & meant:
        listed = ", ".join(number_text(n) for n in sorted(said))
        yield Level.WARNING, "title-number", f"the title says {listed} {rule.goal.unit.value}, the rule {rule.goal}."


def volume_ladder(protocol: Protocol) -> Iterator[Finding]:
    """Find rows whose order is broken: a larger hot volume must not be allowed more dose, nor more dose more volume."""
    rules = [r for r in protocol.rules if r.metric is not None and r.goal.is_upper]
    for first, second in combinations(rules, 2):
        pair = _ordered(first, second)
        if pair is None or pair[0].goal.high is None or pair[1].goal.high is None:
            continue
        smaller, larger = pair
        if larger.goal.high is not None and smaller.goal.high is not None and larger.goal.high > smaller.goal.high:
            message = (
                f"{larger.quantity} {larger.goal} beside {smaller.quantity} {smaller.goal} of {smaller.id}: "
                "the larger one can never be reached; are the rows swapped?"
            )
            yield Finding(level=Level.WARNING, code="ladder", message=message, where=larger.where)


def _ordered(first: Rule, second: Rule) -> tuple[Rule, Rule] | None:
    """Return two rules on the same structure and kind of metric, the smaller argument first; None if not comparable."""
    one, two = first.metric, second.metric
    if one is None or two is None or one.kind not in ("D", "V"):
        return None
    subjects = [
        (rule.structure, metric.kind, metric.unit, metric.effect, rule.when, rule.fractionation)
        for rule, metric in ((first, one), (second, two))
    ]
    a, b = one.at, two.at
    if subjects[0] != subjects[1] or a is None or b is None or a.unit is not b.unit or a.value == b.value:
        return None
    return (first, second) if a.value < b.value else (second, first)


def volume_tables(protocol: Protocol) -> Iterator[Finding]:
    """Find limits by volume that rise and fall: a row that was swapped or mistyped."""
    for rule in protocol.rules:
        for limit in (rule.goal, rule.variation):
            steps = [second[1] - first[1] for first, second in pairwise(limit.by_volume)] if limit else []
            if any(step > 0 for step in steps) and any(step < 0 for step in steps):
                said = "the limits by volume rise and fall from row to row; is one of them mistyped?"
                yield Finding(level=Level.WARNING, code="table-order", message=said, where=rule.where)


def _numbers(limit: Limit) -> tuple[object, ...]:
    return limit.low, limit.high, limit.words


def _ratio(goal: Limit, allowed: Limit) -> float:
    pairs = ((goal.low, allowed.low), (goal.high, allowed.high))
    ratios = [max(a, b) / min(a, b) for a, b in pairs if a is not None and b is not None and min(a, b) > 0]
    return max(ratios, default=1.0)


def every_rule(protocol: Protocol) -> Iterator[Finding]:
    """Find slips in one rule at a time: those that any rule may have, and those of its kind."""
    for rule in protocol.rules:
        for level, code, message in (*_any_rule(rule), *rule.check.lint(rule)):
            yield Finding(level=level, code=code, message=message, where=rule.where)


def _any_rule(rule: Rule) -> Iterator[Slip]:
    if rule.variation is not None:
        yield from _first(VARIATION, rule)
    for bound in rule.bounds:
        yield from _first(UNITS, Limited(rule, bound))
    yield from _titles(rule)


CHECKS = (every_rule, volume_ladder, volume_tables)
