"""What measuring lesions comes to: diameters as RECIST 1.1 has them, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding

LESIONS_SCHEMA = "dvhkit/lesions/1"
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diameters:
    """The diameters of one separate part of a structure; points in patient coordinates.

    Attributes
    ----------
    longest_mm, end_points_mm, slice_mm
        The longest line in a drawn slice that stays inside the lesion, its two ends, and the slice.
    short_axis_mm, short_axis_points_mm
        The longest line inside it perpendicular to that one, in the same slice.
    longest_unconstrained_mm
        The greatest distance of two points of the outline in one slice, across whatever lies between.
    largest_short_axis_mm
        The greatest of all slices' short axes.
    min_feret_mm
        The least distance of two parallel lines that hold the outline of that slice between them.
    longest_3d_mm
        The greatest distance of two points of the solid in space: no RECIST diameter.
    """

    longest_mm: float
    short_axis_mm: float
    slice_mm: float
    end_points_mm: tuple[Point, Point]
    short_axis_points_mm: tuple[Point, Point]
    longest_unconstrained_mm: float
    min_feret_mm: float
    longest_3d_mm: float
    volume_cc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Irradiation:
    """What dose a lesion has from the plan at hand; `irradiated` is whether that counts as local treatment."""

    irradiated: bool
    mean_gy: float | None = None
    d95_gy: float | None = None
    d50_gy: float | None = None
    max_gy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """One structure measured; of several separate parts the one with the longest diameter, all under `islands`.

    Attributes
    ----------
    measurable
        Whether RECIST 1.1 would take it as a target at baseline; None where it cannot be measured at all. `reason` says
        why, or why not.
    is_node
        Measured by its short axis.
    irradiation
        None without a dose.
    """

    roi: str
    longest_mm: float | None = None
    short_axis_mm: float | None = None
    slice_mm: float | None = None
    end_points_mm: tuple[Point, Point] | None = None
    measurable: bool | None = None
    reason: str
    is_node: bool = False
    slice_spacing_mm: float | None = None
    volume_cc: float | None = None
    longest_unconstrained_mm: float | None = None
    short_axis_points_mm: tuple[Point, Point] | None = None
    min_feret_mm: float | None = None
    longest_3d_mm: float | None = None
    irradiation: Irradiation | None = None
    islands: tuple[Diameters, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionTable:
    """The lesions of one structure set."""

    lesions: tuple[Lesion, ...]
    findings: tuple[Finding, ...] = ()
