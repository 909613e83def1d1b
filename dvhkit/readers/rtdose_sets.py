"""A dose out of several files: beams summed, planes stacked, parts compared with the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from dvhkit.errors import LinkError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import Dose
from dvhkit.model.grid import Grid
from dvhkit.readers.geometry import evened
from dvhkit.readers.linking.dose_sets import Assembly
from dvhkit.readers.rtdose import plane_findings, read_dose, zero_findings

_ATOL_MM = 1e-3
# Beams that differ from their plan by more than this fraction of its maximum belong to another calculation.
_SUM_RTOL = 0.01
_REMEDY = "Export the doses again, or choose one file with --rtdose."


def read_dose_set(paths: tuple[Path, ...], assembly: Assembly) -> tuple[Dose, tuple[Finding, ...]]:
    """Return the dose that one or several files make. Raises `LinkError` if they do not go together."""
    if assembly is Assembly.ONE or len(paths) == 1:
        return read_dose(paths[0])
    doses, findings = [], []
    for path in paths:
        dose, found = read_dose(path)
        doses.append(dose)
        findings += [f for f in found if f.code not in ("dose-single-plane", "dose-all-zero")]
    _require_alike(doses)
    joined = _stack(doses, findings) if assembly is Assembly.PLANES else _sum(doses)
    findings += zero_findings(float(joined.values_gy.max()), paths[0])
    return replace(joined, paths=paths, stored_dvhs=()), tuple(findings)


def _require_alike(doses: list[Dose]) -> None:
    first = doses[0]
    for dose in doses[1:]:
        if (dose.dose_type, dose.frame_of_reference_uid) != (first.dose_type, first.frame_of_reference_uid):
            raise LinkError(
                f"its kind of dose or frame of reference is not that of {first.paths[0].name}.",
                path=dose.paths[0],
                remedy=_REMEDY,
            )


def _sum(doses: list[Dose]) -> Dose:
    first = doses[0]
    for dose in doses[1:]:
        if not _one_lattice(first.grid, dose.grid):
            raise LinkError(f"its grid is not that of {first.paths[0].name}.", path=dose.paths[0], remedy=_REMEDY)
    total: FloatArray = np.sum([dose.values_gy for dose in doses], axis=0)
    return replace(first, values_gy=total, quantum_gy=max(dose.quantum_gy for dose in doses))


def _stack(doses: list[Dose], findings: list[Finding]) -> Dose:
    """Return planes one above the other; each file holds one, at its own ImagePositionPatient."""
    first = doses[0]
    normal = first.grid.normal
    heights = np.array(
        [float((d.grid.origin_mm - first.grid.origin_mm) @ normal + d.grid.offsets_mm[0]) for d in doses]
    )
    order = np.argsort(heights)
    grid = replace(first.grid, offsets_mm=heights[order])
    findings += plane_findings(grid, first.paths[0])
    grid, values = evened(grid, np.concatenate([doses[i].values_gy for i in order]))
    return replace(first, grid=grid, values_gy=values, quantum_gy=max(dose.quantum_gy for dose in doses))


def _one_lattice(one: Grid, other: Grid) -> bool:
    return one.shape_zyx == other.shape_zyx and all(
        np.allclose(getattr(one, name), getattr(other, name), rtol=0, atol=_ATOL_MM)
        for name in ("origin_mm", "axes", "spacing_mm", "offsets_mm")
    )


def compare_with_parts(whole: Dose, paths: tuple[Path, ...]) -> Iterator[Finding]:
    """Compare a plan's dose with the sum of its beams; say so where they differ."""
    difference = -whole.values_gy
    for path in paths:
        part, _ = read_dose(path)
        if not _one_lattice(whole.grid, part.grid):
            return
        difference += part.values_gy
    worst = max(float(difference.max()), -float(difference.min()))
    top = float(whole.values_gy.max())
    if worst > _SUM_RTOL * top:
        message = (
            f"The sum of the {len(paths)} per-beam doses differs from the plan dose by up to {worst:.3g} Gy of "
            f"{top:.3g} Gy. One of them is from another calculation: export all of them again."
        )
        yield Finding(level=Level.WARNING, code="beam-doses-differ", message=message, where=whole.paths[0].name)
