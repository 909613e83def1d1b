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

    def outcome(self) -> tuple[str, str, int]:
        """Return what the case comes to: one of ``met, failed, doubt, error``, in which way, and of how many rules."""
        if self.error is not None:
            return "error", "not_audited", 0
        counts = Counter(rule.verdict for rule in self.rules)
        judged = len(self.rules) - counts[Verdict.NOT_APPLICABLE]
        settled = sum(counts[verdict] for verdict in _SETTLED)
        if counts[Verdict.FAIL]:
            return "failed", "failed", counts[Verdict.FAIL]
        if any(rule.withheld for rule in self.rules):
            return "doubt", "withheld", 0
        if self.all_met:
            way = "all_met" if settled == counts[Verdict.PASS] else "met_or_allowed"
            is_doubtful = any(finding.code in DOUBTFUL for finding in self.findings)
            return ("doubt", f"{way}_in_doubt", 0) if is_doubtful else ("met", way, 0)
        if not judged:
            return "doubt", "nothing_applied", 0
        return ("doubt", "not_judged", judged - settled) if judged > settled else ("doubt", "mostly_not_judged", 0)
