import csv
import json

import numpy as np
import pydicom
import pytest
from scipy.interpolate import RegularGridInterpolator
from shapely import Polygon

from dvhkit.errors import DvhkitError, InputError, OutputError
from dvhkit.phantoms.ball_on_grid import trilinear, truth_of_ball_on_grid
from dvhkit.phantoms.sets.catalogue import make_phantom, phantom_titles, write_phantom
from dvhkit.phantoms.sets.linear_sets import linear_set
from dvhkit.phantoms.sets.phantom_set import axial_grid, voxel_centres_mm


@pytest.fixture(scope="module")
def linear():
    return make_phantom("linear-si-3mm")


def values(made, roi, reading="solid"):
    return {r.metric: r.value for r in made.rows if r.roi == roi and r.reading == reading}


def test_the_files_hold_what_the_truth_speaks_of(tmp_path):
    paths = write_phantom(tmp_path, "gaussian-r3mm")
    assert {p.name for p in paths} >= {"RTSTRUCT.dcm", "RTDOSE.dcm", "RTPLAN.dcm", "truth.json", "truth.csv"}
    record = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    names = {r.ROIName for r in pydicom.dcmread(tmp_path / "RTSTRUCT.dcm").StructureSetROISequence}
    assert {row["roi"] for row in record["rows"]} == names
    with (tmp_path / "truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["roi"], r["metric"], float(r["value"])) for r in rows] == [
        (r["roi"], r["metric"], r["value"]) for r in record["rows"]
    ]


def test_writing_twice_gives_the_same_bytes(tmp_path):
    one, two = (write_phantom(tmp_path / n, "gaussian-r2mm") for n in "ab")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_every_name_says_what_it_is_and_an_unknown_one_is_refused():
    titles = phantom_titles()
    assert {"linear-ap-2mm", "spheres-3mm-slice-1mm", "gaussian-r9mm"} <= set(titles)
    assert all(titles.values())
    with pytest.raises(InputError, match="no phantom 'cube'"):
        make_phantom("cube")
    with pytest.raises(DvhkitError, match="no direction"):
        linear_set(direction="up", slice_mm=1.0)


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "truth.json").mkdir()
    with pytest.raises(OutputError, match="truth"):
        write_phantom(tmp_path, "gaussian-r2mm")


def test_true_values_of_the_published_shapes(linear):
    """Nelms 2015: 4 to 28 Gy over 24 mm; mean 22 Gy in the cone whose tip is cold, here 10 or 22 by its orientation."""
    assert values(linear, "Sphere")["Volume[cc]"] == pytest.approx(7.238, abs=5e-4)
    assert values(linear, "Cylinder")["Mean[Gy]"] == pytest.approx(16.0)
    assert values(linear, "Cone")["Mean[Gy]"] == pytest.approx(22.0)
    assert values(linear, "Cone_AP")["Mean[Gy]"] == pytest.approx(16.0)
    for roi in ("Sphere", "Cylinder", "Cone", "Cylinder_AP", "Cone_AP"):
        row = values(linear, roi)
        assert (row["Min[Gy]"], row["Max[Gy]"]) == pytest.approx((4.0, 28.0))


def test_three_ways_to_store_a_hole_have_one_truth_and_one_stack(linear):
    for reading in ("solid", "stack"):
        nested = values(linear, "Tube_Nested", reading)
        assert values(linear, "Tube_Keyhole", reading) == nested == values(linear, "Tube_XOR", reading)
    assert values(linear, "Tube_Nested")["Volume[cc]"] == pytest.approx(np.pi * (144 - 36) * 24 / 1000)


def test_an_upright_cylinder_is_its_own_stack(linear):
    solid, stack = values(linear, "Cylinder"), values(linear, "Cylinder", "stack")
    for metric, value in solid.items():
        # A polygon of 360 corners is 5e-5 smaller than its circle.
        assert stack[metric] == pytest.approx(value, rel=6e-5)


def test_the_drawn_polygons_are_the_stack_that_truth_speaks_of(linear):
    for roi in linear.phantom.structures:
        if "XOR" in roi.name or "Nested" in roi.name or roi.name in ("Shell", "Torus", "Island_In_Hole"):
            continue  # stored with holes: summed areas are not the volume
        area = sum(Polygon(c.points_mm[:, :2]).area for c in roi.contours)
        assert area * 3.0 / 1000 == pytest.approx(values(linear, roi.name, "stack")["Volume[cc]"], rel=1e-9)


def test_the_dose_grid_holds_the_formula_wherever_a_solid_reaches(linear):
    (dose,) = linear.phantom.doses
    z = dose.grid.origin_mm[2] + dose.grid.offsets_mm
    inner = np.abs(z) <= 15.0
    np.testing.assert_allclose(dose.values_gy[inner, 5, 5], 16.0 - z[inner], atol=1e-9)


def test_an_oblique_dose_has_no_stack_but_a_truth():
    made = make_phantom("linear-oblique-2mm")
    assert {r.reading for r in made.rows} == {"solid"}
    sphere = values(made, "Sphere")
    assert (sphere["Min[Gy]"], sphere["Mean[Gy]"], sphere["Max[Gy]"]) == pytest.approx((12.0, 24.0, 36.0))


def test_small_targets_are_covered_in_truth_and_short_on_the_grid():
    made = make_phantom("spheres-5mm-slice-1mm")
    for n in range(1, 11):
        row = values(made, f"Target_{n:02d}")
        assert row["V20Gy[%]"] == pytest.approx(100.0)
        assert row["Volume[cc]"] == pytest.approx(0.0654, abs=6e-5)
        assert values(made, f"Around_Target_{n:02d}")["V10Gy[cc]"] == pytest.approx(0.1002, abs=6e-5)
        assert values(made, f"Target_{n:02d}", "grid")["V20Gy[%]"] < 90.0
    places = {tuple(np.mod(d.contours[0].points_mm.mean(axis=0), 1.0).round(2)) for d in made.phantom.structures[::2]}
    assert len(places) == 10


def test_trilinear_agrees_with_scipy_and_refuses_what_lies_outside():
    grid = axial_grid(shape_zyx=(4, 5, 6), spacing_xyz_mm=(1.0, 2.0, 3.0), first_xyz_mm=(10.0, -20.0, 5.0))
    held = np.random.default_rng(3).random(grid.shape_zyx)
    axes = (5.0 + 3.0 * np.arange(4), -20.0 + 2.0 * np.arange(5), 10.0 + np.arange(6))
    points = np.random.default_rng(4).random((200, 3)) * [5.0, 8.0, 9.0] + [10.0, -20.0, 5.0]
    expected = RegularGridInterpolator(axes, held)(points[:, ::-1])
    np.testing.assert_allclose(trilinear(points, grid, held), expected, atol=1e-12)
    with pytest.raises(DvhkitError, match="outside"):
        trilinear(np.array([[9.9, -20.0, 5.0]]), grid, held)


def test_a_ball_on_a_grid_that_holds_a_linear_dose_has_the_closed_form():
    grid = axial_grid(shape_zyx=(21, 21, 21), spacing_xyz_mm=(1.0, 1.0, 1.0))
    x, _, _ = voxel_centres_mm(grid)
    truth = truth_of_ball_on_grid((0.5, 0.2, 0.1), 8.0, grid, np.broadcast_to(20.0 + x, grid.shape_zyx))
    assert truth.mean_gy == pytest.approx(20.5, abs=2e-3)
    assert (truth.min_gy, truth.max_gy) == pytest.approx((12.5, 28.5), abs=0.03)
    h = 28.5 - 24.0
    expected = np.pi / 3 * (24 * h**2 - h**3) / 1000
    assert truth.volume_at_least_cc(24.0) == pytest.approx(expected, rel=2e-3)
