"""A file is written whole, or the old one is as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dvhkit.errors import OutputError
from dvhkit.outputs.files import write_bytes_whole, write_text_whole


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_text_arrives_as_utf8_with_its_line_ends_in_folders_made_for_it(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "Bericht ä.csv"
    write_text_whole(target, "α/β\r\n= 10\n")
    assert target.read_bytes() == b"\xce\xb1/\xce\xb2\r\n= 10\n"
    assert names_in(target.parent) == [target.name]


def test_a_new_file_has_the_users_usual_permissions_and_a_replaced_one_keeps_its_own(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("before")
    old.chmod(0o640)
    write_text_whole(new, "x")
    write_text_whole(old, "after")
    assert stat.S_IMODE(new.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert old.read_text() == "after"


@pytest.mark.parametrize("failing_step", ["fsync", "replace"])
def test_a_failure_on_the_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_step: str
) -> None:
    target = tmp_path / "report.html"
    target.write_text("before")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if failing_step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OutputError, match="No space left") as caught:
        write_text_whole(target, "after")
    assert caught.value.path == str(target)
    assert caught.value.remedy
    assert target.read_text() == "before"
    assert names_in(tmp_path) == ["report.html"]


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes_whole(tmp_path / "x", b"data")
    assert names_in(tmp_path) == []


def test_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="This is a folder") as caught:
        write_text_whole(tmp_path, "x")
    assert caught.value.path == str(tmp_path)


@pytest.mark.parametrize("name", ["file/below.txt", "nul\0byte", "n" * 300])
def test_a_path_that_cannot_be_is_an_output_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        write_text_whole(tmp_path / name, "x")
    assert names_in(tmp_path) == ["file"]


def test_text_without_a_utf8_form_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="UTF-8"):
        write_text_whole(tmp_path / "x", "lone \udc80 surrogate")
    assert names_in(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "x.json", tmp_path / "latest.json"
    real.parent.mkdir()
    real.write_text("before")
    link.symlink_to(real)
    write_text_whole(link, "after")
    assert link.is_symlink()
    assert real.read_text() == "after"


@pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text_whole(pipe, "through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
