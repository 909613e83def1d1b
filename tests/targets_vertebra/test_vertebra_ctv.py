"""From a GTV to the CTV and back: involvement, extension, choices, and the check of a CTV that was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from dvhkit.errors import InputError
from dvhkit.model.structure import StructureSet
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.phantoms.vertebra import CANAL_NUMBER, PART_NUMBER, VertebraPhantom
from dvhkit.targets.vertebra.check import PartVerdict, check_ctv
from dvhkit.targets.vertebra.ctv import plan_ctv
from dvhkit.targets.vertebra.labels.label_maps import LabelMap, load_label_table
from dvhkit.targets.vertebra.profiles import load_profile
from dvhkit.targets.vertebra.rules import Compartment, Extent
from dvhkit.targets.vertebra.scene import build_scene
from dvhkit.targets.vertebra.source import LabelSource

PHANTOM = VertebraPhantom(tilt_deg=(12, 6, 4), centre_mm=(4.0, -3.0, 1.0))
GRID = axial_grid(shape_zyx=(44, 130, 136), spacing_xyz_mm=(1.0, 1.1, 3.0))
PLANES = GRID.origin_mm[2] + GRID.offsets_mm
P = Compartment


@pytest.fixture(scope="module")
def drawn():
    return {s.name: s for s in PHANTOM.structures(PLANES)}


def lesion(centre, radius_mm=3.0, name="GTV"):
    return structure(name, 90, sphere(centre, radius_mm), PLANES, rt_roi_type="GTV")


def scene_of(structures, gtv, **options):
    return build_scene(StructureSet(structures=(*structures, gtv)), gtv, image_grid=GRID, **options)


def compartments(drawn):
    return [s for name, s in drawn.items() if not name.startswith("zVert")]


def whole(drawn):
    return [drawn["zVert_L03"]]


EXPECTED = {
    P.BODY: {P.BODY},
    P.PEDICLE_L: {P.PEDICLE_L, P.TRANSVERSE_L, P.LAMINA_L},
    P.TRANSVERSE_R: {P.PEDICLE_R, P.TRANSVERSE_R, P.LAMINA_R},
    P.LAMINA_R: {P.PEDICLE_R, P.TRANSVERSE_R, P.LAMINA_R, P.SPINOUS},
    P.SPINOUS: {P.SPINOUS, P.LAMINA_L, P.LAMINA_R},
}


@pytest.mark.parametrize(
    ("source", "part"),
    [
        *((compartments, part) for part in EXPECTED),
        (whole, P.PEDICLE_L),
        *(pytest.param(whole, part, marks=pytest.mark.slow) for part in EXPECTED if part is not P.PEDICLE_L),
    ],
)
def test_a_lesion_in_one_compartment_gives_the_ctv_of_the_rule(drawn, part, source):
    gtv = lesion(PHANTOM.middle_of(part), 2.5)
    plan = plan_ctv(scene_of(source(drawn), gtv), load_profile())
    (level,) = plan.levels
    assert level.vertebra.level == "L03"
    assert set(level.involvement.involved) == {part}
    assert set(level.outcome.target) == EXPECTED[part]
    # Against the phantom's own compartments, voxel by voxel.
    truth = PHANTOM.labels_on(plan.scene.grid)
    wanted = np.isin(truth, [PART_NUMBER[p] for p in EXPECTED[part]])
    made = plan.ctv >= 0.5
    dice = 2 * np.count_nonzero(made & wanted) / (np.count_nonzero(made) + np.count_nonzero(wanted))
    assert dice > (0.97 if source is compartments else 0.85)


def test_drawn_compartments_share_out_the_gtv_without_loss(drawn):
    gtv = lesion(PHANTOM.to_patient([15.5, -9.0, 4.0]), 7.0)
    plan = plan_ctv(scene_of(compartments(drawn), gtv), load_profile())
    (level,) = plan.levels
    held = sum(p.gtv_cc for p in level.involvement.parts)
    assert {P.BODY, P.PEDICLE_L} <= set(level.involvement.involved)
    assert held + plan.outside_cc == pytest.approx(plan.gtv_cc, rel=0.02)
    assert sum(p.gtv_frac for p in level.involvement.parts) == pytest.approx(held / plan.gtv_cc)


def test_a_graze_is_shown_and_does_not_count(drawn):
    # A ball that reaches 0.4 mm over the border of the compartment: less than a hundredth of a cc.
    gtv = lesion(PHANTOM.to_patient([0.0, 43.0 + 4.0 - 0.4, -11.0]), 4.0)
    plan = plan_ctv(scene_of(compartments(drawn), gtv, levels=["L3"]), load_profile())
    (level,) = plan.levels
    assert level.involvement.involved == ()
    assert level.involvement.grazed == (P.SPINOUS,)
    assert "nothing-involved" not in {f.code for f in level.outcome.flags}
    assert Extent.OUTSIDE in level.involvement.extents


def test_tumour_in_the_canal_stays_in_the_ctv_and_asks_for_review(drawn):
    gtv = lesion(PHANTOM.to_patient([0.0, -10.0, 0.0]), 8.0)
    plan = plan_ctv(scene_of(compartments(drawn), gtv), load_profile())
    assert plan.canal_cc > 0.1
    assert np.all(plan.ctv >= plan.scene.gtv - 1e-12)
    assert "gtv-outside-bone" in {f.code for f in plan.levels[0].outcome.flags}
    # The rest of the canal is free.
    canal_only = (PHANTOM.labels_on(plan.scene.grid) == CANAL_NUMBER) & (plan.scene.gtv == 0)
    assert np.mean(plan.ctv[canal_only]) < 0.02


def test_an_optional_part_is_taken_in_only_by_choice(drawn):
    gtv = lesion(PHANTOM.middle_of(P.PEDICLE_L))
    scene = scene_of(compartments(drawn), gtv)
    without, with_it = (plan_ctv(scene, load_profile(), include=chosen) for chosen in ((), (P.SPINOUS,)))
    assert with_it.levels[0].outcome.included == (P.SPINOUS,)
    spinous = next(p.volume_cc for p in without.levels[0].involvement.parts if p.compartment is P.SPINOUS)
    assert with_it.ctv_cc - without.ctv_cc == pytest.approx(spinous, rel=0.03)
    with pytest.raises(InputError, match="body"):
        plan_ctv(scene, load_profile(), include=(P.BODY,))


def test_a_check_names_what_is_missing_extra_and_why(drawn):
    gtv = lesion(PHANTOM.middle_of(P.LAMINA_L), 2.5)
    scene = scene_of(compartments(drawn), gtv)
    plan = plan_ctv(scene, load_profile())
    (good,) = check_ctv(plan, plan.ctv)
    assert good.verdict is PartVerdict.PASS
    parts = scene.vertebrae[0].parts
    window = scene.vertebrae[0].window
    drawn_ctv = plan.ctv.copy()
    drawn_ctv[window] = np.clip(drawn_ctv[window] - parts[P.SPINOUS], 0, 1)
    drawn_ctv[window] = np.maximum(drawn_ctv[window], parts[P.BODY])
    (bad,) = check_ctv(plan, drawn_ctv)
    by_part = {p.compartment: p for p in bad.parts}
    assert bad.verdict is PartVerdict.FAIL
    assert by_part[P.SPINOUS].verdict is PartVerdict.FAIL
    assert by_part[P.SPINOUS].why == "required by V3(L)"
    assert by_part[P.SPINOUS].covered_frac < 0.05
    assert by_part[P.BODY].verdict is PartVerdict.EXTRA
    assert by_part[P.LAMINA_L].verdict is PartVerdict.PASS


@pytest.mark.parametrize(
    ("kept", "verdict"), [(0.97, PartVerdict.PASS), (0.90, PartVerdict.REVIEW), (0.70, PartVerdict.FAIL)]
)
def test_limits_of_coverage(drawn, kept, verdict):
    gtv = lesion(PHANTOM.middle_of(P.BODY), 4.0)
    scene = scene_of(compartments(drawn), gtv)
    plan = plan_ctv(scene, load_profile())
    (level,) = check_ctv(plan, plan.ctv * kept)
    body = level.parts[0]
    # The canal, traced on its own, takes a hair of the body's back wall.
    assert body.covered_frac == pytest.approx(kept, abs=1e-4)
    assert level.verdict is body.verdict is verdict


def test_a_chosen_part_counts_in_the_check_as_a_required_one_does(drawn):
    scene = scene_of(compartments(drawn), lesion(PHANTOM.middle_of(P.PEDICLE_L)))
    bare = plan_ctv(scene, load_profile())
    chosen = plan_ctv(scene, load_profile(), include=(P.SPINOUS,))
    assert check_ctv(bare, bare.ctv)[0].verdict is PartVerdict.PASS
    (short,), (whole,) = check_ctv(chosen, bare.ctv), check_ctv(chosen, chosen.ctv)
    missing, held = (next(p for p in level.parts if p.compartment is P.SPINOUS) for level in (short, whole))
    assert (short.verdict, missing.verdict, missing.role) == (PartVerdict.FAIL, PartVerdict.FAIL, "required by choice")
    assert missing.why == "left to the oncologist by V2(L); taken in by choice"
    assert (whole.verdict, held.verdict) == (PartVerdict.PASS, PartVerdict.PASS)


def test_sectors_of_the_consensus_are_its_compartments_merged(drawn):
    scene = scene_of(compartments(drawn), lesion(PHANTOM.middle_of(P.PEDICLE_L), 2.5))
    plan = plan_ctv(scene, load_profile("isrc-cox2012"))
    kept = plan.ctv.copy()
    (vertebra,) = scene.vertebrae
    # Half of the lamina is missing, all of the transverse process is there.
    kept[vertebra.window] -= 0.5 * vertebra.parts[P.LAMINA_L]
    (level,) = check_ctv(plan, np.clip(kept, 0, 1))
    parts, sectors = {p.compartment: p for p in level.parts}, {s.sector: s for s in level.sectors}
    assert len(sectors) == 6
    assert sorted(c for s in level.sectors for c in s.compartments) == sorted(P)
    volumes = {p: float(np.sum(vertebra.parts[p])) for p in (P.TRANSVERSE_L, P.LAMINA_L)}
    expected = sum(parts[p].covered_frac * v for p, v in volumes.items()) / sum(volumes.values())
    merged = sectors["transverse_lamina_L"]
    assert merged.covered_frac == merged.asked_frac == pytest.approx(expected)
    assert parts[P.LAMINA_L].covered_frac < merged.covered_frac < parts[P.TRANSVERSE_L].covered_frac
    assert (merged.role, merged.verdict) == ("required", PartVerdict.FAIL)
    assert (sectors["pedicle_L"].verdict, sectors["spinous"].role) == (PartVerdict.PASS, "not required")
    assert check_ctv(plan_ctv(scene, load_profile()), kept)[0].sectors == ()


def test_a_sector_of_which_a_part_is_asked_for_is_judged_by_that_part(drawn):
    # Tumour on the left of the body: of the sector of transverse process and lamina only the former is required.
    centre = PHANTOM.middle_of(P.BODY) + np.array([11.0, 0.0, 0.0])
    plan = plan_ctv(scene_of(whole(drawn), lesion(centre, 4.0)), load_profile("isrc-cox2012"))
    assert {P.PEDICLE_L, P.TRANSVERSE_L} <= set(plan.levels[0].outcome.required)
    assert P.LAMINA_L not in plan.levels[0].outcome.required
    (level,) = check_ctv(plan, plan.ctv)
    merged = next(s for s in level.sectors if s.sector == "transverse_lamina_L")
    assert merged.asked_frac > 0.99 > 0.8 > merged.covered_frac
    assert merged.verdict is PartVerdict.PASS


def test_a_ctv_all_round_the_canal_gets_the_advice(drawn):
    gtv = lesion(PHANTOM.middle_of(P.BODY), 4.0)
    scene = scene_of(compartments(drawn), gtv)
    plan = plan_ctv(scene, load_profile())
    everything = np.ones(scene.grid.shape_zyx)
    assert "circumferential-ctv" in {f.code for f in check_ctv(plan, everything)[0].flags}
    assert "circumferential-ctv" not in {f.code for f in check_ctv(plan, plan.ctv)[0].flags}


def test_a_gtv_away_from_every_vertebra_is_refused(drawn):
    gtv = lesion((-40.0, -45.0, -40.0))
    with pytest.raises(InputError, match="vertebra"):
        scene_of(compartments(drawn), gtv)


def test_without_an_image_a_grid_is_laid_over_the_contours(drawn):
    gtv = lesion(PHANTOM.middle_of(P.PEDICLE_R), 2.5)
    both = StructureSet(structures=(*compartments(drawn), gtv))
    plan = plan_ctv(build_scene(both, gtv, image_grid=None), load_profile())
    assert set(plan.levels[0].involvement.involved) == {P.PEDICLE_R}


@pytest.mark.slow
def test_two_levels_are_judged_each_by_itself(drawn):
    upper = VertebraPhantom(centre_mm=(4.0, -3.0, 41.0))
    grid = axial_grid(shape_zyx=(60, 130, 136), spacing_xyz_mm=(1.0, 1.1, 3.0), first_xyz_mm=(-67.5, -71.0, -66.0))
    labels = np.where(PHANTOM.labels_on(grid) % CANAL_NUMBER > 0, 22, 0)
    labels[(upper.labels_on(grid) % CANAL_NUMBER > 0) & (labels == 0)] = 21
    source = LabelSource(
        table=load_label_table("tptbox"), levels=LabelMap(grid=grid, labels=labels, path="labels.nii.gz")
    )
    body_low, body_up = np.array(PHANTOM.middle_of(P.BODY)), np.array(upper.middle_of(P.BODY))
    planes = grid.origin_mm[2] + grid.offsets_mm
    gtv = structure("GTV", 90, sphere(tuple(0.5 * (body_low + body_up)), 14.0), planes, rt_roi_type="GTV")
    scene = build_scene(StructureSet(structures=(gtv,)), gtv, image_grid=grid, labels=source)
    plan = plan_ctv(scene, load_profile())
    assert {r.vertebra.level for r in plan.levels} == {"L02", "L03"}
    for result in plan.levels:
        assert P.BODY in result.involvement.involved
        (window,) = [v.window for v in scene.vertebrae if v.level == result.vertebra.level]
        assert np.all(plan.ctv[window][np.asarray(result.vertebra.parts[P.BODY], dtype=bool)] > 0.99)
    with pytest.raises(InputError, match="at any level"):
        plan_ctv(scene, load_profile(), include=(P.SPINOUS,))


@pytest.mark.slow
def test_sub_region_labels_decide_what_they_know(drawn):
    truth = PHANTOM.labels_on(GRID)
    regions = np.zeros_like(truth)
    for part, number in {
        P.BODY: 50,
        P.PEDICLE_L: 41,
        P.PEDICLE_R: 41,
        P.LAMINA_L: 41,
        P.LAMINA_R: 41,
        P.TRANSVERSE_L: 43,
        P.TRANSVERSE_R: 44,
        P.SPINOUS: 42,
    }.items():
        regions[truth == PART_NUMBER[part]] = number
    source = LabelSource(
        table=load_label_table("tptbox"),
        levels=LabelMap(grid=GRID, labels=np.where(regions > 0, 22, 0), path="l.nii.gz"),
        regions=LabelMap(grid=GRID, labels=regions, path="r.nii.gz"),
    )
    gtv = lesion(PHANTOM.middle_of(P.TRANSVERSE_L))
    scene = build_scene(StructureSet(structures=(gtv,)), gtv, image_grid=GRID, labels=source)
    (vertebra,) = scene.vertebrae
    own = PHANTOM.labels_on(scene.grid)[vertebra.window]
    for part in (P.BODY, P.TRANSVERSE_L, P.TRANSVERSE_R, P.SPINOUS):
        assert np.array_equal(vertebra.parts[part], own == PART_NUMBER[part])
    assert set(plan_ctv(scene, load_profile()).levels[0].involvement.involved) == {P.TRANSVERSE_L}


@pytest.mark.slow
def test_a_neighbour_that_cannot_be_cut_does_not_matter_unless_the_gtv_touches_it(drawn):
    labels = np.where(PHANTOM.labels_on(GRID) % CANAL_NUMBER > 0, 22, 0)
    points_z = GRID.origin_mm[2] + GRID.offsets_mm
    # A block of another label right above the lesion, with no arch at all.
    centre = np.array(PHANTOM.middle_of(P.BODY))
    above = (points_z > centre[2] + 4.5) & (points_z < centre[2] + 12)
    labels[above] = 21
    source = LabelSource(
        table=load_label_table("tptbox"), levels=LabelMap(grid=GRID, labels=labels, path="labels.nii.gz")
    )
    gtv = lesion(tuple(centre), 2.5)
    scene = build_scene(
        StructureSet(structures=(gtv, drawn["SpinalCanal"])), gtv, image_grid=GRID, levels=(), labels=source
    )
    assert [v.level for v in scene.vertebrae] == ["L03"]
    with pytest.raises(InputError, match="L02"):
        build_scene(StructureSet(structures=(gtv,)), gtv, image_grid=GRID, levels=("L2",), labels=source)
