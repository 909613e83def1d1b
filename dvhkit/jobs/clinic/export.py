"""Structures as masks on a grid, and what of them the masks do not hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import profile
from dvhkit.engine.rasterise import volume_on_grid, voxel_edges_mm
from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.targets.regions.expression import evaluate
from dvhkit.units import number_text

if TYPE_CHECKING:
    from dvhkit.engine.options import EngineOptions
    from dvhkit.model.case import Case
    from dvhkit.model.grid import Grid
    from dvhkit.model.structure import Structure

# Rounded coordinates reach this far beyond the outermost voxels without leaving them.
_ROUNDING_MM = 0.01
_NAME_LONGEST = 80


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportedVolume:
    """One volume to be written.

    Attributes
    ----------
    roi
        What it is of, as the user named it; ``dose`` for the dose.
    stem
        Name of its file without ending.
    values
        (n_planes, n_rows, n_columns) on `grid`.
    volume_cc
        What the mask or the shares of its voxels hold; None for a dose.
    plane_spacing_mm
        The distance between planes that the file states.
    """

    roi: str
    stem: str
    values: NDArray[Any]
    grid: Grid
    volume_cc: float | None
    plane_spacing_mm: float


def export_volumes(
    case: Case,
    rois: Sequence[str],
    *,
    dose: bool,
    on: Literal["image", "dose"],
    values: Literal["mask", "fraction"],
    engine: str | None,
) -> tuple[list[ExportedVolume], list[Finding]]:
    """Return the volumes that were asked for, and what they do not hold of what was drawn.

    Raises
    ------
    InputError
        If the case has no image or dose to lay masks on, or no dose to export.
    """
    # A mask says of each slice what its contours say: masks that became contours come back as they were.
    chosen = engine or ("prism" if values == "mask" and on == "image" else None)
    exporter = _Exporter(case, profile(chosen) if chosen else None, is_mask=values == "mask")
    for name in rois:
        exporter.add_structure(name, _grid(case, on))
    if dose:
        exporter.add_dose()
    return exporter.made, [*exporter.findings, *_lone_planes(exporter.made)]


def _grid(case: Case, on: str) -> Grid:
    source = case.image if on == "image" else case.dose
    if source is None:
        other = "dose" if on == "image" else "image"
        raise InputError(
            f"there is no {on} whose grid the masks could lie on.", remedy=f"Use --on {other}, or supply it."
        )
    return source.grid


class _Exporter:
    """What was made so far, and what was met on the way."""

    def __init__(self, case: Case, options: EngineOptions | None, *, is_mask: bool) -> None:
        self.case = case
        self.options = options
        self.is_mask = is_mask
        self.made: list[ExportedVolume] = []
        self.findings: list[Finding] = []

    def add_structure(self, name: str, grid: Grid) -> None:
        """Add a structure's mask, or the share of each voxel, on a grid."""
        structure = evaluate(name, self.case.structures, image=self.case.image).structure
        spacing_mm = _plane_spacing_mm(self.case, grid) or None
        fractions = volume_on_grid(structure, grid, self.options, slice_spacing_mm=spacing_mm)
        array = (fractions >= 0.5).astype(np.uint8) if self.is_mask else fractions.astype(np.float32)
        stated_mm = grid.even_spacing_mm or spacing_mm or 1.0
        held_cc = float(array.sum(axis=(1, 2), dtype=np.float64) @ _voxel_cc(grid, stated_mm))
        stem = _stem(name, {volume.stem.casefold() for volume in self.made})
        self.made.append(
            ExportedVolume(roi=name, stem=stem, values=array, grid=grid, volume_cc=held_cc, plane_spacing_mm=stated_mm)
        )
        self.findings += self._told(structure, self.made[-1], spacing_mm)

    def add_dose(self) -> None:
        """Add the dose in Gy on its own grid; raises `InputError` where there is none."""
        dose = self.case.dose
        if dose is None:
            raise InputError("there is no dose to export.", remedy="Name it with --rtdose.")
        self.made.append(
            ExportedVolume(
                roi="dose",
                stem=_stem("dose_gy", {volume.stem.casefold() for volume in self.made}),
                values=dose.values_gy.astype("float32"),
                grid=dose.grid,
                volume_cc=None,
                plane_spacing_mm=dose.grid.plane_spacing_mm or 1.0,
            )
        )

    def _told(self, structure: Structure, found: ExportedVolume, spacing_mm: float | None) -> list[Finding]:
        """Return what the exported volume does not hold of what was drawn."""
        if structure.is_empty:
            kinds = sorted({c.kind.value for c in structure.contours if not c.kind.is_closed})
            drawn = f"only {', '.join(kinds)} contours, which bound no area" if kinds else "no closed contour"
            message = f"The structure has {drawn}: its mask is zero everywhere."
            return [_finding("export-without-area", message, found.roi)]
        findings = []
        whole_cc = compute_dvh(structure, None, options=self.options, slice_spacing_mm=spacing_mm).volume_cc
        if _leaves(structure, found.grid):
            message = (
                f"The structure reaches beyond the grid: of {_cc(whole_cc)} cc the file holds "
                f"{_cc(found.volume_cc or 0.0)} cc, the rest is cut off."
            )
            findings.append(_finding("export-cropped", message, found.roi))
        if not found.values.any():
            way = " Use --values fraction, which keeps the share of each voxel." if self.is_mask else ""
            message = f"No voxel is half inside the structure of {_cc(whole_cc)} cc: its mask is zero everywhere.{way}"
            findings.append(_finding("export-all-zero", message, found.roi))
        return findings


def _plane_spacing_mm(case: Case, grid: Grid) -> float:
    """Return the image's slice distance, of a lone slice its thickness; 0 where neither is known."""
    image = case.image
    if image is None:
        return grid.plane_spacing_mm
    return image.grid.plane_spacing_mm or (image.slice_thickness_mm or 0.0)


def _voxel_cc(grid: Grid, spacing_mm: float) -> NDArray[np.float64]:
    """Return the volume of a voxel on each plane."""
    heights = np.diff(voxel_edges_mm(grid, 2)) if len(grid.offsets_mm) > 1 else np.array([spacing_mm])
    return np.asarray(float(np.prod(grid.spacing_mm)) * heights / 1000.0)


def _leaves(structure: Structure, grid: Grid) -> bool:
    points = grid.to_grid_mm(np.concatenate([c.points_mm for c in structure.closed_contours]))
    for axis in range(3):
        edges = voxel_edges_mm(grid, axis)
        low, high = points[:, axis].min(), points[:, axis].max()
        if low < edges[0] - _ROUNDING_MM or high > edges[-1] + _ROUNDING_MM:
            return True
    return False


def _lone_planes(made: Sequence[ExportedVolume]) -> list[Finding]:
    lone = [volume for volume in made if len(volume.grid.offsets_mm) == 1]
    if not lone:
        return []
    message = (
        f"The grid has one plane, so there is no distance between planes: the files state {lone[0].plane_spacing_mm:g} "
        "mm, the stated thickness of the slice or, without one, 1 mm. Volumes taken from them rest on that."
    )
    return [_finding("export-single-plane", message, "")]


def _finding(code: str, message: str, roi: str) -> Finding:
    return Finding(level=Level.WARNING, code=code, message=message, where=roi)


def _cc(value: float) -> str:
    return number_text(value, digits=4)


def _stem(name: str, taken: set[str]) -> str:
    """Return a file name for a structure: letters, digits, dot, dash and underscore; numbered where it repeats."""
    stem = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._-") or "structure"
    stem = stem[:_NAME_LONGEST]
    unique, number = stem, 2
    while unique.casefold() in taken:
        unique = f"{stem}_{number}"
        number += 1
    return unique
