"""`dvhkit ctv bone` and `dvhkit ctv check-bone`: the margin of a bone metastasis, measured along the bone."""

from __future__ import annotations

from typing import Annotated

import typer

from dvhkit.cli.options import CasePath, ImageOption, RtstructOption, open_case
from dvhkit.cli.streams import EXIT_NOT_MET, STDOUT, out_console, write_json
from dvhkit.cli.vertebra.options import AddOption, CtvOption, GtvOption, JsonOption, NameOption, OutOption

BoneOption = Annotated[str, typer.Option("--bone", metavar="ROI", help="The bone that holds the GTV.")]


def bone(
    gtv: GtvOption,
    bone: BoneOption,
    path: CasePath = None,
    intra: Annotated[float, typer.Option("--intra", metavar="MM", help="Margin within the bone, 5 to 10 mm.")] = 5.0,
    extra: Annotated[
        float, typer.Option("--extra", metavar="MM", help="Margin beyond the bone where the GTV has left it.")
    ] = 5.0,
    name: NameOption = "CTV_bone",
    out: OutOption = None,
    add: AddOption = False,
    json_target: JsonOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Make the CTV of a metastasis in a bone other than the spine: a margin along the bone, beyond it after a breach.

    [dim]Example:[/dim]  dvhkit ctv bone plan/ --gtv GTV --bone Femur_L --intra 8 --out ctv.dcm
    """
    from dvhkit.jobs.vertebra.bone import make_bone_ctv
    from dvhkit.outputs.terminal.bone import bone_document, bone_lines

    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    made = make_bone_ctv(case, gtv, bone, intra_mm=intra, extra_mm=extra, name=name, out=out, add=add)
    if json_target is not None:
        write_json(json_target, bone_document(made))
    if json_target != STDOUT:
        for line in bone_lines(made):
            out_console().print(line, markup=False)


def check_bone(
    gtv: GtvOption,
    ctv: CtvOption,
    bone: BoneOption,
    path: CasePath = None,
    least: Annotated[float, typer.Option("--least", metavar="MM", help="Least margin along the bone.")] = 5.0,
    json_target: JsonOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Check the margin of a bone CTV along the bone: exit code 1 if it falls short.

    [dim]Example:[/dim]  dvhkit ctv check-bone plan/ --gtv GTV --ctv CTV --bone Femur_L --least 5
    """
    from dvhkit.jobs.vertebra.bone import checked_bone_ctv
    from dvhkit.outputs.terminal.bone import bone_check_document, bone_check_line

    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    found = checked_bone_ctv(case, gtv, ctv, bone, least_mm=least)
    if json_target is not None:
        write_json(json_target, bone_check_document(found, gtv=gtv, ctv=ctv, bone=bone))
    if json_target != STDOUT:
        out_console().print(bone_check_line(found, ctv), markup=False)
    if found.verdict != "pass":
        raise typer.Exit(EXIT_NOT_MET)
