"""CSV constraint tables: both dialects are read in their own units; what is lost on the way is listed."""

from dataclasses import replace

import pytest

from dvhkit.errors import ProtocolError
from dvhkit.findings import Level
from dvhkit.protocols.converters.constraint_csv import constraint_csv, read_constraint_csv
from dvhkit.protocols.converters.own_yaml import protocol_yaml
from dvhkit.protocols.files.load import load_protocol, shipped_paths


def plain(protocol):
    """The protocol without what differs between two files of the same content."""
    rules = tuple(replace(rule, line=0, fractionation=_plain(rule.fractionation)) for rule in protocol.rules)
    return replace(protocol, path=None, sha256="", rules=rules)


def _plain(fractionation):
    return fractionation and replace(fractionation, text="")


@pytest.mark.parametrize("protocol_id", sorted(shipped_paths()))
def test_our_own_yaml_loses_nothing(protocol_id, tmp_path):
    protocol = load_protocol(protocol_id)
    path = tmp_path / "again.yaml"
    path.write_text(protocol_yaml(protocol), encoding="utf-8")
    assert plain(load_protocol(path)) == plain(protocol)


ECLIPSE = """\
Structure IDs,Structure Codes,IDAliases,CodeAliases,DVH Objective,Evaluation Point,Variation,Priority,Met,Achieved
SpinalCord,7647,Cord|Spinal Cord,,Max[cGy],<=4500,5000,1,,
Lungs,,,,V2000cGy[%],<=30,35,2,,
Liver,,,,CV1500cGy[cc],>=700,,2,,
PTV_High,,,,D95%[%],>=100,95,1,,
Eye_L,,,,CN95%,<=1.2,,3,,
Lens_L,,,,XYZ95%,<=1.2,,3,,
,,,,,,,,,
"""


@pytest.fixture
def read(tmp_path):
    def read(text, encoding="utf-8"):
        path = tmp_path / "my table.csv"
        path.write_text(text, encoding=encoding)
        return read_constraint_csv(path)

    return read


def test_a_table_in_cgy_is_read_in_its_own_units(read):
    protocol, findings = read(ECLIPSE)
    rows = [(str(r.structure), r.quantity, str(r.goal), str(r.variation or ""), r.priority) for r in protocol.rules]
    assert rows == [
        ("SpinalCord", "Max[Gy]", "<= 45 Gy", "<= 50 Gy", 1),
        ("Lungs", "V20Gy[%]", "<= 30 %", "<= 35 %", 2),
        ("Liver", "CV15Gy[cc]", ">= 700 cc", "", 2),
        ("PTV_High", "D95%[%]", ">= 100 %", ">= 95 %", 1),
        ("Eye_L", "CI_Paddick(at=95%)", "<= 1.2", "", 3),
    ]
    assert protocol.rules[0].structure.aliases == ("Cord", "Spinal Cord")
    assert protocol.rules[3].line == 5
    assert protocol.id == "my-table"
    (finding,) = findings
    assert (finding.level, finding.code, finding.where) == (Level.SERIOUS, "row-not-read", "line 7")


def test_the_other_heading_and_a_windows_code_page(read):
    text = "StructureName,Aliases,DVHObjective,Evaluator,VariationAcceptable,Priority\nHöhle,,Mean[Gy],<20,,P1\n"
    protocol, (finding,) = read(text, encoding="cp1252")
    assert str(protocol.rules[0].structure) == "Höhle"
    assert protocol.rules[0].goal.strict
    assert finding.code == "priority-not-read"


@pytest.mark.parametrize(
    ("text", "line", "fragment"),
    [
        ("", 1, "heading"),
        ("a,b,c\n1,2,3\n", 1, "StructureName"),
        ("StructureName,DVHObjective,Evaluator\n", 1, "no row"),
        ("StructureName,DVHObjective,Evaluator\nHeart,Mean[Gy],20\n", 2, "direction"),
        ("StructureName,DVHObjective,Evaluator\n\nHeart,Mean[Gy],about 20\n", 3, "cannot be read"),
        ("StructureName,DVHObjective,Evaluator\n,Mean[Gy],<=20\n", 1, "line 2: the row names no structure"),
        ("StructureName,DVHObjective,Evaluator\n" + "x" * 200_000 + ",Mean[Gy],<=20\n", 2, "no table"),
        ("StructureName,DVHObjective,Evaluator\nHeart,Mean[Gy]\0,<=20\n", 1, "no text"),
    ],
)
def test_a_broken_table_names_its_line(read, text, line, fragment):
    with pytest.raises(ProtocolError) as caught:
        read(text)
    assert caught.value.where == f"line {line}"
    assert fragment in str(caught.value)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_part_cells_by(read, separator):
    text = "StructureName,DVHObjective,Evaluator,Comment\r\nHeart,Mean[Gy],<=20,all\r\n".replace(",", separator)
    protocol, findings = read(text)
    assert (protocol.rules[0].quantity, str(protocol.rules[0].goal), findings) == ("Mean[Gy]", "<= 20 Gy", ())


def test_rows_cut_short_are_left_out_and_told_with_the_line_they_begin_on(read):
    text = (
        'StructureName,DVHObjective,Evaluator\nHeart,Mean[Gy],<=20\nLung\nLiver,Mean[Gy]\n,Mean[Gy],<=1\n\n"Cord,Max\n'
    )
    protocol, findings = read(text)
    assert [str(rule.structure) for rule in protocol.rules] == ["Heart"]
    assert [f"{finding.where}: {finding.message}" for finding in findings] == [
        "line 3: the row has no metric. The row is left out.",
        "line 4: the row has no limit. The row is left out.",
        "line 5: the row names no structure. The row is left out.",
        "line 7: the row has no metric. The row is left out.",
    ]


def test_there_and_back_keeps_what_the_format_holds(tmp_path):
    protocol = load_protocol("tg101-2010")
    text, findings = constraint_csv(protocol)
    path = tmp_path / "tg101.csv"
    path.write_text(text, encoding="utf-8", newline="")
    back, unread = read_constraint_csv(path)
    assert unread == ()
    # A table holds a row for each structure of a rule.
    held = [
        r
        for r in protocol.rules
        for _ in range(max(1, len(r.structure.any_of)))
        if str(r.structure) != r.structure.derived_text
    ]
    assert [(r.quantity, r.goal, r.variation, r.priority) for r in back.rules] == [
        (r.quantity, r.goal, r.variation, r.priority) for r in held
    ]
    assert all("fractionation" in f.message for f in findings if f.where)


def test_what_the_format_cannot_hold_is_listed():
    text, findings = constraint_csv(load_protocol("oligoprogressive-liver-2025"))
    listed = {f.where.split("rule ")[-1]: f.message for f in findings if f.where}
    assert set(listed) == {"W25-I1", "W25-I2", "W25-D1", "S25-D8", "W25-M2", "W25-M3", "W25-C2", "W25-Q1"}
    assert "when" in listed["W25-C2"]
    assert "Liver - GTV" in listed["W25-C2"]
    assert "type PTV" in listed["S25-D8"]
    assert "Liver-GTV,,Liver_GTV|Liver minus GTV|Normal Liver,DC700cc[Gy],<=15,,1,," in text
    assert len(text.strip().splitlines()) == 3
