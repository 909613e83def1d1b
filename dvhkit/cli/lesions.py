"""`dvhkit lesions`: diameters of lesions, and response over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.metric_output import CsvOption, put_out
from dvhkit.cli.streams import announce_first_run

lesions_app = typer.Typer(name="lesions", help="Measure lesions, and judge response over time.", no_args_is_help=True)

LesionsJson = Annotated[
    Optional[str],  # noqa: UP045 -- typer reads it
    typer.Option("--json", metavar="FILE|-", help="Write the results as JSON."),
]


@lesions_app.command()
def measure(
    path: Annotated[Path, typer.Argument(help="RTSTRUCT file, or a folder that holds one (and a dose).")],
    roi: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--roi", help="Lesions, with * and ? as wildcards; repeatable. GTVs otherwise."),
    ] = None,
    node: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--node", help="Which of them are lymph nodes; by their names otherwise. Repeatable."),
    ] = None,
    progressed: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--progressed", help="Lesions that have grown since they were irradiated; repeatable."),
    ] = None,
    dose: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--dose", metavar="RTDOSE", help="What they were irradiated with; the folder's dose otherwise."),
    ] = None,
    slice_spacing: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--slice-spacing", metavar="MM", min=0.01, help="Slice thickness of the images that were read."),
    ] = None,
    irradiated_from: Annotated[
        float, typer.Option("--irradiated-from", metavar="GY", min=0.0, help="D50% from which a lesion counts so.")
    ] = 10.0,
    json: LesionsJson = None,
    csv: CsvOption = None,
) -> None:
    """Measure lesions as RECIST 1.1 does: longest axial diameter inside the lesion, short axis perpendicular to it.

    Says of each whether it would be a target at baseline, by its size, the slice thickness, and whether it was
    irradiated: then it is measurable only once it has progressed.

    [dim]Example:[/dim]  dvhkit lesions measure plans/case7 --roi 'GTV*' --csv lesions.csv
    """
    from dvhkit.jobs.lesions import measure_lesions
    from dvhkit.outputs import lesions as views
    from dvhkit.outputs.tables import findings_panels

    announce_first_run()
    found = measure_lesions(
        path,
        roi=roi,
        nodes=node,
        progressed=progressed or (),
        dose=dose,
        slice_spacing_mm=slice_spacing,
        irradiated_from_gy=irradiated_from,
    )
    put_out(
        (views.lesions_view(found), *findings_panels(found.findings)),
        json=(json, views.lesions_document(found)),
        texts=[(csv, views.lesions_csv(found))],
    )
