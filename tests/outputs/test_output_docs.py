"""docs/outputs.md names the keys and columns that are written, and no others."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from made_up_records import LIVER, METRICS

from dvhkit.outputs import tables
from dvhkit.outputs.records import audit_document, json_text, metrics_document

DOCS = Path(__file__).parents[2] / "docs" / "outputs.md"


def documented(row: str) -> list[str]:
    """Return the names in the last cell of a table's row, the first list of them between backticks."""
    line = next(text for text in DOCS.read_text(encoding="utf-8").splitlines() if text.startswith(f"| {row} |"))
    return re.split(r",\s*", re.findall(r"`([^`]+)`", line.removeprefix(f"| {row} |"))[0])


def test_every_key_of_a_case_is_told():
    case = json.loads(json_text(audit_document([LIVER])))["cases"][0]
    block = next(
        json.loads(text)
        for text in re.findall(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
        if "audit/1" in text
    )
    assert list(block["cases"][0]) == list(case)


@pytest.mark.parametrize("part", ["rules", "curves"])
def test_every_key_of_a_part_is_told(part):
    case = json.loads(json_text(audit_document([LIVER])))["cases"][0]
    text = " ".join(line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{part}[]`"))
    assert set(case[part][0]) == set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", text)))) - {part}


def test_the_columns_of_the_tables_are_told():
    assert next(csv.reader(io.StringIO(tables.summary_csv([LIVER])))) == documented("summary")
    assert next(csv.reader(io.StringIO(tables.metrics_csv(METRICS)))) == documented("metrics")
    assert next(csv.reader(io.StringIO(tables.curves_csv(LIVER.curves)))) == documented("curves")


def test_every_key_of_a_metric_is_told():
    row = json.loads(json_text(metrics_document(METRICS)))["rows"][0]
    block = next(
        json.loads(text)
        for text in re.findall(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
        if "metrics/1" in text
    )
    assert set(block["rows"][0]) == set(row)
