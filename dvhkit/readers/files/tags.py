"""The elements that the readers look at: tag and value representation by keyword (PS3.6).

A table of their own spares the ordinary file pydicom's whole dictionary, whose import takes longer than reading a case.
"""

from __future__ import annotations

# PixelData is OB or OW.
_TABLE = """
00080005 CS SpecificCharacterSet
00080008 CS ImageType
00080016 UI SOPClassUID
00080018 UI SOPInstanceUID
00080060 CS Modality
00080070 LO Manufacturer
00080104 LO CodeMeaning
0008103E LO SeriesDescription
00081090 LO ManufacturerModelName
00081115 SQ ReferencedSeriesSequence
00081155 UI ReferencedSOPInstanceUID
00100010 PN PatientName
00100020 LO PatientID
00100030 DA PatientBirthDate
00100040 CS PatientSex
00180050 DS SliceThickness
00180088 DS SpacingBetweenSlices
00181020 LO SoftwareVersions
00181120 DS GantryDetectorTilt
00185100 CS PatientPosition
0020000D UI StudyInstanceUID
0020000E UI SeriesInstanceUID
00200012 IS AcquisitionNumber
00200032 DS ImagePositionPatient
00200037 DS ImageOrientationPatient
00200052 UI FrameOfReferenceUID
00209113 SQ PlanePositionSequence
00209116 SQ PlaneOrientationSequence
00280002 US SamplesPerPixel
00280004 CS PhotometricInterpretation
00280008 IS NumberOfFrames
00280010 US Rows
00280011 US Columns
00280030 DS PixelSpacing
00280100 US BitsAllocated
00280101 US BitsStored
00280102 US HighBit
00280103 US PixelRepresentation
00281052 DS RescaleIntercept
00281053 DS RescaleSlope
00289110 SQ PixelMeasuresSequence
00289145 SQ PixelValueTransformationSequence
00620001 CS SegmentationType
00620002 SQ SegmentSequence
00620004 US SegmentNumber
00620005 LO SegmentLabel
0062000A SQ SegmentIdentificationSequence
0062000B US ReferencedSegmentNumber
0062000F SQ SegmentedPropertyTypeCodeSequence
00700308 SQ RegistrationSequence
00700309 SQ MatrixRegistrationSequence
0070030A SQ MatrixSequence
0070030C CS FrameOfReferenceTransformationMatrixType
30040001 CS DVHType
30040002 CS DoseUnits
30040004 CS DoseType
30040006 LO DoseComment
3004000A CS DoseSummationType
3004000C DS GridFrameOffsetVector
3004000E DS DoseGridScaling
30040050 SQ DVHSequence
30040052 DS DVHDoseScaling
30040054 CS DVHVolumeUnits
30040056 IS DVHNumberOfBins
30040058 DS DVHData
30040060 SQ DVHReferencedROISequence
30040062 CS DVHROIContributionType
30040070 DS DVHMinimumDose
30040072 DS DVHMaximumDose
30040074 DS DVHMeanDose
30060002 SH StructureSetLabel
30060010 SQ ReferencedFrameOfReferenceSequence
30060012 SQ RTReferencedStudySequence
30060014 SQ RTReferencedSeriesSequence
30060016 SQ ContourImageSequence
30060020 SQ StructureSetROISequence
30060022 IS ROINumber
30060024 UI ReferencedFrameOfReferenceUID
30060026 LO ROIName
3006002A IS ROIDisplayColor
30060039 SQ ROIContourSequence
30060040 SQ ContourSequence
30060042 CS ContourGeometricType
30060044 DS ContourSlabThickness
30060045 DS ContourOffsetVector
30060046 IS NumberOfContourPoints
30060050 DS ContourData
30060080 SQ RTROIObservationsSequence
30060084 IS ReferencedROINumber
300600A4 CS RTROIInterpretedType
300600C6 DS FrameOfReferenceTransformationMatrix
300A0002 SH RTPlanLabel
300A0010 SQ DoseReferenceSequence
300A0012 IS DoseReferenceNumber
300A0014 CS DoseReferenceStructureType
300A0016 LO DoseReferenceDescription
300A0020 CS DoseReferenceType
300A0026 DS TargetPrescriptionDose
300A0070 SQ FractionGroupSequence
300A0071 IS FractionGroupNumber
300A0078 IS NumberOfFractionsPlanned
300A0084 DS BeamDose
300A00B0 SQ BeamSequence
300A00B2 SH TreatmentMachineName
300A00B8 CS RTBeamLimitingDeviceType
300A00C0 IS BeamNumber
300A00C2 LO BeamName
300A00C4 CS BeamType
300A00C6 CS RadiationType
300A00CE CS TreatmentDeliveryType
300A0111 SQ ControlPointSequence
300A0114 DS NominalBeamEnergy
300A011A SQ BeamLimitingDevicePositionSequence
300A011C DS LeafJawPositions
300A011F CS GantryRotationDirection
300A012C DS IsocenterPosition
300A0200 CS BrachyTreatmentTechnique
300A0202 CS BrachyTreatmentType
300A0230 SQ ApplicationSetupSequence
300A0308 CS ScanMode
300A03A2 SQ IonBeamSequence
300A03A8 SQ IonControlPointSequence
300C0002 SQ ReferencedRTPlanSequence
300C0004 SQ ReferencedBeamSequence
300C0006 IS ReferencedBeamNumber
300C0020 SQ ReferencedFractionGroupSequence
300C0022 IS ReferencedFractionGroupNumber
300C0050 SQ ReferencedDoseReferenceSequence
300C0051 IS ReferencedDoseReferenceNumber
300C0060 SQ ReferencedStructureSetSequence
300C0080 SQ ReferencedDoseSequence
300E0002 CS ApprovalStatus
300E0004 DA ReviewDate
52009229 SQ SharedFunctionalGroupsSequence
52009230 SQ PerFrameFunctionalGroupsSequence
7FE00010 OB PixelData
"""


def _parsed() -> dict[str, tuple[int, str]]:
    rows = (line.split() for line in _TABLE.strip().splitlines())
    return {keyword: (int(tag, 16), vr) for tag, vr, keyword in rows}


ELEMENTS = _parsed()


def tag_of(keyword: str) -> int:
    """Return the tag of a DICOM keyword."""
    known = ELEMENTS.get(keyword)
    return known[0] if known is not None else _in_dictionary(keyword)[0]


def vr_of(keyword: str) -> str:
    """Return the value representation that the standard gives an element; the first where it allows several."""
    known = ELEMENTS.get(keyword)
    return known[1] if known is not None else _in_dictionary(keyword)[1]


def _in_dictionary(keyword: str) -> tuple[int, str]:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return ELEMENTS.setdefault(keyword, (tag, dictionary_VR(tag)[:2]))
