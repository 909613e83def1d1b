"""CSV that a program reads without loss and a spreadsheet opens without harm."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_records import BROKEN, CURVES, GOOD, HOSTILE_NAMES, LIVER, METRICS, RULES

from dvhkit.errors import EngineError
from dvhkit.model.dvh import Dvh
from dvhkit.outputs.tables import curves_csv, metrics_csv, summary_csv
from dvhkit.results.audit import MetricResult


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_metric_rows_keep_every_digit_and_leave_the_missing_value_empty() -> None:
    rows = parsed(metrics_csv(METRICS))
    assert list(rows[0])[:4] == ["roi", "metric", "value", "unit"]
    assert [float(row["value"]) if row["value"] else None for row in rows] == [m.value for m in METRICS]
    assert rows[-1]["reason"] == METRICS[-1].reason


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_exact_and_never_quoted_as_text(value: float) -> None:
    (row,) = parsed(metrics_csv([MetricResult(roi="A", metric="Mean[Gy]", unit="Gy", value=value)]))
    assert float(row["value"]) == value


def test_a_nan_is_refused() -> None:
    with pytest.raises(EngineError):
        metrics_csv([MetricResult(roi="A", metric="Mean[Gy]", unit="Gy", value=float("nan"))])


def test_the_summary_has_a_row_a_case_and_rule_and_one_for_a_failed_or_empty_case() -> None:
    empty = replace(GOOD, case="nothing_applies", rules=())
    rows = parsed(summary_csv([LIVER, BROKEN, GOOD, empty]))
    by_case = {name: [row for row in rows if row["case"] == name] for name in dict.fromkeys(r["case"] for r in rows)}
    assert {name: len(found) for name, found in by_case.items()} == {
        "liver_sbrt": len(RULES), "lost_dose": 1, "lung_07": 6, "nothing_applies": 1
    }  # fmt: skip
    assert [row["verdict"] for row in by_case["liver_sbrt"]] == [rule.verdict.value for rule in RULES]
    (failed,) = by_case["lost_dose"]
    assert (failed["verdict"], failed["reason"], failed["rule_id"]) == ("error", BROKEN.error, "")
    assert by_case["nothing_applies"][0]["verdict"] == ""


def test_lines_end_as_rfc_4180_says_and_pandas_reads_the_same() -> None:
    text = summary_csv([LIVER])
    assert text.count("\r\n") == text.count("\n") == len(RULES) + 1
    frame = pd.read_csv(io.StringIO(text))
    assert frame["value"].tolist()[:3] == [2.5, 0.9765625, 57.412]
    assert frame.loc[2, "goal"] == ">= 60 Gy"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1", "＝1", "\x00=1"])
def test_no_cell_is_a_formula(name: str) -> None:
    text = metrics_csv([MetricResult(roi=name, metric=name, unit="Gy", value=-1.5, note=name)])
    (row,) = parsed(text)
    for key in ("roi", "metric", "note"):
        assert row[key][0] in "'\ufffd"
    assert row["value"] == "-1.5"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_breaks_the_table_or_steers_a_terminal(name: str) -> None:
    text = summary_csv([replace(LIVER, case=name, rules=tuple(replace(r, roi=name, reason=name) for r in RULES))])
    rows = parsed(text)
    assert len(rows) == len(RULES)
    assert all(None not in row and len(row) == len(rows[0]) for row in rows)
    assert all(c.isprintable() or c in "\r\n" for c in text)
    text.encode("utf-8")


def test_commas_quotes_and_non_latin_names_come_back() -> None:
    name = 'PTV, "boost" ü 肝'
    assert parsed(metrics_csv([replace(METRICS[0], roi=name)]))[0]["roi"] == name


def test_curves_come_in_long_form_with_cc_and_percent() -> None:
    frame = pd.read_csv(io.StringIO(curves_csv(CURVES)))
    assert list(frame.columns) == ["roi", "dose_gy", "volume_cc", "volume_pct"]
    assert len(frame) == sum(len(curve.dose_gy) for curve in CURVES)
    ptv = frame[frame.roi == "PTV"]
    curve = next(c for c in CURVES if c.roi == "PTV")
    # Written with ten significant digits.
    np.testing.assert_allclose(ptv.volume_pct, curve.volume_pct, rtol=1e-9)
    np.testing.assert_allclose(ptv.volume_cc, np.array(curve.volume_pct) / 100 * curve.volume_cc, rtol=1e-9)


def test_a_dvh_is_drawn_at_the_step_asked_for() -> None:
    dvh = Dvh(roi="A", dose_gy=[1.0, 2.0], part_cc=[3.0, 1.0], volume_cc=5.0, min_gy=1.0, max_gy=2.0)
    rows = parsed(curves_csv([dvh], step_gy=0.5))
    volumes = {float(row["dose_gy"]): (float(row["volume_cc"]), float(row["volume_pct"])) for row in rows}
    # Of 5 cc, 1 cc lies outside the dose grid: 4 cc have a dose of at least 1 Gy, 1 cc one of at least 2 Gy.
    assert volumes[0.0] == (4.0, 80.0)
    assert volumes[1.0] == (4.0, 80.0)
    assert volumes[1.5] == (1.0, 20.0)
    assert volumes[2.0] == (1.0, 20.0)
    assert volumes[2.5] == (0.0, 0.0)
