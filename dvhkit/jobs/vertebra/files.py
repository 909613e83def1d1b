"""What is written of a vertebral CTV: structure set, picture, report."""

from __future__ import annotations

from pathlib import Path

from dvhkit.errors import InputError, OutputError
from dvhkit.jobs.vertebra.picture import draw_plan
from dvhkit.jobs.vertebra.report import ctv_page
from dvhkit.jobs.vertebra.run import CtvRun
from dvhkit.outputs.ctv.cuts_picture import file_bytes
from dvhkit.outputs.ctv.report import ctv_html
from dvhkit.outputs.files import write_bytes_whole, write_text_whole
from dvhkit.outputs.rtstruct.write import NewRoi, Written, write_rtstruct
from dvhkit.targets.vertebra.anatomy.contours import compartment_structures, ctv_structure


def write_ctv(run: CtvRun, out: Path, *, name: str, compartments: bool, add: bool = False) -> Written:
    """Write the CTV, and the compartments if asked for, as a new RTSTRUCT; `add`: a copy of the set with them."""
    source = run.case.structures.path
    if source is None:
        raise OutputError("the structure set was not read from a file, so nothing can be derived from it.")
    rois = [NewRoi(structure=ctv_structure(run.plan, run.gtv, name=name), how=_how(run))]
    if compartments:
        made = compartment_structures(run.plan, frame_of_reference_uid=run.gtv.frame_of_reference_uid)
        rois += [NewRoi(structure=s, how="vertebral compartment") for s in made]
    return write_rtstruct(out, rois, source=source, image=run.case.image, keep_existing=add)


def _how(run: CtvRun) -> str:
    """Return in a few words what the CTV is made of."""
    levels = "; ".join(f"{r.vertebra.level}: {', '.join(r.outcome.target)}" for r in run.plan.levels)
    profile = run.plan.levels[0].outcome.profile_id
    return f"{profile}: {levels}; and {run.gtv.name}"[:1000]


def write_picture(run: CtvRun, target: Path) -> None:
    """Draw cuts through the GTV, with the rules beside them."""
    made = file_bytes(draw_plan(run.plan, gtv=run.gtv.name, checks=run.checks, drawn=run.drawn), target.suffix)
    if made is None:
        raise InputError(f"no picture can be written as {target.name!r}.", remedy="End the name in .svg or .png.")
    write_bytes_whole(target, made)


def write_report(run: CtvRun, target: Path, *, written: Written | None = None) -> None:
    """Write the report: cuts, rules, compartments, choices and flags as one page of HTML."""
    write_text_whole(target, ctv_html(ctv_page(run, written=written.names[0] if written is not None else "")))
