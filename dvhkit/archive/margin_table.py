"""The margins of many plans: a row a plan and pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dvhkit.archive.each_case import Answer, PlanProgress, each_case
from dvhkit.archive.work_list import WorkList
from dvhkit.jobs.read import read_files
from dvhkit.jobs.targets.margin_check import MARGIN_SCHEMA, run_margin_check, worst_verdict
from dvhkit.readers.linking.case_files import CaseFiles
from dvhkit.targets.achieved.expect import parse_expectation

_DIRECTIONS = ("left", "right", "anterior", "posterior", "superior", "inferior")
# Columns of the table; `_mm` of a direction is the recovered margin, its low and high the band.
COLUMNS = (
    "case_id", "inner", "outer", "paired", "verdict", "recipe", "explained_pct", "expected",
    *(f"{name}{part}_mm" for name in _DIRECTIONS for part in ("", "_low", "_high")),
    "minimum_mm", "p05_mm", "median_mm", "p95_mm", "maximum_mm",
    "missing_cc", "excess_cc", "outside_cc", "inner_cc", "outer_cc", "slice_spacing_mm", "reason_code", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginsAsked:
    """Which margins are checked: one pair by name, or every one; and what is expected of them."""

    pair: tuple[str, str] | None = None
    expect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMargins:
    """The documents of one plan's pairs and links."""

    pairs: tuple[dict[str, Any], ...]
    links: tuple[dict[str, Any], ...] = ()


def check_plans(
    plans: WorkList, asked: MarginsAsked, *, jobs: int | None = 1, progress: PlanProgress | None = None
) -> list[Answer]:
    """Return, for each plan of a work list, its `PlanMargins` or the reason why there is none."""
    if asked.expect is not None:
        parse_expectation(asked.expect)  # refused once, before the first plan is read
    return each_case(_check, asked, plans, jobs=jobs, progress=progress)


def margins_document(answers: Sequence[Answer]) -> dict[str, Any]:
    """Return all pairs and links, each with its ``case_id``, the plans that failed, and the worst verdict."""
    pairs = [{"case_id": a.case_id, **pair} for a in answers if a.reason is None for pair in a.result.pairs]
    links = [{"case_id": a.case_id, **link} for a in answers if a.reason is None for link in a.result.links]
    failed = [{"case_id": a.case_id, "reason": a.reason} for a in answers if a.reason is not None]
    verdict = worst_verdict(pairs, links)
    return {"schema": MARGIN_SCHEMA, "pairs": pairs, "containment": links, "failed": failed, "verdict": verdict}


def table_row(pair: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a pair as one flat row by `COLUMNS`; what was not measured is None."""
    flat: dict[str, Any] = {name: pair.get(name) for name in COLUMNS}
    for name, margin in (pair["directions"] or {}).items():
        flat[f"{name}_mm"] = margin["recovered"]
        flat[f"{name}_low_mm"], flat[f"{name}_high_mm"] = margin["band_low"], margin["band_high"]
    flat |= {f"{name}_mm": value for name, value in (pair["distance_mm"] or {}).items()}
    return {**flat, "verdict": str(pair["verdict"]), "reason": "; ".join(pair["reasons"])}


def failed_row(case_id: str, reason: str) -> dict[str, Any]:
    """Return the row of a plan that could not be checked, so that none is missing."""
    return {**dict.fromkeys(COLUMNS), "case_id": case_id, "verdict": "error", "reason_code": "error", "reason": reason}


def _check(asked: MarginsAsked, files: CaseFiles) -> PlanMargins:
    run = run_margin_check(read_files(files, dose="not needed"), asked.pair, asked.expect)
    return PlanMargins(pairs=tuple(run.pairs), links=tuple(run.links))
