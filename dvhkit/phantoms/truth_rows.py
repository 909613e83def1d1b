"""True metrics as rows, worded like the rows that dvhkit computes, so that the two can be joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dvhkit.phantoms.truth import Truth

_VOLUME_PCT = (99.0, 98.0, 95.0, 80.0, 50.0, 20.0, 5.0, 2.0, 1.0)
_VOLUME_CC = (0.03, 0.1, 1.0)
# Doses for V..Gy are spread over the range at these parts, then rounded to what a protocol would ask for.
_DOSE_PARTS = (0.2, 0.4, 0.6, 0.8)


class TruthRow(NamedTuple):
    """One true value.

    Attributes
    ----------
    reading
        ``solid``: of the ideal shape in the ideal dose. ``stack``: of the drawn polygons, each extended half a slice to
        either side. ``grid``: of the ideal shape in what the dose grid holds, trilinear between its points.
    """

    roi: str
    reading: str
    metric: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoiTruth:
    """The true DVH of one structure.

    Attributes
    ----------
    stack, grid
        The other readings, where they differ and can be computed.
    doses_gy
        Doses at which volumes are asked for; empty for a spread over the range.
    """

    roi: str
    solid: Truth
    stack: Truth | None = None
    grid: Truth | None = None
    doses_gy: tuple[float, ...] = ()


def truth_rows(truth: RoiTruth) -> tuple[TruthRow, ...]:
    """Return the true metrics of one structure in every reading."""
    doses_gy = truth.doses_gy or _spread(truth.solid)
    readings = [("solid", truth.solid), ("stack", truth.stack), ("grid", truth.grid)]
    return tuple(
        TruthRow(truth.roi, reading, metric, value, unit)
        for reading, dvh in readings
        if dvh is not None
        for metric, value, unit in _metrics(dvh, doses_gy)
    )


def _spread(dvh: Truth) -> tuple[float, ...]:
    return tuple(round(dvh.min_gy + part * (dvh.max_gy - dvh.min_gy), 1) for part in _DOSE_PARTS)


def _metrics(dvh: Truth, doses_gy: tuple[float, ...]) -> list[tuple[str, float, str]]:
    rows = [
        ("Volume[cc]", dvh.volume_cc, "cc"),
        ("Min[Gy]", dvh.min_gy, "Gy"),
        ("Mean[Gy]", dvh.mean_gy, "Gy"),
        ("Max[Gy]", dvh.max_gy, "Gy"),
    ]
    rows += [(f"D{pct:g}%[Gy]", dvh.dose_at_pct_gy(pct), "Gy") for pct in _VOLUME_PCT]
    rows += [(f"D{cc:g}cc[Gy]", dvh.dose_to_hottest_gy(cc), "Gy") for cc in _VOLUME_CC if cc < dvh.volume_cc]
    for gy in doses_gy:
        rows.append((f"V{gy:g}Gy[%]", dvh.volume_at_least_pct(gy), "%"))
        rows.append((f"V{gy:g}Gy[cc]", dvh.volume_at_least_cc(gy), "cc"))
    return rows
