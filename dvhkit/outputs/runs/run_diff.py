"""The difference of two runs as JSON, Markdown and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dvhkit.outputs.text import clean
from dvhkit.results.run_diff import DIFF_SCHEMA

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.results.run_diff import Change, RunDiff

_MOST_ROWS = 60
_HEADINGS = ("case", "rule", "structure", "metric", "old", "new", "cause")


def diff_document(diff: RunDiff) -> dict[str, Any]:
    """Return a difference as a JSON object: ``{"schema": "dvhkit/diff/1", "changed": […], "only_a": […], …}``."""
    return {
        "schema": DIFF_SCHEMA,
        "compared": diff.n_compared,
        "changed": [_plain(change) for change in diff.changed],
        "only_a": list(diff.only_a),
        "only_b": list(diff.only_b),
    }


def _plain(change: Change) -> dict[str, Any]:
    row: dict[str, Any] = {"case_id": change.case_id, "kind": change.kind}
    if change.rule_id is not None:
        row["rule_id"] = change.rule_id
    row |= {"roi": change.roi, "metric": change.metric, "old": change.old, "new": change.new}
    return row | {"unit": change.unit, "cause": list(change.cause)}


def headline(diff: RunDiff) -> str:
    """Return a difference in one sentence."""
    worse = sum(change.rank == 0 for change in diff.changed)
    numbers = len(diff.changed) - diff.n_verdicts
    return (
        f"{diff.n_compared} cases compared: {diff.n_verdicts} verdicts changed ({worse} from met to failed), "
        f"{numbers} numbers changed; {len(diff.only_a)} cases lost, {len(diff.only_b)} gained."
    )


def diff_view(diff: RunDiff) -> list[RenderableType]:
    """Return a difference as renderables."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold")
    for change in diff.changed[:_MOST_ROWS]:
        table.add_row(*(clean(cell) for cell in _cells(change)), style="bold red" if change.rank == 0 else "")
    parts: list[RenderableType] = [table] if diff.changed else []
    if len(diff.changed) > _MOST_ROWS:
        parts.append(Text(f"  ... {len(diff.changed) - _MOST_ROWS} more: --json FILE or --md FILE", style="dim"))
    for what, cases in (("only in the first", diff.only_a), ("only in the second", diff.only_b)):
        if cases:
            names = ", ".join(clean(c) for c in cases[:20]) + (", ..." if len(cases) > 20 else "")
            parts.append(Text(f"  {what}: {names}"))
    return [*parts, Text(headline(diff))]


def diff_markdown(diff: RunDiff) -> str:
    """Return a difference as a Markdown table."""
    return "\n".join(_markdown_lines(diff)) + "\n"


def _markdown_lines(diff: RunDiff) -> Iterator[str]:
    yield headline(diff)
    if diff.changed:
        yield ""
        yield "| " + " | ".join(_HEADINGS) + " |"
        yield "|---" * len(_HEADINGS) + "|"
        for change in diff.changed:
            yield "| " + " | ".join(_harmless(cell) for cell in _cells(change)) + " |"
    for what, cases in (("Only in the first", diff.only_a), ("Only in the second", diff.only_b)):
        if cases:
            yield ""
            yield f"{what}: {', '.join(_harmless(case) for case in cases)}"


def _cells(change: Change) -> tuple[str, ...]:
    def shown(value: str | float | None) -> str:
        if value is None:
            return "–"
        return value if isinstance(value, str) else f"{value:.6g} {change.unit}".rstrip()

    causes = ", ".join(change.cause) or "unknown"
    return (
        change.case_id, change.rule_id or "", change.roi, change.metric, shown(change.old), shown(change.new), causes,
    )  # fmt: skip


def _harmless(text: str) -> str:
    """Return a text that cannot end its cell, nor be taken for HTML or a link."""
    for letter in "\\`*_[]<>|":
        text = text.replace(letter, f"\\{letter}")
    return clean(text.replace("\n", " "))
