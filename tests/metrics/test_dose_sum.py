"""Doses of several courses: on one grid exactly where they are linear, in EQD2 by closed form, refused where unlike."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from typer.testing import CliRunner

import dvhkit
from dvhkit.cli.app import app
from dvhkit.engine.dose_sum import on_one_grid
from dvhkit.errors import GeometryError, InputError, LinkError
from dvhkit.jobs.sums.courses import Course, eqd2_sum, physical_sum
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid

# Head-first supine, and an oblique frame turned by 30 degrees about z.
STRAIGHT = np.eye(3)
TURNED = np.array([[np.sqrt(3) / 2, 0.5, 0.0], [-0.5, np.sqrt(3) / 2, 0.0], [0.0, 0.0, 1.0]])


def grid(origin, spacing=(2.0, 3.0), offsets=(0.0, 2.5, 5.0, 7.5, 10.0), rows=7, columns=9, axes=STRAIGHT):
    return Grid(
        origin_mm=np.array(origin, float), axes=axes, spacing_mm=np.array(spacing), offsets_mm=np.array(offsets),
        n_rows=rows, n_columns=columns,
    )  # fmt: skip


def centres(g):
    k, j, i = np.meshgrid(g.offsets_mm, np.arange(g.n_rows), np.arange(g.n_columns), indexing="ij")
    steps = np.stack([i * g.spacing_mm[0], j * g.spacing_mm[1], k], axis=-1)
    return g.origin_mm + steps @ g.axes


def dose(g, field, *, frame="1.2.3", kind=DoseType.PHYSICAL):
    values = field(*np.moveaxis(centres(g), -1, 0))
    return Dose(
        grid=g, values_gy=values, quantum_gy=1e-6, dose_type=kind, summation_type="PLAN", sop_instance_uid="1",
        frame_of_reference_uid=frame,
    )  # fmt: skip


def ramp(x, y, z):
    return 20.0 + 0.5 * x - 0.25 * y + 1.5 * z


def flat(value):
    return lambda x, y, z: np.full_like(x, value)


BIG = grid((-30.0, -30.0, -10.0), spacing=(3.5, 2.5), offsets=(0.0, 3.0, 7.0, 12.0, 18.0, 25.0), rows=30, columns=25)
SMALL = grid((1.0, -2.0, 1.0))


def test_a_linear_dose_comes_through_another_grid_unchanged():
    """Unlike spacings, uneven planes, shifted origin: trilinear sampling is exact where the dose is linear."""
    together = on_one_grid([dose(SMALL, flat(1.0)), dose(BIG, ramp)])
    assert together.cut_frac == 0.0
    assert together.grid.shape_zyx == SMALL.shape_zyx
    np.testing.assert_allclose(together.values_gy[1], ramp(*np.moveaxis(centres(SMALL), -1, 0)), rtol=0, atol=1e-9)


def test_a_turned_grid_is_sampled_where_its_points_lie():
    turned = grid(
        (-40.0, -60.0, -10.0), spacing=(3.0, 4.0), offsets=np.arange(0.0, 30.0, 4.0), rows=40, columns=40, axes=TURNED
    )
    together = on_one_grid([dose(SMALL, flat(0.0)), dose(turned, ramp)])
    np.testing.assert_allclose(together.values_gy[1], ramp(*np.moveaxis(centres(SMALL), -1, 0)), rtol=0, atol=1e-9)


def test_any_dose_is_sampled_as_an_independent_library_does():
    rng = np.random.default_rng(7)
    other = replace(dose(BIG, flat(0.0)), values_gy=rng.uniform(0, 60, BIG.shape_zyx))
    points = (centres(SMALL) - BIG.origin_mm).reshape(-1, 3)
    index = [np.interp(points[:, 2], BIG.offsets_mm, np.arange(6)), points[:, 1] / 2.5, points[:, 0] / 3.5]
    expected = map_coordinates(other.values_gy, index, order=1).reshape(SMALL.shape_zyx)
    np.testing.assert_allclose(on_one_grid([dose(SMALL, flat(0.0)), other]).values_gy[1], expected, rtol=1e-12)


def test_where_one_dose_is_unknown_the_sum_is_cut_off_and_its_place_stays():
    other = grid((5.0, -30.0, -10.0), spacing=(2.0, 3.0), offsets=(0.0, 5.0, 10.0, 15.0), rows=30, columns=30)
    together = on_one_grid([dose(SMALL, ramp), dose(other, ramp)])
    # Voxels of the other reach from x = 4 and up to z = 7.5: columns x = 1, 3 go, and the planes z = 8.5 and 11.
    assert together.grid.shape_zyx == (3, 7, 7)
    assert together.cut_frac == pytest.approx(1 - 3 * 7 * 7 / (5 * 7 * 9))
    np.testing.assert_allclose(together.grid.origin_mm, [5.0, -2.0, 1.0])
    x, y, z = np.moveaxis(centres(together.grid), -1, 0)
    np.testing.assert_allclose(together.values_gy[0], ramp(x, y, z), rtol=0, atol=1e-9)
    # The half voxel beyond the last plane, z = 5, has that plane's dose, as in a DVH.
    np.testing.assert_allclose(together.values_gy[1], ramp(x, y, np.minimum(z, 5.0)), rtol=0, atol=1e-9)


def test_doses_that_share_no_frame_or_no_place_are_refused():
    with pytest.raises(LinkError, match="frame of reference"):
        on_one_grid([dose(SMALL, ramp), dose(BIG, ramp, frame="1.2.4")])
    with pytest.raises(LinkError, match="frame of reference"):
        on_one_grid([dose(SMALL, ramp, frame=""), dose(BIG, ramp, frame="")])
    with pytest.raises(GeometryError, match="do not overlap"):
        on_one_grid([dose(SMALL, ramp), dose(grid((500.0, 0.0, 0.0)), ramp)])
    with pytest.raises(GeometryError, match="tilted"):
        on_one_grid([dose(BIG, ramp), dose(grid((0.0, 0.0, 0.0), axes=TURNED), ramp)])


def courses(*triples, **keys):
    return [
        Course(
            dose=dose(SMALL, flat(d)),
            fractions_planned=n,
            fractions_delivered=m,
            prescribed_gy=d,
            label=f"plan {i}",
            **keys,
        )
        for i, (d, n, m) in enumerate(triples, 1)
    ]


@pytest.mark.parametrize(
    ("triples", "alpha_beta_gy", "expected_gy"),
    [
        # 50 Gy in 25 is 50 Gy; 30 Gy in 5 at 2 Gy is 30 (6 + 2) / 4 = 60 Gy.
        (((50.0, 25, None), (30.0, 5, None)), 2.0, 110.0),
        # 4 of 5 fractions of 6 Gy: still 6 Gy each, so 24 (6 + 2) / 4 = 48 Gy; not 24 Gy in 5 of 4.8 Gy.
        (((50.0, 25, None), (30.0, 5, 4)), 2.0, 98.0),
        (((50.0, 25, 0), (30.0, 5, None)), 2.0, 60.0),
        (((20.0, 1, None), (20.0, 1, None)), 10.0, 100.0),  # 20 (20 + 10) / 12, twice
    ],
)
def test_eqd2_of_courses_adds_up_voxel_by_voxel(triples, alpha_beta_gy, expected_gy):
    made = eqd2_sum(courses(*triples), alpha_beta_gy)
    np.testing.assert_allclose(made.dose.values_gy, expected_gy, rtol=1e-12)
    assert made.dose.dose_type is DoseType.EFFECTIVE
    disputed = max(d / n for d, n, _ in triples) > 10
    assert [f.code for f in made.findings] == (["eqd2-model-disputed"] if disputed else [])


def test_each_voxel_is_converted_by_its_own_dose_per_fraction():
    a, b = dose(SMALL, ramp), dose(SMALL, lambda x, y, z: 40.0 - x)
    made = eqd2_sum([Course(dose=a, fractions_planned=5), Course(dose=b, fractions_planned=20)], 3.0)
    first, second = a.values_gy, b.values_gy
    expected = first * (first / 5 + 3) / 5 + second * (second / 20 + 3) / 5
    np.testing.assert_allclose(made.dose.values_gy, expected, rtol=1e-12)


def test_like_fractions_add_physically_as_far_as_they_were_given():
    made = physical_sum(courses((50.0, 25, 20), (16.0, 8, None)))
    np.testing.assert_allclose(made.dose.values_gy, 40.0 + 16.0)
    assert made.findings == ()
    assert made.description == "sum in physical dose of plan 1 (20 of 25 fractions) and plan 2 (8 of 8 fractions)"


@pytest.mark.parametrize(("second", "why"), [((30.0, 5, None), "2 and 6 Gy"), ((30.0, None, None), "not known")])
def test_unlike_fractions_are_refused_unless_asked_for(second, why):
    two = courses((50.0, 25, None), second)
    with pytest.raises(InputError, match=why):
        physical_sum(two)
    made = physical_sum(two, allow_unlike=True)
    np.testing.assert_allclose(made.dose.values_gy, 80.0)
    assert [f.code for f in made.findings] == ["unlike-fractions-summed"]


def test_what_makes_no_sense_is_refused():
    one = courses((50.0, 25, None))
    with pytest.raises(InputError, match="at least two"):
        physical_sum(one)
    with pytest.raises(InputError, match="fractions of plan 2"):
        eqd2_sum([*one, *courses((1.0, 1, None), (1.0, None, None))[1:]], 3.0)
    with pytest.raises(InputError, match="alpha/beta"):
        eqd2_sum(one * 2, 0.0)
    with pytest.raises(InputError, match="unlike kinds"):
        physical_sum([one[0], replace(one[0], dose=dose(SMALL, flat(1.0), kind=DoseType.EFFECTIVE))])
    for planned, delivered in ((0, None), (None, 3), (5, -1)):
        with pytest.raises(InputError):
            Course(dose=one[0].dose, fractions_planned=planned, fractions_delivered=delivered)


def test_the_command_gives_twice_the_dose_of_a_plan_taken_twice(demo_case_dir):
    arguments = [
        "sum",
        str(demo_case_dir),
        f"{demo_case_dir}@2/5",
        "--roi",
        "Liver",
        "--metric",
        "Mean[Gy]",
        "--json",
        "-",
    ]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 0, ended.output
    document = json.loads(ended.stdout)
    alone = dvhkit.evaluate_metric(dvhkit.read_case(demo_case_dir), "Liver", "Mean[Gy]").value
    assert document["rows"][0]["value"] == pytest.approx(1.4 * alone, rel=1e-9)
    assert document["dose"].endswith("plan 1 (5 of 5 fractions) and plan 2 (2 of 5 fractions)")


def test_the_command_refuses_unlike_fractions(demo_case_dir):
    ended = CliRunner().invoke(app, ["sum", str(demo_case_dir), f"{demo_case_dir}@30", "--roi", "Liver"])
    assert isinstance(ended.exception, InputError)
    rtdose = next(demo_case_dir.glob("RTDOSE*.dcm"))
    ended = CliRunner().invoke(
        app, ["sum", str(demo_case_dir), f"{rtdose}@5", "--eqd2", "3", "--roi", "GTV", "--metric", "Mean[Gy]"]
    )
    assert ended.exit_code == 0, ended.output
    assert "alpha/beta 3 Gy" in ended.stdout
