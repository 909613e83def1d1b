"""Files that are well formed and mean nothing: refused, or one structure of them without value, and soon."""

from __future__ import annotations

import time

import numpy as np
import pytest
from made_sets import CENTRE_MM, MadeSet, contour_item, dose, plan, polygon_at, structure_set
from pydicom.sequence import Sequence

from dvhkit.errors import DicomReadError
from dvhkit.jobs.audit import evaluate_metric
from dvhkit.readers.case import read_case

SECONDS = 20.0


def case_with(tmp_path, contours):
    """The plain case, the organ drawn by other contours."""
    made = MadeSet(tmp_path)
    data = structure_set(made.uids)
    organ = next(item for item in data.ROIContourSequence if item.ReferencedROINumber == 1)
    organ.ContourSequence = Sequence([contour_item(points) for points in contours])
    made.write("rs", data)
    made.write("rp", plan(made.uids))
    made.write("rd", dose(made.uids))
    return read_case(tmp_path)


def scribble(n_points, seed):
    corners = np.random.default_rng(seed).uniform(-15, 15, (n_points, 2))
    return polygon_at(corners, CENTRE_MM[2] + 3.0 * seed)


def test_a_scribble_has_no_volume_and_harms_no_other_structure(tmp_path):
    start = time.process_time()
    case = case_with(tmp_path, [scribble(5000, seed) for seed in range(4)])
    told = evaluate_metric(case, "Organ", "Volume[cc]")
    assert told.value is None
    assert "scribble" in told.reason
    assert evaluate_metric(case, "PTV", "Volume[cc]").value > 0
    assert time.process_time() - start < SECONDS


def test_a_long_outline_that_crosses_itself_once_has_its_volume(tmp_path):
    """A comb of 60 teeth is as long as outlines get; two of its points are swapped."""
    x = np.repeat(np.linspace(-15.0, 15.0, 61), 2)
    y = np.tile([-14.0, 14.0, 14.0, -14.0], 31)[: len(x)]
    there = np.column_stack([x, y])
    back = np.column_stack([x[::-1], np.where(y[::-1] > 0, 14.2, -13.8)])
    comb = np.concatenate([there, back])
    comb[[40, 41]] = comb[[41, 40]]
    case = case_with(tmp_path, [polygon_at(comb, z) for z in CENTRE_MM[2] + np.arange(-6.0, 7.0, 3.0)])
    assert evaluate_metric(case, "Organ", "Volume[cc]").value > 0


def test_dose_planes_on_top_of_each_other_are_refused(tmp_path):
    made = MadeSet(tmp_path).write_plain()
    data = dose(made.uids)
    data.GridFrameOffsetVector = [f"{1e-3 * k:g}" for k in range(data.NumberOfFrames)]
    made.write("dose", data)
    with pytest.raises(DicomReadError, match=r"less than 0\.01 mm apart") as caught:
        read_case(tmp_path)
    assert caught.value.where == "GridFrameOffsetVector (3004,000C)"


def test_dose_pixels_finer_than_any_measurement_are_refused(tmp_path):
    made = MadeSet(tmp_path).write_plain()
    data = dose(made.uids)
    data.PixelSpacing = [0.009, 0.009]
    made.write("dose", data)
    with pytest.raises(DicomReadError, match=r"from 0\.01 to 1000 mm"):
        read_case(tmp_path)
