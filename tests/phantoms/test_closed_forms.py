import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad
from scipy.stats import qmc

from dvhkit.errors import GeometryError
from dvhkit.phantoms.closed_forms import centroid_mm, disc_beyond_mm2, extent_mm, volume_beyond_cc
from dvhkit.phantoms.dose_fields import GaussianDose, LinearDose, RadiosurgeryDose
from dvhkit.phantoms.shapes import Fit, Hollow, Islands, section
from dvhkit.phantoms.solids import Box, Cone, Cylinder, Ellipsoid, Torus, rotation_about, sphere
from dvhkit.phantoms.stack import truth_of_stack
from dvhkit.phantoms.truth import truth_in_linear_dose, truth_in_radial_dose

TURN = rotation_about((0.3, -1.0, 0.5), 37.0)
TILTED = (0.4, -0.3, 0.8)
SOLIDS = {
    "ellipsoid": Ellipsoid(centre_mm=(-5.0, 2.0, 40.0), semi_axes_mm=(9.0, 15.0, 21.0), rotation=TURN),
    "cylinder": Cylinder(centre_mm=(1.0, 2.0, 3.0), radius_mm=8.0, length_mm=24.0, axis=TILTED),
    "cone": Cone(centre_mm=(-9.0, 2.0, 3.0), radius_mm=12.0, height_mm=24.0, axis=TILTED),
    "box": Box(centre_mm=(4.0, 5.0, 6.0), size_mm=(10.0, 20.0, 30.0), rotation=TURN),
    "torus": Torus(centre_mm=(4.0, 5.0, 6.0), ring_radius_mm=15.0, tube_radius_mm=5.0, axis=TILTED),
    "shell": Hollow(outer=sphere((1.0, 2.0, 3.0), 12.0), inner=sphere((2.0, 2.0, 4.0), 9.0)),
    "islands": Islands(parts=(sphere((0.0, 0.0, 0.0), 6.0), Box(centre_mm=(30.0, 4.0, 5.0), size_mm=(9.0, 9.0, 9.0)))),
}
DIRECTIONS = [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (1.0, 2.0, -0.5), TILTED]


POINTS = qmc.Sobol(3, seed=1).random(2**17)


def sampled_volume_cc(solid, direction, level):
    """Return the share of evenly spread points that lie inside and beyond, and the error random points would have."""
    low, high = np.array([extent_mm(solid, tuple(axis)) for axis in np.eye(3)]).T
    points = low + (high - low) * POINTS
    n = np.asarray(direction) / np.linalg.norm(direction)
    share = np.mean((solid.implicit(*points.T) < 0) & (points @ n >= level))
    box_cc = np.prod(high - low) / 1000
    return share * box_cc, np.sqrt(share * (1 - share) / len(points)) * box_cc


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", SOLIDS)
def test_volume_beyond_a_plane_agrees_with_counting_points(name, direction):
    solid = SOLIDS[name]
    low, high = extent_mm(solid, direction)
    for part in (0.25, 0.6):
        level = low + part * (high - low)
        expected, random_sd = sampled_volume_cc(solid, direction, level)
        # Sobol points are spread more evenly than random ones, so their error is below one standard deviation of those.
        assert volume_beyond_cc(solid, direction, level) == pytest.approx(expected, abs=random_sd)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", SOLIDS)
def test_all_of_a_solid_lies_beyond_its_low_end_and_none_beyond_its_high_end(name, direction):
    solid = SOLIDS[name]
    low, high = extent_mm(solid, direction)
    assert volume_beyond_cc(solid, direction, low) == pytest.approx(solid.volume_cc, rel=1e-10)
    assert volume_beyond_cc(solid, direction, high) == pytest.approx(0.0, abs=1e-9)
    # Just inside either end there is something: the ends are tight.
    step = 0.02 * (high - low)
    assert volume_beyond_cc(solid, direction, high - step) > 0
    assert volume_beyond_cc(solid, direction, low + step) < solid.volume_cc


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", SOLIDS)
def test_the_centre_of_mass_is_the_mean_of_heights(name, direction):
    """Integrate volume over height: mean = low + ∫ V(h) dh / V. Two independent ways to one number."""
    solid = SOLIDS[name]
    n = np.asarray(direction) / np.linalg.norm(direction)
    low, high = extent_mm(solid, direction)
    area, _ = quad(lambda h: volume_beyond_cc(solid, direction, h), low, high, limit=200, epsabs=1e-9)
    assert low + area / solid.volume_cc == pytest.approx(float(centroid_mm(solid) @ n), abs=1e-5)


@given(
    axis=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    direction=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    kind=st.sampled_from(["cylinder", "cone", "torus", "ellipsoid", "box"]),
    part=st.floats(0, 1),
)
@settings(max_examples=120, deadline=None)
def test_what_lies_beyond_and_what_lies_before_make_the_whole(axis, direction, kind, part):
    solid = {
        "cylinder": Cylinder(radius_mm=5.0, length_mm=20.0, axis=axis),
        "cone": Cone(radius_mm=9.0, height_mm=15.0, axis=axis),
        "torus": Torus(ring_radius_mm=11.0, tube_radius_mm=4.0, axis=axis),
        "ellipsoid": Ellipsoid(semi_axes_mm=(4.0, 8.0, 12.0), rotation=rotation_about(axis, 50.0)),
        "box": Box(size_mm=(4.0, 8.0, 12.0), rotation=rotation_about(axis, 50.0)),
    }[kind]
    low, high = extent_mm(solid, direction)
    level = low + part * (high - low)
    back = tuple(-v for v in direction)
    both = volume_beyond_cc(solid, direction, level) + volume_beyond_cc(solid, back, -level)
    assert both == pytest.approx(solid.volume_cc, rel=1e-7)


@pytest.mark.parametrize("lean", [0.0, 1e-9, 1e-7, 1e-5, 0.9e-4, 1.1e-4, 1e-3, 1e-2])
def test_a_box_that_leans_a_little_loses_a_little(lean):
    """A plane at a third of the height of a box: leaning changes the volume by less than the lean."""
    box = Box(size_mm=(4.0, 8.0, 12.0))
    third = volume_beyond_cc(box, (lean, 1.0, 0.7 * lean), 8.0 / 6)
    assert third == pytest.approx(box.volume_cc / 3, abs=box.volume_cc * lean * lean + 1e-9)


def test_disc_beyond_a_line_agrees_with_the_integral():
    for d in (-5.0, -3.0, 0.0, 1.0, 4.9, 5.0):
        area, _ = quad(lambda t: 2 * np.sqrt(max(25 - t * t, 0.0)), d, 5.0)
        assert disc_beyond_mm2(np.array(5.0), np.array(d)) == pytest.approx(area, abs=1e-6)


def test_the_published_mean_doses_of_cone_and_cylinder_come_out():
    """Nelms 2015: 24 mm shapes, 16 Gy in the middle, 1 Gy/mm; cone means 22 and 16 Gy, volumes 7.24, 10.86, 3.62 cc."""
    up = LinearDose(at_origin_gy=16.0, direction=(0.0, 0.0, -1.0), gradient_gy_per_mm=1.0)
    front = LinearDose(at_origin_gy=16.0, direction=(0.0, -1.0, 0.0), gradient_gy_per_mm=1.0)
    cone = Cone(radius_mm=12.0, height_mm=24.0)
    cylinder = Cylinder(radius_mm=12.0, length_mm=24.0)
    ball = sphere((0.0, 0.0, 0.0), 12.0)
    assert truth_in_linear_dose(cone, up).mean_gy == pytest.approx(22.0)
    assert truth_in_linear_dose(cone, front).mean_gy == pytest.approx(16.0)
    for solid, volume_cc in ((ball, 7.24), (cylinder, 10.86), (cone, 3.62)):
        truth = truth_in_linear_dose(solid, front)
        assert truth.volume_cc == pytest.approx(volume_cc, abs=0.005)
        assert (truth.min_gy, truth.max_gy) == pytest.approx((4.0, 28.0))
    # V(>= D) = pi/3 (3 R h² - h³) with h = Dmax - D.
    h = 28.0 - 20.0
    assert truth_in_linear_dose(ball, up).volume_at_least_cc(20.0) == pytest.approx(
        np.pi / 3 * (36 * h**2 - h**3) / 1000
    )


def test_dose_at_volume_undoes_volume_at_dose():
    dose = LinearDose(at_origin_gy=30.0, direction=(1.0, -1.0, 0.3), gradient_gy_per_mm=0.4)
    for solid in SOLIDS.values():
        truth = truth_in_linear_dose(solid, dose)
        for pct in (1.0, 50.0, 95.0):
            assert truth.volume_at_least_pct(truth.dose_at_pct_gy(pct)) == pytest.approx(pct, abs=1e-6)
        assert truth.dose_to_hottest_gy(0.0) == pytest.approx(truth.max_gy)
        with pytest.raises(GeometryError, match="cc"):
            truth.dose_to_hottest_gy(solid.volume_cc * 1.01)


def test_radiosurgery_doses_give_the_published_half_dose_volumes():
    """Stanley 2021: diameter mm -> V100, V50 in cc, prescription on the surface."""
    published = {3: (0.0141, 0.0279), 5: (0.0654, 0.1002), 7: (0.1796, 0.2449), 10: (0.5236, 0.6526)}
    published |= {15: (1.7671, 2.0504), 20: (4.1888, 4.6860)}
    for diameter, (v100_cc, v50_cc) in published.items():
        dose = RadiosurgeryDose(centre_mm=(0.0, 0.0, 0.0), target_radius_mm=diameter / 2, surface_gy=20.0)
        around = truth_in_radial_dose(sphere((0.0, 0.0, 0.0), diameter / 2 + 20.0), dose)
        assert around.volume_at_least_cc(20.0) == pytest.approx(v100_cc, abs=6e-5)
        assert around.volume_at_least_cc(10.0) == pytest.approx(v50_cc, abs=6e-5)


def test_gaussian_doses_give_the_published_gradient_index():
    """Walker and Byrne: sigma = R, 10 Gy peak: 6.065 Gy at R, modified gradient index (1 + 2 ln 2)^1.5 = 3.69."""
    dose = GaussianDose(centre_mm=(1.0, 2.0, 3.0), peak_gy=10.0, sigma_mm=4.0)
    around = truth_in_radial_dose(sphere((1.0, 2.0, 3.0), 20.0), dose)
    surface_gy = dose.at_radius_gy(4.0)
    assert surface_gy == pytest.approx(6.065, abs=5e-4)
    ratio = around.volume_at_least_cc(surface_gy / 2) / around.volume_at_least_cc(surface_gy)
    assert ratio == pytest.approx((1 + 2 * np.log(2)) ** 1.5)


@pytest.mark.parametrize(
    "dose",
    [
        GaussianDose(centre_mm=(1.0, 2.0, 3.0), peak_gy=60.0, sigma_mm=9.0),
        RadiosurgeryDose(centre_mm=(1.0, 2.0, 3.0), target_radius_mm=7.0, surface_gy=20.0),
    ],
)
def test_radial_truth_agrees_with_integration_over_radius(dose):
    shell = Hollow(outer=sphere((1.0, 2.0, 3.0), 12.0), inner=sphere((1.0, 2.0, 3.0), 5.0))
    truth = truth_in_radial_dose(shell, dose)
    integral, _ = quad(lambda r: dose.at_radius_gy(r) * r * r, 5.0, 12.0, points=[7.0], limit=200)
    # 4000 shells: the steepest fall, 1.9/mm over 0.002 mm, leaves 1e-6 of the mean.
    assert truth.mean_gy == pytest.approx(integral * 3 / (12.0**3 - 5.0**3), rel=1e-5)
    for radius in (5.5, 8.0, 11.0):
        expected = 4 / 3 * np.pi * (radius**3 - 125) / 1000
        assert truth.volume_at_least_cc(dose.at_radius_gy(radius)) == pytest.approx(expected, rel=1e-9)
    assert truth.volume_at_least_cc(dose.at_radius_gy(12.0) * 0.99) == pytest.approx(truth.volume_cc)
    assert truth.volume_at_least_cc(dose.at_radius_gy(5.0) * 1.01) == pytest.approx(0.0)


def test_a_round_dose_off_the_middle_of_a_sphere_is_refused():
    dose = GaussianDose(centre_mm=(0.0, 0.0, 0.0), peak_gy=10.0, sigma_mm=4.0)
    with pytest.raises(GeometryError, match="centre"):
        truth_in_radial_dose(sphere((1.0, 0.0, 0.0), 5.0), dose)


def planes_of(solid, slice_mm, fit=Fit.SURFACE):
    low, high = solid.z_range_mm
    heights = np.arange(low + slice_mm / 2, high, slice_mm)
    return [(float(z), section(solid, float(z), n_points=128, fit=fit)) for z in heights]


def test_the_stack_of_an_upright_prism_is_the_prism():
    solid = Box(centre_mm=(3.0, 4.0, 5.0), size_mm=(10.0, 20.0, 12.0))
    planes = planes_of(solid, 3.0)
    for direction in ((0.0, 0.0, 1.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (-0.6, 0.8, 0.0)):
        dose = LinearDose(at_origin_gy=40.0, direction=direction, gradient_gy_per_mm=0.7)
        drawn, true = truth_of_stack(planes, 3.0, dose), truth_in_linear_dose(solid, dose)
        assert drawn.volume_cc == pytest.approx(solid.volume_cc)
        assert (drawn.min_gy, drawn.mean_gy, drawn.max_gy) == pytest.approx((true.min_gy, true.mean_gy, true.max_gy))
        for d in np.linspace(true.min_gy, true.max_gy, 7):
            assert drawn.volume_at_least_cc(d) == pytest.approx(true.volume_at_least_cc(d), abs=1e-12)


@pytest.mark.parametrize("name", ["shell", "ellipsoid", "cone"])
@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (0.6, 0.8, 0.0)])
def test_the_stack_of_thin_slices_tends_to_the_solid(name, direction):
    solid = SOLIDS[name]
    dose = LinearDose(at_origin_gy=40.0, direction=direction, gradient_gy_per_mm=0.7)
    drawn = truth_of_stack(planes_of(solid, 0.2, fit=Fit.AREA), 0.2, dose)
    true = truth_in_linear_dose(solid, dose)
    # Midpoint slices of 0.2 mm of shapes 20 mm tall: (0.2 / 20)² of curvature, more at root-like ends.
    assert drawn.volume_cc == pytest.approx(true.volume_cc, rel=2e-3)
    assert drawn.mean_gy == pytest.approx(true.mean_gy, rel=2e-3)
    for pct in (5.0, 50.0, 95.0):
        assert drawn.dose_at_pct_gy(pct) == pytest.approx(true.dose_at_pct_gy(pct), rel=3e-3)


def test_a_stack_in_an_oblique_dose_or_with_nothing_drawn_is_refused():
    planes = planes_of(SOLIDS["cone"], 2.0)
    with pytest.raises(GeometryError, match="closed form"):
        truth_of_stack(planes, 2.0, LinearDose(at_origin_gy=1.0, direction=(0.0, 1.0, 1.0), gradient_gy_per_mm=1.0))
    with pytest.raises(GeometryError, match="nothing"):
        truth_of_stack(
            [(0.0, ())], 2.0, LinearDose(at_origin_gy=1.0, direction=(0.0, 0.0, 1.0), gradient_gy_per_mm=1.0)
        )


def test_a_linear_dose_is_what_its_words_say():
    dose = LinearDose(at_origin_gy=10.0, direction=(0.0, 3.0, 4.0), gradient_gy_per_mm=2.0)
    assert dose(np.array(0.0), np.array(5.0), np.array(0.0)) == pytest.approx(10 + 2 * 0.6 * 5)
    volume, _ = dblquad(lambda y, x: dose(np.array(x), np.array(y), np.array(0.0)), 0, 1, 0, 1)
    assert volume == pytest.approx(10 + 2 * 0.6 * 0.5)
