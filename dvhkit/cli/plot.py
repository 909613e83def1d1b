"""`dvhkit plot`: figures for papers and slides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.options import CaseInBandsOption, RunArgument
from dvhkit.cli.streams import announce_first_run, note_console, reading_progress

if TYPE_CHECKING:
    from dvhkit.model.case import Case

plot_app = typer.Typer(name="plot", help="Figures as PNG, SVG or PDF (needs the extra 'plot').", no_args_is_help=True)

RoiOption = Annotated[
    Optional[list[str]],  # noqa: UP045 -- typer reads it
    typer.Option("--roi", help="Structure, by name, '#number' or expression; repeatable."),
]
OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="fig.png, fig.svg or fig.pdf.")]


@plot_app.command("dvh")
def dvh(
    plans: Annotated[list[str], typer.Argument(metavar="PLAN [PLAN]", help="Folder of a plan; two are compared.")],
    out: OutOption,
    roi: RoiOption = None,
    absolute: Annotated[bool, typer.Option("--abs", help="Volumes in cc.")] = False,
) -> None:
    """Draw the DVHs of one plan, or of two plans of one patient, with their bands.

    [dim]Example:[/dim]  dvhkit plot dvh plans/a plans/b --roi PTV --roi Liver --out compared.pdf
    """
    from dvhkit.jobs.pictures.figures import plot_dvh

    if len(plans) > 2:
        raise typer.BadParameter("one plan, or two.")
    cases = [_case(plan) for plan in plans]
    announce_first_run()
    _save(plot_dvh(cases, rois=roi or (), absolute=absolute), out)


@plot_app.command("slice")
def slice_(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Folder of a plan.")],
    out: OutOption,
    roi: RoiOption = None,
    z: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--z", metavar="MM", help="Height in patient coordinates; else the first --roi's hottest place."),
    ] = None,
) -> None:
    """Draw a slice with contours and isodoses.

    [dim]Example:[/dim]  dvhkit plot slice plans/a --roi PTV --out slice.png
    """
    from dvhkit.jobs.pictures.figures import plot_slice

    _save(plot_slice(_case(plan), rois=roi or (), z_mm=z), out)


@plot_app.command("margin")
def margin(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Folder of a plan.")],
    out: OutOption,
    inner: Annotated[str, typer.Option("--inner", help="The inner structure, such as CTV.")],
    outer: Annotated[str, typer.Option("--outer", help="The outer structure, such as PTV.")],
    expect: Annotated[str, typer.Option("--expect", metavar="MARGIN", help="What was asked for, such as 5mm.")],
) -> None:
    """Draw the margin that was drawn between two structures, unrolled.

    [dim]Example:[/dim]  dvhkit plot margin plans/a --inner CTV --outer PTV --expect 5mm --out margin.png
    """
    from dvhkit.jobs.pictures.figures import plot_margin

    case = _case(plan)
    announce_first_run()
    _save(plot_margin(case, inner=inner, outer=outer, expect=expect), out)


@plot_app.command("cohort")
def cohort(
    run: RunArgument,
    out: OutOption,
    roi: RoiOption = None,
    case: CaseInBandsOption = None,
) -> None:
    """Draw DVH bands over the cases of a run: median, 25 to 75 %, 10 to 90 %, lowest to highest.

    [dim]Example:[/dim]  dvhkit plot cohort results --roi PTV --roi Liver --out bands.pdf
    """
    from dvhkit.archive.figures import plot_cohort

    _save(plot_cohort(run, rois=roi or (), case=case), out)


@plot_app.command("diff")
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Folder of a run, or of a plan.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another run, or another plan of the same patient.")],
    out: OutOption,
    roi: RoiOption = None,
    z: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--z", metavar="MM", help="Of two plans: the height of the slice in patient coordinates."),
    ] = None,
) -> None:
    """Draw what differs: between two runs each number that changed, between two plans the dose of B less that of A.

    [dim]Example:[/dim]  dvhkit plot diff results-0.1 results-0.2 --out changes.pdf
    """
    from dvhkit.archive.figures import is_run, plot_run_diff

    if is_run(first) != is_run(second):
        raise typer.BadParameter("two runs, or two plans.")
    if is_run(first):
        _save(plot_run_diff(first, second, rois=roi or ()), out)
        return
    from dvhkit.jobs.pictures.figures import plot_dose_difference

    _save(plot_dose_difference(_case(first), _case(second), rois=roi or (), z_mm=z), out)


def _case(plan: str) -> Case:
    from dvhkit.jobs.read import read_case

    with reading_progress() as progress:
        return read_case(plan, progress=progress)


def _save(figure: object, out: Path) -> None:
    from matplotlib.figure import Figure

    from dvhkit.outputs.figures.canvas import save_figure

    assert isinstance(figure, Figure)
    save_figure(figure, out)
    note_console().print(f"wrote {out}", markup=False)
