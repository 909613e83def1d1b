"""What an overview of many cases shows: each case with its rules and findings, without curves and provenance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from dvhkit.findings import DOUBTFUL
from dvhkit.results.audit import Verdict

_SETTLED = (Verdict.PASS, Verdict.VARIATION, Verdict.WAIVED)


class IndexedRule(NamedTuple):
    """One rule on one structure, as `dvhkit.results.audit.RuleResult` has it."""

    rule_id: str
    title: str
    roi: str
    quantity: str
    goal: str
    variation: str
    unit: str
    verdict: str
    value: float | None
    low: float | None
    high: float | None
    reason: str
    withheld: bool


class IndexedFinding(NamedTuple):
    """One finding of a case: its code, its level and what it says."""

    code: str
    level: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedCase:
    """One case of a run.

    Attributes
    ----------
    all_met
        As `AuditRecord.all_met`.
    report
        Where its report is, relative to the page; empty where there is none.
    """

    case_id: str
    protocol_id: str = ""
    prescription: str = ""
    error: str | None = None
    all_met: bool = False
    report: str = ""
    rules: tuple[IndexedRule, ...] = ()
    findings: tuple[IndexedFinding, ...] = ()

    def outcome(self) -> tuple[str, str]:
        """Return what the case comes to, as one of ``met, failed, doubt, error``, and in some words."""
        if self.error is not None:
            return "error", "could not be audited"
        counts = Counter(rule.verdict for rule in self.rules)
        judged = len(self.rules) - counts[Verdict.NOT_APPLICABLE]
        settled = sum(counts[verdict] for verdict in _SETTLED)
        if counts[Verdict.FAIL]:
            return "failed", f"{counts[Verdict.FAIL]} failed"
        if any(rule.withheld for rule in self.rules):
            return "doubt", "numbers withheld"
        if self.all_met:
            return self._met("all met" if settled == counts[Verdict.PASS] else "met or allowed")
        if not judged:
            return "doubt", "nothing applied"
        return "doubt", f"{judged - settled} not judged" if judged > settled else "mostly not judged"

    def _met(self, words: str) -> tuple[str, str]:
        is_doubtful = any(finding.code in DOUBTFUL for finding in self.findings)
        return ("doubt", f"{words}, but the dose is in doubt") if is_doubtful else ("met", words)
