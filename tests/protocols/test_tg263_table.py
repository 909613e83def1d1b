"""FMA codes of the common structures, and a clinic's own copy of the TG-263 table."""

import json

import pytest
from typer.testing import CliRunner

from dvhkit.cli.app import app
from dvhkit.errors import InputError
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.naming.organs import known_names
from dvhkit.protocols.naming.recognise import recognise
from dvhkit.protocols.naming.tg263 import _FMA, fma_code, load_tg263
from dvhkit.results.rules.names import Recognition

SHEET = (
    "Target Type,TG263-Primary Name,TG-263-Reverse Order Name,Description,FMAID\n"
    "Anatomic,Artery_Made_L,L_Made_Artery,Made up,15629\n"
    "Anatomic,VB_T12,T12_VB,Vertebra,10081\n"
    "Non_Anatomic,Bag_Ostomy,Ostomy_Bag,,None\n"
    "short\n"
)


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "tg263.csv"
    path.write_text(SHEET, encoding="utf-8")
    return path


def recognised(*names, table=None):
    facts = [StructureFact(name=name, number=i) for i, name in enumerate(names, 1)]
    return recognise(facts, None, table)


def test_every_code_is_of_a_name_of_our_list_and_no_two_share_one():
    assert set(_FMA) <= set(known_names())
    assert len(set(_FMA.values())) == len(_FMA)
    assert fma_code("Liver") == "7197"
    assert (fma_code("Kidney_L"), fma_code("Kidney_R")) == ("7205", "7204")
    assert fma_code("GreatVes") == ""


def test_a_recognised_structure_has_its_code_whatever_its_spelling():
    rows = recognised("LIVER", "Lt Lung", "PTV", "Something")
    assert [row.fma for row in rows] == ["7197", "7310", "", ""]


def test_names_of_a_clinics_table_are_known(sheet):
    table = load_tg263(sheet)
    assert table == {"Artery_Made_L": "15629", "VB_T12": "10081", "Bag_Ostomy": ""}
    without, (exact, loose, other) = (
        recognised("Artery_Made_L"),
        recognised("Artery_Made_L", "artery_made_l", "Artery_Made_R", table=table),
    )
    assert without[0].standard == ""
    assert (exact.standard, exact.how, exact.fma) == ("Artery_Made_L", Recognition.EXACT, "15629")
    assert (loose.standard, loose.how) == ("Artery_Made_L", Recognition.SPELLING)
    assert other.standard == ""  # the other side is never taken for this one
    assert other.suggestion != "Artery_Made_L"


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\0\0"])
def test_a_file_that_is_no_such_table_is_refused(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="TG263-Primary Name"):
        load_tg263(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_tg263(tmp_path / "missing.csv")


def test_the_command_takes_the_table(demo_case_dir, sheet):
    ended = CliRunner().invoke(app, ["names", str(demo_case_dir), "--tg263", str(sheet), "--json", "-"])
    assert ended.exit_code == 0, ended.output
    rows = {row["roi"]: row for row in json.loads(ended.stdout)["names"]}
    assert (rows["Liver"]["fma"], rows["VB_T12"]["fma"]) == ("7197", "10081")
