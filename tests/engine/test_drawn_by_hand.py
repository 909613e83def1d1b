"""Contours as people draw and files round them: islands, skipped slices, near copies, rounded heights, few slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_solids import dose, grid, polygon
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.engine.contours.chains import separate
from dvhkit.engine.contours.heights import SAME_PLANE_FRAC
from dvhkit.engine.contours.planes import stack_planes
from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.rasterise import volume_on_grid
from dvhkit.findings import Level
from dvhkit.model.drawn_slices import with_slices_of_set
from dvhkit.model.grid import Grid
from dvhkit.model.slices import slices_of_image
from dvhkit.model.structure import Contour, Structure

# One mesh of cells is not another: the same solid alone and beside another one differs by this share.
MESH = 4e-3


def ring(x, y, radius, z, n=48):
    return np.column_stack([polygon(radius, n, (x, y)), np.full(n, float(z))])


def ball(x, y, z, radius, planes):
    return [ring(x, y, np.sqrt(radius**2 - (w - z) ** 2), w) for w in planes if abs(w - z) < radius - 1e-6]


def ball_cc(radius):
    return 4 / 3 * np.pi * radius**3 / 1000


def drawn(rings, *, turn=None, image=None, uids=None, name="S"):
    uids = uids or [""] * len(rings)
    points = [r if turn is None else r @ turn.T for r in rings]
    contours = tuple(Contour(points_mm=p, image_uid=u) for p, u in zip(points, uids, strict=True))
    slices = None if image is None else image_slices(image, None if turn is None else turn.T)
    return Structure(number=1, name=name, contours=contours, slices=slices)


def image_slices(planes, axes=None, uids=()):
    axes = np.eye(3) if axes is None else axes
    grid = Grid(
        origin_mm=axes[2] * planes[0],
        axes=axes,
        spacing_mm=np.array([1.0, 1.5]),
        offsets_mm=np.asarray(planes) - planes[0],
        n_rows=4,
        n_columns=5,
    )
    return slices_of_image(grid, uids)


def codes(dvh):
    return {f.code for f in dvh.findings}


def tilted(a, b):
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


def other_planes(kind, planes, gap):
    if kind == "skipped":
        return np.delete(planes, np.abs(planes - 3.0).argmin())
    every = {"second": 2, "third": 3}.get(kind, 1)
    shift = 0.4 * gap if kind == "shifted" else 0.0
    return np.arange(-40.0, 40.0, 1.7 * gap) if kind == "other" else planes[::every] + shift


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["same", "second", "third", "skipped", "shifted", "other"]),
    gap=st.sampled_from([1.5, 2.5, 4.0]),
    phase=st.floats(0.0, 0.9),
    shift=st.floats(-4.0, 4.0),
    with_image=st.booleans(),
    turn=st.sampled_from([None, tilted(0.3, 0.4)]),
)
def test_islands_add_up_whatever_planes_either_is_drawn_on(kind, gap, phase, shift, with_image, turn):
    planes = np.arange(-40.0, 40.0, gap) + phase * gap
    one = ball(-31.0, 3.0, 1.3, 17.0, planes)
    other = ball(29.0, -5.0, shift, 14.0, other_planes(kind, planes, gap))
    image = planes if with_image else None
    alone = [compute_dvh(drawn(rings, turn=turn, image=image), None) for rings in (one, other)]
    both = compute_dvh(drawn(one + other, turn=turn, image=image), None)
    assert both.volume_cc == pytest.approx(sum(dvh.volume_cc for dvh in alone), rel=MESH)
    # Planes of either that all but fall together are merged; what else is odd is odd of either.
    assert codes(both) - {"planes-merged"} == codes(alone[0]) | codes(alone[1])


def test_each_island_is_named_where_its_slices_are_missing():
    planes = np.arange(-30.0, 31.0, 2.0)
    one, other = ball(-35, 0, 0, 20, planes), ball(35, 0, 0, 20, np.delete(planes, 17))
    (finding,) = compute_dvh(drawn(one + other, image=planes), None).findings
    assert finding.code == "slice-missing"
    assert "island about x 35, y 0" in finding.message


def test_an_island_on_every_second_slice_is_whole_and_its_band_reaches_the_other_reading():
    planes = np.arange(-30.0, 31.0, 2.0)
    both = drawn(ball(-35, 0, 0, 20, planes) + ball(35, 0, 0, 20, planes[::2]), image=planes)
    dvh = compute_dvh(both, None, with_band=True)
    assert dvh.volume_cc == pytest.approx(2 * ball_cc(20), rel=5e-3)
    assert codes(dvh) == {"slices-skipped"}
    assert min(v.volume_cc for v in dvh.variants) < 1.52 * ball_cc(20)


def test_islands_with_holes_and_a_third_one_add_up():
    planes = np.arange(-30.0, 31.0, 2.0)
    rings = [
        *ball(-50, 0, 0, 18, planes),
        *ball(-50, 0, 0, 10, planes),
        *ball(0, 0, 3, 15, planes[::2]),
        *ball(0, 0, 3, 8, planes[::2]),
        *ball(45, 5, -4, 12, planes[::3]),
    ]
    right = ball_cc(18) - ball_cc(10) + ball_cc(15) - ball_cc(8) + ball_cc(12)
    assert compute_dvh(drawn(rings, image=planes), None).volume_cc == pytest.approx(right, rel=5e-3)


def test_a_mask_of_islands_adds_up_as_their_dvh_does():
    planes = np.arange(-20.0, 21.0, 2.0)
    grid = Grid(
        origin_mm=np.array([-40.0, -20.0, -20.0]),
        axes=np.eye(3),
        spacing_mm=np.array([2.0, 1.5]),
        offsets_mm=np.arange(21) * 2.0,
        n_rows=27,
        n_columns=41,
    )
    islands = drawn(ball(-22, 0, 0, 12, planes) + ball(22, 0, 0, 12, planes[::2]))
    assert volume_on_grid(islands, grid).sum() * 6.0 / 1000 == pytest.approx(2 * ball_cc(12), rel=1e-2)


def test_a_branch_that_skips_slices_is_filled_in_and_told():
    planes = np.arange(-30.0, 31.0, 2.0)
    trunk = [ring(0, 0, 12, z) for z in planes if z <= 0]
    left, right = ([ring(x, 0, 8, z) for z in planes if z > 0] for x in (-14, 14))
    whole = compute_dvh(drawn(trunk + left + right, image=planes), None)
    for prong in (right[::2], [*right[:4], *right[5:]]):
        dvh = compute_dvh(drawn(trunk + left + prong, image=planes), None)
        assert codes(dvh) == {"branch-filled"}
        assert dvh.volume_cc == pytest.approx(whole.volume_cc, rel=1e-2)


def test_an_outline_that_jumps_sideways_in_turn_is_no_pair_of_islands():
    turns = [(3.6 if n % 2 else -3.6) for n in range(21)]
    rings = [ring(0, 0, 3.5, 3.0 * n) * [3.5, 1, 1] + [0, y, 0] for n, y in enumerate(turns)]
    assert len(separate(stack_planes(drawn(rings)))) == 1


@settings(max_examples=8, deadline=None)
@given(off=st.floats(0.02, 0.5), shifted=st.booleans(), every=st.integers(1, 3), points=st.integers(50, 90))
def test_a_near_copy_of_an_outline_does_not_change_the_volume_and_is_told(off, shifted, every, points):
    planes = np.arange(-20.0, 21.0, 2.0)
    once = [ring(0, 0, 20, z) for z in planes]
    copy = [ring(off if shifted else 0.0, 0, 20 if shifted else 20 - off, z, points) for z in planes[::every]]
    dvh = compute_dvh(drawn(once + copy), None)
    assert dvh.volume_cc == pytest.approx(compute_dvh(drawn(once), None).volume_cc, rel=1e-3)
    assert any(f.code == "contour-near-copy" and f.level is Level.SERIOUS for f in dvh.findings)


def test_the_band_reaches_what_near_copies_are_by_the_letter():
    planes = np.arange(-20.0, 21.0, 2.0)
    rings = [ring(0, 0, r, z) for r in (20.0, 19.9) for z in planes]
    dvh = compute_dvh(drawn(rings), None, with_band=True)
    by_letter = np.pi * (20.0**2 - 19.9**2) * 42.0 / 1000
    assert min(v.volume_cc for v in dvh.variants) == pytest.approx(by_letter, rel=1e-2)


def test_a_wall_of_a_millimetre_is_a_wall():
    planes = np.arange(-20.0, 21.0, 2.0)
    dvh = compute_dvh(drawn([ring(0, 0, r, z) for r in (20.0, 19.0) for z in planes]), None)
    assert dvh.volume_cc == pytest.approx(np.pi * (20.0**2 - 19.0**2) * 42.0 / 1000, rel=1e-3)
    assert codes(dvh) == set()


@pytest.mark.parametrize("with_image", [True, False])
@pytest.mark.parametrize(("gap", "decimals"), [(1.25, 0), (1.5, 0), (0.625, 1), (0.7, 2), (2.5, 0)])
def test_rounded_heights_are_no_missing_slices(gap, decimals, with_image):
    planes = np.arange(-20.0, 21.0, gap) + 0.11
    rings = [np.column_stack([r[:, :2], np.round(r[:, 2], decimals)]) for r in ball(0, 0, 0.1, 15, planes)]
    dvh = compute_dvh(drawn(rings, image=np.round(planes, 2) if with_image else None), None)
    assert dvh.volume_cc == pytest.approx(ball_cc(15), rel=3e-3)
    assert "slice-missing" not in codes(dvh)


def test_heights_half_way_are_rounded_to_even_numbers_and_still_explained():
    planes = np.arange(-40.0, 41.0, 1.25)
    rings = [np.column_stack([r[:, :2], np.round(r[:, 2])]) for r in ball(0, 0, 0.1, 20, planes)]
    dvh = compute_dvh(drawn(rings), None)
    assert dvh.volume_cc == pytest.approx(ball_cc(20), rel=3e-3)
    assert codes(dvh) == {"slices-rounded"}


@pytest.mark.parametrize("first_mm", [-30.0, -29.7, -30.25])
def test_rounded_heights_are_explained_wherever_the_dose_grid_begins(first_mm):
    planes = np.arange(-20.0, 21.0, 1.25) + 0.11
    rings = [np.column_stack([r[:, :2], np.round(r[:, 2])]) for r in ball(0, 0, 0.1, 15, planes)]
    on = grid(spacing=(4.0, 4.0, 4.0), size=(15, 14, 15), origin=(-28.3, -26.1, first_mm))
    dvh = compute_dvh(drawn(rings), dose(lambda x, y, z: 30 + 0 * (x + y + z), on))
    assert dvh.volume_cc == pytest.approx(ball_cc(15), rel=3e-3)
    assert codes(dvh) == {"slices-rounded"}


def test_islands_and_structures_on_the_slices_of_several_images_keep_their_own_distances():
    """Without an image the set tells which slices there are; planes that lie anyhow tell of none that were skipped."""
    own, other = np.arange(-33.0, 33.1, 3.0), np.arange(-33.0, 33.1, 2.0) + 0.7
    first = replace(drawn(ball(-30, 0, 1, 17, own) + ball(30, 0, 0, 15, other)), number=1)
    second = replace(drawn(ball(-30, 0, 1, 17, own) + ball(30, 0, 0, 15, own + 1.5)), number=2)
    for structure in with_slices_of_set([first, second]):
        assert compute_dvh(structure, None).volume_cc == pytest.approx(ball_cc(17) + ball_cc(15), rel=3e-3)


def test_one_missing_slice_among_whole_millimetres_is_still_missing():
    planes = np.delete(np.arange(-15.0, 16.0, 1.0), 12)
    assert "slice-missing" in codes(compute_dvh(drawn(ball(0, 0, 0.1, 14, planes)), None))


@pytest.mark.parametrize("gap", [0.625, 0.8])
def test_slices_that_rounding_put_on_one_height_go_back_to_their_image_slices(gap):
    planes = np.arange(-20.0, 21.0, gap)
    rings = [np.column_stack([r[:, :2], np.round(r[:, 2])]) for r in ball(0, 0, 0.1, 15, planes)]
    dvh = compute_dvh(drawn(rings, image=planes), None)
    assert dvh.volume_cc == pytest.approx(ball_cc(15), rel=3e-3)
    assert [f.level for f in dvh.findings if f.code == "slices-collapsed"] == [Level.SERIOUS]
    without = compute_dvh(drawn(rings), None)
    assert without.volume_cc == pytest.approx(ball_cc(15), rel=3e-2)
    assert Level.SERIOUS in {f.level for f in without.findings}


def test_the_image_slice_that_a_contour_refers_to_says_where_it_lies():
    planes = np.arange(-20.0, 20.5, 0.625)
    uids = tuple(f"1.2.{n}" for n in range(len(planes)))
    rings = ball(0, 0, 0.1, 15, planes)
    named = [uids[int(np.abs(planes - r[0, 2]).argmin())] for r in rings]
    rounded = [np.column_stack([r[:, :2], np.round(r[:, 2])]) for r in rings]
    # In no order at all: only the references tell which is which.
    order = np.random.default_rng(3).permutation(len(rings))
    mixed = drawn([rounded[n] for n in order], uids=[named[n] for n in order])
    mixed = replace(mixed, slices=image_slices(planes, uids=uids))
    assert compute_dvh(mixed, None).volume_cc == pytest.approx(ball_cc(15), rel=3e-3)


def test_planes_merge_by_a_share_of_the_slice_distance():
    for gap in (0.4, 3.0):
        planes = np.arange(0.0, 10 * gap, gap)
        near, far = 0.5 * SAME_PLANE_FRAC * gap, 3 * SAME_PLANE_FRAC * gap
        for off, count in ((near, 10), (far, 20)):
            rings = [ring(x, 0, 3, z + (off if x else 0.0)) for x in (0, 20) for z in planes]
            assert stack_planes(drawn(rings)).n_planes == count


@pytest.mark.parametrize("turn", [None, tilted(0.3, 0.4)])
def test_the_slice_distance_comes_from_the_set_and_not_from_one_roi(turn):
    body = drawn([ring(0, 0, 100, z) for z in np.arange(-60.0, 121.0, 3.0)], turn=turn, name="BODY")
    dots = drawn([ring(0, 0, 4, z) for z in (0, 39, 111, 114)], turn=turn)
    lone = drawn([ring(9, 0, 4, 30)], turn=turn)
    _, dots, lone = with_slices_of_set([body, dots, lone])
    section = np.pi * 16 * 3.0 / 1000
    dvh = compute_dvh(dots, None, with_band=True)
    volumes = [dvh.volume_cc, *(v.volume_cc for v in dvh.variants)]
    assert dvh.volume_cc == pytest.approx(4 * section, rel=5e-2)
    assert min(volumes) <= 4 * section <= max(volumes)
    assert "slice-missing" in codes(dvh)
    assert compute_dvh(lone, None).volume_cc == pytest.approx(section, rel=1e-2)


def test_a_set_of_one_says_nothing_and_other_frames_do_not_count():
    dots = drawn([ring(0, 0, 4, z) for z in (0, 6, 12)])
    elsewhere = replace(drawn([ring(0, 0, 50, z) for z in np.arange(0.0, 30, 3)]), frame_of_reference_uid="1.2")
    assert all(s.slices is None for s in with_slices_of_set([dots, elsewhere]))


@pytest.mark.parametrize("planes", [(0, 4, 8, 12, 16), (0, 2, 4, 8, 12, 16)])
def test_slices_at_unlike_distances_keep_the_volume_that_they_bound(planes):
    # A cylinder: whatever slices are drawn in between, its two ends stay; half of the last distance lies beyond either.
    rings = [ring(3.0, -2.0, 10.0, z, n=180) for z in planes]
    area_mm2 = 0.5 * 180 * 100.0 * np.sin(2 * np.pi / 180)
    volume_cc = compute_dvh(drawn(rings), None, slice_spacing_mm=2.0).volume_cc
    assert area_mm2 * 16 / 1000 * (1 - MESH) <= volume_cc <= area_mm2 * 20 / 1000 * (1 + MESH)
