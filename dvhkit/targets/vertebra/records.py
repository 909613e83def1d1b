"""What the vertebral rules come to, as plain values for JSON and tables."""

from __future__ import annotations

from collections.abc import Sequence

from dvhkit.findings import Finding
from dvhkit.targets.vertebra.check import LevelCheck
from dvhkit.targets.vertebra.ctv import CtvPlan, LevelResult
from dvhkit.targets.vertebra.rules import Compartment, RuleOutcome

RULES_SCHEMA = "dvhkit/ctv-rules/1"
CTV_SCHEMA = "dvhkit/ctv-vertebra/1"


def rules_document(outcome: RuleOutcome) -> dict[str, object]:
    """Return an outcome with the keys that scripts rely on: required, optional, rules, flags."""
    return {
        "schema": RULES_SCHEMA,
        "profile": outcome.profile_id,
        "profile_version": outcome.profile_version,
        "involved": [c.value for c in outcome.involved],
        "extents": [e.value for e in outcome.extents],
        "required": [c.value for c in outcome.required],
        "optional": [c.value for c in outcome.optional],
        "included": [c.value for c in outcome.included],
        "rules": list(outcome.rules),
        "flags": [str(flag) for flag in outcome.flags],
        "fired": [
            {"id": row.id, "rule": row.rule, "title": row.title, "source": row.source, "status": row.status}
            for row in outcome.fired
        ],
        "why": {c.value: outcome.because_of(c) for c in Compartment},
    }


def ctv_document(
    plan: CtvPlan, *, gtv: str, findings: Sequence[Finding] = (), checks: Sequence[LevelCheck] = ()
) -> dict[str, object]:
    """Return a CTV plan, and the check of a CTV where there was one, as plain values."""
    by_level = {check.level: check for check in checks}
    flags = [str(f) for r in plan.levels for f in _flags(r, by_level.get(r.vertebra.level))]
    document: dict[str, object] = {
        "schema": CTV_SCHEMA,
        "gtv": gtv,
        "gtv_cc": plan.gtv_cc,
        "outside_cc": plan.outside_cc,
        "canal_cc": plan.canal_cc,
        "ctv_cc": plan.ctv_cc,
        "flags": list(dict.fromkeys(flags)),
        "levels": [_level(r, by_level.get(r.vertebra.level)) for r in plan.levels],
        "findings": [
            {"level": f.level.value, "code": f.code, "message": f.message, "where": f.where} for f in findings
        ],
    }
    if checks:
        verdicts = [check.verdict.value for check in checks]
        document["verdict"] = next((v for v in ("fail", "review") if v in verdicts), "pass")
    return document


def _flags(result: LevelResult, check: LevelCheck | None) -> Sequence[object]:
    return check.flags if check is not None else result.outcome.flags


def _level(result: LevelResult, check: LevelCheck | None) -> dict[str, object]:
    involvement = result.involvement
    rules = {k: v for k, v in rules_document(result.outcome).items() if k not in ("schema", "why")}
    level: dict[str, object] = {
        "level": result.vertebra.level,
        "compartments_from": result.vertebra.origin,
        "threshold_cc": involvement.threshold_cc,
        "grazed": [c.value for c in involvement.grazed],
        **rules,
        "flags": [str(f) for f in _flags(result, check)],
        "compartments": [
            {
                "compartment": p.compartment.value,
                "volume_cc": p.volume_cc,
                "gtv_cc": p.gtv_cc,
                "gtv_frac": p.gtv_frac,
                "involved": p.involved,
                "near_cut_frac": p.near_cut_frac,
                "why": result.outcome.because_of(p.compartment),
            }
            for p in involvement.parts
        ],
    }
    if check is not None:
        level["verdict"] = check.verdict.value
        level["coverage"] = [
            {
                "compartment": p.compartment.value,
                "role": p.role,
                "covered_frac": p.covered_frac,
                "verdict": p.verdict.value,
                "why": p.why,
            }
            for p in check.parts
        ]
        if check.sectors:
            level["sectors"] = [
                {
                    "sector": s.sector,
                    "compartments": [c.value for c in s.compartments],
                    "role": s.role,
                    "covered_frac": s.covered_frac,
                    "asked_frac": s.asked_frac,
                    "verdict": s.verdict.value,
                }
                for s in check.sectors
            ]
    return level
