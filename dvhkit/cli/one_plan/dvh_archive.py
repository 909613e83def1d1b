"""`dvhkit dvh` over many plans: a row a plan, structure and metric."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvhkit.cli.archive_view import plan_progress, show_failed
from dvhkit.cli.options import worker_count
from dvhkit.cli.put_out import accepted_lines, with_accepted
from dvhkit.cli.streams import (
    EXIT_NOT_MET,
    EXIT_UNUSABLE,
    STDOUT,
    announce_first_run,
    note_console,
    out_console,
    write_json,
    write_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.archive.each_case import Answer
    from dvhkit.archive.metric_table import MetricsAsked
    from dvhkit.archive.work_list import WorkList
    from dvhkit.jobs.rules.words import Metric
    from dvhkit.results.audit import Acceptance, MetricResult

_MOST_SHOWN = 40
# A finding of more plans than these gives the number of the others.
_MOST_NAMED = 6


class Targets(NamedTuple):
    """Where results go: file names or ``-``; None goes nowhere."""

    json: str | None = None
    csv: str | None = None
    curves: str | None = None
    parquet: Path | None = None


def asked_of(
    metrics: Sequence[Metric],
    *,
    rois: Sequence[str] | None,
    accepted: Sequence[Acceptance],
    curves: str | None,
    **options: Any,  # noqa: ANN401 -- as `MetricsAsked` has them
) -> MetricsAsked:
    """Return what is measured, from the words of the command line."""
    from dvhkit.archive.metric_table import MetricsAsked

    return MetricsAsked(
        metrics=tuple(metrics),
        rois=tuple(rois) if rois else None,
        accepted=tuple(a.code for a in accepted),
        with_curves=curves is not None,
        **options,
    )


def measure_archive(
    plans: WorkList, asked: MetricsAsked, jobs: str, targets: Targets, vouched: Sequence[Acceptance] = ()
) -> int:
    """Measure every plan, write and show what came of it, and return the exit code."""
    from dvhkit.archive.metric_table import measure_plans
    from dvhkit.errors import Reason

    announce_first_run()
    with plan_progress("measuring") as progress:
        answers = measure_plans(plans, asked, jobs=worker_count(jobs), progress=progress)
    rows = [(a.case_id, row) for a in answers if a.reason is None for row in a.result.rows]
    failed = [{"case_id": a.case_id, "reason": a.reason} for a in answers if a.reason is not None]
    if targets.json is not None:
        write_json(targets.json, with_accepted(_document(answers, rows, failed), vouched))
    _write(answers, targets)
    if STDOUT not in targets:
        _show(rows, [m.canonical for m in asked.metrics], len(answers), len(failed))
        _show_withheld(rows, vouched)
    show_failed(failed)
    if len(failed) == len(answers):
        return EXIT_UNUSABLE
    in_doubt = any(row.reason_code == Reason.NO_DOSE or row.withheld for _, row in rows)
    return EXIT_NOT_MET if failed or in_doubt else 0


def write_rows(path: Path, rows: Sequence[tuple[str, MetricResult]]) -> None:
    """Write metric rows, each with its plan, as Parquet."""
    from dataclasses import asdict

    from dvhkit.archive.metric_table import COLUMNS
    from dvhkit.archive.storage.table_files import write_parquet

    flat = [{"case_id": case_id, **asdict(row), "withheld": "; ".join(row.withheld)} for case_id, row in rows]
    write_parquet(path, flat, COLUMNS)
    note_console().print(f"wrote {path}", markup=False, soft_wrap=True)


def _document(
    answers: Sequence[Answer], rows: Sequence[tuple[str, MetricResult]], failed: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    from dataclasses import asdict

    from dvhkit.outputs.records import metrics_document

    document: dict[str, Any] = metrics_document([row for _, row in rows])
    named = [{"case_id": case_id, **row} for (case_id, _), row in zip(rows, document["rows"], strict=True)]
    findings = [
        {"case_id": a.case_id, **asdict(finding)} for a in answers if a.reason is None for finding in a.result.findings
    ]
    return {**document, "rows": named, "findings": findings, "failed": list(failed)}


def _write(answers: Sequence[Answer], targets: Targets) -> None:
    from dvhkit.archive.metric_table import COLUMNS, metric_rows
    from dvhkit.archive.storage.table_files import write_parquet
    from dvhkit.outputs.csv_text import case_curves_csv, table_csv

    rows = metric_rows(answers) if targets.csv is not None or targets.parquet is not None else []
    if targets.csv is not None:
        write_text(targets.csv, table_csv(COLUMNS, ([row[name] for name in COLUMNS] for row in rows)))
    if targets.parquet is not None:
        write_parquet(targets.parquet, rows, COLUMNS)
    if targets.curves is not None:
        curves = [(a.case_id, curve) for a in answers if a.reason is None for curve in a.result.curves]
        write_text(targets.curves, case_curves_csv(curves))
    for target in targets:
        if target is not None and target != STDOUT:
            note_console().print(f"wrote {target}", markup=False, soft_wrap=True)


def _show(rows: Sequence[tuple[str, MetricResult]], metrics: Sequence[str], n_plans: int, n_failed: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from dvhkit.outputs.number_format import number
    from dvhkit.outputs.text import clean_name

    table = Table(box=None, pad_edge=False)
    for heading in ("Plan", "Structure"):
        table.add_column(heading, overflow="fold")
    for metric in dict.fromkeys(metrics):
        table.add_column(Text(metric.replace("[", "\n[")), justify="right", no_wrap=True)
    lines: dict[tuple[str, str], list[str]] = {}
    for case_id, row in rows:
        value = "-" if row.value is None else number(row.value, row.unit) + (" !" if row.withheld else "")
        lines.setdefault((case_id, row.roi), []).append(value)
    for (case_id, roi), cells in list(lines.items())[:_MOST_SHOWN]:
        table.add_row(*(Text(cell) for cell in (clean_name(case_id, 28), clean_name(roi, 28), *cells)))
    console = out_console()
    console.print(table)
    if len(lines) > _MOST_SHOWN:
        console.print(f"{len(lines) - _MOST_SHOWN} more rows: write them with --csv, --json or --parquet.")
    console.print(f"{n_plans} plans, {len(lines)} structures; {n_failed} plans could not be used.")


def _show_withheld(rows: Sequence[tuple[str, MetricResult]], vouched: Sequence[Acceptance]) -> None:
    """Say what the mark beside a number means: the findings that withhold it, each with its plans and the way out."""
    from dvhkit.outputs.text import clean_name

    console = out_console()
    plans: dict[str, dict[str, None]] = {}
    for case_id, row in rows:
        for code in row.withheld:
            plans.setdefault(code, {})[clean_name(case_id, 28)] = None
    for code, names in plans.items():
        listed = ", ".join(list(names)[:_MOST_NAMED])
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        told = f"! withheld by {code} in {listed}{more}; --json tells each finding, --accept {code} vouches for it."
        console.print(told, markup=False)
    for line in accepted_lines(vouched):
        console.print(line, markup=False)
