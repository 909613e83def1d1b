"""A surface unrolled, with a number in each cell: what pictures of margins are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.model.arrays import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurfaceMap:
    """A surface seen from its axis, unrolled.

    Attributes
    ----------
    azimuth_deg : (columns,)
        Middle of each column: 0 is the patient's left, 90 posterior, 180 right, 270 anterior.
    height_mm : (rows,)
        Position of each row along z, ascending.
    margin_mm : (rows, columns)
        Least distance from the inner surface to the outer one in the cell; negative where the inner one is outside,
        NaN where there is no surface.
    lacking_mm : (rows, columns)
        What is lacking to the lower limit there; 0 or less where nothing is.
    title, limit
        What is shown, in words.
    """

    azimuth_deg: FloatArray
    height_mm: FloatArray
    margin_mm: FloatArray
    lacking_mm: FloatArray
    title: str
    limit: str

    def __post_init__(self) -> None:
        for name in ("azimuth_deg", "height_mm", "margin_mm", "lacking_mm"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
