"""What general validators leave out, held against every object before it is written: numbers that must fit together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from dvhkit.errors import EngineError

# A direction is written with 10 decimals, an offset with 6.
_UNIT_TOLERANCE = 1e-6


def require_consistent(found: Dataset) -> None:
    """Raise `EngineError` where an RTSTRUCT or RTDOSE that is to be written contradicts itself."""
    checks = {"RTDOSE": _odd_dose, "RTSTRUCT": _odd_structures}.get(str(found.Modality))
    odd = list(checks(found)) if checks is not None else []
    if odd:
        raise EngineError(
            f"the object that was to be written contradicts itself: {'; '.join(odd[:3])}.",
            remedy="Nothing was written. Please report this with the case.",
        )


def _odd_dose(found: Dataset) -> Iterator[str]:
    frames, rows, columns = int(found.NumberOfFrames), int(found.Rows), int(found.Columns)
    offsets = np.array([float(v) for v in found.GridFrameOffsetVector])
    if len(offsets) != frames:
        yield f"{len(offsets)} plane offsets for {frames} planes"
    # Relative offsets (PS3.3 C.8.8.3.2): the first is 0, and they go one way.
    if offsets[0] != 0.0 or not (np.all(np.diff(offsets) > 0) or np.all(np.diff(offsets) < 0)):
        yield "plane offsets that do not begin at 0 or do not go one way"
    if not float(found.DoseGridScaling) > 0:
        yield f"a DoseGridScaling of {found.DoseGridScaling}"
    if not all(float(v) > 0 for v in found.PixelSpacing):
        yield "a PixelSpacing that is not positive"
    size = rows * columns * frames * int(found.BitsAllocated) // 8
    if len(found.PixelData) not in (size, size + size % 2):
        yield f"{len(found.PixelData)} bytes of pixels where {size} are stated"
    along, down = np.array([float(v) for v in found.ImageOrientationPatient]).reshape(2, 3)
    if abs(along @ down) > _UNIT_TOLERANCE or max(abs(v @ v - 1.0) for v in (along, down)) > _UNIT_TOLERANCE:
        yield "an ImageOrientationPatient that is not orthonormal"
    for item in found.get("DVHSequence", []):
        if len(item.DVHData) != 2 * int(item.DVHNumberOfBins):
            yield f"{len(item.DVHData)} DVH values for {item.DVHNumberOfBins} bins"
        if item.DoseType != found.DoseType:
            yield f"a DVH of {item.DoseType} dose in one of {found.DoseType} dose"


def _odd_structures(found: Dataset) -> Iterator[str]:
    numbers = [int(item.ROINumber) for item in found.StructureSetROISequence]
    if len(set(numbers)) != len(numbers):
        yield "one ROINumber twice"
    for name in ("ROIContourSequence", "RTROIObservationsSequence"):
        strange = [int(item.ReferencedROINumber) for item in found.get(name, [])]
        if set(strange) - set(numbers):
            yield f"{name} refers to ROI numbers that the set does not have"
