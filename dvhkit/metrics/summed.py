"""What a metric means on the dose of several courses together."""

from __future__ import annotations

from dataclasses import replace

from dvhkit.metrics.expression import Metric
from dvhkit.model.case import SummedDose
from dvhkit.units import number_text


def metric_of_sum(metric: Metric, summed: SummedDose) -> tuple[Metric, str]:
    """Return the metric to ask of a summed dose, and why it has no meaning there; empty where it has one.

    Courses cannot be told apart in their sum, so the sum cannot be converted; one that is in the very EQD2 that a
    metric asks for need not be.
    """
    effect = metric.effect
    if effect is None:
        return metric, ""
    alpha_beta_gy = summed.eqd2_alpha_beta_gy
    if alpha_beta_gy is None:
        return metric, f"{effect} of a sum of physical doses is not the sum of {effect}; add the courses in EQD2."
    if effect.kind == "EQD2" and effect.alpha_beta_gy == alpha_beta_gy:
        return replace(metric, effect=None), ""
    return metric, f"the courses were added in EQD2 with alpha/beta {number_text(alpha_beta_gy)} Gy, not in {effect}."
