"""Compute a DVH: the one occupancy field of a structure, weighed by dose."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from dvhkit.engine.field.accumulate import accumulated
from dvhkit.engine.field.bounds import ends_cc, hull
from dvhkit.engine.field.faces import greatest_on_faces_gy
from dvhkit.engine.field.joined import joined
from dvhkit.engine.field.layers import ending_frac
from dvhkit.engine.options import DoseEnd, EngineOptions, admissible
from dvhkit.engine.solid.links import FEW_PLANES
from dvhkit.engine.solid.solid import Solid, make_islands
from dvhkit.findings import Finding
from dvhkit.model.dose import Dose
from dvhkit.model.dvh import PEAKS, Dvh
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure

# Above this volume dose voxels are not divided and readings cost most: its band comes from the rule between slices and
# from the dose, and not from where it ends. Half a slice of a flat end is then still 1 to 2 % of the volume.
_ENDS_MATTER_CC = 1000.0
# Less outside the dose grid is the rounding of contours and grids.
MUCH_UNCOVERED_FRAC = 1e-6
# Where more than this of a structure lies in gaps in which rings end, its readings share too little.
_MUCH_ENDING_FRAC = 0.4
_OTHER_END = {DoseEnd.FACES: DoseEnd.CENTRES, DoseEnd.CENTRES: DoseEnd.FACES}


def compute_dvh(
    structure: Structure,
    dose: Dose | None,
    *,
    options: EngineOptions | None = None,
    slice_spacing_mm: float | None = None,
    image: Grid | None = None,
    with_band: bool = False,
) -> Dvh:
    """Return how much of a structure receives which dose.

    Parameters
    ----------
    structure
        Closed contours in parallel planes of any orientation. Rings inside rings are holes; a structure without
        closed contours gives a DVH of volume 0.
    dose
        Trilinear between voxel centres. The half voxel outside the outermost centres takes their dose; what lies
        beyond counts in the volume, has no dose, and is reported. None gives the volume alone.
    slice_spacing_mm
        The image's slice distance: the thickness of a structure drawn on one slice only.
    image
        Where the image's planes lie: where two contours lie farther apart than usual, a slice was left out if there is
        one. Without it, a distance that comes twice running counts as intended.
    with_band
        Also compute what else the drawn slices allow, as `Dvh.variants`: the band of a metric runs from its least to
        its greatest value over the DVH and its variants.

    Raises
    ------
    GeometryError
        Contours that are not planar or not parallel, or coordinates that are not numbers.
    """
    options = options or EngineOptions()
    grid = dose.grid if dose else None
    islands = make_islands(structure, grid, options, slice_spacing_mm=slice_spacing_mm, image=image)
    if islands.findings:
        return _without_volume(structure, islands.findings)
    if not with_band:
        return joined([_plainly(solid, options, dose) for solid in islands.solids])
    ends_matter = sum(solid.volume_mm3 for solid in islands.solids) <= 1000.0 * _ENDS_MATTER_CC
    dvh = joined([_with_band(solid, options, dose, ends_matter=ends_matter) for solid in islands.solids])
    if dvh.volume_cc <= 0:
        return dvh
    others = (joined([_plainly(solid, options, dose) for solid in other]) for other in islands.others)
    dvh = replace(dvh, variants=(*dvh.variants, *(replace(other, reading="other contours") for other in others)))
    return _with_faces(
        dvh, structure=structure, options=options, dose=dose, slice_spacing_mm=slice_spacing_mm, image=image
    )


def _plainly(solid: Solid, options: EngineOptions, dose: Dose | None) -> Dvh:
    return accumulated(solid, [options], dose)[1][0]


def _with_band(drawn: Solid, options: EngineOptions, dose: Dose | None, *, ends_matter: bool) -> Dvh:
    prism, *others = admissible(options)
    peaks = [PEAKS] * (dose is not None)
    # What differs only at the ends is booked with the value, and its ends alone; where there is little but ends, on
    # fewer cells.
    together = ends_matter and drawn.links is not None and ending_frac(drawn) <= _MUCH_ENDING_FRAC
    first = [prism, *others] if together else [prism] * (drawn.links is not None)
    drawn, (dvh, *variants) = accumulated(drawn, [options, *first], dose, rounds=True)
    if dvh.volume_cc <= 0:
        return dvh
    found = dict(zip([*(o.profile for o in first), *peaks], variants, strict=True))
    if not first or (ends_matter and not together):
        smooth = replace(others[-1], profile="reference", flat_scale=(1.0, 1.0))
        rest = [prism, *others] if ends_matter else [prism]
        _, (_, *coarse) = accumulated(drawn, [smooth, *rest], dose)
        found = dict(zip((o.profile for o in rest), coarse, strict=True)) | found
    if drawn.links is not None and 1 < drawn.stack.n_planes <= FEW_PLANES:
        # So few sections tell no bend: it may go straight from each to the next.
        straight = replace(others[0], profile="straight", bend_max=0.0)
        found[straight.profile] = _plainly(drawn, straight, dose)
    order = [prism.profile, *peaks, *(o.profile for o in others), "straight"]
    names = [name for name in order if name in found]
    dvh = replace(dvh, variants=tuple(replace(found[name], reading=name) for name in names))
    if not ends_matter:
        dvh = replace(dvh, ends_cc=ends_cc(drawn))
    if not peaks:
        return dvh
    return replace(
        dvh,
        min_bounds_gy=hull(dvh.min_bounds_gy, found[PEAKS].min_bounds_gy),
        max_bounds_gy=hull(dvh.max_bounds_gy, found[PEAKS].max_bounds_gy),
    )


def _with_faces(
    dvh: Dvh,
    *,
    structure: Structure,
    options: EngineOptions,
    dose: Dose | None,
    slice_spacing_mm: float | None,
    image: Grid | None,
) -> Dvh:
    """Return the DVH, and its variants, with what bounds the dose outside the grid, where much lies there."""
    if dose is None or not max(d.uncovered_frac for d in (dvh, *dvh.variants)) > MUCH_UNCOVERED_FRAC:
        return dvh
    face_gy = greatest_on_faces_gy(structure, dose, options, slice_spacing_mm=slice_spacing_mm)
    other = replace(options, profile="dose-to-centres", dose_end=_OTHER_END[options.dose_end])
    islands = make_islands(structure, dose.grid, options, slice_spacing_mm=slice_spacing_mm, image=image)
    centres = joined([_plainly(solid, other, dose) for solid in islands.solids])
    every = (*dvh.variants, replace(centres, reading=f"dose to {other.dose_end.value}"))
    variants = tuple(replace(variant, face_gy=face_gy) for variant in every)
    return replace(dvh, face_gy=face_gy, variants=variants)


def compute_dvhs(
    structures: Sequence[Structure],
    dose: Dose | None,
    *,
    options: EngineOptions | None = None,
    slice_spacing_mm: float | None = None,
    image: Grid | None = None,
    with_band: bool = False,
    threads: int | None = None,
) -> list[Dvh]:
    """Return `compute_dvh` of each structure, in the same order and to the last bit, on several threads.

    `threads` None takes one a processor. The kernels release Python's lock, so threads run side by side.
    """

    def one(structure: Structure) -> Dvh:
        return compute_dvh(
            structure, dose, options=options, slice_spacing_mm=slice_spacing_mm, image=image, with_band=with_band
        )

    # The longest first, so that no thread is left with it at the end.
    order = sorted(range(len(structures)), key=lambda n: -sum(len(c.points_mm) for c in structures[n].contours))
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        found = dict(zip(order, pool.map(lambda n: one(structures[n]), order), strict=True))
    return [found[n] for n in range(len(structures))]


def _without_volume(structure: Structure, findings: tuple[Finding, ...]) -> Dvh:
    nothing = np.empty(0)
    return Dvh(
        roi=structure.name, dose_gy=nothing, part_cc=nothing, volume_cc=0.0, min_gy=None, max_gy=None, findings=findings
    )
