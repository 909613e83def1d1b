"""`dvhkit audit` with a clinic's aliases and with waivers, on the demo."""

import json

import pytest
from typer.testing import CliRunner

from dvhkit.cli.app import app
from dvhkit.cli.one_plan.audit_run import Asked
from dvhkit.errors import InputError
from dvhkit.jobs.batch import AuditOptions
from dvhkit.protocols.files.load import load_protocol
from dvhkit.protocols.files.waivers import Waiver

PROTOCOL = """\
id: p
version: "1"
title: t
rules:
  - {id: BED, property: prescription.bed10, goal: ">= 500 Gy", waivable: true}
  - {id: Vertebra, structure: Twelfth, metric: "Mean[Gy]", goal: "<= 100 Gy"}
"""


@pytest.fixture
def audit(demo_case_dir, tmp_path):
    (tmp_path / "p.yaml").write_text(PROTOCOL)
    (tmp_path / "aliases.yaml").write_text("Twelfth: [VB_T12]\n")
    (tmp_path / "waivers.yaml").write_text(
        "waivers:\n  - {rule: BED, by: A. Physician, date: 2025-03-14, reason: a test}\n"
    )

    def audit(*options, folder=demo_case_dir):
        words = ["audit", folder, "--protocol", tmp_path / "p.yaml", "--out", tmp_path / "out"]
        words += [tmp_path / o if o.endswith(".yaml") else o for o in options]
        ended = CliRunner().invoke(app, [str(word) for word in words])
        saved = tmp_path / "out" / "audit.json"
        rules = json.loads(saved.read_text())["cases"][0]["rules"] if saved.exists() else []
        return ended, [rule["verdict"] for rule in rules]

    return audit


def test_without_options_one_fails_and_one_is_not_found(audit):
    ended, verdicts = audit()
    assert (ended.exit_code, verdicts) == (1, ["fail", "not-evaluable"])


def test_with_aliases_and_waivers_all_is_met(audit):
    ended, verdicts = audit("--aliases", "aliases.yaml", "--waivers", "waivers.yaml")
    assert (ended.exit_code, verdicts) == (0, ["waived", "pass"])
    assert "A. Physician" in ended.output


def test_rules_that_nobody_checked_can_be_left_out(audit, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(PROTOCOL + '  - {id: Doubt, structure: Liver, metric: "Mean[Gy]", goal: "<= 99 Gy", status: B}\n')
    assert audit()[1] == ["fail", "not-evaluable", "not-evaluable"]
    assert audit("--verified-only")[1] == ["fail", "not-evaluable"]


def test_waivers_are_for_one_plan():
    waiver = Waiver(rule="BED", by="A. Physician", date="2025-03-14", reason="a test")
    options = AuditOptions(protocol=load_protocol("ning-2023"), waivers=(waiver,))
    asked = Asked(options=options, load=load_protocol, plans=None, has_protocol=True)
    with pytest.raises(InputError, match="one plan"):
        asked.for_cases(["one plan", "another"])
    assert asked.for_cases(["one plan"])[0][""] is options
