"""`dvhkit margin check`: what margin was really drawn, where it falls short, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.options import (
    CasePath,
    ImageOption,
    JobsOption,
    MaskOption,
    ParquetOption,
    RtdoseOption,
    RtstructOption,
    SegOption,
    look_at,
    open_case,
)
from dvhkit.cli.streams import EXIT_NOT_MET, STDOUT, note_console, out_console, write_json
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from dvhkit.jobs.targets.margin_check import MarginRun, SetupErrors
    from dvhkit.model.case import Case


def check(
    path: CasePath = None,
    inner: Annotated[
        Optional[str],  # noqa: UP045 -- typer reads it
        typer.Option("--inner", metavar="ROI", help="The inner structure, such as CTV, by name or '#number'."),
    ] = None,
    outer: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--outer", metavar="ROI", help="The outer structure, such as PTV."),
    ] = None,
    expect: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--expect", metavar="MM", help="Margins asked for: '2..5', or 'AP=6..8,LR=5..7,CC=8..10'."),
    ] = None,
    json: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--json", metavar="FILE|-", help="Write the result as JSON."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="DIR", help="Write the result and maps of the surface (SVG, PNG) to a folder."),
    ] = None,
    systematic: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--systematic", metavar="MM", help="Standard deviation of systematic setup errors: 2, or x,y,z."),
    ] = None,
    random: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--random", metavar="MM", help="Standard deviation of random setup errors: 2, or x,y,z."),
    ] = None,
    min_d98: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--min-d98", metavar="GY", help="How likely does D98% of the inner structure keep this dose?"),
    ] = None,
    csv: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--csv", metavar="FILE|-", help="Write a row a plan and pair as CSV."),
    ] = None,
    parquet: ParquetOption = None,
    jobs: JobsOption = "auto",
    rtstruct: RtstructOption = None,
    rtdose: RtdoseOption = None,
    image: ImageOption = None,
    mask: MaskOption = None,
    seg: SegOption = None,
) -> None:
    """Say which margin was drawn between two structures, where it falls short or exceeds, and why.

    Without --inner and --outer every GTV, CTV and PTV is checked against the target drawn round it. In a folder of many
    plans each is checked; one that cannot be is told with its reason.

    [dim]Example:[/dim]  dvhkit margin check plans/case7 --inner CTV --outer PTV --expect 2..5
    """
    from dvhkit.jobs.targets.margin_check import run_margin_check

    if (inner is None) != (outer is None) or (inner is None and (systematic or random)):
        raise InputError("a margin has two structures.", remedy="Give both --inner and --outer, or neither.")
    errors = _setup_errors(systematic, random, min_d98)
    pair = (inner, outer) if inner is not None and outer is not None else None
    looked = look_at(path, named=(rtstruct, rtdose, image, mask, seg))
    if looked.plans is not None:
        from dvhkit.cli.targets.margin_archive import check_archive

        looked.refuse(("--out", out), ("--systematic and --random", errors))
        raise typer.Exit(check_archive(looked.plans, pair, expect, jobs, json=json, csv=csv, parquet=parquet))
    case = open_case(
        path,
        rtstruct=rtstruct,
        rtdose=rtdose,
        image=image,
        masks=mask,
        seg=seg,
        dose="not needed" if min_d98 is None else "required",
        index=looked.index,
    )
    _put_out(case, run_margin_check(case, pair, expect, errors, min_d98_gy=min_d98), json, csv, parquet, out)


def _put_out(
    case: Case, run: MarginRun, json: str | None, csv: str | None, parquet: Path | None, out: Path | None
) -> None:
    """Write and print what was found; end with 1 where a margin falls short."""
    from dvhkit.jobs.targets.margin_check import write_margin_folder
    from dvhkit.outputs.terminal.margins import margin_view

    if json is not None:
        write_json(json, run.document)
    if csv is not None or parquet is not None:
        from dvhkit.cli.targets.margin_archive import write_tables

        write_tables([{"case_id": case.label, **pair} for pair in run.pairs], [], csv=csv, parquet=parquet)
    if out is not None:
        note_console().print(f"wrote {', '.join(write_margin_folder(run, out))} to {out}", markup=False)
    if STDOUT not in (json, csv):
        for renderable in margin_view(run.pairs, run.links):
            out_console().print(renderable)
    if run.document["verdict"] in ("fail", "indeterminate"):
        raise typer.Exit(EXIT_NOT_MET)


def _setup_errors(systematic: str | None, random: str | None, min_d98: float | None) -> SetupErrors | None:
    """Return the standard deviations that the user gave; None if none."""
    if systematic is None and random is None:
        if min_d98 is not None:
            raise InputError("--min-d98 needs setup errors.", remedy="Give --systematic and --random, in mm.")
        return None
    return _millimetres(systematic or "0", "--systematic"), _millimetres(random or "0", "--random")


def _millimetres(text: str, option: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) == 1:
        values *= 3
    if len(values) != 3:
        raise InputError(f"{text!r} is no setup error.", where=option, remedy="Give one number in mm, or three: 2,2,3.")
    return values
