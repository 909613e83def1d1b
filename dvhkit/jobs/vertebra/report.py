"""The report of a vertebral CTV: what was decided at each level, with cuts, as a page of HTML."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from dvhkit.jobs.vertebra.picture import COLOURS, draw_level, picture_key
from dvhkit.outputs.ctv.report import CtvLevel, CtvPage, CtvRemark, CtvRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dvhkit.jobs.vertebra.run import CtvRun
    from dvhkit.targets.vertebra.check import LevelCheck
    from dvhkit.targets.vertebra.ctv import LevelResult
    from dvhkit.targets.vertebra.rules import Flag

_ORIGINS = {
    "structures": "structures by name, as they were drawn",
    "labels": "labels of compartments",
    "geometry": "the whole vertebra, cut by geometry: look at the pictures before you rely on them",
}


def ctv_page(run: CtvRun, *, written: str = "") -> CtvPage:
    """Return what the report of a run shows."""
    checks = {check.level: check for check in run.checks}
    flags: list[CtvRemark] = []
    for result in run.plan.levels:
        check = checks.get(result.vertebra.level)
        flags += _flags(check.flags if check is not None else result.outcome.flags, result.vertebra.level)
    return CtvPage(
        title=f"{run.gtv.name} in {', '.join(r.vertebra.level for r in run.plan.levels)}",
        headline=_headline(run, written),
        verdict=_verdict(run.checks),
        facts=_facts(run),
        key=picture_key(run.gtv.name, run.ctv_name),
        levels=tuple(_level(run, result, checks.get(result.vertebra.level)) for result in run.plan.levels),
        flags=tuple(flags),
        findings=tuple(
            CtvRemark(level=f.level.value, code=f.code, text=f.message, where=f.where or "") for f in run.findings
        ),
        provenance=_provenance(run),
    )


def _verdict(checks: Sequence[LevelCheck]) -> str:
    verdicts = [check.verdict.value for check in checks]
    return next((v for v in ("fail", "review", "pass") if v in verdicts), "")


def _headline(run: CtvRun, written: str) -> str:
    match _verdict(run.checks):
        case "pass":
            return f"{run.ctv_name} holds every required compartment"
        case "review":
            return f"{run.ctv_name} leaves a little of a required compartment out: review"
        case "fail":
            return f"{run.ctv_name} lacks a required compartment"
    return f"CTV made by rule{f' and written as {written}' if written else ''}"


def _facts(run: CtvRun) -> tuple[tuple[str, str], ...]:
    plan, outcome = run.plan, run.plan.levels[0].outcome
    facts = [
        ("Profile", f"{outcome.profile_id}, version {outcome.profile_version}"),
        ("GTV", f"{run.gtv.name}, {plan.gtv_cc:.2f} cc"),
        ("CTV by rule", f"{plan.ctv_cc:.2f} cc"),
        ("GTV outside all compartments", f"{plan.outside_cc:.2f} cc"),
    ]
    if plan.canal_cc is not None:
        facts.append(("of that in the canal", f"{plan.canal_cc:.2f} cc"))
    if run.checks:
        facts.insert(1, ("CTV checked", run.ctv_name))
    return tuple(facts)


def _level(run: CtvRun, result: LevelResult, check: LevelCheck | None) -> CtvLevel:
    outcome = result.outcome
    sectors = () if check is None else check.sectors
    return CtvLevel(
        name=result.vertebra.level,
        origin=_ORIGINS[result.vertebra.origin],
        verdict=check.verdict.value if check is not None else "",
        rows=tuple(_rows(result, check)),
        fired=tuple((row.id, row.title, row.source, row.status) for row in outcome.fired),
        choices=tuple(
            (part.value, ("taken in by choice; " if part in outcome.included else "not chosen; ") + why)
            for part in outcome.optional
            for why in (outcome.because_of(part),)
        ),
        cuts=draw_level(run.plan, result, drawn=run.drawn),
        sectors=tuple(
            (s.sector, s.role, "–" if s.covered_frac is None else f"{100 * s.covered_frac:.0f} %", s.verdict.value)
            for s in sectors
        ),
    )


def _rows(result: LevelResult, check: LevelCheck | None) -> list[CtvRow]:
    outcome = result.outcome
    held = {p.compartment: p for p in check.parts} if check is not None else {}
    rows = []
    for part in result.involvement.parts:
        name = part.compartment
        one = held.get(name)
        role = "required" if name in outcome.required else "optional" if name in outcome.optional else "–"
        rows.append(
            CtvRow(
                name=name.value,
                colour=COLOURS[name],
                volume_cc=part.volume_cc,
                gtv_cc=part.gtv_cc,
                gtv_frac=part.gtv_frac,
                is_graze=name in result.involvement.grazed,
                role="required by choice" if name in outcome.included else role,
                covered_frac=one.covered_frac if one is not None else None,
                verdict=one.verdict.value if one is not None else "",
                near_cut_frac=part.near_cut_frac,
                why=outcome.because_of(name),
            )
        )
    return rows


def _flags(flags: Sequence[Flag], level: str) -> list[CtvRemark]:
    return [CtvRemark(level=f.level.value, code=f.code, text=f.text, where=level) for f in flags]


def _provenance(run: CtvRun) -> tuple[tuple[str, str], ...]:
    facts = [("dvhkit", version("dvhkit")), ("Computed", datetime.now(UTC).isoformat(timespec="seconds"))]
    facts.append(("Profile SHA-256", run.profile.sha256))
    for source in run.case.sources:
        if source.role.startswith("RTSTRUCT"):
            facts += [(source.role, str(source.path)), (f"{source.role} SHA-256", _sha256(source.path))]
    for path in run.label_files:
        facts += [("Labels", str(path)), ("Labels SHA-256", _sha256(path))]
    return tuple(facts)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
