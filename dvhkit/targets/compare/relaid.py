"""A solid cut by planes of another structure: how it would have been drawn on that one's slices."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil

import numpy as np

from dvhkit.engine.contours.planes import usual_gap_mm
from dvhkit.engine.trace import Tracer
from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Contour, Structure
from dvhkit.targets.compare.skin import Skin

# Squares on which cuts are traced: a 150th of the width. Lines of balls of 3 to 80 mm radius then lie within 0.015 mm
# of the closed form where they are tilted by up to 10 degrees, within 0.07 mm by 45 and 0.15 mm by 90 degrees.
_STEP_FRAC, _STEP_MM = 150.0, (0.2, 1.0)
# Nodes around all that is inside.
_ROOM = 3
_SAME_MM = 1e-6
_PARTS = 4


def relaid(structure: Structure, solid: Skin, like: Skin) -> Structure:
    """Return a structure's solid as contours on the slices of another, and three times as many between and beyond them.

    Raises
    ------
    NotEvaluable
        If none of these planes meets it.
    """
    frame = like.sections.frame
    corners = frame.to_frame(solid.corners_mm)
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = float(np.clip((high - low)[:2].max() / _STEP_FRAC, *_STEP_MM))
    origin = low[:2] - _ROOM * step
    columns, rows = (ceil(n) + 1 for n in (high[:2] + _ROOM * step - origin) / step)
    u, v = np.meshgrid(origin[0] + step * np.arange(columns), origin[1] + step * np.arange(rows))
    tracer, contours = Tracer((rows, columns)), []
    for w in _heights(like, float(low[2]), float(high[2])):
        at = frame.to_patient(np.column_stack([u.ravel(), v.ravel(), np.full(u.size, w)]))
        values = solid.sections.solid.signed(at).reshape(u.shape)
        for ring in tracer.rings(values, origin_uv=origin, step_mm=step):
            contours.append(Contour(points_mm=frame.to_patient(np.column_stack([ring, np.full(len(ring), w)]))))
    if not contours:
        message = f"{structure.name} lies between two slices of {like.name}."
        raise NotEvaluable(message, reason=Reason.NO_VOLUME)
    return replace(structure, contours=tuple(contours), slices=None)


def _heights(like: Skin, low: float, high: float) -> FloatArray:
    """Return the heights of drawn slices, and others a quarter of a slice distance apart, between two heights.

    As close, so that next to nothing is lost where the solid ends between two; where slices are missing or lie farther
    apart, the others keep their distance, so that none seems to be missing.
    """
    drawn = np.array([s.w_mm for s in like.sections.drawn])
    fine = (usual_gap_mm(like.sections.solid.stack) or like.sections.gap_mm) / _PARTS
    between = [np.linspace(a, b, max(1, round((b - a) / fine)), endpoint=False) for a, b in pairwise(drawn.tolist())]
    below = np.arange(drawn[0] - fine, low, -fine)[::-1]
    above = np.arange(drawn[-1], high, fine)
    heights = np.concatenate([below, *between, above])
    return heights[(heights > low + _SAME_MM) & (heights < high - _SAME_MM)]
