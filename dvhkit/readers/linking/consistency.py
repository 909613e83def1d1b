"""Whether the parts of a case fit each other: structures and image, and the ROIs that plan and dose refer to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from dvhkit.findings import Finding, Level
from dvhkit.model.dose import Dose
from dvhkit.model.image import ImageSeries
from dvhkit.model.plan import Plan
from dvhkit.model.slices import slices_of_image, stored_step_mm
from dvhkit.model.structure import Structure, StructureSet
from dvhkit.readers.wording import counted, listed

# Farther from the nearest slice than this part of the slice distance, a contour is between slices.
_OFF_PLANE = 0.1


def structures_on_image(structures: StructureSet, image: ImageSeries) -> list[Finding]:
    """Return findings on contours that are not on slices of `image`, or lie outside it. Both must share a frame.

    A DVH needs neither slices nor pixels, so nothing is moved and nothing is cropped.
    """
    if len(image.grid.offsets_mm) < 2:
        return []
    between: list[str] = []
    outside: list[str] = []
    for structure in structures:
        closed = structure.closed_contours
        if not closed:
            continue
        points = image.grid.to_grid_mm(np.concatenate([c.points_mm for c in closed]))
        if _sticks_out(points, image):
            outside.append(structure.name)
        elif _is_between(structure, image):
            between.append(structure.name)
    findings = []
    if outside:
        message = (
            f"Beyond the image reach {counted(len(outside), 'structure')}: {listed(outside)}. Nothing is cropped. "
            "The image may not be the one they were drawn on."
        )
        findings.append(Finding(level=Level.WARNING, code="contours-outside-image", message=message))
    if between:
        message = (
            f"Between slices of the image lie contours of {counted(len(between), 'structure')}: {listed(between)}."
        )
        findings.append(Finding(level=Level.INFO, code="contours-between-slices", message=message))
    return findings


def on_image_slices(structures: StructureSet, image: ImageSeries) -> StructureSet:
    """Return the structures of the image's frame as drawn on its slices; others keep those of their set."""
    slices = slices_of_image(image.grid, image.sop_instance_uids)
    frame = image.frame_of_reference_uid
    members = tuple(
        replace(s, slices=slices)
        if slices is not None and (s.frame_of_reference_uid or structures.frame_of_reference_uid) in ("", frame)
        else s
        for s in structures
    )
    return replace(structures, structures=members)


def roi_references(structures: StructureSet, plan: Plan | None, dose: Dose | None) -> list[Finding]:
    """Return findings on ROI numbers that plan or dose refer to and the structure set does not have."""
    known = {structure.number for structure in structures}
    prescribed = {p.roi_number for p in plan.prescriptions if p.roi_number is not None} if plan else set()
    stored = {n for dvh in dose.stored_dvhs for n in (dvh.roi_number, *dvh.excluded_numbers)} if dose else set()
    table = (
        (prescribed - known, "prescription-roi-absent", "The plan prescribes to"),
        (stored - known, "stored-dvh-roi-absent", "The dose holds stored DVHs of"),
    )
    return [
        Finding(
            level=Level.WARNING,
            code=code,
            message=(
                f"{told} ROI {listed(sorted(absent))}, which the structure set does not have: it may be another "
                "version than the one planned on. Check that all files are of one export."
            ),
        )
        for absent, code, told in table
        if absent
    ]


def kind_of_dose(plan: Plan | None, dose: Dose | None, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings as a plan makes them out: biologically effective dose is what an ion plan is meant to have.

    So is dose beyond all that beams give beside the source of brachytherapy.
    """
    of_brachy = plan is not None and plan.is_brachy
    by_sources = of_brachy or (dose is not None and dose.summation_type == "BRACHY")
    kept = []
    for finding in findings:
        if finding.code == "dose-effective":
            finding = _effective(finding, of_ions=plan is not None and plan.is_ion)  # noqa: PLW2901
        elif finding.code == "dose-implausible" and by_sources:
            continue
        kept.append(finding)
    return kept


def _effective(finding: Finding, *, of_ions: bool) -> Finding:
    if not of_ions:
        return replace(finding, level=Level.SERIOUS)
    message = "The dose of this ion plan is weighted by RBE (DoseType EFFECTIVE), as its prescription and limits are."
    return replace(finding, level=Level.INFO, message=message)


def _sticks_out(points: np.ndarray[tuple[int, int], np.dtype[np.float64]], image: ImageSeries) -> bool:
    grid = image.grid
    half = np.array([*grid.spacing_mm, image.largest_gap_mm]) / 2
    low = np.array([0.0, 0.0, grid.offsets_mm[0]]) - half
    size = grid.spacing_mm * [grid.n_columns - 1, grid.n_rows - 1]
    high = np.array([*size, grid.offsets_mm[-1]]) + half
    # A contour on the very edge of the image is on it.
    return bool(np.any(points < low - 0.01) or np.any(points > high + 0.01))


def _is_between(structure: Structure, image: ImageSeries) -> bool:
    offsets = image.grid.offsets_mm
    first = np.array([contour.points_mm[0] for contour in structure.closed_contours])
    heights = image.grid.to_grid_mm(first)[:, 2]
    above = np.clip(np.searchsorted(offsets, heights), 1, len(offsets) - 1)
    nearest = np.minimum(np.abs(offsets[above] - heights), np.abs(offsets[above - 1] - heights))
    # Positions that are rounded may be off by half of what they are rounded to.
    rounding = 0.5 * stored_step_mm(first @ np.round(image.grid.normal)) + 1e-3
    return bool(np.any(nearest > max(rounding, _OFF_PLANE * image.grid.plane_spacing_mm)))
