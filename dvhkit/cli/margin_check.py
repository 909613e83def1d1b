"""`dvhkit margin check`: what margin was really drawn, where it falls short, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from dvhkit.cli.options import CasePath, ImageOption, RtstructOption, open_case
from dvhkit.cli.streams import EXIT_NOT_MET, STDOUT, note_console, out_console, write_json, write_text
from dvhkit.errors import InputError, NotEvaluable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure
    from dvhkit.targets.achieved import MarginMeasure
    from dvhkit.targets.containment import Containment

MARGIN_SCHEMA = "dvhkit/margin/1"
_NOT_EVALUABLE_KEYS = (
    "directions", "recovered_mm", "recipe", "explained_pct", "distance_mm", "missing_cc", "excess_cc", "outside_cc",
)  # fmt: skip


def check(
    path: CasePath = None,
    inner: Annotated[
        Optional[str],  # noqa: UP045 -- typer reads it
        typer.Option("--inner", metavar="ROI", help="The inner structure, such as CTV, by name or '#number'."),
    ] = None,
    outer: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--outer", metavar="ROI", help="The outer structure, such as PTV."),
    ] = None,
    expect: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--expect", metavar="MM", help="Margins asked for: '2..5', or 'AP=6..8,LR=5..7,CC=8..10'."),
    ] = None,
    json: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--json", metavar="FILE|-", help="Write the result as JSON."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="DIR", help="Write the result and maps of the surface (SVG, PNG) to a folder."),
    ] = None,
    rtstruct: RtstructOption = None,
    image: ImageOption = None,
) -> None:
    """Say which margin was drawn between two structures, where it falls short or exceeds, and why.

    Without --inner and --outer every GTV, CTV and PTV is checked against the target drawn round it.

    [dim]Example:[/dim]  dvhkit margin check plans/case7 --inner CTV --outer PTV --expect 2..5
    """
    from dvhkit.targets.achieved_expect import parse_expectation

    if (inner is None) != (outer is None):
        raise InputError("a margin has two structures.", remedy="Give both --inner and --outer, or neither.")
    expected = parse_expectation(expect) if expect is not None else None
    case = open_case(path, rtstruct=rtstruct, rtdose=None, rtplan=None, image=image, rx_gy=None, fractions=None)
    if inner is not None and outer is not None:
        document, measures = _one(case, case.structures[inner], case.structures[outer], expected)
        documents: Sequence[dict[str, Any]] = [document]
        chain: tuple[Containment, ...] = ()
    else:
        documents, measures, chain = _every(case, expected)
        document = _together(documents, chain)
    if json is not None:
        write_json(json, document)
    if out is not None:
        _write_folder(out, document, measures)
    if json != STDOUT:
        _print(documents, chain)
    if document["verdict"] in ("fail", "indeterminate"):
        raise typer.Exit(EXIT_NOT_MET)


def _spacing_mm(case: Case) -> float | None:
    return (case.image.grid.plane_spacing_mm or None) if case.image is not None else None


def _one(
    case: Case,
    inner: Structure,
    outer: Structure,
    expected: Any,  # noqa: ANN401 -- an Expectation or None
) -> tuple[dict[str, Any], list[MarginMeasure]]:
    """Return the JSON document of one pair, and what its pictures are drawn from."""
    from dataclasses import asdict

    from dvhkit.targets.achieved import measure_margin

    try:
        measure = measure_margin(
            inner, outer, expect=expected, others=tuple(case.structures), slice_spacing_mm=_spacing_mm(case)
        )
    except NotEvaluable as lack:
        return _lacking(inner, outer, lack), []
    return {"schema": MARGIN_SCHEMA, **asdict(measure.check)}, [measure]


def _lacking(inner: Structure, outer: Structure, lack: NotEvaluable) -> dict[str, Any]:
    return {
        "schema": MARGIN_SCHEMA,
        "inner": inner.name,
        "outer": outer.name,
        **dict.fromkeys(_NOT_EVALUABLE_KEYS),
        "crops": [],
        "verdict": "not-evaluable",
        "reasons": [lack.message],
        "reason_code": lack.reason.value,
    }


def _every(
    case: Case,
    expected: Any,  # noqa: ANN401
) -> tuple[list[dict[str, Any]], list[MarginMeasure], tuple[Containment, ...]]:
    """Check every target against the one that was drawn round it, and the chain up to the body."""
    from dvhkit.targets.containment import containment_chain, kind_of, pair_targets

    spacing = _spacing_mm(case)
    documents, measures = [], []
    for pair in pair_targets(case.structures, slice_spacing_mm=spacing):
        if pair.outer is None or kind_of(pair.outer) == "EXTERNAL":
            continue
        document, found = _one(case, pair.inner, pair.outer, expected if kind_of(pair.outer) == "PTV" else None)
        documents.append({**document, "paired": pair.how, "rivals": list(pair.rivals)})
        measures += found
    chain = containment_chain(case.structures, slice_spacing_mm=spacing)
    if not documents and not chain:
        names = ", ".join(case.structures.names[:20])
        raise InputError(
            f"no targets were found that belong together among: {names or 'no structures'}.",
            remedy="Name the pair with --inner and --outer.",
        )
    return documents, measures, chain


def _together(documents: Sequence[dict[str, Any]], chain: Sequence[Containment]) -> dict[str, Any]:
    from dataclasses import asdict

    order = ("fail", "indeterminate", "variation", "pass", "not-evaluable")
    verdicts = {str(d["verdict"]) for d in documents} | {"fail" for c in chain if not c.is_kept}
    return {
        "schema": MARGIN_SCHEMA,
        "pairs": list(documents),
        "containment": [{**asdict(c), "kept": c.is_kept} for c in chain],
        "verdict": next((v for v in order if v in verdicts), "not-evaluable"),
    }


def _write_folder(out: Path, document: dict[str, Any], measures: Sequence[MarginMeasure]) -> None:
    from dvhkit.outputs.margin_picture import margin_map_png, margin_map_svg
    from dvhkit.outputs.records import json_text
    from dvhkit.targets.achieved_map import surface_map

    out.mkdir(parents=True, exist_ok=True)
    written = ["margin.json"]
    write_text(str(out / "margin.json"), json_text(document))
    for n, measure in enumerate(measures, start=1):
        # Numbered, not named: structure names come out of DICOM and are no file names.
        stem = "margin" if len(measures) == 1 else f"margin-{n}"
        picture = surface_map(measure)
        write_text(str(out / f"{stem}.svg"), margin_map_svg(picture))
        (out / f"{stem}.png").write_bytes(margin_map_png(picture))
        written += [f"{stem}.svg", f"{stem}.png"]
    note_console().print(f"wrote {', '.join(written)} to {out}", markup=False)


def _print(documents: Sequence[dict[str, Any]], chain: Sequence[Containment]) -> None:
    console = out_console()
    for document in documents:
        for line in _headline(document):
            console.print(line, markup=False)
        if document["directions"] is not None:
            console.print(_table(document))
            for line in _remarks(document):
                console.print(line, markup=False)
    for link in chain:
        console.print(_chain_line(link), markup=False)


def _headline(document: dict[str, Any]) -> list[str]:
    from dvhkit.outputs.text import clean

    lines = [f"{document['inner']} to {document['outer']}: {str(document['verdict']).upper()}"]
    if document.get("paired"):
        rivals = ", ".join(document["rivals"])
        lines[0] += f"  (paired {document['paired']}{'; others: ' + rivals if rivals else ''})"
    lines += [str(reason) for reason in document["reasons"]]
    if document["recipe"]:
        lines.append(f"likely drawn as: {document['recipe']} (explains {document['explained_pct']:.0f} %)")
    return [clean(lines[0]), *(f"  {clean(line)}" for line in lines[1:])]


def _table(document: dict[str, Any]) -> Any:  # noqa: ANN401 -- a rich table
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("Direction")
    for heading in ("5 %", "median", "95 %", "recovered", "band", "asked for"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for name, row in document["directions"].items():
        low, high = row["expected_low"], row["expected_high"]
        asked = "" if low is None and high is None else f"{_bound(low)}..{_bound(high)}"
        table.add_row(
            name,
            *(f"{row[key]:.1f}" for key in ("low", "median", "high", "recovered")),
            f"{row['band_low']:.1f}..{row['band_high']:.1f}",
            asked,
            "" if row["verdict"] == "not-evaluable" else str(row["verdict"]),
        )
    return table


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _remarks(document: dict[str, Any]) -> list[str]:
    from dvhkit.outputs.text import clean

    d = document
    bound = "the margins asked for" if d["against"] == "expected" else "the recovered margins"
    excess = "" if d["excess_cc"] is None else f", {d['excess_cc']:.2f} cc beyond them"
    attainable = ", ".join(f"{mm:g}" for mm in d["attainable_mm"])
    lines = [
        f"{d['missing_cc']:.2f} cc missing to {bound}{excess}; {d['outside_cc']:.2f} cc of {d['inner']} outside",
        f"slices {d['slice_spacing_mm']:g} mm apart: across them only {attainable} mm can be drawn near these margins",
    ]
    lines += [str(crop["text"]) for crop in d["crops"]]
    return [f"  {clean(line)}" for line in lines]


def _chain_line(link: Containment) -> str:
    from dvhkit.outputs.text import clean

    if link.is_kept:
        return clean(f"{link.inner} lies inside {link.outer}")
    where = f", slice {link.place.slice_mm:g} mm, {link.place.direction}" if link.place else ""
    return clean(
        f"{link.inner} reaches out of {link.outer}: {link.outside_cc:.2f} cc, up to {link.worst_mm:.1f} mm{where}"
    )
