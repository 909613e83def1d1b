"""Two structure sets compared: geometry of each pair, and what the difference does to dose metrics."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import GeometryError, InputError
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
    from dvhkit.model.structure import Structure, StructureSet

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _BothInDose:
    """A's contours in the dose, and B's there."""

    a: CaseNumbers
    b: CaseNumbers
    question: DoseQuestion

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is odd about dose, plan and image."""
        return self.a.case.findings

    def volumes_cc(self, pair: Pair) -> tuple[float | None, float | None]:
        """Compute the DVHs of a pair, and return the volumes that they tell; None where there is none."""
        return _known_cc(self.a, _region(pair)), _known_cc(self.b, _region(pair))


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseEffects:
    """What was asked of the dose, in the order of the pairs; empty where nothing was."""

    of_pairs: tuple[tuple[DoseEffect, ...], ...] = ()
    protocol_id: str = ""

    def of(self, found: Sequence[Pair]) -> Sequence[tuple[DoseEffect, ...]]:
        """Return the effects of each pair."""
        return self.of_pairs or [()] * len(found)


def compare_structures(
    a: Path | str,
    b: Path | str,
    *,
    roi: Sequence[str] | None = None,
    pairs: Mapping[str, str] | None = None,
    by: str = "name",
    tolerance_mm: float = TOLERANCE_MM,
    registration: Path | Sequence[Path] | None = None,
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
        A REG file, or several, that join the frames of A and B, or that somebody vouches for one frame.
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
    with ThreadPoolExecutor(2) as pool:
        first, drawn_b = pool.map(read_drawn, (Path(a), Path(b)))
    second = into_frame_of(first, drawn_b, registration=registration, same_frame=same_frame)
    found = pair_structures(first.structures, second.structures, by=by, table=pairs)
    alone = _alone(found, first, second)
    if roi:
        chosen = {id(s) for s in wanted(first.structures.structures, roi)}
        found = [pair for pair in found if id(pair.a) in chosen]
        alone = tuple(s for s in alone[0] if id(s) in chosen), ()
    if not found:
        raise InputError(
            "no structure of the first set has a partner in the second.",
            path=Path(b),
            remedy="Pair them by number (--by number) or name the pairs in a file (--pairs FILE).",
        )
    question = _question(dose, protocol)
    both = None if question is None else _both_in_dose(found, Path(a), first, question)
    rows = _compared(found, first, tolerance_mm, both)
    effects = DoseEffects() if both is None else _effects_of(found, both)
    return Comparison(
        pairs=tuple(replace(row, dose_effect=own) for row, own in zip(rows, effects.of(found), strict=True)),
        only_in_a=tuple(s.name for s in alone[0]),
        only_in_b=tuple(s.name for s in alone[1]),
        protocol_id=effects.protocol_id,
        findings=tuple(dict.fromkeys((*first.findings, *second.findings, *(both.findings if both else ())))),
    )


def _question(dose: DoseQuestion | Path | str | None, protocol: Protocol | str | Path | None) -> DoseQuestion | None:
    if isinstance(dose, DoseQuestion):
        return dose
    if dose is None and protocol is None:
        return None
    return DoseQuestion(dose=None if dose is None else Path(dose), protocol=protocol)


def _compared(
    found: Sequence[Pair], first: DrawnSet, tolerance_mm: float, both: _BothInDose | None
) -> list[PairComparison]:
    """Compare all pairs side by side, in their order: kernels and shapely let go of the interpreter.

    DVHs of a pair come before its comparison, which then need not compute its volumes.
    """
    from dvhkit.targets.compare.agreement import compare

    def one(n: int) -> PairComparison:
        pair = found[n]
        row = compare(
            pair.a,
            pair.b,
            tolerance_mm=tolerance_mm,
            slice_spacing_mm=first.slice_spacing_mm,
            volumes_cc=both.volumes_cc(pair) if both else (None, None),
        )
        return replace(row, paired_by=pair.how)

    # The longest first, so that no thread is left with it at the end.
    order = sorted(range(len(found)), key=lambda n: -_points(found[n]))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        rows = dict(zip(order, pool.map(one, order), strict=True))
    return [rows[n] for n in range(len(found))]


def _points(pair: Pair) -> int:
    return sum(len(c.points_mm) for s in (pair.a, pair.b) for c in s.contours)


def _alone(
    found: Sequence[Pair], first: DrawnSet, second: DrawnSet
) -> tuple[tuple[Structure, ...], tuple[Structure, ...]]:
    """Return the structures of either set that have no partner in the other."""
    paired_a, paired_b = {id(p.a) for p in found}, {id(p.b) for p in found}
    return (
        tuple(s for s in first.structures if id(s) not in paired_a),
        tuple(s for s in second.structures if id(s) not in paired_b),
    )


def _both_in_dose(found: Sequence[Pair], path_a: Path, first: DrawnSet, question: DoseQuestion) -> _BothInDose:
    case_a, case_b = _cases_of(found, path_a, first, question)
    one, two = (CaseNumbers(case, with_bands=False) for case in (case_a, case_b))
    return _BothInDose(a=one, b=two, question=question)


def _effects_of(found: Sequence[Pair], both: _BothInDose) -> DoseEffects:
    given = both.question.protocol
    if given is None:
        return DoseEffects(of_pairs=_usual_effects(both.a, both.b, [_region(pair) for pair in found]))
    protocol = given if isinstance(given, Protocol) else load_protocol(given)
    context = {k: v for k, v in (both.question.context or {}).items() if k != PRESCRIPTION}
    effects = _effects(*(evaluate_protocol(protocol, numbers, context) for numbers in (both.a, both.b)))
    return DoseEffects(of_pairs=tuple(_of_pair(effects, pair) for pair in found), protocol_id=protocol.id)


def _region(pair: Pair) -> RoiRef:
    return RoiRef(pair.a.number, pair.a.name)


def _known_cc(numbers: CaseNumbers, region: RoiRef) -> float | None:
    """Return the volume that a DVH tells, so that none is computed twice."""
    try:
        dvh = numbers.dvh(region)
    except GeometryError:  # raised again, and turned into a reason, when a number is asked for
        return None
    # A lone slice may have its thickness of the dose's planes there, and of the other structure's slices here.
    return None if any(f.code == "single-slice" for f in dvh.findings) else dvh.volume_cc


def _cases_of(found: Sequence[Pair], path_a: Path, first: DrawnSet, question: DoseQuestion) -> tuple[Case, Case]:
    """Return A's contours in the dose, and B's in the same under A's names and numbers, so that rules find them."""
    case_a = _case_of(path_a, first, first.structures, question)
    if case_a.dose is None:
        why = "there is no dose for the dose effect." if question.dose is None else "is no dose that can be used."
        raise InputError(why, path=question.dose or path_a, remedy="Name an RTDOSE file: --dose FILE.")
    drawn_by_b = _with_contours_of_b(first.structures, found)
    # Where registrations took A's contours into the dose's frame, they do so with B's.
    is_moved = case_a.structures.frame_of_reference_uid != first.structures.frame_of_reference_uid
    if is_moved:
        return case_a, _case_of(path_a, first, drawn_by_b, question)
    return case_a, replace(case_a, structures=_with_contours_of_b(case_a.structures, found))


def _case_of(path_a: Path, first: DrawnSet, drawn: StructureSet, question: DoseQuestion) -> Case:
    """Return the case of the dose with structures that have been read."""
    from dvhkit.readers.case import read_case

    def of_structures(*_: object) -> tuple[StructureSet, tuple[Finding, ...]]:
        return drawn, ()

    stored = first.structures.path
    if drawn is first.structures and first.case is not None and _is_dose_of(first.case, question.dose):
        case = first.case
    elif question.dose is None:
        case = read_case(path_a, drawn=of_structures)
    else:
        case = read_case(question.dose, rtstruct=stored, drawn=of_structures)
    return with_user_prescription(case, rx_gy=question.rx_gy, fractions=question.fractions)


def _is_dose_of(case: Case, dose: Path | None) -> bool:
    """Whether a case, as it was read, has the dose that is asked for: it need not be read again."""
    stored = [source.path.resolve() for source in case.sources if source.role == "RTDOSE"]
    return case.dose is not None and (dose is None or stored == [dose.resolve()])


def _with_contours_of_b(structures: StructureSet, found: Sequence[Pair]) -> StructureSet:
    by_key = {(p.a.number, p.a.name): p.b for p in found}
    members = tuple(
        replace(s, contours=b.contours, slices=b.slices) if (b := by_key.get((s.number, s.name))) is not None else s
        for s in structures
    )
    return replace(structures, structures=members)


def _usual_effects(one: CaseNumbers, two: CaseNumbers, regions: Sequence[RoiRef]) -> tuple[tuple[DoseEffect, ...], ...]:
    metrics = [parse_metric(text) for text in _METRICS_WITHOUT_PROTOCOL]
    return tuple(tuple(_metric_effect(one.metric(r, m), two.metric(r, m)) for m in metrics) for r in regions)


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
