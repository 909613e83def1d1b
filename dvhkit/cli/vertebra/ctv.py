"""`dvhkit ctv`: clinical target volumes by rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from dvhkit.cli.lazy import Entry, lazy_group
from dvhkit.cli.options import CasePath, ImageOption, RtstructOption, open_case
from dvhkit.cli.streams import EXIT_NOT_MET, note_console, out_console, write_json
from dvhkit.cli.vertebra.options import AddOption, CtvOption, GtvOption, JsonOption, NameOption, OutOption
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from dvhkit.jobs.vertebra.run import CtvRun
    from dvhkit.outputs.rtstruct.write import Written

_ELSEWHERE = {
    "bone": Entry(
        "dvhkit.cli.vertebra.bone:bone",
        "Make the CTV of a metastasis in a bone other than the spine: a margin along the bone, beyond it after a "
        "breach.",
    ),
    "check-bone": Entry(
        "dvhkit.cli.vertebra.bone:check_bone",
        "Check the margin of a bone CTV along the bone: exit code 1 if it falls short.",
    ),
}
ctv_app = typer.Typer(
    name="ctv", cls=lazy_group(_ELSEWHERE), help="Clinical target volumes by rule.", no_args_is_help=True
)

ProfileOption = Annotated[
    str, typer.Option("--profile", metavar="ID|FILE", help="A shipped decision table, or a YAML file of your own.")
]
IncludeOption = Annotated[
    Optional[str],  # noqa: UP045 -- typer reads it
    typer.Option("--include", metavar="PARTS", help="Optional compartments to take in, separated by commas."),
]
VertebraOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--vertebra",
        metavar="ROI|LEVEL",
        help="A whole vertebra's structure, or a level such as L3; may be repeated. Default: all that the GTV touches.",
    ),
]
LabelsOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--labels", metavar="FILE", help="Label map of vertebrae (NIfTI, NRRD, MetaImage, DICOM SEG)."),
]
SubregionsOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--subregions", metavar="FILE", help="Label map of sub-regions, such as TPTBox makes."),
]
TableOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--label-table", metavar="ID|FILE", help="What the labels mean: totalsegmentator, tptbox, ..."),
]
PictureOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--picture", metavar="FILE", help="Draw compartments, GTV and CTV with the rules beside them: .svg or .png."
    ),
]
ReportOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--report", metavar="FILE.html", help="Write a report: cuts, rules, compartments, choices and flags."),
]


@ctv_app.command()
def vertebra(
    gtv: GtvOption,
    path: CasePath = None,
    vertebra: VertebraOption = None,
    labels: LabelsOption = None,
    subregions: SubregionsOption = None,
    label_table: TableOption = None,
    profile: ProfileOption = "wang2025-lamina",
    include: IncludeOption = None,
    name: NameOption = "CTV_vertebra",
    out: OutOption = None,
    add: AddOption = False,
    compartments: Annotated[bool, typer.Option("--compartments", help="Write the compartments too.")] = False,
    json_target: JsonOption = None,
    picture: PictureOption = None,
    report: ReportOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Make the CTV of a vertebral metastasis by rule: required compartments, without the canal, and the GTV.

    [dim]Example:[/dim]  dvhkit ctv vertebra plan/ --gtv GTV --vertebra L3 --name CTV_L3 --out ctv.dcm
    """
    from dvhkit.jobs.vertebra.files import write_ctv

    run = _planned(
        path,
        gtv=gtv,
        levels=vertebra or [],
        labels=labels,
        subregions=subregions,
        label_table=label_table,
        profile=profile,
        include=include,
        rtstruct=rtstruct,
        image=image,
        name=name,
    )
    written = write_ctv(run, out, name=name, compartments=compartments, add=add) if out is not None else None
    _put_out(run, json_target, picture, report, written)


@ctv_app.command()
def check(
    gtv: GtvOption,
    ctv: CtvOption,
    path: CasePath = None,
    vertebra: VertebraOption = None,
    labels: LabelsOption = None,
    subregions: SubregionsOption = None,
    label_table: TableOption = None,
    profile: ProfileOption = "wang2025-lamina",
    include: IncludeOption = None,
    json_target: JsonOption = None,
    picture: PictureOption = None,
    report: ReportOption = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Check a vertebral CTV against the rules: exit code 1 if a required compartment is not covered.

    A required compartment, or an optional one that --include chose, passes with 95 % covered, asks for review from
    80 %, and fails below: numbers of this program, from no paper.

    [dim]Example:[/dim]  dvhkit ctv check plan/ --gtv GTV --ctv CTV --vertebra L3
    """
    run = _planned(
        path,
        gtv=gtv,
        ctv=ctv,
        levels=vertebra or [],
        labels=labels,
        subregions=subregions,
        label_table=label_table,
        profile=profile,
        include=include,
        rtstruct=rtstruct,
        image=image,
    )
    _put_out(run, json_target, picture, report)
    if not run.passes:
        raise typer.Exit(EXIT_NOT_MET)


def _planned(
    path: Path | None,
    *,
    rtstruct: Path | None,
    image: Path | None,
    include: str | None,
    **options: Any,  # noqa: ANN401 -- as plan_case has them
) -> CtvRun:
    """Read the case and apply the rules, as `dvhkit.jobs.vertebra.run.plan_case` has the options."""
    from dvhkit.jobs.vertebra.rules import compartments_of
    from dvhkit.jobs.vertebra.run import plan_case

    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    return plan_case(case, include=compartments_of(include or ""), **options)


def _put_out(
    run: CtvRun, json_target: str | None, picture: Path | None, report: Path | None, written: Written | None = None
) -> None:
    from dvhkit.jobs.vertebra.files import write_picture, write_report
    from dvhkit.outputs.terminal.vertebra import ctv_view

    document = run.document(written=written)
    if json_target is not None:
        write_json(json_target, document)
    if picture is not None:
        write_picture(run, picture)
    if report is not None:
        write_report(run, report, written=written)
    for finding in written.findings if written is not None else ():
        note_console().print(clean(str(finding)), markup=False)
    if json_target == "-":
        return
    for renderable in ctv_view(document):
        out_console().print(renderable)
    for finding in run.findings:
        note_console().print(clean(str(finding)), markup=False)
    if written is not None:
        out_console().print(clean(f"written: {written.path} ({', '.join(written.names)})"), markup=False)


@ctv_app.command()
def profiles() -> None:
    """List the shipped decision tables.

    [dim]Example:[/dim]  dvhkit ctv profiles
    """
    from dvhkit.jobs.vertebra.rules import shipped_profiles
    from dvhkit.outputs.terminal.listing import listing_table

    out_console().print(listing_table(shipped_profiles()))


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
    from dvhkit.jobs.vertebra.rules import rules_of_involvement
    from dvhkit.outputs.terminal.vertebra import rules_view

    document = rules_of_involvement(involved, profile=profile, include=include or "")
    if json_target is not None:
        write_json(json_target, document)
    if json_target != "-":
        for renderable in rules_view(document):
            out_console().print(renderable)
