"""An image is its series: reformats and second acquisitions in it, rounded positions, several frames."""

from __future__ import annotations

import numpy as np
import pytest
from made_sets import MadeSet, ct_slices, structure_set
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dvhkit.model.grid import Grid
from dvhkit.readers.case import read_case


@pytest.fixture
def made(tmp_path):
    return MadeSet(tmp_path).write_plain()


def codes(case):
    return {f.code for f in case.findings}


def with_listed(made, uids):
    """Write the structure set anew with a list of image slices."""
    data = structure_set(made.uids)
    frame = data.ReferencedFrameOfReferenceSequence[0]
    images = []
    for uid in uids:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
        images.append(image)
    frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence = Sequence(images)
    made.write("structures", data)


def test_a_reformat_in_the_series_is_left_out_and_told(made):
    coronal = ct_slices(made.uids)[0]
    coronal.SOPInstanceUID += ".77"
    coronal.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    coronal.Rows, coronal.PixelData = 9, coronal.PixelData[: 9 * 32 * 2]
    made.write("coronal", coronal)
    case = read_case(made.folder)
    assert len(case.image.paths) == 9
    assert "image-other-planes" in codes(case)


@pytest.mark.parametrize("shift_mm", [0.0, 1.5], ids=["same places", "between"])
def test_of_two_acquisitions_the_listed_one_is_the_image(made, shift_mm):
    second = ct_slices(
        made.uids, z_mm=np.array([float(s.ImagePositionPatient[2]) for s in ct_slices(made.uids)]) + shift_mm
    )
    for number, data in enumerate(second):
        data.SOPInstanceUID += ".77"
        data.AcquisitionNumber = 2
        made.write(f"second{number}", data)
    first = ct_slices(made.uids)
    for number, data in enumerate(first):
        data.AcquisitionNumber = 1
        made.write(f"image{number}", data)
    for listed in (first, second):
        with_listed(made, [s.SOPInstanceUID for s in listed])
        case = read_case(made.folder)
        kept = set(case.image.sop_instance_uids)
        # What lies beyond the listed range may belong to it: only there something of the other may stay.
        assert {s.SOPInstanceUID for s in listed} <= kept
        assert len(kept) <= len(listed) + (shift_mm > 0)
        assert "image-duplicate-slices" in codes(case)


def test_a_series_is_taken_whole_whichever_slices_are_listed(made):
    with_listed(made, [s.SOPInstanceUID for s in ct_slices(made.uids)[2:5]])
    assert len(read_case(made.folder).image.paths) == 9


def test_slices_of_another_image_of_the_structure_set_are_not_missing(made):
    other = ct_slices(made.uids)
    for number, data in enumerate(other):
        data.SOPInstanceUID += ".5"
        data.SeriesInstanceUID += ".5"
        data.FrameOfReferenceUID += ".5"
        made.write(f"other{number}", data)
    with_listed(made, [s.SOPInstanceUID for s in (*ct_slices(made.uids), *other)])
    assert "image-slices-missing" not in codes(read_case(made.folder))
    with_listed(made, [*(s.SOPInstanceUID for s in ct_slices(made.uids)), "1.2.3.4.5"])
    assert "image-slices-missing" in codes(read_case(made.folder))


def planes(offsets):
    return Grid(
        origin_mm=np.zeros(3),
        axes=np.eye(3),
        spacing_mm=np.ones(2),
        offsets_mm=np.asarray(offsets, dtype=float),
        n_rows=2,
        n_columns=3,
    )


@pytest.mark.parametrize(("gap", "decimals"), [(0.625, 2), (0.625, 1), (2.02265, 2), (1.25, 1), (3.27, 1)])
def test_rounded_positions_are_even_and_their_distance_is_the_true_one(gap, decimals):
    grid = planes(np.round(np.arange(80) * gap + 0.3, decimals) - 0.3)
    # Half of what they are rounded to, unless that is more than a tenth of the distance.
    assert grid.is_uniform
    assert grid.even_spacing_mm == pytest.approx(gap, abs=0.5 * 10.0**-decimals / 20)


def test_planes_that_leave_the_even_ones_are_uneven():
    assert not planes([0, 3, 6, 8.5, 12]).is_uniform
    assert not planes([0, 3, 6, 12, 15]).is_uniform
    assert not planes([0, 2.5, 5, 7.5, 12.5]).is_uniform
