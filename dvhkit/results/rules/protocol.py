"""What a protocol says, in words to be shown: plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleShown:
    """One rule: `limit` says what is measured on what, and the goal; `remarks` say when, why and from where."""

    id: str
    title: str
    limit: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolShown:
    """A protocol's head, its rules, and what they rest on: each a line of text."""

    id: str
    version: str
    title: str
    site: str
    rules: tuple[RuleShown, ...]
    groups: tuple[str, ...]
    context: tuple[str, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolChecked:
    """A protocol file that can be used, and the slips that it seems to have."""

    id: str
    version: str
    rule_count: int
    findings: tuple[Finding, ...]

    @property
    def serious_count(self) -> int:
        """How many numbers of it are almost surely wrong."""
        return sum(finding.level is Level.SERIOUS for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolConverted:
    """A protocol as text of another format: what could not be read of it, and what the format cannot hold."""

    text: str
    rule_count: int
    unread: tuple[Finding, ...]
    lost: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all of the source was read."""
        return all(finding.level is not Level.SERIOUS for finding in self.unread)
