"""The second check as a part of every audit: in the record, in its JSON, in the report and on the terminal."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from dvhkit.jobs.audit import audit_case
from dvhkit.model.tps_dvh import TpsDvh, TpsExport
from dvhkit.outputs.records import audit_document, json_text, read_audit
from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.terminal.audit import audit_view
from dvhkit.protocols.files.load import Protocol

from . import planted

NOTHING_ASKED = Protocol(id="none", version="", title="No protocol", rules=())


@pytest.fixture(scope="module")
def record():
    """An audit whose RTDOSE stores the right curve, and to which a text of another volume was handed."""
    given = planted.dose()
    points, part = planted.samples()
    own = planted.curve(planted.sampled(given, points), part)
    other = TpsDvh(roi="Target", dose_gy=own.dose_gy, volume=own.volume_cc * 1.08, in_cc=True, source="a.txt", line=7)
    unknown = TpsDvh(
        roi="Liver", dose_gy=np.arange(3.0), volume=np.array([3.0, 2, 0]), in_cc=True, source="a.txt", line=9
    )
    export = TpsExport(name="a.txt", dialect="Eclipse", sha256="0" * 64, curves=(other, unknown))
    return audit_case(planted.case(given, own), NOTHING_ASKED, tps=[export])


def test_stored_curves_and_text_are_both_held_against_ours(record):
    assert [(r.roi, r.verdict.value, r.source) for r in record.second_check] == [
        ("Target", "not explained", "a.txt, line 7"),
        ("Liver", "not compared", "a.txt, line 9"),
        ("Target", "agrees", "RTDOSE"),
    ]
    (told,) = [f for f in record.findings if f.code == "tps-dvh-not-explained"]
    assert "1.08" in told.message
    assert ("DVH export (Eclipse)", "a.txt") in [(i.role, i.path) for i in record.provenance.inputs]


def test_the_json_of_an_audit_holds_the_second_check_and_is_read_back(record):
    text = json_text(audit_document([record]))
    row = json.loads(text)["cases"][0]["second_check"][0]
    assert {"roi", "verdict", "explained_by", "worst_pct", "reason"} <= row.keys()
    assert read_audit(text) == (record,)


def test_report_and_terminal_tell_the_second_check(record):
    page = html_report([record])
    assert "Second check" in page
    assert "not explained" in page
    console = Console(width=100, record=True, file=StringIO())
    for part in audit_view(record):
        console.print(part)
    assert "1 agrees, 1 not explained, 1 not compared" in console.export_text()
