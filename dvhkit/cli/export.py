"""`dvhkit export`: masks and doses as NIfTI or NRRD."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

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
from dvhkit.cli.streams import announce_first_run, note_console

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.grid import Grid


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
) -> None:
    """Export structures as masks, and the dose, as NIfTI, NRRD or MetaImage with their place in the patient.

    [dim]Example:[/dim]  dvhkit export plans/case7 --roi PTV --roi 'Liver - GTV' --dose --out volumes
    """
    from dvhkit.errors import InputError
    from dvhkit.outputs.volumes import write_volume

    if not roi and not dose:
        raise InputError("nothing to export is named.", remedy="Name structures with --roi, or the dose with --dose.")
    case = open_case(
        path,
        rtstruct=rtstruct,
        rtdose=rtdose,
        rtplan=rtplan,
        image=image,
        rx_gy=None,
        fractions=None,
        dose="required" if dose or on == "dose" else "not needed",
    )
    announce_first_run()
    targets: dict[str, tuple[Any, Grid]] = {}
    for name in roi or ():
        targets[_file_name(name, targets)] = _mask(case, name, on, values, engine)
    if dose:
        if case.dose is None:
            raise InputError("there is no dose to export.", remedy="Name it with --rtdose.")
        targets[_file_name("dose_gy", targets)] = (case.dose.values_gy.astype("float32"), case.dose.grid)
    for stem, (array, grid) in targets.items():
        target = out / f"{stem}.{form}"
        write_volume(target, array, grid)
        note_console().print(f"wrote {target}", markup=False, soft_wrap=True)


def _mask(case: Case, name: str, on: str, values: str, engine: str | None) -> tuple[Any, Grid]:
    import numpy as np

    from dvhkit.engine.options import profile
    from dvhkit.engine.rasterise import volume_on_grid
    from dvhkit.targets.regions.expression import evaluate

    grid = _grid(case, on)
    structure = evaluate(name, case.structures, image=case.image).structure
    spacing = case.image.grid.plane_spacing_mm if case.image is not None else 0.0
    fractions = volume_on_grid(structure, grid, profile(engine) if engine else None, slice_spacing_mm=spacing or None)
    if values == "mask":
        return (fractions >= 0.5).astype(np.uint8), grid
    return fractions.astype(np.float32), grid


def _grid(case: Case, on: str) -> Grid:
    from dvhkit.errors import InputError

    source = case.image if on == "image" else case.dose
    if source is None:
        other = "dose" if on == "image" else "image"
        raise InputError(
            f"there is no {on} whose grid the masks could lie on.", remedy=f"Use --on {other}, or supply it."
        )
    return source.grid


def _file_name(name: str, taken: dict[str, Any]) -> str:
    """Return a file name for a structure: letters, digits, dot, dash and underscore; numbered where it repeats."""
    stem = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._-") or "structure"
    stem = stem[:80]
    unique, number = stem, 2
    while unique.casefold() in {t.casefold() for t in taken}:
        unique = f"{stem}_{number}"
        number += 1
    return unique
