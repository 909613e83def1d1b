"""Masks in, RTSTRUCT out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.mask_outline import Traced, outlines_of
from dvhkit.engine.options import Between, EndCap, EngineOptions
from dvhkit.errors import GeometryError, InputError, LinkError
from dvhkit.findings import Finding, Level
from dvhkit.model.roi_kinds import BODY, is_body
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.readers.files.label_table import read_label_table
from dvhkit.readers.masks.label_maps import Mask, parse_mask_option, read_masks
from dvhkit.results.contours.imported import Imported, ImportedRoi

if TYPE_CHECKING:
    from dvhkit.model.image import ImageSeries
    from dvhkit.outputs.rtstruct.write import NewRoi

_TARGET = re.compile(r"^z?(GTV|CTV|PTV|ITV)", re.I)
_PRISM = EngineOptions(profile="prism", between=Between.PRISM, end_cap=EndCap.HALF_SLICE)
# More of a mask beyond the image than this is told; than that, refused: it is of another image.
_OUTSIDE_FRAC = 1e-3
_MOST_OUTSIDE_FRAC = 0.01
# Contours whose area can be chosen have the mask's volume; of voxels that touch by corners alone it cannot be met.
_VOLUME_RTOL = 2e-3


def import_masks(
    image_path: Path,
    masks: Sequence[str],
    out: Path,
    *,
    labels: Path | None = None,
    add_to: Path | None = None,
    holes: Literal["keyhole", "xor", "nested"] = "keyhole",
    label: str = "dvhkit",
    name_longest: int = 64,
    crop: bool = False,
    same_frame: bool = False,
) -> Imported:
    """Write masks as the structures of an image.

    Parameters
    ----------
    image_path
        Folder of one image series, or a case's folder with one.
    masks
        ``NAME=FILE``, ``NAME=FILE#label``, a file, or a folder of files.
    labels
        Names of the labels of a label map.
    add_to
        An RTSTRUCT: a copy of it is written with the structures added.
    crop
        Leave out what lies beyond the image; otherwise such a mask is refused.
    same_frame
        Somebody vouches that a DICOM SEG lies in the image's frame of reference although it names another.

    Raises
    ------
    InputError
        If a mask cannot be used, or does not lie on the image. Nothing is written then.
    """
    from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
    from dvhkit.readers.case import read_image

    if not masks:
        raise InputError("no mask is named.", remedy="Name masks with --mask NAME=FILE.")
    image = read_image(image_path)
    table = read_label_table(labels) if labels is not None else None
    rois: list[NewRoi] = []
    rows: list[ImportedRoi] = []
    findings: list[Finding] = []
    for mask in _all(masks, table):
        if not same_frame:
            _require_frame(mask, image)
        traced = _traced(mask, image)
        if not crop:
            _require_inside(mask, traced)
        structure = _structure(mask, traced, image)
        rois.append(NewRoi(structure=structure, how=f"mask {mask.source}"))
        rows.append(_row(mask, traced, structure, image))
        findings += _odd(mask, traced, rows[-1])
    if not rois:
        raise InputError("the masks hold no structure.", remedy="Check the labels that were asked for.")
    written = write_rtstruct(
        out,
        rois,
        source=add_to,
        image=image,
        keep_existing=add_to is not None,
        holes=holes,
        label=label,
        name_longest=name_longest,
    )
    return Imported(
        path=str(out),
        sop_instance_uid=written.sop_instance_uid,
        structures=tuple(replace(row, roi=name) for row, name in zip(rows, written.names, strict=True)),
        findings=(*findings, *written.findings),
    )


def _all(masks: Sequence[str], table: dict[int, str] | None) -> Iterator[Mask]:
    for text in masks:
        name, path, number = parse_mask_option(text)
        yield from read_masks(name, path, number, table)


def _traced(mask: Mask, image: ImageSeries) -> Traced:
    try:
        return outlines_of(mask.values, mask.to_lps, image.grid)
    except GeometryError as error:
        raise GeometryError(error.message, path=mask.source, remedy=error.remedy) from error


def _require_frame(mask: Mask, image: ImageSeries) -> None:
    frames = mask.frame_of_reference_uid, image.frame_of_reference_uid
    if all(frames) and frames[0] != frames[1]:
        raise LinkError(
            "the segmentation lies in another frame of reference than the image.",
            path=mask.source,
            remedy="Take the image that it was made on, or vouch for one frame: --same-frame.",
        )


def _require_inside(mask: Mask, traced: Traced) -> None:
    if traced.outside_frac > _MOST_OUTSIDE_FRAC:
        raise GeometryError(
            f"{100 * traced.outside_frac:.3g} % of the mask {mask.name!r} lie beyond the image.",
            path=mask.source,
            remedy="Check that it is of this image; --crop leaves out what lies beyond.",
        )


def _structure(mask: Mask, traced: Traced, image: ImageSeries) -> Structure:
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


def _row(mask: Mask, traced: Traced, structure: Structure, image: ImageSeries) -> ImportedRoi:
    spacing = image.grid.plane_spacing_mm or image.slice_thickness_mm or 1.0
    volume = compute_dvh(structure, None, options=_PRISM, slice_spacing_mm=spacing, image=image.grid).volume_cc
    return ImportedRoi(
        roi=mask.name,
        volume_cc=round(volume, 6),
        mask_volume_cc=round(mask.volume_cc * (1.0 - traced.outside_frac), 6),
        slices=len(traced.outlines),
        source=mask.source,
    )


def _odd(mask: Mask, traced: Traced, row: ImportedRoi) -> list[Finding]:
    found = []
    if not traced.outlines:
        message = "The mask is empty; the structure was written without contours."
        found.append(Finding(level=Level.WARNING, code="mask-empty", message=message, where=mask.name))
    if traced.outside_frac > _OUTSIDE_FRAC:
        message = (
            f"{100 * traced.outside_frac:.3g} % of the mask lie beyond the image and were left out. "
            "Check that the mask is of this image."
        )
        found.append(Finding(level=Level.WARNING, code="mask-beyond-image", message=message, where=mask.name))
    if traced.outlines and not traced.on_lattice:
        voxel = np.linalg.norm(mask.to_lps[:, :3], axis=0)
        sizes = " x ".join(f"{size:.4g}" for size in voxel)
        message = (
            f"The mask's voxels ({sizes} mm) are not those of the image; contours run between them, on the image's "
            "planes."
        )
        found.append(Finding(level=Level.INFO, code="mask-other-lattice", message=message, where=mask.name))
    if traced.outlines and abs(row.volume_cc - row.mask_volume_cc) > _VOLUME_RTOL * row.mask_volume_cc:
        message = (
            f"The contours hold {row.volume_cc:.4g} cc, the mask {row.mask_volume_cc:.4g} cc: voxels touch by corners, "
            "or are too few for contours to follow."
        )
        found.append(Finding(level=Level.WARNING, code="mask-volume-differs", message=message, where=mask.name))
    return found
