"""`dvhkit cohort`: what the cases of a run have in common, and which stand out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.options import CaseInBandsOption, LanguageOption, RunArgument, write_pages_in
from dvhkit.cli.streams import out_console, write_json
from dvhkit.errors import InputError


def cohort(
    run: RunArgument,
    out: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--out", metavar="FILE", help="Write a page of HTML."),
    ] = None,
    bands: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--bands", metavar="FILE|-", help="Write the DVH bands as JSON, without identity, to be shared."),
    ] = None,
    reference: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--reference", metavar="FILE", help="Draw bands that another centre shared, too."),
    ] = None,
    case: CaseInBandsOption = None,
    language: LanguageOption = None,
) -> None:
    """Show DVH bands, metrics, pass rates, outliers and excluded cases of a run.

    [dim]Example:[/dim]  dvhkit cohort results --out cohort.html --bands bands.json
    """
    from dvhkit.archive.cohort import bands_document, cohort_of, curves_of_case, fold_roi, read_bands
    from dvhkit.outputs.files import write_text_whole
    from dvhkit.outputs.runs.cohort_page import cohort_html

    write_pages_in(language)
    if out is None and bands is None:
        raise InputError("no file was named to write to.", remedy="Give --out FILE or --bands FILE.")
    found = cohort_of(run)
    others = {fold_roi(band.roi): band for band in (read_bands(reference) if reference else ())}
    curves = curves_of_case(run, case) if case else {}
    names = {band.roi: fold_roi(band.roi) for band in found.bands}
    if bands is not None:
        write_json(bands, bands_document(found))
    if out is not None:
        drawn = {
            roi: list(zip(*(points.tolist() for points in curves[key]), strict=True))
            for roi, key in names.items()
            if key in curves
        }
        near = {roi: others[key] for roi, key in names.items() if key in others}
        links = _links(run, out, {o.case_id for o in found.outliers} | {case_id for case_id, _ in found.excluded})
        write_text_whole(out, cohort_html(found, case_id=case or "", drawn=drawn, reference=near, links=links))
        out_console().print(f"  {out}", markup=False, highlight=False, soft_wrap=True)


def _links(run: str, out: Path, cases: Iterable[str]) -> dict[str, str]:
    """Return where the report of each case lies, as seen from the page; none for runs far away and cases without."""
    import os

    from dvhkit.archive.run_index import report_path

    if "://" in run:
        return {}
    reports = {case_id: report_path(Path(run), case_id) for case_id in cases}
    start = out.absolute().parent
    return {
        case_id: Path(os.path.relpath(report.absolute(), start)).as_posix()
        for case_id, report in reports.items()
        if report.exists()
    }
