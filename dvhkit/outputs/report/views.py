"""What the report shows, in words: records turned into texts that the template only has to place."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dvhkit.findings import Finding, Level
from dvhkit.outputs.identity_words import plan_facts
from dvhkit.outputs.number_format import limit_text, number
from dvhkit.outputs.report.maps import MapView, map_views
from dvhkit.outputs.report.metrics import MetricsView, metrics_view
from dvhkit.outputs.report.numbers import NumberView, rule_margin, rule_value
from dvhkit.outputs.report.plot import DvhPlot, plot_curves
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

    from dvhkit.results.audit import AuditRecord, InputFile, Provenance, RuleResult
    from dvhkit.results.scene import Scene

# Longer than anything sensible, and short enough to keep the page in shape.
_LONGEST_NAME = 64
_LONGEST_TITLE = 160
_LONGEST_SENTENCE = 600
# A CT has hundreds of files: from here on a role gets one line and one hash over all of them.
_MOST_FILES_A_ROLE = 6
# So many rules that do not apply are folded into one line.
_FOLDED_FROM = 4
# As many pictures as fit beside each other twice.
_MOST_SHOTS = 12
# The codes that protocols give to what their limits were checked against.
_STATUS_WORDS = {
    "P": "read in the primary source",
    "T": "read in a documented transcription of the primary source",
    "S2": "read in two independent copies that agree",
    "S1": "limit not verified: read in one copy only",
    "C": "limit not verified: computed from numbers that were read",
    "X": "limit not verified: copies disagree",
    "B": "limit not verified: from general knowledge, not read",
}
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
class InputView:
    """A file that went in, or all files of one role as one line."""

    role: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceView:
    """What the numbers were made from and with."""

    created: str
    software: str
    libraries: str
    protocol_sha256: str
    inputs: list[InputView]


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
        name=_name(record.case) or "unnamed case",
        protocol=_title(record.protocol_title or record.protocol_id),
        protocol_id=_name(" ".join(part for part in (record.protocol_id, record.protocol_version) if part)),
        prescription=_title(record.prescription),
        headline=headline(record),
        phrases=count_phrases(record.rules),
        error=sentence_case(_sentence(record.error or "")),
        score=score_text(record.score()),
        identity=[
            (word, _sentence(text.removeprefix(f"{word.lower()} "))) for word, text in plan_facts(record.identity)
        ],
        accepted=[
            (_name(a.code), _sentence(f"{a.by}: {a.reason}" if a.reason else f"vouched for by {a.by}"))
            for a in record.accepted
        ],
        idle=[f"{count}: {_sentence(reason)}" for count, reason in idle_groups(record.rules)] if folded else [],
        rules=rules,
        applicable=[view for view in rules if view not in folded],
        folded=folded,
        findings=_finding_views(record.findings),
        context=[(_name(key), _context_text(value)) for key, value in (record.context or {}).items()],
        plot=plot_curves(record.curves, record.rules),
        maps=map_views(record.margin_maps),
        metrics=metrics_view(record.metrics),
        second_check=second_check_view(record.second_check),
        provenance=_provenance_view(record.provenance) if record.provenance else None,
        shots=_shot_views(record, scene) if scene is not None else [],
        viewer=scene is not None,
        remarks=[_sentence(remark) for remark in remarks],
    )


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
                kind=spot.kind,
                dose="" if spot.dose_gy is None else number(spot.dose_gy, Unit.GY.value),
                place=_place_text(spot.point_mm),
                shown=", ".join(f"{c:.1f}".replace("-", "−") for c in spot.point_mm),
            ),
        )
        shot.rules.append(told)
    return list(shots.values())[:_MOST_SHOTS]


def _measured(rule: RuleResult) -> str:
    """Return what a rule measured, with its band, and what it asks for: ``V100% 92.33 % (91.69 to 94.53), ≥ 95 %``."""
    value, quantity = rule_value(rule), rule.quantity.partition("[")[0]
    if value is None:
        return _name(f"{quantity}: no value, goal {limit_text(rule.goal)}")
    band = f" ({value.band})" if value.band else ""
    said = f"{quantity} {value.whole}{value.decimals} {value.unit}".rstrip()
    return _title(f"{said}{band}, goal {limit_text(rule.goal)}")


def _place_text(point_mm: Iterable[float]) -> str:
    return ",".join(repr(c) for c in point_mm)


def _rule_view(rule: RuleResult, place: str, drawn: set[str]) -> RuleView:
    facts = [
        ("Rule", rule.rule_id),
        ("Basis", sentence_case(rule.note)),
        ("Source", rule.source),
        ("Limit", _status_text(rule.status)),
        ("Priority", str(rule.priority)),
        ("Score", "" if rule.score is None else points_text(rule.score, rule.score_max)),
        ("Reason code", rule.reason_code or ""),
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
        reason=sentence_case(_sentence(rule.reason or "")),
        place=place or place_in(f"{rule.reason or ''} {rule.note}"),
        is_drawn=_name(rule.roi) in drawn,
        end=deciding_end(rule) if rule.unit != "mm" and _OF_DOSE.match(rule.quantity) else "",
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
    words = _STATUS_WORDS.get(status)
    return f"{words} ({status})" if words else status


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
        level=finding.level.value,
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
        return "yes" if value else "no"
    if isinstance(value, dict | list | tuple):
        return _sentence(json.dumps(value, ensure_ascii=False, default=str))
    return _sentence("not stated" if value is None else value)


def _provenance_view(made: Provenance) -> ProvenanceView:
    return ProvenanceView(
        created=_time_text(made.created_utc),
        software=f"{_name(made.dvhkit_version)}, engine {_name(made.engine)}",
        libraries=_sentence(", ".join(f"{name} {version}" for name, version in sorted(made.libraries.items()))),
        protocol_sha256=_name(made.protocol_sha256),
        inputs=_input_views(made.inputs),
    )


def _time_text(iso: str) -> str:
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return _name(iso)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment.tzinfo else _name(iso)


def _input_views(inputs: Iterable[InputFile]) -> list[InputView]:
    by_role: dict[str, list[InputFile]] = {}
    for file in inputs:
        by_role.setdefault(file.role, []).append(file)
    return [view for role, files in by_role.items() for view in _role_views(role, files)]


def _role_views(role: str, files: list[InputFile]) -> list[InputView]:
    if len(files) <= _MOST_FILES_A_ROLE:
        return [InputView(role=_name(role), path=_sentence(f.path), sha256=_name(f.sha256)) for f in files]
    joined = "\n".join(sorted(f.sha256.lower() for f in files))
    digest = hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()
    paths = f"{len(files)} files, {files[0].path} to {files[-1].path} (one hash over their sorted hashes)"
    return [InputView(role=_name(role), path=_sentence(paths), sha256=digest)]


def _name(text: object) -> str:
    return clean_name(text, _LONGEST_NAME)


def _title(text: object) -> str:
    return clean(text, longest=_LONGEST_TITLE)


def _sentence(text: object) -> str:
    return clean(text, longest=_LONGEST_SENTENCE)
