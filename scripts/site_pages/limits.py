"""The standing of every shipped limit: how many of which status, what they were compared with, and where."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from dvhkit.metrics.radiobiology.outcome_models import outcome_models
from dvhkit.protocols.files.load import list_protocols, load_protocol
from dvhkit.protocols.files.rules import STATUS_MEANING, UNVERIFIED
from site_pages.text import cell, table

_HEAD = """# Limits and their standing

What stands behind the numbers of the shipped protocols. A rule is judged only where its number was read in the source,
in a documented transcription, or in two copies that agree. All others are measured, shown as "limit not verified", and
neither pass nor fail a plan. Whether a limit fits your patients is for your site to say.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A public text that prints numbers of a source, where it is, and when it was read.

    `kind` is primary (the text itself, or its abstract), transcription (a documented one) or secondary.
    """

    key: str
    name: str
    address: str
    read: dt.date
    kind: str = "secondary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What the numbers of one source were compared with, and which statuses that allows."""

    source: str
    statuses: tuple[str, ...]
    compared_with: str
    copies: tuple[Copy, ...]


def checks(root: Path) -> list[Check]:
    """Return the register of checks."""
    return [
        Check(
            source=row["source"],
            statuses=tuple(row["statuses"]),
            compared_with=row["compared_with"],
            copies=tuple(Copy(**copy) for copy in row["copies"]),
        )
        for row in _read(root / "docs" / "limits.yml")
    ]


def unchecked(root: Path) -> list[str]:
    """Return every shipped number that bears a verified status without a named check of its source."""
    register = checks(root)
    return [
        f"{what}: {source}, {status}"
        for what, source, status in _shipped(root)
        if status not in UNVERIFIED
        and not any(source.startswith(row.source) and status in row.statuses for row in register)
    ]


def _shipped(root: Path) -> Iterator[tuple[str, str, str]]:
    """Return what is shipped with a source and a status: limits, outcome models, rules and margins of targets."""
    for info in list_protocols():
        yield from ((f"{info.id} {rule.id}", rule.source, rule.status) for rule in load_protocol(info.id).rules)
    yield from ((f"NTCP({model.id})", model.source, model.status) for model in outcome_models())
    for path in sorted((root / "dvhkit" / "targets" / "data").rglob("*.yaml")):
        yield from ((path.name, *found) for found in _with_status(_read(path)))


def _with_status(node: object) -> Iterator[tuple[str, str]]:
    """Return (source, status) of every record of a YAML file that has both, however deep."""
    if isinstance(node, dict):
        if isinstance(node.get("status"), str) and "source" in node:
            yield str(node["source"]), node["status"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _with_status(child)


def printed(root: Path) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Return what copies print: by protocol, rule and copy, the goal and, where the copy has one, the variation."""
    found: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(dict))
    for row in _read(root / "docs" / "limit_cells.yml"):
        for name, value in _cells(row):
            found[row["protocol"]][name][row["copy"]] = value if isinstance(value, list) else [value]
    return found


def standing(bounds: list[float], prints: dict[str, list[float]], kinds: dict[str, str]) -> str:
    """Return the status that copies give a rule with `bounds`; `prints` and `kinds` go by the key of a copy."""
    if any(values != bounds[: len(values)] for values in prints.values()):
        return "X"
    whole = [kinds[key] for key, values in prints.items() if values == bounds]
    if "primary" in whole:
        return "P"
    if "transcription" in whole:
        return "T"
    return ("B", "S1", "S2")[min(len(whole), 2)]


def untrue(root: Path) -> list[str]:
    """Return every rule of the tables that copies print whose status is not what the copies give it."""
    kinds = {copy.key: copy.kind for row in checks(root) for copy in row.copies}
    return [
        f"{protocol} {rule.id}: {rule.status}, by the copies {given}"
        for protocol, cells in printed(root).items()
        for rule in load_protocol(protocol).rules
        if (given := standing(rule.bounds, cells.get(rule.id, {}), kinds)) != rule.status
    ]


def page(root: Path) -> str:
    """Return the Markdown of the page."""
    counts = {info.id: Counter(rule.status for rule in load_protocol(info.id).rules) for info in list_protocols()}
    rows = [
        (f"`{name}`", *(str(count[status] or "") for status in STATUS_MEANING))
        for name, count in sorted(counts.items())
    ]
    meanings = [(f"`{status}`", cell(meaning)) for status, meaning in STATUS_MEANING.items()]
    compared = [(cell(row.source), ", ".join(row.statuses), cell(row.compared_with)) for row in checks(root)]
    read = [
        (cell(row.source), cell(copy.name), f"<{copy.address}>" if copy.address else "", copy.read.isoformat())
        for row in checks(root)
        for copy in row.copies
    ]
    return (
        _HEAD
        + table(("protocol", *(f"`{status}`" for status in STATUS_MEANING)), rows)
        + "\n"
        + table(("status", "the number was"), meanings)
        + "\n"
        + table(("source", "status", "compared with"), compared)
        + "\n## What was read\n\n"
        + table(("source", "copy", "where", "read on"), read)
    )


def _read(path: Path) -> list[dict]:
    return YAML(typ="safe").load(path.read_text("utf-8"))


def _cells(row: dict) -> Iterator[tuple[str, float | list[float]]]:
    """Return the rules of one copy with what it prints for them."""
    for name, value in row["cells"].items():
        if "fractions" not in row:
            yield name, value
            continue
        yield from ((f"{name}-{n}fx", one) for n, one in zip(row["fractions"], value, strict=True) if one is not None)
