"""`dvhkit margin check`: what margin was really drawn, where it falls short, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from dvhkit.cli.options import (
    CasePath,
    ImageOption,
    JobsOption,
    MaskOption,
    ParquetOption,
    RtdoseOption,
    RtstructOption,
    SegOption,
    look_at,
    open_case,
)
from dvhkit.cli.streams import EXIT_NOT_MET, STDOUT, note_console, out_console, write_json, write_text
from dvhkit.errors import InputError, NotEvaluable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure
    from dvhkit.readers.linking.choose import DoseNeed
    from dvhkit.targets.achieved.check import MarginMeasure
    from dvhkit.targets.achieved.containment import Containment
    from dvhkit.targets.achieved.expect import Expectation


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
    systematic: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--systematic", metavar="MM", help="Standard deviation of systematic setup errors: 2, or x,y,z."),
    ] = None,
    random: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--random", metavar="MM", help="Standard deviation of random setup errors: 2, or x,y,z."),
    ] = None,
    min_d98: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--min-d98", metavar="GY", help="How likely does D98% of the inner structure keep this dose?"),
    ] = None,
    csv: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--csv", metavar="FILE|-", help="Write a row a plan and pair as CSV."),
    ] = None,
    parquet: ParquetOption = None,
    jobs: JobsOption = "auto",
    rtstruct: RtstructOption = None,
    rtdose: RtdoseOption = None,
    image: ImageOption = None,
    mask: MaskOption = None,
    seg: SegOption = None,
) -> None:
    """Say which margin was drawn between two structures, where it falls short or exceeds, and why.

    Without --inner and --outer every GTV, CTV and PTV is checked against the target drawn round it. In a folder of many
    plans each is checked; one that cannot be is told with its reason.

    [dim]Example:[/dim]  dvhkit margin check plans/case7 --inner CTV --outer PTV --expect 2..5
    """
    from dvhkit.targets.achieved.expect import parse_expectation

    if (inner is None) != (outer is None) or (inner is None and (systematic or random)):
        raise InputError("a margin has two structures.", remedy="Give both --inner and --outer, or neither.")
    expected = parse_expectation(expect) if expect is not None else None
    errors = _setup_errors(systematic, random, min_d98)
    looked = look_at(path, named=(rtstruct, rtdose, image, mask, seg))
    if looked.plans is not None:
        from dvhkit.cli.targets.margin_archive import check_archive

        looked.refuse(("--out", out), ("--systematic and --random", errors))
        pair = (inner, outer) if inner is not None and outer is not None else None
        raise typer.Exit(check_archive(looked.plans, pair, expected, jobs, json=json, csv=csv, parquet=parquet))
    need: DoseNeed = "not needed" if min_d98 is None else "required"
    case = open_case(
        path,
        rtstruct=rtstruct,
        rtdose=rtdose,
        image=image,
        masks=mask,
        seg=seg,
        dose=need,
        index=looked.index,
    )
    document, pairs, links, measures = _checked(case, inner, outer, expected)
    if errors is not None and inner is not None:
        document["setup_error"] = _setup_view(case, case.structures[inner], errors, min_d98)
    if json is not None:
        write_json(json, document)
    if csv is not None or parquet is not None:
        from dvhkit.cli.targets.margin_archive import write_tables

        write_tables([{"case_id": case.label, **pair} for pair in pairs], [], csv=csv, parquet=parquet)
    if out is not None:
        _write_folder(out, document, measures)
    if STDOUT not in (json, csv):
        _print(pairs, links)
    if document["verdict"] in ("fail", "indeterminate"):
        raise typer.Exit(EXIT_NOT_MET)


def _checked(
    case: Case, inner: str | None, outer: str | None, expected: Expectation | None
) -> tuple[dict[str, Any], list[dict[str, Any]], tuple[Containment, ...], list[MarginMeasure]]:
    """Return the whole document, its pairs, its links, and what its pictures are drawn from."""
    from dvhkit.jobs.margin_check import MARGIN_SCHEMA, check_every, check_pair, links_document, worst_verdict

    if inner is not None and outer is not None:
        document, measures = check_pair(case, case.structures[inner], case.structures[outer], expected)
        return document, [document], (), measures
    pairs, measures, chain = check_every(case, expected)
    links = links_document(chain)
    verdict = worst_verdict(pairs, links)
    return {"schema": MARGIN_SCHEMA, "pairs": pairs, "containment": links, "verdict": verdict}, pairs, chain, measures


def _setup_errors(
    systematic: str | None, random: str | None, min_d98: float | None
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return the standard deviations that the user gave; None if none."""
    if systematic is None and random is None:
        if min_d98 is not None:
            raise InputError("--min-d98 needs setup errors.", remedy="Give --systematic and --random, in mm.")
        return None
    return _millimetres(systematic or "0", "--systematic"), _millimetres(random or "0", "--random")


def _millimetres(text: str, option: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) == 1:
        values *= 3
    if len(values) != 3:
        raise InputError(f"{text!r} is no setup error.", where=option, remedy="Give one number in mm, or three: 2,2,3.")
    return values


def _setup_view(
    case: Case, inner: Structure, errors: tuple[tuple[float, ...], tuple[float, ...]], min_d98: float | None
) -> dict[str, Any]:
    """Return the van Herk margin and, where a dose and a limit are given, how likely D98% keeps it."""
    from dataclasses import asdict

    from dvhkit.targets.derive.setup_error import setup_error, van_herk_margin_mm

    x, y, z = van_herk_margin_mm(*errors).tolist()
    view: dict[str, Any] = {"van_herk_mm": {"left-right": x, "anterior-posterior": y, "superior-inferior": z}}
    if min_d98 is None:
        return view
    if case.dose is None:
        return {**view, "reason": "there is no dose"}
    try:
        result = setup_error(
            inner,
            case.dose,
            limit_gy=min_d98,
            systematic_mm=errors[0],
            random_mm=errors[1],
            slice_spacing_mm=case.slice_spacing_mm,
        )
    except NotEvaluable as lack:
        return {**view, "reason": lack.message}
    return {**asdict(result), **view}


def _write_folder(out: Path, document: dict[str, Any], measures: Sequence[MarginMeasure]) -> None:
    from dvhkit.outputs.files import write_bytes_whole
    from dvhkit.outputs.pictures.margin_picture import margin_map_png, margin_map_svg
    from dvhkit.outputs.records import json_text
    from dvhkit.targets.achieved.margin_map import map_record

    out.mkdir(parents=True, exist_ok=True)
    written = ["margin.json"]
    write_text(str(out / "margin.json"), json_text(document))
    for n, measure in enumerate(measures, start=1):
        # Numbered, not named: structure names come out of DICOM and are no file names.
        stem = "margin" if len(measures) == 1 else f"margin-{n}"
        picture = map_record(measure)
        write_text(str(out / f"{stem}.svg"), margin_map_svg(picture))
        write_bytes_whole(out / f"{stem}.png", margin_map_png(picture))
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


def _table(document: dict[str, Any]) -> Any:  # noqa: ANN401 -- a rich table
    from rich.table import Table

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
    from dvhkit.outputs.text import clean

    d = document
    bound = "the margins asked for" if d["against"] == "expected" else "the recovered margins"
    excess = "" if d["excess_cc"] is None else f", {d['excess_cc']:.2f} cc beyond them"
    attainable = ", ".join(f"{mm:g}" for mm in d["attainable_mm"])
    lines = [
        f"{d['missing_cc']:.2f} cc missing to {bound}{excess}; {d['outside_cc']:.2f} cc of {d['inner']} outside",
        f"slices {d['slice_spacing_mm']:g} mm apart: the last slice of {d['outer']} can lie {attainable} mm beyond "
        f"that of {d['inner']}; recovered margins in between come of its shape there, within their band",
    ]
    lines += [str(crop["text"]) for crop in d["crops"]]
    lines += _setup_lines(d)
    return [f"  {clean(line)}" for line in lines]


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


def _chain_line(link: Containment) -> str:
    from dvhkit.outputs.text import clean

    if link.is_kept:
        return clean(f"{link.inner} lies inside {link.outer}")
    where = f", slice {link.place.slice_mm:g} mm, {link.place.direction}" if link.place else ""
    return clean(
        f"{link.inner} reaches out of {link.outer}: {link.outside_cc:.2f} cc, up to {link.worst_mm:.1f} mm{where}"
    )
