"""What comes out: metric rows, verdicts, audit records. Frozen, plain, to and from JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING

from dvhkit.extras import needs_extra
from dvhkit.findings import Finding, Withholds, withholding, withholds
from dvhkit.results.second_check import RoiCheck

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

METRICS_SCHEMA = "dvhkit/metrics/1"
AUDIT_SCHEMA = "dvhkit/audit/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """One number, or the reason why there is none.

    Attributes
    ----------
    roi, metric, unit
        The structure's name, the metric in canonical form such as ``D95%[Gy]``, and its unit.
    value
        None where there is no value; then `reason_code` (see `dvhkit.errors.Reason`) and `reason` say why.
    low, high
        The band; None where it is not computed.
    note
        What the value rests on, such as the prescription that percent doses refer to.
    band_open_code
        Why some reading of the slices has no value where this one has (a reason code), so that the band is open; or,
        where `value` is None, the same code if another reading has one. None where all readings agree.
    withheld
        Codes of the findings that withhold the value: it is there, and must decide nothing. `reason` says why.
    """

    roi: str
    metric: str
    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    reason_code: str | None = None
    reason: str | None = None
    note: str = ""
    band_open_code: str | None = None
    withheld: tuple[str, ...] = ()


class Verdict(StrEnum):
    """What a rule comes to."""

    PASS = "pass"
    VARIATION = "variation"
    FAIL = "fail"
    INDETERMINATE = "indeterminate"
    WAIVED = "waived"
    NOT_EVALUABLE = "not-evaluable"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One rule held against one case (and, for rules on structures, one structure).

    Attributes
    ----------
    rule_id, title
        The rule's identity and what it asks for, in words.
    roi
        The structure that was judged; empty where the rule is about none.
    quantity
        What was measured: a metric such as ``D95%[Gy]`` or a property such as ``image.slice_spacing``.
    goal, variation
        The limits as the protocol states them, such as ``<= 15 Gy``; variation empty where there is none.
    value, unit, low, high
        As in `MetricResult`.
    margin, margin_pct
        Distance from value to goal in `unit`, positive on the good side, and in percent of the bound that it is taken
        from; None without a value, the latter also for a bound of 0.
    verdict, reason_code, reason
        The verdict, and why where it is neither a plain pass nor a plain fail.
    source, status
        Citation, and the verification status of the limit.
    priority
        1 is the highest.
    note
        What the value rests on.
    score, score_max
        Points for the value and the most that the rule gives; None where the rule gives none, or nothing was judged.
    group
        The set of rules that must hold together; the row of the set itself has it as its `rule_id`.
    withheld
        Codes of the findings that withhold the verdict; the value stays, as it was measured.
    way_out
        What would let a rule be judged that does not apply, such as ``--eqd2``; empty where it is none of this case.
    """

    rule_id: str
    title: str
    roi: str
    quantity: str
    goal: str
    variation: str
    value: float | None
    unit: str
    verdict: Verdict
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    margin_pct: float | None = None
    reason_code: str | None = None
    reason: str | None = None
    source: str = ""
    status: str = ""
    priority: int = 1
    note: str = ""
    score: float | None = None
    score_max: float | None = None
    group: str = ""
    withheld: tuple[str, ...] = ()
    way_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The points of a case: of the most `possible`, over so many `rules`, of which `missing` could not be scored."""

    points: float
    possible: float
    rules: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A cumulative DVH for plotting: `volume_pct` of the structure's volume that receives at least each `dose_gy`.

    `low_pct` and `high_pct` are the band, over all readings of the slices; empty where none was computed. Doses are
    even parts of a step that all curves of a case share, so that two curves can be read at one dose.
    """

    roi: str
    roi_type: str
    color_rgb: tuple[int, int, int] | None
    volume_cc: float
    dose_gy: tuple[float, ...]
    volume_pct: tuple[float, ...]
    low_pct: tuple[float, ...] = ()
    high_pct: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginMap:
    """The margin that was drawn around a structure, by place: what a report draws a picture from.

    The structure's surface is unrolled: a row for each of `height_mm` (z, ascending), whose equal columns run once
    round, from the patient's left over posterior, right and anterior.

    Attributes
    ----------
    title, limit, caption
        Which margin, what was asked for, and what was found, in words.
    margin_mm
        By row and column, the least margin there; negative where the inner structure is outside, None where it has no
        surface.
    lacking_mm
        What is lacking to the lower limit; 0 or less where nothing is.
    inner
        The structure whose surface it is, so that a cell can be found again in the patient; empty in older records.

    Raises
    ------
    ValueError
        If the rows do not make a table, or there is nothing in it.
    """

    title: str
    limit: str
    caption: str
    height_mm: tuple[float, ...]
    margin_mm: tuple[tuple[float | None, ...], ...]
    lacking_mm: tuple[tuple[float | None, ...], ...]
    inner: str = ""

    def __post_init__(self) -> None:
        rows = (*self.margin_mm, *self.lacking_mm)
        lengths = {len(row) for row in rows}
        if (
            not len(self.height_mm) == len(self.margin_mm) == len(self.lacking_mm)
            or len(lengths) != 1
            or lengths == {0}
        ):
            raise ValueError("the rows of a margin map do not make a table")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file that went into a record: its role, its path as the user named it, and its SHA-256."""

    role: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a record was made from and with."""

    dvhkit_version: str
    created_utc: str
    engine: str
    protocol_sha256: str
    libraries: dict[str, str]
    inputs: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Somebody vouches for one code of finding: it then withholds nothing. `by` is where that was said."""

    code: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanIdentity:
    """Which plan a record is about, so that runs can be joined and filed; texts as the files state them.

    Attributes
    ----------
    dose_uids
        Of each file that the dose was read from.
    approval_date
        ReviewDate, ``YYYY-MM-DD``; empty where nobody approved or rejected the plan.
    machines
        Treatment machines of its beams, each once.
    dose_comment
        What alone may tell apart the doses of one plan, such as those of robust scenarios.
    patient_name, patient_id
        Empty unless they were asked for.
    """

    plan_label: str = ""
    plan_uid: str = ""
    dose_uids: tuple[str, ...] = ()
    structure_set_uid: str = ""
    approval_status: str = ""
    approval_date: str = ""
    planning_system: str = ""
    planning_system_version: str = ""
    machines: tuple[str, ...] = ()
    fractions: int | None = None
    dose_type: str = ""
    dose_summation: str = ""
    dose_comment: str = ""
    patient_name: str = ""
    patient_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One case held against one protocol.

    `error` is set, and everything else empty, where the case could not be judged at all. `accepted` is what somebody
    vouched for, whether or not the case has such a finding. `second_check` is
    the planning system's DVHs beside ours.
    """

    case: str
    protocol_id: str
    protocol_version: str
    protocol_title: str
    prescription: str = ""
    context: dict[str, object] | None = None
    rules: tuple[RuleResult, ...] = ()
    metrics: tuple[MetricResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    curves: tuple[Curve, ...] = ()
    margin_maps: tuple[MarginMap, ...] = ()
    provenance: Provenance | None = None
    error: str | None = None
    identity: PlanIdentity | None = None
    accepted: tuple[Acceptance, ...] = ()
    second_check: tuple[RoiCheck, ...] = ()

    def __repr__(self) -> str:
        counted = ", ".join(f"{n} {verdict.value}" for verdict, n in self.counts().items() if n)
        return f"<AuditRecord {self.case!r} by {self.protocol_id}: {self.error or counted or 'no rules'}>"

    def _repr_html_(self) -> str:
        return escape(repr(self))

    @property
    def all_met(self) -> bool:
        """Whether every rule that applies passed, stayed inside its allowed variation, or was waived by a person.

        A case that no rule applied to was not judged, so nothing of it is met; neither is one that was judged on the
        smaller part of the rules that are for it (`is_mostly_unjudged`), or whose files a finding calls into question.
        """
        good = (Verdict.PASS, Verdict.VARIATION, Verdict.WAIVED)
        judged = self.judged
        fine = bool(judged) and all(r.verdict in good for r in judged)
        return self.error is None and fine and not self.withholding and not self.is_mostly_unjudged

    @property
    def judged(self) -> tuple[RuleResult, ...]:
        """The rules that apply."""
        return tuple(r for r in self.rules if r.verdict is not Verdict.NOT_APPLICABLE)

    @property
    def with_way_out(self) -> tuple[RuleResult, ...]:
        """The rules that do not apply as things are, but are for such a case and could be judged."""
        return tuple(r for r in self.rules if r.verdict is Verdict.NOT_APPLICABLE and r.way_out)

    @property
    def is_mostly_unjudged(self) -> bool:
        """Whether more rules wait for something to be said than apply."""
        return len(self.with_way_out) > len(self.judged)

    @property
    def withholding(self) -> tuple[Finding, ...]:
        """The findings that take all numbers of a kind out of verdicts, and that nobody vouched for."""
        found = withholding(self.findings, {a.code for a in self.accepted})
        return tuple(f for f in found if withholds(f) is not Withholds.ROI)

    def counts(self) -> dict[Verdict, int]:
        """How many rules came to each verdict."""
        return {v: sum(r.verdict is v for r in self.rules) for v in Verdict}

    def score(self) -> Score | None:
        """Return the points that the rules came to; None where no rule that applies gives points.

        A rule without a value gives no points, but what it could have given counts as possible: a plan must not look
        better for what nobody could measure.
        """
        scored = [r for r in self.rules if r.score_max is not None and r.verdict is not Verdict.NOT_APPLICABLE]
        if not scored:
            return None
        return Score(
            points=sum(r.score or 0.0 for r in scored),
            possible=sum(r.score_max or 0.0 for r in scored),
            rules=len(scored),
            missing=sum(r.score is None for r in scored),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the verdicts as a pandas table, one row a rule and structure."""
        return to_frame(self.rules)


def to_frame(rows: Iterable[MetricResult | RuleResult]) -> pd.DataFrame:
    """Return result rows as a pandas table, one row each, columns named as the fields."""
    from dataclasses import asdict

    with needs_extra("tables"):
        import pandas as pd

    return pd.DataFrame([asdict(row) for row in rows])
