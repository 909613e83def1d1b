"""What is wrong with the contours of one structure set: findings with slice and place, and their repairs."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding, Level

CHECK_SCHEMA = "dvhkit/contour-check/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourFinding:
    """One thing that is wrong, or odd, about contours.

    Attributes
    ----------
    code
        Stable kebab-case identifier; `docs/contours.md` lists them.
    severity
        INFO: worth knowing. WARNING: look at it. SERIOUS: do not plan on it unseen.
    slice_mm
        Position of the slice along its normal (z for axial slices); None where no slice is meant.
    place_mm
        A point in patient coordinates (x, y, z) where to look; None for what was not drawn at all.
    other
        The structure that it is in conflict with, or empty.
    repair
        What would put it right; empty where a person has to decide.
    is_safe
        Whether `--repair` does so by itself.
    """

    code: str
    roi: str
    severity: Level
    slice_mm: float | None = None
    place_mm: tuple[float, float, float] | None = None
    message: str = ""
    other: str = ""
    repair: str = ""
    is_safe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourChecks:
    """All that was found in one structure set; `repairs` is the log of what was written, if anything was."""

    findings: tuple[ContourFinding, ...]
    structures: int
    repairs: tuple[str, ...] = ()
    about_the_data: tuple[Finding, ...] = ()


BANDS_SCHEMA = "dvhkit/contour-bands/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The usual range of a number."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureBands:
    """The usual ranges of a structure, from `n` sets; None where nothing is said.

    `parts`: the greatest number of separate areas on one slice.
    """

    n: int = 0
    volume_cc: Band | None = None
    height_mm: Band | None = None
    width_mm: Band | None = None
    depth_mm: Band | None = None
    parts: Band | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourBands:
    """The usual ranges of the structures of a cohort, by name."""

    structures: dict[str, StructureBands]
    left_out: tuple[str, ...] = ()
