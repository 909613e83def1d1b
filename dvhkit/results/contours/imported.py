"""Structures that came in as masks."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding

IMPORT_SCHEMA = "dvhkit/import/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRoi:
    """One structure: as written, and the mask that it came from.

    `volume_cc`: sections times the distance of slices, as a mask means it; `mask_volume_cc`: the mask's own voxels that
    lie inside the image.
    """

    roi: str
    volume_cc: float
    mask_volume_cc: float
    slices: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was written, and what was odd."""

    path: str
    sop_instance_uid: str
    structures: tuple[ImportedRoi, ...]
    findings: tuple[Finding, ...] = ()
