"""Masks enter a case as its structures: NIfTI by name, a DICOM SEG beside or instead of a structure set."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

import dvhkit
from dvhkit.cli.app import app
from dvhkit.errors import InputError, LinkError

sys.path.append(str(Path(__file__).parents[1] / "targets_vertebra"))
from seg_objects import save, seg_object

RADIUS_MM = 14.0


@pytest.fixture(scope="module")
def demo(demo_case_dir):
    return dvhkit.read_case(demo_case_dir)


@pytest.fixture(scope="module")
def ball(demo):
    """Voxels of the demo's image in a ball round the middle of its PTV."""
    grid = demo.image.grid
    middle = np.concatenate([c.points_mm for c in demo.structures["PTV"].contours]).mean(axis=0)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape_zyx), indexing="ij"), axis=-1)
    along = grid.offsets_mm[index[..., 0], None] * grid.normal
    steps = index[..., [2, 1]] * grid.spacing_mm
    points = grid.origin_mm + along + steps @ grid.axes[:2]
    return np.linalg.norm(points - middle, axis=-1) <= RADIUS_MM


@pytest.fixture(scope="module")
def nifti(demo, ball, tmp_path_factory):
    grid = demo.image.grid
    steps = [*grid.spacing_mm, grid.plane_spacing_mm]
    to_lps = np.column_stack([grid.axes.T * np.array(steps), grid.origin_mm + grid.offsets_mm[0] * grid.normal])
    affine = np.vstack([np.diag([-1.0, -1.0, 1.0]) @ to_lps, [0, 0, 0, 1]])
    path = tmp_path_factory.mktemp("nifti") / "ball.nii.gz"
    nibabel.save(nibabel.Nifti1Image(ball.astype(np.uint8).transpose(2, 1, 0), affine), path)
    return path


@pytest.fixture(scope="module")
def without_rtstruct(demo, demo_case_dir, tmp_path_factory):
    """The demo's files without its structure set."""
    folder = tmp_path_factory.mktemp("plan") / "case"
    shutil.copytree(demo_case_dir, folder, ignore=shutil.ignore_patterns(demo.structures.path.name))
    return folder


@pytest.fixture(scope="module")
def with_seg(demo, ball, without_rtstruct, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seg") / "case"
    shutil.copytree(without_rtstruct, folder)
    data = seg_object(demo.image.grid, {1: ("PTV", ball)}, frame_uid=demo.image.frame_of_reference_uid)
    save(data, folder / "SEG.dcm")
    return folder


def volume_cc(case, roi):
    return dvhkit.evaluate_metric(case, roi, "Volume[cc]").value


def mask_cc(demo, ball):
    return ball.sum() * np.prod(demo.image.grid.spacing_mm) * demo.image.grid.plane_spacing_mm / 1000.0


def test_a_mask_is_a_structure_beside_those_of_the_structure_set(demo, ball, demo_case_dir, nifti):
    case = dvhkit.read_case(demo_case_dir, masks={"GTV_seen": nifti})
    assert case.structures.names == (*demo.structures.names, "GTV_seen")
    assert case.structures["GTV_seen"].rt_roi_type == "GTV"
    assert case.structures["GTV_seen"].number > max(s.number for s in demo.structures)
    # Half a slice at either end is what a solid of contours and one of voxels may differ by.
    assert volume_cc(case, "GTV_seen") == pytest.approx(mask_cc(demo, ball), rel=0.03)
    assert dvhkit.evaluate_metric(case, "GTV_seen", "Mean[Gy]").value > 0
    assert [s.path for s in case.sources if s.role == "MASK"] == [nifti]


def test_the_command_takes_a_mask_by_name_without_a_structure_set(without_rtstruct, nifti):
    words = ["dvh", str(without_rtstruct), "--mask", f"GTV={nifti}", "--metric", "Volume[cc]", "--json", "-"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    (row,) = json.loads(ended.stdout)["rows"]
    assert (row["roi"], row["value"] > 0) == ("GTV", True)


def test_a_segmentation_stands_for_a_structure_set_that_is_not_there(demo, ball, with_seg):
    case = dvhkit.read_case(with_seg)
    assert case.structures.names == ("PTV",)
    assert case.dose is not None
    assert case.plan is not None
    assert "structures-from-segmentation" in {f.code for f in case.findings}
    assert volume_cc(case, "PTV") == pytest.approx(mask_cc(demo, ball), rel=0.03)
    (files,) = dvhkit.find_cases(with_seg)
    assert files.problem is None


def test_a_segmentation_beside_a_structure_set_enters_by_option_alone(demo, demo_case_dir, with_seg):
    both = with_seg.parent / "both"
    shutil.copytree(with_seg, both)
    shutil.copy(demo.structures.path, both)
    assert dvhkit.read_case(both).structures.names == demo.structures.names
    case = dvhkit.read_case(both, seg=both / "SEG.dcm")
    assert case.structures.names == (*demo.structures.names, "PTV_mask")
    assert "mask-renamed" in {f.code for f in case.findings}


def test_an_audit_takes_masks_too(without_rtstruct, nifti, tmp_path):
    rule = "{id: V, structure: GTV, metric: 'Volume[cc]', goal: '>= 1 cc'}"
    (tmp_path / "p.yaml").write_text(f'id: p\nversion: "1"\ntitle: t\nrules:\n  - {rule}\n')
    words = ["audit", str(without_rtstruct), "--protocol", str(tmp_path / "p.yaml"), "--out", str(tmp_path / "out")]
    CliRunner().invoke(app, [*words, "--mask", f"GTV={nifti}", "--no-pictures"])
    (case,) = json.loads((tmp_path / "out" / "audit.json").read_text())["cases"]
    assert [(row["roi"], row["verdict"]) for row in case["rules"]] == [("GTV", "pass")]


def test_what_cannot_be_meant_is_refused(demo_case_dir, with_seg, nifti, demo, ball, tmp_path):
    with pytest.raises(InputError, match="there already"):
        dvhkit.read_case(demo_case_dir, masks={"PTV": nifti})
    with pytest.raises(InputError, match="no such file"):
        dvhkit.read_case(demo_case_dir, masks=[f"GTV={tmp_path / 'none.nii'}"])
    stranger = save(seg_object(demo.image.grid, {1: ("X", ball)}, frame_uid="1.2.9"), tmp_path / "seg.dcm")
    with pytest.raises(LinkError, match="another frame"):
        dvhkit.read_case(demo_case_dir, seg=stranger)
    no_image = tmp_path / "no_image"
    shutil.copytree(demo_case_dir, no_image, ignore=shutil.ignore_patterns("CT_*"))
    with pytest.raises(InputError, match="planning image"):
        dvhkit.read_case(no_image, masks={"X": nifti})


def test_a_margin_check_takes_masks(demo_case_dir, nifti):
    words = ["margin", "check", str(demo_case_dir), "--mask", f"GTVm={nifti}", "--inner", "GTV", "--outer", "GTVm"]
    ended = CliRunner().invoke(app, [*words, "--json", "-"])
    pair = json.loads(ended.stdout)
    assert (pair["inner"], pair["outer"]) == ("GTV", "GTVm")
