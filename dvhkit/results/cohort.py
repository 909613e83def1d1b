"""What many cases have in common: bands of DVHs, distributions of metrics, pass rates, and who stands out."""

from __future__ import annotations

from dataclasses import dataclass

BANDS_SCHEMA = "dvhkit/bands/1"
# Percentiles that a band is told by; 0 and 100 are the lowest and the highest.
PERCENTILES = (0, 10, 25, 50, 75, 90, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class DvhBand:
    """Percentiles, over cases, of the volume (percent) of one structure that receives at least each dose.

    `volume_pct` has a row a percentile of `PERCENTILES`.
    """

    roi: str
    n: int
    dose_gy: tuple[float, ...]
    volume_pct: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Percentiles (of `PERCENTILES`) of one metric of one structure over the `n` cases that have a value."""

    roi: str
    metric: str
    unit: str
    n: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRate:
    """How often a rule was met where it was judged, with Wilson's 95 % interval; `n_open` could not be judged."""

    rule_id: str
    n_met: int
    n_judged: int
    n_open: int
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A value that stands apart: its robust z is (value - median) / (1.4826 MAD)."""

    case_id: str
    roi: str
    metric: str
    unit: str
    value: float
    median: float
    robust_z: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """A cohort; `excluded` are cases without a result, each with its reason."""

    n_cases: int
    bands: tuple[DvhBand, ...]
    distributions: tuple[Distribution, ...]
    pass_rates: tuple[PassRate, ...]
    outliers: tuple[Outlier, ...]
    excluded: tuple[tuple[str, str], ...]
