"""Targets with known margins, pairs of contours with a known difference, and a target that is set up wrongly.

All are spheres, so that margins, overlaps and distances have closed forms, in a linear dose, so that doses have too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dvhkit.phantoms.dose_fields import LinearDose, sampled_gy
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomImage, PhantomSet, arc_plan, axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Ellipsoid, Vector, sphere
from dvhkit.phantoms.truth import truth_in_linear_dose
from dvhkit.phantoms.truth_rows import RoiTruth, TruthRow, truth_rows

# Off every voxel centre and slice.
_CENTRE_MM: Vector = (3.3, -2.2, 1.4)
_DOSE = LinearDose(at_origin_gy=40.0, direction=(0.0, -0.6, -0.8), gradient_gy_per_mm=0.5)
_HALF_MM = 40
_DOSE_STEP_MM = 2.0
_N_POINTS = 180
Made = tuple[PhantomSet, tuple[TruthRow, ...]]


def margin_set(*, margin_mm: float, slice_mm: float = 2.0) -> Made:
    """Return a GTV (a ball of radius 10 mm) in a CTV and a PTV, each larger than the last by `margin_mm` everywhere.

    A row ``GTV in CTV``, ``Margin[mm]`` says so.
    """
    balls = [
        (name, kind, sphere(_CENTRE_MM, 10.0 + steps * margin_mm))
        for name, kind, steps in (("GTV", "GTV", 0), ("CTV", "CTV", 1), ("PTV", "PTV", 2))
    ]
    rows = [
        TruthRow(f"{inner} in {outer}", "solid", "Margin[mm]", margin_mm, "mm")
        for inner, outer in (("GTV", "CTV"), ("CTV", "PTV"))
    ]
    return _made(f"margin-{margin_mm:g}mm", balls, slice_mm, rows)


def pair_set(*, shift_mm: Vector = (0.0, 0.0, 0.0), grown_mm: float = 0.0, slice_mm: float = 2.0) -> Made:
    """Return one ball drawn twice: A of radius 15 mm, and B moved by `shift_mm` or larger by `grown_mm`.

    The rows ``A / B`` bear the names of `dvhkit contours compare`: ``dice``, ``hausdorff_mm``, ``centroid_shift``.
    """
    radius = 15.0
    moved = (_CENTRE_MM[0] + shift_mm[0], _CENTRE_MM[1] + shift_mm[1], _CENTRE_MM[2] + shift_mm[2])
    balls = [
        ("A", "CTV", sphere(_CENTRE_MM, radius)),
        ("B", "CTV", sphere(moved, radius + grown_mm)),
    ]
    apart = math.hypot(*shift_mm)
    dice = _dice(radius, radius + grown_mm, apart)
    rows = [
        TruthRow("A / B", "solid", "dice", dice, ""),
        TruthRow("A / B", "solid", "jaccard", dice / (2 - dice), ""),
        TruthRow("A / B", "solid", "hausdorff_mm", apart + abs(grown_mm), "mm"),
        TruthRow("A / B", "solid", "centroid_shift_mm", apart, "mm"),
    ]
    return _made("pair", balls, slice_mm, rows)


def setup_set(*, shift_mm: Vector, slice_mm: float = 2.0) -> Made:
    """Return a target as planned and where a setup error of `shift_mm` brings it, in the dose as planned."""
    moved = (_CENTRE_MM[0] + shift_mm[0], _CENTRE_MM[1] + shift_mm[1], _CENTRE_MM[2] + shift_mm[2])
    balls = [("Target", "PTV", sphere(_CENTRE_MM, 12.0)), ("Target_Shifted", "CONTROL", sphere(moved, 12.0))]
    return _made("setup", balls, slice_mm, [])


def _dice(a_mm: float, b_mm: float, apart_mm: float) -> float:
    """Return twice what two balls share, over the sum of both."""
    both = (a_mm**3 + b_mm**3) * 4 / 3 * math.pi
    if apart_mm <= abs(a_mm - b_mm):
        return 2 * min(a_mm, b_mm) ** 3 * 4 / 3 * math.pi / both
    if apart_mm >= a_mm + b_mm:
        return 0.0
    # The lens of two spheres: mathworld.wolfram.com/Sphere-SphereIntersection.html, eq. 16.
    lens = (
        math.pi
        * (a_mm + b_mm - apart_mm) ** 2
        * (apart_mm**2 + 2 * apart_mm * (a_mm + b_mm) - 3 * (a_mm - b_mm) ** 2)
        / (12 * apart_mm)
    )
    return 2 * lens / both


def _made(label: str, balls: Sequence[tuple[str, str, Ellipsoid]], slice_mm: float, rows: Sequence[TruthRow]) -> Made:
    n = 2 * math.ceil(_HALF_MM / slice_mm)
    image = axial_grid(shape_zyx=(n, 64, 80), spacing_xyz_mm=(1.25, 1.25, slice_mm))
    planes = image.origin_mm[2] + image.offsets_mm
    cells = 2 * _HALF_MM // int(_DOSE_STEP_MM) + 1
    dose = axial_grid(shape_zyx=(cells, cells, cells), spacing_xyz_mm=(_DOSE_STEP_MM,) * 3)
    drawn = [
        structure(name, number, ball, planes, rt_roi_type=kind, n_points=_N_POINTS)
        for number, (name, kind, ball) in enumerate(balls, start=1)
    ]
    truths = [RoiTruth(roi=name, solid=truth_in_linear_dose(ball, _DOSE)) for name, _, ball in balls]
    phantom = PhantomSet(
        label=label,
        structures=tuple(drawn),
        image=PhantomImage(grid=image, rle=True),
        plan=arc_plan(dose_gy=round(truths[-1].solid.min_gy, 1), fractions=5, roi_number=len(drawn), label="TARGETS"),
        doses=(PhantomDose(grid=dose, values_gy=np.maximum(sampled_gy(_DOSE, dose), 0.0)),),
    )
    return phantom, (*(row for truth in truths for row in truth_rows(truth)), *rows)
