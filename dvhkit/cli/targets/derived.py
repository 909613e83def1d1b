"""What the commands that make structures share: options, the structure they start from, and how they end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import typer

from dvhkit.cli.options import open_case
from dvhkit.cli.streams import STDOUT, announce_first_run, note_console, out_console, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.findings import Finding
    from dvhkit.model.case import Case
    from dvhkit.targets.derive.crop import Limit
    from dvhkit.targets.derive.margin import Derived

DERIVED_SCHEMA = "dvhkit/derived/1"

RoiOption = Annotated[
    str, typer.Option("--roi", metavar="ROI", help="The structure, by name, '#number' or expression ('Liver - GTV').")
]
MarginOption = Annotated[
    str, typer.Option("--margin", metavar="MM", help="'5' for all sides, or 'L=5,R=7,A=6,P=8,S=9,I=10' (patient's).")
]
OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="The RTSTRUCT to write.")]
NameOption = Annotated[
    Optional[str],  # noqa: UP045 -- typer reads it
    typer.Option("--name", help="Name of the result (16 characters; longer ones are cut)."),
]
TypeOption = Annotated[
    str, typer.Option("--type", metavar="TYPE", help="Interpreted type of the result: CTV, PTV, AVOIDANCE, ...")
]
InsideOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--inside", metavar="ROI[:MM]", help="Keep the result inside a structure ('BODY:3': 3 mm inside)."),
]
AwayOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--away-from", metavar="ROI[:MM]", help="Keep it away from a structure ('SpinalCord:3'); repeatable."),
]
BarrierOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--barrier", metavar="ROI", help="Let it neither into a structure nor on behind it; repeatable."),
]
AddOption = Annotated[
    bool, typer.Option("--add", help="Write a copy of the whole structure set with the result added to it.")
]
HolesOption = Annotated[
    Literal["keyhole", "xor", "nested"],
    typer.Option("--holes", help="How holes are stored; every system reads keyholes."),
]


def opened(path: Path | None, rtstruct: Path | None, image: Path | None, roi: str) -> tuple[Case, Derived]:
    """Return the case and the structure that is named; refuse one that is not drawn."""
    from dvhkit.errors import InputError
    from dvhkit.targets.regions.expression import evaluate

    if not roi.strip():
        raise InputError("no structure is named.", remedy="Name it with --roi.")
    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    announce_first_run()
    source = evaluate(roi, case.structures, image=case.image)
    if source.structure.is_empty:
        raise InputError(f"{roi} has no contours that bound an area.", remedy="Name a structure that is drawn.")
    return case, source


def margins_of(text: str) -> Any:  # noqa: ANN401 -- Margins, imported where it is needed
    """Return the margins that a text spells."""
    from dvhkit.targets.derive.margin_sizes import parse_margins

    return parse_margins(text)


def limits_of(
    case: Case, inside_of: Sequence[str] | None, away: Sequence[str] | None, barriers: Sequence[str] | None
) -> list[Limit]:
    """Return the limits in the order in which they are applied."""
    from dvhkit.targets.derive.crop import away_from, barrier, inside
    from dvhkit.targets.regions.expression import evaluate

    def region(text: str) -> Any:  # noqa: ANN401
        return evaluate(text, case.structures, image=case.image).structure

    limits = []
    for text in inside_of or ():
        roi, distance = _with_distance(case, text)
        limits.append(inside(region(roi), less_mm=distance))
    for text in away or ():
        roi, distance = _with_distance(case, text)
        limits.append(away_from(region(roi), by_mm=distance))
    # Last, so that what the other limits have cut off does not come back around a barrier.
    return limits + [barrier(region(text)) for text in barriers or ()]


def _with_distance(case: Case, text: str) -> tuple[str, float]:
    """Split ``ROI:MM``; a name that holds a colon is a name."""
    from dvhkit.targets.derive.margin_sizes import parse_margins

    roi, colon, distance = text.rpartition(":")
    if not colon or text in case.structures:
        return text, 0.0
    return roi, parse_margins(distance).greatest_mm


def finish(
    case: Case,
    source: Derived,
    made: Derived,
    *,
    out: Path,
    name: str | None,
    rt_type: str,
    add: bool,
    holes: Literal["keyhole", "xor", "nested"],
    json: str | None,
) -> None:
    """Name the result, write it and say what was done."""
    from dataclasses import replace

    structure = replace(made.structure, name=name or made.structure.name, rt_roi_type=rt_type.upper())
    write_derived(
        case,
        [replace(made, structure=structure, findings=(*source.findings, *made.findings))],
        source_structures=[source],
        out=out,
        add=add,
        holes=holes,
        json=json,
    )


def write_derived(
    case: Case,
    made: Sequence[Derived],
    *,
    source_structures: Sequence[Derived],
    out: Path,
    add: bool,
    holes: Literal["keyhole", "xor", "nested"],
    json: str | None,
) -> None:
    """Write derived structures as RTSTRUCT, say what was done, and refuse where one of them is empty."""
    from dvhkit.errors import InputError
    from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct

    for derived in made:
        if derived.structure.is_empty:
            said = next((f.message for f in derived.findings if f.code == "derived-empty"), "Nothing is left.")
            raise InputError(f"{derived.how} is empty. {said}", remedy="Nothing was written.")
    if case.structures.path is None:
        raise InputError("the structure set lies in no file.")
    written = write_rtstruct(
        out,
        [NewRoi(structure=d.structure, how=d.how) for d in made],
        source=case.structures.path,
        image=case.image,
        keep_existing=add,
        holes=holes,
    )
    spacing_mm = case.slice_spacing_mm or 0.0
    rows = [_row(d, spacing_mm) for d in source_structures]
    rows += [_row(d, spacing_mm) | {"name": n, "how": d.how} for d, n in zip(made, written.names, strict=True)]
    found = dict.fromkeys([f for d in made for f in d.findings] + list(written.findings))
    if json:
        document = {"schema": DERIVED_SCHEMA, "structures": rows, "findings": [_plain(f) for f in found]}
        write_json(json, {**document, "out": str(out), "sop_instance_uid": written.sop_instance_uid})
    if json != STDOUT:
        _print(rows, list(found))
        note_console().print(f"wrote {out}", markup=False, soft_wrap=True)


def _row(derived: Derived, spacing_mm: float) -> dict[str, Any]:
    import numpy as np

    from dvhkit.engine.dvh import compute_dvh

    structure = derived.structure
    # Along the axis across which its contours are flat: sagittal and coronal ones have planes, too.
    spreads = [np.ptp(c.points_mm, axis=0) for c in structure.closed_contours]
    across = 2 - int(np.max(spreads, axis=0)[::-1].argmin()) if spreads else 2
    slices = {round(float(c.points_mm[:, across].mean()), 2) for c in structure.closed_contours}
    volume_cc = compute_dvh(structure, None, slice_spacing_mm=spacing_mm or None).volume_cc
    return {"name": structure.name, "how": "", "volume_cc": round(volume_cc, 4), "slices": len(slices)}


def _plain(finding: Finding) -> dict[str, str]:
    from dataclasses import asdict

    return asdict(finding)


def _print(rows: Sequence[dict[str, Any]], findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from dvhkit.outputs import tables
    from dvhkit.outputs.number_format import number, with_unit
    from dvhkit.outputs.text import clean
    from dvhkit.units import Unit

    table = Table(box=None, pad_edge=False)
    table.add_column("Structure", overflow="fold")
    table.add_column("Volume", justify="right")
    table.add_column("Slices", justify="right")
    table.add_column("Made as", overflow="fold")
    for row in rows:
        volume = with_unit(number(float(row["volume_cc"]), Unit.CC.value), Unit.CC.value)
        cells = (clean(row["name"]), volume, str(row["slices"]), clean(row["how"]) or "drawn")
        table.add_row(*(Text(cell) for cell in cells))
    console = out_console()
    console.print(table)
    for renderable in tables.findings_panels(tuple(findings)):
        console.print(renderable)
