"""`dvhkit margin check` over many plans: a row a plan and pair."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.cli.archive_view import plan_progress, show_failed
from dvhkit.cli.options import worker_count
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

    from dvhkit.archive.work_list import WorkList

_MOST_SHOWN = 40


def check_archive(
    plans: WorkList,
    pair: tuple[str, str] | None,
    expect: str | None,
    jobs: str,
    *,
    json: str | None,
    csv: str | None,
    parquet: Path | None,
) -> int:
    """Check every plan, write and show what came of it, and return the exit code."""
    from dvhkit.archive.margin_table import MarginsAsked, check_plans, margins_document

    announce_first_run()
    with plan_progress("checking") as progress:
        answers = check_plans(plans, MarginsAsked(pair=pair, expect=expect), jobs=worker_count(jobs), progress=progress)
    document = margins_document(answers)
    if json is not None:
        write_json(json, document)
    write_tables(document["pairs"], document["failed"], csv=csv, parquet=parquet)
    if STDOUT not in (json, csv):
        _show(document, len(answers))
    if len(document["failed"]) == len(answers):
        return EXIT_UNUSABLE
    return EXIT_NOT_MET if document["failed"] or document["verdict"] in ("fail", "indeterminate") else 0


def write_tables(
    pairs: Sequence[dict[str, Any]], failed: Sequence[dict[str, Any]], *, csv: str | None, parquet: Path | None
) -> None:
    """Write pairs, and plans that failed, as flat rows."""
    from dvhkit.archive.margin_table import COLUMNS, failed_row, table_row

    rows = [table_row(pair) for pair in pairs] + [failed_row(f["case_id"], f["reason"]) for f in failed]
    rows.sort(key=lambda row: str(row["case_id"]))
    if csv is not None:
        from dvhkit.outputs.csv_text import table_csv

        write_text(csv, table_csv(COLUMNS, ([row[name] for name in COLUMNS] for row in rows)))
    if parquet is not None:
        from dvhkit.archive.storage.table_files import write_parquet

        write_parquet(parquet, rows, COLUMNS)
    for target in (csv, parquet):
        if target is not None and target != STDOUT:
            note_console().print(f"wrote {target}", markup=False, soft_wrap=True)


def _show(document: dict[str, Any], n_plans: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from dvhkit.outputs.text import clean, clean_name

    table = Table(box=None, pad_edge=False)
    for heading in ("Plan", "Inner", "Outer", "Verdict", "Drawn as", "Missing cc"):
        table.add_column(heading, overflow="fold", justify="right" if heading.endswith("cc") else "left")
    order = ("fail", "indeterminate", "variation", "pass", "not-evaluable")
    pairs = sorted(document["pairs"], key=lambda p: (order.index(str(p["verdict"])), p["case_id"]))
    for pair in pairs[:_MOST_SHOWN]:
        missing = "" if pair["missing_cc"] is None else f"{pair['missing_cc']:.2f}"
        drawn = clean(pair["recipe"] or "; ".join(pair["reasons"]))
        names = (clean_name(pair[key], 28) for key in ("case_id", "inner", "outer"))
        table.add_row(*(Text(cell) for cell in (*names, str(pair["verdict"]), drawn, missing)))
    console = out_console()
    console.print(table)
    if len(pairs) > _MOST_SHOWN:
        console.print(f"{len(pairs) - _MOST_SHOWN} more pairs: write them with --csv, --json or --parquet.")
    out_of = [link for link in document["containment"] if not link["kept"]]
    for link in out_of[:_MOST_SHOWN]:
        text = f"{link['case_id']}: {link['inner']} reaches out of {link['outer']} ({link['outside_cc']:.2f} cc)"
        console.print(clean(text), markup=False, soft_wrap=True)
    show_failed(document["failed"])
    console.print(f"{n_plans} plans, {len(pairs)} pairs; {len(document['failed'])} plans could not be checked.")
