"""`dvhkit ctv rules` as a user and as a script see it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from dvhkit.cli.vertebra.ctv import ctv_app
from dvhkit.errors import InputError


def run(*arguments):
    return CliRunner().invoke(ctv_app, list(arguments), catch_exceptions=True)


def test_json_has_the_four_promised_keys():
    result = run("rules", "--profile", "wang2025-lamina", "--involved", "body, pedicle_L", "--json", "-")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["required"] == ["body", "pedicle_L", "transverse_L", "lamina_L"]
    assert document["optional"] == ["spinous"]
    assert document["rules"] == ["R1", "R2"]
    assert document["flags"] == []


def test_a_choice_and_tumour_outside_are_recorded():
    result = run("rules", "--involved", "pedicle_R,outside", "--include", "spinous", "--json", "-")
    document = json.loads(result.stdout)
    assert document["included"] == ["spinous"]
    assert document["extents"] == ["outside"]
    assert any(flag.startswith("REVIEW gtv-outside-bone") for flag in document["flags"])


def test_table_names_each_compartment_and_the_rule():
    result = run("rules", "--involved", "lamina_L")
    assert result.exit_code == 0
    assert "required by V3(L)" in result.stdout
    assert "wang2025-lamina" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--involved", "bodi"),
        ("--involved", "body", "--profile", "wang"),
        ("--involved", "body", "--include", "spinous"),
    ],
)
def test_bad_words_are_refused_with_a_remedy(arguments):
    result = run("rules", *arguments)
    assert isinstance(result.exception, InputError)
    assert result.exception.remedy


def test_profiles_are_listed():
    result = run("profiles")
    assert result.exit_code == 0
    for name in ("wang2025-lamina", "wang2025-strict", "wang2025-lenient", "isrc-cox2012"):
        assert name in result.stdout
