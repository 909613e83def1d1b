"""What `dvhkit margin check` shows in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType


def margin_view(pairs: Iterable[dict[str, Any]], links: Iterable[dict[str, Any]]) -> Iterator[RenderableType]:
    """Yield the margins of each pair, as `run_margin_check` has them, and how the targets lie in each other."""
    for document in pairs:
        for line in _headline(document):
            yield Text(line)
        if document["directions"] is not None:
            yield _table(document)
            for line in _remarks(document):
                yield Text(line)
    for link in links:
        yield Text(_chain_line(link))


def _headline(document: dict[str, Any]) -> list[str]:
    lines = [f"{document['inner']} to {document['outer']}: {_head_word(document)}"]
    if document.get("paired"):
        rivals = ", ".join(document["rivals"])
        lines[0] += f"  (paired {document['paired']}{'; others: ' + rivals if rivals else ''})"
    lines += [str(reason) for reason in document["reasons"]]
    if document["recipe"]:
        lines.append(f"likely drawn as: {document['recipe']} (explains {document['explained_pct']:.0f} %)")
    return [clean(lines[0]), *(f"  {clean(line)}" for line in lines[1:])]


def _head_word(document: dict[str, Any]) -> str:
    """Return the verdict; where nothing was asked for, nothing failed to be evaluated: the margin was measured."""
    verdict = str(document["verdict"])
    unasked = verdict == "not-evaluable" and not document["expected"] and document["directions"] is not None
    return "MEASURED" if unasked else verdict.upper().replace("-", " ")


def _short_directions(document: dict[str, Any]) -> set[str]:
    """Return the directions in which a part of the surface is nearer than asked for, though the whole may not be."""
    if document["against"] != "expected":
        return set()
    return {name for place in document["worst"] for name in str(place["direction"]).split("-")}


def _table(document: dict[str, Any]) -> Table:
    short = _short_directions(document)
    table = Table(box=None, pad_edge=False)
    table.add_column("Direction")
    for heading in ("5 %", "median", "95 %", "recovered", "band", "asked for"):
        table.add_column(heading, justify="right")
    table.add_column("recovered is")
    said = {name: str(row["verdict"]) for name, row in document["directions"].items()}
    said |= {name: f"{said[name]}, short" for name in short & set(said) if said[name] == "pass"}
    for name, row in document["directions"].items():
        low, high = row["expected_low"], row["expected_high"]
        asked = "" if low is None and high is None else f"{_bound(low)}..{_bound(high)}"
        table.add_row(
            name,
            *(f"{row[key]:.1f}" for key in ("low", "median", "high", "recovered")),
            f"{row['band_low']:.1f}..{row['band_high']:.1f}",
            asked,
            "" if row["verdict"] == "not-evaluable" else said[name],
        )
    return table


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _remarks(document: dict[str, Any]) -> list[str]:
    d = document
    bound = "the margins asked for" if d["against"] == "expected" else "the recovered margins"
    excess = "" if d["excess_cc"] is None else f", {d['excess_cc']:.2f} cc beyond them"
    attainable = ", ".join(f"{mm:g}" for mm in d["attainable_mm"])
    lines = [
        f"{d['missing_cc']:.2f} cc missing to {bound}{excess}; {d['outside_cc']:.2f} cc of {d['inner']} outside",
        f"slices {d['slice_spacing_mm']:g} mm apart: the last slice of {d['outer']} can lie {attainable} mm beyond "
        f"that of {d['inner']}; recovered margins in between come of its shape there, within their band",
    ]
    lines += [_crop_line(crop, d) for crop in d["crops"]]
    lines += _setup_lines(d)
    return [f"  {clean(line)}" for line in lines]


def _crop_line(crop: dict[str, Any], document: dict[str, Any]) -> str:
    """Return what a place falls short by; how much of the surface, unless the verdict tells that already."""
    share = f" ({crop['surface_pct']:.1f} % of the surface of {document['inner']})"
    return f"{crop['text']}{share if document['against'] != 'expected' and not crop['explained'] else ''}"


def _setup_lines(document: dict[str, Any]) -> list[str]:
    view = document.get("setup_error")
    if view is None:
        return []
    asked = ", ".join(f"{name} {mm:.1f}" for name, mm in view["van_herk_mm"].items())
    lines = [f"van Herk margin (2.5 systematic + 0.7 random): {asked} mm"]
    if "probability" in view:
        lines.append(
            f"D98% of {document['inner']} keeps {view['limit_gy']:g} Gy with probability "
            f"{100 * view['probability']:.0f} % (+- {100 * view['standard_error']:.0f}) under these setup errors; "
            f"planned {view['planned_d98_gy']:.2f} Gy, nine in ten reach {view['d98_p10_gy']:.2f} Gy"
        )
    elif "reason" in view:
        lines.append(f"how likely D98% is kept cannot be told: {view['reason']}")
    return lines


def _chain_line(link: dict[str, Any]) -> str:
    if link["kept"]:
        return clean(f"{link['inner']} lies inside {link['outer']}")
    place = link["place"]
    where = f", slice {place['slice_mm']:g} mm, {place['direction']}" if place else ""
    return clean(
        f"{link['inner']} reaches out of {link['outer']}: {link['outside_cc']:.2f} cc, "
        f"up to {link['worst_mm']:.1f} mm{where}"
    )
