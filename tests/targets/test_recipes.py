"""Target recipes: the shipped ones hold their sources' numbers, chains are built, faults name their line."""

import numpy as np
import pytest
from minkowski_truth import all_points

from dvhkit.errors import InputError
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Box, sphere
from dvhkit.targets.derive.recipe import itv_of, make_targets
from dvhkit.targets.derive.recipe_file import RecipeError, load_recipe, recipe_paths

PLANES = np.arange(-30, 31) * 2.0 + 0.6
GTV = structure("GTV", 1, sphere((0, 0, 0), 10), PLANES, rt_roi_type="GTV")
# (recipe, setting): least, greatest, and what discretion allows; from the three source papers.
RANGES = {
    ("wang2025-soft-tissue", "margin"): (2, 5, None),
    ("wang2025-bone", "ctv_margin"): (5, 10, 3),
    ("wang2025-bone", "margin"): (2, 5, None),
    ("ning2023-imrt", "ctv_margin"): (10, 10, None),
    ("ning2023-imrt", "ap"): (6, 8, None),
    ("ning2023-imrt", "lr"): (5, 7, None),
    ("ning2023-imrt", "cc"): (8, 10, None),
    ("ning2023-robotic", "margin"): (3, 5, None),
}


def test_every_shipped_recipe_loads_and_cites_its_source():
    assert set(recipe_paths()) == {recipe for recipe, _ in RANGES}
    for name in recipe_paths():
        recipe = load_recipe(name)
        assert recipe.id == name
        assert recipe.sources
        assert all(s.source and s.status == "P" for s in recipe.settings)


@pytest.mark.parametrize(("recipe", "setting"), RANGES)
def test_shipped_ranges_are_those_of_the_papers(recipe, setting):
    found = next(s for s in load_recipe(recipe).settings if s.name == setting)
    assert (found.low, found.high, found.allowed_low) == RANGES[recipe, setting]


def test_the_imrt_recipe_builds_ctv_and_ptv_by_axis():
    ctv, ptv = make_targets(load_recipe("ning2023-imrt"), {"gtv": GTV}, settings={"lr": 5})
    assert (ctv.structure.name, ctv.structure.rt_roi_type) == ("CTV", "CTV")
    assert (ptv.structure.name, ptv.structure.rt_roi_type) == ("PTV", "PTV")
    assert np.abs(np.linalg.norm(all_points(ctv.structure), axis=1) - 20).max() < 0.05
    points = all_points(ptv.structure)
    assert points[:, 0].max() == pytest.approx(25, abs=0.1)
    assert points[:, 1].max() == pytest.approx(28, abs=0.1)
    assert ptv.how == "CTV + [L=5,R=5,A=8,P=8,S=10,I=10]"
    assert ctv.findings == ()


def test_a_bone_ctv_stays_inside_the_bone_and_never_cuts_the_lesion():
    bone = structure("Femur", 2, Box(centre_mm=(0, 8, 0), size_mm=(60, 30, 80)), PLANES)
    ctv, _ = make_targets(load_recipe("wang2025-bone"), {"gtv": GTV, "bone": bone})
    points = all_points(ctv.structure)
    # The bone ends at y = -7 and the lesion reaches -10.
    assert points[:, 1].min() == pytest.approx(-10, abs=0.1)
    assert points[:, 1].max() == pytest.approx(15, abs=0.1)
    beyond = points[points[:, 1] < -7.1]
    assert np.abs(np.linalg.norm(beyond, axis=1) - 10).max() < 0.05


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"ctv_margin": 4}, "recipe-at-discretion"), ({"margin": 9}, "recipe-out-of-range"), ({}, "recipe-not-cropped")],
)
def test_what_leaves_the_recipe_is_said(settings, code):
    made = make_targets(load_recipe("wang2025-bone"), {"gtv": GTV}, settings=settings)
    assert code in {f.code for d in made for f in d.findings}


@pytest.mark.parametrize(
    ("roles", "settings", "why"),
    [
        ({}, {}, "needs a structure for 'gtv'"),
        ({"gtv": GTV, "bone": GTV}, {}, "no role 'bone'"),
        ({"gtv": GTV}, {"ctv": 3}, "no setting 'ctv'"),
        ({"gtv": GTV}, {"margin": -3}, "zero or more"),
        ({"gtv": structure("E", 3, sphere((0, 0, 900), 5), PLANES)}, {}, "no contours"),
    ],
)
def test_what_cannot_be_built_is_refused(roles, settings, why):
    with pytest.raises(InputError, match=why):
        make_targets(load_recipe("ning2023-robotic"), roles, settings=settings)


def test_an_itv_is_the_union_of_the_phases():
    phases = [structure(f"GTV_{n}", n, sphere((4.0 * n, 0, 0), 6), PLANES) for n in range(3)]
    itv = itv_of(phases)
    assert itv.how == "GTV_0 | GTV_1 | GTV_2"
    assert itv.structure.rt_roi_type == "ITV"
    points = all_points(itv.structure)
    assert (points[:, 0].min(), points[:, 0].max()) == (pytest.approx(-6, abs=0.1), pytest.approx(14, abs=0.1))


GOOD = """\
id: mine
version: "1"
title: Mine
sources: [{key: X, citation: My clinic}]
roles:
  gtv: {title: lesion, required: true}
settings:
  margin: {title: GTV to PTV, default: 5, low: 3, high: 7, source: X, status: B}
steps:
  - {name: PTV, type: PTV, from: gtv, margin: margin}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        ("default: 5", "default: 9", 8, "range"),
        ("default: 5", "default: five", 8, "length"),
        ("status: B", "status: Z", 8, "status"),
        ("from: gtv", "from: ctv", 10, "neither a role"),
        ("margin: margin}", "margin: other}", 10, "no setting"),
        ("type: PTV", "type: TARGET", 10, "type"),
        ("required: true", "required: maybe", 6, "true or false"),
        ("steps:", "stages:", 9, "unknown"),
    ],
)
def test_a_broken_recipe_names_file_and_line(tmp_path, old, new, line, why):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    assert load_recipe(path).id == "mine"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(RecipeError, match=why) as caught:
        load_recipe(path)
    assert caught.value.where == f"line {line}"


def test_a_misspelt_recipe_is_answered_with_the_nearest():
    with pytest.raises(RecipeError) as caught:
        load_recipe("ning2023-imr")
    assert "ning2023-imrt" in str(caught.value)
