"""CTV of a metastasis in a bone other than the spine: a margin inside the bone, and outside it only after a breach.

The margin is measured along the bone: what lies near the tumour as the crow flies but is another bone, or the other
limb of a bent one, is no part of the margin, and the bone's own surface cuts it off without being a shortfall.

Source: consensus on non-spine bone metastases, Nguyen et al. (PubMed 34509549): 5-10 mm within the bone; 5-10 mm
beyond it only with a breach of the cortex or soft tissue involved. 3-5 mm at the oncologist's discretion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dvhkit.engine.combine import combine
from dvhkit.errors import GeometryError, InputError
from dvhkit.extras import needs_extra
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import Structure
from dvhkit.results.targets.bone import BoneCheck
from dvhkit.targets.derive.margin import grow
from dvhkit.targets.vertebra.anatomy.contours import field_contours
from dvhkit.targets.vertebra.anatomy.frame import Mask
from dvhkit.targets.vertebra.anatomy.grid import (
    crop_grid,
    filled_by,
    grid_over,
    points_of,
    voxel_volume_cc,
    window_round,
)
from dvhkit.targets.vertebra.rules import Flag, FlagLevel

CONSENSUS_MM = (5.0, 10.0)
DISCRETION_MM = (3.0, 5.0)
# Our own numbers, from no paper, as for vertebrae.
PASS_FRAC = 0.95
REVIEW_FRAC = 0.80
_MOST_MM = 30.0
_BREACH_LEAST_CC = 0.01
# Fast marching follows the axes of the voxels and finds ways up to a tenth too long.
_DETOUR_FRAC = 0.1
_SLOW = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneCtv:
    """A CTV made by the rule, and what it rests on.

    Attributes
    ----------
    breach_cc
        Volume of GTV outside the bone.
    extra_mm
        Margin beyond the bone; None where there is no breach.
    cut_off_cc
        Bone within the margin as the crow flies that is not reached along the bone, and so left out.
    """

    structure: Structure
    intra_mm: float
    extra_mm: float | None
    gtv_cc: float
    breach_cc: float
    cut_off_cc: float
    ctv_cc: float
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fields:
    grid: Grid
    gtv: FloatArray
    bone: FloatArray
    near: FloatArray
    along_mm: FloatArray
    voxel_cc: FloatArray


def bone_ctv(
    gtv: Structure,
    bone: Structure,
    *,
    intra_mm: float = 5.0,
    extra_mm: float = 5.0,
    image: ImageSeries | None = None,
    name: str = "CTV_bone",
) -> BoneCtv:
    """Return the GTV with a margin inside the bone, and one beyond it where the GTV has left the bone.

    Raises
    ------
    InputError
        If a margin is negative or beyond 30 mm, a structure is empty, or the GTV does not touch the bone.
    """
    _check_margins(intra_mm, extra_mm)
    fields, grown = _fields(gtv, bone, intra_mm, image, room_mm=max(intra_mm, extra_mm))
    reached = fields.along_mm <= _within(intra_mm, fields.grid)
    straight = np.minimum(fields.near, fields.bone)
    cut_off = np.where((fields.bone >= 0.5) & ~reached, straight, 0.0)
    cut_off_cc, gtv_cc = _cc(cut_off, fields), _cc(fields.gtv, fields)
    breach_cc = _cc(np.clip(fields.gtv - fields.bone, 0, None), fields)
    breached = breach_cc > max(_BREACH_LEAST_CC, float(fields.voxel_cc.max()))
    inner = combine("&", grown, bone, name=name)
    if cut_off_cc > float(fields.voxel_cc.max()):
        traced = field_contours(np.where(_rim(reached), straight, 0.0), fields.grid)
        inner = replace(inner, contours=traced)
    made = gtv if inner.is_empty else combine("|", inner, gtv, name=name)
    if breached:
        made = combine("|", made, _beyond(gtv, bone, extra_mm, image), name=name)
    made = replace(made, number=-1, name=name, rt_roi_type="CTV", frame_of_reference_uid=gtv.frame_of_reference_uid)
    return BoneCtv(
        structure=made,
        intra_mm=intra_mm,
        extra_mm=extra_mm if breached else None,
        gtv_cc=gtv_cc,
        breach_cc=breach_cc,
        cut_off_cc=cut_off_cc,
        ctv_cc=_cc(filled_by(made, fields.grid), fields),
        flags=_flags(intra_mm, extra_mm, breached=breached, breach_cc=breach_cc, cut_off_cc=cut_off_cc),
    )


def check_bone_ctv(
    gtv: Structure, ctv: Structure, bone: Structure, *, least_mm: float = 5.0, image: ImageSeries | None = None
) -> BoneCheck:
    """Measure the margin that a CTV keeps to the GTV along the bone, against the least margin asked for.

    Raises
    ------
    InputError
        As in `bone_ctv`.
    """
    _check_margins(least_mm, least_mm)
    fields, _ = _fields(gtv, bone, least_mm, image, room_mm=max(2 * least_mm, 2 * CONSENSUS_MM[1]))
    held = filled_by(ctv, fields.grid)
    reached = fields.along_mm <= _within(least_mm, fields.grid)
    asked = np.where(reached, np.minimum(fields.near, fields.bone), 0.0)
    # Where a voxel is filled in part by both, it is by the same part: outlines that agree lack nothing.
    needed = np.clip(asked - fields.gtv, 0, None)
    missing = np.minimum(np.clip(asked - held, 0, None), needed)
    bare = (fields.bone >= 0.5) & (held < 0.5) & np.isfinite(fields.along_mm)
    least = float(fields.along_mm[bare].min()) if bare.any() else None
    inside = (held >= 0.5) & np.isfinite(fields.along_mm)
    most = float(fields.along_mm[inside].max()) if inside.any() else 0.0
    needed_cc, missing_cc = _cc(needed, fields), _cc(missing, fields)
    covered = 1.0 - missing_cc / needed_cc if needed_cc > 0 else 1.0
    verdict = "pass" if covered >= PASS_FRAC else "review" if covered >= REVIEW_FRAC else "fail"
    return BoneCheck(
        asked_mm=least_mm,
        least_mm=least,
        most_mm=most,
        reading=_reading(least, most, fields.grid),
        needed_cc=needed_cc,
        missing_cc=missing_cc,
        covered_frac=covered,
        verdict=verdict,
    )


def _reading(least_mm: float | None, most_mm: float, grid: Grid) -> str:
    """Return where a margin from `least_mm` (None: no bone is bare) to `most_mm` stands by the rule."""
    # Both ways are known to half a voxel.
    half = 0.5 * max(float(grid.spacing_mm.max()), grid.plane_spacing_mm)
    if least_mm is not None and least_mm < DISCRETION_MM[0] - half:
        return "below"
    if least_mm is not None and least_mm < CONSENSUS_MM[0] - half:
        return "at discretion"
    return "beyond" if most_mm > _within(CONSENSUS_MM[1], grid) else "within"


def _check_margins(*margins_mm: float) -> None:
    for margin in margins_mm:
        if not 0 < margin <= _MOST_MM:
            raise InputError(
                f"a margin of {margin:g} mm cannot be used.", remedy=f"Give more than 0 and at most {_MOST_MM:g} mm."
            )


def _fields(
    gtv: Structure, bone: Structure, margin_mm: float, image: ImageSeries | None, *, room_mm: float
) -> tuple[_Fields, Structure]:
    """Return GTV, bone, GTV grown, and the way along the bone, on voxels; and the GTV grown as contours."""
    for structure in (gtv, bone):
        if structure.is_empty:
            raise InputError(f"the structure {structure.name!r} is empty.", remedy="Name one that was drawn.")
    base = image.grid if image is not None else grid_over([gtv, bone])
    grid = crop_grid(base, window_round(base, points_of(gtv), room_mm=room_mm + 5.0))
    grown = grow(gtv, margin_mm, image=image).structure
    held, mask = filled_by(gtv, grid), filled_by(bone, grid)
    seeds = (held > 0) & (mask >= 0.5)
    if not seeds.any():
        raise InputError(
            f"{gtv.name!r} does not touch the bone {bone.name!r}.", remedy="Name the bone that holds the GTV."
        )
    fields = _Fields(
        grid=grid,
        gtv=held,
        bone=mask,
        near=filled_by(grown, grid),
        along_mm=_along(mask >= 0.5, seeds, held, grid),
        voxel_cc=voxel_volume_cc(grid),
    )
    return fields, grown


def _along(bone: Mask, seeds: Mask, gtv: FloatArray, grid: Grid) -> FloatArray:
    """Return how far each voxel of the bone lies from the GTV along the bone, in mm; infinite elsewhere.

    Solves the eikonal equation by fast marching. Voxels that the GTV fills in part begin at nothing.
    """
    with needs_extra("masks"):
        import SimpleITK

    if not grid.is_uniform:
        raise GeometryError(
            "the image's slices are unevenly spaced, so no way along the bone can be measured.",
            remedy="Resample the image to even slice distances.",
        )
    itk: Any = SimpleITK
    speed = itk.GetImageFromArray(np.where(bone, 1.0, _SLOW))
    speed.SetSpacing((*map(float, grid.spacing_mm), grid.plane_spacing_mm or 1.0))
    march = itk.FastMarchingImageFilter()
    march.SetTrialPoints([[int(i), int(j), int(k)] for k, j, i in np.argwhere(seeds)])
    march.SetStoppingValue(3.0 * _MOST_MM)
    arrival = np.asarray(itk.GetArrayFromImage(march.Execute(speed)), dtype=np.float64)
    arrival[gtv > 0] = 0.0
    return np.where(bone & (arrival < 3.0 * _MOST_MM), arrival, np.inf)


def _within(margin_mm: float, grid: Grid) -> float:
    """Return the way along the bone up to which a voxel counts as within the margin."""
    half = 0.5 * max(float(grid.spacing_mm.max()), grid.plane_spacing_mm)
    return (1 + _DETOUR_FRAC) * margin_mm + half


def _rim(mask: Mask) -> Mask:
    """Return the mask with the partly filled voxels round it."""
    grown = np.pad(mask, 1)
    for axis in range(3):
        grown = grown | np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
    return np.asarray(grown[1:-1, 1:-1, 1:-1])


def _beyond(gtv: Structure, bone: Structure, extra_mm: float, image: ImageSeries | None) -> Structure:
    """Return the margin round the part of the GTV that has left the bone, without the bone."""
    outside = combine("-", gtv, bone, name="breach")
    return combine("-", grow(outside, extra_mm, image=image).structure, bone, name="beyond")


def _cc(filled: FloatArray, fields: _Fields) -> float:
    return float(np.sum(filled * fields.voxel_cc))


def _flags(
    intra_mm: float, extra_mm: float, *, breached: bool, breach_cc: float, cut_off_cc: float
) -> tuple[Flag, ...]:
    """Return what a person should know of the choice of margins."""
    low, high = CONSENSUS_MM
    told = [
        (
            DISCRETION_MM[0] <= intra_mm < low,
            FlagLevel.NOTE,
            "bone-margin-discretion",
            f"{intra_mm:g} mm within the bone is less than the {low:g} to {high:g} mm of the consensus: a choice",
        ),
        (
            intra_mm < DISCRETION_MM[0] or intra_mm > high,
            FlagLevel.REVIEW,
            "bone-margin-unusual",
            f"{intra_mm:g} mm within the bone is outside the 3 to 10 mm that the sources know",
        ),
        (
            breached,
            FlagLevel.NOTE,
            "bone-breach",
            f"{breach_cc:.2f} cc of the GTV lies outside the bone, so {extra_mm:g} mm were added round that part",
        ),
        (
            breached and not low <= extra_mm <= high,
            FlagLevel.REVIEW,
            "bone-margin-beyond-unusual",
            f"{extra_mm:g} mm beyond the bone is outside the consensus' {low:g} to {high:g} mm",
        ),
        (
            cut_off_cc > _BREACH_LEAST_CC,
            FlagLevel.NOTE,
            "bone-not-reached",
            f"{cut_off_cc:.2f} cc of bone within the margin was left out, since no way along the bone leads there",
        ),
    ]
    return tuple(Flag(level=level, code=code, text=text) for holds, level, code, text in told if holds)
