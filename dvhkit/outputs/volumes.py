"""Masks and doses as NIfTI or NRRD, with the geometry that other programs expect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError, InputError, OutputError
from dvhkit.extras import needs_extra
from dvhkit.findings import Finding
from dvhkit.model.grid import UNIFORM_ATOL_MM, Grid

if TYPE_CHECKING:
    import SimpleITK

# Which file is which structure, beside the files.
MANIFEST = "manifest.json"
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")


def export_document(files: Iterable[tuple[str, str, float | None]], findings: Iterable[Finding]) -> dict[str, object]:
    """Return the manifest of an export: ``{"schema": "dvhkit/export/1", "files": [...], "findings": [...]}``.

    `files`: of each the structure as the user named it, the file's name, and the volume that it holds in cc.
    """
    rows = [{"roi": roi, "file": name, "volume_cc": volume_cc} for roi, name, volume_cc in files]
    return {"schema": "dvhkit/export/1", "files": rows, "findings": [asdict(finding) for finding in findings]}


def suffix_of(path: Path) -> str:
    """Return the volume format that a file name asks for. Raises `InputError` if it is none of ours."""
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return suffix
    raise InputError(f"{path.name!r} names no volume format.", remedy=f"End the name in one of {', '.join(SUFFIXES)}.")


def to_image(values: NDArray[Any], grid: Grid, *, plane_spacing_mm: float | None = None) -> SimpleITK.Image:
    """Return an array ``[k, j, i]`` on a grid as a SimpleITK image, in LPS as DICOM has it.

    `plane_spacing_mm`: what to state for a grid of one plane, which has no distance; 1 mm where nothing is known.

    NIfTI itself counts in RAS; SimpleITK turns the axes when it writes and reads it.

    Raises
    ------
    GeometryError
        Planes that are not evenly spaced: these formats have one distance for all.
    """
    with needs_extra("masks"):
        import SimpleITK

    if values.shape != grid.shape_zyx:
        raise GeometryError(f"the values {values.shape} do not fit the grid {grid.shape_zyx}.")
    if not grid.is_uniform:
        gaps = np.diff(grid.offsets_mm)
        raise GeometryError(
            f"the slices are {gaps.min():.4g} to {gaps.max():.4g} mm apart; NIfTI and NRRD have one distance for all "
            f"(equal to {UNIFORM_ATOL_MM:g} mm).",
            remedy="Resample the image to even slices, or export the other grid.",
        )
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(values))
    image.SetSpacing([*(float(s) for s in grid.spacing_mm), grid.even_spacing_mm or plane_spacing_mm or 1.0])  # type: ignore[no-untyped-call]
    first = grid.origin_mm + grid.normal * float(grid.offsets_mm[0])
    image.SetOrigin([float(v) for v in first])  # type: ignore[no-untyped-call]
    # Columns of the direction matrix are the axes; ours are rows.
    image.SetDirection([float(v) for v in grid.axes.T.ravel()])  # type: ignore[no-untyped-call]
    return image


def write_volume(path: Path | str, values: NDArray[Any], grid: Grid, *, plane_spacing_mm: float | None = None) -> None:
    """Write an array on a grid as NIfTI, NRRD or MetaImage, whole or not at all; the file's ending says which.

    Raises
    ------
    InputError
        For an ending that is none of these.
    GeometryError
        For unevenly spaced planes.
    OutputError
        If the file cannot be written.
    """
    import tempfile

    with needs_extra("masks"):
        import SimpleITK

    path = Path(path)
    suffix = suffix_of(path)
    image = to_image(values, grid, plane_spacing_mm=plane_spacing_mm)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".dvhkit-") as folder:
            draft = Path(folder) / f"volume{suffix}"
            SimpleITK.WriteImage(image, str(draft), useCompression=True)
            draft.replace(path)
    except (OSError, RuntimeError) as error:
        raise OutputError(
            "the volume cannot be written.", path=path, remedy="Check the folder's permissions and free space."
        ) from error
