"""What another system made of a phantom, beside what is true."""

from __future__ import annotations

from dataclasses import dataclass

GRADE_SCHEMA = "dvhkit/phantom-grade/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedValue:
    """One true value and what the system said; `measured` None where it said nothing.

    `deviation` is in percent of the true value for cc and Gy, and in percent points for %; None without a value.
    """

    roi: str
    metric: str
    unit: str
    true: float
    measured: float | None
    deviation: float | None
    within: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomGrade:
    """All values of one system on one phantom.

    Attributes
    ----------
    reading
        Which truth the values were held against: ``solid``, ``stack`` or ``grid`` (docs/phantoms.md).
    nearest_reading
        The reading that the system's values are nearest to: what it does between and beyond slices.
    """

    phantom: str
    source: str
    reading: str
    nearest_reading: str
    tolerance_pct: float
    values: tuple[GradedValue, ...]
    not_in_phantom: tuple[str, ...]

    @property
    def beyond(self) -> int:
        """How many values miss the truth by more than the tolerance, or are not there."""
        return sum(not value.within for value in self.values)
