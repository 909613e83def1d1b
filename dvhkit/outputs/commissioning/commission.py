"""A commissioning record as one page to sign, as JSON to keep, and as lines for the terminal."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dvhkit.outputs.files import write_text_whole
from dvhkit.outputs.records import json_text
from dvhkit.outputs.report.page import page_environment, page_policy, page_source
from dvhkit.outputs.text import clean
from dvhkit.results.commission import COMMISSION_SCHEMA, CommissionRecord, CommissionTest

# More changes than a person reads; the JSON has them all.
_SHOWN_CHANGES = 200


def commission_document(record: CommissionRecord) -> dict[str, Any]:
    """Return the record as a JSON object: ``{"schema": "dvhkit/commission/1", "passed": ..., "tests": [...], ...}``."""
    return {"schema": COMMISSION_SCHEMA, "passed": record.passed, **asdict(record)}


def commission_page(record: CommissionRecord) -> str:
    """Return the record as one page of HTML with a place for two signatures."""
    styles = page_source("report.css")
    template = page_environment().get_template("commission.html.j2")
    return template.render(
        record=record,
        rows=[(test, number_text(test.achieved), number_text(test.tolerance)) for test in record.tests],
        changes=[(c, number_text(c.old), number_text(c.new)) for c in record.changes[:_SHOWN_CHANGES]],
        more_changes=max(0, len(record.changes) - _SHOWN_CHANGES),
        headline=_headline(record),
        styles=Markup(styles),
        policy=page_policy(styles),
    )


def write_record(folder: Path, record: CommissionRecord) -> tuple[Path, Path]:
    """Write ``commission.html`` and ``commission.json`` into a folder; return both."""
    page, document = folder / "commission.html", folder / "commission.json"
    write_text_whole(page, commission_page(record))
    write_text_whole(document, json_text(commission_document(record)))
    return page, document


def commission_lines(record: CommissionRecord) -> list[str]:
    """Return the record in lines: failed tests first, what they share, what changed, and the headline."""
    failed = [test for test in record.tests if not test.passed]
    passed = [test for test in record.tests if test.passed]
    lines = [_line(test) for test in (*failed, *passed)]
    lines += [f"What the failed tests share: {clean(text)}" for text in record.diagnosis]
    if record.compared_with:
        changed = f"{len(record.changes)} of {len(record.numbers)} numbers changed"
        lines.append(f"{changed} since {clean(record.compared_with)}.")
        lines += [
            f"  {clean(c.of)}: {clean(c.roi)} {c.metric} {number_text(c.old)} -> {number_text(c.new)} {c.unit}"
            for c in record.changes[:20]
        ]
    return [*lines, _headline(record)]


def number_text(value: float | None) -> str:
    """Return a number to four digits, tiny ones as such."""
    if value is None:
        return "none"
    return "0" if value == 0 else f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.1e}"


def _line(test: CommissionTest) -> str:
    sign = "✓" if test.passed else "✗"
    where = f"  ({clean(test.worst)})" if test.worst and not test.passed else ""
    achieved, tolerance = number_text(test.achieved), number_text(test.tolerance)
    return f"{sign} {test.id:36} {achieved} {test.unit}, allowed {tolerance} {test.unit}{where}"


def _headline(record: CommissionRecord) -> str:
    failed = sum(not test.passed for test in record.tests)
    if failed:
        return f"✗ {failed} of {len(record.tests)} tests failed. Do not use this installation."
    return f"✓ All {len(record.tests)} tests passed in {record.seconds:.0f} s."
