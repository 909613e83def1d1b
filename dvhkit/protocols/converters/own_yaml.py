"""A protocol as a file of our own."""

from __future__ import annotations

import io
from typing import Any

from dvhkit.protocols.files.rules import Protocol, Rule
from dvhkit.protocols.naming.selector import given

_LINE_WIDTH = 116


def protocol_data(protocol: Protocol) -> dict[str, Any]:
    """Return the protocol in the shape of a protocol file; reading it gives the same protocol."""
    data: dict[str, Any] = {"id": protocol.id, "version": protocol.version, "title": protocol.title}
    data["site"] = protocol.site
    data["sources"] = [given(key=s.key, citation=s.citation, url=s.url) for s in protocol.sources]
    data["context"] = {key.name: {"type": key.type, "meaning": key.meaning} for key in protocol.context}
    data["aliases"] = {name: list(spellings) for name, spellings in protocol.aliases}
    data["rules"] = [_rule(rule) for rule in protocol.rules]
    data["notes"] = list(protocol.notes)
    data["groups"] = {group.id: group.title for group in protocol.groups}
    return given(**data)


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
    data: dict[str, Any] = {"id": rule.id, "title": rule.title, **rule.check.data()}
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
    return given(**data)


def _by_volume(rule: Rule) -> list[list[float]]:
    columns = [rule.goal.by_volume] + ([rule.variation.by_volume] if rule.variation is not None else [])
    return [[cells[0][0], *(bound for _, bound in cells)] for cells in zip(*columns, strict=True)]
