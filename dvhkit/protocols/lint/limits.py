"""Slips in the numbers of a protocol: direction, hot and cold, units, sizes, limits that limit nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

from dvhkit.findings import Finding, Level
from dvhkit.metrics.expression import Metric
from dvhkit.model.roi_kinds import TARGET_KINDS
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.files.rules import DoseCheck, MarginCheck, Protocol, Rule
from dvhkit.protocols.naming.organs import Organ, find_organ, is_target
from dvhkit.units import Unit, number_text

RuleCheck = Callable[[Rule], Iterator[tuple[Level, str, str]]]

# Doses above these are no total dose, or biological dose, of any course; 1500 and 6000 are cGy.
_MOST_GY = 150.0
_MOST_BED_GY = 500.0
# No single fraction of any course comes near this.
_MOST_GY_PER_FRACTION = 60.0
# A variation is a little looser than its goal; 4500 beside 7425 was a slip of the row.
_WIDEST_VARIATION = 1.5
# Shares of a volume: 1 is ideal and the most there is.
_AT_MOST_ONE = ("CI_Paddick", "Selectivity_Lomax")


def variation(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    """Find a variation that is stricter than its goal, points the other way, or is nowhere near it."""
    goal, allowed = rule.goal, rule.variation
    if allowed is None:
        return
    if goal.is_upper != allowed.is_upper or goal.is_range != allowed.is_range:
        yield Level.SERIOUS, "variation-direction", f"the variation {allowed} points another way than the goal {goal}."
    elif (goal.low, goal.high, goal.words) == (allowed.low, allowed.high, allowed.words):
        yield Level.WARNING, "variation-equal", f"the variation {allowed} allows nothing that the goal does not."
    elif not allowed.is_looser_than(goal):
        yield Level.SERIOUS, "variation-stricter", f"the variation {allowed} is stricter than the goal {goal}."
    elif _ratio(goal, allowed) > _WIDEST_VARIATION:
        yield Level.WARNING, "variation-far", f"the variation {allowed} is far from the goal {goal}; is it this row's?"


def direction(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    """Find a limit that bounds from the wrong side."""
    if not isinstance(rule.check, DoseCheck) or rule.goal.is_range:
        return
    metric, target, upper = rule.check.metric, _is_target(rule), rule.goal.is_upper
    at = metric.at
    cold = metric.kind in ("DC", "CV")
    if metric.kind == "CV" and upper and not target:
        yield Level.SERIOUS, "direction", f"{metric} {rule.goal} limits the volume that is spared; did you mean >=?"
    elif metric.kind == "DC" and not upper and not target:
        yield Level.SERIOUS, "direction", f"{metric} {rule.goal} asks the spared part for more dose; did you mean <=?"
    elif not cold and not target and not upper and metric.kind not in ("Volume", "Min") and _organ(rule):
        yield Level.SERIOUS, "direction", f"{metric} {rule.goal} asks an organ for more dose; did you mean <=?"
    elif metric.kind == "Min" and upper:
        yield Level.WARNING, "direction", f"{metric} {rule.goal} limits the least dose; did you mean Max or >=?"
    elif target and upper and at is not None and _is_coverage(metric):
        yield Level.SERIOUS, "direction", f"{metric} {rule.goal} limits the coverage of a target; did you mean >=?"


def hot_and_cold(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    """Find a D where the sparing of a volume is meant, and the reverse."""
    if not isinstance(rule.check, DoseCheck) or rule.check.metric.at is None or not rule.goal.is_upper:
        return
    metric, organ, at = rule.check.metric, _organ(rule), rule.check.metric.at
    large = at.unit is Unit.CC and at.value >= 100
    if metric.kind == "D" and large and organ is not None and organ.parallel:
        meant = replace(metric, kind="DC")
        yield Level.SERIOUS, "hot-for-cold", f"{metric} is the least dose to the *hottest* part; did you mean {meant}?"
    if metric.kind == "DC" and at.unit is Unit.CC and at.value <= 20:
        meant = replace(metric, kind="D")
        yield Level.SERIOUS, "cold-for-hot", f"{metric} is the dose to the *coldest* part; did you mean {meant}?"


def units(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    """Find numbers whose unit can hardly be the one that is written."""
    for bound in _bounds(rule):
        shown = f"{number_text(bound)} {rule.goal.unit.value}"
        if rule.goal.unit is Unit.GY and bound > _most_gy(rule):
            yield Level.SERIOUS, "unit-slip", f"{shown} is no dose of any course; is it cGy?"
        elif rule.goal.unit is Unit.GY and 0 < bound < 0.1:
            yield Level.WARNING, "unit-slip", f"{shown} is next to nothing; is the unit right?"
        elif rule.goal.unit is Unit.PERCENT and 0 < bound < 1 and not _is_small_percent(rule):
            yield Level.WARNING, "unit-slip", f"{shown}: is it a fraction, {number_text(100 * bound)} %?"
        elif rule.goal.unit is Unit.PERCENT and bound > 200:
            yield Level.SERIOUS, "unit-slip", f"{shown} cannot be; is the unit right?"
        elif rule.quantity.startswith("image.") and not 0.1 <= bound <= 10:
            yield Level.WARNING, "unit-slip", f"{shown} is no spacing of a planning image; is it in cm?"
        elif isinstance(rule.check, MarginCheck) and bound > 50:
            yield Level.WARNING, "unit-slip", f"{shown} is no margin that anybody draws."
    yield from _argument_units(rule)


def _argument_units(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    if not isinstance(rule.check, DoseCheck) or rule.check.metric.at is None:
        return
    metric, at, target = rule.check.metric, rule.check.metric.at, _is_target(rule)
    hot_volume = metric.kind == "D"
    if at.unit is Unit.GY and at.value > _MOST_GY:
        yield Level.SERIOUS, "unit-slip", f"{metric}: {at} is no dose of any course; is it cGy?"
    elif hot_volume and at.unit is Unit.PERCENT and 0 < at.value < 0.5:
        yield Level.WARNING, "unit-slip", f"{metric}: is {at} of the volume meant, or {number_text(at.value)} cc?"
    elif hot_volume and target and at.unit is Unit.CC and at.value >= 90:
        yield Level.WARNING, "unit-slip", f"{metric}: is {at} of a target meant, or {number_text(at.value)} %?"
    elif metric.kind == "V" and at.unit is Unit.PERCENT and not target and at.value < 80:
        yield (
            Level.INFO,
            "relative-dose",
            f"{metric} is at {at} of the prescription; or is {number_text(at.value)} Gy meant?",
        )
    elif metric.kind == "V" and target and at.unit is Unit.GY and at.value in (90, 95, 100, 105, 107):
        yield Level.WARNING, "unit-slip", f"{metric}: is {at} meant, or {number_text(at.value)} % of the prescription?"


def sizes(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    """Find volumes that the organ does not have."""
    organ = _organ(rule)
    if organ is None or not isinstance(rule.check, DoseCheck):
        return
    metric = rule.check.metric
    volumes = [metric.at.value] if metric.at is not None and metric.at.unit is Unit.CC else []
    volumes += _bounds(rule) if rule.goal.unit is Unit.CC else []
    for volume_cc in volumes:
        if volume_cc > organ.largest_cc:
            message = f"{number_text(volume_cc)} cc is more than any {organ.name} has; are these mm³ or another organ?"
            yield Level.SERIOUS, "above-organ-size", message


def vacuous(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    """Find limits that every plan meets, or none."""
    if not isinstance(rule.check, DoseCheck):
        return
    metric, goal = rule.check.metric, rule.goal
    if metric.kind in _AT_MOST_ONE:
        if goal.low is None and goal.high is not None and goal.high >= 1:
            yield Level.SERIOUS, "vacuous", f"{metric} is never above 1, so every plan meets {goal}."
        if goal.low is not None and goal.low > 1:
            yield Level.SERIOUS, "impossible", f"{metric} is never above 1, so no plan meets {goal}."
        return
    of_volume = metric.kind in ("V", "CV") and metric.unit is Unit.PERCENT
    always = (goal.high is not None and of_volume and goal.high >= 100 and not goal.strict and goal.low is None) or (
        goal.low is not None and goal.low <= 0 and goal.high is None and not goal.strict
    )
    never = (goal.low is not None and of_volume and goal.low > 100) or (goal.high is not None and goal.high < 0)
    if always:
        yield Level.SERIOUS, "vacuous", f"every plan meets {metric} {goal}."
    if never:
        yield Level.SERIOUS, "impossible", f"no plan can meet {metric} {goal}."
    if of_volume and _is_target(rule) and metric.kind == "V" and goal.low == 100:
        message = f"{metric} {goal} hangs on a single point of the surface; >= 99.95 % says nearly the same."
        yield Level.INFO, "brittle", message


def per_fraction(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    """Find total doses that the number of fractions cannot carry: a row of another fractionation."""
    if rule.fractionation is None or not rule.fractionation.counts or rule.goal.unit is not Unit.GY:
        return
    if not rule.goal.is_upper or not isinstance(rule.check, DoseCheck):
        return
    for bound in _bounds(rule):
        dose_gy = bound / max(rule.fractionation.counts)
        if dose_gy > _MOST_GY_PER_FRACTION:
            message = (
                f"{rule.goal} in {rule.fractionation} is {dose_gy:.0f} Gy per fraction; is it a conventional limit?"
            )
            yield Level.WARNING, "other-fractionation", message


def titles(rule: Rule) -> Iterator[tuple[Level, str, str]]:
    """Find a title that states another number than the limit."""
    unit = re.escape(rule.goal.unit.value)
    if not unit:
        return
    # In parentheses stands what the limit is for, such as the rate of an end point.
    title = re.sub(r"\([^()]*\)", "", rule.title)
    said = {float(n) for n in re.findall(rf"(\d+(?:\.\d+)?)\s*{unit}(?![A-Za-z])", title)}
    meant = set(_bounds(rule))
    if isinstance(rule.check, DoseCheck) and rule.check.metric.at is not None:
        meant.add(rule.check.metric.at.value)
        said -= {rule.check.metric.at.value}
    if said and not said & meant:
        listed = ", ".join(number_text(n) for n in sorted(said))
        yield Level.WARNING, "title-number", f"the title says {listed} {rule.goal.unit.value}, the rule {rule.goal}."


def volume_ladder(protocol: Protocol) -> Iterator[Finding]:
    """Find rows whose order is broken: a larger hot volume must not be allowed more dose, nor more dose more volume."""
    rules = [r for r in protocol.rules if isinstance(r.check, DoseCheck) and r.goal.is_upper]
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
    one, two = first.check, second.check
    if not isinstance(one, DoseCheck) or not isinstance(two, DoseCheck):
        return None
    same = (one.structure, one.metric.kind, one.metric.unit, one.metric.effect, first.when, first.fractionation) == (
        two.structure,
        two.metric.kind,
        two.metric.unit,
        two.metric.effect,
        second.when,
        second.fractionation,
    )
    a, b = one.metric.at, two.metric.at
    if not same or one.metric.kind not in ("D", "V") or a is None or b is None or a.unit is not b.unit:
        return None
    if a.value == b.value:
        return None
    return (first, second) if a.value < b.value else (second, first)


def _bounds(rule: Rule) -> list[float]:
    limits = (rule.goal, rule.variation) if rule.variation is not None else (rule.goal,)
    return [bound for limit in limits for bound in (limit.low, limit.high) if bound is not None]


def _ratio(goal: Limit, allowed: Limit) -> float:
    pairs = ((goal.low, allowed.low), (goal.high, allowed.high))
    ratios = [max(a, b) / min(a, b) for a, b in pairs if a is not None and b is not None and min(a, b) > 0]
    return max(ratios, default=1.0)


def _most_gy(rule: Rule) -> float:
    biological = rule.quantity.startswith(("prescription.bed", "prescription.eqd2_", "BED_", "EQD2_"))
    return _MOST_BED_GY if biological else _MOST_GY


def _is_small_percent(rule: Rule) -> bool:
    """Whether less than 1 % of the volume is a limit that makes sense: a spill, or `< 1 %` of a serial organ."""
    return (
        isinstance(rule.check, DoseCheck) and rule.check.metric.kind == "V" and rule.goal.is_upper and rule.goal.strict
    )


def _is_coverage(metric: Metric) -> bool:
    at = metric.at
    if at is None or at.unit is not Unit.PERCENT:
        return False
    return (metric.kind == "D" and at.value >= 50) or (metric.kind == "V" and 80 <= at.value <= 100)


def _name(rule: Rule) -> str:
    structure = rule.structure
    if structure is None:
        return ""
    return structure.name or next(iter(structure.any_of), "") or structure.derived_text


def _is_target(rule: Rule) -> bool:
    structure = rule.structure
    return structure is not None and (structure.rt_roi_type in TARGET_KINDS or is_target(structure.name))


def _organ(rule: Rule) -> Organ | None:
    return None if _is_target(rule) else find_organ(_name(rule).split(" ")[0])


_RULE_CHECKS: tuple[RuleCheck, ...] = (
    variation,
    direction,
    hot_and_cold,
    units,
    sizes,
    vacuous,
    per_fraction,
    titles,
)


def every_rule(protocol: Protocol) -> Iterator[Finding]:
    """Run the checks that look at one rule at a time."""
    for rule in protocol.rules:
        for check in _RULE_CHECKS:
            for level, code, message in check(rule):
                yield Finding(level=level, code=code, message=message, where=rule.where)


CHECKS = (every_rule, volume_ladder)
