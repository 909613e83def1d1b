"""Clinical protocols of Eclipse as XML: measure items of phases, each with a structure, a type and a limit.

Doses are in Gy. A phase has a number of fractions, which its limits are for. What some codes mean, and whether volumes
are in mm³ or cc, is settled by `eclipse_codes`; we write mm³, so that 700 cc is 700000, and say so in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from dvhkit.errors import MetricSyntaxError, ProtocolError
from dvhkit.findings import Finding
from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.converters.eclipse_codes import OWN, Codes, is_absolute, question_text, said_codes, settled
from dvhkit.protocols.converters.eclipse_items import (
    NIL,
    XSI,
    all_down,
    code,
    number,
    prescription_item,
    tag,
    text_down,
    whole,
)
from dvhkit.protocols.converters.remarks import (
    doubt,
    file_not_held,
    lost_fields,
    not_held,
    not_read,
    protocol_made,
    undecided,
    why_not,
)
from dvhkit.protocols.converters.shape import NOWHERE, bound, one_name, plain_check
from dvhkit.protocols.files.rules import Protocol, Rule
from dvhkit.protocols.naming.tg263 import fma_code
from dvhkit.units import Unit, number_text
from dvhkit.yaml_text import MAX_BYTES

_MM3_PER_CC = 1000.0


@dataclass(frozen=True, slots=True)
class _Type:
    """What one of their type codes asks for: our kind, and the unit of its query."""

    kind: str
    query: Unit | None = None

    def gives(self, *, absolute: bool) -> Unit:
        """Return the unit of the value."""
        if not absolute:
            return Unit.PERCENT
        return Unit.CC if self.kind == "V" else Unit.GY


_TYPES = {
    2: _Type("V", Unit.PERCENT),
    3: _Type("V", Unit.GY),
    4: _Type("D", Unit.PERCENT),
    5: _Type("D", Unit.CC),
    6: _Type("Min"),  # as we write it; how a file means 6 and 7 is settled from the file
    7: _Type("Max"),
    8: _Type("Mean"),
}
_UNKNOWN_TYPES = {
    0: "a conformity index, whose definition the file does not state",
    1: "a gradient measure, whose unit the file does not state",
}
_MODIFIERS = {0: ">", 1: "<", 2: "==", 3: ">=", 4: "<="}


def read_eclipse(path: Path | str, codes: str = "") -> tuple[Protocol, tuple[Finding, ...]]:
    """Return the protocol in a clinical protocol, and what could not be read of it.

    `codes` says how codes are meant that public readers read in two ways, as ``modifiers=ge-le,levels=cc``. Where
    neither it nor the file decides, rules bear the status X: they are measured and judge nothing.

    Raises
    ------
    ProtocolError
        With the line where it is known: no XML, no clinical protocol, no measure item that can be read.
    """
    path = Path(path)
    raw, root = _parse(path)
    rules: list[dict[str, Any]] = []
    findings: list[Finding] = []
    measured = [item for phase, _ in _phases(root) for item in all_down(phase, "Prescription", "MeasureItem")]
    meant = settled(raw, measured, said_codes(codes))
    for phase, where in _phases(root):
        fractions = whole(text_down(phase, "PlanTemplate", "FractionCount"))
        for_fractions = {"fractions": str(fractions)} if fractions and 1 <= fractions <= 100 else {}
        for kind, word in (("Item", "prescription item"), ("MeasureItem", "measure item")):
            for count, item in enumerate(all_down(phase, "Prescription", kind), start=1):
                place = f"{where}, {word} {count}"
                try:
                    made = prescription_item(item, fractions) if kind == "Item" else _rule(item, meant, findings, place)
                except (MetricSyntaxError, ValueError) as bad:
                    findings.append(not_read(why_not(bad), place))
                    continue
                rules.append({"id": f"R{len(rules) + 1:03d}"} | made | for_fractions)
    asked = {question for item in measured for question in meant.doubts(item)}
    if asked and any("status" in rule for rule in rules):
        findings.append(undecided(f"{question_text(asked)}."))
    if not rules:
        raise ProtocolError("there is no measure item and no prescription item that can be read.", path=path)
    name, title, site = _head(root, path)
    return protocol_made(path, raw, rules, name=name, title=title, site=site), tuple(findings)


def eclipse_xml(protocol: Protocol) -> tuple[str, tuple[Finding, ...]]:
    """Return the protocol as a clinical protocol, and what that cannot hold: a finding for each rule that loses."""
    ET.register_namespace("xsi", XSI)
    root = ET.Element("Protocol")
    preview = {"ID": protocol.id, "Type": "Protocol", "ApprovalStatus": "Unapproved"}
    ET.SubElement(root, "Preview", preview | {"TreatmentSite": protocol.site, "Description": protocol.title})
    structures = ET.SubElement(ET.SubElement(root, "StructureTemplate"), "Structures")
    phases = ET.SubElement(root, "Phases")
    findings: list[Finding] = []
    held = [rule for rule in protocol.rules if _holds(rule)]
    for name in dict.fromkeys(_name(rule) for rule in held):
        ET.SubElement(structures, "Structure", {"ID": name, "Name": name})
    for fractions in dict.fromkeys(_fractions(rule) for rule in held):
        prescription = _phase(phases, fractions)
        for rule in held:
            if _fractions(rule) == fractions:
                _measure_item(prescription, rule)
    for rule in protocol.rules:
        lost = "the rule: there is no such measure item" if rule not in held else ", ".join(_lost(rule, protocol))
        findings += [not_held(rule, lost)] if lost else []
    findings += file_not_held(protocol, "version", "sources", "notes", "groups")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<!-- {OWN} -->\n' + ET.tostring(
        root, encoding="unicode"
    ) + "\n", tuple(findings)


def _parse(path: Path) -> tuple[bytes, ET.Element]:
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as bad:
        raise ProtocolError(f"the file cannot be read: {bad}.", path=path) from bad
    if len(raw) > MAX_BYTES:
        raise ProtocolError(f"the file has {len(raw)} bytes; at most {MAX_BYTES} are read.", path=path)
    # Entities can blow a small file up to gigabytes and read other files; no clinical protocol needs any. Without the
    # zero bytes the words are the same in UTF-16.
    if re.search(rb"<!\s*(DOCTYPE|ENTITY)", raw.replace(b"\0", b""), re.IGNORECASE):
        raise ProtocolError("the file declares a DOCTYPE, which is not read.", path=path, remedy="Remove it.")
    try:
        root = ET.fromstring(raw)
    except (ET.ParseError, ValueError, LookupError) as bad:
        line = f"line {bad.position[0]}" if isinstance(bad, ET.ParseError) else None
        raise ProtocolError(f"this is no XML: {bad}.", path=path, where=line) from bad
    if tag(root) != "Protocol":
        raise ProtocolError(f"this is no clinical protocol: it is a {tag(root)!r:.60}.", path=path)
    return raw, root


def _phases(root: ET.Element) -> Iterator[tuple[ET.Element, str]]:
    for count, phase in enumerate(all_down(root, "Phases", "Phase"), start=1):
        yield phase, f"phase {count}"


def _head(root: ET.Element, path: Path) -> tuple[str, str, str]:
    """Return name, title and site."""
    preview = next(all_down(root, "Preview"), None)
    given = {} if preview is None else preview.attrib
    name = given.get("ID", "").strip() or path.stem
    title = given.get("Description", "").strip() or name
    return name, title, given.get("TreatmentSite", "").strip()[:200]


def _rule(item: ET.Element, meant: Codes, findings: list[Finding], where: str) -> dict[str, Any]:
    """Return one rule in the shape of a protocol file; ValueError, in words, if it cannot be read."""
    name = item.get("ID", "").strip()
    if not name:
        raise ValueError("it names no structure")
    metric = _metric(item, meant)
    operator = meant.modifiers.get(code(item, "Modifier"))
    if operator is None:
        raise ValueError(f"its modifier {text_down(item, 'Modifier')!r:.40} is not known")
    value = number(text_down(item, "Value"))
    if value is None:
        raise ValueError("it states no limit")
    rule: dict[str, Any] = {"structure": {"name": name}, "metric": metric.canonical}
    mm3 = meant.mm3("volumes")
    rule["goal"] = f"{operator} {_ours(value, metric.unit, mm3=mm3)}"
    variation = text_down(item, "VariationAcceptable")
    if variation:
        accepted = number(variation)
        if accepted is None or operator == "==":
            findings.append(doubt(f"the acceptable variation {variation!r:.40} is not read.", where))
        else:
            rule["variation"] = f"{operator} {_ours(accepted, metric.unit, mm3=mm3)}"
    priority = whole(text_down(item, "Priority"))
    if priority is not None and 1 <= priority <= 9:
        rule["priority"] = priority
    elif text_down(item, "Priority"):
        findings.append(doubt(f"the priority {text_down(item, 'Priority')!r:.40} is taken as 1.", where))
    if doubts := meant.doubts(item):
        rule |= {"status": "X", "note": f"Eclipse codes that can be read in two ways: {', '.join(doubts)}."}
    return rule


def _metric(item: ET.Element, meant: Codes) -> Metric:
    asked = code(item, "Type")
    if asked in _UNKNOWN_TYPES:
        raise ValueError(f"it asks for {_UNKNOWN_TYPES[asked]}")
    kind = _Type(meant.extremes[asked]) if asked in meant.extremes else _TYPES.get(asked)
    if kind is None:
        raise ValueError(f"its type {text_down(item, 'Type')!r:.40} is not known")
    unit = kind.gives(absolute=is_absolute(item))
    if kind.query is None:
        return parse_metric(f"{kind.kind}[{unit.value}]")
    level = number(text_down(item, "TypeSpecifier"))
    if level is None:
        raise ValueError("it does not say at which level")
    return parse_metric(f"{kind.kind}{_ours(level, kind.query, mm3=meant.mm3('levels'))}[{unit.value}]")


def _ours(value: float, unit: Unit, *, mm3: bool) -> str:
    """Return a number of theirs with the unit that it has for us: mm³ become cc."""
    return f"{number_text(value / _MM3_PER_CC if unit is Unit.CC and mm3 else value)}{unit.value}"


def _holds(rule: Rule) -> bool:
    check = plain_check(rule)
    if check is None or not _name(rule):
        return False
    is_range = rule.goal.is_range and rule.goal.low != rule.goal.high
    return not is_range and _type_of(check.metric) is not None


def _type_of(metric: Metric) -> int | None:
    query = None if metric.at is None else metric.at.unit
    known = (code for code, kind in _TYPES.items() if (kind.kind, kind.query) == (metric.kind, query))
    return next(known, None)


def _name(rule: Rule) -> str:
    return "" if rule.structure is None else one_name(rule.structure)


def _fractions(rule: Rule) -> int | None:
    """Return the one number of fractions that a rule is for, None where it is for several or any."""
    counts = rule.fractionation.counts if rule.fractionation is not None else frozenset()
    return next(iter(counts)) if len(counts) == 1 else None


def _phase(phases: ET.Element, fractions: int | None) -> ET.Element:
    """Write a phase and return its prescription."""
    label = "any fractions" if fractions is None else f"{fractions} fx"
    phase = ET.SubElement(phases, "Phase", {"ID": label})
    plan = ET.SubElement(phase, "PlanTemplate")
    _leaf(plan, "FractionCount", None if fractions is None else str(fractions))
    _leaf(plan, "DosePerFraction", None)
    return ET.SubElement(phase, "Prescription")


def _measure_item(prescription: ET.Element, rule: Rule) -> None:
    metric = rule.metric
    assert metric is not None  # it holds nothing else
    item = ET.SubElement(prescription, "MeasureItem", {"ID": _name(rule)})
    _leaf(item, "StructureCode", fma_code(_name(rule)) or None)
    _leaf(item, "Type", str(_type_of(metric)))
    _leaf(item, "Modifier", str(next(number for number, sign in _MODIFIERS.items() if sign == _operator(rule.goal))))
    _leaf(item, "Value", _theirs(bound(rule.goal), metric.unit))
    _leaf(item, "TypeSpecifier", None if metric.at is None else _theirs(metric.at.value, metric.at.unit))
    _leaf(item, "ReportDQPValueInAbsoluteUnits", "false" if metric.unit is Unit.PERCENT else "true")
    _leaf(item, "Priority", str(rule.priority))
    is_held = rule.variation is not None and not rule.variation.is_range
    _leaf(
        item,
        "VariationAcceptable",
        _theirs(bound(rule.variation), metric.unit) if is_held and rule.variation else None,
    )
    _leaf(item, "PrimaryClinicalGoal", "false")


def _leaf(parent: ET.Element, name: str, text: str | None) -> None:
    leaf = ET.SubElement(parent, name, {NIL: "true"} if text is None else {})
    leaf.text = text


def _theirs(value: float, unit: Unit) -> str:
    return number_text(value * _MM3_PER_CC if unit is Unit.CC else value)


def _operator(limit: Limit) -> str:
    if limit.is_range:
        return "=="
    sign = "<" if limit.is_upper else ">"
    return sign if limit.strict else f"{sign}="


def _lost(rule: Rule, protocol: Protocol) -> list[str]:
    """Name what a measure item does not hold of a rule that it holds."""
    lost = lost_fields(rule, *NOWHERE, "score")
    selector, fractionation = rule.structure, rule.fractionation
    assert selector is not None
    if fractionation is not None and (_fractions(rule) is None or fractionation.dose_per_fraction_gy is not None):
        lost.append(f"that it is for {fractionation}")
    if rule.variation is not None and (rule.variation.is_range or _operator(rule.variation) != _operator(rule.goal)):
        lost.append(f"the variation {rule.variation}, of another form than the goal")
    if selector.aliases or protocol.aliases_of(selector.name):
        lost.append("other spellings of the structure")
    if selector.derived is not None:
        lost.append(f"how the structure is made ({selector.derived_text})")
    if not selector.name:
        lost.append(f"how the structure is found ({selector})")
    return lost
