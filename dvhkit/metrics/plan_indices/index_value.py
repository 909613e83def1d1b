"""One index on one DVH: what it needs around the structure, and its value in the unit that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.metrics.measurement import MAX_UNCOVERED_FRAC, Measurement, in_effect
from dvhkit.metrics.prescribed import PrescriptionChoice
from dvhkit.metrics.registry import IndexInput, IndexSpec, spec
from dvhkit.model.dvh import Dvh
from dvhkit.units import Unit, number_text


@dataclass(frozen=True, slots=True)
class Around:
    """What a metric may need beside the structure's DVH."""

    prescription: PrescriptionChoice
    body: Callable[[], Dvh] | None
    beyond: Callable[[float], Dvh] | None
    fractions: int | None


def index_value(index: IndexSpec, metric: Metric, dvh: Dvh | None, around: Around, notes: list[str]) -> float:
    """Return an index of a structure; it needs the whole of it inside the dose grid."""
    if dvh is None:
        raise NotEvaluable("there is no dose.", reason=Reason.NO_DOSE)
    dvh = dvh if metric.effect is None else in_effect(dvh, metric.effect, around.fractions, notes)
    if metric.outcome_model is not None:
        notes.append(metric.outcome_model.note)
    whole = Measurement(parse_metric("Mean[Gy]"), spec("Mean"), dvh, around.prescription, notes)
    whole.value("refuse")  # raises for what is empty or outside

    def the_body() -> Dvh:
        if around.body is None:
            raise NotEvaluable("the body is not known, so isodose volumes are not.", reason=Reason.NO_STRUCTURE)
        found = around.body()
        note = f"isodose volumes within {found.roi}"
        if found.uncovered_frac > MAX_UNCOVERED_FRAC:
            note += f", {number_text(100 * found.uncovered_frac, digits=3)} % of which lie outside the dose grid"
        if note not in notes:
            notes.append(note)
        # The isodose in the same reading: in the same dose, and in a body whose contours are read alike.
        return next((variant for variant in found.variants if dvh.reading and variant.reading == dvh.reading), found)

    def far(distance_mm: float) -> Dvh:
        if around.beyond is None:
            raise NotEvaluable("the body around the target is not known.", reason=Reason.NO_STRUCTURE)
        return around.beyond(distance_mm)

    given = IndexInput(
        target=dvh,
        prescribed_gy=whole.prescribed_gy,
        body=the_body,
        beyond=far,
        arguments=dict(metric.arguments),
        fractions=around.fractions,
    )
    value = index.function(given)
    if metric.unit is Unit.PERCENT and index.units[0] is Unit.GY:
        value *= 100 / whole.prescribed_gy()
    elif metric.unit is Unit.CC and index.units[0] is Unit.PERCENT:
        value *= dvh.covered_cc / 100
    if not math.isfinite(value):
        raise NotEvaluable("the dose of the structure is not a number everywhere.", reason=Reason.NO_DOSE)
    return value
