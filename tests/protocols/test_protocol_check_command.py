"""`dvhkit protocol check` tells a likely mistake from a sound file."""

import json

import pytest
from typer.testing import CliRunner

from dvhkit.cli.protocol import protocol_app


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
