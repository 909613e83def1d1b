"""A page for every metric and index, made from the tables that the program itself looks them up in."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from dvhkit.metrics import expression, registry
from dvhkit.metrics.registry import Dimension, IndexSpec, MetricSpec
from dvhkit.units import Unit
from site_pages.text import cell, docstring, table

_LIMITS = """
## Edges and limits

- {grid}
- Computed from the engine's own doses and volumes, not from a binned curve:
  see [how it is computed](../metrics.md#how-it-is-computed).
- Where there is no value, the answer says why: see [where there is no value](../metrics.md#where-there-is-no-value).
- The printed band says what else the drawn slices allow: see [the engine](../engine.md) and
  [validation](../validation.md).
"""
_NEEDS_DOSE = (
    "It needs a dose. Where more than 1 % of the volume lies outside the dose grid, it is refused, with both ends."
)
_NO_DOSE = "It needs no dose."


def pages() -> dict[str, str]:
    """Return path and Markdown of a page for each metric and index, and of their index."""
    assert expression.METRIC_FILES  # its import fills the tables
    made = {f"metric/{row.name}.md": _metric(row) for row in registry.specs()}
    made |= {f"metric/{row.name}.md": _index(row) for row in registry.indices()}
    rows = [
        (f"[`{row.name}`]({row.name}.md)", _answers(row.gives_units), _first(row.function)) for row in registry.specs()
    ]
    rows += [
        (f"[`{row.name}`]({row.name}.md)", _answers(row.units), _first(row.function)) for row in registry.indices()
    ]
    made["metric/index.md"] = (
        "# Every metric\n\nThe grammar, with examples, is in [Metrics](../metrics.md). These pages are made from the "
        "program's own table.\n\n" + table(("metric", "answer in", "what it is"), rows)
    )
    return made


def formulas() -> dict[str, tuple[str, str]]:
    """Return formula and edge rules of each metric, from docs/formulas.yml."""
    rows = YAML(typ="safe").load(Path(__file__).parents[2] / "docs" / "formulas.yml")
    return {name: (row["formula"], row["edges"]) for name, row in rows.items()}


def _first(function: object) -> str:
    return cell(docstring(function).split("\n\n")[0])


def _answers(units: tuple[Unit, ...]) -> str:
    return ", ".join(cell(unit.value) or "plain number" for unit in units)


def _metric(row: MetricSpec) -> str:
    takes = "nothing" if row.takes is Dimension.NONE else f"a {row.takes.value} ({_answers(row.takes.units)})"
    facts = [
        ("takes", takes),
        ("gives", f"{row.gives.value}, in {_answers(row.gives_units)} (the first where none is named)"),
        ("may be typed", ", ".join(f"`{spelling}`" for spelling in row.spellings)),
        ("source", cell(row.source)),
    ]
    return _page(row.name, facts, row.function, _NEEDS_DOSE if row.needs_dose else _NO_DOSE)


def _index(row: IndexSpec) -> str:
    parameters = [
        f"`{p.name}` ({_answers(p.units)}{', ' + format(p.default) if p.default is not None else ', must be said'})"
        for p in row.parameters
    ]
    facts = [
        ("takes", ", ".join(parameters) or "nothing"),
        ("gives", _answers(row.units)),
        ("lies between", f"{row.within[0]:g} and {row.within[1]:g}"),
        (
            "looks at the body",
            "yes: isodose volumes within the outline, which must be one ROI" if row.needs_body else "no",
        ),
        ("after `EQD2_…:` or `BED_…:`", "yes" if row.convertible else "no"),
        ("may be typed", ", ".join(f"`{spelling}`" for spelling in row.spellings) or f"`{row.name}`"),
        ("source", cell(row.source) or "see the formula"),
    ]
    return _page(row.name, facts, row.function, _NEEDS_DOSE)


def _page(name: str, facts: list[tuple[str, str]], function: object, grid: str) -> str:
    formula, edges = formulas()[name]
    words = f"## Formula\n\n    {formula}\n\n{cell(edges)} [What the letters stand for](../metrics.md#formulas).\n"
    head = f"# {name}\n\n{docstring(function)}\n\n{words}\n"
    return f"{head}{table(('property', 'value'), facts)}\n{_LIMITS.format(grid=grid)}"
