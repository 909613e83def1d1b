"""`dvhkit ctv`: clinical target volumes by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.streams import out_console, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from dvhkit.targets.vertebra_rules import Compartment, Extent, RuleOutcome

ctv_app = typer.Typer(name="ctv", help="Clinical target volumes by rule.", no_args_is_help=True)

ProfileOption = Annotated[
    str, typer.Option("--profile", metavar="ID|FILE", help="A shipped decision table, or a YAML file of your own.")
]
IncludeOption = Annotated[
    Optional[str],  # noqa: UP045 -- typer reads it
    typer.Option("--include", metavar="PARTS", help="Optional compartments to take in, separated by commas."),
]
JsonOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--json", metavar="FILE", help="Write the result as JSON to FILE, or - for standard output."),
]


@ctv_app.command()
def profiles() -> None:
    """List the shipped decision tables.

    [dim]Example:[/dim]  dvhkit ctv profiles
    """
    from rich.table import Table

    from dvhkit.targets.vertebra_profiles import load_profile, profile_paths

    table = Table(box=None, pad_edge=False)
    for heading in ("ID", "Version", "Title"):
        table.add_column(heading, overflow="fold")
    for name in profile_paths():
        profile = load_profile(name)
        table.add_row(profile.id, profile.version, profile.title)
    out_console().print(table)


@ctv_app.command()
def rules(
    involved: Annotated[
        str,
        typer.Option(
            "--involved",
            metavar="PARTS",
            help="Compartments that hold GTV, separated by commas: body, pedicle_L, pedicle_R, transverse_L, "
            "transverse_R, lamina_L, lamina_R, spinous. Also outside (epidural or paraspinal) and, for the "
            "consensus, body_left, body_right or body_diffuse.",
        ),
    ],
    profile: ProfileOption = "wang2025-lamina",
    include: IncludeOption = None,
    json_target: JsonOption = None,
) -> None:
    """Say which compartments of a vertebra the CTV must hold, and by which rule.

    [dim]Example:[/dim]  dvhkit ctv rules --involved body,pedicle_L
    """
    from dvhkit.targets.vertebra_profiles import load_profile
    from dvhkit.targets.vertebra_records import rules_document
    from dvhkit.targets.vertebra_rules import evaluate_rules

    compartments, extents = _involvement(involved)
    outcome = evaluate_rules(
        load_profile(profile), compartments, extents=extents, include=_involvement(include or "", extent=False)[0]
    )
    if json_target is not None:
        write_json(json_target, rules_document(outcome))
    if json_target != "-":
        _print_outcome(outcome)


def _involvement(text: str, *, extent: bool = True) -> tuple[list[Compartment], list[Extent]]:
    """Return the compartments, and the extents where they may be said, that a list separated by commas names."""
    from dvhkit.targets.vertebra_rules import Extent, parse_compartment

    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {e.value: e for e in Extent} if extent else {}
    extents = [known[word.casefold()] for word in words if word.casefold() in known]
    return [parse_compartment(word) for word in words if word.casefold() not in known], extents


def _print_outcome(outcome: RuleOutcome) -> None:
    console = out_console()
    console.print(f"Profile {outcome.profile_id} version {outcome.profile_version}", markup=False)
    console.print(_parts_table(outcome))
    for row in outcome.fired:
        console.print(f"{row.id}: {row.title} ({row.source}; status {row.status})", markup=False)
    for flag in outcome.flags:
        console.print(str(flag), markup=False)


def _parts_table(outcome: RuleOutcome) -> Table:
    from rich.table import Table

    from dvhkit.targets.vertebra_rules import Compartment

    table = Table(box=None, pad_edge=False)
    for heading in ("Compartment", "Holds GTV", "In the CTV", "Why"):
        table.add_column(heading)
    for part in Compartment:
        role = "required" if part in outcome.required else "optional" if part in outcome.optional else "-"
        chosen = ", taken in" if part in outcome.included else ""
        table.add_row(part, "yes" if part in outcome.involved else "-", role + chosen, outcome.because_of(part))
    return table
