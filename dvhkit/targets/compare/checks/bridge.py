"""What lies on a slice that was left out: a section of the solid that runs through the gap, and whether to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from dvhkit.engine.contours.repair import rings_of
from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.model.slices import Slices
from dvhkit.model.structure import Contour, Structure
from dvhkit.targets.compare.checks.drawn import Drawn
from dvhkit.targets.compare.sections import sections_of
from dvhkit.targets.compare.skin import skin_of

_NEAR_MM = 0.06
_REACH_MM = 5.0
# So many slices on either side tell how an outline goes on: slope and bend of its size.
_AROUND = 3
# A slice beside the gap, found as if it were left out too, may miss what is drawn there by this share of the volume.
_MISS_FRAC = 0.005

# A part of a slice and its height.
Part = tuple[float, Any]


def around(drawn: Drawn, at: Any, w: float) -> list[Part]:  # noqa: ANN401 -- a shapely point
    """Return the parts next to a height that hold a point or lie beside it, and how they go on, ascending.

    None where there is none on one of the two sides.
    """
    sides = []
    for side in (-1.0, 1.0):
        beyond = sorted((x for x in drawn.levels if side * (x.w_mm - w) > _NEAR_MM), key=lambda x: side * x.w_mm)
        chain: list[Part] = []
        for level in beyond:
            if not chain:
                held = [p for p in level.pieces if p.distance(at) < _REACH_MM]
            else:
                held = [p for p in level.pieces if p.intersects(chain[-1][1])]
            if held:
                chain.append((level.w_mm, max(held, key=lambda p: p.area) if chain else held[0]))
            elif chain:
                break
            if len(chain) == _AROUND:
                break
        if not chain:
            return []
        sides.append(chain)
    return [*sides[0][::-1], *sides[1]]


def bridged(drawn: Drawn, parts: Sequence[Part], w: float) -> Any:  # noqa: ANN401 -- a shapely geometry
    """Return the section at a height of the solid that parts of slices stand for, none left out between them."""
    heights = np.array([height for height, _ in parts])
    if len(parts) < 2 or not heights[0] < w < heights[-1]:
        return shapely.Polygon()
    frame, normal = drawn.frame, drawn.frame.axes[2]
    contours = tuple(
        Contour(points_mm=frame.to_patient(np.column_stack([ring, np.full(len(ring), height)])))
        for height, part in parts
        for ring in rings_of(part)
    )
    # As of an image that has these slices alone.
    slices = Slices(
        normal=normal,
        at_mm=heights + float(frame.origin_mm @ normal),
        gap_mm=np.full(len(parts), np.diff(heights).min()),
        uids=tuple(f"#{n}" for n in range(len(parts))),
    )
    structure = Structure(number=-1, name=drawn.name, contours=contours, slices=slices)
    solid = skin_of(sections_of(structure))
    own = solid.sections.frame
    height = float(own.to_frame(frame.to_patient(np.array([[0.0, 0.0, w]])))[0, 2])
    cut = solid.cut(height)
    return shapely.transform(
        cut, lambda uv: frame.to_frame(own.to_patient(np.column_stack([uv, np.full(len(uv), height)])))[:, :2]
    )


def why_unsure(drawn: Drawn, at: Any, w: float) -> str:  # noqa: ANN401 -- a shapely point
    """Return why nobody can tell what was drawn on a slice that was left out; empty where its neighbours tell it.

    They do if the slices beside the gap, which were drawn, are found from their own neighbours across it.
    """
    parts = around(drawn, at, w)
    heights = [height for height, _ in parts]
    below = sum(height < w for height in heights)
    tried = [n for n in (below - 1, below) if 0 < n < len(parts) - 1]
    if not tried:
        return "too few slices are drawn to tell its shape"
    gap_mm = min(b - a for a, b in pairwise(heights))
    most_mm2 = _MISS_FRAC * 1000.0 * drawn.volume_cc / gap_mm
    try:
        for n in tried:
            found = bridged(drawn, [*parts[:n], *parts[n + 1 :]], heights[n])
            missed = 0.5 * float(found.symmetric_difference(parts[n][1]).area)
            if missed > most_mm2:
                return "the slices beside it do not tell its shape"
    except (GeometryError, NotEvaluable) as error:
        return str(error)
    return ""
