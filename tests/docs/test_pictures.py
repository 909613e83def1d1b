"""README's pictures show today's report: they were made from one that says the same."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_picture_of_the_report_is_made_from_todays_report():
    sys.path.insert(0, str(ROOT))
    from scripts.report_digest import demo_report, report_digest

    stored = (ROOT / "docs" / "img" / "report.sha256").read_text().strip()
    assert report_digest(demo_report()) == stored, "the report has changed: run `make docs-pictures`"
