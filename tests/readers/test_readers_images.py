"""Image series: real positions count, whatever order, tilt or container the slices come in."""

from __future__ import annotations

import numpy as np
import pytest
from made_sets import CENTRE_MM, CT_CLASS, PLANES_MM, MadeSet, Uids, ct_slices, encode, structure_set
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from dvhkit.errors import DicomReadError
from dvhkit.readers.archive.index import read_entry, scan
from dvhkit.readers.archive.roles import Role
from dvhkit.readers.hounsfield import read_hu
from dvhkit.readers.image_series import build_series


@pytest.fixture
def made(tmp_path):
    return MadeSet(tmp_path)


def series(made, slices):
    for number, data in enumerate(slices):
        made.write(f"{number}", data)
    image, findings = build_series(scan(made.folder).of_role(Role.IMAGE))
    return image, {f.code: f for f in findings}


def test_plain_series_has_no_findings(made):
    image, codes = series(made, ct_slices(made.uids))
    assert not codes
    assert image.grid.spacing_mm.tolist() == [3.0, 2.5]
    assert image.grid.plane_spacing_mm == 3.0
    assert image.slice_thickness_mm == 3.0
    assert image.largest_gap_mm == 3.0


def test_missing_slice_is_a_gap(made):
    image, codes = series(made, ct_slices(made.uids, z_mm=np.delete(PLANES_MM, 4)))
    assert image.largest_gap_mm == 6.0
    assert image.grid.plane_spacing_mm == 3.0
    assert "6.00 mm" in codes["image-gap"].message


def test_uneven_spacing_is_kept_and_told(made):
    image, codes = series(made, ct_slices(made.uids, z_mm=np.array([0.0, 3.0, 6.0, 9.0, 13.0, 17.0])))
    assert np.diff(image.grid.offsets_mm).tolist() == [3, 3, 3, 4, 4]
    assert set(codes) == {"image-uneven-spacing"}


def test_real_spacing_and_stated_thickness_are_both_told(made):
    image, codes = series(made, ct_slices(made.uids, z_mm=PLANES_MM[0] + np.arange(5) * 2.0))
    assert (image.grid.plane_spacing_mm, image.slice_thickness_mm) == (2.0, 3.0)
    assert set(codes) == {"image-thickness-differs"}


def test_thickest_slice_counts(made):
    slices = ct_slices(made.uids)
    slices[3].SliceThickness = 5.0
    del slices[4].SliceThickness
    assert series(made, slices)[0].slice_thickness_mm == 5.0


def test_two_slices_on_one_plane_are_one(made):
    slices = ct_slices(made.uids)
    extra = ct_slices(Uids(tag=7))[2]
    extra.SeriesInstanceUID = made.uids.series
    image, codes = series(made, [*slices, extra])
    assert len(image.paths) == 9
    assert "image-duplicate-slices" in codes


def test_slice_that_ends_inside_its_pixels_keeps_its_place_and_is_told(made):
    for number, data in enumerate(ct_slices(made.uids)):
        path = made.write(f"{number}", data)
    path.write_bytes(path.read_bytes()[:-700])
    image, codes = series(made, [])
    assert len(image.paths) == 9
    assert "(8)" in codes["image-file-cut"].message
    with pytest.raises(DicomReadError, match="ends inside"):
        read_hu(image)


def test_single_slice_has_no_spacing(made):
    image, codes = series(made, ct_slices(made.uids)[:1])
    assert image.grid.plane_spacing_mm == 0.0
    assert set(codes) == {"image-single-slice"}


def test_tilted_gantry_gives_the_distance_along_the_normal(made):
    angle = np.deg2rad(15)
    slices = ct_slices(made.uids)
    for data in slices:
        data.ImageOrientationPatient = [1, 0, 0, 0, float(f"{np.cos(angle):.10f}"), float(f"{-np.sin(angle):.10f}")]
        data.GantryDetectorTilt = 15
    image, codes = series(made, slices)
    assert image.grid.plane_spacing_mm == pytest.approx(3.0 * np.cos(angle), abs=1e-6)
    assert "15 degrees" in codes["image-tilted"].message


@pytest.mark.parametrize("plane", ["sagittal", "oblique"])
def test_planes_need_not_be_axial(made, plane):
    row = np.array([0.0, 1.0, 0.0])
    column = np.array([0.0, 0.0, -1.0]) if plane == "sagittal" else np.array([-0.6, 0.0, -0.8])
    normal = np.cross(row, column)
    slices = ct_slices(made.uids)
    for number, data in enumerate(slices):
        data.ImageOrientationPatient = [float(v) for v in (*row, *column)]
        data.ImagePositionPatient = [float(v) for v in CENTRE_MM - 2.5 * number * normal]
    image, codes = series(made, slices)
    assert np.diff(image.grid.offsets_mm) == pytest.approx(2.5)
    assert "image-tilted" not in codes
    assert image.paths[0].name == "8"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Rows", 12),
        ("PixelSpacing", [1, 1]),
        ("ImageOrientationPatient", [0, 1, 0, 1, 0, 0]),
        ("ImagePositionPatient", None),
    ],
)
def test_slices_that_make_no_lattice_are_refused_by_tag(made, keyword, value):
    slices = ct_slices(made.uids)
    if value is None:
        delattr(slices[5], keyword)
    else:
        setattr(slices[5], keyword, value)
    with pytest.raises(DicomReadError) as caught:
        series(made, slices)
    assert caught.value.where.startswith(keyword)


def enhanced(uids):
    """An enhanced multi-frame CT: geometry in functional groups, frames in no order."""
    slices = ct_slices(uids)
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = CT_CLASS + ".1", uids.image, "CT"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = uids.study, uids.series, uids.frame
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    order = [4, 0, 8, 2, 6, 1, 3, 5, 7]
    data.NumberOfFrames = len(order)
    for keyword in (
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "SamplesPerPixel",
    ):
        setattr(data, keyword, getattr(slices[0], keyword))
    shared, orientation, measures, rescale = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = slices[0].ImageOrientationPatient
    measures.PixelSpacing, measures.SliceThickness = slices[0].PixelSpacing, 3.0
    rescale.RescaleSlope, rescale.RescaleIntercept = 2, -1000
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    shared.PixelValueTransformationSequence = Sequence([rescale])
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = Sequence([])
    for place in order:
        position, frame = Dataset(), Dataset()
        position.ImagePositionPatient = slices[place].ImagePositionPatient
        frame.PlanePositionSequence = Sequence([position])
        data.PerFrameFunctionalGroupsSequence.append(frame)
    data.PixelData = b"".join(slices[place].PixelData for place in order)
    return data


def test_enhanced_multi_frame_ct_is_the_same_lattice(made, tmp_path_factory):
    plain, _ = series(MadeSet(tmp_path_factory.mktemp("plain")), ct_slices(made.uids))
    image, codes = series(made, [enhanced(made.uids)])
    assert not codes
    for name in ("origin_mm", "axes", "spacing_mm", "offsets_mm"):
        assert getattr(image.grid, name) == pytest.approx(getattr(plain.grid, name))
    assert image.grid.shape_zyx == plain.grid.shape_zyx
    # Slice k is filled with k: frames find their planes by position.
    hu = read_hu(image)
    assert hu[:, 0, 0].tolist() == [2 * k - 1000 for k in range(9)]


def test_multi_frame_image_without_positions_is_refused(made):
    data = enhanced(made.uids)
    del data.PerFrameFunctionalGroupsSequence
    with pytest.raises(DicomReadError, match="0 of 9 frames"):
        series(made, [data])


def test_ct_numbers_are_rescaled_on_their_planes(made):
    image, _ = series(made, ct_slices(made.uids)[::-1])
    hu = read_hu(image)
    assert hu.shape == image.grid.shape_zyx
    assert hu[:, 3, 5].tolist() == [k - 1024 for k in range(9)]


def test_compressed_slices_need_no_decoder_for_their_geometry(made):
    slices = ct_slices(made.uids)
    for number, data in enumerate(slices):
        encode(data)
        data.compress(RLELossless, generate_instance_uid=False)
        data.save_as(made.folder / f"{number}", enforce_file_format=True)
    image, codes = series(MadeSet(made.folder), [])
    assert not codes
    assert read_hu(image)[:, 0, 0].tolist() == [k - 1024 for k in range(9)]


def test_compression_that_nothing_here_decodes_is_refused_by_name(made):
    slices = ct_slices(made.uids)
    for number, data in enumerate(slices):
        encode(data)
        data.compress(RLELossless, generate_instance_uid=False)
        data.save_as(made.folder / f"{number}", enforce_file_format=True)
        path = made.folder / f"{number}"
        # 1.2.840.10008.1.2.5 and 1.2.840.10008.1.2.9 (which no standard knows) are equally long.
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.5\x00", b"1.2.840.10008.1.2.9\x00"))
    image, _ = series(MadeSet(made.folder), [])
    with pytest.raises(DicomReadError, match="cannot be decoded here") as caught:
        read_hu(image)
    assert caught.value.where == "PixelData (7FE0,0010)"


def test_structures_choose_their_series_and_partial_copies_are_told(made):
    from dvhkit.readers.case import read_case

    data = structure_set(made.uids)
    item = data.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    item.ContourImageSequence = Sequence([])
    for number in range(9):
        image = Dataset()
        image.ReferencedSOPInstanceUID = f"{made.uids.image}.{number + 1}"
        item.ContourImageSequence.append(image)
    made.write("rs", data)
    for number, one in enumerate(ct_slices(made.uids)[:4]):
        made.write(f"{number}", one)
    found = next(f for f in read_case(made.folder).findings if f.code == "image-slices-missing")
    assert "5 of 9" in found.message


@pytest.mark.parametrize(
    ("z_mm", "code"),
    [
        (PLANES_MM[1:-1], None),
        (PLANES_MM[1:-1] + 1.5, "contours-between-slices"),
        (PLANES_MM[1:-1] + 0.1, None),
        (PLANES_MM + 9.0, "contours-outside-image"),
    ],
)
def test_contours_off_the_slices_or_off_the_image_are_told_and_not_moved(made, z_mm, code):
    from dvhkit.readers.case import read_case

    for number, data in enumerate(ct_slices(made.uids)):
        made.write(f"{number}", data)
    made.write("rs", structure_set(made.uids, z_mm=z_mm))
    case = read_case(made.folder)
    found = {f.code for f in case.findings if f.code.startswith("contours-")}
    assert found == ({code} if code else set())
    assert [c.points_mm[0, 2] for c in case.structures["PTV"].contours] == pytest.approx(z_mm)


@pytest.mark.parametrize(
    "syntax", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless"]
)
def test_each_lossless_compression_gives_the_same_values(made, tmp_path, syntax):
    import gdcm

    slices = ct_slices(made.uids)[:3]
    rng = np.random.default_rng(7)
    values = rng.integers(-1000, 3000, (3, slices[0].Rows, slices[0].Columns))
    for number, data in enumerate(slices):
        data.PixelData = values[number].astype("<i2").tobytes()
        plain_file = tmp_path / "plain"
        plain_file.write_bytes(encode(data))
        compress(gdcm, plain_file, made.folder / f"ct{number}", syntax)
        plain_file.unlink()
    index = scan(made.folder)
    image, findings = build_series(index.of_role(Role.IMAGE))
    assert not index.unreadable
    assert not findings
    assert np.array_equal(image.grid.offsets_mm, [0.0, 3.0, 6.0])
    assert np.array_equal(read_hu(image), values - 1024)


def compress(gdcm, source, target, syntax):
    """Write a file anew in another transfer syntax."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def test_bits_beside_a_value_are_no_part_of_it(made):
    data = ct_slices(made.uids)[0]
    values = np.random.default_rng(2).integers(-2048, 2048, (data.Rows, data.Columns))
    # Twelve bits with a sign; overlays of old images stand in the four above.
    stored = (values & 0x0FFF) | np.random.default_rng(3).integers(0, 16, values.shape) << 12
    data.BitsStored, data.HighBit = 12, 11
    data.PixelData = stored.astype("<u2").tobytes()
    path = made.write("ct", data)
    image, _ = build_series((read_entry(path),))
    assert np.array_equal(read_hu(image)[0], values - 1024)


def test_series_between_which_nobody_can_choose_are_named(made):
    from dvhkit.readers.case import read_case

    made.write("rs", structure_set(made.uids))
    for tag in (1, 2):
        for number, data in enumerate(ct_slices(made.uids)[:3]):
            data.SeriesInstanceUID, data.SOPInstanceUID = f"1.2.3.{tag}", f"1.2.3.{tag}.{number}"
            made.write(f"series{tag}_{number}", data)
    found = next(f for f in read_case(made.folder).findings if f.code == "image-ambiguous")
    assert "3 CT files, the first series1_0; 3 CT files, the first series2_0" in found.message
    assert "--image" in found.message


def test_structures_wider_than_the_image_are_told(made):
    from dvhkit.readers.case import read_case

    for number, data in enumerate(ct_slices(made.uids, n=8, m=8)):
        made.write(f"{number}", data)
    made.write("rs", structure_set(made.uids))
    found = next(f for f in read_case(made.folder).findings if f.code == "contours-outside-image")
    # The target ends on the very edge of the outermost pixels; the organ beyond.
    assert "1 structure: Organ" in found.message
