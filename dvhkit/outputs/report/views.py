"""What the report shows, in words: records turned into texts that the template only has to place."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvhkit.findings import Finding, Level
from dvhkit.outputs.identity_words import plan_facts
from dvhkit.outputs.language import has_message, say
from dvhkit.outputs.number_format import limit_text, number, range_text
from dvhkit.outputs.report.maps import MapView, map_views
from dvhkit.outputs.report.metrics import MetricsView, metrics_view
from dvhkit.outputs.report.numbers import NumberView, rule_margin, rule_value
from dvhkit.outputs.report.plot import DvhPlot, plot_curves
from dvhkit.outputs.report.provenance import ProvenanceView, provenance_view
from dvhkit.outputs.report.second_check import SecondCheckView, second_check_view
from dvhkit.outputs.text import clean, clean_name, sentence_case
from dvhkit.outputs.verdict_words import (
    Headline,
    VerdictLook,
    by_urgency,
    count_phrases,
    headline,
    idle_groups,
    look_of,
    points_text,
    score_text,
)
from dvhkit.results.scene import deciding_end
from dvhkit.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dvhkit.results.audit import AuditRecord, RuleResult
    from dvhkit.results.scene import Scene

# Longer than anything sensible, and short enough to keep the page in shape.
_LONGEST_NAME = 64
_LONGEST_TITLE = 160
_LONGEST_SENTENCE = 600
# So many rules that do not apply are folded into one line.
_FOLDED_FROM = 4
# As many pictures as fit beside each other twice.
_MOST_SHOTS = 12
# How all texts tell a place (see `dvhkit.targets.achieved.statements`), and a height alone.
_PLACE = re.compile(r"\bx (-?\d+(?:\.\d+)?), y (-?\d+(?:\.\d+)?), z (-?\d+(?:\.\d+)?)")
_HEIGHT = re.compile(r"\bz(?: =)? (-?\d+(?:\.\d+)?)(?: mm)?")
# Metrics that ask for a dose, or for a volume at one.
_OF_DOSE = re.compile(r"(D|DC|V|CV)\d|(Max|Min|Mean|Median)\[")
_PROPERTY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_PROPERTY_PARTS = re.compile(r"[^._]+[._]*")
_LEVEL_LOOKS = {
    Level.SERIOUS.value: ("‼", "bad"),
    Level.WARNING.value: ("!", "warn"),
    Level.INFO.value: ("i", "info"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """One row of verdicts.

    Attributes
    ----------
    quantity
        What was measured, in parts between which a line may break.
    place
        ``x,y,z`` of the place that decides it, or that the reason tells; empty where there is none.
    is_drawn
        Whether the slices show its structure.
    end
        Which end of the structure's dose its limit guards, ``hottest`` or ``coldest``; empty where it is about none.
    facts
        What is shown on demand, as pairs of a word and a text.
    """

    look: VerdictLook
    title: str
    roi: str
    quantity: list[str]
    goal: str
    variation: str
    value: NumberView | None
    margin: NumberView | None
    reason: str
    place: str
    is_drawn: bool
    end: str
    is_waived: bool
    facts: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """One finding with the sign and the tone of its level; `place`, or `roi` and a height `z`, say where it is seen."""

    level: str
    symbol: str
    tone: str
    code: str
    message: str
    where: str
    place: str
    roi: str
    z: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotView:
    """A picture of a place that decides rules: `index` is that of its spot in the scene, `place` for scripts.

    `rules` are those that it decides, the most urgent first, each with its look and what was measured and asked for.
    """

    index: int
    rules: list[tuple[VerdictLook, str, str]]
    roi: str
    kind: str
    dose: str
    place: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """One case, ready to be placed on the page.

    Attributes
    ----------
    identity, accepted
        What is known of the plan, and the findings that somebody vouched for, as pairs of a word and a text.
    idle
        Why the folded rules do not apply, each reason with its number of rules.
    applicable, folded
        The rules that are shown at once, and those that do not apply and are many: shown on demand.
    """

    anchor: str
    name: str
    protocol: str
    protocol_id: str
    prescription: str
    headline: Headline
    phrases: list[tuple[str, str]]
    error: str
    score: str
    identity: list[tuple[str, str]]
    accepted: list[tuple[str, str]]
    idle: list[str]
    rules: list[RuleView]
    applicable: list[RuleView]
    folded: list[RuleView]
    findings: list[FindingView]
    context: list[tuple[str, str]]
    plot: DvhPlot | None
    maps: list[MapView]
    metrics: MetricsView | None
    second_check: SecondCheckView | None
    provenance: ProvenanceView | None
    shots: list[ShotView]
    viewer: bool
    remarks: list[str]


def case_view(record: AuditRecord, *, anchor: str, scene: Scene | None = None, remarks: Sequence[str] = ()) -> CaseView:
    """Return everything that the report says about `record`, as harmless texts; with a `scene`, its pictures too."""
    spots = {id(record.rules[s.rule]): _place_text(s.point_mm) for s in scene.spots} if scene is not None else {}
    drawn = {_name(s.name) for s in scene.structures} if scene is not None else set()
    rules = [_rule_view(rule, spots.get(id(rule), ""), drawn) for rule in by_urgency(record.rules)]
    idle = [view for view in rules if view.look == look_of("not-applicable")]
    folded = idle if len(idle) >= _FOLDED_FROM else []
    return CaseView(
        anchor=anchor,
        name=_name(record.case) or say("report.unnamed"),
        protocol=_title(record.protocol_title or record.protocol_id),
        protocol_id=_name(" ".join(part for part in (record.protocol_id, record.protocol_version) if part)),
        prescription=_title(record.prescription),
        headline=headline(record),
        phrases=count_phrases(record.rules),
        error=sentence_case(_sentence(record.error or "")),
        score=score_text(record.score()),
        identity=[(word, _sentence(_without_word(word, text))) for word, text in plan_facts(record.identity)],
        accepted=[
            (_name(a.code), _sentence(f"{a.by}: {a.reason}" if a.reason else say("report.vouched", name=a.by)))
            for a in record.accepted
        ],
        idle=_idle_texts(record.rules) if folded else [],
        rules=rules,
        applicable=[view for view in rules if view not in folded],
        folded=folded,
        findings=_finding_views(record.findings),
        context=[(_name(key), _context_text(value)) for key, value in (record.context or {}).items()],
        plot=plot_curves(record.curves, record.rules),
        maps=map_views(record.margin_maps),
        metrics=metrics_view(record.metrics),
        second_check=second_check_view(record.second_check),
        provenance=provenance_view(record.provenance) if record.provenance else None,
        shots=_shot_views(record, scene) if scene is not None else [],
        viewer=scene is not None,
        remarks=[_sentence(remark) for remark in remarks],
    )


def _without_word(word: str, text: str) -> str:
    """Return a plan's fact without the word that it begins with where all facts stand in one line."""
    return re.sub("^(plan|dose) ", "", text) if word in (say("fact.plan"), say("fact.dose")) else text


def _idle_texts(rules: Sequence[RuleResult]) -> list[str]:
    groups = idle_groups(rules)
    return [say("report.idle", n=count, reason=_sentence(range_text(reason))) for count, reason in groups]


def _shot_views(record: AuditRecord, scene: Scene) -> list[ShotView]:
    """Return a picture a place, that which decides the most urgent rule first."""
    urgency = {id(rule): rank for rank, rule in enumerate(by_urgency(record.rules))}
    ranked = sorted(enumerate(scene.spots), key=lambda pair: urgency[id(record.rules[pair[1].rule])])
    shots: dict[tuple[str, str], ShotView] = {}
    for index, spot in ranked:
        rule = record.rules[spot.rule]
        told = (look_of(rule.verdict.value), _title(rule.title or rule.rule_id), _measured(rule))
        shot = shots.setdefault(
            (spot.roi, spot.kind),
            ShotView(
                index=index,
                rules=[],
                roi=_name(spot.roi),
                kind=_place_word(spot.kind),
                dose="" if spot.dose_gy is None else number(spot.dose_gy, Unit.GY.value),
                place=_place_text(spot.point_mm),
                shown=", ".join(f"{c:.1f}".replace("-", "−") for c in spot.point_mm),
            ),
        )
        shot.rules.append(told)
    return list(shots.values())[:_MOST_SHOTS]


def _place_word(kind: str) -> str:
    key = f"place.{kind.replace(' ', '_')}"
    return say(key) if has_message(key) else kind


def _measured(rule: RuleResult) -> str:
    """Return what a rule measured, with its band, and what it asks for: ``V100% 92.33 % (91.69 to 94.53), ≥ 95 %``."""
    value, quantity = rule_value(rule), rule.quantity.partition("[")[0]
    if value is None:
        return _name(say("report.measured_none", what=quantity, goal=limit_text(rule.goal)))
    band = f" ({value.band})" if value.band else ""
    said = f"{quantity} {value.whole}{value.decimals} {value.unit}".rstrip()
    return _title(say("report.measured", what=f"{said}{band}", goal=limit_text(rule.goal)))


def _place_text(point_mm: Iterable[float]) -> str:
    return ",".join(repr(c) for c in point_mm)


def _rule_view(rule: RuleResult, place: str, drawn: set[str]) -> RuleView:
    facts = [
        (say("fact.rule"), rule.rule_id),
        (say("fact.basis"), sentence_case(rule.note)),
        (say("fact.source"), rule.source),
        (say("fact.limit"), _status_text(rule.status)),
        (say("fact.priority"), str(rule.priority)),
        (say("fact.score"), "" if rule.score is None else points_text(rule.score, rule.score_max)),
        (say("fact.reason_code"), rule.reason_code or ""),
    ]
    return RuleView(
        look=look_of(rule.verdict.value),
        title=_title(rule.title or rule.rule_id),
        roi=_name(rule.roi),
        quantity=_breakable(_name(rule.quantity)),
        goal=_name(limit_text(rule.goal)),
        variation=_name(limit_text(rule.variation)),
        value=rule_value(rule),
        margin=rule_margin(rule),
        reason=sentence_case(_sentence(range_text(rule.reason or ""))),
        place=place or place_in(f"{rule.reason or ''} {rule.note}"),
        is_drawn=_name(rule.roi) in drawn,
        end=deciding_end(rule) if rule.unit != "mm" and _OF_DOSE.match(rule.quantity) else "",
        is_waived=rule.verdict.value == "waived",
        facts=[(word, _sentence(text)) for word, text in facts if text],
    )


def place_in(text: str) -> str:
    """Return the first place (x, y, z) that a text tells, as ``x,y,z``; empty where it tells none."""
    found = _PLACE.search(text)
    return ",".join(found.groups()) if found else ""


def _breakable(quantity: str) -> list[str]:
    """Return a property such as ``image.slice_spacing`` in parts; a metric such as ``D0.03cc[Gy]`` stays whole."""
    return _PROPERTY_PARTS.findall(quantity) if _PROPERTY.fullmatch(quantity) else [quantity]


def _status_text(status: str) -> str:
    key = f"status.{status}"
    return say(key) if has_message(key) else status


def _finding_views(findings: Iterable[Finding]) -> list[FindingView]:
    order = list(_LEVEL_LOOKS)
    views = [_finding_view(finding) for finding in sorted(findings, key=lambda f: order.index(f.level.value))]
    return list({(view.level, view.code, view.message, view.where): view for view in views}.values())


def _finding_view(finding: Finding) -> FindingView:
    symbol, tone = _LEVEL_LOOKS[finding.level.value]
    height = _HEIGHT.search(finding.message)
    # What is odd about one structure can be looked at; what many share has no one place.
    roi = finding.rois[0] if len(finding.rois) == 1 else ""
    return FindingView(
        level=say(f"level.{finding.level.value}"),
        symbol=symbol,
        tone=tone,
        code=_name(finding.code),
        message=sentence_case(_sentence(finding.message)),
        where=_name(finding.where),
        place=place_in(finding.message),
        roi=_name(roi),
        z=height[1] if height else "",
    )


def _context_text(value: object) -> str:
    if isinstance(value, bool):
        return say("context.yes" if value else "context.no")
    if isinstance(value, dict | list | tuple):
        return _sentence(json.dumps(value, ensure_ascii=False, default=str))
    return _sentence(say("context.not_stated") if value is None else value)


def _name(text: object) -> str:
    return clean_name(text, _LONGEST_NAME)


def _title(text: object) -> str:
    return clean(text, longest=_LONGEST_TITLE)


def _sentence(text: object) -> str:
    return clean(text, longest=_LONGEST_SENTENCE)
