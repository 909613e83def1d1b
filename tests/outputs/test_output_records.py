"""JSON holds all that a record holds, and nothing that is no JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from any_records import records
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_records import BROKEN, GOOD, HOSTILE_NAMES, LIVER, METRICS

from dvhkit.errors import EngineError, InputError
from dvhkit.outputs.records import audit_document, json_text, metrics_document, read_audit
from dvhkit.outputs.report.case_report import html_report
from dvhkit.results.audit import AuditRecord, MetricResult, Verdict


def strict_loads(text: str) -> dict[str, object]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@settings(deadline=None)
@given(st.lists(records, max_size=3))
def test_records_come_back_as_they_went(written: list[AuditRecord]) -> None:
    text = json_text(audit_document(written))
    strict_loads(text)
    assert read_audit(text) == tuple(written)


def test_a_full_record_comes_back_and_draws_the_same_report() -> None:
    text = json_text(audit_document([LIVER, BROKEN, GOOD]))
    back = read_audit(text.encode())
    assert back == (LIVER, BROKEN, GOOD)
    assert html_report(back) == html_report([LIVER, BROKEN, GOOD])


def test_an_audit_says_per_case_whether_all_is_met_and_how_often_each_verdict_fell() -> None:
    document = strict_loads(json_text(audit_document([LIVER, GOOD, BROKEN])))
    assert document["schema"] == "dvhkit/audit/1"
    assert [case["all_met"] for case in document["cases"]] == [False, True, False]
    counts = document["cases"][0]["counts"]
    assert set(counts) == {verdict.value for verdict in Verdict}
    assert {verdict: n for verdict, n in counts.items() if n} == {
        "pass": 6, "variation": 1, "fail": 1, "not-evaluable": 1, "not-applicable": 1
    }  # fmt: skip
    assert document["cases"][0]["rules"][2]["verdict"] == "variation"
    assert document["cases"][2]["error"] == BROKEN.error


def test_metric_rows_begin_with_the_promised_keys_and_have_null_with_a_reason() -> None:
    document = strict_loads(json_text(metrics_document(METRICS)))
    assert document["schema"] == "dvhkit/metrics/1"
    assert list(document["rows"][0])[:5] == ["roi", "metric", "value", "unit", "reason"]
    assert document["rows"][-1]["value"] is None
    assert document["rows"][-1]["reason_code"] == "volume-too-small"
    assert document["rows"][2]["value"] == METRICS[2].value
    assert document["rows"][2]["reason"] is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_nan_is_a_fault_of_ours_named_with_its_place(bad: float) -> None:
    with pytest.raises(EngineError, match=r"Heart Max\[Gy\], value"):
        metrics_document([MetricResult(roi="Heart", metric="Max[Gy]", unit="Gy", value=bad)])
    with pytest.raises(EngineError):
        json_text({"x": bad})


def test_foreign_objects_in_a_context_become_plain_and_surrogates_never_reach_the_file() -> None:
    import numpy as np

    record = replace(LIVER, case=HOSTILE_NAMES[10], context={"n": np.int64(3), "x": np.float32(0.5), "where": {1}})
    case = audit_document([record])["cases"][0]
    assert case["context"] == {"n": 3, "x": 0.5, "where": [1]}
    json_text(audit_document([record])).encode("utf-8")


def test_lists_of_numbers_stand_on_one_line_and_texts_that_look_like_them_stay() -> None:
    document = {"a": [1.5, -2, 3e-7], "b": "[\n  1,\n  2\n]", "c": [[1, 2], []], "d": ["1", 2]}
    text = json_text(document)
    assert json.loads(text) == document
    assert '"a": [1.5, -2, 3e-07]' in text


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ('{"schema": "dvhkit/audit/1", "cases": [NaN]}', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "schema"),
        ('{"schema": "dvhkit/metrics/1", "rows": []}', "dvhkit/metrics/1"),
        ('{"schema": "dvhkit/audit/1"}', "schema"),
        ('{"schema": "dvhkit/audit/1", "cases": [{"case": "x"}]}', r"cases\[0\]\.protocol_id"),
    ],
)
def test_what_is_no_audit_is_refused_with_path_and_place(text: str, fragment: str) -> None:
    with pytest.raises(InputError, match=fragment) as caught:
        read_audit(text, path="old.json")
    assert caught.value.path == "old.json"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("was", "becomes", "place"),
    [
        ('"verdict": "variation"', '"verdict": "waived-by-committee"', r"cases\[0\]\.rules\[2\]\.verdict"),
        ('"value": 57.412', '"value": "57.412"', r"cases\[0\]\.rules\[2\]\.value"),
        ('"value": 57.412', '"value": 1e999', "too large"),
        ('"volume_pct": [', '"volume_pct": [100, ', r"cases\[0\]\.curves\[0\]: There are not as many"),
        ('"level": "warning"', '"level": 2', r"cases\[0\]\.findings\[0\]\.level"),
    ],
)
def test_a_field_of_another_kind_is_refused_and_named(was: str, becomes: str, place: str) -> None:
    text = json_text(audit_document([LIVER]))
    assert was in text
    with pytest.raises(InputError, match=place):
        read_audit(text.replace(was, becomes))


def test_json_text_is_the_librarys_indented_text_with_numbers_on_one_line():
    plain = {"a": {}, "b": [], "c": ['x,\n "y"', {"d": None, "e": True}], "f": [[{"g": "ü<"}], []], "h": -1.5e-7}
    assert json_text(plain) == json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
    assert json_text({"n": [1.0, None, 2], "m": [None, 1], "o": [True, 1]}) == (
        '{\n  "n": [1.0, null, 2],\n  "m": [\n    null,\n    1\n  ],\n  "o": [\n    true,\n    1\n  ]\n}\n'
    )
