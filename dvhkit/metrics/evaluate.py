"""One metric on one structure: a number with its unit, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.metrics.measurement import MAX_UNCOVERED_FRAC, Measurement, Uncovered, in_effect
from dvhkit.metrics.plan_indices.index_value import Around, index_value
from dvhkit.metrics.plan_indices.surface_error import off_by_error
from dvhkit.metrics.prescribed import PrescriptionChoice, the_prescription
from dvhkit.metrics.registry import Dimension, IndexSpec, MetricSpec, index_spec, spec
from dvhkit.model.dvh import PEAKS, Dvh
from dvhkit.results.audit import MetricResult
from dvhkit.units import Unit

__all__ = ["MAX_UNCOVERED_FRAC", "Uncovered", "evaluate_metric", "with_band"]


def evaluate_metric(
    metric: Metric | str,
    dvh: Dvh | None,
    *,
    roi: str,
    prescription: PrescriptionChoice = None,
    uncovered: Uncovered = "refuse",
    volume_cc: float | None = None,
    fractions: int | None = None,
    body: Callable[[], Dvh] | None = None,
    beyond: Callable[[float], Dvh] | None = None,
    targets: int = 1,
) -> MetricResult:
    """Measure `metric` on the structure `roi`; never raises for what the data lack.

    Parameters
    ----------
    metric
        A parsed metric or its text; a text that cannot be read raises `MetricSyntaxError`.
    dvh
        The structure's DVH; None where there is no dose.
    prescription
        What percent doses refer to: one, none, or all of them, which is ambiguous if their doses differ.
    uncovered
        ``refuse``: no number if more than 1 % of the volume lies outside the dose grid. ``exclude``: a number for the
        part inside, with a note. Either way percentages of volume then refer to the part inside.
    volume_cc
        Volume of the structure where `dvh` is None, so that ``Volume[cc]`` is known without dose.
    fractions
        Number of fractions that the dose is given in, for metrics in EQD2 or BED.
    body
        Gives the DVH of the whole body, for indices of conformity; called only if one is asked for.
    beyond
        Gives the DVH of the body farther than so many mm from the structure; called only if an index asks for it.
    targets
        Number of target volumes in the plan: with several, the isodoses of an index may be another's, and it says so.

    Returns
    -------
    MetricResult
        `value` None has `reason_code` and `reason`. A V above the maximum dose is 0, and is a value.
    """
    metric = parse_metric(metric) if isinstance(metric, str) else metric
    around = Around(prescription, body, beyond, fractions)
    ask = _Question(metric, roi, around, uncovered, volume_cc, targets)
    row = ask.answer(dvh)
    index = index_spec(metric.kind)
    if dvh is None:
        return row
    if index is not None and not index.on_variants:
        if row.value is None or not dvh.variants:
            return row
        return replace(row, note="; ".join(filter(None, (row.note, "how far it may be off was not computed"))))
    others = [ask.answer(variant) for variant in dvh.variants if variant.reading != PEAKS]
    in_peaks = [variant for variant in dvh.variants if variant.reading == PEAKS]
    if index is not None and index.needs_body:
        # An isodose that fits best between both doses fits neither of them: each alone may be the other's.
        in_peaks += [replace(variant, reading="") for variant in in_peaks]
    banded = with_band(row, others, [ask.answer(variant) for variant in in_peaks])
    if index is not None:
        return _within(_off_by_error(banded, [ask.answer(other) for other in off_by_error(dvh)]), metric, index)
    return _widened(banded, metric, dvh, prescription) if metric.effect is None else banded


@dataclass(frozen=True, slots=True)
class _Question:
    """A metric on a structure, to be asked of its DVH and of that DVH's variants."""

    metric: Metric
    roi: str
    around: Around
    uncovered: Uncovered
    volume_cc: float | None
    targets: int

    def answer(self, dvh: Dvh | None) -> MetricResult:
        """Return the metric of one DVH, without a band."""
        notes: list[str] = []
        value, lack = None, None
        try:
            value = self._value(dvh, notes)
        except NotEvaluable as why:
            lack = why
        return MetricResult(
            roi=self.roi,
            metric=self.metric.canonical,
            unit=self.metric.unit.value,
            value=value,
            reason_code=lack.reason.value if lack else None,
            reason=lack.message if lack else None,
            note="; ".join(notes),
        )

    def _value(self, dvh: Dvh | None, notes: list[str]) -> float:
        metric = self.metric
        index = index_spec(metric.kind)
        if index is not None:
            value = index_value(index, metric, dvh, self.around, notes)
            if index.needs_body and self.targets > 1:
                notes.append(
                    f"the plan has {self.targets} target volumes, whose isodoses this index does not tell apart"
                )
            return value
        row = spec(metric.kind)
        dvh = dvh if dvh is not None else _volume_only(row, self.roi, self.volume_cc)
        dvh = dvh if metric.effect is None else in_effect(dvh, metric.effect, self.around.fractions, notes)
        return Measurement(metric, row, dvh, self.around.prescription, notes).value(self.uncovered)


def with_band(
    row: MetricResult, others: Sequence[MetricResult], in_other_doses: Sequence[MetricResult] = ()
) -> MetricResult:
    """Return `row` with the band that it and `others`, the same metric on the DVH's variants, span.

    `in_other_doses` read the same contours in another dose: what that changes comes on top of what other readings of
    the contours change, since one says nothing of the other.
    A variant without a value, such as one too small for the volume that the metric asks for, leaves the band open; the
    note and `band_open_code` say so. Without a value in `row` there is no band.
    """
    if row.value is None:
        has_value = any(other.value is not None for other in (*others, *in_other_doses))
        return replace(row, band_open_code=row.reason_code) if has_value else row
    if not others and not in_other_doses:
        return row
    values = [row.value, *(other.value for other in others if other.value is not None)]
    changes = [0.0, *(other.value - row.value for other in in_other_doses if other.value is not None)]
    others = (*others, *in_other_doses)
    lacking = next((other.reason for other in others if other.value is None and other.reason), None)
    note = row.note if lacking is None else "; ".join(filter(None, (row.note, f"as the slices are read, {lacking}")))
    code = next((other.reason_code for other in others if other.value is None), None)
    return replace(row, low=min(values) + min(changes), high=max(values) + max(changes), note=note, band_open_code=code)


def _off_by_error(row: MetricResult, others: Sequence[MetricResult]) -> MetricResult:
    """Return the row with its band widened by what the engine's own error changes."""
    if row.value is None or row.low is None or row.high is None:
        return row
    changes = [0.0, *(other.value - row.value for other in others if other.value is not None)]
    return replace(row, low=row.low + min(changes), high=row.high + max(changes))


def _within(row: MetricResult, metric: Metric, index: IndexSpec) -> MetricResult:
    """Return the row with a band that stays in the range that the index has by its definition."""
    if row.value is None or row.low is None or row.high is None:
        return row
    least, most = index.within
    if metric.unit is not index.units[0]:
        least, most = min(least, 0.0), math.inf
    return replace(row, low=min(row.value, max(row.low, least)), high=max(row.value, min(row.high, most)))


def _widened(row: MetricResult, metric: Metric, dvh: Dvh, prescription: PrescriptionChoice) -> MetricResult:
    """Return `row` with its band widened by the engine's own error, in the metric's unit; neither falls below 0.

    No part of a structure is more than all of it.
    """
    if row.low is None or row.high is None:
        return row
    is_dose = spec(metric.kind).gives is Dimension.DOSE
    scale = 1.0
    if metric.unit is Unit.PERCENT:
        scale = 100.0 / (the_prescription(prescription).dose_gy if is_dose else dvh.covered_cc)
    bounds = {"Min": dvh.min_bounds_gy, "Max": dvh.max_bounds_gy}.get(metric.kind)
    if bounds is not None:
        floor = min(0.0, row.low if row.value is None else row.value)
        # What a reading of the ends meets, it meets as exactly as the outlines were drawn.
        error = scale * dvh.dose_error_gy
        low = max(floor, min(row.low - error, scale * bounds[0]))
        return replace(row, low=low, high=max(row.high + error, scale * bounds[1]))
    low, high = row.low, row.high
    if is_dose:
        error = scale * _dose_error_gy(metric, dvh)
    else:
        error = scale * dvh.volume_error_cc * _surface_frac(row, metric, dvh, scale)
    if metric.kind == "Volume" and metric.unit is Unit.CC:
        low, high = low - dvh.ends_cc[0], high + dvh.ends_cc[1]
    top = high + error
    if metric.unit is Unit.PERCENT and not is_dose:
        top = max(high, min(top, 100.0))
    return replace(row, low=max(0.0, low - error), high=top)


def _surface_frac(row: MetricResult, metric: Metric, dvh: Dvh, scale: float) -> float:
    """Return about which part of a structure's surface bounds the part that a metric counts: it goes as its size.

    An isodose that lies within an organ is known as well as the dose, wherever the organ's own surface lies.
    """
    if spec(metric.kind).takes is not Dimension.DOSE or dvh.covered_cc <= 0 or row.high is None or row.low is None:
        return 1.0
    part = min(1.0, max(0.0, row.high / (scale * dvh.covered_cc)))
    if metric.unit is Unit.PERCENT:
        # A share and what it lacks of all of it are off by the same: nothing where no isodose cuts the structure.
        part = min(part, 1.0 - min(1.0, max(0.0, row.low / 100.0)))
    return float(part ** (2.0 / 3.0))


def _dose_error_gy(metric: Metric, dvh: Dvh) -> float:
    """Return the engine's own error of a dose: larger for a dose to a part than for one over the whole."""
    at = metric.at
    if spec(metric.kind).takes is not Dimension.VOLUME or at is None:
        return dvh.dose_error_gy
    return dvh.error_gy(at.value / 100 * dvh.covered_cc if at.unit is Unit.PERCENT else at.value)


def _volume_only(row: MetricSpec, roi: str, volume_cc: float | None) -> Dvh:
    """Return a DVH without dose, for what is known from the volume alone."""
    if row.needs_dose:
        raise NotEvaluable("there is no dose.", reason=Reason.NO_DOSE)
    if volume_cc is None:
        raise NotEvaluable("the volume of the structure is not known.", reason=Reason.NO_VOLUME)
    nothing = np.empty(0)
    return Dvh(roi=roi, dose_gy=nothing, part_cc=nothing, volume_cc=volume_cc, min_gy=None, max_gy=None)
