"""One long table of many cases: every number is the one that the case alone gives, and no case is missing."""

from __future__ import annotations

import shutil

import pytest

import dvhkit

METRICS = ["D95%[Gy]", "Volume"]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory, demo_case_dir):
    """Return a folder with the demo plan, and one whose structure set is cut short."""
    folder = tmp_path_factory.mktemp("clinic")
    for name in ("good", "cut"):
        (folder / name).mkdir()
        for file in ("RTSTRUCT.dcm", "RTDOSE.dcm", "RTPLAN.dcm"):
            shutil.copy(demo_case_dir / file, folder / name / file)
    whole = (folder / "cut" / "RTSTRUCT.dcm").read_bytes()
    (folder / "cut" / "RTSTRUCT.dcm").write_bytes(whole[: len(whole) // 2])
    return folder


def test_rows_are_those_of_the_case_alone(clinic):
    table = dvhkit.metric_table(clinic / "good", METRICS, rois=["PTV", "Liver - GTV", "Heart"])
    case = dvhkit.read_case(clinic / "good")
    assert list(table.columns[:7]) == ["case_id", "roi", "metric", "value", "unit", "low", "high"]
    assert list(zip(table.roi, table.metric, strict=True)) == [
        (roi, metric) for roi in ("PTV", "Liver - GTV", "Heart") for metric in ("D95%[Gy]", "Volume[cc]")
    ]
    for row in table.itertuples():
        alone = dvhkit.evaluate_metric(case, row.roi, row.metric)
        assert (row.value, row.low, row.high, row.unit) == (alone.value, alone.low, alone.high, alone.unit)


def test_without_names_every_structure_is_there(clinic):
    table = dvhkit.metric_table(clinic / "good", ["Volume"])
    assert list(table.roi) == list(dvhkit.read_case(clinic / "good").structures.names)


def test_a_structure_that_a_case_lacks_is_told(clinic):
    table = dvhkit.metric_table(clinic / "good", METRICS, rois=["Pancreas"])
    assert list(table.value.isna()) == [True, True]
    assert set(table.reason_code) == {"no-structure"}


def test_a_case_that_cannot_be_read_has_a_row(clinic):
    # Alone: beside its twin, whose files bear the same UIDs, nobody could tell whose structures are broken.
    (row,) = dvhkit.metric_table(clinic / "cut", METRICS, rois=["PTV"]).itertuples()
    assert (row.case_id, row.reason_code) == ("cut", "error")
    assert "RTSTRUCT.dcm" in row.reason


def test_a_misspelt_metric_is_an_error_before_anything_is_read(tmp_path):
    with pytest.raises(dvhkit.DvhkitError, match="cannot be read"):
        dvhkit.metric_table(tmp_path / "nowhere", ["D95"])
