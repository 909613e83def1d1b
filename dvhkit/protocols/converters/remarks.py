"""What converters say of what they could not take over, and the names they make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dvhkit.errors import MetricSyntaxError, ProtocolError
from dvhkit.findings import Finding, Level
from dvhkit.protocols.files.load import protocol_of
from dvhkit.protocols.files.rules import Protocol, Rule
from dvhkit.yaml_text import Place, YamlDocument


def not_held(rule: Rule, what: str) -> Finding:
    """Return the remark on a rule that the format cannot hold, or not in full."""
    return Finding(level=Level.WARNING, code="not-held", message=f"not held: {what}.", where=rule.where)


def not_read(what: str, where: str) -> Finding:
    """Return the remark on a part of a file that is left out, so that verdicts on it will be missing."""
    return Finding(level=Level.SERIOUS, code="metric-not-read", message=f"{what} It is left out.", where=where)


def no_metric(path: Path, findings: list[Finding]) -> ProtocolError:
    """Return the error of a file of which nothing can be read; it says why of the first part."""
    why = f" {findings[0].where}: {findings[0].message}" if findings else ""
    return ProtocolError(f"there is no metric that can be read.{why}", path=path)


def doubt(what: str, where: str) -> Finding:
    """Return the remark on something that was read in a way that the user should look at."""
    return Finding(level=Level.WARNING, code="look-at-it", message=what, where=where)


def undecided(what: str) -> Finding:
    """Return the question about something that can be read in two ways: nothing that depends on it is judged."""
    message = f"{what} Until then the rules that depend on it are measured and judge nothing (status X)."
    return Finding(level=Level.SERIOUS, code="codes-undecided", message=message)


def file_not_held(protocol: Protocol, *names: str) -> list[Finding]:
    """Return one remark on what of the file as a whole is not held, out of `names` of its fields."""
    lost = [name for name in names if getattr(protocol, name)]
    if not lost:
        return []
    message = f"not held: the file's {', '.join(lost)}, and the ids of its rules."
    return [Finding(level=Level.INFO, code="not-held", message=message)]


def lost_fields(rule: Rule, *names: str) -> list[str]:
    """Return those of `names` that the rule states."""
    return [name for name in names if getattr(rule, name)]


def identifier(text: str, otherwise: str) -> str:
    """Return `text` as the id of a protocol."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-._")[:60] or otherwise


def why_not(bad: ValueError | MetricSyntaxError) -> str:
    """Return in words why a part of a file cannot be read."""
    return bad.message if isinstance(bad, MetricSyntaxError) else f"{bad}."


def protocol_made(
    path: Path,
    raw: bytes,
    rules: list[dict[str, Any]],
    *,
    name: str,
    title: str,
    lines: dict[Place, int] | None = None,
    **head: str,
) -> Protocol:
    """Return the protocol that rules in the shape of a protocol file make; `head` holds what else the file says."""
    found: dict[str, Any] = {"id": identifier(name, "protocol"), "version": "1", "title": title[:2000], "rules": rules}
    said = {key: value for key, value in head.items() if value}
    return protocol_of(YamlDocument(path=path, data=found | said, lines=lines or {}, text=raw))
