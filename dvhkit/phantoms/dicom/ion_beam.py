"""A proton field as an item of IonBeamSequence (PS3.3 C.8.8.25)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from dvhkit.model.plan import Beam
from dvhkit.phantoms.dicom.modules import ds_list, ds_text, items
from dvhkit.phantoms.solids import Vector

_SOURCE_MM = [2000.0, 2000.0]
_ENERGIES_MEV = (150.0, 130.0)
# Two spots a layer, 5 mm to either side of the axis: what a reader checks is that they are there.
_SPOTS_MM = [-5.0, 0.0, 5.0, 0.0]
_SPOT_SIZE_MM = [6.0, 6.0]


def ion_beam_item(beam: Beam, index: int, isocentre_mm: Vector) -> Dataset:
    """Return a modulated proton field of two energy layers; fields are a right angle apart."""
    item = Dataset()
    item.TreatmentMachineName, item.PrimaryDosimeterUnit = beam.machine, "MU"
    item.BeamNumber, item.BeamName = str(beam.number), beam.name
    item.BeamType, item.RadiationType, item.ScanMode = "STATIC", "PROTON", "MODULATED"
    item.TreatmentDeliveryType = beam.delivery_type or "TREATMENT"
    item.VirtualSourceAxisDistances = [float(v) for v in _SOURCE_MM]
    item.NumberOfWedges = item.NumberOfCompensators = item.NumberOfBoli = item.NumberOfBlocks = "0"
    item.NumberOfRangeShifters = item.NumberOfLateralSpreadingDevices = item.NumberOfRangeModulators = "0"
    item.PatientSupportType = "TABLE"
    item.FinalCumulativeMetersetWeight = "1"
    # Each layer is a pair of control points (PS3.3 C.8.8.25.7).
    layers = [
        _control_point(n, energy, weight)
        for n, (energy, weight) in enumerate(
            (energy, (layer + end) / len(_ENERGIES_MEV)) for layer, energy in enumerate(_ENERGIES_MEV) for end in (0, 1)
        )
    ]
    _add_geometry(layers[0], 270.0 + 90.0 * index, isocentre_mm)
    item.NumberOfControlPoints = str(len(layers))
    item.IonControlPointSequence = items(layers)
    item.ReferencedPatientSetupNumber = "1"
    return item


def _control_point(n: int, energy_mev: float, weight: float) -> Dataset:
    item = Dataset()
    item.ControlPointIndex = str(n)
    item.CumulativeMetersetWeight = ds_text(weight)
    item.NominalBeamEnergy = ds_text(energy_mev)
    item.ScanSpotTuneID = "1"
    item.NumberOfScanSpotPositions = len(_SPOTS_MM) // 2
    item.ScanSpotPositionMap = list(_SPOTS_MM)
    # Spots are paid for at the first point of a pair; the second closes it with zero weights.
    item.ScanSpotMetersetWeights = [0.25, 0.25] if n % 2 == 0 else [0.0, 0.0]
    item.ScanningSpotSize = list(_SPOT_SIZE_MM)
    item.NumberOfPaintings = 1
    return item


def _add_geometry(item: Dataset, gantry_deg: float, isocentre_mm: Vector) -> None:
    item.GantryAngle, item.GantryRotationDirection = ds_text(gantry_deg % 360.0), "NONE"
    item.BeamLimitingDeviceAngle, item.BeamLimitingDeviceRotationDirection = "0", "NONE"
    item.PatientSupportAngle, item.PatientSupportRotationDirection = "0", "NONE"
    item.TableTopPitchAngle, item.TableTopPitchRotationDirection = 0.0, "NONE"
    item.TableTopRollAngle, item.TableTopRollRotationDirection = 0.0, "NONE"
    item.TableTopVerticalPosition = item.TableTopLongitudinalPosition = item.TableTopLateralPosition = None
    item.IsocenterPosition = ds_list(np.asarray(isocentre_mm), decimals=3)
