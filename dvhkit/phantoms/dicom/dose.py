"""A phantom's dose as RTDOSE (PS3.3 A.18)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import RTDoseStorage, RTStructureSetStorage

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import DoseType
from dvhkit.phantoms.dicom.modules import (
    DATE,
    TIME,
    add_frame_of_reference,
    add_image_plane,
    add_series,
    ds_list,
    ds_text,
    items,
    new_object,
    reference,
)
from dvhkit.phantoms.dicom.plan import plan_sop_class
from dvhkit.phantoms.dicom.uids import SetUids
from dvhkit.phantoms.sets.phantom_set import AXIAL_AXES, OffsetForm, PhantomDose, PhantomSet


def build_dose(phantom: PhantomSet, uids: SetUids, n: int) -> Dataset:
    """Return the RTDOSE of the n-th dose of a phantom."""
    dose = phantom.doses[n]
    ds = new_object(phantom, uids, sop_class=RTDoseStorage, sop_instance=uids.dose(n))
    add_series(ds, modality="RTDOSE", series_uid=uids.dose_series(n), number=4 + n, description="dose")
    add_frame_of_reference(ds, uids)
    ds.InstanceNumber, ds.ContentDate, ds.ContentTime = str(n + 1), DATE, TIME
    _add_geometry(ds, dose)
    _add_values(ds, dose)
    ds.DoseUnits = "RELATIVE" if dose.relative else "GY"
    ds.DoseType, ds.DoseSummationType = dose.dose_type.value, dose.summation_type
    ds.TissueHeterogeneityCorrection = "IMAGE"
    _add_references(ds, phantom, uids, dose)
    return ds


def _add_geometry(ds: Dataset, dose: PhantomDose) -> None:
    offsets = dose.grid.offsets_mm[::-1] if dose.frames_descending else dose.grid.offsets_mm
    first = len(offsets) - 1 if dose.frames_descending else 0
    add_image_plane(ds, dose.grid, plane=first)
    ds.SliceThickness = ds_text(dose.grid.plane_spacing_mm) if len(offsets) > 1 else ""
    ds.NumberOfFrames = str(len(offsets))
    ds.FrameIncrementPointer = Tag("GridFrameOffsetVector")
    ds.GridFrameOffsetVector = ds_list(_offsets(dose, offsets), decimals=6)


def _offsets(dose: PhantomDose, offsets: FloatArray) -> FloatArray:
    if dose.offset_form is OffsetForm.RELATIVE:
        return np.asarray(offsets - offsets[0])
    if not np.allclose(dose.grid.axes, AXIAL_AXES):
        raise GeometryError("absolute frame offsets are only defined for rows along +x and columns along +y.")
    return np.asarray(offsets + dose.grid.origin_mm[2])


def _add_values(ds: Dataset, dose: PhantomDose) -> None:
    stored, quantum = quantise(dose)
    if dose.frames_descending:
        stored = stored[::-1]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = dose.bits
    ds.HighBit = dose.bits - 1
    ds.PixelRepresentation = 1 if dose.dose_type is DoseType.ERROR else 0
    ds.DoseGridScaling = quantum
    ds.PixelData = np.ascontiguousarray(stored).tobytes()
    ds["PixelData"].VR = "OW"


def quantise(dose: PhantomDose) -> tuple[NDArray[Any], str]:
    """Return stored values and DoseGridScaling as its decimal string.

    The scaling is rounded to text first and the values to whole numbers of that, so a reader gets the dose back to
    half a quantum.
    """
    signed = dose.dose_type is DoseType.ERROR
    limit = 2 ** (dose.bits - signed) - 1
    greatest = float(np.max(np.abs(dose.values_gy), initial=0.0))
    wanted = dose.quantum_gy if dose.quantum_gy is not None else (greatest / limit or 1.0)
    text = ds_text(wanted)
    if not signed and float(np.min(dose.values_gy, initial=0.0)) < 0:
        raise GeometryError("only a dose of type ERROR may be negative.")
    counts = np.rint(dose.values_gy / float(text))
    if np.max(np.abs(counts), initial=0.0) > limit + 1:
        raise GeometryError(f"{greatest:.4g} Gy does not fit {dose.bits} bit in steps of {text} Gy.")
    kind = ("<i" if signed else "<u") + str(dose.bits // 8)
    return np.clip(counts, -limit if signed else 0, limit).astype(kind), text


def _add_references(ds: Dataset, phantom: PhantomSet, uids: SetUids, dose: PhantomDose) -> None:
    if phantom.plan is not None:
        plan = reference(plan_sop_class(phantom.plan), uids.plan)
        if dose.summation_type in ("BEAM", "FRACTION") and phantom.plan.fraction_groups:
            plan.ReferencedFractionGroupSequence = items([_group_reference(phantom, dose)])
        ds.ReferencedRTPlanSequence = items([plan])
    if phantom.plan is None or dose.refers_to_structures:
        ds.ReferencedStructureSetSequence = items([reference(RTStructureSetStorage, uids.structure_set)])


def _group_reference(phantom: PhantomSet, dose: PhantomDose) -> Dataset:
    assert phantom.plan is not None
    groups = phantom.plan.fraction_groups
    group = next((g for g in groups if dose.beam_number in g.beam_numbers), groups[0])
    item = Dataset()
    if dose.beam_number is not None:
        beam = Dataset()
        beam.ReferencedBeamNumber = str(dose.beam_number)
        item.ReferencedBeamSequence = items([beam])
    item.ReferencedFractionGroupNumber = str(group.number)
    return item
