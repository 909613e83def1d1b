"""The standing of every shipped limit: how many of which status, and what they were compared with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from dvhkit.protocols.files.load import list_protocols, load_protocol
from dvhkit.protocols.files.rules import STATUS_MEANING, UNVERIFIED
from site_pages.text import cell, table

_HEAD = """# Limits and their standing

What stands behind the numbers of the shipped protocols. A rule is judged only where its number was read in the source,
in a documented transcription, or in two copies that agree. All others are measured, shown as "limit not verified", and
neither pass nor fail a plan. Whether a limit fits your patients is for your site to say.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What the numbers of one source were compared with, and which statuses that allows."""

    source: str
    statuses: tuple[str, ...]
    compared_with: str


def checks(root: Path) -> list[Check]:
    """Return the register of checks."""
    rows = YAML(typ="safe").load(root / "docs" / "limits.yml")
    return [Check(**{**row, "statuses": tuple(row["statuses"])}) for row in rows]


def unchecked(root: Path) -> list[str]:
    """Return every shipped rule that bears a verified status without a named check of its source."""
    register = checks(root)
    return [
        f"{info.id} {rule.id}: {rule.status}"
        for info in list_protocols()
        for rule in load_protocol(info.id).rules
        if rule.status not in UNVERIFIED
        and not any(rule.source.startswith(row.source) and rule.status in row.statuses for row in register)
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
    return (
        _HEAD
        + table(("protocol", *(f"`{status}`" for status in STATUS_MEANING)), rows)
        + "\n"
        + table(("status", "the number was"), meanings)
        + "\n"
        + table(("source", "status", "compared with"), compared)
    )
