"""Masks in, RTSTRUCT out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import Between, EndCap, EngineOptions
from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.jobs.read import odd_mask, structure_of, trace_mask
from dvhkit.model.structure import Structure
from dvhkit.readers.files.label_table import read_label_table
from dvhkit.readers.masks.label_maps import Mask, parse_mask_option, read_masks
from dvhkit.results.contours.imported import Imported, ImportedRoi

if TYPE_CHECKING:
    from dvhkit.engine.mask_outline import Traced
    from dvhkit.model.image import ImageSeries
    from dvhkit.outputs.rtstruct.write import NewRoi

_PRISM = EngineOptions(profile="prism", between=Between.PRISM, end_cap=EndCap.HALF_SLICE)
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
        traced = trace_mask(mask, image, same_frame=same_frame, crop=crop)
        structure = structure_of(mask, traced, image)
        rois.append(NewRoi(structure=structure, how=f"mask {mask.source}"))
        rows.append(_row(mask, traced, structure, image))
        findings += odd_mask(mask, traced) + _unlike_volume(mask, traced, rows[-1])
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


def _unlike_volume(mask: Mask, traced: Traced, row: ImportedRoi) -> list[Finding]:
    found = []
    if traced.outlines and abs(row.volume_cc - row.mask_volume_cc) > _VOLUME_RTOL * row.mask_volume_cc:
        message = (
            f"The contours hold {row.volume_cc:.4g} cc, the mask {row.mask_volume_cc:.4g} cc: voxels touch by corners, "
            "or are too few for contours to follow."
        )
        found.append(Finding(level=Level.WARNING, code="mask-volume-differs", message=message, where=mask.name))
    return found
