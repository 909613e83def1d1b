"""An image series: the geometry on which structures were drawn. Pixels are not needed for a DVH."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dvhkit.model.grid import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageSeries:
    """Slices of one series, sorted along their normal.

    Attributes
    ----------
    slice_thickness_mm
        SliceThickness (0018,0050) as stored, the thickest of the series; None where it is missing. The distance
        between slices is ``grid.plane_spacing_mm`` and need not agree.
    largest_gap_mm
        Largest distance between neighbouring slices; 0 for a single slice.
    patient_position
        PatientPosition (0018,5100), such as HFS; empty where it is missing.
    sop_instance_uids, paths
        One a slice, in the order of ``grid.offsets_mm``.
    """

    modality: str
    series_instance_uid: str
    frame_of_reference_uid: str
    grid: Grid
    slice_thickness_mm: float | None
    largest_gap_mm: float
    patient_position: str
    sop_instance_uids: tuple[str, ...]
    paths: tuple[Path, ...]
