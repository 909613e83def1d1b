"""`dvhkit dvh`: metrics and curves of one plan, or of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from dvhkit.cli.one_plan.dvh_archive import Targets, asked_of, measure_archive, write_rows
from dvhkit.cli.one_plan.rtdose_out import BitsOption, RtdoseOutOption, file_dose
from dvhkit.cli.options import (
    AcceptOption,
    CasePath,
    EngineOption,
    FractionsOption,
    ImageOption,
    JobsOption,
    MaskOption,
    NoBandOption,
    ParquetOption,
    RegistrationOption,
    RtdoseOption,
    RtplanOption,
    RtstructOption,
    RxOption,
    SameFrameOption,
    SegOption,
    UncoveredOption,
    look_at,
    open_case,
)
from dvhkit.cli.put_out import CsvOption, JsonOption, MetricOption, accepted_lines, put_out, with_findings
from dvhkit.cli.streams import EXIT_NOT_MET, STDOUT, announce_first_run, note_console, out_console, write_json
from dvhkit.errors import InputError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.jobs.numbers import CaseNumbers, Region, Uncovered
    from dvhkit.jobs.rules.words import Metric
    from dvhkit.model.case import Case
    from dvhkit.results.audit import Acceptance


def dvh(
    path: CasePath = None,
    roi: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Option("--roi", help="Structure, by name, '#number' or expression ('Liver - GTV'); repeatable."),
    ] = None,
    metric: MetricOption = None,
    json: JsonOption = None,
    csv: CsvOption = None,
    curves: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--curves", metavar="FILE|-", help="Write the cumulative DVHs as CSV."),
    ] = None,
    parquet: ParquetOption = None,
    jobs: JobsOption = "auto",
    rtstruct: RtstructOption = None,
    rtdose: RtdoseOption = None,
    rtplan: RtplanOption = None,
    image: ImageOption = None,
    registration: RegistrationOption = None,
    same_frame: SameFrameOption = False,
    mask: MaskOption = None,
    seg: SegOption = None,
    rx: RxOption = None,
    fractions: FractionsOption = None,
    engine: EngineOption = None,
    compare_profiles: Annotated[
        bool, typer.Option("--compare-profiles", help="Compute with every engine profile and show the spread.")
    ] = False,
    no_band: NoBandOption = False,
    uncovered: UncoveredOption = "refuse",
    accept: AcceptOption = None,
    rtdose_out: RtdoseOutOption = None,
    bits: BitsOption = "32",
    resampled: Annotated[
        bool, typer.Option("--resampled", help="With --rtdose-out: the dose on the image's lattice.")
    ] = False,
) -> None:
    r"""Compute DVHs and metrics of one plan, or of every plan in a folder.

    Of many plans every row begins with case_id, and a plan that cannot be used is told with its reason. Exit code 1:
    there is no dose that could be used, and a metric needs one; a finding withholds a number, and nobody vouched for it
    (--accept); or a plan of many could not be used.

    [dim]Example:[/dim]  dvhkit dvh plans/case7 --roi PTV --metric 'D95%\[Gy]' --metric 'V20Gy\[%]' --csv ptv.csv
    """
    from dvhkit.jobs.rules.words import acceptances, metrics_of

    if compare_profiles:
        _refuse_with_profiles(engine=engine, csv=csv, curves=curves)
    metrics = metrics_of(metric)
    targets = Targets(json=json, csv=csv, curves=curves, parquet=parquet)
    vouched = acceptances(accept)
    looked = look_at(path, named=(rtstruct, rtdose, rtplan, image, registration, same_frame, mask, seg))
    if looked.plans is not None:
        looked.refuse(("--rtdose-out", rtdose_out), ("--compare-profiles", compare_profiles))
        given = {"rx_gy": rx, "fractions": fractions, "engine": engine, "uncovered": uncovered}
        asked = asked_of(metrics, rois=roi, accepted=vouched, curves=curves, with_bands=not no_band, **given)
        raise typer.Exit(measure_archive(looked.plans, asked, jobs, targets, vouched))
    case = open_case(
        path,
        rtstruct=rtstruct,
        rtdose=rtdose,
        rtplan=rtplan,
        image=image,
        registration=registration,
        same_frame=same_frame,
        masks=mask,
        seg=seg,
        rx_gy=rx,
        fractions=fractions,
        dose="if usable",
        index=looked.index,
    )
    announce_first_run()
    if compare_profiles:
        _show_profiles(case, roi, metrics, uncovered, json)
        return
    how = {"uncovered": uncovered, "with_bands": not no_band, "accepted": [a.code for a in vouched]}
    numbers, regions = _measured(case, roi, engine=engine, **how)
    if rtdose_out is not None:
        file_dose(numbers, regions, rtdose_out, bits=bits, resampled=resampled)
    if _put_out(numbers, regions, metrics, targets, vouched):
        raise typer.Exit(EXIT_NOT_MET)


def _refuse_with_profiles(*, engine: str | None, csv: str | None, curves: str | None) -> None:
    """Refuse options that speak of one profile where all are compared."""
    given = {"--engine": engine, "--csv": csv, "--curves": curves}
    for option, value in given.items():
        if value is not None:
            raise InputError(
                f"{option} is about one profile, --compare-profiles about all.",
                remedy=f"Leave one of them out; --compare-profiles writes --json {STDOUT} or a file.",
            )


def _show_profiles(
    case: Case, roi: list[str] | None, metrics: Sequence[Metric], uncovered: Uncovered, json: str | None
) -> None:
    """Write the comparison to `json` (a file, or ``-``), and as a table to the terminal unless JSON goes there."""
    from dvhkit.jobs.profiles import compare_profiles
    from dvhkit.outputs.terminal.profiles import profiles_document, profiles_view

    compared = compare_profiles(case, roi, metrics, uncovered=uncovered)
    if json:
        write_json(json, profiles_document(compared))
    if json != STDOUT:
        for renderable in profiles_view(compared):
            out_console().print(renderable)
    if json and json != STDOUT:
        note_console().print(f"wrote {json}", markup=False)


def _measured(
    case: Case,
    roi: Sequence[str] | None,
    **options: Any,  # noqa: ANN401 -- as `CaseNumbers` has them
) -> tuple[CaseNumbers, Sequence[Region]]:
    """Return the numbers of the regions asked for, or of every ROI, their DVHs computed side by side."""
    from dvhkit.jobs.numbers import CaseNumbers

    numbers = CaseNumbers(case, **options)
    regions = [numbers.region(name) for name in roi] if roi else numbers.every_roi()
    if not regions:
        raise InputError(
            "the structure set holds no structure.", remedy="Export it again, or name another: --rtstruct."
        )
    numbers.prepare(regions)
    return numbers, regions


def _put_out(
    numbers: CaseNumbers,
    regions: Sequence[Region],
    metrics: Sequence[Metric],
    targets: Targets,
    vouched: Sequence[Acceptance],
) -> bool:
    """Show and write the metrics, and curves where asked for; say whether one lacked its dose or was withheld."""
    from dvhkit.outputs import records, tables
    from dvhkit.outputs.terminal.metric_grid import metric_view

    rows = [numbers.metric(region, m) for region in regions for m in metrics]
    findings = numbers.findings()
    drawn = tables.curves_csv([numbers.curve(region) for region in regions]) if targets.curves else ""
    if targets.parquet is not None:
        write_rows(targets.parquet, [(numbers.case.label, row) for row in rows])
    put_out(
        (*metric_view(rows), *tables.findings_panels(findings), *accepted_lines(vouched)),
        json=(targets.json, with_findings(records.metrics_document(rows), findings, vouched)),
        texts=[(targets.csv, tables.metrics_csv(rows)), (targets.curves, drawn)],
    )
    return any(row.reason_code == Reason.NO_DOSE or row.withheld for row in rows)
