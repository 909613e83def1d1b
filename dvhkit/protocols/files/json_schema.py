"""The shape of a protocol file as JSON Schema, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


def protocol_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a protocol file.

    It says which keys there are and of what type; whether a metric or a limit can be read, and whether units agree,
    only `dvhkit protocol check` can say.
    """
    from dvhkit.protocols.files.schema import ProtocolModel

    schema = ProtocolModel.model_json_schema(by_alias=True)
    structure = schema["$defs"]["StructureModel"]
    short_form = {"type": "string", "description": "A structure's name, or an expression such as Liver - GTV."}
    schema["$defs"]["Structure"] = {"anyOf": [short_form, {"$ref": "#/$defs/StructureModel"}]}
    _redirect(schema, structure)
    _allow_goal_in_metric(schema["$defs"]["RuleModel"])
    return {"$schema": SCHEMA_ID, "title": "dvhkit protocol", **{k: v for k, v in schema.items() if k != "title"}}


def _allow_goal_in_metric(rule: dict[str, Any]) -> None:
    """Let a rule leave the goal out where its metric says it: ``metric: D1cc < 10 Gy``."""
    rule["required"] = [key for key in rule["required"] if key != "goal"]
    with_limit = {"properties": {"metric": {"type": "string", "pattern": "[<>=≤≥]"}}, "required": ["metric"]}
    rule["anyOf"] = [{"required": ["goal"]}, with_limit]


def _redirect(node: Any, structure: Any) -> None:  # noqa: ANN401 -- JSON
    """Let every reference to a structure allow its short form, a plain text."""
    if node is structure:
        return
    if isinstance(node, dict):
        for key, value in node.items():
            in_definition = key == "Structure" and isinstance(value, dict) and "anyOf" in value
            if key == "$ref" and value == "#/$defs/StructureModel":
                node[key] = "#/$defs/Structure"
            elif not in_definition:
                _redirect(value, structure)
    elif isinstance(node, list):
        for item in node:
            _redirect(item, structure)
