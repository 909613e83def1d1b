"""The cases of a store as its index shows them: columns of the tables where there are some, else the documents."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.archive.storage.keys import digest
from dvhkit.outputs.files import write_text_whole
from dvhkit.outputs.runs.index_page import index_html
from dvhkit.results.run_index import IndexedCase, IndexedFinding, IndexedRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dvhkit.archive.storage.store import Store

INDEX = "index.html"
REPORTS = "reports"
_RULE_COLUMNS = (
    "rule_id", "title", "roi", "metric", "goal", "variation", "unit", "verdict", "value", "low", "high", "reason",
    "withheld",
)  # fmt: skip
_FINDING_COLUMNS = ("finding_code", "level", "message")


def write_index(store: Store, out: Path | None = None) -> Path:
    """Write the index of a run, RUN/index.html where `out` does not say otherwise, and return where it is."""
    path = store.run / INDEX if out is None else out
    write_text_whole(path, index_html(indexed_cases(store, beside=path.parent)))
    return path


def report_path(run: Path, case_id: str) -> Path:
    """Return where the report of one case of a run lies; its name is a digest, since case IDs may be anything."""
    return run / REPORTS / f"{digest(case_id)[:20]}.html"


def indexed_cases(store: Store, *, beside: Path) -> list[IndexedCase]:
    """Return the cases of a store in order of their IDs; links to reports are relative to the folder `beside`."""
    rules, findings = _rules(store), _findings(store)
    heads = store.cases()
    for case, record in store.pending_documents():
        rules[case] = [_rule({**row, "metric": row["quantity"]}) for row in record["rules"]]
        findings[case] = [IndexedFinding(f["code"], f["level"], f["message"]) for f in record["findings"]]
    is_beside = beside.resolve() == store.run.resolve()
    made = {path.name for path in (store.run / REPORTS).glob("*.html")} if is_beside else set()
    alone = "report.html" if is_beside and len(heads) == 1 and (store.run / "report.html").exists() else ""
    return [
        IndexedCase(
            case_id=case,
            protocol_id=" ".join(str(head[k]) for k in ("protocol_id", "protocol_version") if head.get(k)),
            prescription=str(head.get("prescription") or ""),
            error=head["error"],
            all_met=bool(head["all_met"]),
            report=alone or _link(store.run, case, made),
            rules=tuple(rules.get(case, ())),
            findings=tuple(findings.get(case, ())),
        )
        for case, head in heads.items()
    ]


def _link(run: Path, case_id: str, made: set[str]) -> str:
    name = report_path(run, case_id).name
    return f"{REPORTS}/{name}" if name in made else ""


def _rules(store: Store) -> dict[str, list[IndexedRule]]:
    found: dict[str, list[IndexedRule]] = defaultdict(list)
    if store.parts("rules"):
        table = store.read("rules", ["case_id", *_RULE_COLUMNS])
        for case, *cells in _lines(table):
            found[case].append(_rule(dict(zip(_RULE_COLUMNS, cells, strict=True))))
    return found


def _rule(row: Mapping[str, Any]) -> IndexedRule:
    texts = (row.get(name) or "" for name in ("rule_id", "title", "roi", "metric", "goal", "variation", "unit"))
    rule_id, title, roi, quantity, goal, variation, unit = texts
    return IndexedRule(
        rule_id=rule_id,
        title=title,
        roi=roi,
        quantity=quantity,
        goal=goal,
        variation=variation,
        unit=unit,
        verdict=row.get("verdict") or "",
        value=row.get("value"),
        low=row.get("low"),
        high=row.get("high"),
        reason=row.get("reason") or "",
        withheld=bool(row.get("withheld")),
    )


def _findings(store: Store) -> dict[str, list[IndexedFinding]]:
    found: dict[str, list[IndexedFinding]] = defaultdict(list)
    if store.parts("findings"):
        for case, *cells in _lines(store.read("findings", ["case_id", *_FINDING_COLUMNS])):
            found[case].append(IndexedFinding(*(cell or "" for cell in cells)))
    return found


def _lines(table: Any) -> Iterable[tuple[Any, ...]]:  # noqa: ANN401 -- an Arrow table
    return zip(*(column.to_pylist() for column in table.columns), strict=True)
