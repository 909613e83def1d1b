"""What `dvhkit protocol show` shows in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from dvhkit.protocols.files.rules import STATUS_MEANING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.protocols.files.rules import Protocol, Rule


def protocol_view(protocol: Protocol) -> Iterator[RenderableType]:
    """Yield the protocol's head, its rules each with source and status, its context keys and its sources."""
    yield Text(f"{protocol.title}", style="bold")
    yield Text(f"{protocol.id}, version {protocol.version}, {protocol.site or 'any site'}", style="dim")
    for rule in protocol.rules:
        yield Text()
        yield from _rule_view(rule)
    if protocol.groups:
        yield Text("\nRules that must hold together:", style="bold")
    for group in protocol.groups:
        yield _line(f"{group.id}: {group.title}")
    if protocol.context:
        yield Text("\nThe context file may state:", style="bold")
    for key in protocol.context:
        yield _line(f"{key.name} ({key.type}): {key.meaning}")
    if protocol.sources:
        yield Text("\nSources:", style="bold")
    for source in protocol.sources:
        yield _line(f"{source.key}  {source.citation} {source.url}".rstrip())
    for note in protocol.notes:
        yield Text()
        yield Text(note, style="dim")


def _rule_view(rule: Rule) -> Iterator[RenderableType]:
    yield Text.assemble((f"{rule.id}  ", "cyan"), (rule.title, "bold"))
    where = f" on {rule.structure}" if rule.structure else ""
    limit = Text(f"{rule.quantity}{where}  {rule.goal}")
    if rule.variation:
        limit.append(f", acceptable {rule.variation}")
    yield Padding(limit, (0, 0, 0, 2))
    if rule.when:
        yield _line("applies where " + " and ".join(str(condition) for condition in rule.when))
    if rule.fractionation:
        yield _line(f"for {rule.fractionation}")
    if rule.score:
        knots = ", ".join(f"{value:g}: {points:g}" for value, points in rule.score.knots)
        yield _line(f"score ({rule.goal.unit.value or 'value'}: points) {knots}")
    if rule.group:
        yield _line(f"holds together with the others of {rule.group}")
    if rule.note:
        yield _line(rule.note)
    status = STATUS_MEANING.get(rule.weakest_status, "no status stated")
    yield _line(f"{rule.source or 'no source stated'} [{status}]")


def _line(text: str) -> RenderableType:
    return Padding(Text(text, style="dim"), (0, 0, 0, 2))
