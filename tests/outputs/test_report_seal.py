"""A sealed report tells when it was altered, who signed it, and whether its data are the same."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_records import LIVER

from dvhkit.errors import InputError
from dvhkit.jobs.verify import read_report, report_faults
from dvhkit.outputs.records import audit_document, json_text
from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.report.seal import record_sha256, signatures, with_signature
from dvhkit.results.audit import InputFile, Verdict


def test_a_report_as_it_was_made_has_no_faults_signed_or_not() -> None:
    page = html_report([LIVER])
    assert report_faults(page) == []
    twice = with_signature(
        with_signature(page, name="<b>A</b>", role="physicist", date="2026-11-30"),
        name="B",
        role="radiation oncologist",
        date="2026-12-01",
    )
    assert report_faults(twice) == []
    assert [s.text for s in signatures(twice)] == [
        "<b>A</b> · physicist · 2026-11-30",
        "B · radiation oncologist · 2026-12-01",
    ]
    assert "<b>A</b>" not in twice


@pytest.mark.parametrize(
    ("old", "new"), [("57.412", "60.412"), ("fail", "pass"), ("physicist", "physician"), ("2026-11-30", "2026-11-29")]
)
def test_an_altered_value_verdict_or_signature_is_told(old: str, new: str) -> None:
    page = with_signature(html_report([LIVER]), name="A", role="physicist", date="2026-11-30")
    whole, cut = old.split(".") if "." in old else (old, "")
    found = old if old in page else f'{whole}</span><span class="f">.{cut[:2]}'
    assert found in page
    assert report_faults(page.replace(found, new, 1)) != []


def test_a_signature_for_another_record_is_told() -> None:
    page = with_signature(html_report([LIVER]), name="A", role="physicist", date="2026-11-30")
    item = next(line for line in page.splitlines() if 'class="signature"' in line)
    other = html_report([replace(LIVER, case="another")]).replace("<!-- signatures -->", item)
    assert any("another record" in fault for fault in report_faults(other))


def test_other_data_than_those_of_the_record_are_told(tmp_path: Path) -> None:
    (tmp_path / "RS.dcm").write_bytes(b"structures")
    digest = hashlib.sha256(b"structures").hexdigest()
    assert LIVER.provenance is not None
    inputs = (InputFile(role="RTSTRUCT", path="RS.dcm", sha256=digest),)
    page = html_report([replace(LIVER, provenance=replace(LIVER.provenance, inputs=inputs))])
    assert report_faults(page, tmp_path) == []
    (tmp_path / "RS.dcm").write_bytes(b"other structures")
    assert any("RTSTRUCT" in fault for fault in report_faults(page, tmp_path))


def test_the_records_hash_is_that_of_its_json() -> None:
    text = json_text(audit_document([LIVER]))
    assert record_sha256([LIVER]) == hashlib.sha256(text.encode()).hexdigest()


def test_the_page_shows_the_hash_of_the_record_that_is_signed_and_who_waived_when_and_why() -> None:
    waived = replace(
        LIVER.rules[0], verdict=Verdict.WAIVED, reason="waived by A. Physician on 2026-11-30: overlaps the stomach"
    )
    record = replace(LIVER, rules=(waived,))
    for short in (False, True):
        page = html_report([record], short=short)
        assert page.count(record_sha256([record])) == 2, "for `dvhkit verify`, and for people"
        assert "aived by A. Physician on 2026-11-30: overlaps the stomach" in page


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html></html>", encoding="utf-8")
    with pytest.raises(InputError, match="no sealed report"):
        read_report(tmp_path / "page.html")
