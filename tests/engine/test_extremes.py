"""Least and greatest dose on walls and in sections, against slow twins that look at every point."""

import numpy as np
import shapely
from drawn_solids import dose, grid, polygon, rectangle, structure
from scipy.interpolate import RegularGridInterpolator

from dvhkit.engine.field.bounds import block_bounds, rounded
from dvhkit.engine.field.given import field_of, lattice_of
from dvhkit.engine.field.walls import in_sections_gy, on_walls_gy
from dvhkit.engine.kernels.field.extremes import BLOCK
from dvhkit.engine.options import DoseEnd, profile
from dvhkit.engine.solid.solid import Solid

ON = grid(size=(61, 36, 21), origin=(-60.3, -50.1, -20.7))


def rough(seed=3):
    noise = np.random.default_rng(seed)
    return dose(lambda x, y, z: 20 + noise.uniform(-5, 5, np.broadcast(x, y, z).shape), ON)


def values_at(given, values, points):
    axes = (given.grid.offsets_mm, *(np.arange(n) * s for n, s in zip((36, 61), (3.0, 2.0), strict=True)))
    place = (points - given.grid.origin_mm)[:, ::-1]
    return RegularGridInterpolator(axes, values)(place)


def test_blocks_bound_what_lies_between_their_voxels():
    given = rough()
    blocks = block_bounds(given)
    for values, at in ((given.values_gy, 0), (rounded(given).values_gy, 2)):
        for k, j, b in ((0, 0, 0), (7, 11, 1), (19, 34, 3)):
            part = values[k : k + 2, j : j + 2, b * BLOCK : (b + 1) * BLOCK + 1]
            assert (blocks[k, j, b, at], blocks[k, j, b, at + 1]) == (part.min(), part.max())


def test_sections_have_the_extremes_of_all_their_cells():
    given = rough()
    rings = [(z, ring) for z in (-9.0, -6.0, -3.0, 0.0) for ring in (polygon(24, 40, (3.0, -2.0)), polygon(9, 30))]
    solid = Solid.of(structure(rings), grid=given.grid, options=profile("reference"))
    lattice = lattice_of(solid, given)
    field = field_of(lattice, solid.stack.frame, given, rounded(given), DoseEnd.FACES)
    nothing = np.tile([np.inf, -np.inf], (2, 1))
    found = in_sections_gy(solid, lattice, field, block_bounds(given), nothing)
    us, vs = (
        lattice.origin_mm[a] + lattice.step_mm[a] * (np.arange(n) + 0.5)
        for a, n in enumerate((lattice.n_columns, lattice.n_rows))
    )
    u, v = (a.ravel() for a in np.meshgrid(us, vs))
    looked_at = []
    for plane, w in enumerate(solid.stack.offsets_mm):
        outer, hole = sorted((shapely.Polygon(ring) for ring in solid.stack.rings(plane)), key=lambda p: -p.area)
        inside = shapely.contains_xy(outer - hole, u, v)
        looked_at.append(np.column_stack([u, v, np.full(len(u), w)])[inside])
    points = solid.stack.frame.to_patient(np.concatenate(looked_at))
    for row, values in zip(found, (given.values_gy, rounded(given).values_gy), strict=True):
        here = values_at(given, values, points)
        np.testing.assert_allclose(row, [here.min(), here.max()], rtol=1e-12)


def test_upright_walls_in_a_linear_dose_have_their_extremes_at_corners():
    given = dose(lambda x, y, z: 30 + 0.2 * x - 0.1 * y + 0.3 * z, ON)
    box = structure((z, rectangle(-21.0, -17.0, 25.0, 11.0)) for z in (-9.0, -6.0, -3.0, 0.0))
    solid = Solid.of(box, grid=given.grid, options=profile("prism"))
    lattice = lattice_of(solid, given)
    field = field_of(lattice, solid.stack.frame, given, rounded(given), DoseEnd.FACES)
    plain, smooth = on_walls_gy(solid, lattice, field, rounds=True)
    for plane, (low, high) in enumerate(((-10.5, -7.5), (-7.5, -4.5), (-4.5, -1.5), (-1.5, 1.5))):
        wanted = [30 + 0.2 * -21 - 0.1 * 11 + 0.3 * low, 30 + 0.2 * 25 + 0.1 * 17 + 0.3 * high]
        np.testing.assert_allclose(plain[plane], wanted, rtol=1e-12)
        np.testing.assert_allclose(smooth[plane], wanted, rtol=1e-12)  # a linear dose has no peaks to be rounded


def test_walls_are_passed_over_only_where_they_tell_nothing_new():
    given = rough(5)
    drawn = structure((z, polygon(20 - abs(z), 40, (2.0, 0.3 * z))) for z in (-9.0, -6.0, -3.0, 0.0, 4.0))
    solid = Solid.of(drawn, grid=given.grid, options=profile("prism"))
    lattice = lattice_of(solid, given)
    field = field_of(lattice, solid.stack.frame, given, rounded(given), DoseEnd.FACES)
    everywhere = on_walls_gy(solid, lattice, field)[0]
    for known in ([np.inf, -np.inf], [16.2, 23.1], [14.0, 26.0]):
        found = on_walls_gy(solid, lattice, field, blocks=block_bounds(given), known_gy=np.array(known))[0]
        assert found[:, 0].min() == min(known[0], everywhere[:, 0].min())
        assert found[:, 1].max() == max(known[1], everywhere[:, 1].max())
