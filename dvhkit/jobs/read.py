"""A case out of files: linked and read, masks turned into structures on the planning image."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from dvhkit.errors import GeometryError, InputError, LinkError
from dvhkit.findings import Finding, Level
from dvhkit.model.roi_kinds import BODY, is_body
from dvhkit.model.structure import Contour, ContourKind, Structure, StructureSet
from dvhkit.readers import case as readers
from dvhkit.readers.linking.case_files import CaseFiles
from dvhkit.readers.linking.choose import DoseNeed, Named
from dvhkit.readers.masks.label_maps import Mask, parse_mask_option, read_masks
from dvhkit.readers.rtstruct import read_structures

if TYPE_CHECKING:
    from dvhkit.engine.mask_outline import Traced
    from dvhkit.model.case import Case
    from dvhkit.model.image import ImageSeries

__all__ = ["DoseNeed", "odd_mask", "read_case", "read_files", "structure_of", "structures_of", "trace_mask"]

_TARGET = re.compile(r"^z?(GTV|CTV|PTV|ITV)", re.I)
# More of a mask beyond the image than this is told; than that, refused: it is of another image.
_OUTSIDE_FRAC = 1e-3
_MOST_OUTSIDE_FRAC = 0.01


def read_case(
    path: Path | str | None = None,
    *,
    masks: Mapping[str, Path | str] | Sequence[str] = (),
    **chosen: Unpack[Named],
) -> Case:
    """Return the one case in a folder, or the one that the named files make.

    Parameters
    ----------
    path, chosen
        As of `dvhkit.readers.case.read_case`: ``rtstruct``, ``rtdose``, ``rtplan``, ``image``, ``registration``,
        ``same_frame``, ``seg``, ``dose``.
    masks
        Masks that become structures of the case, on its image: files by name, or texts such as ``GTV=gtv.nii.gz`` and
        ``LUNGS=labels.nii.gz#3``. NIfTI, NRRD, MetaImage and DICOM SEG.

    Raises
    ------
    LinkError
        If there is more than one case, or the files do not belong together.
    InputError
        If there is nothing to read, or a file cannot be used; for masks, also where there is no image, a mask lies
        beyond it, or a structure of its name is there already.
    """
    texts = [f"{name}={file}" for name, file in masks.items()] if isinstance(masks, Mapping) else list(masks)
    return readers.read_case(path, drawn=structures_of, masks=texts, **chosen)


def read_files(files: CaseFiles, *, dose: DoseNeed = "required") -> Case:
    """Return the case that `files` make, masks among them; see `dvhkit.readers.case.read_files`."""
    return readers.read_files(files, dose=dose, drawn=structures_of)


def structures_of(
    files: CaseFiles, image: ImageSeries | None, taken: Collection[int]
) -> tuple[StructureSet, list[Finding]]:
    """Return the structures of a case, those that are masks drawn on its image, and what is odd about them."""
    findings: list[Finding] = []
    own = StructureSet(structures=())
    if files.rtstruct is not None:
        own, found = read_structures(files.rtstruct)
        findings += found
    if not files.segmentations and not files.masks:
        return own, findings
    if image is None:
        raise InputError(
            "masks become structures on the slices of the planning image, and there is none.",
            path=files.drawn_in[-1],
            remedy="Name the folder of the image: --image.",
        )
    drawn = list(own)
    next_number = 1 + max((*taken, *(s.number for s in own), 0))
    for mask, is_named in _masks_of(files):
        traced = trace_mask(mask, image, same_frame=files.same_frame)
        name = _free_name(mask, [s.name for s in drawn], findings, is_named=is_named)
        findings += odd_mask(mask, traced)
        drawn.append(replace(structure_of(mask, traced, image), number=next_number, name=name))
        next_number += 1
    frame = own.frame_of_reference_uid or image.frame_of_reference_uid
    return replace(own, structures=tuple(drawn), frame_of_reference_uid=frame), findings


def _masks_of(files: CaseFiles) -> Iterator[tuple[Mask, bool]]:
    """Yield the masks of a case, and whether the user named each."""
    for path in files.segmentations:
        yield from ((mask, False) for mask in read_masks("", path, None, None))
    for text in files.masks:
        name, path, label = parse_mask_option(text)
        yield from ((mask, bool(name)) for mask in read_masks(name, path, label, None))


def _free_name(mask: Mask, names: Sequence[str], findings: list[Finding], *, is_named: bool) -> str:
    """Return the name of a mask, or another where a structure has it; one that the user gave is not changed."""
    if mask.name not in names:
        return mask.name
    if is_named:
        raise InputError(
            f"a structure {mask.name!r} is there already.", path=mask.source, remedy="Give the mask another name."
        )
    name = next(n for i in range(1, len(names) + 2) if (n := f"{mask.name}_mask{i if i > 1 else ''}") not in names)
    message = f"A structure {mask.name!r} is there already; the mask of {mask.source} is called {name!r}."
    findings.append(Finding(level=Level.INFO, code="mask-renamed", message=message, where=name))
    return name


def trace_mask(mask: Mask, image: ImageSeries, *, same_frame: bool = False, crop: bool = False) -> Traced:
    """Return the outlines of a mask on the planes of an image.

    Raises
    ------
    LinkError
        If it lies in another frame of reference, and nobody vouches that it is the same.
    GeometryError
        If it lies beside or beyond the image; with `crop` it may reach beyond.
    """
    from dvhkit.engine.mask_outline import outlines_of

    frames = mask.frame_of_reference_uid, image.frame_of_reference_uid
    if not same_frame and all(frames) and frames[0] != frames[1]:
        raise LinkError(
            "the segmentation lies in another frame of reference than the image.",
            path=mask.source,
            remedy="Take the image that it was made on, or vouch for one frame: --same-frame.",
        )
    try:
        traced = outlines_of(mask.values, mask.to_lps, image.grid)
    except GeometryError as error:
        raise GeometryError(error.message, path=mask.source, remedy=error.remedy) from error
    if traced.outside_frac > _MOST_OUTSIDE_FRAC and not crop:
        raise GeometryError(
            f"{100 * traced.outside_frac:.3g} % of the mask {mask.name!r} lie beyond the image.",
            path=mask.source,
            remedy="Check that it is of this image; `dvhkit import --crop` leaves out what lies beyond.",
        )
    return traced


def structure_of(mask: Mask, traced: Traced, image: ImageSeries) -> Structure:
    """Return a mask as contours: rings inside rings are holes. Its type is told by its name."""
    target = _TARGET.match(mask.name)
    kind = target.group(1).upper() if target else BODY if is_body(mask.name) else "ORGAN"
    return Structure(
        number=1,
        name=mask.name,
        contours=tuple(
            Contour(points_mm=ring, kind=ContourKind.CLOSEDPLANAR_XOR) for o in traced.outlines for ring in o.rings
        ),
        rt_roi_type=kind,
        frame_of_reference_uid=image.frame_of_reference_uid,
    )


def odd_mask(mask: Mask, traced: Traced) -> list[Finding]:
    """Return what is odd about a mask and its place on the image."""
    if not traced.outlines:
        message = "The mask is empty; the structure has no contours."
        return [Finding(level=Level.WARNING, code="mask-empty", message=message, where=mask.name)]
    found = []
    if traced.outside_frac > _OUTSIDE_FRAC:
        message = (
            f"{100 * traced.outside_frac:.3g} % of the mask lie beyond the image and were left out. "
            "Check that the mask is of this image."
        )
        found.append(Finding(level=Level.WARNING, code="mask-beyond-image", message=message, where=mask.name))
    if not traced.on_lattice:
        voxel = np.linalg.norm(mask.to_lps[:, :3], axis=0)
        sizes = " x ".join(f"{size:.4g}" for size in voxel)
        message = (
            f"The mask's voxels ({sizes} mm) are not those of the image; contours run between them, on the image's "
            "planes."
        )
        found.append(Finding(level=Level.INFO, code="mask-other-lattice", message=message, where=mask.name))
    return found
