"""Packages that are not there, or cannot be loaded, are told in one sentence."""

from __future__ import annotations

import pytest

from dvhkit.cli import app
from dvhkit.errors import InputError
from dvhkit.extras import missing_extra, needs_extra


def test_a_missing_package_is_told_with_the_extra_that_brings_it():
    with pytest.raises(InputError, match=r"package no_such_package.*dvhkit\[masks\]"), needs_extra("masks"):
        import no_such_package  # noqa: F401


def test_a_package_whose_library_is_missing_is_told_with_the_library(tmp_path, monkeypatch):
    text = "raise ImportError('libxcb.so.1: cannot open shared object file')\n"
    (tmp_path / "needs_a_library.py").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"extra masks is installed.*libxcb\.so\.1"), needs_extra("masks"):
        import needs_a_library  # noqa: F401


def test_a_command_that_lacks_a_package_says_which_extra_brings_it_and_is_no_fault(monkeypatch, capsys):
    def lacking(*_, **__):
        raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow.parquet")

    monkeypatch.setattr(app, "app", lacking)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "pip install 'dvhkit[archive]'" in told
    assert "fault" not in told


def test_a_module_of_ours_that_is_missing_stays_a_fault():
    assert missing_extra(ModuleNotFoundError(name="dvhkit.no_such_module")) is None
    assert missing_extra(ValueError("pyarrow")) is None
