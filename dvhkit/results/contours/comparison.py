"""What the comparison of two structure sets comes to: one record a pair of structures."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding
from dvhkit.results.contours.grades import RoiGrade

COMPARE_SCHEMA = "dvhkit/compare/1"
DIRECTIONS = ("left", "right", "anterior", "posterior", "superior", "inferior")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseEffect:
    """One protocol metric with A's contour and with B's, the dose being the same.

    Attributes
    ----------
    metric
        In canonical form, such as ``D95%[Gy]``.
    value_a, value_b, difference
        In `unit`; None where there is no value, and `reason` says why. The difference is B less A.
    verdict_a, verdict_b
        Of the rule that asks for the metric; empty where no protocol was given.
    flips
        Whether the two verdicts differ; None where no rule judged the metric.
    rule_id, goal, region
        The rule, its limit, and what it was measured on: the structure, or an expression that it is part of.
    """

    metric: str
    value_a: float | None
    value_b: float | None
    flips: bool | None
    difference: float | None = None
    unit: str = ""
    verdict_a: str = ""
    verdict_b: str = ""
    rule_id: str = ""
    goal: str = ""
    region: str = ""
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceAgreement:
    """How two structures agree on one drawn slice of A; None where B does not reach it.

    Attributes
    ----------
    slice_mm
        Position of the slice along its normal; z for axial slices.
    dice
        Of the two areas.
    hausdorff_mm
        Between the two lines, in the plane.
    apl_mm
        Length of A's line that is farther than the tolerance from B's.
    """

    slice_mm: float
    dice: float
    hausdorff_mm: float | None
    apl_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IslandAgreement:
    """How one separate part of A agrees with what of B touches it: volumes, and Dice (0 where nothing does)."""

    place_mm: tuple[float, float, float]
    volume_a_cc: float
    volume_b_cc: float
    dice: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairComparison:
    """How structure B agrees with structure A. All numbers are None where `reason` says why there are none.

    Attributes
    ----------
    dice, jaccard
        Of the volumes of the two solids.
    hausdorff_mm
        The greatest distance from either surface to the other, in space.
    hd95_pooled_mm
        The distance within which 95 % of both surfaces together lie, by area.
    hd95_directed_mm
        The greater of the distances within which 95 % of A's surface, and of B's, lie.
    mean_surface_distance_mm
        The mean over both surfaces, by area.
    surface_dice
        The share of both surfaces that lies within `tolerance_mm` of the other.
    apl_mm
        Length of A's lines that are farther than `tolerance_mm` from B's line, summed over slices.
    apl_relative
        The same as a share of all of A's lines.
    apl_voxel_3mm_mm
        As voxel programs count it: pixels of A's rim outside B's contour grown by 3 mm, times the pixel size (1 mm).
    volume_ratio
        B over A.
    centroid_shift_mm
        From A's centre of volume to B's, (x, y, z) in patient coordinates.
    larger_mm
        By direction (left, right, anterior, posterior, superior, inferior): how far B's surface lies beyond A's where
        A's faces that way, on average; negative where B is smaller.
    """

    roi_a: str
    roi_b: str
    dice: float | None = None
    jaccard: float | None = None
    volume_a_cc: float | None = None
    volume_b_cc: float | None = None
    hausdorff_mm: float | None = None
    hd95_pooled_mm: float | None = None
    hd95_directed_mm: float | None = None
    mean_surface_distance_mm: float | None = None
    surface_dice: float | None = None
    tolerance_mm: float
    apl_mm: float | None = None
    centroid_shift_mm: tuple[float, float, float] | None = None
    reason: str | None = None
    dose_effect: tuple[DoseEffect, ...] = ()
    apl_relative: float | None = None
    apl_voxel_3mm_mm: float | None = None
    volume_ratio: float | None = None
    surface_a_cm2: float | None = None
    surface_b_cm2: float | None = None
    larger_mm: dict[str, float | None] | None = None
    slices: tuple[SliceAgreement, ...] = ()
    islands: tuple[IslandAgreement, ...] = ()
    paired_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two structure sets compared: `pairs`, structures left without partner, and what was odd."""

    pairs: tuple[PairComparison, ...]
    only_in_a: tuple[str, ...] = ()
    only_in_b: tuple[str, ...] = ()
    protocol_id: str = ""
    findings: tuple[Finding, ...] = ()
    criteria_id: str = ""
    grades: tuple[RoiGrade, ...] = ()
