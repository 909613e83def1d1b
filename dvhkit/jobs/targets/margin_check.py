"""The margins of a plan as JSON documents: of one pair, or of every target and what was drawn round it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.errors import InputError, NotEvaluable
from dvhkit.model.roi_kinds import BODY
from dvhkit.outputs.files import write_bytes_whole, write_text_whole
from dvhkit.outputs.pictures.margin_picture import margin_map_png, margin_map_svg
from dvhkit.outputs.records import json_text
from dvhkit.targets.achieved.check import MarginMeasure, measure_margin
from dvhkit.targets.achieved.containment import Containment, containment_chain
from dvhkit.targets.achieved.expect import Expectation, parse_expectation
from dvhkit.targets.achieved.margin_map import map_record
from dvhkit.targets.derive.setup_error import setup_error, van_herk_margin_mm
from dvhkit.targets.regions.pairing import kind_of, pair_targets

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure

# Standard deviations along x, y, z in mm: systematic, random.
SetupErrors = tuple[tuple[float, ...], tuple[float, ...]]

MARGIN_SCHEMA = "dvhkit/margin/1"
_NOT_EVALUABLE_KEYS = (
    "directions", "recovered_mm", "recipe", "explained_pct", "distance_mm", "missing_cc", "excess_cc", "outside_cc",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginRun:
    """The margins of one plan.

    Attributes
    ----------
    document
        Everything, with the keys that scripts rely on; `pairs` and `links` are parts of it.
    measures
        What pictures of the pairs are drawn from.
    """

    document: dict[str, Any]
    pairs: list[dict[str, Any]]
    links: list[dict[str, Any]]
    measures: list[MarginMeasure]


def run_margin_check(
    case: Case,
    pair: tuple[str, str] | None,
    expect: str | None,
    errors: SetupErrors | None = None,
    *,
    min_d98_gy: float | None = None,
) -> MarginRun:
    """Check one pair by name, or every target against what was drawn round it; with `errors`, what setup does to it."""
    expected = parse_expectation(expect) if expect is not None else None
    if pair is not None:
        inner = case.structures[pair[0]]
        document, measures = check_pair(case, inner, case.structures[pair[1]], expected)
        if errors is not None:
            document["setup_error"] = setup_error_document(case, inner, errors, min_d98_gy)
        return MarginRun(document=document, pairs=[document], links=[], measures=measures)
    pairs, measures, chain = check_every(case, expected)
    links = links_document(chain)
    verdict = worst_verdict(pairs, links)
    document = {"schema": MARGIN_SCHEMA, "pairs": pairs, "containment": links, "verdict": verdict}
    return MarginRun(document=document, pairs=pairs, links=links, measures=measures)


def write_margin_folder(run: MarginRun, out: Path) -> list[str]:
    """Write the document and a map of each surface as SVG and PNG; return the names of the files."""
    out.mkdir(parents=True, exist_ok=True)
    written = ["margin.json"]
    write_text_whole(out / "margin.json", json_text(run.document))
    for n, measure in enumerate(run.measures, start=1):
        # Numbered, not named: structure names come out of DICOM and are no file names.
        stem = "margin" if len(run.measures) == 1 else f"margin-{n}"
        picture = map_record(measure)
        write_text_whole(out / f"{stem}.svg", margin_map_svg(picture))
        write_bytes_whole(out / f"{stem}.png", margin_map_png(picture))
        written += [f"{stem}.svg", f"{stem}.png"]
    return written


def setup_error_document(case: Case, inner: Structure, errors: SetupErrors, min_d98_gy: float | None) -> dict[str, Any]:
    """Return the van Herk margin and, where a dose and a limit are given, how likely D98% keeps it."""
    x, y, z = van_herk_margin_mm(*errors).tolist()
    view: dict[str, Any] = {"van_herk_mm": {"left-right": x, "anterior-posterior": y, "superior-inferior": z}}
    if min_d98_gy is None:
        return view
    if case.dose is None:
        return {**view, "reason": "there is no dose"}
    try:
        result = setup_error(
            inner,
            case.dose,
            limit_gy=min_d98_gy,
            systematic_mm=errors[0],
            random_mm=errors[1],
            slice_spacing_mm=case.slice_spacing_mm,
        )
    except NotEvaluable as lack:
        return {**view, "reason": lack.message}
    return {**asdict(result), **view}


def check_pair(
    case: Case, inner: Structure, outer: Structure, expected: Expectation | None
) -> tuple[dict[str, Any], list[MarginMeasure]]:
    """Return the document of one pair, and what its pictures are drawn from."""
    try:
        measure = measure_margin(
            inner, outer, expect=expected, others=tuple(case.structures), slice_spacing_mm=case.slice_spacing_mm
        )
    except NotEvaluable as lack:
        return _lacking(inner, outer, lack), []
    return {"schema": MARGIN_SCHEMA, **asdict(measure.check)}, [measure]


def check_every(
    case: Case, expected: Expectation | None
) -> tuple[list[dict[str, Any]], list[MarginMeasure], tuple[Containment, ...]]:
    """Check every target against the one that was drawn round it, and the chain up to the body.

    Raises
    ------
    InputError
        If no targets belong together.
    """
    spacing = case.slice_spacing_mm
    documents, measures = [], []
    for pair in pair_targets(case.structures, slice_spacing_mm=spacing):
        if pair.outer is None or kind_of(pair.outer) == BODY:
            continue
        asked = expected if kind_of(pair.outer) == "PTV" else None
        document, found = check_pair(case, pair.inner, pair.outer, asked)
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


def links_document(chain: Sequence[Containment]) -> list[dict[str, Any]]:
    """Return the links of a chain as objects."""
    return [{**asdict(link), "kept": link.is_kept} for link in chain]


def worst_verdict(documents: Sequence[dict[str, Any]], links: Sequence[dict[str, Any]]) -> str:
    """Return the verdict of several pairs and links together: the worst that any of them has."""
    order = ("fail", "indeterminate", "variation", "pass", "not-evaluable")
    verdicts = {str(d["verdict"]) for d in documents} | {"fail" for link in links if not link["kept"]}
    return next((v for v in order if v in verdicts), "not-evaluable")


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
