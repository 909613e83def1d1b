"""The published schema is that of the code, and describes the shipped files."""

import json
import re
from pathlib import Path

import pytest

from dvhkit.errors import ProtocolError
from dvhkit.protocols.files.json_schema import protocol_json_schema
from dvhkit.protocols.files.load import shipped_paths
from dvhkit.yaml_text import read_yaml

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "protocol.schema.json"


def test_the_published_schema_is_that_of_the_code():
    """If this fails: dvhkit protocol schema > docs/protocol.schema.json"""
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == protocol_json_schema()


def fits(value, schema, root):
    """Whether `value` fits `schema`: the few keywords of JSON Schema that ours uses."""
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    if "anyOf" in schema and not any(fits(value, option, root) for option in schema["anyOf"]):
        return False
    if isinstance(value, dict) and set(schema.get("required", ())) - set(value):
        return False
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, dict) and "type" not in schema and not fits_object(value, schema, root):
        return False
    match schema.get("type"):
        case "object":
            return isinstance(value, dict) and fits_object(value, schema, root)
        case "array":
            items = schema.get("items", {})
            return isinstance(value, list) and all(fits(item, items, root) for item in value)
        case "string":
            return isinstance(value, str) and len(value) <= schema.get("maxLength", 10**9)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "null":
            return value is None
    return True


def fits_object(value, schema, root):
    known = schema.get("properties", {})
    extra = schema.get("additionalProperties", schema.get("patternProperties", True))
    if set(schema.get("required", ())) - set(value):
        return False
    if extra is False and set(value) - set(known):
        return False
    return all(fits(item, known[key], root) for key, item in value.items() if key in known)


@pytest.mark.parametrize("protocol_id", sorted(shipped_paths()))
def test_shipped_files_fit_the_schema(protocol_id):
    schema = protocol_json_schema()
    document = read_yaml(shipped_paths()[protocol_id], error=ProtocolError)
    assert fits(document.data, schema, schema)


def test_an_independent_validator_agrees():
    """The shipped files, and files that the code refuses, by the reference implementation of the standard."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = protocol_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in shipped_paths().values():
        assert list(validator.iter_errors(read_yaml(path, error=ProtocolError).data)) == []
    sound = {"id": "x", "version": "1", "title": "t"}
    rule = {"id": "R", "structure": "PTV", "metric": "Mean[Gy]", "goal": "<= 5 Gy"}
    assert validator.is_valid(sound | {"rules": [rule]})
    for broken in (sound, sound | {"rules": []}, sound | {"rules": [rule | {"gaol": 1}]}, {"rules": [rule]}):
        assert not validator.is_valid(broken)


def test_a_goal_may_stand_in_the_metric():
    schema = protocol_json_schema()
    sound = {"id": "x", "version": "1", "title": "t"}
    rule = {"id": "R", "structure": "Cord", "metric": "D1cc < 10 Gy"}
    assert fits(sound | {"rules": [rule]}, schema, schema)
    assert not fits(sound | {"rules": [rule | {"metric": "D1cc"}]}, schema, schema)


@pytest.mark.parametrize("break_it", [{"rules": 5}, {"sitte": "liver"}, {"rules": [{"id": "R", "gaol": "<= 5"}]}])
def test_the_schema_refuses_what_the_code_refuses(break_it):
    schema = protocol_json_schema()
    sound = {"id": "x", "version": "1", "title": "t"}
    sound["rules"] = [{"id": "R", "structure": "PTV", "metric": "Mean[Gy]", "goal": "<= 5 Gy"}]
    assert fits(sound, schema, schema)
    assert not fits(sound | break_it, schema, schema)
