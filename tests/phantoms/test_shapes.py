import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon
from shapely.geometry import Point

from dvhkit.errors import GeometryError
from dvhkit.model.structure import ContourKind
from dvhkit.phantoms.isoline import trace_rings
from dvhkit.phantoms.shapes import Fit, HoleStyle, Hollow, Islands, draw, ring_area_mm2, section, structure
from dvhkit.phantoms.solids import Box, Cone, Cylinder, Ellipsoid, Torus, rotation_about, sphere

TURN = rotation_about((0.3, -1.0, 0.5), 37.0)
TILTED = (0.4, -0.3, 0.8)
SOLIDS = {
    "sphere": sphere((3.0, -7.0, 11.0), 12.0),
    "ellipsoid": Ellipsoid(centre_mm=(-5.0, 2.0, 40.0), semi_axes_mm=(9.0, 15.0, 21.0), rotation=TURN),
    "cylinder upright": Cylinder(centre_mm=(1.0, 2.0, 3.0), radius_mm=8.0, length_mm=24.0),
    "cylinder level": Cylinder(centre_mm=(1.0, 2.0, 3.0), radius_mm=8.0, length_mm=24.0, axis=(0.0, 1.0, 0.0)),
    "cylinder tilted": Cylinder(centre_mm=(1.0, 2.0, 3.0), radius_mm=8.0, length_mm=24.0, axis=TILTED),
    "cylinder nearly level": Cylinder(radius_mm=8.0, length_mm=24.0, axis=(1.0, 0.2, 0.003)),
    "cone upright": Cone(centre_mm=(-9.0, 2.0, 3.0), radius_mm=12.0, height_mm=24.0),
    "cone upside down": Cone(radius_mm=12.0, height_mm=24.0, axis=(0.0, 0.0, -1.0)),
    "cone level": Cone(centre_mm=(-9.0, 2.0, 3.0), radius_mm=12.0, height_mm=24.0, axis=(0.0, -1.0, 0.0)),
    "cone tilted": Cone(centre_mm=(-9.0, 2.0, 3.0), radius_mm=12.0, height_mm=24.0, axis=TILTED),
    "box": Box(centre_mm=(4.0, 5.0, 6.0), size_mm=(10.0, 20.0, 30.0)),
    "box turned": Box(centre_mm=(4.0, 5.0, 6.0), size_mm=(10.0, 20.0, 30.0), rotation=TURN),
    "torus": Torus(centre_mm=(4.0, 5.0, 6.0), ring_radius_mm=15.0, tube_radius_mm=5.0),
}


def stacked_volume_cc(solid, *, fit, n_points, n_planes):
    """Integrate section areas by Gauss-Legendre in z, after t = sin u has flattened the ends."""
    low, high = solid.z_range_mm
    node, weight = np.polynomial.legendre.leggauss(n_planes)
    u = node * np.pi / 2
    z = (low + high) / 2 + (high - low) / 2 * np.sin(u)
    dz = (high - low) / 2 * np.cos(u) * np.pi / 2 * weight
    area = [
        sum(
            abs(ring_area_mm2(r.points_mm)) * (-1 if r.is_hole else 1)
            for r in section(solid, v, n_points=n_points, fit=fit)
        )
        for v in z
    ]
    return float(np.dot(area, dz)) / 1000


@pytest.mark.parametrize("name", SOLIDS)
def test_areas_of_fitted_sections_add_up_to_the_closed_volume(name):
    solid = SOLIDS[name]
    # Sections of tilted solids with rims have kinks in area(z), so Gauss-Legendre converges like n^-2: 200 nodes, 1e-4.
    assert stacked_volume_cc(solid, fit=Fit.AREA, n_points=64, n_planes=200) == pytest.approx(solid.volume_cc, rel=2e-4)


@pytest.mark.parametrize("name", SOLIDS)
def test_vertices_of_surface_sections_lie_on_the_surface(name):
    solid = SOLIDS[name]
    low, high = solid.z_range_mm
    for z in np.linspace(low, high, 9)[1:-1]:
        rings = section(solid, z, n_points=50)
        assert rings
        for ring in rings:
            x, y = ring.points_mm.T
            assert np.abs(solid.implicit(x, y, np.full_like(x, z))).max() < 1e-8


@pytest.mark.parametrize("name", SOLIDS)
def test_the_z_range_is_where_sections_begin_and_end(name):
    solid = SOLIDS[name]
    low, high = solid.z_range_mm
    step = (high - low) * 1e-3
    assert section(solid, low + step)
    assert section(solid, high - step)
    assert not section(solid, low - step)
    assert not section(solid, high + step)


def test_a_level_face_is_drawn_and_a_pole_is_not():
    assert len(section(SOLIDS["cylinder upright"], 15.0)) == 1
    assert len(section(SOLIDS["box"], 21.0)) == 1
    assert len(section(SOLIDS["cone upright"], -9.0)) == 1
    assert not section(SOLIDS["cone upright"], 15.0)
    assert not section(SOLIDS["sphere"], 23.0)


def test_a_box_has_its_four_corners_and_nothing_else():
    (ring,) = section(SOLIDS["box"], 0.0)
    assert sorted(map(tuple, ring.points_mm.round(9).tolist())) == [
        (-1.0, -5.0),
        (-1.0, 15.0),
        (9.0, -5.0),
        (9.0, 15.0),
    ]


@given(
    tilt=st.floats(0, 90), turn=st.floats(0, 360), z=st.floats(-0.95, 0.95), kind=st.sampled_from([Cylinder, Cone, Box])
)
@settings(max_examples=60, deadline=None)
def test_convex_sections_agree_with_a_traced_outline(tilt, turn, z, kind):
    axis = tuple(np.array(rotation_about((np.cos(np.radians(turn)), np.sin(np.radians(turn)), 0.0), tilt))[2])
    solid = {
        Cylinder: lambda: Cylinder(radius_mm=6.0, length_mm=15.0, axis=axis),
        Cone: lambda: Cone(radius_mm=9.0, height_mm=15.0, axis=axis),
        Box: lambda: Box(size_mm=(8.0, 11.0, 14.0), rotation=rotation_about((1.0, 0.4, 0.2), tilt)),
    }[kind]()
    low, high = solid.z_range_mm
    level = (low + high) / 2 + z * (high - low) / 2
    (ring,) = section(solid, level, n_points=720)
    nodes = np.arange(-13.03, 13.0, 0.25)
    traced = trace_rings(lambda x, y: solid.implicit(x, y, np.asarray(level)), x_mm=nodes, y_mm=nodes)
    area = sum(ring_area_mm2(r) for r in traced)
    # Chords of 0.25 mm cut a corner by at most 0.25^2 / 4 mm2 and a curve of radius 6 mm by 0.25^3/72 mm2 a chord; a
    # narrow tip of a cone may fall between nodes.
    assert ring_area_mm2(ring.points_mm) == pytest.approx(area, rel=0.002, abs=0.35)


def test_a_torus_that_is_tilted_splits_and_joins_like_its_implicit_surface():
    solid = Torus(centre_mm=(4.0, 5.0, 6.0), ring_radius_mm=15.0, tube_radius_mm=5.0, axis=(1.0, 0.0, 0.0))
    assert len(section(solid, 6.0)) == 2  # two round tubes
    assert len(section(solid, 6.0 + 14.0)) == 1  # one long slice of the top
    # Pappus: 2 pi^2 R r^2; the section at the middle is two circles of the tube.
    assert sum(ring_area_mm2(r.points_mm) for r in section(solid, 6.0)) == pytest.approx(2 * np.pi * 25, rel=1e-4)


@pytest.mark.parametrize("style", HoleStyle)
def test_holes_are_stored_in_the_way_asked_for_and_keep_their_area(style):
    shell = Hollow(outer=sphere((10.0, -4.0, 0.0), 20.0), inner=sphere((12.0, -4.0, 1.0), 11.0))
    contours = draw(shell, [2.0], holes=style, fit=Fit.AREA)
    expected = np.pi * ((400 - 4) - (121 - 1))
    if style is HoleStyle.KEYHOLE:
        (contour,) = contours
        assert Polygon(contour.points_mm[:, :2]).area == pytest.approx(expected, rel=1e-9)
        assert contour.kind is ContourKind.CLOSED_PLANAR
        return
    outer, inner = (Polygon(c.points_mm[:, :2]) for c in contours)
    assert outer.contains(inner)
    assert outer.area - inner.area == pytest.approx(expected, rel=1e-9)
    wanted = ContourKind.CLOSEDPLANAR_XOR if style is HoleStyle.XOR else ContourKind.CLOSED_PLANAR
    assert {c.kind for c in contours} == {wanted}


def test_a_keyhole_joins_each_hole_to_the_outline_around_it_and_channels_cross_nothing():
    outer = Hollow(
        outer=Hollow(outer=sphere((0.0, 0.0, 0.0), 30.0), inner=sphere((-12.0, 0.0, 0.0), 10.0)),
        inner=sphere((12.0, 0.0, 0.0), 10.0),
    )
    island = Hollow(outer=sphere((12.0, 0.0, 0.0), 8.0), inner=sphere((12.0, 0.0, 0.0), 3.0))
    contours = draw(Islands(parts=(outer, island)), [0.0], holes=HoleStyle.KEYHOLE, n_points=64)
    assert len(contours) == 2
    big, small = (Polygon(c.points_mm[:, :2]) for c in contours)
    # buffer(0) keeps only what lies on the left: a channel that crossed another ring would change the area.
    assert big.buffer(0).area == pytest.approx(big.area)
    assert small.buffer(0).area == pytest.approx(small.area)
    assert not big.buffer(-0.01).contains(Point(-12, 0))
    assert Polygon(contours[1].points_mm[:, :2]).buffer(-0.01).contains(Point(12, 5.5))


def test_a_hole_outside_every_outline_is_refused():
    wrong = Hollow(outer=sphere((0.0, 0.0, 0.0), 5.0), inner=sphere((30.0, 0.0, 0.0), 3.0))
    with pytest.raises(GeometryError, match="no outline around"):
        draw(wrong, [0.0], holes=HoleStyle.KEYHOLE)


def test_traced_outlines_turn_left_around_what_is_inside():
    nodes = np.arange(-12.0, 12.01, 0.5)
    rings = trace_rings(lambda x, y: np.abs(np.hypot(x, y) - 6.0) - 2.0, x_mm=nodes, y_mm=nodes)
    areas = sorted(ring_area_mm2(r) for r in rings)
    # Inscribed in circles of 8 and 4 mm by chords of at most 0.71 mm: short by less than 0.71^2 / (6 r^2).
    assert areas[1] == pytest.approx(np.pi * 64, rel=0.71**2 / 6 / 64)
    assert areas[0] == pytest.approx(-np.pi * 16, rel=0.71**2 / 6 / 16)


def test_a_traced_saddle_is_split_or_joined_by_what_lies_in_its_middle():
    nodes = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) + 0.5
    joined = trace_rings(lambda x, y: np.maximum(np.abs(x), np.abs(y)) - 1.2 - x * y, x_mm=nodes, y_mm=nodes)
    assert len(joined) == 1
    two = trace_rings(
        lambda x, y: np.minimum(np.hypot(x - 0.5, y - 0.5), np.hypot(x + 0.5, y + 0.5)) - 0.6, x_mm=nodes, y_mm=nodes
    )
    assert len(two) == 2


def test_structures_carry_name_number_and_type():
    roi = structure("PTV", 7, SOLIDS["sphere"], [5.0, 8.0, 11.0], rt_roi_type="PTV", color_rgb=(255, 0, 0))
    assert (roi.name, roi.number, roi.rt_roi_type, len(roi.contours)) == ("PTV", 7, "PTV", 3)


def test_an_axis_without_direction_is_refused():
    with pytest.raises(GeometryError, match="direction"):
        section(Cylinder(radius_mm=1.0, length_mm=1.0, axis=(0.0, 0.0, 0.0)), 0.0)
