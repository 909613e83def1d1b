"""Where a rule's limit stands in a DVH plot, for the rules that have such a place.

The limit ``D95%[Gy] >= 57 Gy`` is the point (57 Gy, 95 %): the curve has to pass on its right. A limit on a mean dose
has no place in the plot. Percent of a prescription become Gy by the rule's note, which begins one of its parts with
such as ``100 % = 50 Gy (`` wherever a metric used a prescription.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.results.audit import Curve, RuleResult

_NUMBER = r"(\d+(?:\.\d+)?)"
_DOSE_AT_VOLUME = re.compile(rf"(D|DC){_NUMBER}(%|cc)\[(Gy|%)\]")
_VOLUME_AT_DOSE = re.compile(rf"(V|CV){_NUMBER}(Gy|%)\[(%|cc)\]")
_EXTREME = re.compile(r"(Max|Min)\[(Gy|%)\]")
_PRESCRIBED = re.compile(rf"(?:^|; )100 % = {_NUMBER} Gy \(")
_LIMIT = re.compile(rf"(<=|>=|<|>)\s*{_NUMBER}\s*(Gy|%|cc)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitMarker:
    """A limit as a point of the cumulative DVH of one structure.

    Attributes
    ----------
    curve
        Index of the curve it belongs to.
    dose_gy, volume_pct
        The point.
    towards
        The side on which the curve has to pass: ``left``, ``right``, ``below`` or ``above``.
    rule
        The rule that sets the limit.
    """

    curve: int
    dose_gy: float
    volume_pct: float
    towards: str
    rule: RuleResult


def find_markers(rules: Iterable[RuleResult], curves: Iterable[Curve]) -> list[LimitMarker]:
    """Return the markers of all `rules` that were judged on a structure with a curve and whose limit is a point."""
    places = {curve.roi: (index, curve.volume_cc) for index, curve in enumerate(curves)}
    markers = []
    for rule in rules:
        if rule.value is None or rule.roi not in places:
            continue
        index, volume_cc = places[rule.roi]
        point = _point(rule, volume_cc)
        if point is not None:
            dose_gy, volume_pct, towards = point
            markers.append(LimitMarker(curve=index, dose_gy=dose_gy, volume_pct=volume_pct, towards=towards, rule=rule))
    return markers


def _point(rule: RuleResult, volume_cc: float) -> tuple[float, float, str] | None:
    limit = _LIMIT.fullmatch(rule.goal.strip())
    if limit is None or volume_cc <= 0:
        return None
    is_upper, level, unit = limit[1].startswith("<"), float(limit[2]), limit[3]
    if (found := _DOSE_AT_VOLUME.fullmatch(rule.quantity)) and unit == found[4]:
        volume_pct = _as_pct(float(found[2]), found[3], volume_cc)
        at_pct = 100 - volume_pct if found[1] == "DC" else volume_pct
        dose_gy, towards = _as_gy(level, unit, rule.note), "left" if is_upper else "right"
    elif (found := _VOLUME_AT_DOSE.fullmatch(rule.quantity)) and unit == found[4]:
        volume_pct = _as_pct(level, unit, volume_cc)
        # A complement counts the volume below the dose, so that its upper limit is a lower one of the curve.
        is_complement = found[1] == "CV"
        at_pct = 100 - volume_pct if is_complement else volume_pct
        dose_gy = _as_gy(float(found[2]), found[3], rule.note)
        towards = "below" if is_upper != is_complement else "above"
    elif (found := _EXTREME.fullmatch(rule.quantity)) and unit == found[2]:
        at_pct = 0.0 if found[1] == "Max" else 100.0
        dose_gy, towards = _as_gy(level, unit, rule.note), "left" if is_upper else "right"
    else:
        return None
    return (dose_gy, at_pct, towards) if dose_gy is not None and 0 <= at_pct <= 100 else None


def _as_gy(dose: float, unit: str, note: str) -> float | None:
    if unit == "Gy":
        return dose
    prescribed = _PRESCRIBED.search(note)
    return dose / 100 * float(prescribed[1]) if prescribed else None


def _as_pct(volume: float, unit: str, volume_cc: float) -> float:
    return volume if unit == "%" else 100 * volume / volume_cc
