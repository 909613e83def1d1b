"""Where one of several structures suffices, such as one spared parotid: the row that settles it."""

from __future__ import annotations

from dataclasses import replace

from dvhkit.errors import Reason
from dvhkit.protocols.files.rules import StructureSelector
from dvhkit.results.audit import RuleResult, Verdict

# Of several structures of which one suffices, the row that settles it comes first; an open one before a failed one,
# since it might have passed.
_SETTLES = (Verdict.PASS, Verdict.VARIATION, Verdict.INDETERMINATE, Verdict.NOT_EVALUABLE, Verdict.FAIL)


def best_row(rows: list[RuleResult], selector: StructureSelector) -> RuleResult:
    """Return the row that decides where one of several structures suffices."""
    best = min(rows, key=lambda row: (_SETTLES.index(row.verdict), -(row.margin or 0.0)))
    missing = len(selector.any_of) - len(rows)
    if missing > 0 and best.verdict is Verdict.FAIL:
        reason = f"{missing} of {', '.join(selector.any_of)} are not drawn and might keep to it."
        best = replace(best, verdict=Verdict.NOT_EVALUABLE, reason_code=Reason.NO_STRUCTURE.value, reason=reason)
    note = f"one of {', '.join(selector.any_of)} is enough"
    return replace(best, note="; ".join(part for part in (note, best.note) if part))
