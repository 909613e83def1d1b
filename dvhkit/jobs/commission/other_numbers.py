"""Known answers beyond DVHs and margins: biology on a dose whose moments are known, agreement of two equal balls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from dvhkit.jobs.commission.measured import through_dicom, write_quickly
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.metrics.expression import parse_metric
from dvhkit.phantoms.sets.catalogue import make_phantom
from dvhkit.results.commission import CommissionTest

# The target of the setup phantoms: a ball in a linear dose. Of such a ball the mean is the dose in its middle and the
# variance (gradient x radius)^2 / 5.
_BALL = "setup-superior"
_VARIANCE_GY2 = (0.5 * 12.0) ** 2 / 5.0
_FRACTIONS, _ALPHA_BETA_GY = 5, 3.0
_TD50_GY, _M = 42.0, 0.2
# Half a tenth of a millimetre, the least that slices show, in a dose of 0.5 Gy/mm.
_DOSE_GY = 0.025
_PLACE = "0.05 mm of a centroid in a dose of 0.5 Gy/mm"
_AGREEMENT_MM = 0.1


def biology_tests() -> Iterator[CommissionTest]:
    """Yield spread, equivalent doses and a probability of a ball in a linear dose."""
    made = make_phantom(_BALL)
    mean_gy = next(r.value for r in made.rows if (r.roi, r.reading, r.metric) == ("Target", "solid", "Mean[Gy]"))
    square_gy2 = mean_gy**2 + _VARIANCE_GY2
    geud_gy = math.sqrt(square_gy2)
    eqd2_gy = (square_gy2 / _FRACTIONS + _ALPHA_BETA_GY * mean_gy) / (_ALPHA_BETA_GY + 2.0)
    ntcp_pct = 50.0 * math.erfc(-(geud_gy - _TD50_GY) / (_M * _TD50_GY) / math.sqrt(2.0))
    # By how much the conversion, and the probability at its steepest, multiply an error of dose.
    eqd2_slope = (2.0 * mean_gy / _FRACTIONS + _ALPHA_BETA_GY) / (_ALPHA_BETA_GY + 2.0)
    ntcp_slope = 100.0 / (_M * _TD50_GY * math.sqrt(2.0 * math.pi))
    numbers = CaseNumbers(through_dicom(made.phantom))
    for name, title, metric, true, tolerance in (
        ("sd", "Standard deviation of the dose", "SD[Gy]", math.sqrt(_VARIANCE_GY2), _DOSE_GY),
        ("geud", "gEUD with a = 2", "gEUD2[Gy]", geud_gy, _DOSE_GY),
        ("eqd2", "Mean EQD2, alpha/beta 3 Gy, 5 fractions", "EQD2_3:Mean[Gy]", eqd2_gy, _DOSE_GY * eqd2_slope),
        (
            "ntcp",
            "NTCP after Lyman, Kutcher and Burman with n = 0.5",
            f"NTCP_LKB(TD50={_TD50_GY:g}Gy,m={_M:g},n=0.5)",
            ntcp_pct,
            _DOSE_GY * ntcp_slope,
        ),
    ):
        found = numbers.metric(numbers.region("Target"), parse_metric(metric))
        yield _held(
            f"biology/{name}",
            f"{title}, of a ball in a linear dose",
            found.value,
            true=true,
            tolerance=tolerance,
            unit=found.unit,
        )


def agreement_tests() -> Iterator[CommissionTest]:
    """Yield how one ball drawn twice, 5 mm apart, agrees with itself."""
    from dvhkit.jobs.contours.compare import compare_structures

    made = make_phantom("pair-shifted")
    true = {row.metric: row.value for row in made.rows if row.roi == "A / B"}
    with TemporaryDirectory(prefix="dvhkit-commission-") as folder:
        write_quickly(folder, made.phantom)
        (pair,) = compare_structures(Path(folder), Path(folder), pairs={"A": "B"}).pairs
    # A share of 0.3 % of either volume is the stated accuracy on ideal solids; Dice moves by no more than that.
    yield _held("contours/dice", "Dice of two balls 5 mm apart", pair.dice, true=true["dice"], tolerance=0.003, unit="")
    shift = pair.centroid_shift_mm
    for name, title, value in (
        ("hausdorff", "Hausdorff distance of two balls 5 mm apart", pair.hausdorff_mm),
        ("centroid-shift", "Centroid shift of two balls 5 mm apart", None if shift is None else math.hypot(*shift)),
    ):
        of_pair = true[f"{name.replace('-', '_')}_mm"]
        yield _held(f"contours/{name}", title, value, true=of_pair, tolerance=_AGREEMENT_MM, unit="mm")


def _held(test_id: str, title: str, value: float | None, *, true: float, tolerance: float, unit: str) -> CommissionTest:
    achieved = None if value is None else abs(value - true)
    of_dose = test_id.startswith("biology/")
    agreement = "the stated accuracy on ideal solids" if unit == "" else "a twentieth of the smallest clinical margin"
    return CommissionTest(
        id=test_id,
        title=title,
        source="closed form",
        tolerance=round(tolerance, 4),
        achieved=achieved,
        unit=unit,
        basis=_PLACE if of_dose else agreement,
        worst="" if value is not None else "no value",
        passed=achieved is not None and achieved <= round(tolerance, 4),
    )
