"""`dvhkit target`: targets by recipe, and structures by expression."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.options import CasePath, DoneJsonOption, ImageOption, RtstructOption, open_case
from dvhkit.cli.streams import announce_first_run, out_console
from dvhkit.cli.targets.derived import (
    AddOption,
    HolesOption,
    NameOption,
    OutOption,
    TypeOption,
    say,
)
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

target_app = typer.Typer(name="target", help="Make targets by recipe or by expression.", no_args_is_help=True)


@target_app.command("list")
def list_() -> None:
    """List the shipped recipes.

    [dim]Example:[/dim]  dvhkit target list
    """
    from dvhkit.jobs.targets.recipe_list import shipped_recipes
    from dvhkit.outputs.terminal.listing import listing_table

    out_console().print(listing_table(shipped_recipes()))


@target_app.command()
def show(
    recipe: Annotated[str, typer.Argument(metavar="ID|FILE", help="A shipped recipe's ID, or a YAML file.")],
) -> None:
    """Show what a recipe makes, by which margins, and where each number comes from.

    [dim]Example:[/dim]  dvhkit target show ning2023-imrt
    """
    from dvhkit.jobs.targets.recipe_list import load_recipe
    from dvhkit.outputs.terminal.derived import recipe_view

    console = out_console()
    for renderable in recipe_view(load_recipe(recipe)):
        console.print(renderable)


@target_app.command()
def make(
    path: CasePath = None,
    recipe: Annotated[str, typer.Option("--recipe", metavar="ID|FILE", help="See `dvhkit target list`.")] = "",
    gtv: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Option(
            "--gtv", metavar="ROI", help="The lesion; repeat it for the phases of a 4D series (makes an ITV)."
        ),
    ] = None,
    role: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--role", metavar="ROLE=ROI", help="A structure for another role, such as bone=Femur_L."),
    ] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", metavar="NAME=MM", help="A margin instead of the recipe's default, such as margin=4."),
    ] = None,
    out: OutOption = Path("RTSTRUCT_targets.dcm"),
    add: AddOption = False,
    holes: HolesOption = "keyhole",
    json: DoneJsonOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Make the chain of targets that a recipe calls for, say what was done, and write it as RTSTRUCT.

    [dim]Example:[/dim]  dvhkit target make plans/case7 --recipe ning2023-robotic --gtv GTV --set margin=3 --out rs.dcm
    """
    from dvhkit.jobs.targets.derived import write_derived
    from dvhkit.jobs.targets.recipes import recipe_order

    if not recipe:
        raise InputError("no recipe is named.", remedy="Name it with --recipe; `dvhkit target list` shows them.")
    order = recipe_order(
        recipe,
        settings=_pairs(settings or [], "--set", "margin=5"),
        roles=_pairs(role or [], "--role", "bone=Femur_L"),
    )
    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    announce_first_run()
    # A copy of the whole set has the phases already.
    targets = order.make(case, gtv or (), keep_phases=not add)
    say(write_derived(case, targets.made, sources=targets.sources, out=out, add=add, holes=holes), json)


@target_app.command()
def derive(
    path: CasePath = None,
    expression: Annotated[
        str, typer.Option("--expr", metavar="EXPR", help="Such as 'Liver - GTV' or 'PTV - (SpinalCanal + 3mm)'.")
    ] = "",
    name: NameOption = None,
    rt_type: TypeOption = "",
    out: OutOption = Path("RTSTRUCT_derived.dcm"),
    add: AddOption = False,
    holes: HolesOption = "keyhole",
    json: DoneJsonOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    r"""Make a structure out of others by an expression and write it as RTSTRUCT.

    Signs: - without, | together, & shared; + 3mm grown, - 3mm shrunk, + \[L=5,R=7,A=6,P=8,S=9,I=10] by direction.

    [dim]Example:[/dim]  dvhkit target derive plans/case7 --expr '(PTV + 20mm) - (PTV + 5mm)' --name Ring --out rs.dcm
    """
    from dvhkit.jobs.targets.derived import make_of_expression, write_derived

    if not expression.strip():
        raise InputError("no expression is given.", remedy="Give it with --expr, such as --expr 'Liver - GTV'.")
    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    announce_first_run()
    made = make_of_expression(case, expression, name=name, rt_type=rt_type)
    say(write_derived(case, [made], sources=[], out=out, add=add, holes=holes), json)


def _pairs(texts: Sequence[str], option: str, example: str) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"{option} {text!r} cannot be used.", remedy=f"Write it as {option} {example}.")
        found.append((name.strip(), value.strip()))
    return found
