"""From running sums to volumes at doses, and peaks made round: closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from dvhkit.engine.field.histogram import atoms, shifted
from dvhkit.engine.kernels.field.peaks import round_peaks

LOW, HIGH, BINS = 10.0, 50.0, 400


def empty(shares: int = 1) -> np.ndarray:
    hist = np.zeros((shares, BINS, 9))
    hist[:, :, 7], hist[:, :, 8] = np.inf, -np.inf
    return hist


def spread(hist: np.ndarray, share: int, from_gy: float, to_gy: float, mm3: float) -> None:
    """Book a volume whose doses are spread evenly from one dose to another: the slope of the sum begins and ends."""
    for dose, sign in ((from_gy, 1.0), (to_gy, -1.0)):
        x, density = dose - LOW, sign * mm3 / (to_gy - from_gy)
        b = min(int(x / ((HIGH - LOW) / BINS)), BINS - 1)
        hist[share, b, :3] += density * np.array([1.0, x, 0.5 * x * x])


def single(hist: np.ndarray, share: int, dose_gy: float, mm3: float) -> None:
    b = min(int((dose_gy - LOW) / ((HIGH - LOW) / BINS)), BINS - 1)
    hist[share, b, 5] += mm3
    hist[share, b, 6] += mm3 * (dose_gy - LOW)
    hist[share, b, 7] = min(hist[share, b, 7], dose_gy - LOW)
    hist[share, b, 8] = max(hist[share, b, 8], dose_gy - LOW)


def test_an_even_spread_keeps_volume_and_mean_and_runs_straight():
    hist = empty()
    spread(hist, 0, 13.7, 41.3, 900.0)
    dose, part = atoms(hist, [0], LOW, HIGH, np.array([13.7, 41.3]))
    assert part.sum() == pytest.approx(900.0)
    assert (dose * part).sum() / part.sum() == pytest.approx(27.5)
    above = np.array([part[dose >= d].sum() for d in (20.0, 30.0, 40.0)])
    # An atom stands for a bin of 0.1 Gy: what lies above a dose is known to one of them.
    assert above == pytest.approx([900 * (41.3 - d) / 27.6 for d in (20.0, 30.0, 40.0)], abs=900 / 276)
    assert np.all(np.diff(dose) >= 0)


def test_volume_at_one_dose_keeps_it_to_the_last_digit():
    hist = empty()
    limit = 10.0 + 40.0 / 3.0
    single(hist, 0, limit, 5.0)
    single(hist, 0, limit, 7.0)
    dose, part = atoms(hist, [0], LOW, HIGH, np.array([LOW, HIGH]))
    assert (dose.tolist(), part.tolist()) == ([limit], [12.0])


def test_shares_add_up_and_one_left_out_is_not_counted():
    hist = empty(3)
    spread(hist, 0, 12.0, 20.0, 100.0)
    single(hist, 1, 33.0, 40.0)
    spread(hist, 2, 30.0, 45.0, 70.0)
    volume = {tuple(s): atoms(hist, s, LOW, HIGH, np.array([LOW, HIGH]))[1].sum() for s in ([0, 1], [0, 1, 2], [2])}
    assert volume == pytest.approx({(0, 1): 140.0, (0, 1, 2): 210.0, (2,): 70.0})


def test_no_atom_lies_beyond_the_extremes():
    hist = empty()
    spread(hist, 0, 13.72, 13.78, 10.0)
    dose, _ = atoms(hist, [0], LOW, HIGH, np.array([13.74, 13.76]))
    assert dose.min() >= 13.74
    assert dose.max() <= 13.76


def test_doses_shift_by_the_mean_difference_met_there():
    dose, part = np.array([15.0, 30.0, 45.0]), np.ones(3)
    shifts = np.zeros((40, 2))  # a group a Gy
    shifts[:, 0], shifts[:, 1] = 2.0, 2.0 * 0.25
    moved, kept = shifted(dose, part, shifts, LOW, HIGH)
    assert moved == pytest.approx(dose + 0.25)
    assert kept is not None
    assert kept.tolist() == [1, 1, 1]
    assert shifted(dose, part, np.zeros((40, 2)), LOW, HIGH)[0] is dose


def test_a_quadratic_dose_is_lifted_by_an_eighth_of_its_second_difference_an_axis():
    z, y, x = np.meshgrid(np.arange(5.0), np.arange(6.0), np.arange(7.0), indexing="ij")
    dose = 40.0 - 0.3 * (x - 3) ** 2 - 0.2 * (y - 2) ** 2 - 0.1 * (z - 2) ** 2
    out = np.empty_like(dose)
    round_peaks(dose, np.arange(5.0) * 3.0, 0.0, out)
    inner = (slice(1, -1),) * 3
    assert (out - dose)[inner] == pytest.approx(np.full((3, 4, 5), (0.6 + 0.4 + 0.2) / 8))
    corner = (out - dose)[0, 0, 0]
    assert corner == 0.0


def test_a_straight_dose_on_uneven_planes_stays_and_none_falls_below_the_least():
    offsets = np.array([0.0, 2.0, 5.0, 6.0])
    dose = np.broadcast_to((4.0 + 1.5 * offsets)[:, None, None], (4, 3, 3)).copy()
    out = np.empty_like(dose)
    round_peaks(dose, offsets, 0.0, out)
    assert out == pytest.approx(dose)
    hollow = np.full((3, 3, 3), 9.0)
    hollow[1, 1, 1] = 0.5
    round_peaks(hollow, np.arange(3.0), 0.4, out := np.empty_like(hollow))
    assert out.min() == pytest.approx(0.4)
