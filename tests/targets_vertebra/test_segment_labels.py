"""DICOM SEG as label source: voxels at their patient points, names understood, broken files refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import seg_objects as seg

from dvhkit.errors import DicomReadError, InputError
from dvhkit.jobs.vertebra.label_source import read_label_source
from dvhkit.jobs.vertebra.segments import read_segments
from dvhkit.model.grid import Grid
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.phantoms.vertebra import CANAL_NUMBER, PART_NUMBER, VertebraPhantom
from dvhkit.readers.masks.segmentation import read_segmentation
from dvhkit.targets.vertebra.anatomy.frame import mask_points_mm
from dvhkit.targets.vertebra.anatomy.local import value_at
from dvhkit.targets.vertebra.labels.label_maps import load_label_table
from dvhkit.targets.vertebra.rules import Compartment
from dvhkit.targets.vertebra.source import LabelSource, require_one_frame

PHANTOM = VertebraPhantom(tilt_deg=(5, 3, 2), centre_mm=(11.0, -20.0, 300.0))
# 71 × 97 pixels: no frame but the first begins at a whole byte.
AXIAL = axial_grid(shape_zyx=(40, 71, 97), spacing_xyz_mm=(1.3, 1.7, 3.0), first_xyz_mm=(-50.0, -70.0, 240.0))


def turned(rows):
    """A grid of planes in another direction through the phantom."""
    axes = np.array(rows, dtype=float)
    size = np.array([96 * 1.3, 70 * 1.7, 39 * 3.0])
    return Grid(
        origin_mm=np.array([11.0, -10.0, 300.0]) - (size / 2) @ axes,
        axes=axes,
        spacing_mm=AXIAL.spacing_mm,
        offsets_mm=AXIAL.offsets_mm - AXIAL.offsets_mm[0],
        n_rows=71,
        n_columns=97,
    )


CORONAL = turned([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
DOWNWARDS = turned([[1, 0, 0], [0, -1, 0], [0, 0, -1]])
OBLIQUE = turned([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]])
NUMBERS = {3: Compartment.LAMINA_R, 5: Compartment.PEDICLE_L, 8: Compartment.BODY}


def parts_on(grid, numbers=NUMBERS):
    labels = PHANTOM.labels_on(grid)
    return {n: (f"part {n}", labels == PART_NUMBER[part]) for n, part in numbers.items()}


def cloud(mask, grid):
    """Centres of a mask's voxels, in an order of their own."""
    points = np.round(mask_points_mm(mask, grid), 4)
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize("grid", [AXIAL, CORONAL, DOWNWARDS, OBLIQUE], ids=["axial", "coronal", "down", "oblique"])
@pytest.mark.parametrize("labelmap", [False, True])
def test_segments_lie_where_the_file_puts_them_whatever_the_order_of_frames(tmp_path, grid, labelmap):
    segments = parts_on(grid)
    order = np.random.default_rng(5)
    data = seg.seg_object(grid, segments, labelmap=labelmap, order=order, shared_measures=not labelmap)
    read = read_segmentation(seg.save(data, tmp_path / "seg.dcm"))
    assert [(s.number, s.label) for s in read.segments] == [(n, label) for n, (label, _) in segments.items()]
    labels, found = read.labels({3: 30, 5: 50, 8: 8})
    for number, label in ((3, 30), (5, 50), (8, 8)):
        assert np.count_nonzero(labels == label) > 50
        np.testing.assert_allclose(
            cloud(labels == label, found), cloud(segments[number][1], grid), atol=2e-4
        )  # rounded to 1e-4
    assert set(np.unique(labels)) == {0, 8, 30, 50}


def test_planes_left_out_as_empty_are_empty_planes(tmp_path):
    mask = np.zeros(AXIAL.shape_zyx, dtype=bool)
    mask[[4, 10, 12], 20:30, 40:60] = True
    read = read_segmentation(seg.save(seg.seg_object(AXIAL, {1: ("L3", mask)}), tmp_path / "seg.dcm"))
    labels, grid = read.labels({1: 1})
    # From plane 3 to 13, though the nearest frames lie two planes apart.
    assert labels.shape[0] == 11
    assert grid.plane_spacing_mm == pytest.approx(3.0)
    assert np.flatnonzero(labels.any(axis=(1, 2))).tolist() == [1, 7, 9]
    points = mask_points_mm(mask, AXIAL)
    assert value_at(labels > 0, grid, points).all()


def test_a_single_plane_has_the_thickness_that_the_file_states(tmp_path):
    mask = np.zeros(AXIAL.shape_zyx, dtype=bool)
    mask[7, 20:30, 40:60] = True
    labels, grid = read_segmentation(seg.save(seg.seg_object(AXIAL, {1: ("L3", mask)}), tmp_path / "one.dcm")).labels(
        {1: 1}
    )
    assert labels.any(axis=(1, 2)).tolist() == [False, True, False]
    assert grid.plane_spacing_mm == pytest.approx(3.0)


@pytest.mark.parametrize("stated", ["7.5", "1.0"])
def test_frames_lie_where_their_positions_say_whatever_their_thickness(tmp_path, stated):
    mask = np.zeros(AXIAL.shape_zyx, dtype=bool)
    mask[4:9, 20:30, 40:60] = True
    data = seg.seg_object(AXIAL, {1: ("L3", mask)})
    measures = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SliceThickness = stated
    measures.pop("SpacingBetweenSlices", None)
    labels, grid = read_segmentation(seg.save(data, tmp_path / "seg.dcm")).labels({1: 1})
    assert grid.plane_spacing_mm == pytest.approx(3.0)
    assert int((labels > 0).sum()) == int(mask.sum())


def fault_class(data):
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"


def fault_fractional(data):
    data.SegmentationType = "FRACTIONAL"


def fault_short(data):
    data.PixelData = data.PixelData[: len(data.PixelData) // 2 * 2 - 64]


def fault_rows(data):
    data.Rows = data.Columns = 65535


def fault_frames(data):
    data.NumberOfFrames = 2_000_000_000


def fault_far(data):
    far = ["-50", "-70", "1e12"]
    data.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient = far


def fault_fine_step(data):
    first = data.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    first.ImagePositionPatient = ["-50", "-70", "9000"]
    data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = "0.0125"


def fault_uneven(data):
    data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[2] += 1.3


def fault_shifted(data):
    data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[0] += 2.0


def fault_no_position(data):
    del data.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence


def fault_no_orientation(data):
    del data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence


def fault_no_spacing(data):
    del data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence


def fault_unknown_segment(data):
    data.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 77


def fault_twice(data):
    groups = data.PerFrameFunctionalGroupsSequence
    groups[1].PlanePositionSequence[0].ImagePositionPatient = groups[0].PlanePositionSequence[0].ImagePositionPatient


def fault_same_number(data):
    data.SegmentSequence[1].SegmentNumber = data.SegmentSequence[0].SegmentNumber


def fault_no_segments(data):
    data.SegmentSequence = []


def fault_nan(data):
    data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["0", "1"]


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (fault_class, "SOPClassUID"),
        (fault_fractional, "SegmentationType"),
        (fault_short, "PixelData"),
        (fault_rows, "PerFrameFunctionalGroupsSequence"),
        (fault_frames, "PerFrameFunctionalGroupsSequence"),
        (fault_far, "ImagePositionPatient"),
        (fault_fine_step, "PerFrameFunctionalGroupsSequence"),
        (fault_uneven, "ImagePositionPatient"),
        (fault_shifted, "ImagePositionPatient"),
        (fault_no_position, "PlanePositionSequence"),
        (fault_no_orientation, "PlaneOrientationSequence"),
        (fault_no_spacing, "PixelMeasuresSequence"),
        (fault_unknown_segment, "ReferencedSegmentNumber"),
        (fault_twice, "PlanePositionSequence"),
        (fault_same_number, "SegmentNumber"),
        (fault_no_segments, "SegmentSequence"),
        (fault_nan, "PixelSpacing"),
    ],
)
def test_a_broken_file_is_refused_with_file_tag_and_remedy(tmp_path, fault, place):
    data = seg.seg_object(AXIAL, parts_on(AXIAL))
    fault(data)
    path = seg.save(data, tmp_path / "seg.dcm")
    with pytest.raises(DicomReadError) as caught:
        read_segmentation(path)
    assert caught.value.path == str(path)
    assert caught.value.where.startswith(place + " (")
    assert caught.value.remedy


def test_segments_that_overlap_are_refused_only_where_both_are_wanted(tmp_path):
    segments = {**parts_on(AXIAL), 9: ("everything", PHANTOM.labels_on(AXIAL) > 0)}
    read = read_segmentation(seg.save(seg.seg_object(AXIAL, segments), tmp_path / "seg.dcm"))
    assert read.labels({3: 1, 5: 2})[0].any()
    with pytest.raises(DicomReadError, match="shares voxels") as caught:
        read.labels({3: 1, 9: 2})
    assert "without overlap" in caught.value.remedy


def whole(numbers_and_names):
    bone = (PHANTOM.labels_on(AXIAL) % CANAL_NUMBER) > 0
    return {n: (name, bone & (np.arange(bone.shape[0])[:, None, None] % len(numbers_and_names) == i))
            for i, (n, name) in enumerate(numbers_and_names.items())}  # fmt: skip


def levels_of(path, table=None):
    found, level_map, _ = read_segments(path, table)
    return {found.vertebrae[n] for n in np.unique(level_map.labels).tolist() if n in found.vertebrae}


def test_names_say_more_than_numbers_and_numbers_more_than_nothing(tmp_path):
    table = load_label_table("totalsegmentator")  # 29 is L3, 30 is L2
    named = seg.save(seg.seg_object(AXIAL, whole({1: "vertebrae_L3", 2: "vertebrae_L2"})), tmp_path / "a.dcm")
    assert levels_of(named) == levels_of(named, table) == {"L03", "L02"}
    numbered = seg.save(seg.seg_object(AXIAL, whole({29: "Segment_1", 30: "Segment_2"})), tmp_path / "b.dcm")
    assert levels_of(numbered, table) == {"L03", "L02"}
    with pytest.raises(InputError, match="none of the 2 segments") as caught:
        read_segments(numbered, None)
    assert "--label-table" in caught.value.remedy
    # The name of 30 is against the table, so the number of the nameless one is not to be trusted either.
    against = seg.save(seg.seg_object(AXIAL, whole({29: "Segment_1", 30: "vertebrae_T5"})), tmp_path / "c.dcm")
    assert levels_of(against, table) == {"T05"}


def test_parts_and_whole_may_be_in_one_file_with_the_canal(tmp_path):
    labels = PHANTOM.labels_on(AXIAL)
    segments = {
        1: ("vertebrae_L3", (labels % CANAL_NUMBER) > 0),
        2: ("zLam_L03_R", labels == PART_NUMBER[Compartment.LAMINA_R]),
        3: ("spinal_canal", labels == CANAL_NUMBER),
    }
    table, level_map, region_map = read_segments(seg.save(seg.seg_object(AXIAL, segments), tmp_path / "seg.dcm"), None)
    numbers = {word: n for n, word in table.regions.items()}
    assert set(numbers) == {Compartment.LAMINA_R}
    for found, mask in (
        (level_map.labels == table.number_of("L03"), segments[1][1]),
        (region_map.labels == numbers[Compartment.LAMINA_R], segments[2][1]),
        (np.isin(level_map.labels, table.canal), segments[3][1]),
    ):
        np.testing.assert_allclose(cloud(found, level_map.grid), cloud(mask, AXIAL), atol=2e-4)


def test_labels_of_another_frame_of_reference_are_refused(tmp_path):
    path = seg.save(seg.seg_object(AXIAL, whole({1: "L3"}), frame_uid="1.2.99"), tmp_path / "seg.dcm")
    source = read_label_source(path, None, None)
    assert isinstance(source, LabelSource)
    drawn = structure("GTV", 1, sphere((0, 0, 0), 8.0), np.arange(-10.0, 11.0, 2.0))
    require_one_frame(source, replace(drawn, frame_of_reference_uid="1.2.99"))
    with pytest.raises(InputError, match="another frame of reference"):
        require_one_frame(source, replace(drawn, frame_of_reference_uid="1.2.5"))
