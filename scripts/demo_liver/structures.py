"""The structure set: outlines traced from the shapes on each slice, with as many vertices as are usually drawn."""

from __future__ import annotations

import numpy as np

from demo_liver import anatomy, targets
from demo_liver.fields import Array, Field
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.phantoms.isoline import trace_rings
from dvhkit.phantoms.shapes import Ring, ring_area_mm2, ring_contours

Window = tuple[tuple[float, float], tuple[float, float]]

_TRACE_STEP_MM = 1.5
_VERTEX_EVERY_MM = 2.0
_VERTICES = (24, 150)
_LEAST_AREA_MM2 = 12.0
_DECIMALS = 3

# Name (TG-263), RT ROI interpreted type, colour, shape, half-width of the search around its middle (x, y), mm.
_ROIS = (
    ("Body", "EXTERNAL", (0, 200, 0), anatomy.body, ((0, 0), (180, 120))),
    ("Liver", "ORGAN", (170, 90, 40), anatomy.liver, ((-60, 0), (140, 105))),
    ("GTV", "GTV", (255, 0, 0), targets.gtv, ((-90, 2), (32, 32))),
    ("CTV", "CTV", (255, 130, 0), targets.ctv, ((-90, 2), (32, 32))),
    ("PTV", "PTV", (0, 80, 255), targets.ptv, ((-90, 2), (36, 36))),
    ("Kidney_L", "ORGAN", (240, 220, 80), anatomy.kidney_l, ((62, 50), (45, 45))),
    ("Kidney_R", "ORGAN", (220, 190, 40), anatomy.kidney_r, ((-60, 50), (45, 45))),
    ("SpinalCord", "ORGAN", (255, 255, 0), anatomy.cord, ((0, 69), (14, 14))),
    ("SpinalCanal", "ORGAN", (180, 180, 0), anatomy.canal, ((0, 69), (18, 18))),
    ("Stomach", "ORGAN", (120, 220, 160), anatomy.stomach, ((40, -20), (100, 80))),
    ("Duodenum", "ORGAN", (0, 200, 200), anatomy.duodenum, ((-15, -12), (55, 55))),
    ("Spleen", "ORGAN", (150, 60, 140), anatomy.spleen, ((95, 26), (60, 65))),
    ("Heart", "ORGAN", (230, 60, 90), anatomy.heart, ((18, -30), (75, 65))),
    ("VB_T12", "ORGAN", (210, 210, 200), anatomy.vertebra_t12, ((0, 40), (32, 32))),
)
# Costly to evaluate and small: not sought where they cannot be.
_TARGETS = (targets.gtv, targets.ctv, targets.ptv)
PTV_NUMBER = 1 + [name for name, *_ in _ROIS].index("PTV")


def structures(planes_mm: Array) -> tuple[Structure, ...]:
    """Return all structures: the organs, one ROI that nobody drew, and the isocentre as a point."""
    drawn = [
        Structure(number=n, name=name, rt_roi_type=kind, color_rgb=color, contours=_contours(shape, window, planes_mm))
        for n, (name, kind, color, shape, window) in enumerate(_ROIS, start=1)
    ]
    empty = Structure(
        number=len(drawn) + 1, name="Bowel_Small", contours=(), rt_roi_type="ORGAN", color_rgb=(200, 150, 90)
    )
    isocentre = Structure(
        number=len(drawn) + 2,
        name="Isocentre",
        contours=(Contour(points_mm=targets.CENTRE_MM[None, :], kind=ContourKind.POINT),),
        rt_roi_type="ISOCENTER",
        color_rgb=(255, 255, 255),
    )
    return (*drawn, empty, isocentre)


def _contours(shape: Field, window: Window, planes_mm: Array) -> tuple[Contour, ...]:
    (x0, y0), (half_x, half_y) = window
    x = np.arange(x0 - half_x, x0 + half_x + 0.1, _TRACE_STEP_MM)
    y = np.arange(y0 - half_y, y0 + half_y + 0.1, _TRACE_STEP_MM)
    found: list[Contour] = []
    if shape in _TARGETS:
        planes_mm = planes_mm[np.abs(planes_mm - targets.CENTRE_MM[2]) <= half_x]
    for z in planes_mm:
        rings = trace_rings(
            lambda u, v, z=z: shape(u, v, np.full(np.broadcast_shapes(u.shape, v.shape), z)), x_mm=x, y_mm=y
        )
        kept = [r for r in rings if abs(ring_area_mm2(r)) >= _LEAST_AREA_MM2]
        found += ring_contours([Ring(points_mm=_thinned(r), is_hole=ring_area_mm2(r) < 0) for r in kept], float(z))
    return tuple(found)


def _thinned(ring: Array) -> Array:
    """Return a ring with evenly spaced vertices, rounded as stored."""
    closed = np.concatenate([ring, ring[:1]])
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    n = int(np.clip(run[-1] / _VERTEX_EVERY_MM, *_VERTICES))
    at = np.arange(n) * run[-1] / n
    return np.round(np.column_stack([np.interp(at, run, closed[:, a]) for a in range(2)]), _DECIMALS)
