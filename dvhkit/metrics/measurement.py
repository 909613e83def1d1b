"""One metric of the grammar on one DVH: units, coverage, conversion of dose; and the notes that arise on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.dose_at_volume import require_volume
from dvhkit.metrics.expression import Effect, Metric
from dvhkit.metrics.prescribed import PrescriptionChoice, describe, the_prescription
from dvhkit.metrics.radiobiology.biology import LQ_DISPUTED_ABOVE_GY, bed_dvh, eqd2_dvh
from dvhkit.metrics.registry import Dimension, MetricSpec
from dvhkit.model.dvh import Dvh
from dvhkit.units import Unit, number_text

Uncovered = Literal["refuse", "exclude"]

# Above this share of the volume outside the dose grid a number is refused rather than computed on the rest.
MAX_UNCOVERED_FRAC = 0.01
# Below this share the gap is rounding of the volume sums, not a part of the structure.
_ROUNDING_FRAC = 1e-9


def in_effect(dvh: Dvh, effect: Effect, fractions: int | None, notes: list[str]) -> Dvh:
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
class Measurement:
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
            settled = self._require_coverage(at, uncovered)
            if settled is not None:
                return settled
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

    def _require_coverage(self, at: float, uncovered: Uncovered) -> float | None:
        """Refuse, or note, what lies outside the dose grid: it has no dose, and 0 Gy would be a lie.

        Returns the value where it does not depend on that part; else None.
        """
        dvh = self.dvh
        if not dvh.covered_cc > 0:
            raise NotEvaluable(
                f"all of the structure's {number_text(dvh.volume_cc, digits=5)} cc lie outside the dose grid.",
                reason=Reason.OUTSIDE_DOSE_GRID,
            )
        if dvh.uncovered_frac <= _ROUNDING_FRAC:
            return None
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
            return self._settled(at, outside)
        self.notes.append(f"{outside}; the value is that of the part inside")
        return None

    def _settled(self, at: float, outside: str) -> float:
        """Return the value if any dose of the part outside, up to that on the grid's faces, gives the same; else raise.

        Percentages of volume are then those of the whole structure.
        """
        reason = f"{outside}, where there is no dose"
        face_gy = self.dvh.face_gy
        if face_gy is not None:
            low, high = (
                replace(self, dvh=_completed(self.dvh, dose_gy), notes=self.notes).value("refuse")
                for dose_gy in (min(0.0, face_gy), face_gy)
            )
            face = f"the {number_text(face_gy, digits=4)} Gy on the grid's faces inside the structure"
            if math.isclose(low, high, rel_tol=_ROUNDING_FRAC, abs_tol=_ROUNDING_FRAC):
                self.notes.append(f"{outside}; the value does not depend on them, since it lies beyond {face}")
                return high
            low, high = sorted((low, high))
            unit = self.metric.unit.value
            reason += f"; with 0 Gy there, or {face}, {self.metric} is {_text(low)} or {_text(high)} {unit}"
        inside = _text(self._in_unit(self.row.function(self.dvh, at)))
        raise NotEvaluable(
            f"{reason}; on the part inside {self.metric} is {inside} {self.metric.unit.value}.",
            reason=Reason.OUTSIDE_DOSE_GRID,
        )


def _text(value: float) -> str:
    return number_text(value, digits=5)


def _completed(dvh: Dvh, dose_gy: float) -> Dvh:
    """Return the DVH with one dose for all that lies outside the dose grid."""
    assert dvh.min_gy is not None
    assert dvh.max_gy is not None
    place = int(np.searchsorted(dvh.dose_gy, dose_gy))
    return replace(
        dvh,
        dose_gy=np.insert(dvh.dose_gy, place, dose_gy),
        part_cc=np.insert(dvh.part_cc, place, dvh.volume_cc - dvh.covered_cc),
        min_gy=min(dvh.min_gy, dose_gy),
        max_gy=max(dvh.max_gy, dose_gy),
    )
