"""CT, MR and PET series: slices sorted along their normal, gaps and doubles noticed. Pixels stay on disk."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from dvhkit.errors import DicomReadError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import UNIFORM_ATOL_MM
from dvhkit.model.image import ImageSeries
from dvhkit.readers.archive.index import FileEntry
from dvhkit.readers.files.elements import where
from dvhkit.readers.geometry import make_grid, plane_axes
from dvhkit.readers.wording import counted, listed

# A slice is missing where the distance is more than this many times the usual one.
_GAP_FACTOR = 1.5
_MIXED = "Give the folder of the one series that belongs to the structures with --image."


def build_series(entries: tuple[FileEntry, ...]) -> tuple[ImageSeries, tuple[Finding, ...]]:
    """Return the series made of `entries`, and what is odd about it.

    Slices are ordered by ImagePositionPatient projected on the normal; InstanceNumber is not looked at.

    Raises
    ------
    DicomReadError
        If slices differ in orientation, matrix or pixel size, do not stand in line, or lack their position.
    """
    entries = tuple(slice_entry for entry in entries for slice_entry in _slices(entry))
    first = entries[0]
    _require_one_lattice(entries)
    axes = plane_axes(first.image().orientation, first.path)
    positions = _positions(entries)
    order = np.argsort(positions @ axes[2], kind="stable")
    entries, positions = tuple(entries[i] for i in order), positions[order]
    along = (positions - positions[0]) @ axes[2]
    keep, findings = _one_per_plane(entries, along)
    entries, along, positions = tuple(entries[i] for i in keep), along[keep], positions[keep]
    findings += [*_tilt(entries, positions, axes), *_cut(entries)]
    header = entries[0].image()
    grid = make_grid(
        origin_mm=tuple(positions[0].tolist()),
        axes=axes,
        pixel_spacing_mm=header.pixel_spacing_mm,
        offsets_mm=along,
        n_rows=header.n_rows or 0,
        n_columns=header.n_columns or 0,
        path=entries[0].path,
    )
    thicknesses = [e.image().slice_thickness_mm for e in entries if e.image().slice_thickness_mm is not None]
    gaps = np.diff(along)
    series = ImageSeries(
        modality=first.modality,
        series_instance_uid=first.series_uid,
        frame_of_reference_uid=first.frame_of_reference_uid,
        grid=grid,
        slice_thickness_mm=max((t for t in thicknesses if t is not None), default=None),
        largest_gap_mm=float(gaps.max()) if gaps.size else 0.0,
        patient_position=header.patient_position,
        sop_instance_uids=tuple(e.sop_instance_uid for e in entries),
        paths=tuple(e.path for e in entries),
    )
    return series, (*findings, *_spacing_findings(series))


def _slices(entry: FileEntry) -> tuple[FileEntry, ...]:
    """Return one entry a slice: the file itself, or one for each frame of a multi-frame image."""
    header = entry.image()
    if header.n_frames > 1 and len(header.frames) != header.n_frames:
        raise DicomReadError(
            f"tells the places of {len(header.frames)} of {header.n_frames} frames.",
            path=entry.path,
            where=where("PerFrameFunctionalGroupsSequence"),
            remedy="Export the series as single slices.",
        )
    return tuple(replace(entry, header=frame) for frame in header.frames) or (entry,)


def _require_one_lattice(entries: tuple[FileEntry, ...]) -> None:
    first = entries[0].image()
    for entry in entries:
        header = entry.image()
        for keyword, mine, its in (
            ("Rows", first.n_rows, header.n_rows),
            ("Columns", first.n_columns, header.n_columns),
            ("PixelSpacing", first.pixel_spacing_mm, header.pixel_spacing_mm),
            ("ImageOrientationPatient", first.orientation, header.orientation),
        ):
            if not _alike(mine, its):
                raise DicomReadError(
                    f"is {its} here and {mine} in {entries[0].path.name}: the slices are no one lattice.",
                    path=entry.path,
                    where=where(keyword),
                    remedy=_MIXED,
                )


def _alike(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(abs(a - b) <= 1e-4 for a, b in zip(one, other, strict=True))
    return one == other


def _positions(entries: tuple[FileEntry, ...]) -> FloatArray:
    for entry in entries:
        if len(entry.image().position_mm) != 3:
            raise DicomReadError(
                "is missing or has not three values.", path=entry.path, where=where("ImagePositionPatient")
            )
    return np.array([entry.image().position_mm for entry in entries])


def _one_per_plane(entries: tuple[FileEntry, ...], along: FloatArray) -> tuple[list[int], list[Finding]]:
    keep = [0]
    doubles = 0
    for index in range(1, len(entries)):
        if along[index] - along[keep[-1]] > UNIFORM_ATOL_MM:
            keep.append(index)
        else:
            doubles += 1
    if not doubles:
        return keep, []
    message = (
        f"{doubles} of {len(entries)} slices lie on a plane that another slice holds already; one a plane is kept. "
        "The series may be two; the geometry is the same."
    )
    return keep, [Finding(level=Level.WARNING, code="image-duplicate-slices", message=message)]


def _tilt(entries: tuple[FileEntry, ...], positions: FloatArray, axes: FloatArray) -> list[Finding]:
    """Return a finding where slices are shifted sideways against each other, as with a tilted gantry."""
    sideways = (positions - positions[0]) @ axes[:2].T
    worst = float(np.abs(sideways).max())
    if worst <= 0.1:
        return []
    tilt = next((e.image().gantry_tilt_deg for e in entries if e.image().gantry_tilt_deg), None)
    stated = f" GantryDetectorTilt is {tilt:g} degrees." if tilt else ""
    message = (
        f"Slices are shifted sideways by up to {worst:.1f} mm, as with a tilted gantry.{stated} Distances along the "
        "normal are right; the position of the pixel matrix holds for the first slice only."
    )
    return [Finding(level=Level.WARNING, code="image-tilted", message=message)]


def _cut(entries: tuple[FileEntry, ...]) -> list[Finding]:
    cut = [entry.path.name for entry in entries if entry.image().is_cut]
    if not cut:
        return []
    message = f"Shorter than their pixels: {counted(len(cut), 'image file')} ({listed(cut)}). Copy the series again."
    return [Finding(level=Level.WARNING, code="image-file-cut", message=message)]


def _spacing_findings(series: ImageSeries) -> list[Finding]:
    gaps = np.diff(series.grid.offsets_mm)
    if not gaps.size:
        message = "The image has one slice only, so the distance between slices is unknown."
        return [Finding(level=Level.WARNING, code="image-single-slice", message=message)]
    findings = []
    usual = Counter(np.round(gaps, 2).tolist()).most_common(1)[0][0]
    wide = gaps > _GAP_FACTOR * usual
    if wide.any():
        message = (
            f"{int(wide.sum())} gaps between image slices are wider than {_GAP_FACTOR:g} × {usual:g} mm; the widest is "
            f"{gaps.max():.2f} mm. Slices may be missing: export the series again."
        )
        findings.append(Finding(level=Level.WARNING, code="image-gap", message=message))
    elif not series.grid.is_uniform:
        message = f"The distance between image slices varies from {gaps.min():.2f} to {gaps.max():.2f} mm."
        findings.append(Finding(level=Level.INFO, code="image-uneven-spacing", message=message))
    thickness = series.slice_thickness_mm
    even = series.grid.even_spacing_mm if series.grid.is_uniform else usual
    if thickness is not None and min(abs(thickness - usual), abs(thickness - even)) > UNIFORM_ATOL_MM:
        message = f"SliceThickness is {thickness:g} mm, but slices are {usual:g} mm apart."
        findings.append(Finding(level=Level.INFO, code="image-thickness-differs", message=message))
    return findings
