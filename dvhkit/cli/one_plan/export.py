"""`dvhkit export`: masks and doses as NIfTI or NRRD."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Optional

import typer

from dvhkit.cli.options import (
    CasePath,
    EngineOption,
    ImageOption,
    RtdoseOption,
    RtplanOption,
    RtstructOption,
    open_case,
)
from dvhkit.cli.streams import announce_first_run, note_console, write_json
from dvhkit.outputs.text import clean


def export(
    path: CasePath = None,
    roi: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Option("--roi", metavar="ROI", help="Structure, by name, '#number' or expression; repeatable."),
    ] = None,
    dose: Annotated[bool, typer.Option("--dose", help="Export the dose in Gy, on its own grid.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if missing.")] = Path(),
    form: Annotated[
        Literal["nii.gz", "nii", "nrrd", "mha"], typer.Option("--format", help="File format of the volumes.")
    ] = "nii.gz",
    on: Annotated[
        Literal["image", "dose"], typer.Option("--on", help="Grid of the masks: the image's, or the dose's.")
    ] = "image",
    values: Annotated[
        Literal["mask", "fraction"],
        typer.Option("--values", help="0 and 1 (at least half of the voxel inside), or the share of each voxel."),
    ] = "mask",
    rtstruct: RtstructOption = None,
    rtdose: RtdoseOption = None,
    rtplan: RtplanOption = None,
    image: ImageOption = None,
    engine: EngineOption = None,
    json: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--json", metavar="FILE|-", help="Write the manifest here, too."),
    ] = None,
) -> None:
    """Export structures as masks, and the dose, as NIfTI, NRRD or MetaImage with their place in the patient.

    Beside them lies manifest.json: which file is which structure, and what the files do not hold of what was drawn.

    [dim]Example:[/dim]  dvhkit export plans/case7 --roi PTV --roi 'Liver - GTV' --dose --out volumes
    """
    from dvhkit.errors import InputError
    from dvhkit.jobs.clinic.export import export_volumes
    from dvhkit.outputs.volumes import MANIFEST, export_document, write_volume

    if not roi and not dose:
        raise InputError("nothing to export is named.", remedy="Name structures with --roi, or the dose with --dose.")
    case = open_case(
        path,
        rtstruct=rtstruct,
        rtdose=rtdose,
        rtplan=rtplan,
        image=image,
        dose="required" if dose or on == "dose" else "not needed",
    )
    announce_first_run()
    made, findings = export_volumes(case, roi or (), dose=dose, on=on, values=values, engine=engine)
    for volume in made:
        target = out / f"{volume.stem}.{form}"
        write_volume(target, volume.values, volume.grid, plane_spacing_mm=volume.plane_spacing_mm)
        note_console().print(f"wrote {target}", markup=False, soft_wrap=True)
    rows = [(volume.roi, f"{volume.stem}.{form}", volume.volume_cc) for volume in made]
    document = export_document(rows, findings)
    write_json(str(out / MANIFEST), document)
    if json:
        write_json(json, document)
    for finding in findings:
        note_console().print(clean(str(finding)), markup=False, soft_wrap=True)
