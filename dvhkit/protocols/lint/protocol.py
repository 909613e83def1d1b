"""What looks wrong in a protocol that is otherwise sound: slips that real constraint tables have.

Each check is a function from the protocol to findings; a new one is one function and one entry in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from dvhkit.findings import Finding, Level
from dvhkit.protocols.files.rules import STATUS_MEANING, Protocol, Rule
from dvhkit.protocols.lint import limits as lint_limits
from dvhkit.protocols.lint import names as lint_names

Check = Callable[[Protocol], Iterator[Finding]]

_QUANTEC_FEWEST_FRACTIONS = 15


def lint_protocol(protocol: Protocol) -> tuple[Finding, ...]:
    """Return what looks wrong in `protocol`, in the order of its lines.

    SERIOUS: almost surely a slip, and verdicts would be wrong. WARNING: look at it. INFO: worth knowing.
    """
    found = {finding: None for check in CHECKS for finding in check(protocol)}
    return tuple(sorted(found, key=lambda f: (_line(f), f.code)))


def _line(finding: Finding) -> int:
    digits = finding.where.removeprefix("line ").split(",")[0]
    return int(digits) if digits.isdigit() else 0


def _finding(level: Level, code: str, message: str, rule: Rule | None = None) -> Finding:
    return Finding(level=level, code=code, message=message, where="" if rule is None else rule.where)


def unsourced(protocol: Protocol) -> Iterator[Finding]:
    """Find numbers that nobody can look up."""
    keys = {source.key for source in protocol.sources}
    for rule in protocol.rules:
        if not rule.source:
            yield _finding(Level.WARNING, "no-source", f"{rule.goal} has no source; say where it comes from.", rule)
        elif keys and not any(rule.source.startswith(key) for key in keys):
            message = f"the source {rule.source!r} begins with no key under `sources:` ({', '.join(sorted(keys))})."
            yield _finding(Level.WARNING, "unknown-source", message, rule)
    for key in sorted(keys):
        if not any(key in rule.source for rule in protocol.rules) and not any(key in note for note in protocol.notes):
            yield _finding(Level.INFO, "unused-source", f"no rule cites the source {key}.")


def unverified(protocol: Protocol) -> Iterator[Finding]:
    """Find limits that nobody has checked against the source."""
    for rule in protocol.rules:
        if rule.is_unverified:
            status = rule.weakest_status
            message = f"{STATUS_MEANING[status]} (status {status}); it never passes or fails a plan."
            yield _finding(Level.WARNING, "unverified", message, rule)
        elif rule.source and not rule.status:
            yield _finding(Level.INFO, "no-status", "no status says how far the number was checked.", rule)


def repeated(protocol: Protocol) -> Iterator[Finding]:
    """Find rules that say the same, or limit the same thing twice."""
    for first, second in combinations(protocol.rules, 2):
        if _subject(first) != _subject(second):
            continue
        if (first.goal, first.variation) == (second.goal, second.variation):
            message = f"the same rule as {first.id} (line {first.line})."
            yield _finding(Level.SERIOUS, "duplicate-rule", message, second)
        elif first.goal.is_upper == second.goal.is_upper and first.source == second.source:
            message = f"{first.id} limits the same to {first.goal}; is one of the two the acceptable variation?"
            yield _finding(Level.INFO, "two-limits", message, second)


def fractionations(protocol: Protocol) -> Iterator[Finding]:
    """Find limits that may be applied to a fractionation that they are not for."""
    some_have = any(rule.fractionation for rule in protocol.rules)
    for rule in protocol.rules:
        if rule.metric is None or rule.metric.effect is not None:
            continue  # a limit in EQD2 or BED holds for any fractionation
        if rule.fractionation is None:
            if some_have:
                message = "it applies to any fractionation, while other rules here name theirs."
                yield _finding(Level.WARNING, "no-fractionation", message, rule)
            continue
        counts, dose = rule.fractionation.counts, rule.fractionation.dose_per_fraction_gy
        conventional = dose is not None and dose[1] <= 2.5
        if conventional and counts and max(counts) < _QUANTEC_FEWEST_FRACTIONS:
            message = f"{rule.fractionation} is no course that anybody gives; conventional and SBRT limits are mixed."
            yield _finding(Level.SERIOUS, "mixed-fractionation", message, rule)


def fraction_ladder(protocol: Protocol) -> Iterator[Finding]:
    """Find limits that do not grow with the number of fractions: a copied column, or a swapped one."""
    rules = [r for r in protocol.rules if r.fractionation and r.fractionation.counts and _is_upper_dose(r)]
    for first, second in combinations(rules, 2):
        if _subject(first, with_fractions=False) != _subject(second, with_fractions=False):
            continue
        fewer, more = sorted((first, second), key=_fewest)
        if _fewest(fewer) == _fewest(more) or fewer.goal.high is None or more.goal.high is None:
            continue
        if more.goal.high == fewer.goal.high:
            message = f"the same limit {more.goal} as {fewer.id} for {fewer.fractionation}; was a column copied?"
            yield _finding(Level.WARNING, "same-limit-fractions", message, more)
        elif more.goal.high < fewer.goal.high:
            message = f"{more.goal} is less than {fewer.goal} of {fewer.id} for {fewer.fractionation}, which is fewer."
            yield _finding(Level.WARNING, "falling-limit", message, more)


def context_keys(protocol: Protocol) -> Iterator[Finding]:
    """Find context keys that are declared and not used."""
    used = {condition.key for rule in protocol.rules for condition in rule.when}
    used |= {rule.quantity.removeprefix("context.") for rule in protocol.rules}
    for key in protocol.context:
        if key.name not in used:
            yield _finding(Level.INFO, "unused-context", f"no rule asks for the context key {key.name}.")


def _is_upper_dose(rule: Rule) -> bool:
    return rule.metric is not None and rule.goal.is_upper and rule.metric.kind in ("D", "DC", "Max")


def _fewest(rule: Rule) -> int:
    assert rule.fractionation is not None
    return min(rule.fractionation.counts)


def _subject(rule: Rule, *, with_fractions: bool = True) -> tuple[object, ...]:
    """Return what a rule measures and where it applies, without its limits."""
    fractionation = rule.fractionation if with_fractions else None
    return (rule.check, rule.when, fractionation)


CHECKS: tuple[Check, ...] = (
    unsourced,
    unverified,
    repeated,
    fractionations,
    fraction_ladder,
    context_keys,
    *lint_limits.CHECKS,
    *lint_names.CHECKS,
)
