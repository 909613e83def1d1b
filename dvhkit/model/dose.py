"""A dose grid in Gy, with what the planning system said about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from pathlib import Path

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.grid import Grid


class DoseType(StrEnum):
    """DoseType (3004,0004): what kind of Gy."""

    PHYSICAL = "PHYSICAL"
    EFFECTIVE = "EFFECTIVE"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredDvh:
    """A cumulative DVH that the planning system stored in the RTDOSE: for comparison, never an input to ours.

    Attributes
    ----------
    dose_gy, volume_cc : (n,)
        Volume that receives at least each dose; ascending dose. ``volume_cc`` is None where the file holds
        percent of an unstated volume.
    volume_pct : (n,)
        The same in percent of the first entry.
    min_gy, mean_gy, max_gy
        As stored; None where missing. Some systems store percent here although the units say GY.
    """

    roi_number: int
    dose_gy: FloatArray
    volume_cc: FloatArray | None
    volume_pct: FloatArray
    min_gy: float | None
    mean_gy: float | None
    max_gy: float | None
    excluded_numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dose:
    """Dose on a grid.

    Attributes
    ----------
    values_gy : (n_planes, n_rows, n_columns)
        Dose at voxel centres, ``[k, j, i]`` of `grid`.
    quantum_gy
        Step between two storable doses (DoseGridScaling).
    summation_type
        DoseSummationType (3004,000A) as stored: PLAN, BEAM, FRACTION, MULTI_PLAN, ...
    referenced_plan_uids, referenced_structure_set_uid
        SOP instance UIDs that the dose points to; empty where it points nowhere.
    comment
        DoseComment (3004,0006): what may tell apart the doses of one plan.
    planning_system, planning_system_version
        Manufacturer and model, and software versions, as the file states them.
    """

    grid: Grid
    values_gy: FloatArray
    quantum_gy: float
    dose_type: DoseType
    summation_type: str
    sop_instance_uid: str
    frame_of_reference_uid: str
    referenced_plan_uids: tuple[str, ...] = ()
    referenced_structure_set_uid: str = ""
    stored_dvhs: tuple[StoredDvh, ...] = ()
    paths: tuple[Path, ...] = field(default=())
    comment: str = ""
    planning_system: str = ""
    planning_system_version: str = ""

    def __repr__(self) -> str:
        planes, rows, columns = self.values_gy.shape
        spacing = " x ".join(f"{float(s):g}" for s in (*self.grid.spacing_mm, self.grid.plane_spacing_mm))
        top_gy = float(self.values_gy.max(initial=0.0))
        kind = f"{self.dose_type.value} {self.summation_type}".strip()
        return f"<Dose {kind}: {columns} x {rows} x {planes} voxels of {spacing} mm, up to {top_gy:.4g} Gy>"

    def _repr_html_(self) -> str:
        return escape(repr(self))

    def __post_init__(self) -> None:
        object.__setattr__(self, "values_gy", frozen_array(self.values_gy))
        if self.values_gy.shape != self.grid.shape_zyx:
            raise GeometryError(f"dose values {self.values_gy.shape} do not fit the grid {self.grid.shape_zyx}.")
