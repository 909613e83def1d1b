"""`dvhkit import`: masks as the structures of an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Optional

import typer

from dvhkit.cli.options import DoneJsonOption
from dvhkit.cli.streams import STDOUT, note_console, out_console, write_json


def import_(
    image: Annotated[Path, typer.Argument(help="Folder of the image series that the masks are of, or a slice of it.")],
    mask: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Option(
            "--mask",
            metavar="NAME=FILE",
            help="NIfTI, NRRD, MetaImage or DICOM SEG; NAME=FILE#3 takes one label, a FILE or FOLDER alone takes all "
            "under their own names; repeatable.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The RTSTRUCT to write.")] = Path("rtstruct.dcm"),
    labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--labels",
            metavar="FILE",
            help="Names of the labels of a label map: JSON, CSV, or lines 'number name' as viewers save them.",
        ),
    ] = None,
    rtstruct: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--rtstruct", "--add", metavar="FILE", help="Write a copy of this RTSTRUCT with the masks added."),
    ] = None,
    holes: Annotated[
        Literal["keyhole", "xor", "nested"], typer.Option("--holes", help="How holes are stored.")
    ] = "keyhole",
    label: Annotated[str, typer.Option("--label", help="Label of the structure set.")] = "dvhkit",
    name_longest: Annotated[int, typer.Option("--name-longest", min=4, max=64, help="Longer names are cut.")] = 64,
    crop: Annotated[
        bool, typer.Option("--crop", help="Leave out what lies beyond the image; such masks are refused otherwise.")
    ] = False,
    same_frame: Annotated[
        bool, typer.Option("--same-frame", help="Vouch that SEG and image share a frame although their UIDs differ.")
    ] = False,
    json: DoneJsonOption = None,
) -> None:
    """Turn masks into contours on the slices of their image, and write them as RTSTRUCT.

    [dim]Example:[/dim]  dvhkit import plans/case7 --mask GTV=gtv.nii.gz --mask segmentations --out rs.dcm
    """
    from dvhkit.jobs.clinic.import_masks import import_masks
    from dvhkit.outputs.contours.imported import import_document, import_view

    found = import_masks(
        image,
        mask or (),
        out,
        labels=labels,
        add_to=rtstruct,
        holes=holes,
        label=label,
        name_longest=name_longest,
        crop=crop,
        same_frame=same_frame,
    )
    if json:
        write_json(json, import_document(found))
    if json != STDOUT:
        for renderable in import_view(found):
            out_console().print(renderable, markup=False)
    note_console().print(f"wrote {out}", markup=False, soft_wrap=True)
