"""One CTV of a vertebral metastasis: what the rules make of a case, and the check of a CTV that was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import InputError
from dvhkit.jobs.vertebra.label_source import read_label_source
from dvhkit.targets.vertebra.anatomy.grid import filled_by
from dvhkit.targets.vertebra.check import LevelCheck, PartVerdict, check_ctv
from dvhkit.targets.vertebra.choice import names_against_levels
from dvhkit.targets.vertebra.ctv import CtvPlan, plan_ctv
from dvhkit.targets.vertebra.profiles import load_profile
from dvhkit.targets.vertebra.records import ctv_document
from dvhkit.targets.vertebra.rules import Compartment, RuleProfile
from dvhkit.targets.vertebra.scene import build_scene

if TYPE_CHECKING:
    from dvhkit.findings import Finding
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure
    from dvhkit.outputs.rtstruct.write import Written

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
        of_case = (f for f in self.case.findings if f.code not in _BESIDE_THE_POINT)
        of_levels = (f for r in self.plan.levels for f in r.vertebra.findings)
        named = names_against_levels((self.gtv.name, self.ctv_name), [r.vertebra.level for r in self.plan.levels])
        return (*of_case, *self.plan.scene.findings, *named, *of_levels)

    @property
    def passes(self) -> bool:
        """Whether every required and every chosen compartment of every level is covered."""
        return all(check.verdict is PartVerdict.PASS for check in self.checks)

    def document(self, *, written: Written | None = None) -> dict[str, object]:
        """Return everything as plain values."""
        document = ctv_document(self.plan, gtv=self.gtv.name, findings=self.findings, checks=self.checks)
        if written is not None:
            document["written"] = {"path": str(written.path), "names": list(written.names)}
        return document


def plan_case(
    case: Case,
    *,
    gtv: str,
    levels: Sequence[str],
    labels: Path | None,
    subregions: Path | None,
    label_table: str | None,
    profile: str,
    include: Sequence[Compartment],
    ctv: str | None = None,
    name: str = "CTV",
) -> CtvRun:
    """Apply the rules to a case; with `ctv`, check that structure, else make one called `name`."""
    rules, files = load_profile(profile), tuple(f for f in (labels, subregions) if f is not None)
    source = read_label_source(labels, subregions, label_table)
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
