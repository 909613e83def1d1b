"""Laws that hold for any structure: where it lies, how it is written down, and into what it is cut changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import dose, grid, polygon, structure
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import PROFILES, EngineOptions

PARTS = (0.02, 0.3, 0.7, 0.98)
ON = grid(spacing=(2.0, 2.0, 2.0), size=(44, 44, 44), origin=(-43.3, -42.1, -44.2))
SHAPES = st.tuples(
    st.floats(3.0, 9.0), st.floats(-0.8, 0.8), st.floats(-0.5, 0.5), st.integers(8, 60), st.integers(3, 9)
)
PROFILE = st.sampled_from(sorted(PROFILES))


def _formula(x, y, z):
    return 40 + 0.4 * x - 0.3 * y + 0.5 * z


def _rings(shape, at=(0.0, 0.0)):
    """Slanting, narrowing outlines, none of them round: (z, points)."""
    radius, slant, taper, n, slices = shape
    z = 2.5 * (np.arange(slices) - slices // 2)
    squeeze = np.array([1.0, 0.7])
    return [(h, polygon(radius + taper * h / 4, n, turn=0.3) * squeeze + [at[0] + slant * h, at[1]]) for h in z]


def _same(one, other, rel=1e-9):
    assert other.volume_cc == pytest.approx(one.volume_cc, rel=rel)
    assert other.mean_gy == pytest.approx(one.mean_gy, rel=rel)
    assert other.min_gy == pytest.approx(one.min_gy, rel=1e-6)
    assert other.max_gy == pytest.approx(one.max_gy, rel=1e-6)
    for part in PARTS:
        a, b = (d.dose_to_hottest_gy(part * d.volume_cc) for d in (one, other))
        assert b == pytest.approx(a, rel=max(1e-6, rel))


@settings(max_examples=20, deadline=None)
@given(SHAPES, PROFILE, st.randoms(use_true_random=False))
def test_the_order_of_contours_their_direction_and_their_first_points_do_not_matter(shape, profile, random):
    rings = _rings(shape)
    mixed = [(h, np.roll(r[:: random.choice((1, -1))], random.randrange(len(r)), axis=0)) for h, r in rings]
    random.shuffle(mixed)
    one, other = (compute_dvh(structure(r), dose(_formula, ON), options=PROFILES[profile]) for r in (rings, mixed))
    _same(one, other)


@settings(max_examples=20, deadline=None)
@given(SHAPES, PROFILE, st.integers(1, 4))
def test_extra_points_on_edges_do_not_matter(shape, profile, extra):
    rings = _rings(shape)
    share = (np.arange(extra + 1) / (extra + 1))[None, :, None]
    fuller = [(h, (r[:, None] + share * (np.roll(r, -1, axis=0) - r)[:, None]).reshape(-1, 2)) for h, r in rings]
    one, other = (compute_dvh(structure(r), dose(_formula, ON), options=PROFILES[profile]) for r in (rings, fuller))
    # A point on an edge is rounded, and lies off it by as much. Which edge is the nearest to a node that lies as far
    # from two is decided by that: it moves less than a cell.
    _same(one, other, rel=1.0 / EngineOptions().cells_target)


@settings(max_examples=12, deadline=None)
@given(SHAPES, SHAPES, PROFILE)
def test_parts_that_lie_apart_add_up(left, right, profile):
    on = dose(_formula, ON)
    if profile.startswith("prism"):
        # Upright walls and caps are those of a plane, not of a part: parts of unlike height share them.
        right = (*right[:4], left[4])
    a, b = _rings(left, (-19.0, 0.0)), _rings(right, (19.0, 4.0))
    whole, one, other = (compute_dvh(structure(r), on, options=PROFILES[profile]) for r in (a + b, a, b))
    # Each has cells of its own size; the whole has larger ones.
    assert whole.volume_cc == pytest.approx(one.volume_cc + other.volume_cc, rel=4e-3)
    summed = one.mean_gy * one.volume_cc + other.mean_gy * other.volume_cc
    assert whole.mean_gy * whole.volume_cc == pytest.approx(summed, rel=4e-3)


@settings(max_examples=12, deadline=None)
@given(SHAPES, PROFILE, st.tuples(*[st.floats(-5, 5)] * 3))
def test_where_the_patient_lies_does_not_matter(shape, profile, shift):
    on = grid(spacing=(2.0, 2.0, 2.0), size=(44, 44, 44), origin=tuple(ON.origin_mm + shift))
    moved = [(h + shift[2], r + shift[:2]) for h, r in _rings(shape)]
    one = compute_dvh(structure(_rings(shape)), dose(_formula, ON), options=PROFILES[profile])
    there = dose(lambda x, y, z: _formula(x - shift[0], y - shift[1], z - shift[2]), on)
    _same(one, compute_dvh(structure(moved), there, options=PROFILES[profile]), rel=1e-6)


@pytest.mark.parametrize("turn", [(1, 2, 0), (2, 0, 1), (0, 2, 1)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
def test_which_way_the_patient_lies_does_not_matter(turn, signs):
    # Axes renamed and turned round, as for the patient positions and for sagittal and coronal slices.
    matrix = np.zeros((3, 3))
    matrix[np.arange(3), turn] = signs
    rings = _rings((7.0, 0.5, 0.3, 40, 7))
    one = compute_dvh(structure(rings), dose(_formula, ON))
    turned = structure(rings, to_patient=lambda p: p @ matrix.T)

    def there(x, y, z):
        return _formula(*np.moveaxis(np.stack([x, y, z], axis=-1) @ matrix, -1, 0))

    other = compute_dvh(
        turned, dose(there, grid(spacing=(2.0, 2.0, 2.0), size=(60, 60, 60), origin=(-59.3, -58.1, -60.2)))
    )
    # The grid lies at another phase, and its cells with it.
    assert other.volume_cc == pytest.approx(one.volume_cc, rel=2e-3)
    assert other.mean_gy == pytest.approx(one.mean_gy, rel=5e-4)
    for part in PARTS:
        a, b = (d.dose_to_hottest_gy(part * d.volume_cc) for d in (one, other))
        assert b == pytest.approx(a, abs=0.03)


@settings(max_examples=10, deadline=None)
@given(SHAPES, st.sampled_from([1.0, 1.5, 3.0]))
def test_a_finer_or_coarser_grid_of_a_linear_dose_changes_nothing_that_matters(shape, spacing):
    n = int(90 / spacing)
    other_grid = grid(spacing=(spacing,) * 3, size=(n, n, n), origin=(-44.3, -43.6, -45.1))
    one, other = (compute_dvh(structure(_rings(shape)), dose(_formula, on)) for on in (ON, other_grid))
    assert other.volume_cc == pytest.approx(one.volume_cc, rel=4e-3)
    for part in PARTS:
        a, b = (d.dose_to_hottest_gy(part * d.volume_cc) for d in (one, other))
        assert b == pytest.approx(a, abs=0.05)
