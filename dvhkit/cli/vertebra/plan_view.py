"""What the rules say of a vertebral CTV, printed level by level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvhkit.cli.streams import note_console, out_console
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from rich.table import Table

    from dvhkit.jobs.vertebra.run import CtvRun
    from dvhkit.outputs.rtstruct.write import Written
    from dvhkit.targets.vertebra.check import LevelCheck
    from dvhkit.targets.vertebra.ctv import LevelResult


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
        for finding in written.findings:
            note_console().print(clean(str(finding)), markup=False)
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
