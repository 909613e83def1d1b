"""From answers to tests: which errors count together, how large they may be, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dvhkit.jobs.commission.measured import Answer
from dvhkit.results.commission import CommissionTest

_DOSE_AT_VOLUME = re.compile(r"D[\d.]+(%|cc)\[Gy\]")
_VOLUME_AT_DOSE = re.compile(r"V[\d.]+Gy\[%\]")
# Solids of the linear sets that planning systems were compared on by Nelms et al. 2015.
NELMS = ("Sphere", "Cylinder", "Cylinder_AP", "Cone", "Cone_AP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which answers a test looks at and what it asks of them.

    Attributes
    ----------
    of
        Whether an answer's metric belongs to the test.
    mean
        Whether the mean of the absolute errors counts, rather than the greatest.
    rois
        The structures that count; empty for all.
    relative
        Whether errors are in percent of the true value although the metric is a dose.
    """

    id: str
    title: str
    of: Callable[[str], bool]
    tolerance: float
    unit: str
    basis: str
    mean: bool = False
    rois: tuple[str, ...] = ()
    relative: bool = False


def _named(*names: str) -> Callable[[str], bool]:
    return lambda metric: metric in names


_EXACT = "a closed form for the drawn polygons: what is left is arithmetic and the decimals of the contours"
_PRINTED = "the least step of a printed dose"
STACK_RULES = (
    Rule(
        id="volume",
        title="Volumes of slabs",
        of=_named("Volume[cc]"),
        tolerance=0.01,
        unit="%",
        basis=_EXACT,
    ),
    Rule(
        id="mean",
        title="Mean doses of slabs",
        of=_named("Mean[Gy]"),
        tolerance=0.01,
        unit="Gy",
        basis=_PRINTED,
    ),
    Rule(
        id="least-greatest",
        title="Least and greatest doses of slabs",
        of=_named("Min[Gy]", "Max[Gy]"),
        tolerance=0.01,
        unit="Gy",
        basis=_PRINTED,
    ),
    Rule(
        id="dose-at-volume",
        title="Doses at a volume of slabs",
        of=lambda metric: bool(_DOSE_AT_VOLUME.fullmatch(metric)),
        tolerance=0.01,
        unit="Gy",
        basis=_PRINTED,
    ),
    Rule(
        id="volume-at-dose",
        title="Volumes at a dose of slabs",
        of=lambda metric: bool(_VOLUME_AT_DOSE.fullmatch(metric)),
        tolerance=0.1,
        unit="%",
        basis="0.01 Gy in a dose of 1 Gy/mm, in which no more than 10 % of a solid lie within 1 mm",
    ),
)
_STATED = "the stated accuracy on ideal solids (docs/validation.md)"
SOLID_RULES = (
    Rule(
        id="volume",
        title="Volumes of ideal solids, mean error",
        of=_named("Volume[cc]"),
        tolerance=0.3,
        unit="%",
        basis=_STATED,
        mean=True,
        rois=NELMS,
    ),
    Rule(
        id="d95",
        title="D95% of ideal solids, mean error",
        of=_named("D95%[Gy]"),
        tolerance=0.2,
        unit="%",
        basis=_STATED,
        mean=True,
        rois=NELMS,
        relative=True,
    ),
    Rule(
        id="d99",
        title="D99% of ideal solids, mean error",
        of=_named("D99%[Gy]"),
        tolerance=0.3,
        unit="%",
        basis=_STATED,
        mean=True,
        rois=NELMS,
        relative=True,
    ),
    Rule(
        id="mean",
        title="Mean doses of ideal solids, mean error",
        of=_named("Mean[Gy]"),
        tolerance=0.05,
        unit="Gy",
        basis="0.05 mm of a centroid in a dose of 1 Gy/mm: a twentieth of the finest slice distance in use",
        mean=True,
        rois=NELMS,
    ),
)
GRID_RULES = (
    Rule(
        id="volume",
        title="Volumes of small balls, mean error",
        of=_named("Volume[cc]"),
        tolerance=0.3,
        unit="%",
        basis=_STATED,
        mean=True,
    ),
    Rule(
        id="dose-at-volume",
        title="D50% of small balls in a steep dose, mean error",
        of=_named("D50%[Gy]"),
        tolerance=0.05,
        unit="Gy",
        basis="truth by dense sampling, good to about 0.1 % of a volume; at most 0.5 Gy a percent there",
        mean=True,
    ),
    Rule(
        id="mean",
        title="Mean doses of small balls in a steep dose, mean error",
        of=_named("Mean[Gy]"),
        tolerance=0.05,
        unit="Gy",
        basis="truth by dense sampling, good to about 0.1 % of a dose of 40 Gy",
        mean=True,
    ),
)
# What the documentation promises of every metric with a band.
_OUTSIDE_BAND_PCT = 3.0


def judged(prefix: str, source: str, rules: Sequence[Rule], answers: Sequence[Answer]) -> list[CommissionTest]:
    """Return a test a rule; one without a single answer has not passed."""
    return [_test(prefix, source, rule, [a for a in answers if _counts(rule, a)]) for rule in rules]


def band_test(answers: Sequence[Answer]) -> CommissionTest:
    """Return the test of how many true values lie outside their bands."""
    outside = [a for a in answers if not a.is_in_band]
    achieved = 100.0 * len(outside) / len(answers) if answers else None
    return CommissionTest(
        id="bands/truth-outside",
        title=f"True values outside the printed band, of {len(answers)}",
        source="all phantoms above",
        tolerance=_OUTSIDE_BAND_PCT,
        achieved=achieved,
        unit="%",
        basis="what is stated of bands (docs/engine.md): the truth lies in at least 97 % of them",
        worst=_place(outside[0]) if outside else "",
        passed=achieved is not None and achieved <= _OUTSIDE_BAND_PCT,
    )


def _counts(rule: Rule, answer: Answer) -> bool:
    return rule.of(answer.truth.metric) and (not rule.rois or answer.truth.roi in rule.rois)


def _test(prefix: str, source: str, rule: Rule, answers: Sequence[Answer]) -> CommissionTest:
    errors = [_error(rule, answer) for answer in answers]
    known = [e for e in errors if e is not None]
    lacking = [a for a, e in zip(answers, errors, strict=True) if e is None]
    achieved: float | None = None
    worst = _place(lacking[0]) if lacking else ""
    if known and not lacking:
        achieved = sum(known) / len(known) if rule.mean else max(known)
        worst = _place(answers[known.index(max(known))])
    return CommissionTest(
        id=f"{prefix}/{rule.id}",
        title=rule.title,
        source=source,
        tolerance=rule.tolerance,
        achieved=achieved,
        unit=rule.unit,
        basis=rule.basis,
        worst=worst,
        passed=achieved is not None and achieved <= rule.tolerance,
    )


def _error(rule: Rule, answer: Answer) -> float | None:
    if answer.error is None:
        return None
    error = 100.0 * answer.error / answer.truth.value if rule.relative else answer.error
    return abs(error)


def _place(answer: Answer) -> str:
    lack = f": {answer.lack}" if answer.value is None else ""
    return f"{answer.truth.roi} {answer.truth.metric}{lack}"
