"""`dvhkit margin`: grow and shrink structures, rings and walls, and check margins that were drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dvhkit.cli.lazy import Entry, lazy_group
from dvhkit.cli.options import CasePath, DoneJsonOption, ImageOption, RtstructOption
from dvhkit.cli.targets.derived import (
    AddOption,
    AwayOption,
    BarrierOption,
    HolesOption,
    InsideOption,
    MarginOption,
    NameOption,
    OutOption,
    RoiOption,
    TypeOption,
    finish,
    opened,
)

_ELSEWHERE = {
    "check": Entry(
        "dvhkit.cli.targets.margin_check:check",
        "Say which margin was drawn between two structures, where it falls short or exceeds, and why.",
    ),
}
margin_app = typer.Typer(
    name="margin",
    cls=lazy_group(_ELSEWHERE),
    help="Grow and shrink structures, make rings and walls; check margins that were drawn.",
    no_args_is_help=True,
)


@margin_app.command()
def grow(
    path: CasePath = None,
    roi: RoiOption = "",
    margin: MarginOption = "",
    out: OutOption = Path("RTSTRUCT_derived.dcm"),
    name: NameOption = None,
    rt_type: TypeOption = "",
    inside: InsideOption = None,
    away_from: AwayOption = None,
    barrier: BarrierOption = None,
    add: AddOption = False,
    holes: HolesOption = "keyhole",
    json: DoneJsonOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Grow a structure by a margin and write the result as RTSTRUCT.

    The margin starts from the contours and is true to a tenth of a millimetre in every direction: the Minkowski sum
    with an ellipsoid of six semi-axes, as planning systems define it. The structure set that is there is not touched.

    [dim]Example:[/dim]  dvhkit margin grow plans/case7 --roi GTV --margin L=5,R=7,A=6,P=8,S=9,I=10 --name CTV --out rs.dcm
    """  # noqa: E501 -- help shows the example on one line
    from dvhkit.jobs.targets.derived import Within, make_grown

    case = opened(path, rtstruct, image, roi)
    within = Within(inside=inside or (), away_from=away_from or (), barriers=barrier or ())
    made = make_grown(case, roi, margin, within)
    finish(case, made, out=out, name=name, rt_type=rt_type, add=add, holes=holes, json=json)


@margin_app.command()
def shrink(
    path: CasePath = None,
    roi: RoiOption = "",
    margin: MarginOption = "",
    out: OutOption = Path("RTSTRUCT_derived.dcm"),
    name: NameOption = None,
    rt_type: TypeOption = "",
    add: AddOption = False,
    holes: HolesOption = "keyhole",
    json: DoneJsonOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Shrink a structure by a margin and write the result as RTSTRUCT.

    [dim]Example:[/dim]  dvhkit margin shrink plans/case7 --roi BODY --margin 3mm --name Body-3mm --out rs.dcm
    """
    from dvhkit.jobs.targets.derived import make_shrunk

    case = opened(path, rtstruct, image, roi)
    made = make_shrunk(case, roi, margin)
    finish(case, made, out=out, name=name, rt_type=rt_type, add=add, holes=holes, json=json)


@margin_app.command()
def ring(
    path: CasePath = None,
    roi: RoiOption = "",
    margin: MarginOption = "",
    gap: Annotated[
        str, typer.Option("--gap", metavar="MM", help="How far from the structure the ring begins; spelt as --margin.")
    ] = "0",
    out: OutOption = Path("RTSTRUCT_derived.dcm"),
    name: NameOption = None,
    rt_type: TypeOption = "",
    inside: InsideOption = None,
    away_from: AwayOption = None,
    add: AddOption = False,
    holes: HolesOption = "keyhole",
    json: DoneJsonOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Make a ring (shell) round a structure, from a gap to a margin, and write it as RTSTRUCT.

    [dim]Example:[/dim]  dvhkit margin ring plans/case7 --roi PTV --gap 5 --margin 20 --inside BODY:3 --name Ring --out rs.dcm
    """  # noqa: E501 -- help shows the example on one line
    from dvhkit.jobs.targets.derived import Within, make_ring

    case = opened(path, rtstruct, image, roi)
    made = make_ring(case, roi, margin, gap, Within(inside=inside or (), away_from=away_from or ()))
    finish(case, made, out=out, name=name, rt_type=rt_type, add=add, holes=holes, json=json)


@margin_app.command()
def wall(
    path: CasePath = None,
    roi: RoiOption = "",
    margin: MarginOption = "",
    out: OutOption = Path("RTSTRUCT_derived.dcm"),
    name: NameOption = None,
    rt_type: TypeOption = "",
    add: AddOption = False,
    holes: HolesOption = "keyhole",
    json: DoneJsonOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Make the inner wall of a structure, as thick as the margin, and write it as RTSTRUCT.

    [dim]Example:[/dim]  dvhkit margin wall plans/case7 --roi Rectum --margin 3 --name Rectum_Wall --out rs.dcm
    """
    from dvhkit.jobs.targets.derived import make_wall

    case = opened(path, rtstruct, image, roi)
    made = make_wall(case, roi, margin)
    finish(case, made, out=out, name=name, rt_type=rt_type, add=add, holes=holes, json=json)
