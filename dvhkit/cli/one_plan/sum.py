"""`dvhkit sum`: metrics on the dose of several plans together."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from dvhkit.cli.one_plan.rtdose_out import BitsOption, RtdoseOutOption, file_dose
from dvhkit.cli.options import (
    AcceptOption,
    EngineOption,
    RtstructOption,
    RxOption,
    UncoveredOption,
    UnlikeFractionsOption,
)
from dvhkit.cli.put_out import CsvOption, JsonOption, MetricOption, accepted_lines, put_out, with_findings
from dvhkit.cli.streams import EXIT_NOT_MET, announce_first_run


def sum_(
    plans: Annotated[
        list[str],
        typer.Argument(
            metavar="PLAN[@[DELIVERED/]PLANNED]...",
            help="Folder or RTDOSE file of each plan, and its fractions if the plan does not state them: "
            "'first@25', or 'first@20/25' where 20 of 25 were given.",
        ),
    ],
    roi: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Option("--roi", help="Structure of the first plan, by name, '#number' or expression; repeatable."),
    ] = None,
    metric: MetricOption = None,
    eqd2: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--eqd2", metavar="ALPHA_BETA", help="Sum in EQD2 with this alpha/beta in Gy, voxel by voxel."),
    ] = None,
    unlike_fractions: UnlikeFractionsOption = False,
    json: JsonOption = None,
    csv: CsvOption = None,
    rtstruct: RtstructOption = None,
    rx: RxOption = None,
    engine: EngineOption = None,
    uncovered: UncoveredOption = "refuse",
    accept: AcceptOption = None,
    rtdose_out: RtdoseOutOption = None,
    bits: BitsOption = "32",
) -> None:
    r"""Measure the dose of several plans together, on the structures of the first.

    All must share one frame of reference. Doses are resampled onto the first plan's grid. Physical doses of unlike
    fractions are refused unless asked for; --eqd2 converts each voxel by its own dose per fraction. Exit code 1: a
    finding withholds a number, and nobody vouched for it (--accept).

    [dim]Example:[/dim]  dvhkit sum first second@4/5 --eqd2 2 --roi ThecalSac --metric 'Max\[Gy]'
    """
    from dataclasses import replace

    from dvhkit.cli.plans import summed_case
    from dvhkit.jobs.numbers import CaseNumbers
    from dvhkit.jobs.prescription import with_user_prescription
    from dvhkit.jobs.rules.words import acceptances, metrics_of
    from dvhkit.outputs import records, tables
    from dvhkit.outputs.terminal.metric_grid import metric_view
    from dvhkit.outputs.text import sentence_case

    metrics = metrics_of(metric)
    case = summed_case(plans, rtstruct=rtstruct, eqd2_alpha_beta_gy=eqd2, allow_unlike=unlike_fractions)
    case = with_user_prescription(case, rx_gy=rx, fractions=None)
    assert case.summed is not None
    announce_first_run()
    vouched = acceptances(accept)
    numbers = CaseNumbers(case, engine=engine, uncovered=uncovered, accepted=[a.code for a in vouched])
    regions = [numbers.region(name) for name in roi] if roi else numbers.every_roi()
    numbers.prepare(regions)
    rows = [numbers.metric(region, m) for region in regions for m in metrics]
    findings, what = numbers.findings(), case.summed.description
    noted = [replace(row, note="; ".join(filter(None, (what, row.note)))) for row in rows]
    if rtdose_out is not None:
        file_dose(numbers, regions, rtdose_out, bits=bits)
    put_out(
        (sentence_case(what), *metric_view(rows), *tables.findings_panels(findings), *accepted_lines(vouched)),
        json=(json, with_findings({**records.metrics_document(rows), "dose": what}, findings, vouched)),
        texts=[(csv, tables.metrics_csv(noted))],
    )
    if any(row.withheld for row in rows):
        raise typer.Exit(EXIT_NOT_MET)
