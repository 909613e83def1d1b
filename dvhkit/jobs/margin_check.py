"""The margins of a plan as JSON documents: of one pair, or of every target and what was drawn round it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dvhkit.errors import InputError, NotEvaluable
from dvhkit.model.roi_kinds import BODY
from dvhkit.targets.achieved.check import MarginMeasure, measure_margin
from dvhkit.targets.achieved.containment import Containment, containment_chain
from dvhkit.targets.regions.pairing import kind_of, pair_targets

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure
    from dvhkit.targets.achieved.expect import Expectation

MARGIN_SCHEMA = "dvhkit/margin/1"
_NOT_EVALUABLE_KEYS = (
    "directions", "recovered_mm", "recipe", "explained_pct", "distance_mm", "missing_cc", "excess_cc", "outside_cc",
)  # fmt: skip


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
