"""A protocol as a file of our own."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from dvhkit.protocols.files.rules import (
    ContainmentCheck,
    DoseCheck,
    LadderCheck,
    MarginCheck,
    Protocol,
    Rule,
    Rung,
    StructureSelector,
)

if TYPE_CHECKING:
    from dvhkit.yaml_text import Plain

_LINE_WIDTH = 116


def protocol_data(protocol: Protocol) -> dict[str, Any]:
    """Return the protocol in the shape of a protocol file; reading it gives the same protocol."""
    data: dict[str, Any] = {"id": protocol.id, "version": protocol.version, "title": protocol.title}
    data["site"] = protocol.site
    data["sources"] = [_given(key=s.key, citation=s.citation, url=s.url) for s in protocol.sources]
    data["context"] = {key.name: {"type": key.type, "meaning": key.meaning} for key in protocol.context}
    data["aliases"] = {name: list(spellings) for name, spellings in protocol.aliases}
    data["rules"] = [_rule(rule) for rule in protocol.rules]
    data["notes"] = list(protocol.notes)
    data["groups"] = {group.id: group.title for group in protocol.groups}
    return _given(**data)


def protocol_yaml(protocol: Protocol) -> str:
    """Return the text of a protocol file."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = _LINE_WIDTH
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(protocol_data(protocol), stream)
    return stream.getvalue()


def _rule(rule: Rule) -> dict[str, Any]:
    data: dict[str, Any] = {"id": rule.id, "title": rule.title}
    if isinstance(rule.check, DoseCheck):
        data |= {"structure": _structure(rule.check.structure), "metric": rule.check.metric.canonical}
    elif isinstance(rule.check, MarginCheck):
        inner, outer = _structure(rule.check.inner), _structure(rule.check.outer)
        data["margin"] = _given(**{"from": inner, "to": outer, "direction": rule.check.direction})
    elif isinstance(rule.check, ContainmentCheck):
        data["target"] = rule.check.link
    elif isinstance(rule.check, LadderCheck):
        data |= {"structure": _structure(rule.check.structure), "ladder": [_rung(rung) for rung in rule.check.rungs]}
    else:
        data["property"] = rule.check.name
        data["structure"] = _structure(rule.check.target) if rule.check.target is not None else None
    data["goal"] = str(rule.goal)
    data["variation"] = str(rule.variation) if rule.variation and not rule.goal.by_volume else ""
    data["by_volume_cc"] = _by_volume(rule)
    data["priority"] = rule.priority if rule.priority != 1 else None
    data["score"] = [list(knot) for knot in rule.score.knots] if rule.score else []
    data["group"] = rule.group
    data["when"] = {condition.key: condition.value for condition in rule.when}
    if rule.fractionation is not None:
        data["fractions"] = ", ".join(str(n) for n in sorted(rule.fractionation.counts))
        dose = rule.fractionation.dose_per_fraction_gy
        data["dose_per_fraction_gy"] = f"{dose[0]}..{dose[1]}" if dose else ""
    data |= {"alpha_beta_gy": rule.alpha_beta_gy, "per_course": rule.per_course or None}
    data |= {"waivable": rule.waivable or None, "source": rule.source, "status": rule.status, "note": rule.note}
    return _given(**data)


def _rung(rung: Rung) -> dict[str, Any]:
    limits = {metric.canonical: str(limit) for metric, limit in rung.limits}
    return {"prescription_gy": rung.prescription_gy, "limits": limits}


def _by_volume(rule: Rule) -> list[list[float]]:
    columns = [rule.goal.by_volume] + ([rule.variation.by_volume] if rule.variation is not None else [])
    return [[cells[0][0], *(bound for _, bound in cells)] for cells in zip(*columns, strict=True)]


def _structure(selector: StructureSelector) -> Plain:
    data = _given(
        name=selector.name,
        aliases=list(selector.aliases),
        any_of=list(selector.any_of),
        need="one" if selector.need_one else None,
        type=selector.rt_roi_type,
        each=selector.each or None,
        derived=selector.derived_text,
    )
    return data


def _given(**values: Any) -> dict[str, Any]:  # noqa: ANN401 -- whatever a protocol file may hold
    """Leave out what says nothing."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {}, ())}
