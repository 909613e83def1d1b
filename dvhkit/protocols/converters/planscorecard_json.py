"""Scorecards of Varian's PlanScoreCard as JSON: ``{"TemplateName", "Site", ..., "ScoreTemplates": [...]}``.

Each template has a structure, a metric in units of its own, and score points with straight lines between them; the
point flagged ``Variation`` begins what is acceptable only. A file made here states goal and variation in the labels of
its points (``goal <= 15 Gy``), so that nothing of them is lost; for other files they are inferred from the points.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from dvhkit.errors import MetricSyntaxError, ProtocolError
from dvhkit.findings import Finding
from dvhkit.protocols.converters.json_text import plain_number, read_json
from dvhkit.protocols.converters.planscorecard_metrics import metric_from, metric_to
from dvhkit.protocols.converters.remarks import (
    doubt,
    file_not_held,
    lost_fields,
    no_metric,
    not_held,
    not_read,
    protocol_made,
    why_not,
)
from dvhkit.protocols.converters.shape import NOWHERE, bound, one_name, one_sided
from dvhkit.protocols.converters.structure_text import (
    can_be_spelled,
    derived_from,
    derived_text,
    is_derived,
    is_type,
)
from dvhkit.protocols.files.load import Protocol
from dvhkit.protocols.files.rules import Rule
from dvhkit.protocols.naming.tg263 import fma_code
from dvhkit.units import number_text

_LEVELS = ("AcceptableLevel", "VariationLevel", "FailLevel")
_LABEL = re.compile(r"(goal|variation) ((?:[<>]=?|==) [-+]?\d+(?:\.\d*)?(?: \S+)?)")
_GREEN, _YELLOW, _RED = [18, 191, 0], [255, 216, 0], [255, 0, 0]
# What a rule without a score is worth as one.
_WITHOUT_SCORE = "no score"


def read_planscorecard(path: Path | str) -> tuple[Protocol, tuple[Finding, ...]]:
    """Return the protocol in a scorecard, and what could not be read of it.

    Raises
    ------
    ProtocolError
        If the file is no such scorecard or no metric of it can be read.
    """
    path = Path(path)
    raw, data = read_json(path)
    templates = data.get("ScoreTemplates") if isinstance(data, dict) else None
    if not isinstance(templates, list):
        raise ProtocolError("this is no scorecard: the list `ScoreTemplates` is missing.", path=path)
    rules: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for number, item in enumerate(templates, start=1):
        where = f"score template {number}"
        try:
            rules.append(_rule(item, number, findings, where))
        except (MetricSyntaxError, ValueError) as bad:
            findings.append(not_read(why_not(bad), where))
    if not rules:
        raise no_metric(path, findings)
    name, site = (str(data.get(key) or "").strip() for key in ("TemplateName", "Site"))
    fractions = data.get("NumberOfFractions")
    counted = isinstance(fractions, int) and not isinstance(fractions, bool) and 1 <= fractions <= 100
    title = name or path.stem
    counts = str(fractions) if counted else ""
    made = protocol_made(path, raw, rules, name=title, title=title, site=site[:200], fractions=counts)
    return made, tuple(findings)


def planscorecard_json(protocol: Protocol) -> tuple[str, tuple[Finding, ...]]:
    """Return the protocol as a scorecard, and what that cannot hold: a finding for each rule that loses."""
    templates: list[dict[str, Any]] = []
    findings: list[Finding] = []
    fractions = _common_fractions(protocol)
    for rule in protocol.rules:
        item = _template(rule, len(templates) + 1)
        if item is None:
            findings.append(not_held(rule, "the rule: scorecards have no such metric"))
            continue
        templates.append(item)
        lost = _lost(rule, protocol, fractions)
        if lost:
            findings.append(not_held(rule, ", ".join(lost)))
    findings += file_not_held(protocol, "version", "sources", "notes", "groups", "aliases")
    document = {
        "TemplateName": protocol.title,
        "Site": protocol.site,
        "Creator": "dvhkit",
        "DosePerFraction": 0.0,
        "NumberOfFractions": fractions or 0,
        "ScoreTemplates": templates,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n", tuple(findings)


def _rule(item: object, number: int, findings: list[Finding], where: str) -> dict[str, Any]:
    """Return one rule in the shape of a protocol file; ValueError, in words, if it cannot be read."""
    if not isinstance(item, dict):
        raise ValueError("it is no mapping")
    metric, factor = metric_from(item)
    rule: dict[str, Any] = {"id": f"R{number:03d}", "structure": _structure(item), "metric": metric.canonical}
    comment = item.get("MetricComment")
    if isinstance(comment, str) and comment.strip():
        rule["title"] = comment[:2000]
    points = _points(item.get("ScorePoints"), factor)
    labels = [match for _, _, point in points if (match := _LABEL.fullmatch(str(point.get("Label") or "")))]
    stated = {match[1]: match[2] for match in labels}
    if "goal" in stated:
        rule |= {"goal": stated["goal"]} | ({"variation": stated["variation"]} if "variation" in stated else {})
    else:
        rule |= _inferred(points, findings, where)
    if not any(_WITHOUT_SCORE in str(point.get("ColorValue") or "") for _, _, point in points):
        xs = [x for x, _, _ in points]
        if len(set(xs)) == len(xs):
            rule["score"] = [[x, y] for x, y, _ in points]
        else:
            findings.append(
                doubt("the score jumps, which ours cannot: goal and variation are taken, points not.", where)
            )
    if any(item.get(level) is not None for level in _LEVELS):
        findings.append(doubt(f"{', '.join(_LEVELS)} are not read; the score points are.", where))
    return rule


def _structure(item: dict[str, Any]) -> dict[str, Any]:
    structure = item.get("Structure")
    structure = structure if isinstance(structure, dict) else {}
    name = next(
        (text for key in ("TemplateStructureId", "StructureId") if (text := str(structure.get(key) or "").strip())), ""
    )
    comment = str(structure.get("StructureComment") or "").strip()
    found: dict[str, Any] = {"name": name} if name else {}
    if comment and (structure.get("AutoGenerated") or is_derived(comment)):
        found["derived"] = derived_from(comment)
        if name == found["derived"].replace('"', ""):
            del found["name"]  # a structure without a name of its own goes by what it is made of
    if not found:
        raise ValueError("it names no structure")
    return found


def _points(listed: object, factor: float) -> list[tuple[float, float, dict[str, Any]]]:
    """Return value, score and the point itself, ascending."""
    found = []
    for point in listed if isinstance(listed, list) else []:
        x, y = (plain_number(point.get(key)) if isinstance(point, dict) else None for key in ("PointX", "Score"))
        if x is None or y is None:
            raise ValueError("one of its score points has no value or no score")
        found.append((x / factor, y, point))
    if len(found) < 2:
        raise ValueError("it has less than two score points, which say neither limit nor direction")
    return sorted(found, key=lambda one: one[0])


def _inferred(points: list[tuple[float, float, dict[str, Any]]], findings: list[Finding], where: str) -> dict[str, str]:
    """Return goal and variation that the points imply: from the flagged one on, and up to where no points are left."""
    first, last = points[0][1], points[-1][1]
    if first == last:
        raise ValueError("its score ends as it begins, so no direction is the better one")
    falls = first > last
    worst = min(first, last)
    ordered = points if falls else points[::-1]
    lost_at = next(x for i, (x, _, _) in enumerate(ordered) if all(y <= worst for _, y, _ in ordered[i:]))
    flagged = [x for x, _, point in points if point.get("Variation") is True]
    better, edge = ("<=", "<") if falls else (">=", ">")
    if flagged:
        start = min(flagged) if falls else max(flagged)
        if start != lost_at:
            goal, variation = f"{better} {number_text(start)}", f"{edge} {number_text(lost_at)}"
            findings.append(doubt(f"goal {goal} and variation {variation} are inferred from the score points.", where))
            return {"goal": goal, "variation": variation}
    goal = f"{edge} {number_text(lost_at)}"
    findings.append(doubt(f"the goal {goal} is inferred from where no points are left.", where))
    return {"goal": goal}


def _template(rule: Rule, number: int) -> dict[str, Any] | None:
    check = one_sided(rule)
    if check is None:
        return None
    asked = metric_to(check.metric)
    name, derived = one_name(check.structure) or check.structure.derived_text, check.structure.derived
    if asked is None or not name or (derived is not None and not can_be_spelled(derived)):
        return None
    structure = {
        "StructureId": name,
        "TemplateStructureId": name,
        "StructureCode": fma_code(name),
        "StructureComment": "" if derived is None else derived_text(derived),
        "AutoGenerated": derived is not None,
    }
    head = {"Structure": structure, "Rank": number, "TemplateNumber": number, **asked}
    return head | {"MetricComment": rule.title, "ScorePoints": _score_points(rule)}


def _score_points(rule: Rule) -> list[dict[str, Any]]:
    """Return the points of the rule's score, or two that stand for goal and limit where it has none.

    The first point carries the goal as its label, the next one the variation, whatever their own values.
    """
    labels = [f"goal {rule.goal}"] + ([f"variation {rule.variation}"] if rule.variation is not None else [])
    knots = rule.score.knots if rule.score is not None else _stand_in(rule)
    start = bound(rule.goal)
    made = []
    for i, (x, points) in enumerate(knots):
        best = points >= max(p for _, p in knots)
        colour = _GREEN if best else _RED if points <= min(p for _, p in knots) else _YELLOW
        made.append({
            "PointX": x,
            "Score": points,
            "Variation": rule.variation is not None and x == start,
            "Colors": colour,
            "Label": labels[i] if i < len(labels) else "",
            "ColorValue": "" if rule.score is not None else _WITHOUT_SCORE,
        })  # fmt: skip
    return made


def _stand_in(rule: Rule) -> tuple[tuple[float, float], ...]:
    """Return one point at the goal and none where nothing is acceptable any more, however near that is."""
    goal, limit = bound(rule.goal), bound(rule.variation or rule.goal)
    if limit == goal:
        step = max(abs(goal), 1.0) * 1e-6
        limit = goal + step if rule.goal.is_upper else goal - step
    return ((goal, 1.0), (limit, 0.0)) if goal < limit else ((limit, 0.0), (goal, 1.0))


def _common_fractions(protocol: Protocol) -> int | None:
    """Return the number of fractions that every dose rule is for, if there is one."""
    asked = [rule.fractionation for rule in protocol.rules if rule.metric is not None]
    counts = {one.counts if one is not None else frozenset() for one in asked}
    only = next(iter(counts)) if len(counts) == 1 else frozenset()
    return next(iter(only)) if len(only) == 1 else None


def _lost(rule: Rule, protocol: Protocol, fractions: int | None) -> list[str]:
    """Name what a template does not hold of a rule that it holds."""
    lost = lost_fields(rule, *NOWHERE)
    if rule.priority != 1:
        lost.append("priority")
    fractionation = rule.fractionation
    if fractionation is not None and (fractions is None or fractionation.dose_per_fraction_gy is not None):
        lost.append(f"that it is for {fractionation}")
    selector = rule.structure
    assert selector is not None
    if selector.aliases or protocol.aliases_of(selector.name):
        lost.append("other spellings of the structure")
    if not selector.name and selector.derived is None:
        lost.append(f"how the structure is found ({selector})")
    if selector.derived is not None and is_type(selector.derived):
        lost.append("that all structures of a type are meant")
    return lost
