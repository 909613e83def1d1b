"""`dvhkit ctv vertebra` and `dvhkit ctv check` on DICOM files, from the GTV to the written CTV and back."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import seg_objects as seg
import SimpleITK as sitk  # noqa: N813
from typer.testing import CliRunner

from dvhkit.cli.vertebra.ctv import ctv_app
from dvhkit.errors import InputError
from dvhkit.outputs.pictures.letters import words_mask
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomImage, PhantomSet, axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.phantoms.vertebra import CANAL_NUMBER, PART_NUMBER, VertebraPhantom
from dvhkit.readers.rtstruct import read_structures
from dvhkit.targets.vertebra.anatomy.grid import filled_by, voxel_volume_cc
from dvhkit.targets.vertebra.labels.names import structure_name
from dvhkit.targets.vertebra.rules import Compartment

PHANTOM = VertebraPhantom(tilt_deg=(10, 5, 3), centre_mm=(6.0, -4.0, 2.0))
GRID = axial_grid(shape_zyx=(42, 128, 134), spacing_xyz_mm=(1.05, 1.05, 3.0))
PLANES = GRID.origin_mm[2] + GRID.offsets_mm


def read_rtstruct(path):
    structures, _ = read_structures(path)
    return structures


def run(*arguments):
    return CliRunner().invoke(ctv_app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    lesions = (
        ("GTV_body", Compartment.BODY, 6.0),
        ("GTV_pedicle", Compartment.PEDICLE_L, 2.5),
        ("GTV_lamina", Compartment.LAMINA_R, 2.6),
    )
    beside = np.add(PHANTOM.centre_mm, (55.0, 0.0, 0.0))
    far = structure("GTV_far", 40, sphere(beside, 4.0), PLANES, rt_roi_type="GTV")
    gtvs = [
        structure(name, number, sphere(PHANTOM.middle_of(part), radius), PLANES, rt_roi_type="GTV")
        for number, (name, part, radius) in enumerate(lesions, start=30)
    ]
    # Only the whole vertebra and the canal: the compartments must be found.
    drawn = [s for s in PHANTOM.structures(PLANES) if s.name in ("zVert_L03", "SpinalCanal")]
    drawn = [replace(s, number=n) for n, s in enumerate(drawn, start=1)]
    target = tmp_path_factory.mktemp("spine")
    write_set(target, PhantomSet(label="spine", structures=(*drawn, *gtvs, far), image=PhantomImage(grid=GRID)))
    return target


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "ctv.dcm"
    result = run(
        "vertebra", folder, "--gtv", "GTV_lamina", "--name", "CTV_L3", "--out", out, "--compartments", "--json", "-"
    )
    assert result.exit_code == 0, result.output + str(result.exception)
    return out, json.loads(result.stdout)


@pytest.mark.parametrize("more", [(), ("--vertebra", "L3"), ("--vertebra", "zVert_L03")])
def test_a_gtv_wholly_outside_the_vertebra_is_refused_and_writes_nothing(folder, tmp_path, more):
    out = tmp_path / "ctv.dcm"
    result = run("vertebra", folder, "--gtv", "GTV_far", *more, "--out", out)
    assert isinstance(result.exception, InputError)
    assert re.search("no vertebra|lies wholly outside the vertebra|touches none", str(result.exception))
    assert not out.exists()


def test_a_name_of_another_level_is_a_finding_and_the_right_name_none(folder):
    codes = {}
    for name in ("CTV_L2", "CTV_L3"):
        result = run("vertebra", folder, "--gtv", "GTV_lamina", "--name", name, "--json", "-")
        codes[name] = [f["code"] for f in json.loads(result.stdout)["findings"]]
    assert "name-of-other-level" in codes["CTV_L2"]
    assert "name-of-other-level" not in codes["CTV_L3"]


def test_result_says_where_the_tumour_is_and_what_the_rule_wants(made):
    _, document = made
    (level,) = document["levels"]
    assert level["level"] == "L03"
    assert level["compartments_from"] == "geometry"
    assert level["involved"] == ["lamina_R"]
    assert level["required"] == ["pedicle_R", "transverse_R", "lamina_R", "spinous"]
    assert level["rules"] == ["R3"]
    held = {c["compartment"]: c["gtv_cc"] for c in level["compartments"]}
    assert held["lamina_R"] == pytest.approx(document["gtv_cc"] - document["outside_cc"], rel=0.05)


def test_written_ctv_is_the_phantoms_own_compartments(made):
    out, document = made
    written = read_rtstruct(out)
    ctv = written["CTV_L3"]
    assert ctv.rt_roi_type == "CTV"
    field = filled_by(ctv, GRID)
    truth = PHANTOM.labels_on(GRID)
    wanted = np.isin(truth, [PART_NUMBER[Compartment(c)] for c in document["levels"][0]["required"]])
    made_voxels = field >= 0.5
    assert 2 * np.count_nonzero(made_voxels & wanted) / (np.count_nonzero(made_voxels) + wanted.sum()) > 0.9
    assert np.sum(field * voxel_volume_cc(GRID)) == pytest.approx(document["ctv_cc"], rel=0.02)
    # No bone of the canal, no bone of the body.
    for number in (CANAL_NUMBER, PART_NUMBER[Compartment.BODY]):
        assert np.mean(field[truth == number]) < 0.03
    assert {"zLam_L03_R", "zSP_L03", "VB_L03"} <= set(written.names)


def test_written_ctv_holds_the_whole_gtv(made, folder):
    out, _ = made
    gtv = filled_by(read_rtstruct(next(folder.glob("RTSTRUCT*")))["GTV_lamina"], GRID)
    ctv = filled_by(read_rtstruct(out)["CTV_L3"], GRID)
    # Coordinates are written to a tenth of a micrometre.
    assert np.max(gtv - ctv) < 1e-3


def test_a_ctv_made_by_rule_passes_the_check_and_another_fails(folder, made, tmp_path):
    out, _ = made
    both = tmp_path / "both"
    both.mkdir()
    drawn = read_rtstruct(out)["CTV_L3"]
    old = list(read_rtstruct(next(folder.glob("RTSTRUCT*"))))
    poor = replace(old[-1], name="CTV_poor", number=41, rt_roi_type="CTV")
    structures = (*old, replace(drawn, number=40), poor)
    write_set(both, PhantomSet(label="spine", structures=structures, image=PhantomImage(grid=GRID)))
    good = run("check", both, "--gtv", "GTV_lamina", "--ctv", "CTV_L3", "--json", "-")
    assert good.exit_code == 0, good.output
    document = json.loads(good.stdout)
    assert document["verdict"] == "pass"
    covered = {c["compartment"]: c for c in document["levels"][0]["coverage"]}
    assert covered["spinous"]["covered_frac"] > 0.95
    assert covered["body"]["role"] == "not required"
    told = tmp_path / "check.json"
    bad = run("check", both, "--gtv", "GTV_lamina", "--ctv", "CTV_poor", "--json", told)
    assert bad.exit_code == 1
    assert json.loads(told.read_text(encoding="utf-8"))["verdict"] == "fail"
    assert "required by V3(R)" in bad.stdout


def test_the_check_asks_for_what_was_chosen(folder):
    # Grown from the pedicle alone, the spinous process is the oncologist's choice.
    arguments = ("check", folder, "--gtv", "GTV_pedicle", "--ctv", "GTV_pedicle", "--json", "-")
    (level,) = json.loads(run(*arguments, "--include", "spinous").stdout)["levels"]
    assert {c["compartment"]: c["role"] for c in level["coverage"]}["spinous"] == "required by choice"
    assert "sectors" not in level


@pytest.mark.slow
def test_the_check_by_the_consensus_tells_of_its_sectors(folder, tmp_path):
    told = tmp_path / "check.json"
    shown = run(
        *("check", folder, "--gtv", "GTV_pedicle", "--ctv", "GTV_pedicle"),
        *("--profile", "isrc-cox2012", "--json", told),
    ).stdout
    (level,) = json.loads(told.read_text(encoding="utf-8"))["levels"]
    assert [s["sector"] for s in level["sectors"]][3:] == ["transverse_lamina_L", "transverse_lamina_R", "spinous"]
    assert "sector transverse_lamina_L: required" in shown


def test_labels_stand_in_for_drawn_vertebrae(folder, tmp_path):
    labels = np.where((PHANTOM.labels_on(GRID) % CANAL_NUMBER) > 0, 29, 0).astype(np.uint8)
    image = sitk.GetImageFromArray(labels)
    image.SetOrigin((GRID.origin_mm + GRID.offsets_mm[0] * GRID.normal).tolist())
    image.SetSpacing((*GRID.spacing_mm.tolist(), GRID.plane_spacing_mm))
    path = tmp_path / "seg.nii.gz"
    sitk.WriteImage(sitk.DICOMOrient(image, "RAS"), str(path))
    arguments = ("vertebra", folder, "--gtv", "GTV_body", "--labels", path, "--json", "-")
    refused = run(*arguments)
    assert isinstance(refused.exception, InputError)
    assert "--label-table" in str(refused.exception)
    result = run(*arguments, "--label-table", "totalsegmentator")
    assert result.exit_code == 0, result.output + str(result.exception)
    (level,) = json.loads(result.stdout)["levels"]
    assert (level["level"], level["required"]) == ("L03", ["body"])


def frame_of(folder):
    return read_rtstruct(next(folder.glob("RTSTRUCT*")))["GTV_body"].frame_of_reference_uid


def test_a_dicom_seg_beside_the_plan_needs_no_table_where_its_segments_bear_names(folder, tmp_path):
    bone = (PHANTOM.labels_on(GRID) % CANAL_NUMBER) > 0
    both = Path(shutil.copytree(folder, tmp_path / "case"))
    path = seg.save(seg.seg_object(GRID, {1: ("vertebrae_L3", bone)}, frame_uid=frame_of(folder)), both / "seg.dcm")
    result = run("vertebra", both, "--gtv", "GTV_lamina", "--labels", path, "--json", "-")
    assert result.exit_code == 0, result.output + str(result.exception)
    (level,) = json.loads(result.stdout)["levels"]
    assert (level["level"], level["compartments_from"]) == ("L03", "geometry")
    assert level["required"] == ["pedicle_R", "transverse_R", "lamina_R", "spinous"]


def test_compartments_named_in_a_dicom_seg_are_taken_as_they_are(folder, tmp_path):
    labels = PHANTOM.labels_on(GRID)
    # The spinous process is said to begin elsewhere than geometry would have it.
    spinous = labels == PART_NUMBER[Compartment.SPINOUS]
    spinous[1::2] = False
    parts = {n: labels == n for part, n in PART_NUMBER.items() if part is not Compartment.SPINOUS}
    parts[PART_NUMBER[Compartment.SPINOUS]] = spinous
    parts[PART_NUMBER[Compartment.LAMINA_L]] |= (labels == PART_NUMBER[Compartment.SPINOUS]) & ~spinous
    segments = {n: (structure_name(part, "L03"), parts[n]) for part, n in PART_NUMBER.items()}
    path = seg.save(seg.seg_object(GRID, segments, frame_uid=frame_of(folder)), tmp_path / "parts")
    result = run("vertebra", folder, "--gtv", "GTV_lamina", "--labels", path, "--json", "-")
    assert result.exit_code == 0, result.output + str(result.exception)
    (level,) = json.loads(result.stdout)["levels"]
    assert (level["level"], level["compartments_from"]) == ("L03", "labels")
    volumes = {c["compartment"]: c["volume_cc"] for c in level["compartments"]}
    voxel_cc = float(voxel_volume_cc(GRID).max())
    for part, n in PART_NUMBER.items():
        assert volumes[part.value] == pytest.approx(np.count_nonzero(parts[n]) * voxel_cc)


def test_the_source_is_never_overwritten(folder):
    source = next(folder.glob("RTSTRUCT*"))
    before = source.read_bytes()
    result = run("vertebra", folder, "--gtv", "GTV_body", "--out", source)
    assert result.exit_code != 0
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--gtv", "GTV_bodi"), "GTV_body"),
        (("--gtv", "GTV_body", "--vertebra", "L4"), "L03"),
        (("--gtv", "GTV_body", "--include", "spinous"), "cannot be chosen"),
        (("--gtv", "GTV_body", "--vertebra", "SpinalCanal"), "canal"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_error(folder, arguments, fragment):
    result = run("vertebra", folder, *arguments)
    assert isinstance(result.exception, InputError)
    assert fragment in str(result.exception)


@pytest.fixture(scope="module")
def pictures(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("pictures")
    for target in (out / "ctv.svg", out / "ctv.png"):
        result = run("vertebra", folder, "--gtv", "GTV_lamina", "--picture", target)
        assert result.exit_code == 0, result.output + str(result.exception)
    return ElementTree.fromstring((out / "ctv.svg").read_text(encoding="utf-8")), out / "ctv.png"


def test_picture_shows_the_parts_and_tells_the_rules(pictures):
    texts = [element.text or "" for element in pictures[0].iter("{http://www.w3.org/2000/svg}text")]
    assert "L03 lamina_R" in texts
    assert "required by V3(R)" in texts
    assert len(list(pictures[0].iter("{http://www.w3.org/2000/svg}image"))) == 2


def test_png_holds_the_cuts_of_the_svg_and_the_rules_in_words(pictures, tmp_path):
    svg, png = pictures
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(png)))
    cuts = list(svg.iter("{http://www.w3.org/2000/svg}image"))
    assert len(cuts) == 2
    for cut in cuts:
        x, y, width, height = (int(cut.get(key)) for key in ("x", "y", "width", "height"))
        inner = tmp_path / "cut.png"
        inner.write_bytes(b64decode(cut.get("href").split(",")[1]))
        there = pixels[y : y + height, x : x + width]
        assert np.array_equal(there, sitk.GetArrayFromImage(sitk.ReadImage(str(inner))))
        # The red of the GTV and the black of the CTV are in either.
        assert {(200, 0, 0), (0, 0, 0)} <= {tuple(c) for c in np.unique(there.reshape(-1, 3), axis=0).tolist()}
    beside = np.all(pixels[:, x + width :] < 100, axis=2)
    for words in ("L03 lamina_R", "required by V3(R)", "body", "transverse_L", "In the CTV"):
        assert holds(beside, words_mask(words)), words
    assert not holds(beside, words_mask("required by V9(R)"))


def holds(ink, words):
    """Whether a text stands somewhere, exactly: as much ink as its own, and none on its background."""
    rows = np.flatnonzero(words.any(axis=1))
    words = words[rows[0] : rows[-1] + 1]
    windows = np.lib.stride_tricks.sliding_window_view(ink, words.shape)
    # Only places where the first column with ink matches are looked at whole.
    first = int(np.flatnonzero(words.any(axis=0))[0])
    near = np.argwhere(np.all(windows[:, :, :, first] == words[:, first], axis=2))
    return any(np.array_equal(windows[k, i], words) for k, i in near)


def test_report_holds_cuts_rules_compartments_and_choices(folder, tmp_path):
    target = tmp_path / "deep" / "report.html"
    arguments = ("vertebra", folder, "--gtv", "GTV_pedicle", "--include", "spinous", "--report", target)
    assert run(*arguments).exit_code == 0
    html = target.read_text(encoding="utf-8")
    for words in ("CTV made by rule", "required by V2(L)", "taken in by choice", "transverse_R", "wang2025-lamina"):
        assert words in html
    # An axial and a sagittal cut, and no address but those of the pictures inside.
    assert html.count('src="data:image/png;base64,') == 2
    assert "http" not in re.sub(r"http-equiv", "", html)


def test_report_of_a_check_tells_its_verdict(folder, tmp_path):
    target = tmp_path / "report.html"
    result = run("check", folder, "--gtv", "GTV_pedicle", "--ctv", "GTV_pedicle", "--report", target)
    assert result.exit_code == 1
    html = target.read_text(encoding="utf-8")
    assert "GTV_pedicle lacks a required compartment" in html
    assert "Covered" in html


def test_a_picture_of_another_kind_is_refused(folder, tmp_path):
    result = run("vertebra", folder, "--gtv", "GTV_body", "--picture", tmp_path / "a.jpg")
    assert isinstance(result.exception, InputError)
