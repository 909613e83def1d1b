"""Margins of shapes that bend, branch, lie tilted, have holes: against closed forms of their distance.

Contours are drawn from nodes 0.15 mm apart, which cuts sharp corners by up to a tenth of a millimetre; that, and what
no slice shows, sets the limits below. Slices lie at any phase.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from signed_distance_truth import areas, ball, box, capsule, cylinder, drawn, rotated, torus, united, without
from skimage.measure import find_contours

from dvhkit.engine.combine import combine
from dvhkit.engine.dvh import compute_dvh
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import Contour, Structure
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.phantoms.shapes import ring_area_mm2
from dvhkit.targets.derive.margin import grow, shrink
from dvhkit.targets.derive.margin_sizes import Margins

TILTED = rotated((1, 0.3, 0), 35)
LYING = rotated((0, 1, 0), 90)
BRANCHES = united(
    capsule((0, 0, -20), (0, 0, 0), 6), capsule((0, 0, 0), (12, 0, 15), 5), capsule((0, 0, 0), (-12, 0, 15), 5)
)


def heights(gap_mm, phase_mm):
    z = np.arange(-30, 31) * gap_mm + phase_mm
    return z[np.abs(z) < 45]


@cache
def contours_of(name, gap_mm):
    return drawn(SHAPES[name], heights(gap_mm, 0.3 * gap_mm))


SHAPES = {
    "lying cylinder": cylinder((0, 0, 0), 8, 24, LYING),
    "upright torus": torus((0, 0, 0), 18, 6),
    "lying torus": torus((0, 0, 0), 18, 6, LYING),
    "hole that closes": torus((0, 0, 0), 9, 5),
    "two balls side by side": united(ball((-9, 0, 0), 7), ball((9, 0, 1), 7)),
    "two balls above each other": united(ball((0, 0, -9), 7), ball((0, 0, 9), 7)),
    "branches": BRANCHES,
    "tilted capsule": capsule((-10, 0, -12), (10, 5, 12), 5),
    "shell": without(ball((0, 0, 0), 18), ball((0, 0, 0), 12)),
    "shell that fills": without(ball((0, 0, 0), 12), ball((0, 0, 0), 4)),
    "tilted box": box((0, 0, 0), (20, 16, 24), TILTED),
}


# Name; how far the worst point in twenty may lie off; on average; the sum of the areas in percent.
GROWN = [
    ("lying cylinder", 0.1, 0.03, 0.5),
    ("upright torus", 0.1, 0.03, 0.5),
    # Where two parts merge between slices, their levels tell less of the saddle than of the volume.
    ("lying torus", 0.2, 0.03, 0.5),
    ("hole that closes", 0.1, 0.03, 0.5),
    ("two balls side by side", 0.1, 0.03, 0.5),
    ("two balls above each other", 0.1, 0.03, 0.5),
    ("branches", 0.1, 0.03, 0.5),
    ("tilted capsule", 0.1, 0.03, 0.5),
    ("shell", 0.1, 0.03, 0.5),
    ("shell that fills", 0.1, 0.03, 0.5),
    # A corner between two slices is drawn on neither: a chord cuts up to half a millimetre off it.
    ("tilted box", 0.5, 0.08, 1.5),
]


@pytest.mark.parametrize(("name", "p95_mm", "mean_mm", "area_pct"), GROWN, ids=[g[0] for g in GROWN])
def test_shapes_grow_by_five_millimetres(name, p95_mm, mean_mm, area_pct):
    made = grow(contours_of(name, 2.0), 5.0).structure
    _check(made, lambda p: SHAPES[name](p) - 5.0, p95_mm, mean_mm, area_pct)


@pytest.mark.parametrize(
    ("name", "area_pct"),
    [("lying cylinder", 1.0), ("upright torus", 1.5), ("tilted box", 1.0), ("tilted capsule", 2.5)],
)
def test_shapes_shrink_by_three_millimetres(name, area_pct):
    made = shrink(contours_of(name, 2.0), 3.0).structure
    _check(made, lambda p: SHAPES[name](p) + 3.0, 0.15, 0.04, area_pct)


def _check(made, truth, p95_mm, mean_mm, area_pct):
    points = np.concatenate([c.points_mm for c in made.contours])
    middles = np.concatenate([(c.points_mm + np.roll(c.points_mm, 1, axis=0)) / 2 for c in made.contours])
    off_mm = np.abs(truth(np.concatenate([points, middles])))
    assert np.percentile(off_mm, 95) <= p95_mm
    assert off_mm.mean() <= mean_mm
    found = sum(ring_area_mm2(c.points_mm[:, :2]) for c in made.contours)
    assert found == pytest.approx(areas(truth, heights(2.0, 0.6)).sum(), rel=area_pct / 100)


def test_a_step_between_two_slices_lies_half_way_as_planning_systems_have_it():
    step = united(box((0, 0, -8), (30, 20, 16)), box((-10, 0, 8), (10, 20, 16)))
    z = np.arange(-20, 21) * 2.0 + 1.0
    made = grow(drawn(step, z), 4.0).structure
    points = np.concatenate([c.points_mm for c in made.contours])
    over_the_step = points[(points[:, 0] > 2) & (np.abs(points[:, 1]) < 5) & (points[:, 2] > 0)]
    # The lower box's lid lies at 0, and what is grown from it at 4 mm.
    assert over_the_step[:, 2].max() == pytest.approx(3.0)
    off_mm = np.abs(step(points) - 4.0)[np.abs(points[:, 2]) < 15]
    assert np.percentile(off_mm, 95) < 0.12


@pytest.mark.parametrize("gap_mm", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("phase_mm", [0.0, 0.4])
def test_an_ellipsoid_lying_askew_grows_alike_at_any_slice_distance(gap_mm, phase_mm):
    turn = rotated((0.2, 1, 0.4), 40)
    axes = np.array([8.0, 13.0, 11.0])
    along = turn @ np.diag(axes)

    def level(p):
        return np.linalg.norm(p @ turn / axes, axis=-1) - 1.0

    made = grow(drawn(level, heights(gap_mm, phase_mm), half_mm=19.0), 6.0).structure
    points = np.concatenate([c.points_mm for c in made.contours])[::7]
    i = np.arange(60_000) + 0.5
    polar, azimuth = np.arccos(1 - 2 * i / 60_000), np.pi * (1 + 5**0.5) * i
    unit = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], axis=1)
    surface = unit @ along.T
    nearest = np.sqrt(np.array([((surface - p) ** 2).sum(axis=1).min() for p in points]))
    # Surface points lie 0.15 mm apart: at 6 mm that is 0.001 mm.
    assert np.abs(nearest - 6.0).max() < 0.1


def test_six_margins_of_a_tilted_box_reach_as_far_as_their_support_says():
    margins = Margins(left_mm=4, right_mm=7, anterior_mm=3, posterior_mm=8, superior_mm=6, inferior_mm=5)
    made = grow(contours_of("tilted box", 2.0), margins).structure
    points = np.concatenate([c.points_mm for c in made.contours])
    turn = np.radians(np.arange(0, 360, 5))
    n = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    up, down = np.array([4, 8, 6]), np.array([7, 3, 5])
    body = np.linalg.norm(np.where(n > 0, up, down) * n, axis=1)
    truth = np.abs(n @ TILTED) @ (np.array([20, 16, 24]) / 2) + body
    reached = (points @ n.T).max(axis=0)
    # A direction is reached farthest at a corner, which lies between slices of 2 mm; edges run off from it at up to
    # 1.4 mm a millimetre, so that a chord cuts up to 1 mm off it, half of which the slices beside tell.
    assert (truth - reached).max() < 1.0
    assert np.median(truth - reached) < 0.5
    assert (reached - truth).max() < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_ragged_pieces_with_holes_and_gaps_grow_and_shrink_on_every_slice(seed):
    """Level sets of noise: nothing is known of them but that the grown one holds the drawn, and that the shrunk."""
    noise = np.random.default_rng(seed)
    field = gaussian_filter(noise.normal(size=(30, 44, 44)), noise.uniform(2, 4))
    field = field / field.std() + 2 * (0.9 - np.hypot(*(np.indices((44, 44)) - 21.5)) / 16)
    contours = []
    for z in range(3, 27, 3):
        for ring in find_contours(np.pad(field[z], 1, constant_values=-9.0), 0.0):
            points = np.column_stack([ring[:-1, ::-1], np.full(len(ring) - 1, z)])
            contours += [Contour(points_mm=np.round(points, 2))] if len(points) > 3 else []
    ragged = Structure(number=1, name="S", contours=tuple(contours))
    sides = dict(zip(Margins.isotropic(0).by_side(), noise.uniform(0.2, 8, 6), strict=True))
    bigger, smaller = grow(ragged, Margins(**sides)).structure, shrink(ragged, Margins(**sides)).structure
    assert combine("-", ragged, bigger, name="cut").is_empty or _cc(combine("-", ragged, bigger, name="cut")) < 0.002
    assert smaller.is_empty or _cc(combine("-", smaller, ragged, name="out")) < 0.002
    assert _cc(bigger) > _cc(ragged)


def _cc(structure):
    return compute_dvh(structure, None, slice_spacing_mm=3.0).volume_cc


def test_a_lone_wider_gap_that_the_image_has_too_is_bridged():
    z = np.array([-14, -12, -10, -8, -6, -4, -2, 2, 4, 6, 8, 10, 12, 14], float)
    gap = drawn(ball((0, 0, 0), 12), z, half_mm=15)
    grid = axial_grid(shape_zyx=(14, 60, 60), spacing_xyz_mm=(1.0, 1.0, 2.0), first_xyz_mm=(-30.0, -30.0, -14.0))
    image = ImageSeries(
        modality="CT", series_instance_uid="1", frame_of_reference_uid="1", grid=replace(grid, offsets_mm=z - z[0]),
        slice_thickness_mm=2.0, largest_gap_mm=4.0, patient_position="HFS", sop_instance_uids=(), paths=(),
    )  # fmt: skip
    made = grow(gap, 5.0, image=image)
    assert "slice-missing" not in {f.code for f in made.findings}
    points = np.concatenate([c.points_mm for c in made.structure.contours])
    assert np.abs(np.linalg.norm(points, axis=1) - 17).max() < 0.1
    assert "slice-missing" in {f.code for f in grow(gap, 5.0).findings}
