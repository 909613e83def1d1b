"""Readings of the same contours are filled and counted together where they are alike, as if each stood alone."""

import numpy as np
import pytest
from drawn_solids import dose, grid, polygon, sphere, structure

from dvhkit.engine.field import accumulate
from dvhkit.engine.field.accumulate import accumulated
from dvhkit.engine.field.alike import stands_for
from dvhkit.engine.field.courses import StepCourse
from dvhkit.engine.field.given import lattice_of
from dvhkit.engine.field.room import empty_layers
from dvhkit.engine.kernels.field.shared import add_layers
from dvhkit.engine.options import admissible, profile
from dvhkit.engine.solid.solid import Solid

ON = grid(spacing=(2.5, 2.0, 3.0), size=(24, 24, 24), origin=(-28.2, -23.1, -34.7))
OPTIONS = profile("reference")
READINGS = admissible(OPTIONS)
REFERENCE, PRISM, LEAN, FULL, UP, DOWN = range(6)
HEIGHTS = np.array([-12.0, -9.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 7.0, 10.0])
SHAPES = {
    "upright": [(z, polygon(9, 50)) for z in HEIGHTS],
    # Two legs that meet, and a part that ends half way up.
    "branching": [(z, polygon(4, 40, (x, 0))) for z in HEIGHTS[:5] for x in (-6, 6)]
    + [(z, polygon(12, 50)) for z in HEIGHTS[5:]]
    + [(z, polygon(2, 30, (0, 15))) for z in HEIGHTS[3:7]],
}


def round_dose():
    return dose(lambda x, y, z: 5 + 40 * np.exp(-((x - 3) ** 2 + y**2 + (z + 2) ** 2) / (2 * 9.0**2)), ON)


def numbers(dvh):
    doses = [dvh.dose_to_hottest_gy(part * dvh.covered_cc) for part in (0.99, 0.95, 0.5, 0.05, 0.01)]
    return [dvh.volume_cc, dvh.min_gy, dvh.max_gy, dvh.mean_gy, *doses]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_readings_counted_together_are_what_each_is_beside_the_first_alone(name):
    solid, given = Solid.of(structure(SHAPES[name]), grid=ON, options=OPTIONS), round_dose()
    together = accumulated(solid, [OPTIONS, *READINGS], given)[1]
    for reading, found in zip(READINGS, together[1:], strict=True):
        alone = accumulated(solid, [OPTIONS, reading], given)[1][1]
        # The same numbers are added in another order.
        np.testing.assert_allclose(numbers(found), numbers(alone), rtol=1e-9, err_msg=reading.profile)


def test_least_and_greatest_dose_are_the_same_with_upright_walls_beside_and_without():
    # Where cells are full in one solid only, or in both, what cut cells met is not forgotten.
    solid = Solid.of(sphere(4.0, 1.5, phase=0.3), grid=ON, options=OPTIONS)
    given = dose(lambda x, y, z: 20 + x * y / 9 + 0.5 * z + 0.05 * x**2, ON)
    alone, beside = accumulated(solid, [OPTIONS], given)[1][0], accumulated(solid, [OPTIONS, *READINGS], given)[1][0]
    assert (alone.min_gy, alone.max_gy) == (beside.min_gy, beside.max_gy)


def test_a_moved_solid_with_flat_ends_begins_as_the_lean_one_and_ends_as_the_full_one():
    solid = Solid.of(structure(SHAPES["upright"]), grid=ON, options=OPTIONS)
    solids = [solid, *(solid.under(own) for own in READINGS)]
    leads = stands_for(solids, lattice_of(solid, round_dose()))
    assert leads[0].tolist() == [REFERENCE, PRISM, LEAN, FULL, LEAN, FULL]
    assert leads[-1].tolist() == [REFERENCE, PRISM, LEAN, FULL, FULL, LEAN]


def test_more_shares_than_there_was_room_for_change_nothing(monkeypatch):
    solid, given = Solid.of(structure(SHAPES["branching"]), grid=ON, options=OPTIONS), round_dose()
    usual = accumulated(solid, [OPTIONS, *READINGS], given)[1]
    monkeypatch.setattr(accumulate, "_SHARES", 1)
    for found, wanted in zip(accumulated(solid, [OPTIONS, *READINGS], given)[1], usual, strict=True):
        assert numbers(found) == numbers(wanted)


def test_layers_are_added_whole_and_handed_back_empty():
    noise = np.random.default_rng(5)
    source, target = (empty_layers(4, 5, 3) for _ in range(2))
    for layers, first, last in ((source, 1, 3), (target, 2, 4)):
        layers.part[1, 2, first : last + 1] = noise.uniform(0.1, 1.0, last + 1 - first)
        layers.moment[1, 2, first : last + 1] = noise.uniform(0.1, 1.0, (last + 1 - first, 3))
        layers.run[1, 2, first : last + 2] = noise.uniform(-1.0, 1.0, (last + 2 - first, 2))
        layers.span[1, 2] = first, last
    wanted = [a + b for a, b in zip(source[:3], target[:3], strict=True)]
    kept = source.part.copy()
    add_layers(source, target, 3, 4, False)  # another layer: nothing there
    add_layers(source, target, 4, 5, True)
    for found, right in zip(target[:3], wanted, strict=True):
        np.testing.assert_array_equal(found, right)
    assert target.span[1, 2].tolist() == [1, 4]
    assert kept.any()
    assert not any(values.any() for values in source[:3])
    assert source.span[1, 2].tolist() == [5, -1]


def test_a_course_of_upright_walls_is_cut_at_planes_and_layers_and_holds_all_heights():
    solid = Solid.of(structure(SHAPES["upright"]), grid=ON, options=profile("prism"))
    lattice = lattice_of(solid, round_dose())
    slabs = StepCourse(solid, lattice).slabs
    np.testing.assert_allclose(slabs.lo_mm[1:], slabs.hi_mm[:-1], atol=1e-9)
    assert slabs.hi_mm[-1] - slabs.lo_mm[0] == pytest.approx(float((solid.hi_mm - solid.lo_mm).sum()))
    edges = lattice.layer_edges_mm
    assert (edges[slabs.layer] <= slabs.lo_mm + 1e-9).all()
    assert (slabs.hi_mm <= edges[slabs.layer + 1] + 1e-9).all()
    assert (np.abs(0.5 * (slabs.lo_mm + slabs.hi_mm) - solid.stack.offsets_mm[slabs.owner]) <= 1.5 + 1e-9).all()
