"""`dvhkit ctv bone` and `dvhkit ctv check-bone`: the margin of a bone metastasis, measured along the bone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from dvhkit.cli.options import CasePath, ImageOption, RtstructOption, open_case
from dvhkit.cli.streams import EXIT_NOT_MET, out_console, write_json
from dvhkit.cli.vertebra.options import AddOption, CtvOption, GtvOption, JsonOption, NameOption, OutOption

BONE_SCHEMA = "dvhkit/ctv-bone/1"

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
    from dvhkit.outputs.text import clean
    from dvhkit.targets.derive.bone import bone_ctv

    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    made = bone_ctv(
        case.structures[gtv], case.structures[bone], intra_mm=intra, extra_mm=extra, image=case.image, name=name
    )
    document: dict[str, object] = {
        "schema": BONE_SCHEMA,
        "gtv": gtv,
        "bone": bone,
        "intra_mm": made.intra_mm,
        "extra_mm": made.extra_mm,
        "gtv_cc": made.gtv_cc,
        "breach_cc": made.breach_cc,
        "cut_off_cc": made.cut_off_cc,
        "ctv_cc": made.ctv_cc,
        "flags": [str(flag) for flag in made.flags],
    }
    if out is not None:
        from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct

        source = case.structures.path
        assert source is not None  # it was read from a file
        how = f"{gtv} + {intra:g} mm along {bone}" + ("" if made.extra_mm is None else f", {extra:g} mm beyond")
        roi = NewRoi(structure=made.structure, how=how)
        written = write_rtstruct(out, [roi], source=source, image=case.image, keep_existing=add)
        document["written"] = {"path": str(written.path), "names": list(written.names)}
    if json_target is not None:
        write_json(json_target, document)
    if json_target != "-":
        console = out_console()
        beyond = "no breach, nothing beyond the bone" if made.extra_mm is None else f"{made.extra_mm:g} mm beyond it"
        line = f"{gtv} {made.gtv_cc:.2f} cc, {made.intra_mm:g} mm within {bone}, {beyond}: {name} {made.ctv_cc:.2f} cc"
        console.print(clean(line), markup=False)
        for flag in made.flags:
            console.print(str(flag), markup=False)


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
    from dvhkit.outputs.text import clean
    from dvhkit.targets.derive.bone import check_bone_ctv

    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    found = check_bone_ctv(
        case.structures[gtv], case.structures[ctv], case.structures[bone], least_mm=least, image=case.image
    )
    document = {"schema": BONE_SCHEMA, "gtv": gtv, "ctv": ctv, "bone": bone, **asdict(found)}
    if json_target is not None:
        write_json(json_target, document)
    if json_target != "-":
        nearest = "none within reach" if found.least_mm is None else f"the nearest {found.least_mm:.1f} mm from the GTV"
        line = (
            f"{ctv}: {found.verdict}. {100 * found.covered_frac:.0f} % of the bone within {least:g} mm is covered, "
            f"{found.missing_cc:.2f} of {found.needed_cc:.2f} cc are missing; bone left out: {nearest}; "
            f"by the rule (5 to 10 mm, from 3 at discretion) the margin is {found.reading}"
        )
        out_console().print(clean(line), markup=False)
    if found.verdict != "pass":
        raise typer.Exit(EXIT_NOT_MET)
