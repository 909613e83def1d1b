"""What the rules say of a vertebral CTV in the terminal, drawn from the documents that `--json` writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType


def ctv_view(document: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield what the rules say, level by level; where no CTV was checked, the volume of the one that was made."""
    outside_cc = document["outside_cc"]
    outside = f", {outside_cc:.2f} cc of it outside all compartments" if outside_cc > 0 else ""
    yield _line(f"{document['gtv']}: {document['gtv_cc']:.2f} cc{outside}")
    for level in document["levels"]:
        verdict = f", CTV: {level['verdict']}" if "verdict" in level else ""
        yield _line(f"{level['level']} (compartments from {level['compartments_from']}), {level['profile']}{verdict}")
        yield _level_table(level)
        for sector in level.get("sectors", ()):
            yield _line(
                f"sector {sector['sector']}: {sector['role']}, {_share(sector['covered_frac'])} covered, "
                f"{sector['verdict']}"
            )
        yield from _fired(level)
    if "verdict" not in document:
        yield _line(f"CTV: {document['ctv_cc']:.2f} cc")


def rules_view(document: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield which compartments a CTV must hold, and by which rule."""
    yield _line(f"Profile {document['profile']} version {document['profile_version']}")
    table = Table(box=None, pad_edge=False)
    for heading in ("Compartment", "Holds GTV", "In the CTV", "Why"):
        table.add_column(heading)
    for part, why in document["why"].items():
        table.add_row(part, "yes" if part in document["involved"] else "-", _role(document, part), why)
    yield table
    yield from _fired(document)


def _fired(document: dict[str, Any]) -> Iterator[RenderableType]:
    for row in document["fired"]:
        yield _line(f"{row['id']}: {row['title']} ({row['source']}; status {row['status']})")
    for flag in document["flags"]:
        yield _line(flag)


def _level_table(level: dict[str, Any]) -> Table:
    covered = {part["compartment"]: part for part in level.get("coverage", ())}
    table = Table(box=None, pad_edge=False)
    for heading in (
        "Compartment",
        "GTV cc",
        "GTV %",
        "In the CTV",
        *(("Covered", "Verdict") if covered else ()),
        "Why",
    ):
        table.add_column(heading)
    for part in level["compartments"]:
        name = part["compartment"]
        graze = " (graze)" if name in level["grazed"] else ""
        cells = [name, f"{part['gtv_cc']:.2f}{graze}", f"{100 * part['gtv_frac']:.0f}", _role(level, name)]
        if covered:
            cells += [_share(covered[name]["covered_frac"]), covered[name]["verdict"]]
        table.add_row(*cells, part["why"])
    return table


def _role(document: dict[str, Any], part: str) -> str:
    role = "required" if part in document["required"] else "optional" if part in document["optional"] else "-"
    return role + (", taken in" if part in document["included"] else "")


def _share(covered_frac: float | None) -> str:
    return "-" if covered_frac is None else f"{100 * covered_frac:.0f} %"


def _line(text: str) -> Text:
    return Text(clean(text))
