"""Ladders of prescriptions: from a validated file to plain records."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.metrics.registry import index_spec
from dvhkit.protocols.checks.limits import Limit, parse_limit
from dvhkit.protocols.files.problems import Problems
from dvhkit.protocols.files.rules import LadderCheck, Rung, StructureSelector
from dvhkit.units import Unit
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.schema import RuleModel, RungModel


def ladder_goal(place: Place, model: RuleModel, problems: Problems) -> tuple[Limit, None] | None:
    """Return the goal of a ladder, which is what the plan prescribes."""
    if re.fullmatch(r"\s*(>=|≥)\s*prescription\s*", model.goal) is None:
        problems.add((*place, "goal"), f"the goal {model.goal!r} of a ladder must be '>= prescription'")
        return None
    for key in ("variation", "score"):
        if getattr(model, key) is not None:
            problems.add((*place, key), f"a ladder has no {key}")
    return Limit(low=0.0, high=None, unit=Unit.GY, of_prescription=True), None


def ladder_check(
    place: Place, model: RuleModel, structure: StructureSelector | None, problems: Problems
) -> LadderCheck | None:
    """Return the ladder, its highest prescription first."""
    assert model.ladder is not None
    rungs = [_rung((*place, "ladder", i), rung, problems) for i, rung in enumerate(model.ladder)]
    made = [rung for rung in rungs if rung is not None]
    if structure is None or len(made) < len(rungs):
        return None
    if any(a.prescription_gy <= b.prescription_gy for a, b in pairwise(made)):
        problems.add((*place, "ladder"), "the prescriptions of a ladder must fall from rung to rung")
    measured = {tuple(metric for metric, _ in rung.limits) for rung in made}
    if len(measured) > 1:
        problems.add((*place, "ladder"), "every rung of a ladder must limit the same metrics, in the same order")
    return LadderCheck(structure=structure, rungs=tuple(made))


def _rung(place: Place, model: RungModel, problems: Problems) -> Rung | None:
    limits = []
    for text, limit_text in model.limits.items():
        at = (*place, "limits", text)
        metric = problems.attempt(at, partial(parse_metric, text))
        if metric is None:
            continue
        if metric.effect is not None or metric.unit not in (Unit.GY, Unit.PERCENT) or not _scales(metric):
            problems.add(at, f"{metric} does not scale with the prescription; a ladder takes doses and Veff")
            continue
        limit = problems.attempt(at, partial(parse_limit, limit_text, unit=metric.unit))
        if limit is not None:
            limits.append((metric, limit))
    whole = len(limits) == len(model.limits)
    return Rung(prescription_gy=model.prescription_gy, limits=tuple(limits)) if whole else None


def _scales(metric: Metric) -> bool:
    """Whether a metric grows with all doses in proportion, or as a share of the prescription not at all."""
    row = index_spec(metric.kind)
    if row is not None:
        at = dict(metric.arguments).get("at")
        return metric.kind == "Veff" and at is not None and at.unit is Unit.PERCENT
    return metric.kind in ("D", "DC", "Mean", "Max", "Min", "Median", "SD", "gEUD")
