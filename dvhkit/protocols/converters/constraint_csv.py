"""Constraint tables as CSV with the metric grammar of Mayo 2016, the common form among users of Eclipse scripts.

Two headings are in use and both are read; the second is written. Others are read by what their words mean
(``Structure,DVH Metric,Goal``)::

    Structure IDs, Structure Codes, IDAliases, CodeAliases, DVH Objective, Evaluation Point, Variation, Priority, ...
    StructureName, StructureCode, Aliases, DVHObjective, Evaluator, VariationAcceptable, Priority, Met, Achieved
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

from dvhkit.errors import MetricSyntaxError, ProtocolError
from dvhkit.findings import Finding, Level
from dvhkit.metrics.expression import parse_metric
from dvhkit.protocols.checks.limits import split_constraint
from dvhkit.protocols.converters.remarks import lost_fields, not_held, protocol_made
from dvhkit.protocols.converters.shape import NOWHERE, bound, one_sided
from dvhkit.protocols.files.rules import Protocol, Rule
from dvhkit.protocols.naming.tg263 import fma_code
from dvhkit.units import number_text
from dvhkit.yaml_text import MAX_BYTES, Place

_COLUMNS = ("StructureName", "StructureCode", "Aliases", "DVHObjective", "Evaluator", "VariationAcceptable", "Priority")
_EMPTY_COLUMNS = ("Met", "Achieved")
_HEADINGS = {
    "structureids": "name",
    "structurename": "name",
    "structureid": "name",
    "idaliases": "aliases",
    "aliases": "aliases",
    "dvhobjective": "metric",
    "evaluationpoint": "goal",
    "evaluator": "goal",
    "variation": "variation",
    "variationacceptable": "variation",
    "priority": "priority",
}
# A limit may stand in the metric's column, too: "D95%[Gy] >= 47.5".
_NEEDED = ("name", "metric")
# Words that say what a column holds; the first that fits, so "Aliases of the structure" holds aliases.
_WORDS = {
    "aliases": {"alias", "aliases", "synonym", "synonyms"},
    "variation": {"variation", "variations", "acceptable", "tolerance", "minor", "deviation"},
    "priority": {"priority", "rank"},
    "goal": {"goal", "goals", "limit", "limits", "evaluator", "value", "threshold"},
    "metric": {"metric", "metrics", "dvh", "objective", "objectives", "parameter", "index", "endpoint"},
    "name": {"structure", "structures", "roi", "organ", "organs", "oar", "region", "volume", "name", "contour"},
}


def read_constraint_csv(path: Path | str) -> tuple[Protocol, tuple[Finding, ...]]:
    """Return the protocol in a CSV constraint table, and what could not be read of it.

    A number in a limit is in the unit that the metric's brackets name, cGy included, as the format has it. Rows whose
    metric dvhkit does not know are left out, each with a SERIOUS finding.

    Raises
    ------
    ProtocolError
        With file and line: no text, no known heading, a limit that cannot be read, no usable row.
    """
    path = Path(path)
    text = _text(path)
    rows = _table(path, text)
    columns = _heading(path, rows[0][1] if rows else [])
    rules: list[dict[str, Any]] = []
    lines: dict[Place, int] = {}
    findings: list[Finding] = []
    for line, row in rows[1:]:
        cells = {"goal": ""} | {name: row[i].strip() if i < len(row) else "" for name, i in columns.items()}
        if not any(cells.values()):
            continue
        try:
            rule = _rule(cells, len(rules) + 1, findings, line)
        except MetricSyntaxError as bad:
            message = f"{bad.message} The row is left out."
            findings.append(Finding(level=Level.SERIOUS, code="row-not-read", message=message, where=f"line {line}"))
            continue
        lines[("rules", len(rules))] = line
        rules.append(rule)
    if not rules:
        why = f" {findings[0].where}: {findings[0].message}" if findings else ""
        raise ProtocolError(f"there is no row that can be read.{why}", path=path, where="line 1")
    made = protocol_made(path, text.encode(), rules, name=path.stem, title=path.stem, lines=lines)
    return made, tuple(findings)


def constraint_csv(protocol: Protocol) -> tuple[str, tuple[Finding, ...]]:
    """Return the protocol as CSV, and what the format cannot hold: a finding for each rule that loses something."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow((*_COLUMNS, *_EMPTY_COLUMNS))
    findings = []
    for rule in protocol.rules:
        if rule.structure is not None and rule.structure.need_one:
            findings.append(not_held(rule, "the rule: that one of several structures has to meet it"))
            continue
        rows = _rows(rule, protocol)
        if not rows:
            findings.append(not_held(rule, "the rule: the format holds one-sided limits on dose metrics only"))
            continue
        writer.writerows(rows)
        lost = _lost(rule)
        if lost:
            findings.append(not_held(rule, ", ".join(lost)))
    if protocol.sources or protocol.notes or protocol.site:
        message = "the file's title, site, sources and notes are not held."
        findings.append(Finding(level=Level.INFO, code="not-held", message=message))
    return stream.getvalue(), tuple(findings)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as bad:
        raise ProtocolError(f"the file cannot be read: {bad}.", path=path) from bad
    if len(raw) > MAX_BYTES:
        raise ProtocolError(f"the file has {len(raw)} bytes; at most {MAX_BYTES} are read.", path=path)
    for encoding in ("utf-8-sig", "cp1252"):  # what spreadsheets on Windows save
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ProtocolError("this is no text.", path=path, where="line 1", remedy="Save the table as CSV in UTF-8.")


def _table(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """Return the rows, each with the line it begins on; cells are parted as in the heading: by ``,``, ``;`` or tabs."""
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[tuple[int, list[str]]] = []
    begin = 1
    try:
        for row in reader:
            rows.append((begin, row))
            begin = reader.line_num + 1
    except csv.Error as bad:
        raise ProtocolError(f"this is no table: {bad}.", path=path, where=f"line {begin}") from bad
    return rows


def _heading(path: Path, first: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for i, cell in enumerate(first):
        name = _HEADINGS.get(re.sub(r"[\s_]", "", cell).casefold())
        if name is not None:
            found.setdefault(name, i)
    for i, cell in enumerate(first):  # by meaning, where no known heading says it
        name = None if i in found.values() else _meant(cell, found)
        if name is not None:
            found[name] = i
    for i, cell in enumerate(first):  # a constraint is a metric, or its limit where another column holds the metric
        if i not in found.values() and "constraint" in cell.casefold():
            found.setdefault("goal" if "metric" in found else "metric", i)
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise ProtocolError(
            "the heading of a constraint table is missing.",
            path=path,
            where="line 1",
            remedy=f"The first line must be {','.join(_COLUMNS)}, or name structure, metric and limit in other words.",
        )
    return found


def _meant(cell: str, found: dict[str, int]) -> str | None:
    """Return the column that a heading means by its words, if no other column is that already."""
    words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", cell).casefold()))
    return next((name for name, hints in _WORDS.items() if name not in found and words & hints), None)


def _rule(cells: dict[str, str], number: int, findings: list[Finding], line: int) -> dict[str, Any]:
    names = [part.strip() for part in re.split(r"[|;]", cells["name"]) if part.strip()]
    aliases = [part.strip() for part in re.split(r"[|;]", cells.get("aliases", "")) if part.strip()]
    if not names:
        raise MetricSyntaxError("the row names no structure.")
    if not cells["metric"]:
        raise MetricSyntaxError("the row has no metric.")
    metric, goal = (None if cells["goal"] else split_constraint(cells["metric"])) or (cells["metric"], cells["goal"])
    parse_metric(metric)
    if not goal:
        raise MetricSyntaxError("the row has no limit.")
    unit = re.search(r"\[([^\]]*)\]\s*$", metric)
    said = f" {unit[1].strip()}" if unit and goal == cells["goal"] else ""
    rule: dict[str, Any] = {"id": f"R{number:03d}", "metric": metric, "goal": f"{goal}{said}"}
    rule["structure"] = {"name": names[0]}
    others = list(dict.fromkeys([*names[1:], *aliases]))
    if others:
        rule["structure"]["aliases"] = others
    if cells.get("variation"):
        rule["variation"] = f"{cells['variation']}{said}"
    priority = cells.get("priority", "")
    if re.fullmatch(r"[1-9]", priority):
        rule["priority"] = int(priority)
    elif priority:
        message = f"the priority {priority!r} is no number from 1 to 9; it is taken as 1."
        findings.append(Finding(level=Level.WARNING, code="priority-not-read", message=message, where=f"line {line}"))
    return rule


def _rows(rule: Rule, protocol: Protocol) -> list[tuple[str, ...]]:
    """Return a row for each structure that the rule is on: names in one row would count as one structure."""
    check = one_sided(rule)
    if check is None:
        return []
    selector = check.structure
    names = [name for name in (selector.name or selector.rt_roi_type, *selector.any_of) if name]
    goal = str(rule.goal).removesuffix(rule.goal.unit.value).replace(" ", "")
    variation = number_text(bound(rule.variation)) if rule.variation is not None else ""
    limit = (check.metric.canonical, goal, variation, str(rule.priority), "", "")
    return [
        (
            name,
            fma_code(name),
            "|".join(dict.fromkeys([*(selector.aliases if len(names) == 1 else ()), *protocol.aliases_of(name)])),
            *limit,
        )
        for name in dict.fromkeys(names)
    ]


def _lost(rule: Rule) -> list[str]:
    """Name what a row does not hold of a rule that it holds."""
    selector = rule.structure
    assert selector is not None
    lost = lost_fields(rule, *NOWHERE, "fractionation", "score")
    if selector.derived is not None:
        lost.append(f"how the structure is made ({selector.derived_text})")
    if selector.rt_roi_type:
        lost.append(f"that the structure goes by its type {selector.rt_roi_type}, not by its name")
    if selector.any_of and selector.aliases:
        lost.append("the aliases of several structures together")
    return lost
