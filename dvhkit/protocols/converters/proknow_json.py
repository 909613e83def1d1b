"""ProKnow scorecards as JSON: ``{"computed": [{"type", "roi_name", "arg_1", "arg_2", "objectives": [...]}]}``.

All doses are in Gy. The objectives of a metric are bins of its value in ascending order; between neighbours exactly one
of the lower bin's ``max`` and the upper bin's ``min`` stands, and the bin that states it owns the equality. So
``max: 15`` on the good bin is ``<= 15``, and ``min: 15`` on the bad bin above it is ``< 15``.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from dvhkit.errors import ProtocolError
from dvhkit.findings import Finding, Level
from dvhkit.metrics.expression import Metric
from dvhkit.protocols.limits import Limit
from dvhkit.protocols.load import protocol_of
from dvhkit.protocols.rules import DoseCheck, Protocol, Rule
from dvhkit.units import number_text
from dvhkit.yaml_text import MAX_BYTES, YamlDocument

# Their type -> our metric, with {} for their first argument.
_TYPES = {
    "DOSE_VOLUME_PERCENT_ROI": "D{}%[Gy]",
    "DOSE_VOLUME_CC_ROI": "D{}cc[Gy]",
    "DOSE_VOLUME_MINUS_CC_ROI": "DC{}cc[Gy]",  # the dose to all but so many cc is that to the rest's hottest
    "VOLUME_PERCENT_DOSE_ROI": "V{}Gy[%]",
    "VOLUME_CC_DOSE_ROI": "V{}Gy[cc]",
    "MIN_DOSE_ROI": "Min[Gy]",
    "MEAN_DOSE_ROI": "Mean[Gy]",
    "MAX_DOSE_ROI": "Max[Gy]",
    "VOLUME": "Volume[cc]",
}
_GOOD = re.compile(r"pass|ideal|good|goal|met|optimal", re.IGNORECASE)
_BAD = re.compile(r"fail|unacceptable|bad|not met|violat|unmet", re.IGNORECASE)
_COLOURS = {"pass": [18, 191, 0], "variation": [255, 216, 0], "fail": [255, 0, 0]}
_MOST_DEPTH_ERRORS = (RecursionError, ValueError)  # ValueError: broken JSON, and numbers of absurd length


def read_proknow(path: Path | str) -> tuple[Protocol, tuple[Finding, ...]]:
    """Return the protocol in a ProKnow scorecard, and what could not be read of it.

    Raises
    ------
    ProtocolError
        If the file is no such scorecard or no metric of it can be read.
    """
    path = Path(path)
    raw, data = read_json(path)
    computed = data.get("computed") if isinstance(data, dict) else None
    if not isinstance(computed, list):
        raise ProtocolError("this is no ProKnow scorecard: the list `computed` is missing.", path=path)
    rules: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for number, item in enumerate(computed, start=1):
        rule = _rule(item, number)
        if isinstance(rule, str):
            message = f"{rule} It is left out."
            where = f"computed metric {number}"
            findings.append(Finding(level=Level.SERIOUS, code="metric-not-read", message=message, where=where))
        else:
            rules.append(rule)
    for item in data.get("custom") or []:
        message = f"the custom metric {item!r:.80} is defined elsewhere. It is left out."
        findings.append(Finding(level=Level.SERIOUS, code="metric-not-read", message=message))
    if not rules:
        raise ProtocolError("there is no metric that can be read.", path=path)
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-._")[:60] or "scorecard"
    found: dict[str, Any] = {"id": stem, "version": "1", "title": path.stem[:200], "rules": rules}
    return protocol_of(YamlDocument(path=path, data=found, lines={}, text=raw)), tuple(findings)


def proknow_json(protocol: Protocol) -> tuple[str, tuple[Finding, ...]]:
    """Return the protocol as a ProKnow scorecard, and what that cannot hold: a finding for each rule that loses."""
    computed, findings = [], []
    for rule in protocol.rules:
        item = _item(rule)
        lost = "the rule: there is no such metric in ProKnow" if item is None else ", ".join(_lost(rule))
        if item is not None:
            computed.append(item)
        if lost:
            message = f"not held: {lost}."
            findings.append(Finding(level=Level.WARNING, code="not-held", message=message, where=rule.where))
    return json.dumps({"computed": computed, "custom": []}, indent=2, ensure_ascii=False) + "\n", tuple(findings)


def read_json(path: Path) -> tuple[bytes, Any]:
    """Return the bytes of a JSON file and what they spell; raises `ProtocolError` if that is no JSON."""
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise ProtocolError(f"the file has {len(raw)} bytes; at most {MAX_BYTES} are read.", path=path)
        return raw, json.loads(raw.decode("utf-8-sig"))
    except OSError as bad:
        raise ProtocolError(f"the file cannot be read: {bad}.", path=path) from bad
    except json.JSONDecodeError as bad:
        raise ProtocolError(f"this is no JSON: {bad.msg}.", path=path, where=f"line {bad.lineno}") from bad
    except _MOST_DEPTH_ERRORS as bad:
        raise ProtocolError("this is no JSON that can be read.", path=path) from bad


def _rule(item: object, number: int) -> dict[str, Any] | str:
    """Return the rule in the shape of a protocol file, or why there is none."""
    if not isinstance(item, dict):
        return "it is no mapping."
    kind, roi = item.get("type"), item.get("roi_name")
    form = _TYPES.get(kind) if isinstance(kind, str) else None
    if form is None:
        return f"the type {kind!r:.60} has no counterpart here."
    if not isinstance(roi, str) or not roi.strip():
        return "it names no ROI."
    argument = item.get("arg_1")
    if "{}" in form and (isinstance(argument, bool) or not isinstance(argument, int | float)):
        return f"its argument {argument!r:.40} is no number."
    metric = form.format(number_text(argument)) if "{}" in form and isinstance(argument, int | float) else form
    limits = _limits(item.get("objectives"))
    if isinstance(limits, str):
        return limits
    goal, variation = limits
    rule = {"id": f"R{number:03d}", "structure": {"name": roi.strip()}, "metric": metric, "goal": goal}
    return rule | ({"variation": variation} if variation else {})


def _limits(objectives: object) -> tuple[str, str] | str:
    """Return goal and variation of two or three bins, or why they give none."""
    if not isinstance(objectives, list) or not 2 <= len(objectives) <= 3:
        return "it has not two or three bins, as pass, variation and fail would be."
    if not all(isinstance(one, dict) for one in objectives):
        return "its bins are no mappings."
    edges = [_edge(low, high) for low, high in pairwise(objectives)]
    if any(edge is None for edge in edges):
        return "its bins do not meet: between two neighbours one bound must stand."
    first, last = (str(objectives[i].get("label", "")) for i in (0, -1))
    if _is_good(first) and not _is_good(last):
        texts = [f"{'<=' if edge[1] else '<'} {number_text(edge[0])}" for edge in edges if edge]
    elif _is_good(last) and not _is_good(first):
        texts = [f"{'>' if edge[1] else '>='} {number_text(edge[0])}" for edge in reversed(edges) if edge]
    else:
        return f"its labels {first!r:.40} and {last!r:.40} do not say which end is the good one."
    return texts[0], texts[1] if len(texts) > 1 else ""


def _is_good(label: str) -> bool:
    return bool(_GOOD.search(label)) and not _BAD.search(label)


def _edge(lower: dict[str, Any], upper: dict[str, Any]) -> tuple[float, bool] | None:
    """Return the value between two bins and whether it belongs to the lower one; None unless just one states it."""
    both = ((lower.get("max"), True), (upper.get("min"), False))
    stated = [(bound, owner) for bound, owner in both if bound is not None]
    if len(stated) != 1 or isinstance(stated[0][0], bool) or not isinstance(stated[0][0], int | float):
        return None
    return float(stated[0][0]), stated[0][1]


def _item(rule: Rule) -> dict[str, Any] | None:
    check = rule.check
    if not isinstance(check, DoseCheck) or rule.goal.is_range or check.metric.effect is not None:
        return None
    name = check.structure.name or next(iter(check.structure.any_of), "") or check.structure.rt_roi_type
    kind = _type_of(check.metric)
    if kind is None or not name:
        return None
    argument = None if check.metric.at is None else check.metric.at.value
    return {"type": kind, "roi_name": name, "arg_1": argument, "arg_2": None, "objectives": _bins(rule)}


def _type_of(metric: Metric) -> str | None:
    at = "" if metric.at is None else "{}"
    unit = "" if metric.at is None else metric.at.unit.value
    form = f"{metric.kind}{at}{unit}[{metric.unit.value}]"
    return next((kind for kind, ours in _TYPES.items() if ours == form), None)


def _bins(rule: Rule) -> list[dict[str, Any]]:
    """Return the bins in ascending order of the value: pass first for an upper limit, fail first for a lower one."""
    limits = [rule.goal] if rule.variation is None else [rule.goal, rule.variation]
    words = ["pass", "variation", "fail"] if rule.variation is not None else ["pass", "fail"]
    bins: list[dict[str, Any]] = [{"label": word.upper(), "color": _COLOURS[word]} for word in words]
    for i, limit in enumerate(limits):
        _set_edge(bins[i], bins[i + 1], limit)
    return bins if rule.goal.is_upper else bins[::-1]


def _set_edge(good: dict[str, Any], bad: dict[str, Any], limit: Limit) -> None:
    """Write the bound to the bin that owns the equality: the good one, unless the limit is strict."""
    owner, side = (bad, "min") if limit.strict else (good, "max")
    if not limit.is_upper:
        side = "max" if side == "min" else "min"
    owner[side] = limit.high if limit.high is not None else limit.low


def _lost(rule: Rule) -> list[str]:
    names = ("when", "fractionation", "waivable", "source", "status", "note", "score", "group")
    lost = [name for name in names if getattr(rule, name)]
    selector = rule.structure
    if selector is not None and (selector.aliases or selector.derived is not None or not selector.name):
        lost.append("more of the structure than one name")
    if rule.priority != 1:
        lost.append("priority")
    return lost
