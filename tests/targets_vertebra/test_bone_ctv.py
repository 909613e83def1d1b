"""Margins along bone: against balls in blocks, bones side by side, and a breach."""

from __future__ import annotations

import json
from dataclasses import replace
from math import pi

import numpy as np
import pytest
from typer.testing import CliRunner

from dvhkit.cli.vertebra.ctv import ctv_app
from dvhkit.errors import InputError
from dvhkit.model.structure import Structure
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomImage, PhantomSet, axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Box, sphere
from dvhkit.readers.rtstruct import read_structures
from dvhkit.targets.derive.bone import bone_ctv, check_bone_ctv

PLANES = np.arange(-40.0, 40.1, 2.0)


def ball(name, centre, radius_mm):
    return structure(name, 1, sphere(centre, radius_mm), PLANES, rt_roi_type="GTV")


def box(name, low, high):
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    planes = PLANES[(low[2] < PLANES) & (high[2] > PLANES)]
    made = Box(centre_mm=tuple((low + high) / 2), size_mm=tuple(high - low))
    return structure(name, 2, made, planes)


def joined(name, *boxes):
    return Structure(number=2, name=name, contours=tuple(c for b in boxes for c in b.contours))


def ball_cc(radius_mm):
    return 4 / 3 * pi * radius_mm**3 / 1000


BLOCK = box("Femur", (-31, -31, -31), (31, 31, 31))


@pytest.mark.parametrize("margin_mm", [5.0, 8.0])
def test_inside_a_large_bone_the_ctv_is_the_gtv_grown(margin_mm):
    gtv = ball("GTV", (0, 0, 0), 9.0)
    made = bone_ctv(gtv, BLOCK, intra_mm=margin_mm)
    # Prisms of 2 mm slices hold the ball's volume to a few per mille; margins to 0.1 mm are 3 per cent of it.
    assert made.ctv_cc == pytest.approx(ball_cc(9.0 + margin_mm), rel=0.03)
    assert made.extra_mm is None
    assert made.breach_cc == pytest.approx(0, abs=1e-6)
    assert made.cut_off_cc < 0.01


def test_at_the_surface_the_bone_cuts_the_margin_and_that_is_no_shortfall():
    gtv = ball("GTV", (20, 0, 0), 10.5)
    made = bone_ctv(gtv, BLOCK, intra_mm=6.0)
    inside = np.concatenate([c.points_mm for c in made.structure.contours])
    assert inside[:, 0].max() < 31.05
    check = check_bone_ctv(gtv, made.structure, BLOCK, least_mm=6.0)
    assert check.verdict == "pass"
    assert check.covered_frac > 0.98
    # Bone beyond the CTV begins at the margin, as near as voxels of 1 x 1 x 2 mm tell.
    assert check.least_mm == pytest.approx(6.0, abs=1.0)


def test_another_bone_nearby_is_not_taken_in():
    own = box("Femur", (-31, -31, -31), (10, 31, 31))
    other = box("Pelvis", (12.5, -31, -31), (31, 31, 31))
    both = joined("Bones", own, other)
    gtv = ball("GTV", (0, 0, 0), 9.0)
    made = bone_ctv(gtv, both, intra_mm=8.0)
    points = np.concatenate([c.points_mm for c in made.structure.contours])
    assert points[:, 0].max() < 11.0
    assert made.cut_off_cc > 0.3
    assert "bone-not-reached" in {f.code for f in made.flags}


def test_only_a_breach_brings_a_margin_outside_the_bone():
    bone = box("Ilium", (-31, -31, -31), (4, 31, 31))
    gtv = ball("GTV", (0, 0, 0), 9.0)
    made = bone_ctv(gtv, bone, intra_mm=5.0, extra_mm=5.0)
    points = np.concatenate([c.points_mm for c in made.structure.contours])
    assert made.extra_mm == 5.0
    # A cap of height 5 of a ball of 9.
    assert made.breach_cc == pytest.approx(pi * 25 * (27 - 5) / 3 / 1000, rel=0.05)
    assert points[:, 0].max() == pytest.approx(14.0, abs=0.3)
    assert points[:, 0].min() == pytest.approx(-14.0, abs=0.3)
    assert "bone-breach" in {f.code for f in made.flags}


def test_a_short_margin_is_measured_along_the_bone():
    gtv = ball("GTV", (0, 0, 0), 9.0)
    drawn = bone_ctv(gtv, BLOCK, intra_mm=4.0)
    assert "bone-margin-discretion" in {f.code for f in drawn.flags}
    check = check_bone_ctv(gtv, drawn.structure, BLOCK, least_mm=8.0)
    assert check.verdict == "fail"
    assert check.least_mm == pytest.approx(4.0, abs=1.0)
    assert check.missing_cc == pytest.approx(ball_cc(17.0) - ball_cc(13.0), rel=0.05)


def test_what_makes_no_sense_is_refused():
    gtv = ball("GTV", (0, 0, 0), 5.0)
    with pytest.raises(InputError, match="margin"):
        bone_ctv(gtv, BLOCK, intra_mm=-1.0)
    with pytest.raises(InputError, match="touch"):
        bone_ctv(gtv, box("Rib", (20, -31, -31), (31, 31, 31)))
    with pytest.raises(InputError, match="empty"):
        bone_ctv(gtv, Structure(number=3, name="Bone", contours=()))


def test_the_command_makes_writes_and_checks_it(tmp_path):
    grid = axial_grid(shape_zyx=(40, 90, 90), spacing_xyz_mm=(1.0, 1.0, 2.0), first_xyz_mm=(-45, -45, -40))
    drawn = (replace(ball("GTV", (0, 0, 0), 9.0), number=1), replace(BLOCK, number=2))
    write_set(tmp_path / "in", PhantomSet(label="bone", structures=drawn, image=PhantomImage(grid=grid)))
    out = tmp_path / "out.dcm"
    arguments = ["bone", str(tmp_path / "in"), "--gtv", "GTV", "--bone", "Femur", "--intra", "7", "--out", str(out)]
    result = CliRunner().invoke(ctv_app, [*arguments, "--json", "-"])
    assert result.exit_code == 0, result.output + str(result.exception)
    document = json.loads(result.stdout)
    assert document["ctv_cc"] == pytest.approx(ball_cc(16.0), rel=0.03)
    assert document["extra_mm"] is None
    made, _ = read_structures(out)
    all_three = (*drawn, replace(made["CTV_bone"], number=3))
    write_set(tmp_path / "all", PhantomSet(label="bone", structures=all_three, image=PhantomImage(grid=grid)))
    check = ["check-bone", str(tmp_path / "all"), "--gtv", "GTV", "--ctv", "CTV_bone", "--bone", "Femur", "--least"]
    assert CliRunner().invoke(ctv_app, [*check, "7"]).exit_code == 0
    assert CliRunner().invoke(ctv_app, [*check, "10"]).exit_code == 1


@pytest.mark.parametrize(
    ("margin_mm", "reading"), [(1.5, "below"), (3.8, "at discretion"), (7.0, "within"), (14.0, "beyond")]
)
def test_a_drawn_margin_is_read_by_the_rule_and_not_by_what_was_asked_for(margin_mm, reading):
    # Voxels of 2 mm tell a margin to a millimetre: each of these lies further from the limits of 3, 5 and 10 mm.
    gtv, drawn = ball("GTV", (0, 0, 0), 8.0), ball("CTV", (0, 0, 0), 8.0 + margin_mm)
    assert check_bone_ctv(gtv, drawn, BLOCK, least_mm=5.0).reading == reading
