"""The volume of a structure set alone, without any dose, is a number with its band like any other."""

import shutil
from pathlib import Path

import dvhkit
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.metrics.expression import parse_metric

DEMO = Path(__file__).resolve().parents[2] / "test_data" / "liver_sbrt"


def test_a_structure_set_without_a_dose_gives_volumes_with_bands(tmp_path):
    rtstruct = next(path for path in DEMO.glob("*.dcm") if path.name.startswith("RTSTRUCT"))
    shutil.copy(rtstruct, tmp_path)
    numbers = CaseNumbers(dvhkit.read_case(tmp_path))
    row = numbers.metric(numbers.region("Liver"), parse_metric("Volume"))
    assert row.low < row.value < row.high
    lacking = numbers.metric(numbers.region("Liver"), parse_metric("Mean[Gy]"))
    assert (lacking.value, lacking.reason_code) == (None, "no-dose")
