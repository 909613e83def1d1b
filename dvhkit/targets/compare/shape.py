"""Size and shape of one structure, as metrics ask for them."""

from __future__ import annotations

from math import pi

from dvhkit.model.structure import Structure
from dvhkit.targets.compare.diameters import measure_island
from dvhkit.targets.compare.islands import islands_of
from dvhkit.targets.compare.sections import sections_of
from dvhkit.targets.compare.skin import skin_of


def shape_value(structure: Structure, kind: str, *, slice_spacing_mm: float | None = None) -> float:
    """Return ``Diameter`` or ``ShortAxis`` in mm, ``Surface`` in cm2, or ``Sphericity``, of a structure.

    Diameters are those of the separate part with the longest one, inside it and in a drawn slice. The sphericity is the
    surface of the ball of the same volume, over the surface: 1 for a ball, less for all else.

    Raises
    ------
    NotEvaluable
        Nothing was drawn, or on one slice of unknown thickness.
    GeometryError
        Contours that are not planar or not parallel.
    """
    skin = skin_of(sections_of(structure, slice_spacing_mm=slice_spacing_mm))
    if kind == "Surface":
        return skin.surface_cm2
    if kind == "Sphericity":
        volume_mm3 = skin.sections.volume_mm3
        return float(pi ** (1 / 3) * (6.0 * volume_mm3) ** (2 / 3) / (100.0 * skin.surface_cm2))
    found = max((measure_island(skin, island) for island in islands_of(skin.sections)), key=lambda d: d.longest_mm)
    return found.longest_mm if kind == "Diameter" else found.short_axis_mm
