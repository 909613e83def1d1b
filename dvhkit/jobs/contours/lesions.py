"""Lesions of a structure set measured as RECIST 1.1 does, with what each number and each judgement rests on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import GeometryError, InputError, NotEvaluable
from dvhkit.findings import Finding, Level
from dvhkit.jobs.contours.structure_sets import DrawnSet, read_drawn, wanted
from dvhkit.results.contours.lesions import Irradiation, Lesion, LesionTable

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure

# Eisenhauer 2009 (RECIST 1.1), 3.1.1: 10 mm on slices of no more than 5 mm, else twice the slice thickness; nodes by
# their short axis, from 15 mm on; from 10 to 15 mm they are pathological, but no targets.
_LONGEST_LEAST_MM = 10.0
_THICK_SLICE_MM = 5.0
_NODE_TARGET_MM, _NODE_PATHOLOGICAL_MM = 15.0, 10.0
# Contours are texts of a hundredth of a millimetre.
_ROUNDED_MM = 0.01
# A lesion of which half has at least this dose counts as treated there.
IRRADIATED_FROM_GY = 10.0
_LESION_NAMES = ("gtv*", "*lesion*", "*tumo*", "*metast*")
_NODE_NAME = re.compile(r"(?i)(^|[^a-z])(i?gtvn|ln|lns|lnn|node|nodes|nodal|lymph\w*)([^a-z]|$)|^gtvn")


def measure_lesions(
    path: Path | str,
    *,
    roi: Sequence[str] | None = None,
    nodes: Sequence[str] | None = None,
    progressed: Sequence[str] = (),
    dose: Path | None = None,
    slice_spacing_mm: float | None = None,
    irradiated_from_gy: float = IRRADIATED_FROM_GY,
    sr: Path | None = None,
) -> LesionTable:
    """Return the diameters of lesions, and whether RECIST 1.1 would take each as a target at baseline.

    Parameters
    ----------
    path
        RTSTRUCT file, or a folder that holds one. A folder's dose tells what was irradiated.
    roi
        Names with wildcards; None takes what is named like a lesion (``GTV*``) or of type GTV.
    nodes
        Which of them are lymph nodes, by name; None goes by name (``GTVn``, ``LN_...``, ``...node...``).
    progressed
        Lesions that have grown since they were irradiated: measurable again.
    dose
        An RTDOSE file instead of the folder's.
    slice_spacing_mm
        Slice thickness of the images that were read; None takes the image's, or the distance of the contours.
    irradiated_from_gy
        A lesion counts as irradiated if half of it has at least this dose.
    sr
        Also write a DICOM structured report (TID 1500).
    """
    path = Path(path)
    case = _case(path, dose)
    drawn = (
        read_drawn(path)
        if case is None
        else DrawnSet(structures=case.structures, image=case.image, findings=case.findings)
    )
    chosen = _chosen(drawn, roi)
    spacing = slice_spacing_mm or _image_spacing_mm(drawn)
    lesions = [_lesion(s, spacing, _is_node(s, nodes)) for s in chosen]
    if case is not None and case.dose is not None:
        lesions = [_irradiated(row, s, case, irradiated_from_gy) for row, s in zip(lesions, chosen, strict=True)]
        lesions = [_judged_by_dose(row, progressed) for row in lesions]
    note = Finding(
        level=Level.INFO,
        code="diameters-of-planning-contours",
        message="Diameters are those of contours as drawn. A GTV of a planning image is drawn for treatment; read it "
        "as a response measurement only where it was drawn as one.",
    )
    table = LesionTable(lesions=tuple(lesions), findings=(*drawn.findings, note))
    if sr is not None:
        _write_sr(sr, table, drawn, chosen)
    return table


def _write_sr(target: Path, table: LesionTable, drawn: DrawnSet, chosen: Sequence[Structure]) -> None:
    from dvhkit.outputs.dicom.lesions_sr import write_lesions_sr

    frames = {s.frame_of_reference_uid for s in chosen} - {""} or {drawn.structures.frame_of_reference_uid}
    if len(frames) > 1:
        raise InputError("the lesions lie in several frames of reference.", remedy="Name those of one: --roi.")
    sources = _slices_measured(table, drawn) or [drawn.structures.path]
    write_lesions_sr(target, table, frame_of_reference_uid=frames.pop(), sources=[p for p in sources if p is not None])


def _slices_measured(table: LesionTable, drawn: DrawnSet) -> list[Path | None]:
    """Return the image files nearest to the lines that were measured."""
    if drawn.image is None:
        return []
    grid = drawn.image.grid
    points = [lesion.end_points_mm[0] for lesion in table.lesions if lesion.end_points_mm is not None]
    heights = [float(grid.to_grid_mm(np.array([p]))[0, 2]) for p in points]
    return [drawn.image.paths[n] for n in sorted({int(np.abs(grid.offsets_mm - h).argmin()) for h in heights})]


def _case(path: Path, dose: Path | None) -> Case | None:
    """Return the case with its dose; None where `path` is a lone file and no dose was named."""
    from dvhkit.jobs.read import read_case

    if dose is not None:
        return read_case(dose, rtstruct=path) if path.is_file() else read_case(path, rtdose=dose)
    return None if path.is_file() else read_case(path, dose="not needed")


def _chosen(drawn: DrawnSet, roi: Sequence[str] | None) -> list[Structure]:
    if roi:
        return wanted(drawn.structures.structures, roi)
    found = [
        s
        for s in drawn.structures
        if s.rt_roi_type == "GTV" or any(fnmatchcase(s.name.strip().casefold(), name) for name in _LESION_NAMES)
    ]
    if not found:
        names = ", ".join(drawn.structures.names[:30]) or "none"
        raise InputError("no structure is named like a lesion.", remedy=f"Name them: --roi. There are: {names}.")
    return found


def _image_spacing_mm(drawn: DrawnSet) -> float | None:
    if drawn.image is None:
        return None
    return max(drawn.image.grid.plane_spacing_mm or 0.0, drawn.image.slice_thickness_mm or 0.0) or None


def _is_node(structure: Structure, nodes: Sequence[str] | None) -> bool:
    if nodes is not None:
        return any(fnmatchcase(structure.name.strip().casefold(), n.strip().casefold()) for n in nodes)
    return bool(_NODE_NAME.search(structure.name))


def _lesion(structure: Structure, spacing_mm: float | None, is_node: bool) -> Lesion:
    from dvhkit.targets.compare.diameters import measure_island
    from dvhkit.targets.compare.islands import islands_of
    from dvhkit.targets.compare.sections import sections_of
    from dvhkit.targets.compare.skin import skin_of

    try:
        # The thickness of a lone slice does not touch what is measured in it.
        skin = skin_of(sections_of(structure, slice_spacing_mm=spacing_mm, fallback_mm=_THICK_SLICE_MM))
        islands = islands_of(skin.sections)
        volume_cc = skin.sections.volume_mm3 / 1000.0
        whole = volume_cc if len(islands) == 1 else None
        found = sorted((measure_island(skin, i, volume_cc=whole) for i in islands), key=lambda d: -d.longest_mm)
    except (GeometryError, NotEvaluable) as error:
        return Lesion(roi=structure.name, reason=str(error), is_node=is_node)
    known = spacing_mm or (skin.sections.gap_mm if len(skin.sections.drawn) > 1 else None)
    first = found[0]
    measurable, reason = _judged(first.longest_mm, first.short_axis_mm, known, is_node)
    if len(found) > 1:
        reason += f"; {len(found)} separate parts, the longest is told and all are listed"
    return Lesion(
        roi=structure.name,
        longest_mm=first.longest_mm,
        short_axis_mm=first.short_axis_mm,
        slice_mm=first.slice_mm,
        end_points_mm=first.end_points_mm,
        measurable=measurable,
        reason=reason,
        is_node=is_node,
        slice_spacing_mm=known,
        volume_cc=volume_cc,
        longest_unconstrained_mm=first.longest_unconstrained_mm,
        short_axis_points_mm=first.short_axis_points_mm,
        min_feret_mm=first.min_feret_mm,
        longest_3d_mm=first.longest_3d_mm,
        islands=tuple(found),
    )


def _judged(longest: float, short: float, spacing: float | None, is_node: bool) -> tuple[bool | None, str]:
    """Return whether a lesion is measurable by its size, and why (not)."""
    if spacing is None:
        return None, "drawn on one slice, and nothing says how thick the slices are (--slice-spacing)"
    value, name = (short, "short axis") if is_node else (longest, "longest diameter")
    usual = _NODE_TARGET_MM if is_node else _LONGEST_LEAST_MM
    least = usual if spacing <= _THICK_SLICE_MM + _ROUNDED_MM else max(usual, 2.0 * spacing)
    rule = f"at least {least:g} mm" + (f" on slices of {spacing:.4g} mm" if least > usual else "")
    if value >= least - _ROUNDED_MM:
        return True, f"{name} {value:.1f} mm: {rule}"
    if is_node and value >= _NODE_PATHOLOGICAL_MM - _ROUNDED_MM:
        return False, f"{name} {value:.1f} mm: pathological ({_NODE_PATHOLOGICAL_MM:g} mm or more), no target ({rule})"
    if is_node:
        return False, f"{name} {value:.1f} mm: a normal node (below {_NODE_PATHOLOGICAL_MM:g} mm)"
    return False, f"{name} {value:.1f} mm: a target has {rule}"


def _irradiated(row: Lesion, structure: Structure, case: Case, least_gy: float) -> Lesion:
    """Return the lesion with the dose that it has in this plan."""
    from dvhkit.jobs.numbers import CaseNumbers
    from dvhkit.metrics.expression import parse_metric
    from dvhkit.targets.regions.expression import RoiRef

    numbers = CaseNumbers(case, uncovered="exclude")
    region = RoiRef(structure.number, structure.name)
    mean, d95, d50, most = (
        numbers.metric(region, parse_metric(text)).value for text in ("Mean[Gy]", "D95%[Gy]", "D50%[Gy]", "Max[Gy]")
    )
    if d50 is None:
        return row
    dose = Irradiation(irradiated=d50 >= least_gy, mean_gy=mean, d95_gy=d95, d50_gy=d50, max_gy=most)
    return replace(row, irradiation=dose)


def _judged_by_dose(row: Lesion, progressed: Sequence[str]) -> Lesion:
    """Return the lesion as RECIST 1.1 judges one that was irradiated: not measurable unless it has grown since."""
    dose = row.irradiation
    if dose is None or not dose.irradiated or row.measurable is None:
        return row
    told = f"irradiated: D50% {dose.d50_gy:.1f} Gy, D95% {dose.d95_gy or 0.0:.1f} Gy in this plan"
    if any(fnmatchcase(row.roi.strip().casefold(), p.strip().casefold()) for p in progressed):
        return replace(row, reason=f"{row.reason}; {told}, and progressed since")
    return replace(
        row, measurable=False, reason=f"{row.reason}; {told}: measurable only once it has progressed (--progressed)"
    )
