"""`dvhkit sum`: metrics on the dose of several plans together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.options import EngineOption, RtstructOption, RxOption, UncoveredOption
from dvhkit.cli.streams import STDOUT, announce_first_run, out_console, reading_progress, write_json, write_text
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from dvhkit.metrics.courses import Course
    from dvhkit.model.case import Case

_FRACTIONS = re.compile(r"(?P<path>.+)@(?:(?P<delivered>\d{1,3})/)?(?P<planned>\d{1,3})")


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
    metric: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--metric", metavar="EXPR", help="Such as 'D0.03cc[Gy]', 'V20Gy[cc]'; repeatable."),
    ] = None,
    eqd2: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--eqd2", metavar="ALPHA_BETA", help="Sum in EQD2 with this alpha/beta in Gy, voxel by voxel."),
    ] = None,
    unlike_fractions: Annotated[
        bool, typer.Option("--unlike-fractions", help="Add physical doses although the doses per fraction differ.")
    ] = False,
    json: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--json", metavar="FILE|-", help="Write the metrics as JSON."),
    ] = None,
    csv: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--csv", metavar="FILE|-", help="Write the metrics as CSV."),
    ] = None,
    rtstruct: RtstructOption = None,
    rx: RxOption = None,
    engine: EngineOption = None,
    uncovered: UncoveredOption = "refuse",
) -> None:
    r"""Measure the dose of several plans together, on the structures of the first.

    All must share one frame of reference. Doses are resampled onto the first plan's grid. Physical doses of unlike
    fractions are refused unless asked for; --eqd2 converts each voxel by its own dose per fraction.

    [dim]Example:[/dim]  dvhkit sum first second@4/5 --eqd2 2 --roi ThecalSac --metric 'Max\[Gy]'
    """
    from dataclasses import asdict, replace

    from dvhkit.batch.cases import with_user_prescription
    from dvhkit.case_numbers import CaseNumbers
    from dvhkit.cli.dvh import DEFAULT_METRICS
    from dvhkit.metrics.courses import eqd2_sum, physical_sum
    from dvhkit.metrics.expression import parse_metric
    from dvhkit.outputs import records, tables
    from dvhkit.outputs.metric_grid import metric_view
    from dvhkit.outputs.text import sentence_case

    metrics = [parse_metric(text) for text in (metric or DEFAULT_METRICS)]
    cases = _cases(plans, rtstruct)
    courses = [_course(case, plan, number) for number, (case, plan) in enumerate(zip(cases, plans, strict=True), 1)]
    made = physical_sum(courses, allow_unlike=unlike_fractions) if eqd2 is None else eqd2_sum(courses, eqd2)
    announce_first_run()
    first = replace(cases[0], dose=made.dose, plan=None, prescriptions=(), fractions=None)
    first = with_user_prescription(first, rx_gy=rx, fractions=None)
    numbers = CaseNumbers(first, engine=engine, uncovered=uncovered)
    regions = [numbers.region(name) for name in roi] if roi else numbers.every_roi()
    rows = [numbers.metric(region, m) for region in regions for m in metrics]
    findings = (*made.findings, *numbers.findings())
    if json:
        document = {
            **records.metrics_document(rows),
            "dose": made.description,
            "findings": [asdict(f) for f in findings],
        }
        write_json(json, document)
    if csv:
        write_text(
            csv,
            tables.metrics_csv([replace(r, note="; ".join(filter(None, (made.description, r.note)))) for r in rows]),
        )
    if STDOUT not in (json, csv):
        console = out_console()
        console.print(sentence_case(made.description), markup=False)
        for renderable in (*metric_view(rows), *tables.findings_panels(findings)):
            console.print(renderable)


def _parts(plan: str) -> tuple[Path, int | None, int | None]:
    """Return path, planned and delivered fractions of ``PLAN@DELIVERED/PLANNED``; a file may have an @ of its own."""
    match = None if Path(plan).exists() else _FRACTIONS.fullmatch(plan)
    if match is None:
        return Path(plan), None, None
    delivered = match["delivered"]
    return Path(match["path"]), int(match["planned"]), None if delivered is None else int(delivered)


def _cases(plans: list[str], rtstruct: Path | None) -> list[Case]:
    """Read each plan; a lone RTDOSE file takes the structures of the first plan."""
    from dvhkit.readers.case import read_case

    cases: list[Case] = []
    for plan in plans:
        path, _, _ = _parts(plan)
        structures = rtstruct or (cases[0].structures.path if cases and path.is_file() else None)
        with reading_progress() as progress:
            if path.is_file() and structures is not None:
                cases.append(read_case(rtdose=path, rtstruct=structures, progress=progress))
            else:
                cases.append(read_case(path, rtstruct=rtstruct if not cases else None, progress=progress))
    return cases


def _course(case: Case, plan: str, number: int) -> Course:
    from dvhkit.metrics.courses import Course

    path, planned, delivered = _parts(plan)
    if case.dose is None:
        raise InputError("the plan has no dose to add.", path=path, remedy="Name its RTDOSE file.")
    doses_gy = {p.dose_gy for p in case.prescriptions}
    return Course(
        dose=case.dose,
        fractions_planned=planned or case.fractions,
        fractions_delivered=delivered,
        prescribed_gy=next(iter(doses_gy)) if len(doses_gy) == 1 else None,
        label=f"plan {number}",
    )
