"""The truth lies in the band: solids with closed forms, doses of all kinds, every metric, the extremes too."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import dose, grid, polygon, rectangle, sphere, structure

from dvhkit.engine.dvh import compute_dvh
from dvhkit.metrics.evaluate import evaluate_metric

AT_MM = np.array([0.4, -0.7, 0.3])
ON = grid(spacing=(2.5, 2.5, 2.5), size=(30, 30, 30), origin=(-35.2, -36.1, -35.7))
R = 12.0


def _cylinder(gap, phase):
    z = (np.arange(-30, 31) + phase) * gap
    z = z[np.abs(z) < R - 1e-6]
    half = np.sqrt(R**2 - z**2)
    return structure((h + AT_MM[2], rectangle(-12, -w, 12, w) + AT_MM[:2]) for h, w in zip(z, half, strict=True))


SOLIDS = {
    # Drawn, share of points: x, y, z of a point cloud that fills it evenly.
    "ball": (
        lambda gap, phase: sphere(R, gap, centre=tuple(AT_MM), phase=phase, n=180),
        lambda p: (p**2).sum(axis=1) < R**2,
    ),
    "lying cylinder": (_cylinder, lambda p: (np.abs(p[:, 0]) < 12) & (p[:, 1] ** 2 + p[:, 2] ** 2 < R**2)),
}
DOSES = {
    "linear": lambda x, y, z: 30 + x + 0 * (y + z),
    "diagonal": lambda x, y, z: 40 + (x + y + z) / 3**0.5,
    "Gaussian": lambda x, y, z: 5 + 40 * np.exp(-(x**2 + y**2 + z**2) / (2 * 12.0**2)),
    "sigmoid": lambda x, y, z: 5 + 40 / (1 + np.exp(-(0.6 * x + 0.8 * z) / 4)),
}
METRICS = ("Volume[cc]", "Mean[Gy]", "Min[Gy]", "Max[Gy]", "D99%[Gy]", "D95%[Gy]", "D50%[Gy]", "D5%[Gy]", "D1%[Gy]")


def _surface(name):
    """Points all over the surface, within 0.05 mm of any of its points."""
    along, turn = np.meshgrid(np.linspace(-1, 1, 601), np.linspace(0, 2 * np.pi, 1601))
    if name == "ball":
        across = np.sqrt(1 - along**2)
        return R * np.stack([along, across * np.cos(turn), across * np.sin(turn)], axis=-1).reshape(-1, 3)
    return R * np.stack([along, np.cos(turn), np.sin(turn)], axis=-1).reshape(-1, 3)


def _truth(name, inside, formula):
    axis = np.linspace(-12, 12, 240)
    points = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    kept = points[inside(points)]
    values = np.sort(formula(*kept.T))
    ends = np.concatenate([formula(*_surface(name).T), values[[0, -1]]])
    found = {"Mean[Gy]": values.mean(), "Min[Gy]": ends.min(), "Max[Gy]": ends.max()}
    return found | {f"D{p}%[Gy]": np.quantile(values, 1 - p / 100) for p in (99, 95, 50, 5, 1)}


@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_the_truth_of_every_metric_lies_in_its_band_whatever_the_dose(name):
    draw, inside = SOLIDS[name]
    volume = {"ball": 4 / 3 * np.pi * R**3, "lying cylinder": np.pi * R**2 * 24}[name] / 1000
    hits = {m: [] for m in METRICS}
    for formula in DOSES.values():
        truth = {"Volume[cc]": volume} | _truth(name, inside, formula)
        given = dose(lambda x, y, z, f=formula: f(x - AT_MM[0], y - AT_MM[1], z - AT_MM[2]), ON)
        for gap in (2.0, 3.0):
            for phase in (0.0, 0.3, 0.5):
                dvh = compute_dvh(draw(gap, phase), given, with_band=True)
                for metric in METRICS:
                    row = evaluate_metric(metric, dvh, roi="S")
                    hits[metric].append(row.low <= truth[metric] <= row.high)
    for metric, inside_band in hits.items():
        assert np.mean(inside_band) >= 0.95, metric


def test_the_band_of_the_greatest_dose_reaches_a_tip_between_two_slices():
    # A wedge that ends in an edge half way between two slices: no contour touches it.
    z = np.arange(-10.5, 12.0, 3.0)
    wedge = structure((h, rectangle(-8, -8, 14 - abs(h - 0.0), 8)) for h in z)
    row = evaluate_metric("Max[Gy]", compute_dvh(wedge, dose(lambda x, y, z: 30 + x), with_band=True), roi="S")
    assert row.value < 44.0 <= row.high + 1e-6
    assert row.high < 44.0 + 0.35


def test_chords_widen_the_band_as_far_as_the_arc_that_they_cut_off():
    angle = 2 * np.pi * np.arange(24) / 24
    drawn = structure((z, 10 * np.column_stack([np.cos(angle), np.sin(angle)])) for z in np.arange(0.0, 20.5, 1.0))
    fine = structure((z, polygon(10, 360)) for z in np.arange(0.0, 20.5, 1.0))
    coarse, smooth = (compute_dvh(s, None, with_band=True) for s in (drawn, fine))
    # 24 corners on a circle leave out 1 - sin(15 deg) / 15 deg of it.
    missing = np.pi * 100 * 21 / 1000 * (1 - np.sin(np.pi / 12) / (np.pi / 12))
    assert coarse.volume_error_cc - smooth.volume_error_cc == pytest.approx(missing, rel=0.03)


def test_in_uniform_dose_the_band_of_every_dose_is_a_point():
    dvh = compute_dvh(sphere(7.0, 2.0, phase=0.3), dose(lambda x, y, z: 20 + 0 * x), with_band=True)
    for metric in METRICS[1:]:
        row = evaluate_metric(metric, dvh, roi="S")
        assert row.low == pytest.approx(20, rel=1e-12)
        assert row.high == pytest.approx(20, rel=1e-12)


def test_a_hot_spot_deep_inside_leaves_no_doubt_about_the_greatest_dose():
    # The outlines are cold: what lies inside the drawn sections belongs to the structure all the same.
    drawn = sphere(20.0, 2.5, phase=0.3)
    given = dose(lambda x, y, z: 60 * np.exp(-(x**2 + y**2 + z**2) / (2 * 8.0**2)), ON)
    row = evaluate_metric("Max[Gy]", compute_dvh(drawn, given, with_band=True), roi="S")
    assert row.low > 0.97 * row.value
    assert row.high < 1.05 * row.value


def test_contours_that_still_cross_after_mending_are_mended_once(monkeypatch):
    # A repair that leaves the crossing as it is must not be tried for ever.
    monkeypatch.setattr("dvhkit.engine.solid.solid.repaired", lambda stack, planes: stack)
    bow = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 9.0], [4.0, -6.0], [4.0, 20.0], [0.0, 20.0]])
    dvh = compute_dvh(structure((h, bow) for h in (0.0, 2.0, 4.0)), dose(lambda x, y, z: 30 + x, ON), with_band=True)
    assert dvh.volume_cc > 0


@pytest.mark.parametrize("at_gy", [10.0, 19.0, 24.0, 30.0, 41.0, 50.0])
def test_a_share_of_volume_is_as_uncertain_as_what_it_lacks_and_certain_where_no_isodose_cuts(at_gy):
    on = grid(spacing=(2.5, 2.0, 3.0), size=(20, 22, 18), origin=(-23.0, -21.0, -25.0))
    drawn = sphere(10.0, 2.5, centre=(0.5, -1.0, 0.7), phase=0.3, n=60)
    dvh = compute_dvh(drawn, dose(lambda x, y, z: 30 + x + 0 * (y + z), on), with_band=True)
    row, rest = (evaluate_metric(f"{kind}{at_gy:g}Gy[%]", dvh, roi="S") for kind in ("V", "CV"))
    assert row.low == pytest.approx(100 - rest.high, abs=1e-9)
    assert row.high == pytest.approx(100 - rest.low, abs=1e-9)
    if at_gy in (10.0, 50.0):
        assert row.low == row.value == row.high
