"""`dvhkit protocol check` tells a likely mistake from a sound file."""

import json

import pytest
from typer.testing import CliRunner

from dvhkit.cli.rules.protocol import protocol_app
from dvhkit.errors import ProtocolError
from dvhkit.protocols.checks.dose import DoseCheck
from dvhkit.protocols.files.load import load_protocol


@pytest.fixture
def check(tmp_path):
    def check(metric):
        path = tmp_path / "p.yaml"
        path.write_text(
            'id: p\nversion: "1"\ntitle: t\nrules:\n'
            f'  - {{id: R, structure: Liver, metric: "{metric}", goal: "<= 15 Gy", source: a paper, status: P}}\n'
        )
        return CliRunner().invoke(protocol_app, ["check", str(path)])

    return check


def test_a_sound_file(check):
    ended = check("DC700cc[Gy]")
    assert ended.exit_code == 0
    assert "sound" in ended.output


def test_a_hot_volume_where_a_cold_one_is_meant(check):
    ended = check("D700cc[Gy]")
    assert ended.exit_code == 1
    assert "did you mean DC700cc[Gy]?" in ended.output
    assert "1 likely mistake" in ended.output


def test_the_schema_command_prints_json():
    ended = CliRunner().invoke(protocol_app, ["schema"])
    assert "rules" in json.loads(ended.output)["properties"]


def convert(*words):
    return CliRunner().invoke(protocol_app, ["convert", *map(str, words)])


def test_convert_goes_there_and_back(tmp_path):
    table, again, card = (tmp_path / name for name in ("t.csv", "again.yaml", "card.json"))
    assert convert("hytec-2021", table).exit_code == 0
    assert convert(table, again).exit_code == 0
    assert convert(again, card).exit_code == 0
    first = load_protocol("hytec-2021").rules
    doses = [rule for rule in first if isinstance(rule.check, DoseCheck) and rule.check.metric.effect is None]
    assert len(doses) == 27  # three on the context and one in EQD2 are listed
    # A table holds a row for each structure of a rule.
    rows = load_protocol(again).rules
    assert len(rows) == sum(max(1, len(rule.structure.any_of)) for rule in doses)
    assert len(json.loads(card.read_text())["computed"]) == len(rows) - 1


def test_convert_lists_what_is_lost_and_what_is_not_read(tmp_path):
    ended = convert("oligoprogressive-liver-2025", tmp_path / "t.csv")
    assert ended.exit_code == 0
    assert "not held" in ended.output
    table = tmp_path / "bad.csv"
    table.write_text("StructureName,DVHObjective,Evaluator\nHeart,Mean[Gy],<=20\nPTV,XYZ95%,>=0.8\n")
    ended = convert(table, tmp_path / "t.yaml")
    assert ended.exit_code == 1
    assert "XYZ95%" in ended.output
    assert len(load_protocol(tmp_path / "t.yaml").rules) == 1


def test_convert_knows_its_formats(tmp_path):
    assert isinstance(convert("hytec-2021", tmp_path / "t.xlsx").exception, ProtocolError)
