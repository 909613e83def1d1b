"""What a phantom consists of before it becomes DICOM: an image, structures, a plan, doses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.dose import DoseType
from dvhkit.model.grid import Grid
from dvhkit.model.plan import Beam, FractionGroup, Prescription
from dvhkit.model.structure import Structure

AXIAL_AXES = np.eye(3)


def axial_grid(
    *,
    shape_zyx: tuple[int, int, int],
    spacing_xyz_mm: tuple[float, float, float],
    first_xyz_mm: tuple[float, float, float] | None = None,
    axes: FloatArray = AXIAL_AXES,
) -> Grid:
    """Return a regular grid; centred on the patient origin unless the first voxel centre is given.

    Parameters
    ----------
    shape_zyx
        Number of planes, rows, columns.
    spacing_xyz_mm
        Distance between columns, rows, planes.
    first_xyz_mm
        Patient coordinates (LPS) of voxel ``[0, 0, 0]``.
    axes : (3, 3)
        Rows are the directions of growing column index, row index and plane: not axial for other orientations.
    """
    columns_rows_planes = np.array(shape_zyx[::-1])
    axes = np.asarray(axes, dtype=np.float64)
    if first_xyz_mm is None:
        first = -(columns_rows_planes - 1) / 2 * np.array(spacing_xyz_mm) @ axes
    else:
        first = np.array(first_xyz_mm, dtype=np.float64)
    return Grid(
        origin_mm=first,
        axes=axes,
        spacing_mm=np.array(spacing_xyz_mm[:2]),
        offsets_mm=np.arange(shape_zyx[0], dtype=np.float64) * spacing_xyz_mm[2],
        n_rows=shape_zyx[1],
        n_columns=shape_zyx[2],
    )


def voxel_centres_mm(grid: Grid) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return x, y, z of all voxel centres, each broadcastable to ``grid.shape_zyx`` (LPS, mm)."""
    i_mm = np.arange(grid.n_columns)[None, None, :] * grid.spacing_mm[0]
    j_mm = np.arange(grid.n_rows)[None, :, None] * grid.spacing_mm[1]
    k_mm = grid.offsets_mm[:, None, None]
    x, y, z = (
        grid.origin_mm[a] + i_mm * grid.axes[0, a] + j_mm * grid.axes[1, a] + k_mm * grid.axes[2, a] for a in range(3)
    )
    return x, y, z


class OffsetForm(StrEnum):
    """How GridFrameOffsetVector (3004,000C) counts; PS3.3 C.8.8.3.2 allows both."""

    RELATIVE = "relative"  # first element 0
    ABSOLUTE = "absolute"  # patient z; only where the rows and columns run along +x and +y


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhantomImage:
    """A CT series.

    Attributes
    ----------
    values_hu : (n_planes, n_rows, n_columns)
        CT numbers, int16; None stands for water everywhere.
    slice_thickness_mm
        SliceThickness (0018,0050) as it shall be written; None for the distance between slices.
    rle
        Whether pixels are stored RLE-compressed.
    """

    grid: Grid
    values_hu: NDArray[np.int16] | None = None
    slice_thickness_mm: float | None = None
    patient_position: str = "HFS"
    rle: bool = False

    def __post_init__(self) -> None:
        if self.values_hu is not None:
            object.__setattr__(self, "values_hu", _fitting(self.values_hu, self.grid, dtype=np.int16))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhantomDose:
    """A dose object.

    Attributes
    ----------
    values_gy : (n_planes, n_rows, n_columns)
        Dose at voxel centres.
    bits
        BitsAllocated: 16 or 32.
    quantum_gy
        DoseGridScaling; None for the finest that holds the greatest dose.
    frames_descending
        Whether frames are stored from the last plane to the first.
    beam_number
        The beam that a BEAM dose belongs to.
    relative
        Whether DoseUnits is RELATIVE.
    refers_to_structures
        Whether ReferencedStructureSetSequence is written beside the reference to the plan; without a plan it always is.
    """

    grid: Grid
    values_gy: FloatArray
    bits: int = 32
    quantum_gy: float | None = None
    offset_form: OffsetForm = OffsetForm.RELATIVE
    frames_descending: bool = False
    summation_type: str = "PLAN"
    dose_type: DoseType = DoseType.PHYSICAL
    beam_number: int | None = None
    relative: bool = False
    refers_to_structures: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "values_gy", _fitting(self.values_gy, self.grid, dtype=np.float64))
        if self.bits not in (16, 32):
            raise GeometryError(f"a dose is stored in 16 or 32 bit, not {self.bits}.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhantomPlan:
    """A plan around one isocentre: photon arcs as RTPLAN, or with `is_ion` proton fields as RT Ion Plan."""

    label: str
    prescriptions: tuple[Prescription, ...]
    fraction_groups: tuple[FractionGroup, ...]
    beams: tuple[Beam, ...]
    isocentre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    approval_status: str = "UNAPPROVED"
    is_ion: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhantomSet:
    """A linked set: what `write_set` turns into DICOM.

    Attributes
    ----------
    label
        Names the set (StudyDescription, StructureSetLabel) and takes part in every UID.
    structures
        Contours in patient coordinates; a structure without a frame of reference of its own takes that of the set.
    image, plan
        None leaves the object out and every reference to it.
    doses
        Any number: a plan dose, doses a beam, another grid.
    contour_decimals
        Decimals of contour coordinates, mm; None keeps all that 16 characters can hold.
    contours_reversed
        Whether ROIContourSequence runs the other way than StructureSetROISequence: only the ROI number joins the two.
    """

    label: str
    structures: tuple[Structure, ...]
    image: PhantomImage | None = None
    plan: PhantomPlan | None = None
    doses: tuple[PhantomDose, ...] = ()
    patient_name: str = "DEMO^PHANTOM"
    patient_id: str = "DEMO-0000"
    contour_decimals: int | None = None
    contours_reversed: bool = False


def arc_plan(
    *,
    dose_gy: float,
    fractions: int | None,
    roi_number: int | None = None,
    label: str = "PHANTOM",
    n_arcs: int = 2,
    isocentre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    approval_status: str = "UNAPPROVED",
) -> PhantomPlan:
    """Return a plan of equally weighted photon arcs in one fraction group, prescribed to one target.

    `roi_number` None prescribes to a site, so that no structure is named.
    """
    beams = tuple(
        Beam(
            number=n,
            name=f"Arc{n}",
            beam_type="DYNAMIC",
            radiation_type="PHOTON",
            nominal_energies=(6.0,),
            machine="DEMO_LINAC",
            delivery_type="TREATMENT",
        )
        for n in range(1, n_arcs + 1)
    )
    per_fraction_gy = dose_gy / fractions / n_arcs if fractions else None
    group = FractionGroup(
        number=1,
        fractions_planned=fractions,
        beam_numbers=tuple(b.number for b in beams),
        beam_doses_gy=() if per_fraction_gy is None else tuple((b.number, per_fraction_gy) for b in beams),
    )
    target = Prescription(dose_gy=dose_gy, roi_number=roi_number, origin="phantom", description="target")
    return PhantomPlan(
        label=label,
        prescriptions=(target,),
        fraction_groups=(group,),
        beams=beams,
        isocentre_mm=isocentre_mm,
        approval_status=approval_status,
    )


def _fitting(values: Any, grid: Grid, *, dtype: Any) -> NDArray[Any]:  # noqa: ANN401 -- any array-like
    array = frozen_array(values, dtype=dtype)
    if array.shape != grid.shape_zyx:
        raise GeometryError(f"values {array.shape} do not fit the grid {grid.shape_zyx}.")
    return array
