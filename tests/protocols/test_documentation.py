"""What the documentation shows is what the code reads."""

import re
from pathlib import Path

import pytest

from dvhkit.errors import Reason
from dvhkit.metrics.expression import parse_metric
from dvhkit.metrics.radiobiology.outcome_models import outcome_models
from dvhkit.metrics.registry import indices, specs
from dvhkit.protocols.files.context import load_context
from dvhkit.protocols.files.load import list_protocols, load_protocol
from dvhkit.protocols.files.rules import STATUS_MEANING
from dvhkit.protocols.files.schema import RuleModel
from dvhkit.protocols.files.waivers import load_waivers
from dvhkit.protocols.lint.protocol import lint_protocol
from dvhkit.results.audit import Verdict

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROTOCOLS = (DOCS / "protocols.md").read_text(encoding="utf-8")
METRICS = (DOCS / "metrics.md").read_text(encoding="utf-8")


@pytest.fixture
def yaml_files(tmp_path):
    paths = []
    for i, text in enumerate(re.findall(r"```yaml\n(.*?)```", PROTOCOLS, re.DOTALL)):
        paths.append(tmp_path / f"{i}.yaml")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_the_example_files_are_sound(yaml_files):
    whole = [path for path in yaml_files if not path.read_text(encoding="utf-8").startswith("  - id:")]
    protocol, context, waivers = whole
    loaded = load_protocol(protocol)
    assert len(loaded.rules) == 5
    assert lint_protocol(loaded) == ()
    assert load_context(context)["prescription"] == {"dose_gy": 50, "fractions": 5}
    assert load_waivers(waivers, load_protocol("oligoprogressive-liver-2025"))[0].roi == "PTV_2"


def test_the_example_rules_can_be_read(yaml_files):
    parts = [text for path in yaml_files if (text := path.read_text(encoding="utf-8")).startswith("  - id:")]
    assert len(parts) == 2
    for i, text in enumerate(parts):
        path = yaml_files[0].parent / f"rule{i}.yaml"
        path.write_text(f'id: p\nversion: "1"\ntitle: t\nrules:\n{text}', encoding="utf-8")
        assert len(load_protocol(path).rules) == 1


def test_every_metric_of_the_table_is_named_and_every_named_one_is_read():
    table = METRICS.split("## Biological dose")[0]
    written = [*re.findall(r"`([A-Za-z][A-Za-z0-9.%-]*\[[^\]`]+\])`", table), *re.findall(r"`(Sphericity)`", table)]
    assert {parse_metric(text).kind for text in written} == {row.name for row in specs()}
    assert all(parse_metric(text).canonical == text for text in written)


def test_every_key_verdict_status_and_shipped_protocol_is_named():
    for key in RuleModel.model_fields:
        assert f"`{key}`" in PROTOCOLS
    for verdict in Verdict:
        assert verdict.value.replace("-", " ") in PROTOCOLS
    for status in STATUS_MEANING:
        assert f"| `{status}` |" in PROTOCOLS
    counts = dict(re.findall(r"`([a-z0-9-]+)` \| (\d+) \|", PROTOCOLS))
    song, ning = (str(len(load_protocol(name).rules)) for name in ("song-2025", "ning-2023"))
    assert f"| `song-2025`, `ning-2023` | {song}, {ning} |" in PROTOCOLS
    for info in list_protocols():
        assert counts.get(info.id, "") == str(info.rule_count) or info.id in ("song-2025", "ning-2023")


def test_reason_codes_of_metrics_are_those_of_the_code():
    section = METRICS.split("## Where there is no value")[1]
    codes = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert len(codes) == 7
    assert all(Reason(code) for code in codes)


def test_every_index_and_every_shipped_outcome_model_is_named_with_its_formula_and_status():
    for row in indices():
        assert f"`{row.name}" in METRICS
    for model in outcome_models():
        listed = next(line for line in METRICS.splitlines() if line.startswith(f"| `{model.id}` |"))
        assert f"`{model.formula}`" in listed
        assert listed.rstrip().endswith(f"| {model.status} |")
