"""The commands: `dvhkit margin grow | shrink`, `dvhkit target ...`, `dvhkit export`."""

import json

import numpy as np
import pytest
import SimpleITK
import typer
from typer.testing import CliRunner

from dvhkit.cli.one_plan.export import export
from dvhkit.cli.targets.margin import margin_app
from dvhkit.cli.targets.target import target_app
from dvhkit.engine.dvh import compute_dvh
from dvhkit.errors import InputError
from dvhkit.model.dose import DoseType
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomImage, PhantomSet, axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Box, sphere
from dvhkit.readers.case import read_case

GRID = axial_grid(shape_zyx=(22, 56, 64), spacing_xyz_mm=(1.0, 1.25, 2.0))
app = typer.Typer()
app.add_typer(margin_app)
app.add_typer(target_app)
app.command()(export)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    heights = GRID.origin_mm[2] + GRID.offsets_mm
    gtv = structure("GTV", 3, sphere((2, -1, 0.5), 8), heights, rt_roi_type="GTV")
    cord = structure("SpinalCord", 7, Box(centre_mm=(20, 10, 0), size_mm=(8, 8, 40)), heights)
    dose = PhantomDose(
        grid=axial_grid(shape_zyx=(9, 20, 24), spacing_xyz_mm=(3.0, 2.5, 4.0)),
        values_gy=np.linspace(0, 50, 9 * 20 * 24).reshape(9, 20, 24),
        dose_type=DoseType.PHYSICAL,
    )
    target = tmp_path_factory.mktemp("set")
    phantom = PhantomSet(label="commands", structures=(gtv, cord), image=PhantomImage(grid=GRID), doses=(dose,))
    write_set(target, phantom)
    return target


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def test_grow_writes_a_structure_that_reads_back(folder, tmp_path):
    out = tmp_path / "rs.dcm"
    margin = "L=5,R=7,A=6,P=8,S=9,I=10"
    result = run("margin", "grow", folder, "--roi", "GTV", "--margin", margin, "--name", "CTV_test", "--out", out)
    assert "CTV_test" in result.output
    drawn = read_case(rtstruct=out).structures["CTV_test"]
    points = np.concatenate([c.points_mm for c in drawn.contours])
    np.testing.assert_allclose(points.min(axis=0)[:2], [2 - 8 - 7, -1 - 8 - 6], atol=0.1)
    np.testing.assert_allclose(points.max(axis=0)[:2], [2 + 8 + 5, -1 + 8 + 8], atol=0.1)


def test_grow_in_json_says_what_was_done(folder, tmp_path):
    out, told = tmp_path / "rs.dcm", tmp_path / "told.json"
    run(
        "margin", "grow", folder, "--roi", "GTV", "--margin", "5", "--away-from", "SpinalCord:3", "--type", "ptv",
        "--add", "--out", out, "--json", told,
    )  # fmt: skip
    document = json.loads(told.read_text())
    source, made = document["structures"]
    assert source["volume_cc"] < made["volume_cc"]
    assert made["how"] == "GTV + 5mm, 3mm away from SpinalCord"
    case = read_case(rtstruct=out)
    assert case.structures.names == ("GTV", "SpinalCord", "GTV + 5mm")
    assert case.structures["GTV + 5mm"].rt_roi_type == "PTV"


def test_shrink_and_grow_back_lies_inside(folder, tmp_path):
    run(
        "margin",
        "shrink",
        folder,
        "--roi",
        "SpinalCord",
        "--margin",
        "2",
        "--name",
        "core",
        "--out",
        tmp_path / "rs.dcm",
    )
    points = np.concatenate([c.points_mm for c in read_case(rtstruct=tmp_path / "rs.dcm").structures["core"].contours])
    np.testing.assert_allclose(np.ptp(points, axis=0)[:2], [4, 4], atol=0.02)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--roi", "GTV", "--margin", "L=5"), "leaves open"),
        (("--roi", "GTV", "--margin", "-5"), "zero or more"),
        (("--roi", "Nowhere", "--margin", "5"), "Nowhere"),
        (("--roi", "GTV - ", "--margin", "5"), "name is missing"),
        (("--margin", "5"), "--roi"),
        (("--roi", "GTV", "--margin", "5", "--inside", "SpinalCord:4"), "SpinalCord"),
    ],
)
def test_what_cannot_be_grown_ends_in_one_line_and_writes_nothing(folder, tmp_path, arguments, why):
    with pytest.raises(InputError) as caught:
        run("margin", "grow", folder, *arguments, "--out", tmp_path / "rs.dcm")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "rs.dcm").exists()


def test_an_empty_result_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="nowhere thick enough"):
        run("margin", "shrink", folder, "--roi", "GTV", "--margin", "20", "--out", tmp_path / "rs.dcm")


def test_a_margin_past_the_end_of_the_image_is_said(folder, tmp_path):
    result = run("margin", "grow", folder, "--roi", "GTV", "--margin", "30", "--out", tmp_path / "rs.dcm")
    assert "image ends" in " ".join(result.output.split())


def test_a_recipe_is_made_and_listed_and_shown(folder, tmp_path):
    assert "ning2023-robotic" in run("target", "list").output
    assert "W25" in run("target", "show", "wang2025-bone").output
    out = tmp_path / "rs.dcm"
    run("target", "make", folder, "--recipe", "ning2023-robotic", "--gtv", "GTV", "--set", "margin=3", "--out", out)
    drawn = read_case(rtstruct=out).structures["PTV"]
    radius = np.linalg.norm(np.concatenate([c.points_mm for c in drawn.contours]) - [2, -1, 0.5], axis=1)
    assert np.abs(radius - 11).max() < 0.1


def test_an_expression_is_derived_and_written(folder, tmp_path):
    out = tmp_path / "rs.dcm"
    run("target", "derive", folder, "--expr", "(GTV + 8mm) - (GTV + 3mm)", "--name", "Ring", "--out", out)
    drawn = read_case(rtstruct=out).structures["Ring"]
    radius = np.linalg.norm(np.concatenate([c.points_mm for c in drawn.contours]) - [2, -1, 0.5], axis=1)
    assert np.minimum(np.abs(radius - 16), np.abs(radius - 11)).max() < 0.1


@pytest.mark.parametrize("form", ["nii.gz", "nrrd", "mha"])
def test_masks_and_dose_lie_where_they_lie_in_the_patient(folder, tmp_path, form):
    run("export", folder, "--roi", "GTV", "--roi", "GTV - SpinalCord", "--dose", "--out", tmp_path, "--format", form)
    mask = SimpleITK.ReadImage(str(tmp_path / f"GTV.{form}"))
    shape = SimpleITK.LabelShapeStatisticsImageFilter()
    shape.Execute(mask)
    np.testing.assert_allclose(shape.GetCentroid(1), [2, -1, 0.5], atol=0.15)
    assert shape.GetPhysicalSize(1) == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.03)
    dose = SimpleITK.ReadImage(str(tmp_path / f"dose_gy.{form}"))
    model = read_case(folder).dose
    np.testing.assert_allclose(dose.GetOrigin(), model.grid.origin_mm, atol=1e-4)
    np.testing.assert_allclose(SimpleITK.GetArrayFromImage(dose), model.values_gy, rtol=1e-6)
    assert (tmp_path / f"GTV_-_SpinalCord.{form}").exists()


def test_shares_of_voxels_sum_to_the_volume(folder, tmp_path):
    run("export", folder, "--roi", "GTV", "--values", "fraction", "--out", tmp_path)
    shares = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "GTV.nii.gz")))
    assert shares.sum() * 1.0 * 1.25 * 2.0 == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.01)


def test_export_without_a_wish_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="nothing to export"):
        run("export", folder, "--out", tmp_path)


def test_a_ring_lies_between_its_gap_and_its_margin(folder, tmp_path):
    out = tmp_path / "rs.dcm"
    run("margin", "ring", folder, "--roi", "GTV", "--gap", "2", "--margin", "5", "--name", "Ring", "--out", out)
    made = read_case(rtstruct=out).structures["Ring"]
    radius = np.linalg.norm(np.concatenate([c.points_mm for c in made.contours]) - [2, -1, 0.5], axis=1)
    # Keyholes join the two faces; all other points lie on one of them.
    on_a_face = np.minimum(np.abs(radius - 10), np.abs(radius - 13)) < 0.05
    assert on_a_face.mean() > 0.97
    assert compute_dvh(made, None).volume_cc == pytest.approx(4 / 3 * np.pi * (13**3 - 10**3) / 1000, rel=0.02)


def test_a_wall_is_what_shrinking_takes_away(folder, tmp_path):
    out = tmp_path / "rs.dcm"
    run("margin", "wall", folder, "--roi", "GTV", "--margin", "3", "--name", "Wall", "--out", out)
    wall = read_case(rtstruct=out).structures["Wall"]
    assert compute_dvh(wall, None).volume_cc == pytest.approx(4 / 3 * np.pi * (8**3 - 5**3) / 1000, rel=0.02)


def test_a_structure_thinner_than_two_walls_is_all_wall(folder, tmp_path):
    out = tmp_path / "rs.dcm"
    result = run("margin", "wall", folder, "--roi", "SpinalCord", "--margin", "6", "--out", out)
    assert "nowhere thicker" in " ".join(result.output.split())
    made, drawn = read_case(rtstruct=out).structures["SpinalCord wall"], read_case(folder).structures["SpinalCord"]
    assert compute_dvh(made, None).volume_cc == pytest.approx(compute_dvh(drawn, None).volume_cc, rel=1e-3)


def test_a_ring_without_room_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="leaves no ring"):
        run("margin", "ring", folder, "--roi", "GTV", "--gap", "5", "--margin", "5", "--out", tmp_path / "rs.dcm")


def test_a_barrier_that_holds_the_lesion_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="wholly inside the barrier"):
        run("margin", "grow", folder, "--roi", "GTV", "--margin", "5", "--barrier", "GTV", "--out", tmp_path / "rs.dcm")


def test_the_phases_of_an_itv_are_kept_beside_it(folder, tmp_path):
    out = tmp_path / "rs.dcm"
    run("target", "make", folder, "--recipe", "ning2023-robotic", "--gtv", "GTV", "--gtv", "SpinalCord", "--out", out)
    assert read_case(rtstruct=out).structures.names == ("GTV", "SpinalCord", "ITV", "PTV")


def test_an_empty_phase_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="no contours"):
        run(
            "target", "make", folder, "--recipe", "ning2023-robotic", "--gtv", "GTV & SpinalCord", "--gtv", "GTV",
            "--out", tmp_path / "rs.dcm",
        )  # fmt: skip


def test_a_name_by_number_is_written_as_the_set_has_it(folder, tmp_path):
    out = tmp_path / "rs.dcm"
    run("margin", "grow", folder, "--roi", "#3", "--margin", "5", "--out", out)
    assert read_case(rtstruct=out).structures.names == ("GTV + 5mm",)


def test_a_type_that_dicom_does_not_define_is_said(folder, tmp_path):
    out = tmp_path / "rs.dcm"
    odd = run("margin", "grow", folder, "--roi", "GTV", "--margin", "5", "--type", "PVT", "--out", out)
    assert "no interpreted type" in " ".join(odd.output.split())
    usual = run("margin", "grow", folder, "--roi", "GTV", "--margin", "5", "--type", "ptv", "--out", out)
    assert "no interpreted type" not in " ".join(usual.output.split())
