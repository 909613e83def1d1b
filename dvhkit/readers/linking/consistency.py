"""Whether the parts of a case fit each other: structures and image, and the ROIs that plan and dose refer to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvhkit.findings import Finding, Level
from dvhkit.model.dose import Dose
from dvhkit.model.image import ImageSeries
from dvhkit.model.plan import Plan
from dvhkit.model.slices import slices_of_image, stored_step_mm
from dvhkit.model.structure import Structure, StructureSet
from dvhkit.readers.wording import counted, listed

# No plan leaves its target below half of what it prescribes; stereotactic ones reach some two times of it.
_TOO_LITTLE, _TOO_MUCH = 0.5, 10.0
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


def prescribed_dose(plan: Plan | None, dose: Dose | None) -> list[Finding]:
    """Return a finding if the greatest dose cannot be that of what the plan prescribes: that of one fraction, say."""
    prescribed = max((p.dose_gy for p in plan.prescriptions), default=0.0) if plan else 0.0
    if dose is None or prescribed <= 0:
        return []
    reached = float(dose.values_gy.max())
    if reached <= 0 or _TOO_LITTLE * prescribed <= reached <= _TOO_MUCH * prescribed:
        return []
    fractions = plan.fractions_planned if plan else None
    is_one = fractions is not None and fractions > 1 and 0.5 <= reached * fractions / prescribed <= 2.0
    guess = (
        "It looks like the dose of one fraction." if is_one else "It may be part of the treatment, or wrongly scaled."
    )
    message = (
        f"The dose reaches {reached:.4g} Gy where the plan prescribes {prescribed:.4g} Gy. {guess} Check the export."
    )
    return [Finding(level=Level.SERIOUS, code="dose-far-from-prescription", message=message)]


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
