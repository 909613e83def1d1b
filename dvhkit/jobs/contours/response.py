"""Response over time from a table of diameters, with the band that two readers would leave open."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.results.contours.response import Course, Responses, TimePoint
from dvhkit.targets.compare.response import (
    CR,
    NE,
    TOO_SMALL_MM,
    Reading,
    Sums,
    Visit,
    after,
    best_overall,
    confirmed_best,
    non_target_response,
    overall_response,
    sum_of,
    target_response,
)

COLUMNS = ("date", "lesion", "role", "mm", "state", "viable_mm", "patient")
ROLES = ("target", "node", "non-target", "new")
STATES = ("", "gone", "present", "progressed", "too-small", "ne")
# 95 % limits of agreement of two readers for a sum of diameters (Yoon 2016, meta-analysis), and of one reader twice.
READERS = {"two": (-0.192, 0.195), "same": (-0.098, 0.131)}
_MOST_BYTES, _MOST_MM = 10_000_000, 1000.0
_RL_PCT, _PEL_PCT = 10.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    patient: str
    when: date
    lesion: str
    role: str
    mm: float | None
    viable_mm: float | None
    state: str


def judge_responses(
    table: Path, *, confirm_days: int = 28, sd_days: int = 42, readers: str = "two", most_ne: int = 1
) -> Responses:
    """Return RECIST 1.1 (and, where viable diameters stand, mRECIST) of every patient of a table.

    Parameters
    ----------
    table
        CSV, one row a date and lesion: ``date`` (YYYY-MM-DD), ``lesion``, ``role`` (target, node, non-target, new),
        ``mm`` (longest diameter; of a node its short axis), and, where wanted, ``state`` (gone, present, progressed,
        too-small, ne), ``viable_mm`` and ``patient``. The first date of a patient is the baseline.
    confirm_days, sd_days
        After which CR and PR are confirmed by a later one; from which day on SD counts.
    readers
        Whose variability the band shows: ``two`` or the ``same`` twice.
    most_ne
        So many time points without evaluation may lie between a response and its confirmation.

    Raises
    ------
    InputError
        Naming file and line.
    """
    if readers not in READERS:
        raise InputError(f"readers are {' or '.join(READERS)}, not {readers!r}.")
    rows = _read(table)
    names = list(dict.fromkeys(row.patient for row in rows))
    courses = [
        _course(name, [r for r in rows if r.patient == name], (confirm_days, sd_days, most_ne), READERS[readers])
        for name in names
    ]
    return Responses(patients=tuple(courses))


def _read(table: Path) -> list[_Row]:
    try:
        if table.stat().st_size > _MOST_BYTES:
            raise InputError("is too large for a table of diameters.", path=table)
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}.", path=table, remedy="Give a CSV file in UTF-8.") from error
    reader = csv.DictReader(text.splitlines(), delimiter=_delimiter(text))
    heads = [h.strip().casefold() for h in reader.fieldnames or ()]
    lacking = [c for c in COLUMNS[:4] if c not in heads]
    if lacking:
        raise InputError(f"has no column {', '.join(lacking)}.", path=table, remedy=f"Columns: {', '.join(COLUMNS)}.")
    reader.fieldnames = heads
    # A row of more cells than the head has keeps the rest under None.
    numbered = [(n, cells) for n, cells in enumerate(reader, start=2) if any(v for k, v in cells.items() if k and v)]
    if not numbered:
        raise InputError("holds no row.", path=table, remedy="Write one row a date and lesion.")
    rows = [_row(cells, table, n, comma=reader.reader.dialect.delimiter != ",") for n, cells in numbered]
    _require_once(rows, [n for n, _ in numbered], table)
    return sorted(rows, key=lambda r: r.when)


def _delimiter(text: str) -> str:
    """Return what parts the columns: spreadsheets whose numbers have decimal commas write semicolons or tabs."""
    head = text.splitlines()[0] if text else ""
    return max(",;\t", key=head.count)


def _require_once(rows: Sequence[_Row], lines: Sequence[int], table: Path) -> None:
    """Raise where a lesion is told twice on one day: its diameter would be a guess."""
    known: dict[tuple[str, date, str], int] = {}
    for row, line in zip(rows, lines, strict=True):
        before = known.setdefault((row.patient, row.when, row.lesion), line)
        if before != line:
            raise InputError(
                f"tells a lesion of {row.when} twice: it stands on line {before} too.",
                path=table,
                where=f"line {line}",
                remedy="Keep one row a date and lesion.",
            )


def _row(cells: dict[str, str | None], table: Path, number: int, *, comma: bool) -> _Row:
    def cell(name: str) -> str:
        return (cells.get(name) or "").strip()

    where = f"line {number}"
    try:
        when = date.fromisoformat(cell("date"))
    except ValueError as error:
        raise InputError(
            f"{cell('date')!r} is no date.", path=table, where=where, remedy="Write YYYY-MM-DD."
        ) from error
    role, state = cell("role").casefold().replace("nontarget", "non-target"), cell("state").casefold()
    if role not in ROLES or state not in STATES:
        raise InputError(
            f"role {role!r} or state {state!r} is not known.", path=table, where=where,
            remedy=f"Roles: {', '.join(ROLES)}; states: {', '.join(STATES[1:])}.",
        )  # fmt: skip
    if not cell("lesion"):
        raise InputError("names no lesion.", path=table, where=where, remedy="Give each lesion a name or number.")

    def size(name: str, state: str) -> float | None:
        return _size(cell(name).replace(",", ".") if comma else cell(name), state, table, where)

    return _Row(
        patient=cell("patient"), when=when, lesion=cell("lesion"), role=role, state=state,
        mm=size("mm", state), viable_mm=size("viable_mm", ""),
    )  # fmt: skip


def _size(text: str, state: str, table: Path, where: str) -> float | None:
    """Return a diameter; 0 for a lesion that is gone, 5 mm for one seen but too small to measure."""
    if state == "ne":
        return None
    if not text:
        return {"gone": 0.0, "too-small": TOO_SMALL_MM}.get(state)
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no diameter in mm.", path=table, where=where) from error
    if not 0.0 <= value <= _MOST_MM:
        raise InputError(f"{value:g} mm is no diameter.", path=table, where=where)
    return value


def _course(patient: str, rows: Sequence[_Row], rules: tuple[int, int, int], band: tuple[float, float]) -> Course:
    days = sorted({row.when for row in rows})
    visits = [_visit(rows, day, days[0]) for day in days]
    viable = [_visit(rows, day, days[0], viable=True) for day in days]
    has_viable = any(r.viable_mm is not None for r in rows)
    points = _points(visits, viable if has_viable else None, days, band)
    confirm_days, sd_days, most_ne = rules
    found = [(p.day, p.overall) for p in points[1:]]
    best, odd = confirmed_best(found, confirm_days=confirm_days, sd_days=sd_days, most_ne=most_ne)
    by_viable = [(p.day, p.m_overall or NE) for p in points[1:]]
    return Course(
        patient=patient,
        time_points=tuple(points),
        best_overall=best_overall(found, sd_days=sd_days),
        best_overall_confirmed=best,
        m_best_overall=best_overall(by_viable, sd_days=sd_days) if has_viable else None,
        warnings=(*odd, *_warnings(rows, days)),
    )


def _warnings(rows: Sequence[_Row], days: Sequence[date]) -> list[str]:
    """Return what RECIST 1.1 says against the choice of targets."""
    first = [r for r in rows if r.when == days[0]]
    targets = [r for r in first if r.role in {"target", "node"}]
    odd = []
    if len(targets) > 5:
        odd.append(f"{len(targets)} targets; RECIST 1.1 takes five at most, two an organ")
    small = [r.lesion for r in targets if r.mm is not None and r.mm < (15.0 if r.role == "node" else 10.0)]
    if small:
        odd.append(f"too small for a target at baseline: {', '.join(small)}")
    early = [r.lesion for r in first if r.role == "new"]
    if early:
        odd.append(f"new at baseline, which nothing can be: {', '.join(early)}")
    roles: dict[str, set[str]] = {}
    for row in rows:
        roles.setdefault(row.lesion, set()).add("target" if row.role == "node" else row.role)
    changed = sorted(
        lesion for lesion, of in roles.items() if len(of - {"new"}) > 1 or ("new" in of and "target" in of)
    )
    if changed:
        odd.append(f"role changes between dates: {', '.join(changed)}")
    late = {r.lesion for r in rows if r.role in {"target", "node"}} - {r.lesion for r in targets}
    if late:
        odd.append(f"no targets, since not measured at baseline: {', '.join(sorted(late))}")
    return odd


def _visit(rows: Sequence[_Row], day: date, first: date, *, viable: bool = False) -> Visit:
    chosen = [r for r in rows if r.when == first and r.role in {"target", "node"}]
    here = {r.lesion: r for r in rows if r.when == day}
    targets = []
    for lesion in chosen:
        row = here.get(lesion.lesion)
        mm = None if row is None else row.viable_mm if viable and row.viable_mm is not None else row.mm
        targets.append(Reading(lesion=lesion.lesion, is_node=lesion.role == "node", mm=mm))
    states = []
    for lesion in (r for r in rows if r.when == first and r.role == "non-target"):
        row = here.get(lesion.lesion)
        states.append("ne" if row is None else row.state or ("gone" if row.mm == 0.0 else "present"))
    new = any(r.role == "new" and r.state not in {"gone", "ne"} and r.mm != 0.0 for r in rows if first < r.when <= day)
    return Visit(day=(day - first).days, targets=tuple(targets), non_targets=tuple(states), new_lesion=new)


def _points(
    visits: Sequence[Visit], viable: Sequence[Visit] | None, days: Sequence[date], band: tuple[float, float]
) -> list[TimePoint]:
    points: list[TimePoint] = []
    sums, m_sums = Sums(), Sums()
    for n, (visit, day) in enumerate(zip(visits, days, strict=True)):
        m_visit = viable[n] if viable is not None else None
        points.append(_point(visit, m_visit, day, sums, m_sums, band, is_baseline=n == 0))
        sums = after(visit, sums)
        if m_visit is not None:
            m_sums = after(m_visit, m_sums)
    return points


def _point(  # noqa: PLR0917 -- all that is known at one visit
    visit: Visit, m_visit: Visit | None, day: date, sums: Sums, m_sums: Sums, band: tuple[float, float],
    *, is_baseline: bool,
) -> TimePoint:  # fmt: skip
    total = sum_of(visit)
    m_total = sum_of(m_visit) if m_visit is not None else None
    if is_baseline:
        return TimePoint(date=day.isoformat(), day=visit.day, sum_mm=total, m_sum_mm=m_total)
    target, non_target = target_response(visit, sums), non_target_response(visit.non_targets)
    change = _change(total, sums.baseline_mm)
    m_overall = None
    if m_visit is not None:
        m_overall = overall_response(target_response(m_visit, m_sums), non_target, new_lesion=visit.new_lesion)
    rise = _change(m_total, m_sums.nadir_mm) if m_visit is not None else _change(total, sums.nadir_mm)
    return TimePoint(
        date=day.isoformat(),
        day=visit.day,
        sum_mm=total,
        nadir_mm=sums.nadir_mm,
        from_baseline_pct=change,
        from_nadir_pct=_change(total, sums.nadir_mm),
        target=target,
        non_target=non_target,
        new_lesion=visit.new_lesion,
        overall=overall_response(target, non_target, new_lesion=visit.new_lesion),
        band_pct=_band(change, band),
        could_be=_could_be(visit, sums, non_target, band),
        m_sum_mm=m_total,
        m_overall=m_overall,
        radiation_status=_status(rise, new_lesion=visit.new_lesion),
    )


def _change(total: float | None, against: float | None) -> float | None:
    return None if total is None or not against else 100.0 * (total / against - 1.0)


def _band(change: float | None, band: tuple[float, float]) -> tuple[float, float] | None:
    if change is None:
        return None
    low, high = (100.0 * ((1.0 + change / 100.0) * (1.0 + off) - 1.0) for off in band)
    return low, high


def _could_be(visit: Visit, sums: Sums, non_target: str, band: tuple[float, float]) -> tuple[str, ...]:
    """Return the responses within the band of readers; what is gone stays gone."""
    if not visit.targets:
        return ()
    found = []
    for n in range(21):
        scale = 1.0 + band[0] + (band[1] - band[0]) * n / 20
        target = target_response(visit, sums, scale=scale)
        found.append(overall_response(target, non_target, new_lesion=visit.new_lesion))
    found.append(overall_response(target_response(visit, sums), non_target, new_lesion=visit.new_lesion))
    order = (CR, "PR", "SD", "NON-CR/NON-PD", "PD", NE)
    return tuple(r for r in order if r in found)


def _status(rise_pct: float | None, *, new_lesion: bool) -> str:
    """Return the state before radiotherapy as cohort papers name it: residual, progressive or new lesion."""
    if new_lesion:
        return "NL"
    if rise_pct is None or rise_pct < _RL_PCT:
        return ""
    return "PEL" if rise_pct >= _PEL_PCT else "RL"
