"""Run the command line in this process, as a user's shell would see it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from dvhkit.cli.app import main


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def dvhkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Call it as ``dvhkit("dvh", folder, "--roi", "PTV")``."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["dvhkit", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return Ended(int(stop.value.code or 0), printed.out, printed.err)

    return run


def assert_one_helpful_line(ended: Ended, *fragments: str) -> None:
    """Exit code 2, nothing on standard output, one line on standard error that holds the fragments."""
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("dvhkit: ")
    assert "Traceback" not in ended.err
    for fragment in fragments:
        assert fragment in ended.err
