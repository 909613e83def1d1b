"""`dvhkit audit`: one or many plans held against a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Optional

import typer

from dvhkit.cli.options import (
    EngineOption,
    FractionsOption,
    ImageOption,
    RegistrationOption,
    RtdoseOption,
    RtplanOption,
    RtstructOption,
    RxOption,
    SameFrameOption,
    UncoveredOption,
    open_case,
)
from dvhkit.cli.streams import (
    EXIT_FAULT,
    EXIT_NOT_MET,
    EXIT_UNUSABLE,
    announce_first_run,
    note_console,
    out_console,
    reading_progress,
    write_json,
)
from dvhkit.errors import EngineError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dvhkit.jobs.batch import AuditOptions, CaseOutcome
    from dvhkit.protocols.files.waivers import Waiver
    from dvhkit.results.scene import Scene


def positive_alpha_beta(alpha_beta_gy: float | None) -> float | None:
    """Refuse what is no alpha/beta: zero, less, infinite, not a number."""
    if alpha_beta_gy is not None and not 0.0 < alpha_beta_gy <= MOST_ALPHA_BETA_GY:
        raise typer.BadParameter(f"alpha/beta is more than 0 and at most {MOST_ALPHA_BETA_GY:g} Gy.")
    return alpha_beta_gy


# The highest that anybody states for a tissue is some 30 Gy.
MOST_ALPHA_BETA_GY = 50.0


def audit(
    path: Annotated[str, typer.Argument(help="Folder with the DICOM files of one plan or of many.")],
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="ID|FILE", help="A shipped protocol's ID, or a YAML file.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results; made if missing.")],
    context: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--context", metavar="FILE", help="Clinical context (YAML) that rules depend on."),
    ] = None,
    aliases: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--aliases", metavar="FILE", help="The clinic's own spellings of structure names (YAML)."),
    ] = None,
    waivers: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--waivers", metavar="FILE", help="Waivers of failed rules (YAML), for one plan."),
    ] = None,
    verified_only: Annotated[
        bool,
        typer.Option(
            "--verified-only",
            "--exclude-unverified",
            help="Leave out rules whose limit was not checked against its source.",
        ),
    ] = False,
    eqd2: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--eqd2",
            metavar="ALPHA_BETA",
            callback=positive_alpha_beta,
            help="Where a limit is for conventional fractions and the plan has others, measure in EQD2 with this "
            "alpha/beta in Gy; else it does not apply.",
        ),
    ] = None,
    add: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--add",
            metavar="PLAN[@[DELIVERED/]PLANNED]",
            help="Audit the dose of PATH and of this plan together, on the structures of PATH; repeatable.",
        ),
    ] = None,
    add_eqd2: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--add-eqd2",
            metavar="ALPHA_BETA",
            callback=positive_alpha_beta,
            help="Add the plans in EQD2 with this alpha/beta in Gy, voxel by voxel; else in physical dose.",
        ),
    ] = None,
    unlike_fractions: Annotated[
        bool, typer.Option("--unlike-fractions", help="Add physical doses although the doses per fraction differ.")
    ] = False,
    accept_effective: Annotated[
        bool, typer.Option("--accept-effective", help="Vouch that limits are meant in a dose of type EFFECTIVE.")
    ] = False,
    rtstruct: RtstructOption = None,
    rtdose: RtdoseOption = None,
    rtplan: RtplanOption = None,
    image: ImageOption = None,
    registration: RegistrationOption = None,
    same_frame: SameFrameOption = False,
    rx: RxOption = None,
    fractions: FractionsOption = None,
    engine: EngineOption = None,
    uncovered: UncoveredOption = "refuse",
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Put slices with contours and dose into one plan's report.")
    ] = True,
) -> None:
    """Hold one plan, or every plan under a folder, against a protocol.

    Writes audit.json, summary.csv and report.html into the --out folder. Exit code 0: every rule met; 1: some rule
    failed or could not be judged, or none applied (nothing was judged, so nothing is met); 2: unusable input; 3: a
    fault of ours.

    --rtstruct, --rtdose, --rtplan and --image choose the files of one plan where the UIDs leave a choice open.

    With --add the doses of several plans are added first. Limits for a number of fractions, or for a dose per fraction
    that the sum does not have, do not apply to it.

    [dim]Example:[/dim]  dvhkit audit plans/ --protocol oligoprogressive-liver-2025 --out results
    """
    from rich.text import Text

    from dvhkit.jobs.batch import AuditOptions
    from dvhkit.outputs import records as documents
    from dvhkit.outputs import tables
    from dvhkit.outputs.files import require_writable_folder, write_text_whole
    from dvhkit.outputs.report import case_report as report
    from dvhkit.outputs.text import clean
    from dvhkit.protocols.files.context import load_context
    from dvhkit.protocols.files.load import load_protocol
    from dvhkit.protocols.files.waivers import load_waivers
    from dvhkit.protocols.naming.aliases import load_aliases, with_aliases

    loaded = load_protocol(protocol).verified_only() if verified_only else load_protocol(protocol)
    loaded = with_aliases(loaded, load_aliases(aliases)) if aliases else loaded
    waived = load_waivers(waivers, loaded) if waivers else ()
    require_writable_folder(out)
    options = AuditOptions(
        protocol=loaded,
        context=load_context(context) if context else {},
        rx_gy=rx,
        fractions=fractions,
        engine=engine,
        uncovered=uncovered,
        eqd2_alpha_beta_gy=eqd2,
        accept_effective=accept_effective,
    )
    named = NamedFiles(rtstruct, rtdose, rtplan, image, registration, same_frame)
    if any(named) and add:
        raise InputError("files are named for one plan, not for a sum.", remedy="Leave out --add, or the files.")
    if any(named):
        outcomes = [_of_named(Path(path), named, options)]
    elif add:
        outcomes = [_of_sum([path, *add], options, eqd2_alpha_beta_gy=add_eqd2, allow_unlike=unlike_fractions)]
    elif add_eqd2 is not None or unlike_fractions:
        raise InputError("there is nothing to add.", remedy="Name the other plan with --add PLAN.")
    else:
        outcomes = _of_plans(Path(path), options, has_waivers=bool(waived))
    outcomes = [_waived(outcome, waived) for outcome in outcomes]
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    audited = [outcome.record for outcome in outcomes]
    console = out_console()
    for record in audited[:MOST_SHOWN]:
        for renderable in tables.audit_view(record):
            console.print(renderable)
    if len(audited) > 1:
        console.print(tables.audit_summary_table(audited))
    write_json(str(out / "audit.json"), documents.audit_document(audited))
    write_text_whole(out / "summary.csv", tables.summary_csv(audited))
    scene = _scene(outcomes[0]) if pictures and len(outcomes) == 1 else None
    write_text_whole(out / "report.html", report.html_report(audited, scene=scene))
    for name, what in WRITTEN:
        console.print(Text.assemble(f"  {clean(str(out / name))}  ", (what, "dim")), soft_wrap=True)
    raise typer.Exit(_exit_code(outcomes))


# A terminal is no place for a thousand tables: the rest is in the summary and the report.
MOST_SHOWN = 3
WRITTEN = (
    ("report.html", "the report: open it in a browser"),
    ("summary.csv", "one row a case and rule"),
    ("audit.json", "everything, for programs"),
)


def _of_plans(path: Path, options: AuditOptions, *, has_waivers: bool) -> list[CaseOutcome]:
    """Audit the plan, or each of the plans, under a folder."""
    from dvhkit.jobs.batch import audit_cases, find_cases

    with reading_progress() as reading:
        work = find_cases(path, progress=reading)
    if has_waivers and len(work) != 1:
        raise InputError(f"waivers are for one plan; here are {len(work)}.", path=path, remedy="Audit that plan alone.")
    announce_first_run()
    # One plan's data are kept for the pictures of its report; of many only the records.
    return list(_with_progress(audit_cases(work, options, root=path, keep=len(work) == 1), len(work)))


class NamedFiles(NamedTuple):
    """Files of one plan that the user chose by hand."""

    rtstruct: Path | None
    rtdose: Path | None
    rtplan: Path | None
    image: Path | None
    registration: Path | None
    same_frame: bool


def _of_named(path: Path, named: NamedFiles, options: AuditOptions) -> CaseOutcome:
    """Audit the one plan under a folder that the named files make."""
    from dvhkit.jobs.batch import CaseOutcome, audit_one

    case = open_case(path, **named._asdict(), rx_gy=None, fractions=None, dose="if usable")
    announce_first_run()
    return CaseOutcome(record=audit_one(case, options, root=path))


def _of_sum(
    plans: list[str], options: AuditOptions, *, eqd2_alpha_beta_gy: float | None, allow_unlike: bool
) -> CaseOutcome:
    """Audit the dose of several plans together."""
    from dvhkit.cli.plans import summed_case
    from dvhkit.jobs.batch import CaseOutcome, audit_one, with_user_prescription

    if options.fractions is not None:
        raise InputError("--fractions is for one plan.", remedy="Say those of each plan: PLAN@FRACTIONS.")
    case = summed_case(plans, eqd2_alpha_beta_gy=eqd2_alpha_beta_gy, allow_unlike=allow_unlike)
    case = with_user_prescription(case, rx_gy=options.rx_gy, fractions=None)
    announce_first_run()
    return CaseOutcome(record=audit_one(case, options, root=Path(plans[0])), case=case)


def _with_progress(outcomes: Iterable[CaseOutcome], total: int) -> Iterable[CaseOutcome]:
    if total == 1:
        yield from outcomes
        return
    from rich.progress import Progress

    with Progress(console=note_console(), transient=True) as progress:
        task = progress.add_task("auditing", total=total)
        for outcome in outcomes:
            progress.advance(task)
            yield outcome


def _scene(outcome: CaseOutcome) -> Scene | None:
    """Return what the report shows of the patient."""
    from dvhkit.jobs.scene import gather_scene

    return gather_scene(outcome.case, outcome.record) if outcome.case is not None else None


def _waived(outcome: CaseOutcome, waivers: Sequence[Waiver]) -> CaseOutcome:
    from dataclasses import replace

    from dvhkit.protocols.files.waivers import apply_waivers

    rules = apply_waivers(outcome.record.rules, waivers)
    return replace(outcome, record=replace(outcome.record, rules=rules))


def _exit_code(outcomes: Sequence[CaseOutcome]) -> int:
    if any(isinstance(outcome.error, EngineError) for outcome in outcomes):
        return EXIT_FAULT
    if all(outcome.record.error for outcome in outcomes):
        return EXIT_UNUSABLE
    return 0 if all(outcome.record.all_met for outcome in outcomes) else EXIT_NOT_MET
