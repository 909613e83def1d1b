"""What a margin check says: plain frozen records, to JSON by `dataclasses.asdict`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dvhkit.findings import Finding
from dvhkit.results.audit import Verdict

Point = tuple[float, float, float]


class CropKind(StrEnum):
    """Why an outer structure falls short of, or exceeds, what was recovered."""

    CUT = "cut by a structure"
    SLICES = "slices missing at an end"
    OUTSIDE = "inner outside outer"
    DENT = "unexplained shortfall"
    BULGE = "unexplained excess"
    HOLDS_OTHER = "holds another structure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is: patient coordinates (LPS, mm), the slice nearest to it, and the direction in words."""

    point_mm: Point
    slice_mm: float
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A part of the surface where the outer structure does not follow the recovered margins.

    Attributes
    ----------
    structure, gap_mm
        Which structure it was cut by, and how far it keeps from its surface: negative inside it (body - 3 mm).
    explained
        Whether that accounts for it.
    surface_pct
        Share of the inner structure's surface.
    worst_mm
        By how much the margin falls short there at worst (or exceeds).
    margin_mm
        The margin that is left at the worst place; negative where the inner structure reaches out.
    """

    kind: CropKind
    structure: str
    gap_mm: float | None
    explained: bool
    surface_pct: float
    worst_mm: float
    margin_mm: float
    place: Place
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionMargin:
    """The margin towards one direction of the patient, in mm.

    Attributes
    ----------
    low, median, high
        5 %, 50 % and 95 % of the part of the inner surface that faces this way, by area.
    recovered, band_low, band_high
        The margin that explains the outer structure best, and its band.
    verdict
        The recovered margin against what was expected; `Verdict.NOT_EVALUABLE` where nothing was.
    """

    low: float
    median: float
    high: float
    recovered: float
    band_low: float
    band_high: float
    expected_low: float | None
    expected_high: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """Distance from the inner surface to the outer one, over all of it, in mm; negative where it lies outside."""

    minimum: float
    p05: float
    median: float
    p95: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AchievedMargin:
    """What margin was drawn between two structures, and how that compares with what was expected.

    Attributes
    ----------
    directions
        By name: left, right, posterior, anterior, superior, inferior.
    recovered_mm
        The six margins that explain the outer structure best.
    recipe
        The same in words, rounded as a planner would have typed it.
    explained_pct
        Share of the outer contours that those margins explain.
    crops
        Where and why it departs from them.
    verdict, reasons
        Against `expected`; reasons in words, worst first.
    missing_cc, excess_cc
        Volume missing to the inner structure widened by the lower bounds, and volume beyond the upper bounds (None
        where there are none); `against` says whether bounds are the expected or, without any, the recovered margins.
    outside_cc
        Volume of the inner structure outside the outer one.
    below_pct, above_pct
        Share of the surface nearer than the lower, farther than the upper bound, beyond the band.
    worst
        The places of the largest shortfalls.
    slice_spacing_mm, attainable_mm
        Distance of the outer structure's slices, and the margins across them that slices can show near the recovered.
    band_in_plane_mm, band_across_mm
        How well a distance is known in the slices and across them.
    """

    inner: str
    outer: str
    directions: dict[str, DirectionMargin]
    recovered_mm: dict[str, float]
    recipe: str
    explained_pct: float
    distance_mm: Distances
    crops: tuple[Crop, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    expected: str
    against: str
    missing_cc: float
    excess_cc: float | None
    outside_cc: float
    below_pct: float
    above_pct: float
    worst: tuple[Place, ...]
    slice_spacing_mm: float
    inner_cc: float
    outer_cc: float
    attainable_mm: tuple[float, ...]
    band_in_plane_mm: float
    band_across_mm: float
    findings: tuple[Finding, ...] = ()
