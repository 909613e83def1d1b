"""Two structure sets compared: geometry of each pair, and what the difference does to dose metrics."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import InputError
from dvhkit.jobs.contours.structure_sets import DrawnSet, Pair, into_frame_of, pair_structures, read_drawn, wanted
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.prescription import with_user_prescription
from dvhkit.metrics.expression import parse_metric
from dvhkit.protocols.evaluate import evaluate_protocol
from dvhkit.protocols.files.context import PRESCRIPTION
from dvhkit.protocols.files.load import Protocol, load_protocol
from dvhkit.results.audit import MetricResult, RuleResult, Verdict
from dvhkit.results.contours.comparison import Comparison, DoseEffect, PairComparison
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    from dvhkit.findings import Finding
    from dvhkit.model.case import Case

TOLERANCE_MM = 2.0
# Nobody draws so badly; a tolerance in micrometres or metres is a slip.
MOST_TOLERANCE_MM = 50.0
# What is told of each structure where a dose is given but no protocol.
_METRICS_WITHOUT_PROTOCOL = ("D98%[Gy]", "D95%[Gy]", "Mean[Gy]", "D2%[Gy]", "D0.03cc[Gy]")
_JUDGED = (Verdict.PASS, Verdict.VARIATION, Verdict.FAIL, Verdict.INDETERMINATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseQuestion:
    """What the dose effect is measured with.

    Attributes
    ----------
    dose
        An RTDOSE file; None takes the dose in the folder of A.
    protocol
        As in `dvhkit.audit_case`; None measures some usual metrics and judges nothing.
    """

    dose: Path | None = None
    protocol: Protocol | str | Path | None = None
    context: Mapping[str, object] | None = None
    rx_gy: float | None = None
    fractions: int | None = None


def compare_structures(
    a: Path | str,
    b: Path | str,
    *,
    roi: Sequence[str] | None = None,
    pairs: Mapping[str, str] | None = None,
    by: str = "name",
    tolerance_mm: float = TOLERANCE_MM,
    registration: Path | None = None,
    same_frame: bool = False,
    dose: DoseQuestion | Path | str | None = None,
    protocol: Protocol | str | Path | None = None,
) -> Comparison:
    """Return how the structures of B agree with those of A.

    Parameters
    ----------
    a, b
        RTSTRUCT files, or folders that hold one each. A is the reference.
    roi
        Names of A, with ``*`` and ``?`` as wildcards; None takes all that have a partner in B.
    pairs
        Names of B by those of A, where names do not tell.
    by
        ``name`` (equal, then but for case and blanks, then in TG-263) or ``number``.
    tolerance_mm
        For surface Dice and added path length, in mm.
    registration, same_frame
        A REG file that joins the frames of A and B, or that somebody vouches for one frame.
    dose, protocol
        Also measure each dose metric of the protocol with A's and with B's contours in this dose (an RTDOSE file).

    Returns
    -------
    Comparison
        One record a pair; what has no value says why.

    Raises
    ------
    InputError
        If a file cannot be read, nothing pairs, or the tolerance makes no sense.
    """
    if not 0.0 <= tolerance_mm <= MOST_TOLERANCE_MM:
        raise InputError(f"a tolerance is 0 to {MOST_TOLERANCE_MM:g} mm, not {tolerance_mm:g}.")
    first, drawn_b = read_drawn(Path(a)), read_drawn(Path(b))
    second = into_frame_of(first, drawn_b, registration=registration, same_frame=same_frame)
    found = pair_structures(first.structures, second.structures, by=by, table=pairs)
    if roi:
        chosen = {id(s) for s in wanted(first.structures.structures, roi)}
        found = [pair for pair in found if id(pair.a) in chosen]
    if not found:
        raise InputError(
            "no structure of the first set has a partner in the second.",
            path=Path(b),
            remedy="Pair them by number (--by number) or name the pairs in a file (--pairs FILE).",
        )
    rows = _compared(found, first, tolerance_mm)
    question = _question(dose, protocol)
    protocol_id, findings = "", (*first.findings, *second.findings)
    if question is not None:
        rows, protocol_id, odd = _with_dose(rows, found, Path(a), first, question)
        findings = (*findings, *odd)
    return _comparison(rows, found=found, first=first, second=second, protocol_id=protocol_id, findings=findings)


def _question(dose: DoseQuestion | Path | str | None, protocol: Protocol | str | Path | None) -> DoseQuestion | None:
    if isinstance(dose, DoseQuestion):
        return dose
    if dose is None and protocol is None:
        return None
    return DoseQuestion(dose=None if dose is None else Path(dose), protocol=protocol)


def _compared(found: Sequence[Pair], first: DrawnSet, tolerance_mm: float) -> list[PairComparison]:
    """Compare all pairs side by side: kernels and shapely let go of the interpreter."""
    from dvhkit.targets.compare.agreement import compare

    def one(pair: Pair) -> PairComparison:
        row = compare(pair.a, pair.b, tolerance_mm=tolerance_mm, slice_spacing_mm=first.slice_spacing_mm)
        return replace(row, paired_by=pair.how)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(one, found))


def _comparison(
    rows: Sequence[PairComparison],
    *,
    found: Sequence[Pair],
    first: DrawnSet,
    second: DrawnSet,
    protocol_id: str,
    findings: Sequence[Finding],
) -> Comparison:
    paired_a, paired_b = {id(p.a) for p in found}, {id(p.b) for p in found}
    return Comparison(
        pairs=tuple(rows),
        only_in_a=tuple(s.name for s in first.structures if id(s) not in paired_a),
        only_in_b=tuple(s.name for s in second.structures if id(s) not in paired_b),
        protocol_id=protocol_id,
        findings=tuple(dict.fromkeys(findings)),
    )


def _with_dose(
    rows: Sequence[PairComparison], found: Sequence[Pair], path_a: Path, first: DrawnSet, question: DoseQuestion
) -> tuple[list[PairComparison], str, tuple[Finding, ...]]:
    case_a = _case_of(path_a, first, question)
    if case_a.dose is None:
        raise InputError("there is no dose for the dose effect.", path=path_a, remedy="Name it: --dose FILE.")
    case_b = _with_contours_of_b(case_a, found)
    if question.protocol is None:
        return _usual_effects(rows, found, case_a, case_b), "", case_a.findings
    given = question.protocol
    protocol = given if isinstance(given, Protocol) else load_protocol(given)
    context = {k: v for k, v in (question.context or {}).items() if k != PRESCRIPTION}
    judged = [evaluate_protocol(protocol, CaseNumbers(case, with_bands=False), context) for case in (case_a, case_b)]
    effects = _effects(*judged)
    shown = [replace(row, dose_effect=_of_pair(effects, pair)) for row, pair in zip(rows, found, strict=True)]
    return shown, protocol.id, case_a.findings


def _case_of(path_a: Path, first: DrawnSet, question: DoseQuestion) -> Case:
    from dvhkit.jobs.read import read_case

    stored = first.structures.path
    case = read_case(path_a) if question.dose is None else read_case(question.dose, rtstruct=stored)
    return with_user_prescription(case, rx_gy=question.rx_gy, fractions=question.fractions)


def _with_contours_of_b(case: Case, found: Sequence[Pair]) -> Case:
    """Return the case with B's contours under A's names and numbers, so that rules find them alike."""
    by_key = {(p.a.number, p.a.name): p.b for p in found}
    members = tuple(
        replace(s, contours=by_key[s.number, s.name].contours) if (s.number, s.name) in by_key else s
        for s in case.structures
    )
    return replace(case, structures=replace(case.structures, structures=members))


def _usual_effects(
    rows: Sequence[PairComparison], found: Sequence[Pair], case_a: Case, case_b: Case
) -> list[PairComparison]:
    one, two = (CaseNumbers(case, with_bands=False) for case in (case_a, case_b))
    regions = [RoiRef(pair.a.number, pair.a.name) for pair in found]
    for numbers in (one, two):
        numbers.prepare(regions)
    metrics = [parse_metric(text) for text in _METRICS_WITHOUT_PROTOCOL]
    return [
        replace(row, dose_effect=tuple(_metric_effect(one.metric(r, m), two.metric(r, m)) for m in metrics))
        for row, r in zip(rows, regions, strict=True)
    ]


def _metric_effect(a: MetricResult, b: MetricResult) -> DoseEffect:
    return DoseEffect(
        metric=a.metric,
        value_a=a.value,
        value_b=b.value,
        flips=None,
        difference=_difference(a.value, b.value),
        unit=a.unit,
        region=a.roi,
        reason=_reason(a.reason, b.reason),
    )


def _effects(rules_a: Sequence[RuleResult], rules_b: Sequence[RuleResult]) -> list[DoseEffect]:
    """Return the rules on structures of both readings side by side."""
    others: dict[tuple[str, str, str], list[RuleResult]] = {}
    for rule in rules_b:
        others.setdefault((rule.rule_id, rule.roi, rule.quantity), []).append(rule)
    found = []
    for rule in rules_a:
        same = others.get((rule.rule_id, rule.roi, rule.quantity))
        if rule.roi and same:
            found.append(_rule_effect(rule, same.pop(0)))
    return found


def _rule_effect(a: RuleResult, b: RuleResult) -> DoseEffect:
    judged = a.verdict in _JUDGED or b.verdict in _JUDGED
    return DoseEffect(
        metric=a.quantity,
        value_a=a.value,
        value_b=b.value,
        flips=a.verdict is not b.verdict if judged else None,
        difference=_difference(a.value, b.value),
        unit=a.unit,
        verdict_a=a.verdict.value,
        verdict_b=b.verdict.value,
        rule_id=a.rule_id,
        goal=a.goal,
        region=a.roi,
        reason=_reason(a.reason, b.reason),
    )


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _reason(a: str | None, b: str | None) -> str | None:
    if a == b:
        return a
    return "; ".join(f"{side}: {text}" for side, text in (("A", a), ("B", b)) if text)


def _of_pair(effects: Sequence[DoseEffect], pair: Pair) -> tuple[DoseEffect, ...]:
    """Return the rules that a structure has a part in: on itself, or on an expression that names it."""
    word = re.compile(rf"(?<!\w){re.escape(pair.a.name)}(?!\w)")
    return tuple(e for e in effects if e.region == pair.a.name or word.search(e.region))
