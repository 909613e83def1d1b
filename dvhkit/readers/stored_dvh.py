"""DVHs that the planning system stored in its RTDOSE: a cross-check, never an input."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvhkit.errors import DicomReadError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import StoredDvh
from dvhkit.readers.files.elements import (
    DataSet,
    integer,
    items,
    number,
    parse_numbers,
    raw_bytes,
    text,
    where,
)
from dvhkit.readers.wording import counted, listed

# A stored mean that is further than this from the mean of its own curve is in some other unit.
_MEAN_RTOL = 0.1


def read_stored_dvhs(data: DataSet, path: Path) -> tuple[tuple[StoredDvh, ...], list[Finding]]:
    """Return the DVHs of DVHSequence (3004,0050) in Gy and cc, and findings on those that cannot be used.

    A stored DVH is never needed, so a broken one is a finding and not an error.
    """
    found: list[StoredDvh] = []
    unused: list[str] = []
    miscounted: list[int] = []
    for index, item in enumerate(items(data, "DVHSequence", path=path), start=1):
        try:
            found.append(_read_one(item, path))
            if _miscounted(item, path):
                miscounted.append(found[-1].roi_number)
        except DicomReadError as error:
            unused.append(f"item {index}: {error.message}")
    findings = []
    if unused:
        message = f"No comparison with {counted(len(unused), 'stored DVH')}: {'; '.join(unused[:3])}"
        findings.append(Finding(level=Level.INFO, code="stored-dvh-unusable", message=message, where=path.name))
    if miscounted:
        message = (
            f"DVHNumberOfBins of the stored DVHs of ROI {listed(miscounted)} is not the number of pairs in DVHData; "
            "all pairs are read."
        )
        findings.append(Finding(level=Level.INFO, code="stored-dvh-bins", message=message, where=path.name))
    odd = [dvh.roi_number for dvh in found if not _mean_agrees(dvh)]
    if odd:
        message = (
            f"The stored mean doses of ROI {', '.join(map(str, odd))} do not agree with their own curves: they may be "
            "in percent although the units say Gy. The curves are used, the stored minimum, mean and maximum are not."
        )
        findings.append(Finding(level=Level.INFO, code="stored-dvh-statistics", message=message, where=path.name))
    return tuple(found), findings


def _read_one(item: DataSet, path: Path) -> StoredDvh:
    roi_number, excluded = _rois(item, path)
    if text(item, "DoseUnits").upper() != "GY":
        raise DicomReadError(f"DoseUnits is {text(item, 'DoseUnits') or 'missing'}.")
    kind, volume_units = text(item, "DVHType").upper(), text(item, "DVHVolumeUnits").upper()
    if kind not in ("CUMULATIVE", "DIFFERENTIAL") or volume_units not in ("CM3", "PERCENT"):
        raise DicomReadError(f"DVHType is {kind or 'missing'} in {volume_units or 'no units'}.")
    widths, volumes = _bins(item, path)
    dose_gy, volume = _cumulative(widths, volumes, differential=kind == "DIFFERENTIAL")
    top = float(volume[0])
    if not top > 0:
        raise DicomReadError("the curve holds no volume.")
    return StoredDvh(
        roi_number=roi_number,
        excluded_numbers=excluded,
        dose_gy=dose_gy,
        volume_cc=volume if volume_units == "CM3" else None,
        volume_pct=volume * (100.0 / top),
        min_gy=number(item, "DVHMinimumDose", path=path),
        mean_gy=number(item, "DVHMeanDose", path=path),
        max_gy=number(item, "DVHMaximumDose", path=path),
    )


def _rois(item: DataSet, path: Path) -> tuple[int, tuple[int, ...]]:
    """Return the one ROI that a DVH includes, and those that it excludes (DVHROIContributionType, PS3.3 C.8.8.4)."""
    rois = items(item, "DVHReferencedROISequence", path=path)
    numbers: dict[str, list[int]] = {"INCLUDED": [], "EXCLUDED": []}
    for roi in rois:
        kind = text(roi, "DVHROIContributionType").upper() or "INCLUDED"
        roi_number = integer(roi, "ReferencedROINumber", path=path)
        if roi_number is None:
            raise DicomReadError("ReferencedROINumber is missing.")
        if kind not in numbers:
            raise DicomReadError(f"DVHROIContributionType is {kind}.")
        numbers[kind].append(roi_number)
    if len(numbers["INCLUDED"]) != 1:
        raise DicomReadError(f"it joins {len(rois)} ROIs, {len(numbers['INCLUDED'])} of them included.")
    return numbers["INCLUDED"][0], tuple(numbers["EXCLUDED"])


def _bins(item: DataSet, path: Path) -> tuple[FloatArray, FloatArray]:
    """Return bin widths in Gy and volumes. DVHDoseScaling scales the widths only (PS3.3 C.8.8.4)."""
    scaling = number(item, "DVHDoseScaling", path=path)
    scaling = 1.0 if scaling is None else scaling
    stored = parse_numbers(raw_bytes(item, "DVHData"), place=where("DVHData"), path=path)
    if stored.size < 2 or stored.size % 2:
        raise DicomReadError(f"DVHData has {stored.size} values, which make no pairs of width and volume.")
    widths, volumes = stored[0::2] * scaling, stored[1::2]
    if not np.all(np.isfinite(stored)) or np.any(widths < 0) or not scaling > 0:
        raise DicomReadError("DVHData holds values that are no bins.")
    # Writers sum up floats: the tail may end a rounding error below nothing.
    return widths, np.maximum(volumes, 0.0)


def _miscounted(item: DataSet, path: Path) -> bool:
    declared = integer(item, "DVHNumberOfBins", path=path)
    stored = parse_numbers(raw_bytes(item, "DVHData"), place=where("DVHData"), path=path)
    return declared is not None and stored.size != 2 * declared


def _cumulative(widths: FloatArray, volumes: FloatArray, *, differential: bool) -> tuple[FloatArray, FloatArray]:
    """Return doses and the volume that receives at least each.

    The first number of a pair is the width of its bin; the bin starts where the widths before it end, and a
    cumulative volume belongs to that start.
    """
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    if not differential:
        return edges[:-1], volumes
    beyond = np.concatenate([np.cumsum(volumes[::-1])[::-1], [0.0]])
    return edges, beyond


def _mean_agrees(dvh: StoredDvh) -> bool:
    if dvh.mean_gy is None:
        return True
    # Area under the cumulative curve, the volume of a bin counted at its middle.
    fraction = dvh.volume_pct / 100.0
    mean_gy = float(np.sum(np.diff(dvh.dose_gy) * (fraction[:-1] + fraction[1:]) / 2))
    coarse = float(np.diff(dvh.dose_gy).max(initial=0.0))
    return abs(dvh.mean_gy - mean_gy) <= max(_MEAN_RTOL * abs(mean_gy), coarse)
