"""`dvhkit diff`: what changed between two runs, and why."""

from __future__ import annotations

from typing import Annotated, Literal, Optional

import typer

from dvhkit.cli.options import RunArgument
from dvhkit.cli.streams import EXIT_NOT_MET, STDOUT, out_console, write_json, write_text


def diff(
    run_a: RunArgument,
    run_b: RunArgument,
    json: Annotated[
        Optional[str],  # noqa: UP045 -- typer reads it
        typer.Option("--json", metavar="FILE|-", help="Write the difference as JSON."),
    ] = None,
    md: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--md", metavar="FILE|-", help="Write the difference as a Markdown table."),
    ] = None,
    tolerance: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--tolerance", metavar="[UNIT=]NUMBER", help="Numbers that differ by no more are the same; repeatable."
        ),
    ] = None,
    fail_on: Annotated[
        Literal["verdict", "metric", "any", "never"],
        typer.Option(
            "--fail-on",
            help="End with code 1 on changed verdicts; on changed numbers too; on lost or gained cases too.",
        ),
    ] = "verdict",
) -> None:
    """Say what differs between two runs of `dvhkit audit`, each change with its cause.

    Causes: contours, dose, plan, image, links, protocol rule, context, options, engine, version. Exit code 1 where
    verdicts changed.

    [dim]Example:[/dim]  dvhkit diff results-2025 results-2026 --tolerance Gy=0.05
    """
    from dvhkit.archive.diff import diff_runs, parse_tolerance
    from dvhkit.outputs.runs.run_diff import diff_document, diff_markdown, diff_view

    found = diff_runs(run_a, run_b, tolerance=parse_tolerance(tolerance or []))
    if json is not None:
        write_json(json, diff_document(found))
    if md is not None:
        write_text(md, diff_markdown(found))
    if STDOUT not in (json, md):
        for renderable in diff_view(found):
            out_console().print(renderable, soft_wrap=False)
    changed = {
        "verdict": found.n_verdicts > 0,
        "metric": bool(found.changed),
        "any": bool(found.changed or found.only_a or found.only_b),
        "never": False,
    }
    raise typer.Exit(EXIT_NOT_MET if changed[fail_on] else 0)
