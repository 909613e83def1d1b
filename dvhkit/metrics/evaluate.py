"""One metric on one structure: a number with its unit, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.biology import LQ_DISPUTED_ABOVE_GY, bed_dvh, eqd2_dvh
from dvhkit.metrics.dose_at_volume import require_volume
from dvhkit.metrics.expression import Effect, Metric, parse_metric
from dvhkit.metrics.prescribed import PrescriptionChoice, describe, the_prescription
from dvhkit.metrics.registry import Dimension, IndexInput, IndexSpec, MetricSpec, index_spec, spec
from dvhkit.model.dvh import Dvh
from dvhkit.results import MetricResult
from dvhkit.units import Unit, number_text

Uncovered = Literal["refuse", "exclude"]

# Above this share of the volume outside the dose grid a number is refused rather than computed on the rest.
MAX_UNCOVERED_FRAC = 0.01
# Below this share the gap is rounding of the volume sums, not a part of the structure.
_ROUNDING_FRAC = 1e-9


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
    around = _Around(prescription, body, beyond)
    ask = _Question(metric, roi, around, uncovered, volume_cc, fractions, targets)
    row = ask.answer(dvh)
    if dvh is None or index_spec(metric.kind) is not None:
        return row
    banded = with_band(row, [ask.answer(variant) for variant in dvh.variants])
    return banded if metric.effect is not None else _widened(banded, metric, dvh, prescription)


@dataclass(frozen=True, slots=True)
class _Around:
    """What a metric may need beside the structure's DVH."""

    prescription: PrescriptionChoice
    body: Callable[[], Dvh] | None
    beyond: Callable[[float], Dvh] | None


@dataclass(frozen=True, slots=True)
class _Question:
    """A metric on a structure, to be asked of its DVH and of that DVH's variants."""

    metric: Metric
    roi: str
    around: _Around
    uncovered: Uncovered
    volume_cc: float | None
    fractions: int | None
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
            value = _index_value(index, metric, dvh, self.around, notes)
            if index.needs_body and self.targets > 1:
                notes.append(
                    f"the plan has {self.targets} target volumes, whose isodoses this index does not tell apart"
                )
            return value
        row = spec(metric.kind)
        dvh = dvh if dvh is not None else _volume_only(row, self.roi, self.volume_cc)
        dvh = dvh if metric.effect is None else _in_effect(dvh, metric.effect, self.fractions, notes)
        return _Measurement(metric, row, dvh, self.around.prescription, notes).value(self.uncovered)


def with_band(row: MetricResult, others: Sequence[MetricResult]) -> MetricResult:
    """Return `row` with the band that it and `others`, the same metric on the DVH's variants, span.

    A variant without a value, such as one too small for the volume that the metric asks for, leaves the band open; the
    note and `band_open_code` say so. Without a value in `row` there is no band.
    """
    if row.value is None:
        has_value = any(other.value is not None for other in others)
        return replace(row, band_open_code=row.reason_code) if has_value else row
    if not others:
        return row
    values = [row.value, *(other.value for other in others if other.value is not None)]
    lacking = next((other.reason for other in others if other.value is None and other.reason), None)
    note = row.note if lacking is None else "; ".join(filter(None, (row.note, f"as the slices are read, {lacking}")))
    code = next((other.reason_code for other in others if other.value is None), None)
    return replace(row, low=min(values), high=max(values), note=note, band_open_code=code)


def _widened(row: MetricResult, metric: Metric, dvh: Dvh, prescription: PrescriptionChoice) -> MetricResult:
    """Return `row` with its band widened by the engine's own error, in the metric's unit; neither falls below 0.

    No part of a structure is more than all of it.
    """
    if row.low is None or row.high is None:
        return row
    is_dose = spec(metric.kind).gives is Dimension.DOSE
    error = dvh.dose_error_gy if is_dose else dvh.volume_error_cc
    if metric.unit is Unit.PERCENT:
        whole = the_prescription(prescription).dose_gy if is_dose else dvh.covered_cc
        error *= 100.0 / whole
    high = row.high + error
    if metric.unit is Unit.PERCENT and not is_dose:
        high = max(row.high, min(high, 100.0))
    return replace(row, low=max(0.0, row.low - error), high=high)


def _volume_only(row: MetricSpec, roi: str, volume_cc: float | None) -> Dvh:
    """Return a DVH without dose, for what is known from the volume alone."""
    if row.needs_dose:
        raise NotEvaluable("there is no dose.", reason=Reason.NO_DOSE)
    if volume_cc is None:
        raise NotEvaluable("the volume of the structure is not known.", reason=Reason.NO_VOLUME)
    nothing = np.empty(0)
    return Dvh(roi=roi, dose_gy=nothing, part_cc=nothing, volume_cc=volume_cc, min_gy=None, max_gy=None)


def _index_value(index: IndexSpec, metric: Metric, dvh: Dvh | None, around: _Around, notes: list[str]) -> float:
    """Return an index of a target; it needs the whole target inside the dose grid."""
    if dvh is None:
        raise NotEvaluable("there is no dose.", reason=Reason.NO_DOSE)
    whole = _Measurement(parse_metric("Mean[Gy]"), spec("Mean"), dvh, around.prescription, notes)
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
        return found

    def far(distance_mm: float) -> Dvh:
        if around.beyond is None:
            raise NotEvaluable("the body around the target is not known.", reason=Reason.NO_STRUCTURE)
        return around.beyond(distance_mm)

    value = index.function(IndexInput(target=dvh, prescribed_gy=whole.prescribed_gy, body=the_body, beyond=far))
    if metric.unit is Unit.PERCENT and index.units[0] is Unit.GY:
        value *= 100 / whole.prescribed_gy()
    if not math.isfinite(value):
        raise NotEvaluable("the dose of the structure is not a number everywhere.", reason=Reason.NO_DOSE)
    return value


def _in_effect(dvh: Dvh, effect: Effect, fractions: int | None, notes: list[str]) -> Dvh:
    """Return the DVH in a biological dose, and note what it rests on."""
    if fractions is None or fractions < 1:
        raise NotEvaluable(
            f"{effect.kind} needs the number of fractions, and nobody states it.", reason=Reason.NO_FRACTIONS
        )
    convert = eqd2_dvh if effect.kind == "EQD2" else bed_dvh
    per_fraction_gy = (dvh.max_gy or 0.0) / fractions
    doubt = (
        f"; the model is disputed above {LQ_DISPUTED_ABOVE_GY:g} Gy per fraction and there are "
        f"{number_text(per_fraction_gy, digits=3)} Gy here"
    )
    notes.append(
        f"{effect.kind} by the linear-quadratic model, alpha/beta {number_text(effect.alpha_beta_gy)} Gy, "
        f"{fractions} fraction{'' if fractions == 1 else 's'}"
        f"{doubt if per_fraction_gy > LQ_DISPUTED_ABOVE_GY else ''}"
    )
    return convert(dvh, fractions, effect.alpha_beta_gy)


@dataclass(frozen=True, slots=True)
class _Measurement:
    """One metric on one DVH, and the notes that arise on the way."""

    metric: Metric
    row: MetricSpec
    dvh: Dvh
    prescription: PrescriptionChoice
    notes: list[str] = field(default_factory=list)

    def value(self, uncovered: Uncovered) -> float:
        """Return the value in the metric's unit; raises `NotEvaluable`."""
        if not self.dvh.volume_cc > 0:
            raise NotEvaluable("the structure is empty: it has no volume.", reason=Reason.EMPTY_STRUCTURE)
        at = self._native_argument()
        if self._asks_cc:
            require_volume(self.dvh, at, name=self.row.name)
        if self.row.needs_dose:
            self._require_coverage(at, uncovered)
        return self._in_unit(self.row.function(self.dvh, at))

    @property
    def _asks_cc(self) -> bool:
        at = self.metric.at
        return self.row.takes is Dimension.VOLUME and at is not None and at.unit is Unit.CC

    def _native_argument(self) -> float:
        """Return the argument in Gy or cc: percent of the prescription, or of the volume inside the dose grid."""
        at = self.metric.at
        if at is None:
            return 0.0
        if at.unit is not Unit.PERCENT:
            return at.value
        whole = self.prescribed_gy() if self.row.takes is Dimension.DOSE else self.dvh.covered_cc
        return at.value / 100 * whole

    def _in_unit(self, native: float) -> float:
        """Return Gy or cc in the unit that was asked for."""
        if not math.isfinite(native):
            raise NotEvaluable("the dose of the structure is not a number everywhere.", reason=Reason.NO_DOSE)
        if self.metric.unit is not Unit.PERCENT:
            return native
        whole = self.prescribed_gy() if self.row.gives is Dimension.DOSE else self.dvh.covered_cc
        return 100 * native / whole

    def prescribed_gy(self) -> float:
        """Return the one prescribed dose, and note where it is from; raises `NotEvaluable`."""
        chosen = the_prescription(self.prescription)
        if describe(chosen) not in self.notes:
            self.notes.append(describe(chosen))
        return chosen.dose_gy

    def _require_coverage(self, at: float, uncovered: Uncovered) -> None:
        """Refuse, or note, what lies outside the dose grid: it has no dose, and 0 Gy would be a lie."""
        dvh = self.dvh
        if not dvh.covered_cc > 0:
            raise NotEvaluable(
                f"all of the structure's {number_text(dvh.volume_cc, digits=5)} cc lie outside the dose grid.",
                reason=Reason.OUTSIDE_DOSE_GRID,
            )
        if dvh.uncovered_frac <= _ROUNDING_FRAC:
            return
        outside = (
            f"{number_text(dvh.volume_cc - dvh.covered_cc, digits=4)} cc "
            f"({number_text(100 * dvh.uncovered_frac, digits=3)} %) of the structure lie outside the dose grid"
        )
        if self._asks_cc and at > dvh.covered_cc * (1 + _ROUNDING_FRAC):
            asked = number_text(at, digits=5)
            raise NotEvaluable(
                f"{outside}; the rest is less than the {asked} cc that the metric asks for.",
                reason=Reason.OUTSIDE_DOSE_GRID,
            )
        if dvh.uncovered_frac > MAX_UNCOVERED_FRAC and uncovered == "refuse":
            inside = number_text(self._in_unit(self.row.function(dvh, at)), digits=5)
            raise NotEvaluable(
                f"{outside}, where there is no dose; on the part inside {self.metric} is "
                f"{inside} {self.metric.unit.value}.",
                reason=Reason.OUTSIDE_DOSE_GRID,
            )
        self.notes.append(f"{outside}; the value is that of the part inside")
