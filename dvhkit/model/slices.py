"""The slices on which structures were drawn: those of an image, or the planes that the contours of a set lie on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.grid import Grid

# Contour coordinates are text, often rounded to 0.1 mm or less: what lies so near lies on one plane.
SAME_PLANE_MM = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slices:
    """Parallel slices in patient coordinates.

    Attributes
    ----------
    normal : (3,)
        Unit normal.
    at_mm : (n,)
        Distance of each slice from the patient's origin along the normal, ascending.
    gap_mm : (n,)
        Slice distance about each of them: of an image from its neighbours; of a set the distance that most of its
        structures keep there.
    uids
        SOPInstanceUID of each slice; empty for a set.
    """

    normal: FloatArray
    at_mm: FloatArray
    gap_mm: FloatArray
    uids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("normal", "at_mm", "gap_mm"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))

    @property
    def is_image(self) -> bool:
        """Whether an image tells where slices are: between two of them there is none."""
        return bool(self.uids)


def stored_step_mm(values_mm: FloatArray) -> float:
    """Return to what stored positions are rounded: the coarsest of 1 to 0.001 mm of which all are multiples."""
    for unit in (1.0, 0.1, 0.01):
        if np.abs(values_mm / unit - np.rint(values_mm / unit)).max() < 1e-4:
            return unit
    return 1e-3


def slices_of_image(grid: Grid, uids: tuple[str, ...] = ()) -> Slices | None:
    """Return the slices of an image; None for a single one, which tells no distance."""
    if len(grid.offsets_mm) < 2:
        return None
    gaps = np.diff(grid.offsets_mm)
    near = np.minimum(np.append(gaps, gaps[-1]), np.append(gaps[0], gaps))
    named = uids if len(uids) == len(grid.offsets_mm) else tuple(f"#{n}" for n in range(len(grid.offsets_mm)))
    at = grid.offsets_mm + float(grid.origin_mm @ grid.axes[2])
    return Slices(normal=grid.axes[2], at_mm=at, gap_mm=near, uids=named)
