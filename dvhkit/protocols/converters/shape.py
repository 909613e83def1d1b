"""What the formats of others can hold of a rule, and what they have no place for."""

from __future__ import annotations

from dvhkit.protocols.checks.dose import DoseCheck
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.files.rules import Rule
from dvhkit.protocols.naming.selector import StructureSelector

# Fields of a rule that none of the formats of others has.
NOWHERE = ("when", "waivable", "source", "status", "note", "group", "alpha_beta_gy", "per_course")


def plain_check(rule: Rule) -> DoseCheck | None:
    """Return what a rule measures if it is a metric in physical dose against fixed limits; None for all others."""
    check = rule.check
    if not isinstance(check, DoseCheck) or check.metric.effect is not None or check.metric.model:
        return None
    return None if rule.goal.by_volume or rule.goal.words else check


def one_sided(rule: Rule) -> DoseCheck | None:
    """Return what a rule measures if it is a plain one that bounds from one side; None for all others."""
    return None if rule.goal.is_range else plain_check(rule)


def bound(limit: Limit) -> float:
    """Return the bound of a one-sided limit."""
    found = limit.high if limit.high is not None else limit.low
    assert found is not None  # a limit has at least one
    return found


def one_name(selector: StructureSelector) -> str:
    """Return the one name that a format has for a structure; that of its type where nothing else is said."""
    return selector.name or next(iter(selector.any_of), "") or selector.rt_roi_type
