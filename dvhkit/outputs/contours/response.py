"""Response over time as JSON, as CSV, for the terminal, and as waterfall and spider plots (SVG)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup
from rich import box
from rich.table import Table
from rich.text import Text

from dvhkit.outputs.csv_text import table_csv
from dvhkit.outputs.records import plain_record
from dvhkit.outputs.text import clean
from dvhkit.results.contours.response import RESPONSE_SCHEMA

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType

    from dvhkit.results.contours.response import Course, Responses

_COLUMNS = (
    "date", "day", "sum_mm", "nadir_mm", "from_baseline_pct", "from_nadir_pct", "target", "non_target", "new_lesion",
    "overall", "m_sum_mm", "m_overall", "radiation_status",
)  # fmt: skip
_BAR = '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"><title>{}: {:+.0f} %</title></rect>'
_LINE = '<polyline points="{}" fill="none" stroke="{}" stroke-width="2"><title>{}</title></polyline>'
_COLOURS = {"CR": "#1b7f5c", "PR": "#4aa3df", "SD": "#b9a33b", "PD": "#c4453c"}
_OTHER = "#7a8793"
_WIDTH, _HEIGHT, _EDGE = 720.0, 360.0, 56.0
_LEAST_PCT, _MOST_PCT = -100.0, 100.0
_NAME = '<text x="{:.1f}" y="{:.1f}" font-size="11" text-anchor="{}" fill="#1c2733">{}</text>'
_DOT = '<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'
_KEY = '<rect x="{:.1f}" y="8" width="12" height="12" fill="{}"/>'
# More names than this would overlap; each bar and line tells its own in a tooltip.
_MOST_NAMES, _LONGEST_NAME = 24, 12


def responses_document(found: Responses) -> dict[str, object]:
    """Return responses as a JSON object: ``{"schema": "dvhkit/response/1", "patients": [...]}``."""
    return {"schema": RESPONSE_SCHEMA, **plain_record(found, "responses")}


def responses_csv(found: Responses) -> str:
    """Return responses as CSV: one line a patient and time point."""
    head = ("patient", *_COLUMNS, "band_low_pct", "band_high_pct", "could_be", "best_overall", "best_confirmed")
    lines = (
        [
            c.patient, *(getattr(p, name) for name in _COLUMNS), *(p.band_pct or (None, None)), " ".join(p.could_be),
            c.best_overall, c.best_overall_confirmed,
        ]
        for c in found.patients
        for p in c.time_points
    )  # fmt: skip
    return table_csv(head, lines)


def responses_view(found: Responses) -> list[RenderableType]:
    """Return a table of time points for each patient, then the best response."""
    views: list[RenderableType] = []
    for course in found.patients:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=clean(course.patient) or None)
        for heading in ("Date", "Sum mm", "Baseline %", "Nadir %", "Targets", "Others", "New", "Overall", "Readers"):
            justify: JustifyMethod = "right" if heading.endswith(("mm", "%")) else "left"
            table.add_column(heading, justify=justify, no_wrap=heading == "Date")
        for p in course.time_points:
            numbers = ["-" if v is None else f"{v:+.1f}" for v in (p.from_baseline_pct, p.from_nadir_pct)]
            total = "-" if p.sum_mm is None else f"{p.sum_mm:.1f}"
            open_ = " or ".join(p.could_be) if len(p.could_be) > 1 else ""
            cells = [p.date, total, *numbers, p.target, p.non_target, "yes" if p.new_lesion else "", p.overall, open_]
            table.add_row(*(Text(cell) for cell in cells))
        views.append(table)
        best = f"Best overall response: {course.best_overall}; confirmed: {course.best_overall_confirmed}"
        views.append(Text(best, style="bold"))
        views += [Text(clean(line), style="yellow") for line in course.warnings]
    return views


def response_page(found: Responses) -> str:
    """Return a page with waterfall and spider plot and all tables."""
    from dvhkit.outputs.plain_page import plain_page, plain_table

    rows = [
        [c.patient, p.date, "-" if p.sum_mm is None else f"{p.sum_mm:.1f}", p.overall, " or ".join(p.could_be)]
        for c in found.patients
        for p in c.time_points
    ]
    best = [[c.patient, c.best_overall, c.best_overall_confirmed, "; ".join(c.warnings)] for c in found.patients]
    parts = [
        waterfall(found),
        spider(found),
        plain_table("Best overall response", ("Patient", "Best", "Confirmed", "Remarks"), best),
        plain_table("Time points", ("Patient", "Date", "Sum mm", "Response", "Within reader variability"), rows),
    ]
    return plain_page("Response over time", parts)


def waterfall(found: Responses) -> Markup:
    """Return each patient's deepest change of the sum from baseline as bars, the largest growth first."""
    depths = []
    for course in found.patients:
        changes = [p.from_baseline_pct for p in course.time_points if p.from_baseline_pct is not None]
        if changes:
            depths.append((min(changes), course))
    depths.sort(key=lambda item: -item[0])
    step = (_WIDTH - 2 * _EDGE) / max(len(depths), 1)
    shapes = []
    for n, (depth, course) in enumerate(depths):
        left, name = _EDGE + n * step, clean(course.patient) or f"patient {n + 1}"
        top, height = min(_y(0), _y(depth)), max(abs(_y(depth) - _y(0)), 1.0)
        shapes.append(Markup(_BAR).format(left + 0.1 * step, top, 0.8 * step, height, _colour(course), name, depth))
        if len(depths) <= _MOST_NAMES:
            beyond = _y(depth) - 5 if depth > 0 else _y(depth) + 13
            shapes.append(Markup(_NAME).format(left + 0.5 * step, beyond, "middle", f"{depth:+.0f}"))
            shapes.append(Markup(_NAME).format(left + 0.5 * step, _HEIGHT - 14, "middle", name[:_LONGEST_NAME]))
    return _plot("Deepest change of the sum from baseline", shapes)


def spider(found: Responses) -> Markup:
    """Return each patient's change of the sum from baseline over time as a line."""
    last = max((p.day for c in found.patients for p in c.time_points), default=1) or 1
    shapes = []
    for course in found.patients:
        known = [(p.day, p.from_baseline_pct or 0.0) for p in course.time_points if p.sum_mm is not None]
        if not known:
            continue
        places = [(_EDGE + (_WIDTH - 2 * _EDGE) * day / last, _y(change)) for day, change in known]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        shapes.append(Markup(_LINE).format(path, _colour(course), clean(course.patient)))
        shapes += [Markup(_DOT).format(x, y, _colour(course)) for x, y in places]
        if len(found.patients) <= _MOST_NAMES:
            x, y = places[-1]
            shapes.append(Markup(_NAME).format(x + 6, y - 5, "start", clean(course.patient)[:_LONGEST_NAME]))
    for n in range(5):
        x = _EDGE + (_WIDTH - 2 * _EDGE) * n / 4
        shapes.append(Markup(_NAME).format(x, _HEIGHT - 14, "middle", f"day {last * n / 4:.0f}"))
    return _plot(f"Change of the sum from baseline over {last} days", shapes)


def _colour(course: Course) -> str:
    return _COLOURS.get(course.best_overall_confirmed, _OTHER)


def _y(change_pct: float) -> float:
    inside = min(max(change_pct, _LEAST_PCT), _MOST_PCT)
    return _EDGE + (_HEIGHT - 2 * _EDGE) * (_MOST_PCT - inside) / (_MOST_PCT - _LEAST_PCT)


def _plot(title: str, shapes: list[Markup]) -> Markup:
    rules = [
        Markup(
            '<line x1="{x}" x2="{w}" y1="{y:.1f}" y2="{y:.1f}" stroke="#8fa3b5" stroke-dasharray="{dash}"/>'
            '<text x="{e}" y="{t:.1f}" font-size="12" text-anchor="end" fill="#1c2733">{label} %</text>'
        ).format(
            x=_EDGE,
            w=_WIDTH - _EDGE,
            y=_y(at),
            e=_EDGE - 4,
            t=_y(at) + 4,
            dash="0" if at == 0 else "4 4",
            label=f"{at:+d}" if at else "0",
        )
        for at in (100, 20, 0, -30, -100)
    ]
    for n, (call, colour) in enumerate((*_COLOURS.items(), ("other", _OTHER))):
        rules.append(Markup(_KEY).format(_EDGE + 70 * n, colour))
        rules.append(Markup(_NAME).format(_EDGE + 70 * n + 17, 18, "start", call))
    return Markup('<h2>{}</h2><svg role="img" viewBox="0 0 {} {}" width="100%">{}</svg>').format(
        title, int(_WIDTH), int(_HEIGHT), Markup("").join([*rules, *shapes])
    )
