"""What the engine assumes where the drawn slices are silent: one frozen record, and the named sets of it."""

from __future__ import annotations

from dataclasses import dataclass
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
    cells_target
        Number of cells that a structure is divided into at least, as far as `subdivision_max` allows.
    subdivision_max
        Greatest number of cells along one dose voxel.
    """

    profile: str = "reference"
    between: Between = Between.SHAPE
    end_cap: EndCap = EndCap.SHAPE
    cells_target: int = 30_000
    subdivision_max: int = 24

    def __post_init__(self) -> None:
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
    )
}


def profile(name: str) -> EngineOptions:
    """Return the options of a named profile. Raises `InputError` for a name that is not one."""
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(PROFILES)
        raise InputError(f"there is no engine profile {name!r}.", remedy=f"Choose one of: {known}.") from None
