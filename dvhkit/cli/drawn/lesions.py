"""`dvhkit lesions`: diameters of lesions, and response over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.options import ResultsJsonOption
from dvhkit.cli.put_out import CsvOption, put_out
from dvhkit.cli.streams import announce_first_run

lesions_app = typer.Typer(name="lesions", help="Measure lesions, and judge response over time.", no_args_is_help=True)


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
    sr: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--sr", metavar="OUT.dcm", help="Also write a DICOM structured report (TID 1500)."),
    ] = None,
    json: ResultsJsonOption = None,
    csv: CsvOption = None,
) -> None:
    """Measure lesions as RECIST 1.1 does: longest axial diameter inside the lesion, short axis perpendicular to it.

    Says of each whether it would be a target at baseline, by its size, the slice thickness, and whether it was
    irradiated: then it is measurable only once it has progressed.

    [dim]Example:[/dim]  dvhkit lesions measure plans/case7 --roi 'GTV*' --csv lesions.csv
    """
    from dvhkit.jobs.contours.lesions import measure_lesions
    from dvhkit.outputs.contours import lesions as views
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
        sr=sr,
    )
    put_out(
        (views.lesions_view(found), *findings_panels(found.findings)),
        json=(json, views.lesions_document(found)),
        texts=[(csv, views.lesions_csv(found))],
    )


@lesions_app.command()
def respond(
    table: Annotated[
        Path,
        typer.Argument(metavar="TIMEPOINTS.csv", help="Columns date, lesion, role, mm[, state, viable_mm, patient]."),
    ],
    confirm_days: Annotated[
        int, typer.Option("--confirm-days", min=0, help="After so many days a later CR or PR confirms one.")
    ] = 28,
    sd_days: Annotated[int, typer.Option("--sd-days", min=0, help="From this day on SD counts as a best.")] = 42,
    readers: Annotated[
        str, typer.Option("--readers", metavar="two|same", help="Whose variability the band shows.")
    ] = "two",
    json: ResultsJsonOption = None,
    csv: CsvOption = None,
    report: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--report", metavar="FILE", help="Write a page with waterfall and spider plot."),
    ] = None,
) -> None:
    """Judge response over time by RECIST 1.1, and by mRECIST where viable diameters stand.

    One row a date and lesion; the first date is the baseline. Roles: target, node (mm is its short axis), non-target,
    new. States: gone, present, progressed, too-small, ne. Beside each call stands what two readers could make of it.

    [dim]Example:[/dim]  dvhkit lesions respond timepoints.csv --report response.html
    """
    from dvhkit.jobs.contours.response import judge_responses
    from dvhkit.outputs.contours import response as views

    found = judge_responses(table, confirm_days=confirm_days, sd_days=sd_days, readers=readers)
    put_out(
        views.responses_view(found),
        json=(json, views.responses_document(found)),
        texts=[
            (csv, views.responses_csv(found)),
            (str(report) if report else None, views.response_page(found) if report else ""),
        ],
    )
