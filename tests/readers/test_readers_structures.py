"""Structure sets as they really come: by number, with holes in their tags, with hostile names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sets import CENTRE_MM, OTHER_FRAME, MadeSet, contour_item, polygon_at, structure_set
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dvhkit.errors import DicomReadError, UnknownStructureError
from dvhkit.model.structure import ContourKind
from dvhkit.readers.files.elements import parse_numbers
from dvhkit.readers.rtstruct import read_structures

SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 7.0], [0.0, 7.0]])


@pytest.fixture
def made(tmp_path):
    return MadeSet(tmp_path)


def read(made, data, **options):
    structures, findings = read_structures(made.write("rs", data, **options))
    return structures, {f.code: f for f in findings}


def roi_item(data, number):
    return next(item for item in data.ROIContourSequence if item.ReferencedROINumber == number)


def test_contours_go_by_roi_number_and_not_by_position(made):
    structures, _ = read(made, structure_set(made.uids))
    # ROIContourSequence lists the organ first, StructureSetROISequence the target.
    corners = structures["PTV"].contours[0].points_mm[:, :2] - CENTRE_MM[:2]
    assert corners == pytest.approx(np.array([[-10, -6], [12, -6], [12, 8], [-10, 8]]))
    assert len(structures["Organ"].contours[0].points_mm) == 6
    assert structures["Organ"].color_rgb == (255, 1, 0)
    assert structures["PTV"].rt_roi_type == "PTV"
    assert structures["Empty"].is_empty
    assert structures["PTV"].frame_of_reference_uid == made.uids.frame


def test_equal_names_are_kept_apart_by_number(made):
    data = structure_set(made.uids)
    for roi in data.StructureSetROISequence:
        roi.ROIName = "Liver"
    structures, codes = read(made, data)
    assert "equal-names" in codes
    assert [s.number for s in structures] == [3, 1, 7]
    assert len(structures[1].contours[0].points_mm) == 6
    with pytest.raises(UnknownStructureError, match="3 structures"):
        structures["Liver"]


def test_missing_optional_tags_change_nothing_that_matters(made):
    data = structure_set(made.uids)
    del data.RTROIObservationsSequence, data.ReferencedFrameOfReferenceSequence, data.StructureSetLabel
    for item in data.ROIContourSequence:
        del item.ROIDisplayColor
        for contour in item.ContourSequence:
            del contour.NumberOfContourPoints
    for roi in data.StructureSetROISequence:
        del roi.ROIName
    structures, codes = read(made, data)
    assert structures.names == ("#3", "#1", "#7")  # its number tells an ROI without a name from others
    assert "names-blank" in codes
    assert len(structures[3].closed_contours) == 7
    assert structures.frame_of_reference_uid == made.uids.frame
    assert "roi-types-missing" in codes


def test_contours_without_type_are_closed_from_three_points_on_and_reported(made):
    data = structure_set(made.uids)
    roi_item(data, 1).ContourSequence = Sequence(
        [contour_item(polygon_at(SQUARE, 1.0), kind=None), contour_item(polygon_at(SQUARE[:1], 2.0), kind=None)]
    )
    structures, codes = read(made, data)
    assert [c.kind for c in structures[1].contours] == [ContourKind.CLOSED_PLANAR, ContourKind.POINT]
    assert "contour-type-missing" in codes


@pytest.mark.parametrize("kind", ["POINT", "OPEN_PLANAR", "OPEN_NONPLANAR", "CLOSEDPLANAR_XOR"])
def test_each_contour_type_is_kept(made, kind):
    data = structure_set(made.uids)
    points = polygon_at(SQUARE[:1] if kind == "POINT" else SQUARE, 3.0)
    roi_item(data, 1).ContourSequence = Sequence([contour_item(points, kind=kind)])
    structures, _ = read(made, data)
    assert [c.kind.value for c in structures[1].contours] == [kind]
    assert structures[1].is_empty is (kind != "CLOSEDPLANAR_XOR")


def test_contours_of_an_unknown_type_are_left_out_and_reported(made):
    data = structure_set(made.uids)
    roi_item(data, 1).ContourSequence[0].ContourGeometricType = "SPLINE"
    structures, codes = read(made, data)
    assert len(structures[1].contours) == 6
    assert codes["contour-type-unknown"].level.value == "serious"


@pytest.mark.parametrize("count", [1, 2])
def test_contours_of_one_or_two_points_bound_nothing(made, count):
    data = structure_set(made.uids)
    roi_item(data, 1).ContourSequence = Sequence([contour_item(polygon_at(SQUARE[:count], 3.0))])
    structures, _ = read(made, data)
    assert structures[1].is_empty


def test_empty_and_absent_contour_sequences_are_empty_structures(made):
    data = structure_set(made.uids)
    roi_item(data, 1).ContourSequence = Sequence([])
    del roi_item(data, 3).ContourSequence
    structures, codes = read(made, data)
    assert all(s.is_empty for s in structures)
    assert "3 structures" in codes["empty-structures"].message


def test_structure_set_without_contour_sequence_is_serious(made):
    data = structure_set(made.uids)
    del data.ROIContourSequence
    _, codes = read(made, data)
    assert codes["no-contours"].level.value == "serious"


def test_contours_without_an_roi_are_reported(made):
    data = structure_set(made.uids)
    roi_item(data, 1).ReferencedROINumber = 99
    structures, codes = read(made, data)
    assert structures[1].is_empty
    assert "99" in codes["contours-without-roi"].message


@pytest.mark.parametrize("broken", ["nan", "inf", "-inf", "1e400", "20000", "abc", "1,5", "1_0", "", "0x10"])
@pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
def test_a_point_that_is_no_number_is_an_error_that_names_file_tag_and_roi(made, broken, long):
    data = structure_set(made.uids)
    points = np.repeat(polygon_at(SQUARE, 3.0), 60 if long else 1, axis=0)
    points[1, 1] = 98765
    roi_item(data, 1).ContourSequence = Sequence([contour_item(points)])
    path = made.write("rs", data)
    assert path.read_bytes().count(b"98765") == 1
    path.write_bytes(path.read_bytes().replace(b"98765", broken.encode().ljust(5)))
    with pytest.raises(DicomReadError) as caught:
        read_structures(path)
    assert caught.value.path == str(path)
    assert caught.value.where == "ContourData (3006,0050)"
    assert "Organ" in caught.value.message


def test_points_that_are_no_triplets_are_an_error(made):
    data = structure_set(made.uids)
    del roi_item(data, 1).ContourSequence[2].ContourData[-1]
    with pytest.raises(DicomReadError, match=r"contour 3: 17 numbers are no"):
        read(made, data)


def test_offset_vectors_move_the_contours_of_a_slab_and_mean_nothing_without_one(made):
    data = structure_set(made.uids)
    plain = read(made, data)[0]["Organ"].contours[0].points_mm
    contour = roi_item(data, 1).ContourSequence[0]
    for slab_mm, offset, moved, code in (
        (None, [0, 0, 0], [0, 0, 0], None),
        (3.0, [0, 0, 0], [0, 0, 0], None),
        (None, [0, 0, 1.5], [0, 0, 0], "contour-offset-ignored"),
        (0.0, [0, 0, 1.5], [0, 0, 0], "contour-offset-ignored"),
        (3.0, [0.5, 0, -1.5], [0.5, 0, -1.5], "contour-offset-applied"),
    ):
        contour.ContourOffsetVector, contour.ContourSlabThickness = offset, slab_mm
        structures, codes = read(made, data)
        assert structures["Organ"].contours[0].points_mm == pytest.approx(plain + moved)
        assert [c for c in codes if c.startswith("contour-offset")] == ([code] if code else [])
        if code:
            assert "Organ" in codes[code].message


def test_a_stray_point_costs_its_structure_and_no_other(made):
    data = structure_set(made.uids)
    contour = roi_item(data, 1).ContourSequence[0]
    values = [float(v) for v in contour.ContourData]
    for x_mm, left in ((values[3] + 2900.0, True), (values[3] + 3100.0, False)):
        contour.ContourData = [*values[:3], x_mm, *values[4:]]
        structures, codes = read(made, data)
        assert bool(structures["Organ"].contours) is left
        assert structures["PTV"].contours
        assert ("contours-implausible" in codes) is not left
    assert "Organ" in codes["contours-implausible"].message


def test_an_offset_beyond_the_room_is_refused(made):
    data = structure_set(made.uids)
    contour = roi_item(data, 1).ContourSequence[0]
    contour.ContourOffsetVector, contour.ContourSlabThickness = [0, 0, 2e4], 3.0
    with pytest.raises(DicomReadError, match=r"Organ.*farther") as caught:
        read(made, data)
    assert caught.value.where == "ContourOffsetVector (3006,0045)"


def test_fewer_points_than_stated_are_serious(made):
    data = structure_set(made.uids)
    roi_item(data, 1).ContourSequence[0].NumberOfContourPoints = 600
    _, codes = read(made, data)
    assert "6 of 600" in codes["contour-point-count"].message


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_of_stated_and_of_open_length_read_alike(made, syntax, undefined):
    data = structure_set(made.uids)
    data["ROIContourSequence"].is_undefined_length = undefined
    for item in data.ROIContourSequence:
        item.is_undefined_length_sequence_item = undefined
        item["ContourSequence"].is_undefined_length = undefined
        for contour in item.ContourSequence:
            contour.is_undefined_length_sequence_item = undefined
    structures, _ = read(made, data, syntax=syntax)
    assert [len(s.closed_contours) for s in structures] == [7, 7, 0]


def test_a_contour_longer_than_explicit_lengths_allow_is_read_whole(made):
    """Past 65,534 bytes an explicit-VR writer must fall back on UN (PS3.5 6.2.2)."""
    angles = np.linspace(0, 2 * np.pi, 6000, endpoint=False)
    ring = np.column_stack([30 * np.cos(angles), 30 * np.sin(angles)])
    data = structure_set(made.uids)
    roi_item(data, 1).ContourSequence = Sequence([contour_item(polygon_at(ring, 3.0))])
    structures, codes = read(made, data, syntax=ExplicitVRLittleEndian)
    assert len(structures[1].contours[0].points_mm) == 6000
    assert "contour-point-count" not in codes


def test_names_are_decoded_and_control_characters_made_visible(made):
    data = structure_set(made.uids)
    data.SpecificCharacterSet = "ISO_IR 100"
    data.StructureSetROISequence[0].ROIName = "Läsion"
    data.StructureSetROISequence[1].ROIName = "<script>alert(1)</script>"
    structures, _ = read(made, data)
    assert structures.names[:2] == ("Läsion", "<script>alert(1)</script>")
    raw = (made.folder / "rs").read_bytes().replace(b"<script>", b"\x1b]0;ev\x07x")
    (made.folder / "rs").write_bytes(raw)
    name = read_structures(made.folder / "rs")[0].names[1]
    assert "\x1b" not in name
    assert "\x07" not in name
    assert "\ufffd" in name


def test_unknown_character_sets_do_not_stop_the_reading(made):
    data = structure_set(made.uids)
    path = made.write("rs", data)
    path.write_bytes(path.read_bytes().replace(b"Organ ", b"Org\xe4n "))
    structures, _ = read_structures(path)
    assert len(structures[1].contours) == 7


def test_wrong_kind_of_object_is_refused_by_name(made):
    from made_sets import plan

    with pytest.raises(DicomReadError, match="no structure set but RTPLAN"):
        read_structures(made.write("rp", plan(made.uids)))


def test_an_roi_of_another_frame_loses_its_contours_beside_the_dose(made):
    from made_sets import dose

    from dvhkit.readers.case import read_case

    data = structure_set(made.uids)
    data.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = OTHER_FRAME
    made.write("rs", data)
    made.write("rd", dose(made.uids))
    case = read_case(made.folder)
    assert case.structures["Organ"].is_empty
    assert not case.structures["PTV"].is_empty
    assert "Organ" in next(f for f in case.findings if f.code == "roi-in-other-frame").message


@given(
    st.lists(st.floats(-1e4, 1e4).map(lambda v: f"{v:.10g}"), min_size=1, max_size=400),
    st.sampled_from(["", " ", "  "]),
)
@settings(max_examples=150, deadline=None)
def test_numbers_come_out_as_python_reads_them(texts, padding):
    stored = "\\".join(padding + t + padding for t in texts).encode().strip(b" ")
    assert parse_numbers(stored, place="x").tolist() == [float(t) for t in texts]
