"""Random protocols through every format and back: our own loses nothing, the others nothing that they can hold."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvhkit.errors import ProtocolError
from dvhkit.protocols.checks.dose import DoseCheck
from dvhkit.protocols.converters.convert import read_any, written_as
from dvhkit.protocols.converters.own_yaml import protocol_data, protocol_yaml
from dvhkit.protocols.files.load import load_protocol, protocol_of
from dvhkit.units import number_text
from dvhkit.yaml_text import YamlDocument

WORDS = (
    "Liver",
    "Kidney_L",
    "Lungs",
    "PTV 50 (boost)",
    "yes",
    "1.5",
    "null",
    "#7 x",
    "a: b",
    "Höhle",
    "'q'",
    "~",
    "a|b",
)
NAMES = st.sampled_from(WORDS) | st.text("abXY_ -éß.", min_size=1, max_size=12).filter(lambda t: t.strip() == t)
EXPRESSIONS = st.sampled_from(
    ("Liver - GTV", "(Lung_L | Lung_R) - (GTV | ITV)", "PTV - (SpinalCanal + 3mm)", '"GTV" - Cord', "A & B")
)
NUMBERS = st.integers(100, 140_000).map(lambda thousandths: thousandths / 1000)
METRICS = {
    "Gy": ("D95%[Gy]", "D0.03cc[Gy]", "DC700cc[Gy]", "Mean[Gy]", "Max[Gy]", "Min[Gy]", "gEUD8[Gy]", "EQD2_3:D2%[Gy]"),
    "%": ("V20Gy[%]", "V100%[%]", "CV15Gy[%]", "D95%[%]", "Veff", "NTCP(rectum-bleeding)", "VRange(1Gy,9Gy)[%]"),
    "cc": ("V20Gy[cc]", "Volume[cc]", "Regret(at=50Gy)", "CV15Gy[cc]"),
    "": ("CI_Paddick", "CI_RTOG(at=95%)", "HI_ICRU83", "HI_Spread(2%,98%,60Gy)", "R50", "VRatio(at=9Gy,over=30Gy)"),
}


@st.composite
def structures(draw):
    kind = draw(st.sampled_from(("name", "aliases", "type", "any_of", "one_of", "derived", "both")))
    name = draw(NAMES)
    match kind:
        case "aliases":
            return {"name": name, "aliases": draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))}
        case "type":
            return {"type": draw(st.sampled_from(("PTV", "GTV", "ORGAN"))), "each": True}
        case "any_of":
            return {"any_of": draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))}
        case "one_of":
            return {"any_of": [name, "Other"], "need": "one"}
        case "derived":
            return {"derived": draw(EXPRESSIONS)}
        case "both":
            return {"name": name, "derived": draw(EXPRESSIONS)}
    return {"name": name}


@st.composite
def limits(draw, unit):
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    sign = draw(st.sampled_from(("<", "<=", ">", ">=", "==", "..")))
    if sign == "..":
        return {"goal": f"{number_text(low)}..{number_text(high)} {unit}".strip()}
    rule = {"goal": f"{sign} {number_text(low if sign[0] == '<' else high)} {unit}".strip()}
    if sign in ("<", "<=", ">", ">=") and low < high and draw(st.booleans()):
        rule["variation"] = f"{sign} {number_text(high if sign[0] == '<' else low)} {unit}".strip()
    return rule


@st.composite
def rules(draw, number):
    unit = draw(st.sampled_from(tuple(METRICS)))
    rule = {"id": f"R{number:03d}", "structure": draw(structures()), "metric": draw(st.sampled_from(METRICS[unit]))}
    rule |= draw(limits(unit))
    if draw(st.booleans()):
        rule["fractions"] = draw(st.sampled_from(("5", "3..5", "1, 3, 5")))
    elif draw(st.booleans()):
        rule["dose_per_fraction_gy"] = "1.8..2.0"
        if unit == "Gy" and ":" not in rule["metric"]:
            rule["alpha_beta_gy"] = 3.0
    if draw(st.booleans()):
        rule["score"] = [[1.0, 5.0], [2.5, 3.0], [9.0, 0.0]]
    rule |= draw(st.fixed_dictionaries({}, optional={
        "priority": st.integers(1, 9), "waivable": st.just(True), "per_course": st.just(True), "source": NAMES,
        "status": st.sampled_from(["P", "T", "S2", "S1", "C", "X", "B"]), "note": NAMES, "title": NAMES,
        "when": st.just({"b7": True}),
    }))  # fmt: skip
    return rule


@st.composite
def protocols(draw):
    count = draw(st.integers(1, 4))
    data = {"id": "p", "version": "1", "title": draw(NAMES), "rules": [draw(rules(i + 1)) for i in range(count)]}
    data["context"] = {"b7": {"type": "bool", "meaning": "worse"}}
    data |= draw(st.fixed_dictionaries({}, optional={"site": NAMES, "notes": st.lists(NAMES, min_size=1, max_size=2)}))
    return protocol_of(YamlDocument(path=Path("p.yaml"), data=data, lines={}, text=b""))


def plain(rule):
    """A rule without where it stood, and its fractions without their spelling."""
    fractionation = rule.fractionation and replace(rule.fractionation, text="")
    return replace(rule, line=0, fractionation=fractionation)


MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@MANY
@given(protocol=protocols())
def test_our_own_files_lose_nothing(tmp_path, protocol):
    path = tmp_path / "again.yaml"
    path.write_text(protocol_yaml(protocol), encoding="utf-8")
    again = load_protocol(path)
    assert [plain(rule) for rule in again.rules] == [plain(rule) for rule in protocol.rules]
    assert protocol_data(again) == protocol_data(protocol)


@pytest.mark.parametrize(
    ("form", "ending"), [("csv", ".csv"), ("proknow", ".json"), ("planscorecard", ".json"), ("eclipse", ".xml")]
)
@MANY
@given(protocol=protocols())
def test_others_hold_each_rule_or_list_it_by_name(tmp_path, form, ending, protocol):
    path = tmp_path / f"there{ending}"
    text, lost = written_as(protocol, path, form)
    path.write_text(text, encoding="utf-8")
    gone = {finding.where for finding in lost if "the rule" in finding.message}
    held = [rule for rule in protocol.rules if rule.where not in gone]
    # All stand on line 0 here, so they are told apart by their ids.
    assert all(rule.id in rule.where for rule in protocol.rules)
    assert all(isinstance(rule.check, DoseCheck) for rule in held)
    if not held:
        return
    back, unread = read_any(path)
    assert unread == () or all(finding.level.value != "serious" for finding in unread)
    listed = {finding.where for finding in lost}
    if form == "csv":
        # A table holds a row for each structure.
        held = [rule for rule in held for _ in range(max(1, len(set(rule.structure.any_of))))]
    assert len(back.rules) == len(held)
    key = lambda rule: (rule.check.metric.canonical, str(rule.goal), str(rule.variation))  # noqa: E731
    assert sorted(map(key, back.rules)) == sorted(map(key, held))
    assert all(rule.where in listed for rule in held if rule.source or rule.note or rule.when or rule.waivable)


JUNK = st.sampled_from((None, True, -1, 0, 1e308, 10**400, "", "x", "< 5 Gy", [], {}, [1], {"a": 1}, "Liver-(", "1.."))


def places(data, place=()):
    """Yield where each value of nested lists and mappings stands."""
    keys = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield (*place, key)
        yield from places(data[key], (*place, key))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_scorecard_with_junk_in_it_is_refused_or_read(tmp_path, data):
    """Never a fault of ours: each value of two real scorecards may turn into something else."""
    protocol = load_protocol(data.draw(st.sampled_from(("hytec-2021", "rtog-0813-0915"))))
    form = data.draw(st.sampled_from(("proknow", "planscorecard")))
    text, _ = written_as(protocol, "card.json", form)
    card = json.loads(text)
    *way, last = data.draw(st.sampled_from(list(places(card))))
    parent = card
    for key in way:
        parent = parent[key]
    parent[last] = data.draw(JUNK)
    path = tmp_path / "card.json"
    path.write_text(json.dumps(card), encoding="utf-8")
    with suppress(ProtocolError):
        read_any(str(path))


def test_a_table_judges_each_of_several_structures_and_takes_none_for_the_other_ones_alias(tmp_path):
    given_yaml = tmp_path / "given.yaml"
    given_yaml.write_text(
        """
id: kidneys
version: "1"
title: Kidneys
rules:
  - {id: EACH, structure: {any_of: [Kidney_L, Kidney_R]}, metric: "Mean[Gy]", goal: "<= 18 Gy"}
  - {id: ONE, structure: {any_of: [Lung_L, Lung_R], need: one}, metric: "Mean[Gy]", goal: "<= 8 Gy"}
""",
        encoding="utf-8",
    )
    table = tmp_path / "table.csv"
    text, lost = written_as(load_protocol(given_yaml), table, "csv")
    table.write_text(text, encoding="utf-8")
    back, _ = read_any(table)
    assert [rule.structure.name for rule in back.rules] == ["Kidney_L", "Kidney_R"]
    assert not any(rule.structure.aliases for rule in back.rules)
    assert any("ONE" in finding.where and "one of several structures" in finding.message for finding in lost)
