"""What came of making structures: plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedRow:
    """One structure: what it was made of, its volume, and on how many planes it is drawn; `how` is empty if drawn."""

    name: str
    how: str
    volume_cc: float
    slices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFile:
    """The RTSTRUCT that was written: the structures it started from and those that it holds, and what was odd."""

    structures: tuple[DerivedRow, ...]
    findings: tuple[Finding, ...]
    out: str
    sop_instance_uid: str
