"""One plan under each of the engine's conventions: plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding
from dvhkit.results.audit import MetricResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRows:
    """The metrics of one engine profile, the same structures and metrics in the same order for each profile."""

    profile: str
    rows: tuple[MetricResult, ...]
    findings: tuple[Finding, ...]
