"""DICOM SEG objects written element by element, from the standard's tables alone."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

BINARY_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP_CLASS = "1.2.840.10008.5.1.4.1.1.66.7"


def item(**elements):
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def decimals(values):
    return [f"{v:.10g}" for v in values]


def frame_item(grid, k, segment=None):
    position = grid.origin_mm + grid.offsets_mm[k] * grid.normal
    made = item(PlanePositionSequence=[item(ImagePositionPatient=decimals(position))])
    if segment is not None:
        made.SegmentIdentificationSequence = Sequence([item(ReferencedSegmentNumber=segment)])
    return made


def segment_item(number, label):
    code = item(CodeValue="91772007", CodingSchemeDesignator="SCT", CodeMeaning="Bone structure")
    return item(
        SegmentNumber=number,
        SegmentLabel=label,
        SegmentAlgorithmType="MANUAL",
        SegmentedPropertyTypeCodeSequence=[code],
    )


def seg_object(grid, segments, *, labelmap=False, order=None, frame_uid="1.2.3", shared_measures=True):
    """Make a SEG of {number: (label, mask [k, j, i])}; empty frames are left out, `order` shuffles the others."""
    planes = range(grid.shape_zyx[0])
    if labelmap:
        volume = sum(np.where(mask, number, 0) for number, (_, mask) in segments.items())
        frames = [(k, None, volume[k]) for k in planes if volume[k].any()]
    else:
        frames = [(k, n, mask[k]) for n, (_, mask) in segments.items() for k in planes if mask[k].any()]
    if order is not None:
        frames = [frames[n] for n in order.permutation(len(frames))]
    data = item(
        SOPClassUID=LABELMAP_CLASS if labelmap else BINARY_CLASS,
        SOPInstanceUID=generate_uid(),
        Modality="SEG",
        SegmentationType="LABELMAP" if labelmap else "BINARY",
        FrameOfReferenceUID=frame_uid,
        NumberOfFrames=len(frames),
        Rows=grid.n_rows,
        Columns=grid.n_columns,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        PixelRepresentation=0,
        SegmentSequence=[segment_item(n, label) for n, (label, _) in segments.items()],
    )
    measures = item(
        PixelSpacing=decimals(grid.spacing_mm[::-1]),
        SpacingBetweenSlices=f"{grid.plane_spacing_mm:.10g}",
        SliceThickness=f"{grid.plane_spacing_mm:.10g}",
    )
    orientation = item(ImageOrientationPatient=decimals(grid.axes[:2].ravel()))
    shared = item(PlaneOrientationSequence=[orientation])
    items = [frame_item(grid, k, n) for k, n, _ in frames]
    if shared_measures:
        shared.PixelMeasuresSequence = Sequence([measures])
    else:
        for one in items:
            one.PixelMeasuresSequence = Sequence([measures])
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = Sequence(items)
    bits = 8 if labelmap else 1
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    stacked = np.array([frame for _, _, frame in frames])
    stored = stacked.astype(np.uint8).tobytes() if labelmap else np.packbits(stacked, bitorder="little").tobytes()
    data.PixelData = stored + b"\0" * (len(stored) % 2)
    data["PixelData"].VR = "OB"
    return data


def save(data, path):
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True)
    return path
