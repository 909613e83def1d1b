"""`dvhkit names` on the demo, and rough places against closed forms."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dvhkit.cli.app import app
from dvhkit.errors import InputError
from dvhkit.model.structure import Contour, Structure
from dvhkit.protocols.naming.placed import place_structures


def test_a_box_of_contours_has_its_place():
    """30 x 20 mm on nine slices 2.5 mm apart, shifted, drawn clockwise and anticlockwise, oblique once."""
    shift = np.array([-70.0, 5.0, 0.0])
    corners = shift + np.array([[0, 0, 0], [30, 0, 0], [30, 20, 0], [0, 20, 0]], float)
    turn = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    for rotation in (np.eye(3), turn):
        stack = [
            Contour(points_mm=(corners[:: 1 if k % 2 else -1] + np.array([0, 0, 2.5 * k])) @ rotation.T)
            for k in range(9)
        ]
        (placed,) = place_structures([Structure(number=1, name="Box", contours=tuple(stack))])
        assert placed.x_mm == pytest.approx(-55)
        assert placed.volume_cc == pytest.approx(30 * 20 * 2.5 * 9 / 1000)


def test_structures_without_area_have_no_place():
    line = Contour(points_mm=np.array([[0, 0, 0], [1, 0, 0]], float))
    assert place_structures([Structure(number=1, name="x", contours=(line,))]) == ()
    flat = Contour(points_mm=np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], float))
    (placed,) = place_structures([Structure(number=1, name="x", contours=(flat,))])
    assert (placed.volume_cc, placed.x_mm) == (0.0, 1.0)


def names(*words):
    return CliRunner().invoke(app, ["names", *map(str, words)])


def test_the_demo_is_named_after_tg_263(demo_case_dir):
    ended = names(demo_case_dir, "--json", "-")
    assert ended.exit_code == 0
    document = json.loads(ended.output)
    by_roi = {row["roi"]: row["standard"] for row in document["names"]}
    assert {roi for roi, standard in by_roi.items() if standard == roi} >= {"Liver", "Kidney_L", "PTV", "SpinalCord"}
    assert document["findings"] == []


def test_a_spelling_is_learned_and_then_known(demo_case_dir, tmp_path):
    clinic = tmp_path / "clinic.yaml"
    assert names(demo_case_dir, "--aliases", clinic, "--learn", "SpinalCord=Isocentre").exit_code == 0
    document = json.loads(names(demo_case_dir, "--aliases", clinic, "--json", "-").output)
    (row,) = (row for row in document["names"] if row["roi"] == "Isocentre")
    assert (row["standard"], row["how"]) == ("SpinalCord", "clinic's alias")
    assert [f["code"] for f in document["findings"]] == ["one-meaning-twice"]


def test_learning_needs_a_file_and_a_pair(demo_case_dir, tmp_path):
    assert isinstance(names(demo_case_dir, "--learn", "A=B").exception, InputError)
    assert isinstance(names(demo_case_dir, "--learn", "A", "--aliases", tmp_path / "x.yaml").exception, InputError)


@pytest.mark.parametrize("words", [("{}",), ("show", "{}"), ("--json", "-", "{}"), ("show", "{}", "--json", "-")])
def test_a_path_alone_shows_its_names(demo_case_dir, words):
    ended = names(*(word.format(demo_case_dir) for word in words))
    assert ended.exit_code == 0
    assert "Kidney_L" in ended.output


def test_the_group_tells_of_both_commands():
    for words in ((), ("--help",)):
        shown = names(*words).output
        assert "learn" in shown
        assert "show" in shown
    assert "--file" in names("learn", "--help").output


def test_learn_writes_spellings_of_the_plan_and_lists_what_is_left(demo_case_dir, tmp_path):
    clinic = tmp_path / "clinic.yaml"
    listed = names("learn", demo_case_dir, "--file", clinic)
    assert listed.exit_code == 0
    assert "not known: Isocentre" in listed.output
    assert not clinic.exists()
    grown = names("learn", demo_case_dir, "--file", clinic, "SpinalCord=Isocentre")
    assert "learned: Isocentre is SpinalCord" in grown.output
    assert "not known: Isocentre" not in grown.output
    assert clinic.read_text() == "SpinalCord:\n- Isocentre\n"


def test_what_cannot_be_learned_leaves_the_file_alone(demo_case_dir, tmp_path):
    clinic = tmp_path / "clinic.yaml"
    for words in ((), ("SpinalCord=Medulla",), ("Isocentre",), ("Kidney_R=Kidney_L",)):
        where = ("--file", clinic) if words else ()
        assert isinstance(names("learn", demo_case_dir, *where, *words).exception, InputError), words
    assert not clinic.exists()


def test_a_tg_263_name_that_is_taught_another_meaning_is_told(demo_case_dir, tmp_path):
    """Followed, for the clinic says so; but neither `names` nor the audit keeps quiet about it."""
    clinic = tmp_path / "clinic.yaml"
    ended = names("learn", demo_case_dir, "--file", clinic, "Colon=Duodenum", "Klatskin=Isocentre")
    assert ended.exit_code == 0
    said = " ".join(ended.output.split())
    assert "'Duodenum' is read as Colon, as an alias says, although it is the name of Duodenum." in said
    assert "note: Klatskin is no TG-263 name of ours; only rules that say Klatskin use it" in said
    document = json.loads(names(demo_case_dir, "--aliases", clinic, "--json", "-").output)
    assert [f["code"] for f in document["findings"]] == ["alias-overrides-name"]
    quiet = names("learn", demo_case_dir, "--file", tmp_path / "other.yaml", "PTV_High=Isocentre", "Lung_L-GTV=GTV")
    assert "note:" not in quiet.output
