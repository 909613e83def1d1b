"""Protocol files: what is accepted, and that every fault ends in one line with file, line and a hint."""

import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvhkit.errors import ProtocolError
from dvhkit.protocols.checks.dose import DoseCheck
from dvhkit.protocols.checks.margin import MarginCheck
from dvhkit.protocols.checks.properties import PropertyCheck
from dvhkit.protocols.files.load import list_protocols, load_protocol, shipped_paths
from dvhkit.protocols.files.prebuilt import prebuilt_path, read_prebuilt
from dvhkit.units import Unit
from dvhkit.yaml_text import read_yaml

HEAD = 'id: mine\nversion: "1"\ntitle: Mine\n'
RULE = 'rules:\n  - id: R1\n    structure: PTV\n    metric: "D95%[Gy]"\n    goal: ">= 50 Gy"\n'


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "mine.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_protocol(path)

    return load


def refusal(load, text):
    with pytest.raises(ProtocolError) as caught:
        load(text)
    assert caught.value.path.endswith("mine.yaml")
    assert "\n" not in str(caught.value)
    where = caught.value.where or "line 0"
    assert where.startswith("line ")
    return str(caught.value), int(where.removeprefix("line "))


def test_the_least_protocol(load):
    protocol = load(HEAD + RULE)
    (rule,) = protocol.rules
    assert (protocol.id, protocol.version, protocol.title) == ("mine", "1", "Mine")
    assert isinstance(rule.check, DoseCheck)
    assert (rule.structure.name, rule.quantity, str(rule.goal)) == ("PTV", "D95%[Gy]", ">= 50 Gy")
    assert (rule.variation, rule.when, rule.fractionation, rule.priority, rule.line) == (None, (), None, 1, 5)
    assert rule.title == "PTV D95%[Gy] >= 50 Gy"


def test_everything_that_a_rule_can_say(load):
    protocol = load(
        HEAD
        + """
context:
  prior_course: {type: bool, meaning: irradiated before}
  score: {type: number, meaning: a score}
aliases: {Liver: [Leber, Foie]}
rules:
  - id: A
    title: A title
    structure: {name: Liver-GTV, aliases: [NormalLiver], derived: "Liver - (GTV | ITV)"}
    metric: DC700cc[Gy]
    goal: "<= 1500 cGy"
    variation: 17
    priority: 3
    when: {prior_course: false, score: 7}
    fractions: [3, 5]
    dose_per_fraction_gy: 1.8..2.0
    waivable: true
    source: a paper
    status: S2
    note: a note
  - id: B
    property: prescription.bed10
    goal: ">= 60 Gy"
  - id: C
    margin: {from: CTV, to: {type: PTV, each: true}}
    goal: 2..5 mm
  - id: D
    property: context.score
    goal: <= 7
"""
    )
    a, b, c, d = protocol.rules
    assert str(a.goal) == "<= 15 Gy"
    assert str(a.variation) == "<= 17 Gy"
    assert a.structure.aliases == ("NormalLiver",)
    assert a.fractionation.counts == {3, 5}
    assert a.fractionation.dose_per_fraction_gy == (1.8, 2.0)
    assert [str(when) for when in a.when] == ["prior_course: false", "score: 7"]
    assert (a.waivable, a.source, a.status, a.note, a.priority) == (True, "a paper", "S2", "a note", 3)
    assert isinstance(b.check, PropertyCheck)
    assert b.goal.unit is Unit.GY
    assert isinstance(c.check, MarginCheck)
    assert (c.goal.low, c.goal.high, c.goal.unit) == (2, 5, Unit.MM)
    assert d.goal.unit is Unit.NONE
    assert protocol.aliases_of("Liver") == ("Leber", "Foie")


@pytest.mark.parametrize("version", ["2", "1.0", '"1.0"', "2025-01"])
def test_a_version_stays_the_text_it_is(load, version):
    text = HEAD.replace('version: "1"', f"version: {version}") + RULE
    assert load(text).version == {"1.0": "1"}.get(version, version.strip('"'))


FAULTS = [  # text to put after the head, line of the fault, fragments of the message
    (RULE.replace("goal", "gaol"), 8, ["'gaol'", "Did you mean 'goal'"]),
    (RULE.replace("    goal", "    sttus: P\n    goal"), 8, ["Did you mean 'status'"]),
    (RULE.replace("structure: PTV", "structure: {nmae: PTV}"), 6, ["Did you mean 'name'"]),
    (RULE + "    colour: red\n", 9, ["'colour'", "Known are: id, title, structure"]),
    (RULE + "sitte: liver\n", 9, ["Did you mean 'site'"]),
    (RULE.replace("D95%", "D95"), 7, ["D95%[Gy]", "D95cc[Gy]"]),
    (RULE.replace("D95%[Gy]", "Men[Gy]"), 7, ["Mean[Gy]"]),
    (RULE.replace(">= 50 Gy", ">= 50 cc"), 8, ["in cc", "comes in Gy"]),
    (RULE.replace(">= 50 Gy", "50 Gy"), 8, ["direction"]),
    (RULE.replace(">= 50 Gy", "about 50"), 8, ["'about 50'"]),
    (RULE.replace(">= 50 Gy", ">= 60..50 Gy"), 8, ["direction and a range"]),
    (RULE.replace(">= 50 Gy", "60..50 Gy"), 8, ["backwards"]),
    (RULE.replace('">= 50 Gy"', ">= 50 Gy"), 8, ["no YAML", "quotes"]),
    (RULE.replace('    goal: ">= 50 Gy"\n', ""), 5, ["'goal' is missing", "R1"]),
    (RULE.replace('    metric: "D95%[Gy]"\n', ""), 5, ["exactly one of"]),
    (RULE.replace("    structure: PTV\n", ""), 5, ["belong together"]),
    (RULE + "    property: prescription.bed10\n", 5, ["exactly one of"]),
    (RULE + "    priority: high\n", 9, ["'priority'", "integer"]),
    (RULE + "    priority: 0\n", 9, ["'priority'"]),
    (RULE + "    waivable: perhaps\n", 9, ["'waivable'", "boolean"]),
    (RULE + "    status: Q\n", 9, ["'status'"]),
    (RULE + "    fractions: 3.5\n", 9, ["numbers of fractions"]),
    (RULE + "    fractions: 0\n", 9, ["numbers of fractions"]),
    (RULE + "    fractions: 5..3\n", 9, ["numbers of fractions"]),
    (RULE + "    fractions: true\n", 9, ["'fractions'"]),
    (RULE + "    dose_per_fraction_gy: two\n", 9, ["'two'"]),
    (RULE + "    when: {child: true}\n", 9, ["'child' is not declared"]),
    ("context:\n  prior: {type: bool, meaning: x}\n" + RULE + "    when: {pror: true}\n", 11, ["Did you", "prior"]),
    ("context:\n  prior: {type: bool, meaning: x}\n" + RULE + "    when: {prior: 1}\n", 11, ["declared as bool"]),
    ("context:\n  prior: {type: bol, meaning: x}\n" + RULE, 5, ["'type'"]),
    (RULE + '  - id: R1\n    property: prescription.bed10\n    goal: ">= 60"\n', 9, ["second rule"]),
    ('rules:\n  - id: R1\n    property: prescription.bde10\n    goal: ">= 60"\n', 6, ["prescription.bed10"]),
    ('rules:\n  - id: R1\n    property: prescription.bed0\n    goal: ">= 60"\n', 6, ["no property"]),
    ('rules:\n  - id: R1\n    property: image.slice_spacing\n    goal: "<= 3 Gy"\n', 7, ["comes in mm"]),
    ("rules:\n  - id: bad id\n    property: prescription.bed10\n    goal: 60\n", 5, ["'id'", "short word"]),
    (RULE.replace("structure: PTV", 'structure: {derived: "Liver - "}'), 6, ["name is missing"]),
    (RULE.replace("structure: PTV", 'structure: {derived: "(Liver | GTV"}'), 6, ["parenthesis"]),
    (RULE.replace("structure: PTV", "structure: {name: A, type: PTV}"), 6, ["one of name, any_of and type"]),
    (RULE.replace("structure: PTV", "structure: {}"), 6, ["which structure"]),
    (RULE.replace("D95%[Gy]", "D95%[cGy]").replace("50 Gy", "5000"), 8, ["needs a unit"]),
    ("rules: []\n", 4, ["'rules'"]),
    ("rules: none\n", 4, ["'rules'"]),
    (RULE + "goal: &x 1\nsite: *x\n", 10, ["alias"]),
    (RULE + "site: !!python/object:os.system x\n", 9, ["tag"]),
    (RULE + "site: liver\nsite: lung\n", 10, ["second time"]),
    (RULE + "    note: .nan\n", 9, ["no number"]),
    (RULE + "[]: 1\n", 9, ["plain word"]),
]


@pytest.mark.parametrize(("text", "line", "fragments"), FAULTS)
def test_a_fault_names_its_line_and_what_to_do(load, text, line, fragments):
    message, where = refusal(load, HEAD + text)
    assert where == line, message
    for fragment in fragments:
        assert fragment in message


def test_a_number_in_another_unit_is_converted_not_taken_as_it_stands(load):
    protocol = load(HEAD + RULE.replace("D95%[Gy]", "D95%[cGy]").replace("50 Gy", "5000 cGy"))
    assert protocol.rules[0].goal.low == 50.0


def test_several_faults_are_counted_and_the_first_comes_first(load):
    text = HEAD + RULE.replace("goal", "gaol") + "    priority: high\n    status: Q\n"
    message, line = refusal(load, text)
    assert line == 8  # the misspelt key, for which the rule lacks its goal
    assert "3 more faults" in message
    assert "line 5, 9, 10" in message


HOSTILE = {
    "empty": b"",
    "only a comment": b"# nothing\n",
    "a list": b"- 1\n- 2\n",
    "a word": b"protocol\n",
    "binary": bytes(range(256)) * 20,
    "NUL": b"id: \x00\n",
    "UTF-16": HEAD.encode("utf-16"),
    "latin-1": HEAD.encode() + b"site: K\xf6ln\n",
    "unclosed": b"id: [1, 2\n",
    "two documents": HEAD.encode() + RULE.encode() + b"---\nid: x\n",
    "tabs": b"id:\n\t- x\n",
    "deep": b"a: " + b"[" * 5000,
    "deep and closed": b"a: " + b"[" * 400 + b"]" * 400,
    "huge": b"a: " + b"x" * 2_000_001,
    "many digits": b"id: " + b"9" * 6000,
    "bomb": b"a: &a [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 110)),
    "endless alias": b"a: &a [*a]\n",
    "merge key": b"a: &a {b: 1}\nc: {<<: *a}\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_end_in_one_line_and_at_once(load, kind):
    begin = time.perf_counter()
    refusal(load, HOSTILE[kind])
    assert time.perf_counter() - begin < 5  # a bomb of aliases would take for ever


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(junk=st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_a_protocol_error(load, junk):
    with pytest.raises(ProtocolError):
        load(junk)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_sound_file_with_a_few_bytes_changed_is_refused_or_sound(load, data):
    text = bytearray((HEAD + RULE).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        protocol = load(bytes(text))
    except ProtocolError:
        return
    assert len(protocol.rules) == 1


def test_a_missing_file_and_a_misspelt_id(tmp_path):
    with pytest.raises(ProtocolError, match="no such file"):
        load_protocol(tmp_path / "none.yaml")
    with pytest.raises(ProtocolError, match="no such file"):
        load_protocol(tmp_path)
    with pytest.raises(ProtocolError, match="Did you mean 'oligoprogressive-liver-2025'"):
        load_protocol("oligoprogresive-liver-2025")
    with pytest.raises(ProtocolError):
        load_protocol("a\0b")


def test_shipped_files_load_under_their_own_names_and_are_cited():
    infos = list_protocols()
    assert "oligoprogressive-liver-2025" in {info.id for info in infos}
    for info in infos:
        protocol = load_protocol(info.id)
        assert protocol.id == info.id == Path(info.path).stem
        assert protocol == load_protocol(shipped_paths()[info.id])
        assert len(protocol.sha256) == 64
        assert info.rule_count == len(protocol.rules) > 0
        keys = tuple(source.key for source in protocol.sources)
        for rule in protocol.rules:
            assert rule.status, f"{info.id} {rule.id} says nothing of its verification"
            assert rule.source.startswith(keys), f"{info.id} {rule.id} cites {rule.source!r}"


@pytest.mark.parametrize(
    ("metric", "canonical", "goal"),
    [
        ("D1CC < 10Gy", "D1cc[Gy]", "< 10 Gy"),
        ("V10Gy_CC <= 20CC", "V10Gy[cc]", "<= 20 cc"),
        ("DC700cc[Gy] ≤ 1500 cGy", "DC700cc[Gy]", "<= 15 Gy"),
        ("Max[Gy] == 50", "Max[Gy]", "== 50 Gy"),
    ],
)
def test_a_constraint_in_one_text_is_metric_and_goal(tmp_path, metric, canonical, goal):
    path = tmp_path / "p.yaml"
    path.write_text(
        f'id: p\nversion: "1"\ntitle: t\nrules:\n  - {{id: R, structure: Cord, metric: "{metric}"}}\n', encoding="utf-8"
    )
    (rule,) = load_protocol(path).rules
    assert (rule.quantity, str(rule.goal)) == (canonical, goal)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('id: p\n\tversion: "1"\n', 2, "blanks, not with tabs"),
        ('id: p\nversion: "1"\ntitle: t\nrules: []\n', 4, "'rules' must not be empty"),
        ("a: &a [x, x]\nb: [*a, *a]\nid: p\n", 1, "alias"),
        ("id: p\nid: q\n", 2, "second time"),
        (f"id: p\nversion: {'9' * 400}\n", 2, "no number"),
        (
            'id: p\nversion: "1"\ntitle: t\nrules:\n  - {id: R, structure: "Liver - ", metric: "Max < 9 Gy"}\n',
            5,
            "missing",
        ),
        (
            'id: p\nversion: "1"\ntitle: t\nrules:\n  - {id: R, structure: "A - B + 3mm", metric: "Max < 9 Gy"}\n',
            5,
            "either|may mean",
        ),
    ],
)
def test_hostile_and_careless_files_end_in_one_line(tmp_path, text, line, said):
    path = tmp_path / "p.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProtocolError, match=said) as caught:
        load_protocol(path)
    assert caught.value.where == f"line {line}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol_id", sorted(shipped_paths()))
def test_the_prebuilt_form_of_a_shipped_protocol_is_what_its_yaml_says(protocol_id):
    path = shipped_paths()[protocol_id]
    kept, told = read_prebuilt(path), read_yaml(path, error=ProtocolError)
    assert kept is not None, "stale: python scripts/prebuild_protocols.py"
    assert (kept.data, kept.lines, kept.text) == (told.data, told.lines, told.text)
    assert list(map(repr, kept.data.items())) == list(map(repr, told.data.items()))  # 2 is not 2.0


def test_a_prebuilt_form_of_other_bytes_or_broken_is_passed_over(tmp_path):
    path = tmp_path / "mine.yaml"
    shutil.copy(shipped_paths()["song-2025"], path)
    kept = prebuilt_path(path)
    assert read_prebuilt(path) is None
    kept.parent.mkdir()
    shutil.copy(prebuilt_path(shipped_paths()["song-2025"]), kept)
    assert read_prebuilt(path) is not None
    kept.write_text(kept.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert read_prebuilt(path) is None
    shutil.copy(prebuilt_path(shipped_paths()["ning-2023"]), kept)
    assert read_prebuilt(path) is None
