"""What the engine assumes where the drawn slices are silent: one frozen record, and the named sets of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from dvhkit.errors import InputError


class Between(StrEnum):
    """What lies between two drawn slices."""

    PRISM = "prism"
    SHAPE = "shape"


class EndCap(StrEnum):
    """How far the structure reaches beyond its last drawn slice."""

    NONE = "none"
    HALF_SLICE = "half-slice"
    HALF_SLICE_1_5MM = "half-slice-1.5mm"
    SHAPE = "shape"


class DoseEnd(StrEnum):
    """How far the dose reaches beyond the outermost voxel centres."""

    FACES = "faces"
    CENTRES = "centres"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Conventions and effort of one DVH computation.

    Attributes
    ----------
    profile
        Name under which reports cite these options.
    between
        ``prism``: each slice reaches half way to its neighbours. ``shape``: the surface runs smoothly through the
        drawn contours.
    end_cap
        Beyond the first and last slice: nothing, half the local slice distance, the same but at most 1.5 mm, or
        where the shape of the last slices says that it ends.
    bend_max
        Bound on half the curvature along z of the level whose zero is the surface: 1 for a sphere, (a / c)^2 for an
        ellipsoid of half-axes a, a, c; 0 joins slices by straight lines.
    flat_scale
        Factors on the height of flat end caps, lower and upper end: 0 ends the structure on its last slice, 2 on the
        next, empty one. A structure of a single slice keeps at least half its thickness.
    round_stretch
        Factor on the height of rounded end caps.
    dose_end
        The dose ends at the outer faces of the outermost voxels, or at their centres, as one large planning system
        has it. For contours along the axes of the dose grid.
    cells_target
        Number of cells that a structure is divided into at least, as far as `subdivision_max` allows.
    subdivision_max
        Greatest number of cells along one dose voxel.
    """

    profile: str = "reference"
    between: Between = Between.SHAPE
    end_cap: EndCap = EndCap.SHAPE
    bend_max: float = 4.0
    flat_scale: tuple[float, float] = (1.0, 1.0)
    round_stretch: float = 1.0
    dose_end: DoseEnd = DoseEnd.FACES
    cells_target: int = 50_000
    subdivision_max: int = 24

    def __post_init__(self) -> None:
        if not all(0.0 <= scale <= 2.0 for scale in self.flat_scale) or not 0.5 <= self.round_stretch <= 1.5:
            raise InputError("flat_scale must lie between 0 and 2, round_stretch between 0.5 and 1.5.")
        if self.cells_target < 1 or self.subdivision_max < 1:
            raise InputError("cells_target and subdivision_max must be at least 1.")


PROFILES: dict[str, EngineOptions] = {
    options.profile: options
    for options in (
        EngineOptions(),
        EngineOptions(profile="shape-half-slice", end_cap=EndCap.HALF_SLICE),
        EngineOptions(profile="prism", between=Between.PRISM, end_cap=EndCap.HALF_SLICE),
        EngineOptions(profile="prism-1.5mm", between=Between.PRISM, end_cap=EndCap.HALF_SLICE_1_5MM),
        EngineOptions(profile="prism-no-cap", between=Between.PRISM, end_cap=EndCap.NONE),
        EngineOptions(profile="dose-to-centres", dose_end=DoseEnd.CENTRES),
    )
}


def admissible(options: EngineOptions) -> tuple[EngineOptions, ...]:
    """Return what else the drawn slices allow beside `options`: the spread over these is the band of every metric.

    Upright walls instead of a smooth surface, and ends that lie anywhere between the last slice and the next, empty
    one. Where they are computed by themselves they use fewer cells.
    """
    fewer = max(1, options.cells_target // 8)
    like = EngineOptions(cells_target=fewer, subdivision_max=options.subdivision_max, dose_end=options.dose_end)
    return (
        replace(like, profile="prism", between=Between.PRISM, end_cap=EndCap.HALF_SLICE),
        replace(like, profile="lean", flat_scale=(0.0, 0.0), round_stretch=0.75),
        replace(like, profile="full", flat_scale=(2.0, 2.0), round_stretch=1.25),
        replace(like, profile="moved up", flat_scale=(0.0, 2.0)),
        replace(like, profile="moved down", flat_scale=(2.0, 0.0)),
    )


def profile(name: str) -> EngineOptions:
    """Return the options of a named profile. Raises `InputError` for a name that is not one."""
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(PROFILES)
        raise InputError(f"there is no engine profile {name!r}.", remedy=f"Choose one of: {known}.") from None
