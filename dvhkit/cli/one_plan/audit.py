"""`dvhkit audit`: one or many plans held against a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Optional

import typer

from dvhkit.cli.one_plan import audit_run
from dvhkit.cli.options import (
    AcceptOption,
    AliasesOption,
    ContextOption,
    EngineOption,
    FractionsOption,
    ImageOption,
    LanguageOption,
    MaskOption,
    PdfOption,
    RegistrationOption,
    RtdoseOption,
    RtplanOption,
    RtstructOption,
    RxOption,
    SameFrameOption,
    SegOption,
    SiteOption,
    UncoveredOption,
    UnlikeFractionsOption,
    write_pages_in,
)
from dvhkit.cli.report_form import Form
from dvhkit.cli.streams import EXIT_NOT_MET, announce_first_run, note_console, reading_progress
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from dvhkit.archive.work_list import WorkList
    from dvhkit.jobs.batch import AuditOptions, CaseOutcome
    from dvhkit.jobs.read import DoseNeed


def positive_alpha_beta(alpha_beta_gy: float | None) -> float | None:
    """Refuse what is no alpha/beta: zero, less, infinite, not a number."""
    if alpha_beta_gy is not None and not 0.0 < alpha_beta_gy <= MOST_ALPHA_BETA_GY:
        raise typer.BadParameter(f"alpha/beta is more than 0 and at most {MOST_ALPHA_BETA_GY:g} Gy.")
    return alpha_beta_gy


Given = dict[str, Any]
# The highest that anybody states for a tissue is some 30 Gy.
MOST_ALPHA_BETA_GY = 50.0


def audit(
    paths: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Argument(metavar="PATH...", help="Folders with the DICOM files of one plan or of many."),
    ] = None,
    protocol: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--protocol",
            metavar="ID|FILE|none",
            help="A shipped protocol's ID, or a YAML file; none: numbers only, nothing is judged.",
        ),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="RUN", help="Folder for the results; made if missing, gone on with if there."),
    ] = None,
    context: ContextOption = None,
    approvals: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            "--approvals",
            metavar="RECORD",
            help="Record of contour approvals: answers context.contour_approvers by evidence; repeatable.",
        ),
    ] = None,
    tps: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            "--tps", metavar="FILE", help="The planning system's DVHs as text, for the second check of one plan."
        ),
    ] = None,
    aliases: AliasesOption = None,
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
    unlike_fractions: UnlikeFractionsOption = False,
    accept_effective: Annotated[
        bool, typer.Option("--accept-effective", help="Vouch that limits are meant in a dose of type EFFECTIVE.")
    ] = False,
    accept: AcceptOption = None,
    site: SiteOption = None,
    identify: Annotated[
        bool, typer.Option("--identify", help="Put the patient's name and ID into report, CSV and JSON.")
    ] = False,
    rtstruct: RtstructOption = None,
    rtdose: RtdoseOption = None,
    rtplan: RtplanOption = None,
    image: ImageOption = None,
    registration: RegistrationOption = None,
    same_frame: SameFrameOption = False,
    mask: MaskOption = None,
    seg: SegOption = None,
    rx: RxOption = None,
    fractions: FractionsOption = None,
    engine: EngineOption = None,
    uncovered: UncoveredOption = "refuse",
    pictures: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--pictures/--no-pictures",
            help="Put slices with contours and dose into reports; if not said, into that of a single plan.",
        ),
    ] = None,
    case_reports: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--case-reports/--no-case-reports", help="A report a case; if not said, where there are 2 to 500 cases."
        ),
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="Make report.html one page a case, to print.")] = False,
    pdf: PdfOption = False,
    language: LanguageOption = None,
    attach: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            "--attach",
            metavar="FILE",
            help="File a picture (.png, .svg: of a vertebral CTV, a margin) or a comparison of contours (.json) in the "
            "report of one plan; repeatable.",
        ),
    ] = None,
    encapsulate: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--encapsulate", metavar="FILE", help="File one plan's report as DICOM (Encapsulated PDF), too."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace results of another protocol that are in --out.")
    ] = False,
    keep_others: Annotated[
        bool, typer.Option("--keep-others", help="Keep cases of --out that lie elsewhere than under PATH.")
    ] = False,
    jobs: Annotated[
        str, typer.Option("--jobs", metavar="N|auto", help="Worker processes; auto: as many as suit the machine.")
    ] = "auto",
    plans: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--plans", metavar="CSV", help="Protocol and clinical context of each case (columns: case, ...)."),
    ] = None,
    shard: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--shard", metavar="I/N", help="Do the I-th of N parts, as a job array does; all into one --out."),
    ] = None,
    scheduler: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--scheduler", metavar="ADDRESS", help="Let this Dask cluster do the work."),
    ] = None,
    case_timeout: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--case-timeout", metavar="SECONDS", min=0.001, help="Stop a case that takes longer."),
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Say of each case that is computed why.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say how far the run in --out is, and stop.")] = False,
) -> None:
    """Hold one plan, or every plan under some folders, against a protocol.

    Writes index.html, report.html, summary.csv, audit.json and a store of tables into the --out folder. Cases whose
    result is there already are not computed again, so the same command goes on with a run that was stopped. Exit code
    0: every rule met; 1: some rule failed or could not be judged, or none applied (nothing was judged, so nothing is
    met); 2: unusable input; 3: a fault of ours, or a case whose process crashed, hung or ran out of memory; 130:
    stopped.
    Numbers that a finding withholds are shown and judge nothing; --accept CODE vouches for one code.

    --rtstruct, --rtdose, --rtplan and --image choose the files of one plan where the UIDs leave a choice open.

    With --add the doses of several plans are added first. Limits for a number of fractions, or for a dose per fraction
    that the sum does not have, do not apply to it.

    [dim]Example:[/dim]  dvhkit audit plans/ --protocol oligoprogressive-liver-2025 --out results
    """
    from dvhkit.jobs.rules.audit_words import audit_options, protocol_loader
    from dvhkit.outputs.files import require_writable_folder

    out = _require_folder(out)
    if status:
        audit_run.show_status(out)
        raise typer.Exit
    _require_said(paths, protocol=protocol, plans=plans, attach=attach, short=short)
    load = protocol_loader(aliases, verified_only=verified_only)
    loaded = load(protocol) if protocol is not None else None
    files: Given = {"context": context, "waivers": waivers, "approvals": approvals, "tps": tps, "site": site}
    dose: Given = {"rx_gy": rx, "fractions": fractions, "eqd2_alpha_beta_gy": eqd2, "uncovered": uncovered}
    how: Given = {"engine": engine, "accept_effective": accept_effective, "identify": identify, "accept": accept}
    options = audit_options(loaded, **files, **dose, **how)
    require_writable_folder(out)
    form = _form(pictures, short=short, pdf=pdf or encapsulate is not None, attach=attach, language=language)
    named = NamedFiles(rtstruct, rtdose, rtplan, image, registration, same_frame, tuple(mask or ()), seg)
    folders = [Path(path) for path in paths or ()]
    _require_one_plan(folders, add=add, named=any(named), encapsulate=encapsulate)
    _require_sum(add, add_eqd2, unlike_fractions=unlike_fractions)
    if add:
        audit_run.refuse_other_protocol(out, options, replace=replace)
        outcome = _of_sum([*(paths or ()), *add], options, eqd2_alpha_beta_gy=add_eqd2, allow_unlike=unlike_fractions)
        raise typer.Exit(audit_run.show_one(outcome, out, form))
    work = _named_work(folders[0], named) if any(named) else None
    about = _plan_file(work or _named_work(folders[0], named)) if encapsulate is not None else None
    others: Given = {"replace": replace, "keep_others": keep_others, "case_timeout_s": case_timeout}
    pages: Given = {"case_reports": case_reports, "pictures": bool(pictures)}
    run = audit_run.run_options(jobs, shard=shard, scheduler=scheduler, **others, **pages)
    asked = audit_run.Asked(options=options, load=load, plans=plans, has_protocol=loaded is not None)
    code = audit_run.audit_run(folders, out, asked, run, form, why=why, work=work)
    if encapsulate is not None and about is not None and code in (0, EXIT_NOT_MET):
        _encapsulate(out, about, encapsulate)
    raise typer.Exit(code)


def _require_folder(out: Path | None) -> Path:
    if out is None:
        raise typer.BadParameter("name the folder for the results with --out RUN.")
    return out


def _require_sum(add: list[str] | None, add_eqd2: float | None, *, unlike_fractions: bool) -> None:
    """Refuse what is for a sum where there is none."""
    if not add and (add_eqd2 is not None or unlike_fractions):
        raise InputError("there is nothing to add.", remedy="Name the other plan with --add PLAN.")


def _require_said(
    paths: list[str] | None, *, protocol: str | None, plans: Path | None, attach: list[Path] | None, short: bool
) -> None:
    """Refuse a command line that lacks a word, or has two that do not go together."""
    if not paths:
        raise typer.BadParameter("name the folder with the plans.")
    if attach and short:
        raise typer.BadParameter("--short has no room for attached files.")
    if protocol is None and plans is None:
        raise typer.BadParameter("name a protocol with --protocol, or one for each case with --plans.")


def _require_one_plan(folders: list[Path], *, add: list[str] | None, named: bool, encapsulate: Path | None) -> None:
    """Refuse what is for one plan where several are meant."""
    if named and add:
        raise InputError("files are named for one plan, not for a sum.", remedy="Leave out --add, or the files.")
    if len(folders) > 1 and (add or named or encapsulate):
        raise InputError("this is for one plan; several folders are named.", remedy="Name one PATH.")
    if add and encapsulate is not None:
        raise InputError("--encapsulate is for one plan, not for a sum.", remedy="Leave out --add.")


def _form(pictures: bool | None, *, short: bool, pdf: bool, attach: list[Path] | None, language: str | None) -> Form:
    """Return what reports look like; refuses at once what cannot be printed, or said."""
    write_pages_in(language)
    from dvhkit.jobs.pictures.attachments import read_attachments

    form = Form(pictures=pictures, short=short, pdf=pdf, attachments=read_attachments(attach or []))
    form.require_printer()
    return form


class NamedFiles(NamedTuple):
    """Files of one plan that the user chose by hand."""

    rtstruct: Path | None
    rtdose: Path | None
    rtplan: Path | None
    image: Path | None
    registration: Path | None
    same_frame: bool
    masks: tuple[str, ...] = ()
    seg: Path | None = None


def _named_work(path: Path, named: NamedFiles) -> WorkList:
    """Return the one plan under a folder that the named files make, as there is to do."""
    from dvhkit.archive.work_list import list_named

    need: DoseNeed = "required" if named.rtdose is not None else "if usable"
    with reading_progress() as progress:
        return list_named(path, **named._asdict(), dose=need, progress=progress)


def _plan_file(work: WorkList) -> Path:
    """Return the object that a plan's report is about."""
    (files,) = work.cases.values()
    return files.rtplan or (*files.drawn_in, *files.rtdose)[0]


def _encapsulate(out: Path, about: Path, target: Path) -> None:
    """File the printed report of one plan as DICOM in the plan's study."""
    from dvhkit.outputs.dicom.encapsulated_pdf import write_encapsulated_pdf

    write_encapsulated_pdf(target, (out / "report.pdf").read_bytes(), source=about, title="Plan audit (dvhkit)")
    note_console().print(f"wrote {target}", markup=False, soft_wrap=True)


def _of_sum(
    plans: list[str], options: AuditOptions, *, eqd2_alpha_beta_gy: float | None, allow_unlike: bool
) -> CaseOutcome:
    """Audit the dose of several plans together."""
    from dvhkit.cli.plans import summed_case
    from dvhkit.jobs.batch import CaseOutcome, audit_one
    from dvhkit.jobs.prescription import with_user_prescription

    if options.fractions is not None:
        raise InputError("--fractions is for one plan.", remedy="Say those of each plan: PLAN@FRACTIONS.")
    case = summed_case(plans, eqd2_alpha_beta_gy=eqd2_alpha_beta_gy, allow_unlike=allow_unlike)
    case = with_user_prescription(case, rx_gy=options.rx_gy, fractions=None)
    announce_first_run()
    return CaseOutcome(record=audit_one(case, options, root=Path(plans[0])), case=case)
