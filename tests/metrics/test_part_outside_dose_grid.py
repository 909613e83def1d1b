"""What the part outside the dose grid cannot change has a value; what it can change has a reason with both ends."""

import sys
from pathlib import Path

import numpy as np
import pytest

from dvhkit.engine.dvh import compute_dvh
from dvhkit.metrics.evaluate import evaluate_metric

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from drawn_solids import dose, grid, rectangle, structure

ORIGIN = np.array([-30.0, -27.0, -25.0])
# Both grids share their voxels; the small one ends inside the organ at z = 13.75, the large one holds all of it.
SMALL = grid(origin=ORIGIN, size=(30, 20, 16))
LARGE = grid(origin=ORIGIN, size=(30, 20, 40))
ORGAN = structure((z, rectangle(-14.0, -13.0, 15.0, 14.0)) for z in np.arange(-10.0, 50.1, 2.5))


def falling(x, y, z):
    """A source at the organ's lower end: dose falls with distance."""
    return 60.0 / (1.0 + (x**2 + y**2 + (z + 12.0) ** 2) / 400.0)


def rising(x, y, z):
    return 5.0 + z


@pytest.fixture(scope="module")
def cut():
    return compute_dvh(ORGAN, dose(falling, SMALL), with_band=True)


@pytest.fixture(scope="module")
def whole():
    return compute_dvh(ORGAN, dose(falling, LARGE), with_band=True)


def test_the_greatest_dose_on_the_faces_is_that_of_the_face_inside_the_organ(cut):
    top = SMALL.origin_mm[2] + SMALL.offsets_mm[-1]
    on_axis = falling(0.0, 0.5, top)
    # The face's dose is that of the outermost voxel centres; the highest of them is nearest to the axis.
    assert on_axis * 0.98 <= cut.face_gy <= on_axis * 1.02


@pytest.mark.parametrize("metric", ["D2cc[Gy]", "D0.1cc[Gy]", "Max[Gy]", "V40Gy[cc]", "V40Gy[%]", "D1%[Gy]"])
def test_what_lies_above_the_dose_on_the_faces_is_that_of_the_whole_organ(cut, whole, metric):
    here = evaluate_metric(metric, cut, roi="Rectum")
    there = evaluate_metric(metric, whole, roi="Rectum")
    assert here.value == pytest.approx(there.value, rel=2e-3)
    assert here.low <= there.value * (1 + 2e-3)
    assert here.high >= there.value * (1 - 2e-3)
    assert "outside the dose grid" in here.note
    assert "faces" in here.note


@pytest.mark.parametrize("metric", ["Mean[Gy]", "Min[Gy]", "D95%[Gy]", "V5Gy[%]", "CV20Gy[cc]"])
def test_what_the_part_outside_can_change_is_refused_with_both_ends(cut, metric):
    row = evaluate_metric(metric, cut, roi="Rectum")
    assert row.value is None
    assert row.reason_code == "outside-dose-grid"
    assert "with 0 Gy there" in row.reason
    assert "on the part inside" in row.reason


@pytest.mark.requirement("R7")
def test_the_mean_lies_between_the_ends_that_the_refusal_names(cut, whole):
    reason = evaluate_metric("Mean[Gy]", cut, roi="Rectum").reason
    low, high = (float(word) for word in reason.split("Mean[Gy] is ")[1].split(" Gy")[0].split(" or "))
    assert low < whole.mean_gy < high


def test_a_dose_that_rises_towards_the_face_is_refused():
    dvh = compute_dvh(ORGAN, dose(rising, SMALL), with_band=True)
    for metric in ("D2cc[Gy]", "Max[Gy]", "V10Gy[cc]"):
        assert evaluate_metric(metric, dvh, roi="Rectum").value is None


def test_an_organ_that_no_face_cuts_is_held_to_the_greatest_dose_on_any_face():
    above = structure(
        [*((z, rectangle(-5.0, -5.0, 5.0, 5.0)) for z in np.arange(-10.0, 5.1, 2.5))]
        + [(z, rectangle(-5.0, -5.0, 5.0, 5.0)) for z in np.arange(45.0, 60.1, 2.5)]
    )
    given = dose(falling, SMALL)
    dvh = compute_dvh(above, given, with_band=True)
    values = given.values_gy
    faces = [values[0], values[-1], values[:, 0], values[:, -1], values[:, :, 0], values[:, :, -1]]
    assert dvh.face_gy == pytest.approx(max(face.max() for face in faces) + given.quantum_gy)
