"""Where the slices can be read such that a structure is too small for the metric, nothing is passed on it."""

from dataclasses import replace

import numpy as np
import pytest

from dvhkit.errors import Reason
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.model.dvh import Dvh
from dvhkit.protocols.evaluate import StructureFact, evaluate_protocol
from dvhkit.protocols.files.load import load_protocol
from dvhkit.results.audit import Verdict


def uniform(dose_gy, volume_cc, *variants):
    made = Dvh(
        roi="S",
        dose_gy=np.array([float(dose_gy)]),
        part_cc=np.array([float(volume_cc)]),
        volume_cc=float(volume_cc),
        min_gy=float(dose_gy),
        max_gy=float(dose_gy),
    )
    return replace(made, variants=variants)


class Facts:
    """One structure with a DVH."""

    def __init__(self, dvh):
        self.dvh = dvh

    def structures(self):
        return (StructureFact(name="S", number=1),)

    def metric(self, roi, metric):
        return evaluate_metric(metric, self.dvh, roi="S")

    def prescriptions(self):
        return ()

    def fractions(self):
        return None


@pytest.mark.parametrize(
    ("metric", "goal", "dvh", "verdict"),
    [
        ("D2cc[Gy]", "<= 15 Gy", uniform(10, 2.1, uniform(10, 2.0)), Verdict.PASS),
        ("D2cc[Gy]", "<= 15 Gy", uniform(10, 2.1, uniform(10, 1.9)), Verdict.INDETERMINATE),
        ("D2cc[Gy]", "<= 15 Gy", uniform(20, 2.1, uniform(20, 1.9)), Verdict.INDETERMINATE),
        ("D2cc[Gy]", "<= 15 Gy", uniform(10, 1.9, uniform(10, 2.1)), Verdict.NOT_EVALUABLE),
        # What is not there cannot be spared: a liver below 700 cc fails, and one that may be so is open...
        ("DC700cc[Gy]", "<= 15 Gy", uniform(10, 695, uniform(10, 705)), Verdict.FAIL),
        ("DC700cc[Gy]", "<= 15 Gy", uniform(10, 705, uniform(10, 695)), Verdict.INDETERMINATE),
        # ... unless it fails by its dose as well.
        ("DC700cc[Gy]", "<= 15 Gy", uniform(20, 705, uniform(20, 695)), Verdict.FAIL),
        ("DC700cc[Gy]", "<= 15 Gy", uniform(10, 690, uniform(10, 695)), Verdict.FAIL),
    ],
)
def test_an_open_band_settles_nothing_that_it_might_upset(tmp_path, metric, goal, dvh, verdict):
    path = tmp_path / "p.yaml"
    rule = f"{{id: R, structure: S, metric: '{metric}', goal: {goal}}}"
    path.write_text(f'id: p\nversion: "1"\ntitle: t\nrules:\n  - {rule}\n')
    (row,) = evaluate_protocol(load_protocol(path), Facts(dvh))
    assert row.verdict is verdict
    assert verdict is Verdict.PASS or row.reason or row.value is not None


def test_the_metric_says_why_its_band_is_open():
    row = evaluate_metric("D2cc[Gy]", uniform(10, 2.1, uniform(10, 1.9)), roi="S")
    assert (row.value, row.band_open_code) == (10.0, Reason.VOLUME_TOO_SMALL)
    assert evaluate_metric("D2cc[Gy]", uniform(10, 2.1, uniform(10, 2.2)), roi="S").band_open_code is None
    assert evaluate_metric("D2cc[Gy]", uniform(10, 1.9, uniform(10, 1.8)), roi="S").band_open_code is None
