"""`dvhkit compare`: two plans of one patient, rule by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dvhkit.cli.options import (
    AcceptOption,
    AliasesOption,
    ContextOption,
    EngineOption,
    FractionsOption,
    LanguageOption,
    PdfOption,
    RxOption,
    SiteOption,
    write_pages_in,
)
from dvhkit.cli.report_form import Form
from dvhkit.cli.streams import EXIT_NOT_MET, announce_first_run, out_console, reading_progress


def compare(
    plan_a: Annotated[Path, typer.Argument(metavar="A", help="Folder of one plan.")],
    plan_b: Annotated[Path, typer.Argument(metavar="B", help="Folder of another plan of the same patient.")],
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="ID|FILE", help="A shipped protocol's ID, or a YAML file.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder for the results; made if missing.")],
    context: ContextOption = None,
    aliases: AliasesOption = None,
    accept: AcceptOption = None,
    site: SiteOption = None,
    rx: RxOption = None,
    fractions: FractionsOption = None,
    engine: EngineOption = None,
    pdf: PdfOption = False,
    language: LanguageOption = None,
) -> None:
    """Hold two plans of one patient against one protocol, and show them side by side.

    Writes report.html (rule by rule, both DVHs, and slices with a choice of A, B, and B less A), audit.json and
    summary.csv. Exit code 0: both plans meet every rule; 1: one does not.

    [dim]Example:[/dim]  dvhkit compare plans/vmat plans/protons --protocol tg101-2010 --out compared
    """
    from dvhkit.jobs.compare_plans import compare_plans
    from dvhkit.jobs.read import read_case
    from dvhkit.jobs.rules.audit_words import audit_options, protocol_loader
    from dvhkit.outputs import records, tables
    from dvhkit.outputs.files import require_writable_folder, write_text_whole
    from dvhkit.outputs.report.compared import compared_page
    from dvhkit.outputs.terminal.compared import compared_table

    write_pages_in(language)
    Form(pdf=pdf).require_printer()
    options = audit_options(
        protocol_loader(aliases)(protocol),
        context=context,
        accept=accept,
        site=site,
        rx_gy=rx,
        fractions=fractions,
        engine=engine,
    )
    require_writable_folder(out)
    with reading_progress() as progress:
        cases = [read_case(plan, dose="if usable", progress=progress) for plan in (plan_a, plan_b)]
    announce_first_run()
    found = compare_plans(cases[0], cases[1], options)
    both = [found.record_a, found.record_b]
    out_console().print(compared_table(found.record_a, found.record_b))
    write_text_whole(out / "audit.json", records.json_text(records.audit_document(both)))
    write_text_whole(out / "summary.csv", tables.summary_csv(both))
    write_text_whole(out / "report.html", compared_page(found.record_a, found.record_b, found.scene))
    for name in ("report.html", *Form(pdf=pdf).print_in(out), "summary.csv", "audit.json"):
        out_console().print(f"  {out / name}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if all(record.all_met for record in both) else EXIT_NOT_MET)
