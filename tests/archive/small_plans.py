"""Plans that are quick to write and to audit: a ball in a box of even dose, and a protocol of three rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dvhkit.archive.run import RunOptions, RunReport, run_archive
from dvhkit.jobs.batch import AuditOptions
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomSet, arc_plan, axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.protocols.files.load import load_protocol

PROTOCOL = """
id: three-rules
version: "1"
title: Three rules
context:
  child_pugh_b7_worse: {type: bool, meaning: a worse liver}
  contour_approvers: {type: number, meaning: how many approved}
rules:
  - {id: D95, title: target covered, structure: {name: PTV}, metric: "D95%[Gy]", goal: ">= 47 Gy"}
  - {id: Dmax, title: organ spared, structure: {name: Organ}, metric: "Max[Gy]", goal: "<= 55 Gy"}
  - {id: Vol, title: organ drawn, structure: {name: Organ}, metric: "Volume[cc]", goal: ">= 0.5 cc"}
"""


def write_plan(folder: Path, *, dose_gy: float = 50.0, ptv_mm: float = 10.0, organ_mm: float = 6.0) -> Path:
    """Write one plan; each parameter changes its own object alone."""
    planes = np.arange(-15.0, 16.0, 3.0)
    grid = axial_grid(shape_zyx=(16, 15, 17), spacing_xyz_mm=(4.0, 4.0, 3.0))
    phantom = PhantomSet(
        label=folder.name,
        structures=(
            structure("PTV", 1, sphere((3.0, -2.0, 0.0), ptv_mm), planes, rt_roi_type="PTV", n_points=24),
            structure("Organ", 2, sphere((-14.0, 8.0, 0.0), organ_mm), planes, n_points=24),
        ),
        plan=arc_plan(dose_gy=50.0, fractions=5, roi_number=1),
        doses=(PhantomDose(grid=grid, values_gy=np.full(grid.shape_zyx, dose_gy), bits=16),),
        patient_id=f"ID-{folder.name}",
    )
    write_set(folder, phantom)
    return folder


Audit = Callable[..., RunReport]


def audit_with(protocol_file: Path) -> Audit:
    """Return what audits folders into a run, in this process, under the tests' own key for pseudonyms."""

    def run(plans: Path, out: Path, how: RunOptions | None = None, **asked: object) -> RunReport:
        def options_of(case_ids: Sequence[str]) -> tuple[dict[str, AuditOptions], dict[str, str]]:
            options = AuditOptions(protocol=load_protocol(protocol_file), **asked)
            return {"": options}, dict.fromkeys(case_ids, "")

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DVHKIT_IDENTITY_KEY", "a secret of the tests")
            return run_archive([plans], out, options_of, how or RunOptions(jobs=0))

    return run
