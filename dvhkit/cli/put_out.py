"""What `dvh` and `sum` share: options on what to measure, and where its numbers go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from dvhkit.cli.streams import STDOUT, note_console, out_console, write_json, write_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.findings import Finding
    from dvhkit.results.audit import Acceptance

MetricOption = Annotated[
    Optional[list[str]],  # noqa: UP045 -- typer reads it
    typer.Option("--metric", metavar="EXPR", help="Such as 'D95%[Gy]', 'V20Gy[%]', 'DC700cc[Gy]'; repeatable."),
]
JsonOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--json", metavar="FILE|-", help="Write the metrics as JSON."),
]
CsvOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--csv", metavar="FILE|-", help="Write the metrics as CSV."),
]


def with_findings(
    document: dict[str, Any], findings: Iterable[Finding], accepted: Sequence[Acceptance] = ()
) -> dict[str, Any]:
    """Return a document of metrics with what is odd about the data, and what of it somebody vouched for."""
    from dataclasses import asdict

    return with_accepted({**document, "findings": [asdict(finding) for finding in findings]}, accepted)


def with_accepted(document: dict[str, Any], accepted: Sequence[Acceptance]) -> dict[str, Any]:
    """Return a document with the findings that somebody vouched for; as it is where there are none."""
    from dataclasses import asdict

    return {**document, "accepted": [asdict(one) for one in accepted]} if accepted else document


def accepted_lines(accepted: Sequence[Acceptance]) -> list[str]:
    """Return what to print of the findings that somebody vouched for; nothing where there are none."""
    from dvhkit.outputs.identity_words import accepted_words

    return [accepted_words(accepted)] if accepted else []


def put_out(
    shown: Iterable[RenderableType], *, json: tuple[str | None, dict[str, Any]], texts: Iterable[tuple[str | None, str]]
) -> None:
    """Write JSON and texts to where they are wanted, and show the rest unless standard output is taken.

    Parameters
    ----------
    shown
        What to print for people, tables and panels.
    json, texts
        Targets, a file's name or ``-``, each with what goes there; None goes nowhere.
    """
    listed = [(target, text) for target, text in texts if target]
    if json[0]:
        write_json(json[0], json[1])
    for target, text in listed:
        write_text(target, text)
    targets = [target for target in (json[0], *(target for target, _ in listed)) if target]
    if STDOUT not in targets:
        console = out_console()
        for renderable in shown:
            console.print(renderable, markup=False)
    for target in targets:
        if target != STDOUT:
            note_console().print(f"wrote {target}", markup=False)
