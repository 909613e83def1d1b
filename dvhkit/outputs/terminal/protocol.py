"""What `dvhkit protocol show` shows in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.results.rules.protocol import ProtocolShown


def protocol_view(protocol: ProtocolShown) -> Iterator[RenderableType]:
    """Yield the protocol's head, its rules each with source and status, its context keys and its sources."""
    yield Text(protocol.title, style="bold")
    yield Text(f"{protocol.id}, version {protocol.version}, {protocol.site or 'any site'}", style="dim")
    for rule in protocol.rules:
        yield Text()
        yield Text.assemble((f"{rule.id}  ", "cyan"), (rule.title, "bold"))
        yield Padding(Text(rule.limit), (0, 0, 0, 2))
        yield from map(_line, rule.remarks)
    for heading, lines in (
        ("Rules that must hold together:", protocol.groups),
        ("The context file may state:", protocol.context),
        ("Sources:", protocol.sources),
    ):
        if lines:
            yield Text(f"\n{heading}", style="bold")
        yield from map(_line, lines)
    for note in protocol.notes:
        yield Text()
        yield Text(note, style="dim")


def _line(text: str) -> RenderableType:
    return Padding(Text(text, style="dim"), (0, 0, 0, 2))
