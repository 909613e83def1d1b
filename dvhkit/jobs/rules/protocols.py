"""Protocols listed, shown in words, checked, and taken to other systems' formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.protocols.converters.convert import read_any, written_as
from dvhkit.protocols.files.json_schema import protocol_json_schema
from dvhkit.protocols.files.load import list_protocols, load_protocol
from dvhkit.protocols.files.rules import STATUS_MEANING
from dvhkit.protocols.lint.protocol import lint_protocol
from dvhkit.results.rules.listing import Listed
from dvhkit.results.rules.protocol import ProtocolChecked, ProtocolConverted, ProtocolShown, RuleShown

if TYPE_CHECKING:
    from dvhkit.protocols.files.rules import Rule

__all__ = ["checked_protocol", "converted_protocol", "protocol_json_schema", "shipped_protocols", "shown_protocol"]


def shipped_protocols() -> tuple[Listed, ...]:
    """Return the protocols that come with the program, in the order of their IDs."""
    return tuple(Listed(id=info.id, version=info.version, title=info.title) for info in list_protocols())


def shown_protocol(id_or_path: str | Path) -> ProtocolShown:
    """Return what a protocol asks for, in words, and where each number comes from.

    Raises
    ------
    ProtocolError
        If there is none of that ID, or the file cannot be used.
    """
    protocol = load_protocol(id_or_path)
    return ProtocolShown(
        id=protocol.id,
        version=protocol.version,
        title=protocol.title,
        site=protocol.site,
        rules=tuple(_shown(rule) for rule in protocol.rules),
        groups=tuple(f"{group.id}: {group.title}" for group in protocol.groups),
        context=tuple(f"{key.name} ({key.type}): {key.meaning}" for key in protocol.context),
        sources=tuple(f"{each.key}  {each.citation} {each.url}".rstrip() for each in protocol.sources),
        notes=protocol.notes,
    )


def _shown(rule: Rule) -> RuleShown:
    where = f" on {rule.structure}" if rule.structure else ""
    acceptable = f", acceptable {rule.variation}" if rule.variation else ""
    limit = f"{rule.quantity}{where}  {rule.goal}{acceptable}"
    return RuleShown(id=rule.id, title=rule.title, limit=limit, remarks=tuple(_remarks(rule)))


def _remarks(rule: Rule) -> Iterator[str]:
    if rule.when:
        yield "applies where " + " and ".join(str(condition) for condition in rule.when)
    if rule.fractionation:
        yield f"for {rule.fractionation}"
    if rule.score:
        knots = ", ".join(f"{value:g}: {points:g}" for value, points in rule.score.knots)
        yield f"score ({rule.goal.unit.value or 'value'}: points) {knots}"
    if rule.group:
        yield f"holds together with the others of {rule.group}"
    if rule.note:
        yield rule.note
    status = STATUS_MEANING.get(rule.weakest_status, "no status stated")
    yield f"{rule.source or 'no source stated'} [{status}]"


def checked_protocol(file: Path) -> ProtocolChecked:
    """Return a protocol file's identity and the slips that it seems to have.

    Raises
    ------
    ProtocolError
        With file and line, if it cannot be used.
    """
    loaded = load_protocol(file)
    return ProtocolChecked(
        id=loaded.id, version=loaded.version, rule_count=len(loaded.rules), findings=lint_protocol(loaded)
    )


def converted_protocol(
    source: str | Path, target: Path, *, form: str | None = None, eclipse_codes: str = ""
) -> ProtocolConverted:
    """Return a protocol as text in the format `form`, else in that of `target`'s ending; nothing is written.

    Raises
    ------
    InputError, ProtocolError
        If the source cannot be used, or there is no such format.
    """
    protocol, unread = read_any(source, eclipse_codes=eclipse_codes)
    text, lost = written_as(protocol, target, form)
    return ProtocolConverted(text=text, rule_count=len(protocol.rules), unread=tuple(unread), lost=tuple(lost))
