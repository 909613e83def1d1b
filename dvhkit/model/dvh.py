"""A dose-volume histogram without bins that matter: how much volume sits at which dose."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.extras import needs_extra
from dvhkit.findings import Finding
from dvhkit.model.arrays import FloatArray, frozen_array

if TYPE_CHECKING:
    import pandas as pd

# Two doses are the same if they differ by less than this fraction: dose is an integer times DoseGridScaling, a
# decimal text of at most 16 characters, so a planned 15 Gy may come back as 14.99999999 Gy.
DOSE_EQUALITY_RTOL = 1e-7
# The same for volumes, whose sums carry rounding errors only.
_VOLUME_EQUALITY_RTOL = 1e-9
# The reading of a dose whose peaks and valleys are as round as its voxels tell.
PEAKS = "round peaks"
# The error of the dose to less than this share of a structure is that at a point of its surface, and grows no more.
_LEAST_PART_FRAC = 5e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dvh:
    """Volume of a structure by dose.

    Attributes
    ----------
    dose_gy : (n,)
        Doses that occur, ascending.
    part_cc : (n,)
        Volume at each of them; sums to `covered_cc`.
    volume_cc
        Volume of the structure, wherever the dose grid ends.
    covered_cc
        Volume that lies inside the dose grid.
    min_gy, max_gy
        Least and greatest dose anywhere in the covered part, its surface included; None where nothing is covered.
    findings
        What the engine met on the way: crossing contours, a lone slice, volume outside the dose grid.
    variants
        The same structure under the other conventions that its drawn slices allow; a metric's band runs from its least
        to its greatest value over this DVH and these. Empty where no band was asked for.
    reading
        What a variant assumes, such as ``prism``; `PEAKS` for the one that reads the same contours in another dose.
    ends_cc
        By how much less and more volume it may have at its ends, where no variant reads them: of large structures,
        whose ends are uncertain by far more than their doses.
    volume_error_cc, dose_error_gy
        The engine's own error estimate: what a shift of the surface by a small part of the slice distance, and by what
        the chords of its outlines cut off, changes. `error_gy` says what that means for a part of the structure.
    face_gy
        Where part of the structure lies outside the dose grid: the greatest dose on the grid's faces inside the
        structure, above which the part outside cannot be taken to lie. None where nothing lies outside, or it was not
        looked at.
    min_bounds_gy, max_bounds_gy
        Between what the least and the greatest dose lie for all that the drawn slices say; None where no band was
        asked for. A drawn contour belongs to the structure, and an edge or a tip between two slices is drawn on
        neither.

    Notes
    -----
    Boundaries are inclusive on both sides: `volume_at_least_cc` counts dose >= d and `volume_at_most_cc` dose <= d,
    so both hold for a uniform dose of exactly d. Volume outside the dose grid has no dose and is in neither.
    """

    roi: str
    dose_gy: FloatArray
    part_cc: FloatArray
    volume_cc: float
    min_gy: float | None
    max_gy: float | None
    findings: tuple[Finding, ...] = ()
    variants: tuple[Dvh, ...] = ()
    volume_error_cc: float = 0.0
    dose_error_gy: float = 0.0
    face_gy: float | None = None
    min_bounds_gy: tuple[float, float] | None = None
    max_bounds_gy: tuple[float, float] | None = None
    reading: str = ""
    ends_cc: tuple[float, float] = (0.0, 0.0)
    covered_cc: float = field(init=False)

    def __repr__(self) -> str:
        dose = "no dose" if self.min_gy is None or self.max_gy is None else f"{self.min_gy:.4g} to {self.max_gy:.4g} Gy"
        return f"<Dvh {self.roi!r}: {self.volume_cc:.4g} cc, {dose}>"

    def _repr_html_(self) -> str:
        return escape(repr(self))

    def __post_init__(self) -> None:
        object.__setattr__(self, "dose_gy", frozen_array(self.dose_gy))
        object.__setattr__(self, "part_cc", frozen_array(self.part_cc))
        # Every metric asks for it.
        object.__setattr__(self, "covered_cc", float(self.part_cc.sum()))

    @property
    def uncovered_frac(self) -> float:
        """Fraction of the volume that lies outside the dose grid."""
        return max(0.0, 1.0 - self.covered_cc / self.volume_cc) if self.volume_cc > 0 else 0.0

    def error_gy(self, part_cc: float) -> float:
        """Return the engine's own error of the dose that parts the hottest or coldest `part_cc` from the rest.

        Errors of the surface average out over a whole structure, and less so over a part of it: the estimate grows as
        the length of half the structure over that of the part, or of the rest if that is smaller.
        """
        whole = self.covered_cc
        return float(self.errors_gy(np.array(part_cc / whole))) if whole > 0 else self.dose_error_gy

    def errors_gy(self, part_frac: FloatArray) -> FloatArray:
        """Return `error_gy` of the doses that part these shares of the structure from the rest."""
        part = np.clip(np.minimum(part_frac, 1.0 - part_frac), _LEAST_PART_FRAC, 0.5)
        return np.asarray(self.dose_error_gy * (0.5 / part) ** (1.0 / 3.0))

    @property
    def mean_gy(self) -> float:
        """Mean dose of the covered part."""
        self._require_dose()
        return float(np.dot(self.dose_gy, self.part_cc) / self.part_cc.sum())

    def volume_at_least_cc(self, dose_gy: float) -> float:
        """Volume that receives `dose_gy` or more."""
        first = np.searchsorted(self.dose_gy, dose_gy - abs(dose_gy) * DOSE_EQUALITY_RTOL, side="left")
        return float(self.part_cc[first:].sum())

    def volume_at_most_cc(self, dose_gy: float) -> float:
        """Volume that receives `dose_gy` or less."""
        last = np.searchsorted(self.dose_gy, dose_gy + abs(dose_gy) * DOSE_EQUALITY_RTOL, side="right")
        return float(self.part_cc[:last].sum())

    def dose_to_hottest_gy(self, volume_cc: float) -> float:
        """Greatest dose that `volume_cc` of the structure receives at least.

        On a plateau, where many doses qualify, the upper end. Raises `NotEvaluable` if the structure is smaller.
        """
        return self._dose_at(volume_cc, self.dose_gy[::-1], self.part_cc[::-1], self.max_gy, self.min_gy)

    def dose_to_coldest_gy(self, volume_cc: float) -> float:
        """Least dose that `volume_cc` of the structure receives at most.

        On a plateau the lower end. Raises `NotEvaluable` if the structure is smaller.
        """
        return self._dose_at(volume_cc, self.dose_gy, self.part_cc, self.min_gy, self.max_gy)

    def _dose_at(
        self,
        volume_cc: float,
        dose_gy: FloatArray,
        part_cc: FloatArray,
        at_none: float | None,
        at_all: float | None,
    ) -> float:
        self._require_dose()
        assert at_none is not None
        assert at_all is not None
        total_cc = float(part_cc.sum())
        slack_cc = total_cc * _VOLUME_EQUALITY_RTOL
        if volume_cc > total_cc + slack_cc:
            raise NotEvaluable(
                f"{self.roi} has {total_cc:.4g} cc with dose, less than the {volume_cc:.4g} cc asked for.",
                reason=Reason.VOLUME_TOO_SMALL,
            )
        if volume_cc <= 0:
            return at_none
        if volume_cc >= total_cc - slack_cc:
            return at_all
        reached = np.cumsum(part_cc)
        return float(dose_gy[np.searchsorted(reached, volume_cc - slack_cc, side="left")])

    def _require_dose(self) -> None:
        if self.part_cc.size == 0 or self.covered_cc <= 0:
            raise NotEvaluable(f"{self.roi} lies outside the dose grid.", reason=Reason.OUTSIDE_DOSE_GRID)

    def curve(self, *, step_gy: float = 0.1) -> tuple[FloatArray, FloatArray]:
        """Return the cumulative curve: doses from 0 in steps, and the volume in cc that receives at least each."""
        top_gy = self.max_gy or 0.0
        doses = np.arange(0.0, top_gy + 2 * step_gy, step_gy)
        below = np.concatenate([[0.0], np.cumsum(self.part_cc)])
        first = np.searchsorted(self.dose_gy, doses * (1 - DOSE_EQUALITY_RTOL), side="left")
        return doses, below[-1] - below[first]

    def to_frame(self, *, step_gy: float = 0.1) -> pd.DataFrame:
        """Return the cumulative curve as a pandas table: ``dose_gy``, ``volume_cc``, ``volume_pct``."""
        with needs_extra("tables"):
            import pandas as pd

        doses, volumes = self.curve(step_gy=step_gy)
        scale = 100.0 / self.volume_cc if self.volume_cc > 0 else 0.0
        return pd.DataFrame({"dose_gy": doses, "volume_cc": volumes, "volume_pct": volumes * scale})
