"""The folder for the results: tried before the work, named as it is, and not made for nothing."""

from __future__ import annotations

import pytest

from dvhkit.errors import OutputError
from dvhkit.outputs.files import require_writable_folder

PROTOCOL = "song-2025"


@pytest.mark.parametrize("name", ["[/foo]", "[red]x[/red]", "a [b] c"])
def test_a_folder_named_like_markup_is_named_as_it_is(dvhkit, demo_case_dir, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    ended = dvhkit("audit", demo_case_dir, "--protocol", PROTOCOL, "--out", name)
    assert ended.code <= 1, ended.err
    assert f"{name}/report.html" in ended.out
    assert (tmp_path / name / "report.html").exists()


def test_a_folder_that_cannot_be_is_refused_before_anything_is_computed(dvhkit, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("here first")
    # There is nothing to read either: that the folder is named first shows that it was tried first.
    ended = dvhkit("audit", tmp_path / "nowhere", "--protocol", PROTOCOL, "--out", tmp_path / "file")
    assert ended.code == 2
    assert "Nothing can be written into this folder" in ended.err
    assert (tmp_path / "file").read_text() == "here first"


def test_unusable_input_makes_no_folder(dvhkit, tmp_path):
    ended = dvhkit("audit", tmp_path / "nowhere", "--protocol", PROTOCOL, "--out", tmp_path / "a" / "b")
    assert ended.code == 2
    assert list(tmp_path.iterdir()) == []


def test_trying_leaves_nothing_behind(tmp_path):
    require_writable_folder(tmp_path / "x" / "y")
    require_writable_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a\0b", "file/below"])
def test_what_is_no_folder_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Nothing can be written"):
        require_writable_folder(tmp_path / name)
