"""Slips in limits that come as tables: ladders of prescriptions, limits by volume."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from dvhkit.findings import Finding, Level
from dvhkit.protocols.files.rules import LadderCheck, Protocol, Rule
from dvhkit.units import number_text

# No course has more; 5000 is cGy.
_MOST_GY = 150.0


def ladders(protocol: Protocol) -> Iterator[Finding]:
    """Find rungs in the wrong unit, and limits that allow more at a higher prescription."""
    for rule in protocol.rules:
        check = rule.check
        if not isinstance(check, LadderCheck):
            continue
        for rung in check.rungs:
            if rung.prescription_gy > _MOST_GY:
                said = f"a prescription of {number_text(rung.prescription_gy)} Gy is that of no course; is it cGy?"
                yield _finding(Level.SERIOUS, "unit-slip", said, rule)
        for higher, lower in pairwise(check.rungs):
            for (metric, at_higher), (_, at_lower) in zip(higher.limits, lower.limits, strict=True):
                if None not in (at_higher.high, at_lower.high) and at_higher.is_looser_than(at_lower):
                    said = (
                        f"{metric} may be {at_higher} at {number_text(higher.prescription_gy)} Gy and {at_lower} at "
                        f"{number_text(lower.prescription_gy)} Gy; are the rungs swapped?"
                    )
                    yield _finding(Level.WARNING, "ladder-order", said, rule)


def volume_tables(protocol: Protocol) -> Iterator[Finding]:
    """Find limits by volume that rise and fall: a row that was swapped or mistyped."""
    for rule in protocol.rules:
        for limit in (rule.goal, rule.variation):
            steps = [second[1] - first[1] for first, second in pairwise(limit.by_volume)] if limit else []
            if any(step > 0 for step in steps) and any(step < 0 for step in steps):
                said = "the limits by volume rise and fall from row to row; is one of them mistyped?"
                yield _finding(Level.WARNING, "table-order", said, rule)


def _finding(level: Level, code: str, message: str, rule: Rule) -> Finding:
    return Finding(level=level, code=code, message=message, where=rule.where)


CHECKS = (ladders, volume_tables)
