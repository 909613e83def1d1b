"""What a system made of a phantom: as JSON, and as lines for the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dvhkit.outputs.commissioning.commission import number_text
from dvhkit.outputs.text import clean
from dvhkit.results.phantom_grade import GRADE_SCHEMA, PhantomGrade

_SHOWN = 40


def grade_document(grade: PhantomGrade) -> dict[str, Any]:
    """Return a grade as a JSON object with the schema ``dvhkit/phantom-grade/1`` and the rows ``values``."""
    return {"schema": GRADE_SCHEMA, "beyond": grade.beyond, **asdict(grade)}


def grade_lines(grade: PhantomGrade) -> list[str]:
    """Return the values that miss the truth, the worst first, and a headline."""
    missed = [v for v in grade.values if not v.within]
    missed.sort(key=lambda v: -abs(v.deviation) if v.deviation is not None else float("-inf"))
    lines = [
        f"✗ {clean(v.roi)} {v.metric}: {number_text(v.measured)} for {number_text(v.true)} {v.unit}"
        + ("" if v.deviation is None else f" ({v.deviation:+.2f} %)")
        for v in missed[:_SHOWN]
    ]
    if len(missed) > _SHOWN:
        lines.append(f"and {len(missed) - _SHOWN} more")
    if grade.not_in_phantom:
        lines.append(f"Not of this phantom: {clean(', '.join(grade.not_in_phantom[:10]))}")
    if grade.nearest_reading and grade.nearest_reading != grade.reading:
        lines.append(f"The values are nearest to the reading '{grade.nearest_reading}': try --reading.")
    sign = "✗" if missed else "✓"
    return [
        *lines,
        f"{sign} {len(grade.values) - len(missed)} of {len(grade.values)} values ({grade.source}) are within "
        f"{grade.tolerance_pct:g} % of the truth of {clean(grade.phantom)}, reading '{grade.reading}'.",
    ]
