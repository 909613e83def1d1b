"""Contours graded by what a comparison measured, and the agreement of two reviewers' grades."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import combinations
from math import hypot
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.protocols.files.criteria import Criteria, GradeLimit, GradeRule, load_criteria
from dvhkit.results.contours.comparison import Comparison, PairComparison
from dvhkit.results.contours.grades import (
    ACCEPTABLE,
    GRADES,
    PER_PROTOCOL,
    UNACCEPTABLE,
    Approval,
    Disagreement,
    ReviewerKappa,
    RoiGrade,
)


def graded(found: Comparison, criteria: Criteria) -> Comparison:
    """Return a comparison with the grade of each structure of B by the criteria; what B lacks is unacceptable."""
    grades = [g for pair in found.pairs if (g := grade_pair(pair, criteria)) is not None]
    grades += [
        RoiGrade(roi=name, grade=UNACCEPTABLE, reasons=("not drawn in B",))
        for name in found.only_in_a
        if rule_for(name, criteria) is not None
    ]
    return replace(found, criteria_id=criteria.id, grades=tuple(grades))


def rule_for(name: str, criteria: Criteria) -> GradeRule | None:
    """Return the first rule whose names fit a structure's."""
    folded = name.strip().casefold()
    return next((r for r in criteria.rules if any(fnmatchcase(folded, p.strip().casefold()) for p in r.patterns)), None)


def grade_pair(pair: PairComparison, criteria: Criteria) -> RoiGrade | None:
    """Return the worst grade over all limits, with each limit that was missed; None where no rule fits the name."""
    rule = rule_for(pair.roi_a, criteria)
    if rule is None:
        return None
    if pair.dice is None:
        # An empty contour against a drawn one is a missed structure; two empty ones say nothing.
        one_is_empty = pair.reason is not None and pair.reason.count("(A)") + pair.reason.count("(B)") == 1
        return RoiGrade(
            roi=pair.roi_a, grade=UNACCEPTABLE if one_is_empty else "", reasons=(pair.reason or "nothing was measured",)
        )
    worst, reasons, judged = 0, [], 0
    for limit in rule.limits:
        value = _value(pair, limit.metric)
        if value is None and limit.metric == "verdict_flips" and not pair.dose_effect:
            continue  # nobody asked for the dose
        if value is None:
            reasons.append(f"{limit.metric}: no value")
            continue
        judged += 1
        step, reason = _step(limit, value)
        worst = max(worst, step)
        if reason:
            reasons.append(reason)
    return RoiGrade(roi=pair.roi_a, grade=GRADES[worst] if judged else "", reasons=tuple(reasons))


def _step(limit: GradeLimit, value: float) -> tuple[int, str]:
    if limit.per_protocol.holds(value):
        return 0, ""
    if limit.acceptable.holds(value):
        return 1, f"{limit.metric} {value:.4g} is not {limit.per_protocol.text}: {ACCEPTABLE}"
    return 2, f"{limit.metric} {value:.4g} is not {limit.acceptable.text}: {UNACCEPTABLE}"


def _value(pair: PairComparison, metric: str) -> float | None:
    if metric == "verdict_flips":
        judged = [e.flips for e in pair.dose_effect if e.flips is not None]
        return float(sum(judged)) if judged else None
    if metric == "centroid_shift_mm":
        return None if pair.centroid_shift_mm is None else hypot(*pair.centroid_shift_mm)
    value = getattr(pair, metric)
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a reviewer said last of a structure: the hash of its contours, and the grade or nothing."""

    sha256: str
    grade: str


@dataclass(slots=True, kw_only=True)
class LastWords:
    """A reviewer, as written last, and the last word on each structure."""

    reviewer: str
    role: str
    time: str
    of_rois: dict[str, Word] = field(default_factory=dict)


def last_words(entries: Sequence[Approval]) -> dict[str, LastWords]:
    """Return what each reviewer said last, by a name or code without regard to case and blanks: nobody counts twice."""
    found: dict[str, LastWords] = {}
    for entry in entries:
        key = " ".join(unicodedata.normalize("NFKC", entry.reviewer).casefold().split())
        said = found.setdefault(key, LastWords(reviewer="", role="", time=""))
        said.reviewer, said.role, said.time = entry.reviewer, entry.role, entry.time
        grades = {g.roi: g.grade for g in entry.grades}
        for roi in entry.rois:
            said.of_rois[roi.roi] = Word(sha256=roi.sha256, grade=grades.get(roi.roi, ""))
    return found


def reviewers_compared(entries: Sequence[Approval]) -> tuple[tuple[ReviewerKappa, ...], tuple[Disagreement, ...]]:
    """Return kappa and disagreements of each two reviewers, by the last word of each on a structure."""
    last = {
        said.reviewer: {roi: word.grade for roi, word in said.of_rois.items() if word.grade}
        for said in last_words(entries).values()
    }
    kappas, disagreements = [], []
    for a, b in combinations(last, 2):
        both = [roi for roi in last[a] if roi in last[b]]
        if not both:
            continue
        kappas.append(_kappa(a, b, [(last[a][roi], last[b][roi]) for roi in both]))
        disagreements += [
            Disagreement(roi=roi, reviewer_a=a, grade_a=last[a][roi], reviewer_b=b, grade_b=last[b][roi])
            for roi in both
            if last[a][roi] != last[b][roi]
        ]
    return tuple(kappas), tuple(disagreements)


def _kappa(a: str, b: str, pairs: Sequence[tuple[str, str]]) -> ReviewerKappa:
    return ReviewerKappa(
        reviewer_a=a,
        reviewer_b=b,
        structures=len(pairs),
        agreed=sum(x == y for x, y in pairs),
        kappa=cohen_kappa(pairs, {(x, y): float(x != y) for x in GRADES for y in GRADES}),
        weighted_kappa=cohen_kappa(
            pairs, {(x, y): float(abs(GRADES.index(x) - GRADES.index(y))) for x in GRADES for y in GRADES}
        ),
    )


def cohen_kappa(pairs: Sequence[tuple[str, str]], cost: Mapping[tuple[str, str], float]) -> float | None:
    """Return 1 less the observed over the expected cost of disagreement (Cohen 1960, 1968)."""
    n = len(pairs)
    one, two = Counter(x for x, _ in pairs), Counter(y for _, y in pairs)
    expected = sum(cost[x, y] * one[x] * two[y] for x in one for y in two) / n**2
    return None if expected <= 0 else 1.0 - sum(cost[pair] for pair in pairs) / n / expected


def grade_word(text: str) -> str | None:
    """Return the grade that a text means: its words, or pp, av, uv."""
    folded = " ".join(text.casefold().replace("_", " ").replace("-", " ").split())
    short = {"pp": PER_PROTOCOL, "av": ACCEPTABLE, "uv": UNACCEPTABLE, "acceptable": ACCEPTABLE}
    return {**{g: g for g in GRADES}, **short, "unacceptable": UNACCEPTABLE}.get(folded)


def grade_option(text: str) -> RoiGrade:
    """Return the grade in a text such as ``GTV=av: reaches the stalk``.

    Raises
    ------
    InputError
        If it names no structure, or no grade.
    """
    name, equals, said = text.rpartition("=")
    word, _, reason = said.partition(":")
    grade = grade_word(word)
    if not equals or not name.strip() or grade is None:
        raise InputError(f"{text[:60]!r} is no grade.", remedy="Write 'GTV=pp', 'GTV=av: why' or 'GTV=uv: why'.")
    return RoiGrade(roi=name.strip(), grade=grade, reasons=(reason.strip(),) if reason.strip() else ())


def grades_against(
    path: Path, reference: Path, criteria: str | Path, roi: Sequence[str] | None = None
) -> dict[str, RoiGrade]:
    """Return the grades of the structures of a set by criteria, compared with a reference; by the set's own names."""
    from dvhkit.jobs.contours.compare import compare_structures

    loaded = load_criteria(criteria)
    found = compare_structures(reference, path)
    grades: dict[str, RoiGrade] = {}
    for pair in found.pairs:
        grade = grade_pair(pair, loaded)
        looked_at = roi is None or any(fnmatchcase(pair.roi_b.casefold(), p.casefold()) for p in roi)
        if grade is not None and looked_at and pair.volume_b_cc is not None:
            grades[pair.roi_b] = replace(grade, roi=pair.roi_b)
    return grades
