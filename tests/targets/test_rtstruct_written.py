"""Written structure sets: valid to dciodvfy, the same to other readers, and never at the source's cost."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from dvhkit.engine.combine import combine
from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import profile
from dvhkit.errors import EngineError, InputError, OutputError
from dvhkit.model.structure import Structure
from dvhkit.outputs.dicom.consistent import require_consistent
from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomImage, PhantomSet, axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Box, sphere
from dvhkit.readers.case import read_case
from dvhkit.targets.derive.margin import grow

GRID = axial_grid(shape_zyx=(24, 60, 70), spacing_xyz_mm=(1.0, 1.25, 2.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    heights = GRID.origin_mm[2] + GRID.offsets_mm
    gtv = structure("GTV", 3, sphere((2, -1, 0.5), 10), heights, rt_roi_type="GTV")
    cord = structure("SpinalCord", 7, Box(centre_mm=(20, 10, 0), size_mm=(8, 8, 40)), heights)
    target = tmp_path_factory.mktemp("set")
    write_set(target, PhantomSet(label="margins", structures=(gtv, cord), image=PhantomImage(grid=GRID)))
    return target


@pytest.fixture(scope="module")
def case(folder):
    return read_case(folder)


@pytest.fixture(scope="module")
def rois(case):
    ptv = replace(grow(case.structures["GTV"], 5.0, image=case.image).structure, name="PTV", rt_roi_type="PTV")
    shell = combine("-", ptv, case.structures["GTV"], name="Shell")
    return [NewRoi(structure=ptv, how="GTV + 5mm"), NewRoi(structure=shell, how="PTV - GTV")]


def volume_cc(drawn):
    # Prism, so that the comparison is of contours and not of how slices are bridged.
    return compute_dvh(drawn, None, options=profile("prism")).volume_cc


def dciodvfy_errors(path):
    tool = Path(sys.executable).with_name("dciodvfy")
    command = str(tool) if tool.exists() else shutil.which("dciodvfy")
    assert command, "dicom3tools is a declared dependency of the tests"
    run = subprocess.run([command, str(path)], capture_output=True, text=True, check=False)
    return [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("holes", ["keyhole", "xor", "nested"])
@pytest.mark.parametrize("keep_existing", [False, True], ids=["alone", "added"])
def test_what_is_written_is_valid_and_comes_back_as_it_was(case, rois, folder, tmp_path, holes, keep_existing):
    out = tmp_path / "rs.dcm"
    written = write_rtstruct(
        out, rois, source=folder / "RTSTRUCT.dcm", image=case.image, holes=holes, keep_existing=keep_existing
    )
    assert dciodvfy_errors(out) == []
    again = read_case(rtstruct=out)
    assert again.structures.names == (("GTV", "SpinalCord") if keep_existing else ()) + ("PTV", "Shell")
    for roi, name in zip(rois, written.names, strict=True):
        assert volume_cc(again.structures[name]) == pytest.approx(volume_cc(roi.structure), rel=2e-3)
    assert again.structures["PTV"].rt_roi_type == "PTV"


def test_the_object_belongs_to_the_same_patient_study_and_frame_but_is_its_own(case, rois, folder, tmp_path):
    source = pydicom.dcmread(folder / "RTSTRUCT.dcm")
    before = (folder / "RTSTRUCT.dcm").read_bytes()
    write_rtstruct(tmp_path / "a.dcm", rois, source=folder / "RTSTRUCT.dcm", image=case.image)
    write_rtstruct(tmp_path / "b.dcm", rois, source=folder / "RTSTRUCT.dcm", image=case.image, keep_existing=True)
    assert (folder / "RTSTRUCT.dcm").read_bytes() == before
    a, b = pydicom.dcmread(tmp_path / "a.dcm"), pydicom.dcmread(tmp_path / "b.dcm")
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID"):
        assert a[keyword].value == b[keyword].value == source[keyword].value
    assert len({source.SOPInstanceUID, a.SOPInstanceUID, b.SOPInstanceUID}) == 3
    assert source.SeriesInstanceUID not in (a.SeriesInstanceUID, b.SeriesInstanceUID)
    assert a.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    frame = source.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
    assert {item.ReferencedFrameOfReferenceUID for item in a.StructureSetROISequence} == {frame}
    assert "GTV + 5mm" in a.StructureSetROISequence[0].ROIDescription
    assert [int(i.ROINumber) for i in b.StructureSetROISequence] == [3, 7, 8, 9]
    assert read_case(folder, rtstruct=tmp_path / "a.dcm").image is not None


def test_every_contour_names_the_slice_that_it_lies_on(case, rois, folder, tmp_path):
    write_rtstruct(tmp_path / "rs.dcm", rois, source=folder / "RTSTRUCT.dcm", image=case.image)
    heights = dict(zip(case.image.sop_instance_uids, GRID.origin_mm[2] + case.image.grid.offsets_mm, strict=True))
    for roi in pydicom.dcmread(tmp_path / "rs.dcm").ROIContourSequence:
        for contour in roi.ContourSequence:
            uid = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
            assert heights[uid] == pytest.approx(float(contour.ContourData[2]), abs=1e-3)
            assert contour.NumberOfContourPoints == len(contour.ContourData) // 3


def test_no_number_is_longer_than_sixteen_characters(case, rois, folder, tmp_path):
    write_rtstruct(tmp_path / "rs.dcm", rois, source=folder / "RTSTRUCT.dcm", image=case.image)
    for roi in pydicom.dcmread(tmp_path / "rs.dcm").ROIContourSequence:
        for contour in roi.ContourSequence:
            texts = contour.get_item("ContourData").value.decode().strip().split("\\")
            assert max(map(len, texts)) <= 16
            assert not any("e" in text for text in texts)


def test_a_contour_too_long_for_the_explicit_syntax_is_written_in_the_implicit_one(case, folder, tmp_path):
    turn = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    ring = np.column_stack([20.12345 * np.cos(turn), 20.12345 * np.sin(turn), np.zeros(4000)])
    long = replace(case.structures["GTV"], contours=(replace(case.structures["GTV"].contours[0], points_mm=ring),))
    write_rtstruct(tmp_path / "rs.dcm", [NewRoi(structure=long)], source=folder / "RTSTRUCT.dcm")
    dataset = pydicom.dcmread(tmp_path / "rs.dcm")
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.ImplicitVRLittleEndian
    assert len(dataset.ROIContourSequence[0].ContourSequence[0].ContourData) == 12_000
    assert dciodvfy_errors(tmp_path / "rs.dcm") == []


def test_names_are_cut_to_sixteen_characters_and_kept_apart(case, rois, folder, tmp_path):
    long = [
        NewRoi(structure=replace(rois[0].structure, name=name))
        for name in ("A name that is too long", "A name that is too wide", "GTV")
    ]
    written = write_rtstruct(
        tmp_path / "rs.dcm", long, source=folder / "RTSTRUCT.dcm", image=case.image, keep_existing=True
    )
    assert written.names == ("A name that is t", "A name that is~2", "GTV~2")
    assert {f.code for f in written.findings} == {"name-cut", "name-taken"}
    assert read_case(rtstruct=written.path).structures.names[-3:] == written.names


def test_names_out_of_other_alphabets_survive(rois, folder, tmp_path):
    greek = NewRoi(structure=replace(rois[0].structure, name="ΠΤΟ äß"))
    write_rtstruct(tmp_path / "rs.dcm", [greek], source=folder / "RTSTRUCT.dcm")
    assert read_case(rtstruct=tmp_path / "rs.dcm").structures.names == ("ΠΤΟ äß",)


def test_the_source_is_never_overwritten_and_must_be_a_structure_set(rois, folder, tmp_path):
    with pytest.raises(OutputError, match="never overwritten"):
        write_rtstruct(folder / "RTSTRUCT.dcm", rois, source=folder / "RTSTRUCT.dcm")
    with pytest.raises(InputError, match="no RTSTRUCT"):
        write_rtstruct(tmp_path / "rs.dcm", rois, source=folder / "CT_001.dcm")
    with pytest.raises(InputError, match="no structure to write"):
        write_rtstruct(tmp_path / "rs.dcm", [], source=folder / "RTSTRUCT.dcm")


def test_an_empty_structure_is_written_without_contours_and_with_a_finding(folder, tmp_path):
    nothing = NewRoi(structure=Structure(number=-1, name="Nothing", contours=()))
    written = write_rtstruct(tmp_path / "rs.dcm", [nothing], source=folder / "RTSTRUCT.dcm")
    assert [f.code for f in written.findings] == ["derived-empty"]
    assert dciodvfy_errors(written.path) == []


def test_a_mask_of_the_written_set_by_simpleitk_polygons_agrees(case, rois, folder, tmp_path):
    """An independent rasterisation: each voxel centre held against the contours read back by pydicom alone."""
    write_rtstruct(tmp_path / "rs.dcm", rois[:1], source=folder / "RTSTRUCT.dcm", image=case.image)
    contours = pydicom.dcmread(tmp_path / "rs.dcm").ROIContourSequence[0].ContourSequence
    mask = np.zeros(GRID.shape_zyx, np.uint8)
    x = GRID.origin_mm[0] + np.arange(GRID.n_columns) * GRID.spacing_mm[0]
    y = GRID.origin_mm[1] + np.arange(GRID.n_rows) * GRID.spacing_mm[1]
    for contour in contours:
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        k = int(np.abs(GRID.origin_mm[2] + GRID.offsets_mm - points[0, 2]).argmin())
        mask[k] ^= _even_odd(points[:, :2], x, y)
    image = SimpleITK.GetImageFromArray(mask)
    image.SetSpacing((*GRID.spacing_mm.tolist(), 2.0))
    shape = SimpleITK.LabelShapeStatisticsImageFilter()
    shape.Execute(image)
    # Counting voxel centres of 1 x 1.25 mm pixels scatters by well under a percent at 17,000 of them.
    assert shape.GetPhysicalSize(1) / 1000 == pytest.approx(volume_cc(rois[0].structure), rel=0.01)


def _even_odd(ring, x, y):
    inside = np.zeros((len(y), len(x)), bool)
    for (xa, ya), (xb, yb) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        crosses = (ya > y) != (yb > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = xa + (y - ya) * (xb - xa) / (yb - ya)
        inside ^= crosses[:, None] & (x[None, :] < at[:, None])
    return inside


@pytest.mark.filterwarnings("ignore")
def test_rt_utils_reads_what_is_written(case, rois, folder, tmp_path):
    from rt_utils import RTStructBuilder

    write_rtstruct(tmp_path / "rs.dcm", rois[:1], source=folder / "RTSTRUCT.dcm", image=case.image)
    series = tmp_path / "series"
    series.mkdir()
    for path in folder.glob("CT_*.dcm"):
        shutil.copy(path, series)
    found = RTStructBuilder.create_from(dicom_series_path=str(series), rt_struct_path=str(tmp_path / "rs.dcm"))
    assert found.get_roi_names() == ["PTV"]
    mask = found.get_roi_mask_by_name("PTV")
    # rt-utils rounds contour points to whole pixels and counts the rim in: half a pixel on every side at most.
    grown_by = (mask.sum() * 1.0 * 1.25 * 2.0 / 1000 / volume_cc(rois[0].structure)) ** (1 / 3) * 15 - 15
    assert -0.2 < grown_by < 0.7


def test_a_source_that_names_no_image_series_is_completed(case, rois, folder, tmp_path):
    bare = pydicom.dcmread(next(folder.glob("*RS*.dcm"), None) or case.structures.path)
    del bare.ReferencedFrameOfReferenceSequence
    bare.save_as(tmp_path / "bare.dcm")
    for keep in (False, True):
        out = tmp_path / f"made_{keep}.dcm"
        write_rtstruct(out, rois, source=tmp_path / "bare.dcm", image=case.image, keep_existing=keep)
        frame = pydicom.dcmread(out).ReferencedFrameOfReferenceSequence[0]
        assert frame.FrameOfReferenceUID == case.image.frame_of_reference_uid
        series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
        assert series.SeriesInstanceUID == case.image.series_instance_uid
        named = [item.ReferencedSOPInstanceUID for item in series.ContourImageSequence]
        assert named == list(case.image.sop_instance_uids)
        assert dciodvfy_errors(out) == []


def test_holes_that_common_readers_lose_are_told(case, rois, folder, tmp_path):
    for holes in ("xor", "keyhole", "nested"):
        written = write_rtstruct(tmp_path / f"{holes}.dcm", rois, source=folder / "RTSTRUCT.dcm", holes=holes)
        told = [f.where for f in written.findings if f.code == "holes-xor"]
        assert told == (["Shell"] if holes == "xor" else [])


def test_contours_refer_to_listed_images_alone_and_items_hold_their_type_2_attributes(case, rois, folder, tmp_path):
    partial = pydicom.dcmread(folder / "RTSTRUCT.dcm")
    (frame,) = partial.ReferencedFrameOfReferenceSequence
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    series.ContourImageSequence = series.ContourImageSequence[:2]
    for item in partial.StructureSetROISequence:
        del item.ROIGenerationAlgorithm
    del partial.RTROIObservationsSequence[0].ROIInterpreter
    partial.save_as(tmp_path / "partial.dcm")
    for image in (case.image, None):
        out = tmp_path / "made.dcm"
        write_rtstruct(out, rois, source=tmp_path / "partial.dcm", image=image, keep_existing=True)
        made = pydicom.dcmread(out)
        series = made.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
        listed = {item.ReferencedSOPInstanceUID for item in series.ContourImageSequence}
        drawn = [c for roi in made.ROIContourSequence for c in roi.ContourSequence]
        assert {i.ReferencedSOPInstanceUID for c in drawn for i in c.get("ContourImageSequence", [])} <= listed
        assert all("ROIGenerationAlgorithm" in item for item in made.StructureSetROISequence)
        assert all("ROIInterpreter" in item for item in made.RTROIObservationsSequence)
        assert "PositionReferenceIndicator" in made
        assert "FrameOfReferenceUID" in made


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("GridFrameOffsetVector", [0, 3, 2], "one way"),
        ("GridFrameOffsetVector", [5, 6, 7], "begin at 0"),
        ("GridFrameOffsetVector", [0, 1], "2 plane offsets for 3"),
        ("DoseGridScaling", "-0.1", "DoseGridScaling"),
        ("PixelSpacing", [1, -1], "PixelSpacing"),
        ("PixelData", bytes(10), "10 bytes of pixels where 24"),
        ("ImageOrientationPatient", [1, 0, 0, 0.1, 1, 0], "orthonormal"),
    ],
)
def test_a_dose_that_contradicts_itself_is_not_written(keyword, value, words):
    made = pydicom.Dataset()
    made.Modality, made.NumberOfFrames, made.Rows, made.Columns, made.BitsAllocated = "RTDOSE", 3, 2, 2, 16
    made.GridFrameOffsetVector, made.DoseGridScaling, made.PixelSpacing = [0, 1, 2], "0.01", [1, 2]
    made.ImageOrientationPatient, made.PixelData = [1, 0, 0, 0, 1, 0], bytes(24)
    require_consistent(made)
    setattr(made, keyword, value)
    with pytest.raises(EngineError, match=words):
        require_consistent(made)
