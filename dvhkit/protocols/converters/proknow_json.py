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

from dvhkit.errors import MetricSyntaxError, ProtocolError
from dvhkit.findings import Finding
from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.converters.json_text import plain_number, read_json
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
from dvhkit.protocols.converters.shape import NOWHERE, one_name, one_sided
from dvhkit.protocols.files.load import Protocol
from dvhkit.protocols.files.rules import Rule
from dvhkit.units import number_text

_MOST_BINS = 10
# Their type -> our metric, with {} for their first argument, {2} for their second.
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
    "VOLUME_PERCENT_DOSE_RANGE_ROI": "VRange(from={}Gy,to={2}Gy)[%]",
    "VOLUME_CC_DOSE_RANGE_ROI": "VRange(from={}Gy,to={2}Gy)[cc]",
    "VOLUME_OF_REGRET": "Regret(at={}Gy)[cc]",
    "CONFORMATION_NUMBER": "CI_Paddick(at={}Gy)",
    "CONFORMALITY_INDEX": "CI_RTOG(at={}Gy)",
    "HOMOGENEITY_INDEX": "HI_Spread(hot=1%,cold=99%,over={}Gy)",
    "INHOMOGENEITY_INDEX": "HI_MaxMinMean",
}
_GOOD = re.compile(r"pass|ideal|good|goal|met|optimal", re.IGNORECASE)
_BAD = re.compile(r"fail|unacceptable|bad|not met|violat|unmet", re.IGNORECASE)
_COLOURS = {"pass": [18, 191, 0], "variation": [255, 216, 0], "fail": [255, 0, 0]}


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
        where = f"computed metric {number}"
        try:
            rules.append(_rule(item, number, findings, where))
        except (MetricSyntaxError, ValueError) as bad:
            findings.append(not_read(why_not(bad), where))
    custom = data.get("custom")
    for item in custom if isinstance(custom, list) else [custom] if custom else []:
        findings.append(not_read(f"the custom metric {item!r:.80} is defined elsewhere.", ""))
    if not rules:
        raise no_metric(path, findings)
    return protocol_made(path, raw, rules, name=path.stem, title=path.stem), tuple(findings)


def proknow_json(protocol: Protocol) -> tuple[str, tuple[Finding, ...]]:
    """Return the protocol as a ProKnow scorecard, and what that cannot hold: a finding for each rule that loses."""
    computed, findings = [], []
    for rule in protocol.rules:
        item = _item(rule)
        lost = "the rule: there is no such metric in ProKnow" if item is None else ", ".join(_lost(rule, protocol))
        if item is not None:
            computed.append(item)
        if lost:
            findings.append(not_held(rule, lost))
    findings += file_not_held(protocol, "title", "site", "version", "sources", "notes", "groups")
    return json.dumps({"computed": computed, "custom": []}, indent=2, ensure_ascii=False) + "\n", tuple(findings)


def _rule(item: object, number: int, findings: list[Finding], where: str) -> dict[str, Any]:
    """Return the rule in the shape of a protocol file; ValueError, in words, if it cannot be read."""
    if not isinstance(item, dict):
        raise ValueError("it is no mapping")
    kind, roi = item.get("type"), item.get("roi_name")
    form = _TYPES.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise ValueError(f"the type {kind!r:.60} has no counterpart here")
    if not isinstance(roi, str) or not roi.strip():
        raise ValueError("it names no ROI")
    metric = form
    for mark, name in (("{}", "arg_1"), ("{2}", "arg_2")):
        if mark in form:
            argument = plain_number(item.get(name))
            if argument is None:
                raise ValueError(f"its argument {item.get(name)!r:.40} is no number")
            metric = metric.replace(mark, number_text(argument))
    goal, variation = _limits(item.get("objectives"), findings, where)
    canonical = parse_metric(metric).canonical
    rule = {"id": f"R{number:03d}", "structure": {"name": roi.strip()}, "metric": canonical, "goal": goal}
    return rule | ({"variation": variation} if variation else {})


def _limits(objectives: object, findings: list[Finding], where: str) -> tuple[str, str]:
    """Return goal and variation of the bins: the good ones at one end, the bad ones at the other."""
    if not isinstance(objectives, list) or not 2 <= len(objectives) <= _MOST_BINS:
        raise ValueError(f"it has not from 2 to {_MOST_BINS} bins")
    if not all(isinstance(one, dict) for one in objectives):
        raise ValueError("its bins are no mappings")
    edges = [_edge(low, high) for low, high in pairwise(objectives)]
    if any(a[0] > b[0] for a, b in pairwise(edges)):
        raise ValueError("its bins do not rise from one to the next")
    labels = [str(one.get("label", "")) for one in objectives]
    goods, bads = [_is_good(label) for label in labels], [bool(_BAD.search(label)) for label in labels]
    if goods[0] and not goods[-1]:
        better, best, worst = ("<=", "<"), goods.index(False) - 1, _first_of_tail(bads) - 1
    elif goods[-1] and not goods[0]:
        better, best = (">", ">="), len(goods) - 1 - goods[::-1].index(False)
        worst = len(bads) - 1 - _first_of_tail(bads[::-1])
    else:
        raise ValueError(f"its labels {labels[0]!r:.40} and {labels[-1]!r:.40} do not say which end is the good one")
    if len(objectives) > 3:
        findings.append(doubt(f"its {len(objectives)} bins are read as goal and variation.", where))
    if any(re.search(r"\[\s*-?[\d.]+\s*\]", label) for label in labels):
        findings.append(doubt("the scores in its labels jump, which ours cannot; they are left.", where))
    texts = [f"{better[0] if edges[i][1] else better[1]} {number_text(edges[i][0])}" for i in (best, worst)]
    return texts[0], texts[1] if worst != best else ""


def _first_of_tail(bads: list[bool]) -> int:
    """Return where the bad bins at the end begin; the last bin counts as bad, whatever its label."""
    first = len(bads) - 1
    while first > 1 and bads[first - 1]:
        first -= 1
    return first


def _is_good(label: str) -> bool:
    return bool(_GOOD.search(label)) and not _BAD.search(label)


def _edge(lower: dict[str, Any], upper: dict[str, Any]) -> tuple[float, bool]:
    """Return the value between two bins and whether it belongs to the lower one; just one of them must state it."""
    both = ((lower.get("max"), True), (upper.get("min"), False))
    stated = [(plain_number(bound), owner) for bound, owner in both if bound is not None]
    value = stated[0][0] if len(stated) == 1 else None
    if value is None:
        raise ValueError("its bins do not meet: between two neighbours one bound must stand")
    return value, stated[0][1]


def _item(rule: Rule) -> dict[str, Any] | None:
    check = one_sided(rule)
    name = one_name(check.structure) if check is not None else ""
    found = None if check is None else _type_of(check.metric)
    if found is None or not name:
        return None
    kind, first, second = found
    return {"type": kind, "roi_name": name, "arg_1": first, "arg_2": second, "objectives": _bins(rule)}


def _type_of(metric: Metric) -> tuple[str, float | None, float | None] | None:
    """Return their type and arguments of a metric; None if they have no such."""
    for kind, form in _TYPES.items():
        pattern = re.escape(form).replace(r"\{\}", "(?P<first>[\\d.]+)").replace(r"\{2\}", "(?P<second>[\\d.]+)")
        match = re.fullmatch(pattern, metric.canonical)
        if match is not None:
            said = match.groupdict()
            first, second = (float(said[key]) if said.get(key) else None for key in ("first", "second"))
            return kind, first, second
    return None


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


def _lost(rule: Rule, protocol: Protocol) -> list[str]:
    lost = lost_fields(rule, *NOWHERE, "fractionation", "score")
    selector = rule.structure
    more = selector is not None and (
        selector.aliases or protocol.aliases_of(selector.name) or selector.derived is not None or not selector.name
    )
    if more:
        lost.append("more of the structure than one name")
    if rule.priority != 1:
        lost.append("priority")
    return lost
