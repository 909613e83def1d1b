"""The demo plan's report, and a digest of it that is the same on every machine and day."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The last digits of numbers, times and versions differ between machines; words, rules and styles do not.
# A digest first, whole: it may begin with a number.
_CHANGING = re.compile(r"\b[0-9a-f]{16,}\b|[-+]?\d[\d.,:TZ+-]*")


def demo_report() -> str:
    """Return the report of the shipped plan, held against the shipped protocol, as HTML."""
    from dvhkit.jobs.audit import audit_case
    from dvhkit.jobs.pictures.scene import gather_scene
    from dvhkit.outputs.report.case_report import html_report
    from dvhkit.protocols.files.context import load_context
    from dvhkit.readers.case import read_case

    case = read_case(ROOT / "test_data" / "liver_sbrt")
    context = load_context(ROOT / "test_data" / "liver_sbrt_context.yaml")
    record = audit_case(case, "oligoprogressive-liver-2025", context=context)
    return html_report([record], scene=gather_scene(case, record))


def report_digest(html: str) -> str:
    """Return the digest of the words of a report, numbers aside."""
    shown = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>|<[^>]*>", " ", html)
    words = re.sub(r"\s+", " ", _CHANGING.sub("#", shown.replace(str(ROOT), ""))).strip()
    return hashlib.sha256(words.encode()).hexdigest()
