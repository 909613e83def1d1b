"""PlanScoreCard JSON and Eclipse XML: what they can hold survives there and back, and the rest is listed."""

import json
import re

import pytest
from typer.testing import CliRunner

from dvhkit.cli.rules.protocol import protocol_app
from dvhkit.errors import InputError, ProtocolError
from dvhkit.protocols.checks.dose import DoseCheck
from dvhkit.protocols.converters.convert import read_any, written_as
from dvhkit.protocols.converters.eclipse_codes import ANSWERS
from dvhkit.protocols.converters.eclipse_xml import eclipse_xml, read_eclipse
from dvhkit.protocols.converters.planscorecard_json import planscorecard_json, read_planscorecard
from dvhkit.protocols.converters.structure_text import can_be_spelled, derived_from, derived_text
from dvhkit.protocols.files.load import list_protocols, load_protocol
from dvhkit.protocols.naming.regions import parse_region
from dvhkit.targets.regions.expression import Name, with_leaves

SHIPPED = [info.id for info in list_protocols()]
CARD_KINDS = {
    "D",
    "V",
    "Min",
    "Max",
    "Mean",
    "Volume",
    "CI_Paddick",
    "CI_RTOG",
    "DC",
    "HI_Spread",
    "HI_MaxMinMean",
    "VRatio",
}
XML_KINDS = {"D", "V", "Min", "Max", "Mean"}


def holdable(protocol, kinds):
    return [
        rule
        for rule in protocol.rules
        if isinstance(rule.check, DoseCheck)
        and rule.check.metric.kind in kinds
        and rule.check.metric.effect is None
        and not rule.goal.is_range
        and not rule.goal.by_volume
    ]


def own(tmp_path, rules, head=""):
    path = tmp_path / "own.yaml"
    path.write_text(f'id: own\nversion: "1"\ntitle: A title\nsite: liver\n{head}rules:\n{rules}')
    return load_protocol(path)


def through(tmp_path, protocol, form, ending):
    path = tmp_path / f"there{ending}"
    text, lost = written_as(protocol, path, form)
    path.write_text(text, encoding="utf-8")
    back, unread = read_any(path)
    return back, lost, unread


def core(rule):
    """What both formats hold of a rule on a named structure."""
    return (rule.structure.name, rule.check.metric, rule.goal, rule.variation)


@pytest.mark.parametrize("protocol_id", SHIPPED)
@pytest.mark.parametrize(
    ("form", "ending", "kinds"), [("planscorecard", ".json", CARD_KINDS), (None, ".xml", XML_KINDS)]
)
def test_every_shipped_rule_comes_back_or_is_listed(tmp_path, protocol_id, form, ending, kinds):
    protocol = load_protocol(protocol_id)
    held = holdable(protocol, kinds)
    if not held:
        with pytest.raises(ProtocolError):
            through(tmp_path, protocol, form, ending)
        return
    back, lost, unread = through(tmp_path, protocol, form, ending)
    assert unread == ()
    listed = {finding.where for finding in lost}
    assert all(rule.where in listed for rule in protocol.rules if rule not in held)
    named = {core(rule) for rule in held if rule.structure.name}
    assert named <= {core(rule) for rule in back.rules}
    assert len(back.rules) == len(held)
    assert all(rule.where in listed for rule in held if rule.source or rule.note or rule.when)


def test_a_scorecard_holds_scores_titles_derived_structures_and_fractions(tmp_path):
    protocol = own(
        tmp_path,
        '  - {id: R001, title: "Normal liver", structure: {name: Liver-GTV, derived: (Liver - "GTV 1") & Body},\n'
        '     metric: "Mean[Gy]", goal: "< 13 Gy", variation: "<= 15 Gy", score: [[10, 5], [13, 4], [15, 0]]}\n'
        '  - {id: R002, structure: PTV, metric: "V100%[%]", goal: ">= 95 %", variation: ">= 90 %"}\n'
        '  - {id: R003, structure: Cord, metric: "D0.03cc[Gy]", goal: "<= 0.002 Gy"}\n'
        '  - {id: R004, structure: Liver - GTV, metric: "V15Gy[cc]", goal: "<= 700 cc"}\n',
        "fractions: 5\n",
    )
    back, lost, unread = through(tmp_path, protocol, "planscorecard", ".json")
    assert (back.title, back.site) == ("A title", "liver")
    for first, again in zip(protocol.rules, back.rules, strict=True):
        same = ("id", "title", "check", "goal", "variation", "score", "fractionation")
        for name in same:
            if name == "check":
                assert first.check.metric == again.check.metric
                assert first.structure.name == again.structure.name
                assert _by_name(first.structure.derived) == again.structure.derived
            else:
                assert getattr(first, name) == getattr(again, name), name
    assert unread == ()
    assert [f.message for f in lost if "type" in f.message] == ["not held: that all structures of a type are meant."]


def _by_name(expression):
    """The expression with every bare type word as the name that the form makes of it."""
    if expression is None:
        return None
    return with_leaves(expression, lambda leaf: Name(leaf.name, quoted=leaf.is_type))


def card(**item):
    structure = {"StructureId": "Heart"}
    points = [{"PointX": 4, "Score": 10}, {"PointX": 8, "Score": 6, "Variation": True}, {"PointX": 10, "Score": 0}]
    return {"Structure": structure, "MetricType": "MeanDose", "OutputUnit": "Gy", "ScorePoints": points} | item


@pytest.fixture
def read_card(tmp_path):
    def read(*items, **root):
        path = tmp_path / "card.json"
        path.write_text(json.dumps({"TemplateName": "Theirs", "ScoreTemplates": list(items)} | root))
        return read_any(path)

    return read


@pytest.mark.parametrize(
    ("points", "goal", "variation"),
    [
        ([(4, 10, False), (8, 6, True), (10, 0, False)], "<= 8 Gy", "< 10 Gy"),
        ([(4, 10, False), (10, 0, False), (12, 0, False)], "< 10 Gy", None),
        ([(90, 0, False), (93, 5, True), (95, 10, False)], ">= 93 Gy", "> 90 Gy"),
        ([(80, 0, False), (90, 0, False), (95, 10, False)], "> 90 Gy", None),
    ],
)
def test_limits_of_a_foreign_scorecard_are_inferred_and_said_to_be(read_card, points, goal, variation):
    listed = [{"PointX": x, "Score": y, "Variation": flag} for x, y, flag in points]
    protocol, findings = read_card(card(ScorePoints=listed), NumberOfFractions=25)
    (rule,) = protocol.rules
    assert (str(rule.goal), str(rule.variation) if rule.variation else None) == (goal, variation)
    assert rule.score.knots == tuple((float(x), float(y)) for x, y, _ in points)
    assert rule.fractionation.counts == {25}
    assert any("inferred" in f.message for f in findings)


def test_cgy_of_a_scorecard_become_gy(read_card):
    item = card(MetricType="DoseAtVolume", InputValue=0.03, InputUnit="cc", OutputUnit="cGy")
    item["ScorePoints"] = [{"PointX": 1400, "Score": 1}, {"PointX": 1500, "Score": 0}]
    (rule,) = read_card(item)[0].rules
    assert (rule.check.metric.canonical, str(rule.goal)) == ("D0.03cc[Gy]", "< 15 Gy")
    assert rule.score.knots == ((14.0, 1.0), (15.0, 0.0))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"MetricType": "VolumeOfRegret"}, "is no number"),
        ({"MetricType": "VolumeOfRegret", "InputValue": 50, "InputUnit": ""}, "at which dose"),
        ({"MetricType": "VolumeOfRegret", "InputValue": 50, "InputUnit": "Gy", "OutputUnit": "%"}, "in percent"),
        ({"MetricType": "HomogeneityIndex", "HI_HiValue": 5, "HI_LowValue": 95, "HI_Target": 0}, "at which dose"),
        ({"MetricType": "HomogeneityIndex", "HI_HiValue": 5}, "HI_LowValue None is no number"),
        ({"MetricType": "ModifiedGradientIndex", "HI_HiValue": 50, "HI_LowValue": 25}, "at which dose"),
        ({"MetricType": "Undefined"}, "no counterpart"),
        ({"MetricType": 3}, "no counterpart"),
        ({"MetricType": ["DoseAtVolume"]}, "no counterpart"),
        ({"MetricType": "DoseAtVolume", "InputValue": 10**400, "InputUnit": "%"}, "no number"),
        ({"OutputUnit": "furlong"}, "not known"),
        ({"MetricType": "DoseAtVolume", "InputValue": "x", "InputUnit": "%"}, "no number"),
        ({"MetricType": "DoseAtVolume", "InputValue": 2, "InputUnit": "Gy"}, "needs a volume"),
        ({"ScorePoints": [{"PointX": 4, "Score": 10}]}, "less than two"),
        ({"ScorePoints": [{"PointX": 4, "Score": 1}, {"PointX": 5, "Score": 1}]}, "no direction"),
        ({"ScorePoints": [{"PointX": 4, "Score": None}, {"PointX": 5, "Score": 1}]}, "no score"),
        ({"Structure": {}}, "names no structure"),
        ({"Structure": {"StructureId": "R", "StructureComment": "{<PTV>|5^-3^0^0^0^0}"}}, "grows and shrinks"),
        ({"Structure": {"StructureId": "R", "StructureComment": "{<PTV>|5^3}"}}, "one or six"),
        ({"Structure": {"StructureId": "R", "StructureComment": "(PTV SUB (CTV"}}, "bracket|early"),
    ],
)
def test_what_cannot_be_read_of_a_scorecard_is_listed_and_left_out(read_card, change, why):
    protocol, findings = read_card(card(), card(**change))
    assert len(protocol.rules) == 1
    (serious,) = [f for f in findings if f.level.value == "serious"]
    assert serious.where == "score template 2"
    assert re.search(why, serious.message)


def at(kind, value, unit, out=""):
    return {"MetricType": kind, "InputValue": value, "InputUnit": unit, "OutputUnit": out}


def between(kind, high, low, **more):
    return {"MetricType": kind, "HI_HiValue": high, "HI_LowValue": low, "OutputUnit": ""} | more


@pytest.mark.parametrize(
    ("asked", "metric"),
    [
        (at("VolumeOfRegret", 50, "Gy", "CC"), "Regret(at=50Gy)[cc]"),
        (at("VolumeOfRegret", 100, "%", "cc"), "Regret(at=100%)[cc]"),
        (at("ConformationNumber", 95, "%", "CC"), "CI_Paddick(at=95%)"),
        (at("ConformityIndex", 4500, "cGy"), "CI_RTOG(at=45Gy)"),
        (at("InhomogeneityIndex", 0.0, ""), "HI_MaxMinMean"),
        (between("HomogeneityIndex", 5, 95, HI_Target=60, HI_TargetUnit="Gy"), "HI_Spread(hot=5%,cold=95%,over=60Gy)"),
        (between("HomogeneityIndex", 2, 98, HI_Target=100, HI_TargetUnit="%"), "HI_Spread(hot=2%,cold=98%)"),
        (between("ModifiedGradientIndex", 50, 25, InputUnit="Gy"), "VRatio(at=25Gy,over=50Gy)"),
        (at("DoseAtSubVolume", 700, "cc", "Gy"), "DC700cc[Gy]"),
    ],
)
def test_the_indices_of_a_scorecard_are_ours_under_their_authors_names(read_card, tmp_path, asked, metric):
    protocol, findings = read_card(card(**asked))
    (rule,) = protocol.rules
    assert rule.check.metric.canonical == metric
    assert [f for f in findings if f.level.value == "serious"] == []
    back, _, unread = through(tmp_path, protocol, "planscorecard", ".json")
    assert (back.rules[0].check.metric, unread) == (rule.check.metric, ())


@pytest.mark.parametrize(
    "text",
    [
        "Liver - Cord",
        "(Lung_L | Lung_R) - Heart",
        "A & B - C",
        "A - (B | C)",
        "A B - C D",
        "A - ((B | C) & (D - E))",
        "Rectum - (Rectum - 3mm)",
        "Heart - (SpinalCanal + 3mm)",
        "(Body + 20mm) - (Body + 5mm)",
        "(A | B) - 3mm",
        "((A | B) + 4mm) - C",
        "A + [L=5,R=7,A=6,P=8,S=9,I=10]",
        '"Kidney (left)" | Kidney_R',
    ],
)
def test_derived_structures_come_back_as_they_were(text):
    expression = parse_region(text)
    assert can_be_spelled(expression)
    assert parse_region(derived_from(derived_text(expression))) == expression


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("{<Lung_L> OR <Lung_R>} SUB {<GTV>|3}", '(Lung_L | Lung_R) - ("GTV" + 3mm)'),
        ("((Lung_L) OR (Lung_R)) SUB (GTV)", '(Lung_L | Lung_R) - "GTV"'),
        ("(PTV|5) SUB (Cord)|-2", '("PTV" + 5mm) - (Cord - 2mm)'),
        ("{{<A> OR <B>} SUB {<C>}}|5 AND {<D>}", "(((A | B) - C) + 5mm) & D"),
        ("{<A>|1^2^3^4^5^6}", "A + [L=1,R=2,A=6,P=5,S=3,I=4]"),
        ("<A>|0", "A"),
    ],
)
def test_both_ways_to_write_derived_structures_are_read_with_their_margins(theirs, ours):
    """A bare GTV of ours is every structure of that type; theirs is the one of that name."""
    assert parse_region(derived_from(theirs)) == parse_region(ours)


@pytest.mark.parametrize("text", ["(A + 3mm) + 2mm", "((A | B) + 2.5mm) - C", "(A & B) + [L=1,R=2,A=6,P=5,S=3,I=4]"])
def test_margins_that_the_form_has_no_place_for_are_not_written(text):
    assert not can_be_spelled(parse_region(text))


def test_a_name_that_the_form_cannot_spell_is_listed(tmp_path):
    structure = '{derived: "\\"Kidney <left>\\" | Kidney_R"}'
    protocol = own(tmp_path, f'  - {{id: R, structure: {structure}, metric: "Mean[Gy]", goal: "<= 9 Gy"}}\n')
    _, lost = planscorecard_json(protocol)
    assert any("the rule" in f.message for f in lost)


XML = """<?xml version="1.0"?>
<Protocol xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Preview ID="Liver 5fx" Description="Liver SBRT" TreatmentSite="Liver"/>
  <Phases><Phase ID="P1"><PlanTemplate><FractionCount>5</FractionCount></PlanTemplate>
    <Prescription>{items}</Prescription></Phase></Phases>
</Protocol>"""


AS_WRITTEN = "modifiers=ge-le,types=min-max,levels=mm3,volumes=mm3"


def measure(roi, code, modifier, value, level, *, absolute, variation=None, priority=1):
    nil = ' xsi:nil="true"'
    return (
        f'<MeasureItem ID="{roi}"><Type>{code}</Type><Modifier>{modifier}</Modifier><Value>{value}</Value>'
        f"<TypeSpecifier{'' if level is not None else nil}>{'' if level is None else level}</TypeSpecifier>"
        f"<ReportDQPValueInAbsoluteUnits>{str(absolute).lower()}</ReportDQPValueInAbsoluteUnits>"
        f"<Priority>{priority}</Priority>"
        f"<VariationAcceptable{'' if variation is not None else nil}>{'' if variation is None else variation}"
        "</VariationAcceptable></MeasureItem>"
    )


@pytest.fixture
def read_xml(tmp_path):
    def read(*items, text=XML, codes=""):
        path = tmp_path / "p.xml"
        path.write_text(text.format(items="".join(items)), encoding="utf-8")
        return read_any(path, eclipse_codes=codes)

    return read


@pytest.mark.parametrize(
    ("item", "metric", "goal", "variation"),
    [
        (measure("A", 2, 3, 95, 100, absolute=False), "V100%[%]", ">= 95 %", None),
        (measure("A", 2, 3, 50000, 100, absolute=True), "V100%[cc]", ">= 50 cc", None),
        (measure("A", 3, 1, 700000, 15, absolute=True), "V15Gy[cc]", "< 700 cc", None),
        (measure("A", 3, 4, 35, 20, absolute=False, variation=40), "V20Gy[%]", "<= 35 %", "<= 40 %"),
        (measure("A", 4, 3, 47.5, 95, absolute=True), "D95%[Gy]", ">= 47.5 Gy", None),
        (measure("A", 5, 4, 15, 30, absolute=True, variation=16), "D0.03cc[Gy]", "<= 15 Gy", "<= 16 Gy"),
        (measure("A", 5, 4, 105, 30, absolute=False), "D0.03cc[%]", "<= 105 %", None),
        (measure("A", 6, 0, 40, None, absolute=True), "Min[Gy]", "> 40 Gy", None),
        (measure("A", 7, 2, 54, None, absolute=True), "Max[Gy]", "== 54 Gy", None),
        (measure("A", 8, 4, 13, None, absolute=True), "Mean[Gy]", "<= 13 Gy", None),
    ],
)
def test_measure_items_are_read_with_volumes_in_mm3(read_xml, item, metric, goal, variation):
    protocol, findings = read_xml(item, codes=AS_WRITTEN)
    assert findings == ()
    (rule,) = protocol.rules
    assert (rule.check.metric.canonical, str(rule.goal)) == (metric, goal)
    assert (str(rule.variation) if rule.variation else None) == variation
    assert rule.fractionation.counts == {5}
    assert (protocol.id, protocol.title, protocol.site) == ("Liver-5fx", "Liver SBRT", "Liver")


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (measure("A", 0, 3, 1, None, absolute=True), "conformity"),
        (measure("A", 1, 3, 1, None, absolute=True), "gradient"),
        (measure("A", 9, 3, 1, None, absolute=True), "type '9'"),
        (measure("A", 8, 7, 1, None, absolute=True), "modifier '7'"),
        (measure("A", 8, 3, "", None, absolute=True), "no limit"),
        (measure("A", 8, 3, "NaN", None, absolute=True), "no limit"),
        (measure("A", 5, 3, 10, None, absolute=True), "which level"),
        (measure(" ", 8, 3, 10, None, absolute=True), "no structure"),
    ],
)
def test_what_cannot_be_read_of_a_clinical_protocol_is_listed_and_left_out(read_xml, item, why):
    protocol, findings = read_xml(measure("B", 8, 4, 13, None, absolute=True), item, codes=AS_WRITTEN)
    assert len(protocol.rules) == 1
    (serious,) = [f for f in findings if f.level.value == "serious"]
    assert serious.where == "phase 1, measure item 2"
    assert why in serious.message


def prescribed(roi, modifier, *, volume="", dose="", total=""):
    nil = ' xsi:nil="true"'
    return (
        f'<Item ID="{roi}" Primary="true"><Type>0</Type><Modifier>{modifier}</Modifier><Parameter>{volume}</Parameter>'
        f"<Dose{'' if dose else nil}>{dose}</Dose><TotalDose{'' if total else nil}>{total}</TotalDose></Item>"
    )


@pytest.mark.parametrize(
    ("item", "metric", "goal"),
    [
        (prescribed("PTV", 0, volume=95, dose=10, total=50), "D95%[Gy]", ">= 50 Gy"),
        (prescribed("PTV", 0, volume=95, dose=10), "D95%[Gy]", ">= 50 Gy"),
        (prescribed("Lungs", 1, volume=30, total=20), "V20Gy[%]", "<= 30 %"),
        (prescribed("PTV", 7, total=50), "Mean[Gy]", "> 50 Gy"),
        (prescribed("Heart", 8, total=26), "Mean[Gy]", "< 26 Gy"),
        (prescribed("GTV", 9, total=45), "Min[Gy]", "> 45 Gy"),
        (prescribed("Cord", 10, total=25), "Max[Gy]", "< 25 Gy"),
    ],
)
def test_prescription_items_are_rules_on_their_targets(read_xml, item, metric, goal):
    protocol, findings = read_xml(item)
    (rule,) = protocol.rules
    assert (rule.check.metric.canonical, str(rule.goal), findings) == (metric, goal, ())
    assert rule.fractionation.counts == {5}


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (prescribed("PTV", 2, total=50), "just so much"),
        (prescribed("PTV", 3, total=50), "just so much"),
        (prescribed("PTV", 5, total=50), "reference point"),
        (prescribed("PTV", 6, total=50), "modifier '6'"),
        (prescribed("PTV", "", total=50), "modifier ''"),
        (prescribed("PTV", 0, total=50), "dose and volume"),
        (prescribed("PTV", 0, volume=95), "dose and volume"),
        (prescribed("PTV", 0, volume=95, total="NaN"), "dose and volume"),
        (prescribed("PTV", 0, volume=195, total=50), "no volume or dose"),
        (prescribed(" ", 0, volume=95, total=50), "names no structure"),
    ],
)
def test_prescription_items_that_are_no_rule_are_listed_and_left_out(read_xml, item, why):
    protocol, findings = read_xml(measure("B", 8, 4, 13, None, absolute=True), item, codes=AS_WRITTEN)
    assert len(protocol.rules) == 1
    (serious,) = findings
    assert (serious.where, serious.level.value) == ("phase 1, prescription item 1", "serious")
    assert why in serious.message


def test_a_level_below_a_cubic_millimetre_is_in_cc(read_xml):
    protocol, findings = read_xml(measure("A", 5, 1, 15, 0.03, absolute=True), measure("B", 5, 1, 15, 5, absolute=True))
    assert [rule.check.metric.canonical for rule in protocol.rules] == ["D0.03cc[Gy]", "D5cc[Gy]"]
    assert (findings, {rule.status for rule in protocol.rules} & {"X"}) == ((), set())


@pytest.mark.parametrize(
    ("items", "goals"),
    [
        # The acceptable variation lies beyond the limit.
        ([(8, 4, 13, 15), (8, 3, 40, 38)], ["Mean[Gy] <= 13 Gy", "Mean[Gy] >= 40 Gy"]),
        ([(8, 3, 13, 15), (8, 4, 40, None)], ["Mean[Gy] <= 13 Gy", "Mean[Gy] >= 40 Gy"]),
        # Maxima are limited above: by a modifier that all read alike, and on from there.
        ([(6, 1, 54, None), (7, 0, 40, None)], ["Max[Gy] < 54 Gy", "Min[Gy] > 40 Gy"]),
        ([(7, 1, 54, None), (7, 4, 50, None)], ["Max[Gy] < 54 Gy", "Max[Gy] <= 50 Gy"]),
        (
            [(6, 1, 54, None), (6, 3, 50, None), (8, 4, 20, None)],
            ["Max[Gy] < 54 Gy", "Max[Gy] <= 50 Gy", "Mean[Gy] >= 20 Gy"],
        ),
    ],
)
def test_codes_that_readers_read_in_two_ways_are_settled_by_the_file(read_xml, items, goals):
    listed = [measure("A", kind, mod, value, None, absolute=True, variation=v) for kind, mod, value, v in items]
    protocol, findings = read_xml(*listed)
    assert [f"{rule.check.metric.canonical} {rule.goal}" for rule in protocol.rules] == goals
    assert findings == ()


@pytest.mark.parametrize(
    ("item", "question"),
    [
        (measure("A", 8, 3, 13, None, absolute=True), "modifiers"),
        (measure("A", 6, 2, 13, None, absolute=True), "types"),
        (measure("A", 5, 1, 15, 35, absolute=True), "levels"),
        (measure("A", 3, 1, 700, 15, absolute=True), "volumes"),
        # Two that contradict each other decide nothing.
        (
            measure("A", 8, 3, 13, None, absolute=True, variation=15)
            + measure("B", 8, 3, 13, None, absolute=True, variation=11),
            "modifiers",
        ),
    ],
)
def test_what_nothing_decides_is_asked_and_judges_nothing(read_xml, item, question):
    protocol, (asked,) = read_xml(item)
    assert {rule.status for rule in protocol.rules} == {"X"}
    assert (asked.level.value, asked.code) == ("serious", "codes-undecided")
    assert f"--eclipse-codes {question}=" in asked.message
    for answer in ANSWERS[question]:
        protocol, findings = read_xml(item, codes=f"{question}={answer}")
        assert findings == ()
        assert "X" not in {rule.status for rule in protocol.rules}


def test_an_answer_that_there_is_not_is_refused(read_xml):
    with pytest.raises(InputError, match="no answer about codes"):
        read_xml(measure("A", 8, 3, 13, None, absolute=True), codes="modifiers=both")


@pytest.mark.parametrize(
    "text",
    ["<Protocol", "<Other/>", "", '<!DOCTYPE a [<!ENTITY b "c">]><Protocol>&b;</Protocol>', "<Protocol/>", "{{}}"],
)
def test_a_file_that_is_no_clinical_protocol_is_refused(read_xml, text):
    with pytest.raises(ProtocolError):
        read_xml(text=text)


def test_a_doctype_in_utf_16_is_refused(tmp_path):
    path = tmp_path / "p.xml"
    path.write_bytes(
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><Protocol/>'.encode("utf-16")
    )
    with pytest.raises(ProtocolError, match="DOCTYPE"):
        read_eclipse(path)


def test_volumes_are_written_in_mm3_and_each_fractionation_has_its_phase(tmp_path):
    protocol = own(
        tmp_path,
        '  - {id: R001, structure: Liver, metric: "V15Gy[cc]", goal: "<= 700 cc", fractions: 3, priority: 2}\n'
        '  - {id: R002, structure: Cord, metric: "D0.035cc[Gy]", goal: "< 20 Gy", variation: "< 21 Gy", fractions: 5}\n'
        '  - {id: R003, structure: Cord, metric: "Max[Gy]", goal: "== 21 Gy"}\n',
    )
    text, _ = eclipse_xml(protocol)
    assert "<Value>700000</Value>" in text
    assert "<TypeSpecifier>35</TypeSpecifier>" in text
    back, _, unread = through(tmp_path, protocol, "eclipse", ".xml")
    assert unread == ()
    for first, again in zip(protocol.rules, back.rules, strict=True):
        assert core(first) == core(again)
        assert (first.fractionation, first.priority) == (again.fractionation, again.priority)
    assert (back.id, back.title, back.site) == ("own", "A title", "liver")


@pytest.mark.parametrize("write", [planscorecard_json, eclipse_xml])
def test_metrics_that_they_do_not_know_are_listed_not_dropped(tmp_path, write):
    rules = '  - {id: R, structure: A, metric: "%s", goal: "%s"}\n'
    for metric, goal in (
        ("DC10%[Gy]", "<= 15 Gy"),
        ("NTCP(liver-rild-metastases)", "<= 5 %"),
        ("CV15Gy[cc]", ">= 700 cc"),
        ("EQD2_3:Max[Gy]", "<= 9 Gy"),
        ("Max[Gy]", "2..5 Gy"),
    ):
        _, lost = write(own(tmp_path, rules % (metric, goal)))
        assert any(f.where == "line 6, rule R" and "the rule" in f.message for f in lost)


def test_scorecards_that_are_none_are_refused(tmp_path):
    path = tmp_path / "c.json"
    for text in ('{"ScoreTemplates": []}', '{"ScoreTemplates": 5}', "[]", "{"):
        path.write_text(text)
        with pytest.raises(ProtocolError):
            read_planscorecard(path)


def test_convert_writes_the_format_that_is_asked_for(tmp_path):
    run = CliRunner()
    card_path, xml_path, again = (str(tmp_path / name) for name in ("c.json", "p.xml", "again.yaml"))
    assert run.invoke(protocol_app, ["convert", "hytec-2021", card_path, "--format", "planscorecard"]).exit_code == 0
    assert "ScoreTemplates" in json.loads((tmp_path / "c.json").read_text())
    assert run.invoke(protocol_app, ["convert", card_path, xml_path]).exit_code == 0
    assert run.invoke(protocol_app, ["convert", xml_path, again]).exit_code == 0
    assert len(load_protocol(again).rules) > 20
    assert run.invoke(protocol_app, ["convert", "hytec-2021", card_path, "--format", "nothing"]).exit_code != 0
