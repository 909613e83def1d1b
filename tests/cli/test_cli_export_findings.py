"""What an exported mask or a written structure set does not hold of what was drawn is told, in words and in JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
from made_sets import BOX, PLANES_MM, MadeSet, contour_item, ct_slices, polygon_at, structure_set


@pytest.fixture
def made(tmp_path) -> MadeSet:
    return MadeSet(tmp_path / "set")


def write(
    made: MadeSet, *, planes_mm=PLANES_MM, kind="CLOSED_PLANAR", corners=BOX, shift_mm=0.0, names=("PTV", "Organ")
):
    """Image and structure set; the PTV drawn with other corners, another kind of contour, or moved along x."""
    for number, data in enumerate(ct_slices(made.uids, z_mm=planes_mm)):
        made.write(f"image{number}", data)
    data = structure_set(made.uids)
    for roi, name in zip(data.StructureSetROISequence, names, strict=False):
        roi.ROIName = name
    drawn = next(item for item in data.ROIContourSequence if item.ReferencedROINumber == 3)
    moved = np.asarray(corners) + np.array([shift_mm, 0.0])
    drawn.ContourSequence = [contour_item(polygon_at(moved, z), kind) for z in PLANES_MM[1:-1]]
    made.write("structures", data)


def exported(dvhkit, made: MadeSet, *words: object):
    out = made.folder.parent / "out"
    ended = dvhkit("export", made.folder, "--out", out, "--json", made.folder.parent / "told.json", *words)
    assert ended.code == 0, ended.err
    document = json.loads((out / "manifest.json").read_text())
    assert document == json.loads((made.folder.parent / "told.json").read_text())
    return document, {f["code"]: f for f in document["findings"]}, ended.err


def test_a_whole_structure_is_exported_without_remarks_and_its_volume_is_told(dvhkit, made):
    write(made)
    document, found, _ = exported(dvhkit, made, "--roi", "PTV", "--values", "fraction")
    assert not found
    assert document["files"][0]["volume_cc"] == pytest.approx(22 * 14 * 21 / 1000, rel=1e-6)


def test_what_lies_beyond_the_image_is_told_with_both_volumes(dvhkit, made):
    write(made, shift_mm=45.0)
    _, found, err = exported(dvhkit, made, "--roi", "PTV", "--values", "fraction")
    # The image ends 48 mm from its middle: 13 of the 22 mm are left of it.
    assert "of 6.468 cc the file holds 3.822 cc" in found["export-cropped"]["message"]
    assert "beyond the grid" in err


def test_open_contours_bound_no_area(dvhkit, made):
    write(made, kind="OPEN_PLANAR")
    _, found, err = exported(dvhkit, made, "--roi", "PTV")
    assert "OPEN_PLANAR" in found["export-without-area"]["message"]
    assert "PTV" in err


def test_a_structure_smaller_than_a_voxel_is_told_and_its_share_kept(dvhkit, made):
    tiny = np.array([[0.1, 0.1], [0.7, 0.1], [0.7, 0.7], [0.1, 0.7]])
    write(made, corners=tiny)
    _, found, _ = exported(dvhkit, made, "--roi", "PTV")
    assert "--values fraction" in found["export-all-zero"]["message"]
    document, found, _ = exported(dvhkit, made, "--roi", "PTV", "--values", "fraction")
    assert not found
    assert document["files"][0]["volume_cc"] == pytest.approx(0.36 * 21 / 1000, rel=1e-4)


def test_an_image_of_one_slice_states_its_thickness_and_says_so(dvhkit, made):
    import SimpleITK

    write(made, planes_mm=PLANES_MM[4:5])
    document, found, _ = exported(dvhkit, made, "--roi", "PTV")
    assert "one plane" in found["export-single-plane"]["message"]
    image = SimpleITK.ReadImage(str(made.folder.parent / "out" / document["files"][0]["file"]))
    assert image.GetSpacing()[2] == pytest.approx(3.0)
    assert SimpleITK.GetArrayFromImage(image).any()


def test_names_that_make_one_file_name_are_told_apart_by_the_manifest(dvhkit, made):
    write(made, names=("PTV 1", "PTV/1"))
    document, _, _ = exported(dvhkit, made, "--roi", "PTV 1", "--roi", "PTV/1")
    files = {row["roi"]: row["file"] for row in document["files"]}
    assert files == {"PTV 1": "PTV_1.nii.gz", "PTV/1": "PTV_1_2.nii.gz"}
    assert all((made.folder.parent / "out" / name).is_file() for name in files.values())


def test_a_near_twin_of_a_name_is_told(dvhkit, made):
    write(made)
    out = made.folder.parent / "rs.dcm"
    words = ["--roi", "PTV", "--margin", "3", "--add", "--out", out, "--json", "-"]
    ended = dvhkit("margin", "grow", made.folder, "--name", "organ", *words)
    codes = {f["code"] for f in json.loads(ended.out)["findings"]}
    assert "name-near-twin" in codes
    ended = dvhkit("margin", "grow", made.folder, "--name", "Far", *words)
    assert "name-near-twin" not in {f["code"] for f in json.loads(ended.out)["findings"]}
