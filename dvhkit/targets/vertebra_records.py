"""What the vertebral rules come to, as plain values for JSON and tables."""

from __future__ import annotations

from dvhkit.targets.vertebra_rules import RuleOutcome

RULES_SCHEMA = "dvhkit/ctv-rules/1"


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
    }
