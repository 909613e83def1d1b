"""Rules that share one fate: in the terminal many in a row are one line, and what they share stands once below."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from dvhkit.errors import Reason
from dvhkit.outputs.verdict_words import look_of
from dvhkit.results.audit import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.results.audit import RuleResult

# So many rules in a row with one fate are folded into one line.
FOLDED_FROM = 4
_IDLE, _MISSING = "do not apply to this case; why: see below", "name structures that are not there: see below"
_SAID = "there is no structure '"


def folded_runs(rules: Iterable[RuleResult]) -> list[tuple[str, list[RuleResult]]]:
    """Return the rules, the most urgent first, in runs: each with the words for it where it is to be one line."""
    ordered = sorted(rules, key=lambda rule: (look_of(rule.verdict.value).urgency, _fate(rule)))
    runs = [(fate, list(run)) for fate, run in groupby(ordered, key=_fate)]
    return [(f"{len(run)} rules {fate}" if fate and len(run) >= FOLDED_FROM else "", run) for fate, run in runs]


def missing_names(rules: Iterable[RuleResult]) -> tuple[list[str], str]:
    """Return the structures that folded rules ask for, each once as the rules have them, and what is said of them."""
    missing = [rule for rule in rules if _fate(rule) == _MISSING]
    if len(missing) < FOLDED_FROM:
        return [], ""
    # Which structures there are is the same for all.
    _, _, there = (missing[0].reason or "").partition("'. ")
    return list(dict.fromkeys(rule.roi for rule in missing)), there


def _fate(rule: RuleResult) -> str:
    if rule.verdict is Verdict.NOT_APPLICABLE:
        return _IDLE
    absent = rule.verdict is Verdict.NOT_EVALUABLE and rule.reason_code == Reason.NO_STRUCTURE and not rule.withheld
    # Not where the body is missing that an index of a target needs; and a rule of a set stays, which is judged by it.
    named = rule.roi and (rule.reason or "").lower().startswith(_SAID)
    return _MISSING if absent and named and not rule.group else ""
