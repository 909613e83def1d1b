"""`dvhkit dvh`: metrics and curves of one plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.options import (
    CasePath,
    EngineOption,
    FractionsOption,
    ImageOption,
    RegistrationOption,
    RtdoseOption,
    RtplanOption,
    RtstructOption,
    RxOption,
    SameFrameOption,
    UncoveredOption,
    open_case,
)
from dvhkit.cli.streams import STDOUT, announce_first_run, note_console, out_console, write_json, write_text
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from dvhkit.findings import Finding

# What a reader of a DVH looks at first: ICRU 83's near-minimum, median and near-maximum, with volume and mean.
DEFAULT_METRICS = ("Volume[cc]", "Min[Gy]", "D98%[Gy]", "D95%[Gy]", "Mean[Gy]", "D50%[Gy]", "D2%[Gy]", "Max[Gy]")


def dvh(
    path: CasePath = None,
    roi: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Option("--roi", help="Structure, by name, '#number' or expression ('Liver - GTV'); repeatable."),
    ] = None,
    metric: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--metric", metavar="EXPR", help="Such as 'D95%[Gy]', 'V20Gy[%]', 'DC700cc[Gy]'; repeatable."),
    ] = None,
    json: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--json", metavar="FILE|-", help="Write the metrics as JSON."),
    ] = None,
    csv: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--csv", metavar="FILE|-", help="Write the metrics as CSV."),
    ] = None,
    curves: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--curves", metavar="FILE|-", help="Write the cumulative DVHs as CSV."),
    ] = None,
    rtstruct: RtstructOption = None,
    rtdose: RtdoseOption = None,
    rtplan: RtplanOption = None,
    image: ImageOption = None,
    registration: RegistrationOption = None,
    same_frame: SameFrameOption = False,
    rx: RxOption = None,
    fractions: FractionsOption = None,
    engine: EngineOption = None,
    compare_profiles: Annotated[
        bool, typer.Option("--compare-profiles", help="Compute with every engine profile and show the spread.")
    ] = False,
    uncovered: UncoveredOption = "refuse",
) -> None:
    r"""Compute DVHs and metrics of one plan.

    [dim]Example:[/dim]  dvhkit dvh plans/case7 --roi PTV --metric 'D95%\[Gy]' --metric 'V20Gy\[%]' --csv ptv.csv
    """
    from dvhkit.case_numbers import CaseNumbers
    from dvhkit.cli import profile_view
    from dvhkit.metrics.expression import parse_metric
    from dvhkit.outputs import records, tables
    from dvhkit.outputs.metric_grid import metric_view

    if compare_profiles:
        profile_view.refuse_with_profiles(engine=engine, csv=csv, curves=curves)
    metrics = [parse_metric(text) for text in (metric or DEFAULT_METRICS)]
    case = open_case(
        path,
        rtstruct=rtstruct,
        rtdose=rtdose,
        rtplan=rtplan,
        image=image,
        registration=registration,
        same_frame=same_frame,
        rx_gy=rx,
        fractions=fractions,
    )
    announce_first_run()
    if compare_profiles:
        profile_view.show_profiles(profile_view.compare_profiles(case, roi, metrics, uncovered=uncovered), json)
        return
    numbers = CaseNumbers(case, engine=engine, uncovered=uncovered)
    regions = [numbers.region(name) for name in roi] if roi else numbers.every_roi()
    if not regions:
        raise InputError(
            "the structure set holds no structure.", remedy="Export it again, or name another: --rtstruct."
        )
    numbers.prepare(regions)
    rows = [numbers.metric(region, m) for region in regions for m in metrics]
    if json:
        write_json(json, {**records.metrics_document(rows), "findings": _plain(numbers.findings())})
    if csv:
        write_text(csv, tables.metrics_csv(rows))
    if curves:
        write_text(curves, tables.curves_csv([numbers.curve(region) for region in regions]))
    if STDOUT not in (json, csv, curves):
        console = out_console()
        for renderable in metric_view(rows):
            console.print(renderable)
        for renderable in tables.findings_panels(numbers.findings()):
            console.print(renderable)
    for target in (json, csv, curves):
        if target and target != STDOUT:
            note_console().print(f"wrote {target}", markup=False)


def _plain(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    from dataclasses import asdict

    return [asdict(f) for f in findings]
