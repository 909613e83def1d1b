"""What the commands on vertebral CTVs do: read, plan, check, write, print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.cli.options import open_case
from dvhkit.cli.streams import note_console, out_console
from dvhkit.errors import InputError, OutputError
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from rich.table import Table

    from dvhkit.findings import Finding
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure
    from dvhkit.outputs.rtstruct.write import Written
    from dvhkit.targets.vertebra.check import LevelCheck
    from dvhkit.targets.vertebra.ctv import CtvPlan, LevelResult
    from dvhkit.targets.vertebra.rules import Compartment, RuleProfile

# Contouring needs neither dose nor plan.
_BESIDE_THE_POINT = ("no-dose", "no-plan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtvRun:
    """A case, what the rules make of it, and the check of a CTV where one was named."""

    case: Case
    gtv: Structure
    plan: CtvPlan
    profile: RuleProfile
    checks: tuple[LevelCheck, ...] = ()
    drawn: FloatArray | None = None
    ctv_name: str = "CTV"
    label_files: tuple[Path, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is odd about the data and the compartments."""
        from dvhkit.targets.vertebra.choice import names_against_levels

        of_case = (f for f in self.case.findings if f.code not in _BESIDE_THE_POINT)
        of_levels = (f for r in self.plan.levels for f in r.vertebra.findings)
        named = names_against_levels((self.gtv.name, self.ctv_name), [r.vertebra.level for r in self.plan.levels])
        return (*of_case, *self.plan.scene.findings, *named, *of_levels)

    @property
    def passes(self) -> bool:
        """Whether every required and every chosen compartment of every level is covered."""
        from dvhkit.targets.vertebra.check import PartVerdict

        return all(check.verdict is PartVerdict.PASS for check in self.checks)

    def document(self, *, written: Written | None = None) -> dict[str, object]:
        """Return everything as plain values."""
        from dvhkit.targets.vertebra.records import ctv_document

        document = ctv_document(self.plan, gtv=self.gtv.name, findings=self.findings, checks=self.checks)
        if written is not None:
            document["written"] = {"path": str(written.path), "names": list(written.names)}
        return document


def plan_from_files(
    path: Path | None,
    *,
    gtv: str,
    levels: Sequence[str],
    labels: Path | None,
    subregions: Path | None,
    label_table: str | None,
    profile: str,
    include: Sequence[Compartment],
    rtstruct: Path | None,
    image: Path | None,
    ctv: str | None = None,
    name: str = "CTV",
) -> CtvRun:
    """Read the case and apply the rules; with `ctv`, check that structure, else make one called `name`."""
    from dvhkit.targets.vertebra.anatomy.grid import filled_by
    from dvhkit.targets.vertebra.check import check_ctv
    from dvhkit.targets.vertebra.ctv import plan_ctv
    from dvhkit.targets.vertebra.profiles import load_profile
    from dvhkit.targets.vertebra.scene import build_scene
    from dvhkit.targets.vertebra.source import read_label_source

    rules, files = load_profile(profile), tuple(f for f in (labels, subregions) if f is not None)
    source = read_label_source(labels, subregions, label_table)
    case = open_case(path, rtstruct=rtstruct, rtdose=None, rtplan=None, image=image, rx_gy=None, fractions=None)
    target = case.structures[gtv]
    drawn = case.structures[ctv] if ctv is not None else None
    if drawn is not None and drawn.is_empty:
        raise InputError(f"the structure {drawn.name!r} is empty.", remedy="Name a CTV that was drawn.")
    scene = build_scene(
        case.structures,
        target,
        image_grid=case.image.grid if case.image is not None else None,
        levels=levels,
        labels=source,
        others=(drawn,) if drawn is not None else (),
    )
    plan = plan_ctv(scene, rules, include=include)
    if drawn is None:
        return CtvRun(case=case, gtv=target, plan=plan, profile=rules, ctv_name=name, label_files=files)
    field = filled_by(drawn, scene.grid)
    return CtvRun(
        case=case,
        gtv=target,
        plan=plan,
        profile=rules,
        checks=check_ctv(plan, field),
        drawn=field,
        ctv_name=drawn.name,
        label_files=files,
    )


def write_ctv(run: CtvRun, out: Path, *, name: str, compartments: bool, add: bool = False) -> Written:
    """Write the CTV, and the compartments if asked for, as a new RTSTRUCT; `add`: a copy of the set with them."""
    from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
    from dvhkit.targets.vertebra.anatomy.contours import compartment_structures, ctv_structure

    source = run.case.structures.path
    if source is None:
        raise OutputError("the structure set was not read from a file, so nothing can be derived from it.")
    rois = [NewRoi(structure=ctv_structure(run.plan, run.gtv, name=name), how=_how(run))]
    if compartments:
        made = compartment_structures(run.plan, frame_of_reference_uid=run.gtv.frame_of_reference_uid)
        rois += [NewRoi(structure=s, how="vertebral compartment") for s in made]
    written = write_rtstruct(out, rois, source=source, image=run.case.image, keep_existing=add)
    for finding in written.findings:
        note_console().print(clean(str(finding)), markup=False)
    return written


def _how(run: CtvRun) -> str:
    """Return in a few words what the CTV is made of."""
    levels = "; ".join(f"{r.vertebra.level}: {', '.join(r.outcome.target)}" for r in run.plan.levels)
    profile = run.plan.levels[0].outcome.profile_id
    return f"{profile}: {levels}; and {run.gtv.name}"[:1000]


def write_picture(run: CtvRun, target: Path) -> None:
    """Draw cuts through the GTV, with the rules beside them."""
    from dvhkit.cli.vertebra.picture import draw_plan
    from dvhkit.outputs.ctv.cuts_picture import file_bytes
    from dvhkit.outputs.files import write_bytes_whole

    made = file_bytes(draw_plan(run.plan, gtv=run.gtv.name, checks=run.checks, drawn=run.drawn), target.suffix)
    if made is None:
        raise InputError(f"no picture can be written as {target.name!r}.", remedy="End the name in .svg or .png.")
    write_bytes_whole(target, made)


def write_report(run: CtvRun, target: Path, *, written: Written | None = None) -> None:
    """Write the report: cuts, rules, compartments, choices and flags as one page of HTML."""
    from dvhkit.cli.vertebra.report import ctv_page
    from dvhkit.outputs.ctv.report import ctv_html
    from dvhkit.outputs.files import write_text_whole

    write_text_whole(target, ctv_html(ctv_page(run, written=written.names[0] if written is not None else "")))


def print_plan(run: CtvRun, *, written: Written | None = None) -> None:
    """Print what the rules say, level by level."""
    console, plan = out_console(), run.plan
    outside = f", {plan.outside_cc:.2f} cc of it outside all compartments" if plan.outside_cc > 0 else ""
    console.print(clean(f"{run.gtv.name}: {plan.gtv_cc:.2f} cc{outside}"), markup=False)
    checks = {check.level: check for check in run.checks}
    for result in plan.levels:
        check = checks.get(result.vertebra.level)
        verdict = f", CTV: {check.verdict.value}" if check is not None else ""
        head = f"{result.vertebra.level} (compartments from {result.vertebra.origin})"
        console.print(clean(f"{head}, {result.outcome.profile_id}{verdict}"), markup=False)
        console.print(_level_table(result, check))
        for sector in check.sectors if check is not None else ():
            share = "-" if sector.covered_frac is None else f"{100 * sector.covered_frac:.0f} %"
            line = f"sector {sector.sector}: {sector.role}, {share} covered, {sector.verdict.value}"
            console.print(clean(line), markup=False)
        for row in result.outcome.fired:
            console.print(f"{row.id}: {row.title} ({row.source}; status {row.status})", markup=False)
        for flag in check.flags if check is not None else result.outcome.flags:
            console.print(str(flag), markup=False)
    for finding in run.findings:
        note_console().print(clean(str(finding)), markup=False)
    if not run.checks:
        console.print(f"CTV: {plan.ctv_cc:.2f} cc", markup=False)
    if written is not None:
        console.print(clean(f"written: {written.path} ({', '.join(written.names)})"), markup=False)


def _level_table(result: LevelResult, check: LevelCheck | None) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("Compartment", "GTV cc", "GTV %", "In the CTV", *(("Covered", "Verdict") if check else ()), "Why"):
        table.add_column(heading)
    outcome = result.outcome
    covered = {p.compartment: p for p in check.parts} if check is not None else {}
    for part in result.involvement.parts:
        name = part.compartment
        role = "required" if name in outcome.required else "optional" if name in outcome.optional else "-"
        role += ", taken in" if name in outcome.included else ""
        graze = " (graze)" if name in result.involvement.grazed else ""
        cells = [name.value, f"{part.gtv_cc:.2f}{graze}", f"{100 * part.gtv_frac:.0f}", role]
        if check is not None:
            held = covered[name]
            cells += ["-" if held.covered_frac is None else f"{100 * held.covered_frac:.0f} %", held.verdict.value]
        table.add_row(*cells, outcome.because_of(name))
    return table
