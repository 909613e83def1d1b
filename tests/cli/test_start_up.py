"""Commands are listed from a table and loaded when called: quick help, and a table that says what they say."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer.main

from dvhkit.cli.app import app
from dvhkit.cli.lazy import LazyGroup, load


def groups(group, path=("dvhkit",)):
    """Yield each group that has a table, with the words that lead to it."""
    if isinstance(group, LazyGroup):
        yield path, group
        for name, command in group.commands.items():
            yield from groups(command, (*path, name))


@pytest.fixture(scope="module")
def loaded():
    root = typer.main.get_command(app)
    listed = {name: command.help for name, command in root.commands.items()}
    root.load_all()
    assert list(listed) == list(root.commands)
    return root


def test_the_table_lists_each_command_by_its_own_first_line(loaded):
    for path, group in groups(loaded):
        for name, entry in group.table.items():
            command = load(name, entry)
            assert command.name == name, path
            assert entry.help == command.get_short_help_str(1000), (*path, name)


def test_every_command_of_the_house_stands_in_a_table_or_below_a_command_that_does(loaded):
    assert {"audit", "dvh", "margin", "contours", "lesions", "phantom"} <= set(loaded.commands)
    assert {"compare", "check", "bands", "consensus", "approve", "approvals"} == set(
        loaded.commands["contours"].commands
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], []])
def test_what_no_command_is_needed_for_loads_no_command_and_nothing_heavy(words):
    program = (
        f"import sys\nsys.argv = ['dvhkit', *{words!r}]\nfrom dvhkit.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'numba', 'pydicom', 'shapely', 'pydantic', 'pandas', 'rich.markdown', 'rich.console'}\n"
        "ours = {m for m in sys.modules if m.startswith('dvhkit.')}\n"
        "print(sorted(heavy & set(sys.modules)), sorted(ours), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    allowed = {"dvhkit.cli", "dvhkit.cli.app", "dvhkit.cli.lazy", "dvhkit.cli.streams", "dvhkit.errors"}
    heavy, ours = ended.stderr.strip().split("] [")
    assert heavy == "["
    assert set(ours.rstrip("]").replace("'", "").split(", ")) <= allowed


def test_help_of_the_whole_names_every_command_with_its_whole_line(dvhkit, loaded):
    text = " ".join(dvhkit("--help").out.split())
    for name, entry in loaded.table.items():
        assert f" {name} {entry.help}" in text


def completed(words, count, monkeypatch):
    monkeypatch.setenv("_DVHKIT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(count))
    program = "import sys; sys.argv = ['dvhkit']\nfrom dvhkit.cli.app import main\nmain()"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stdout.split()


def test_the_shell_completes_commands_of_commands_and_their_options(monkeypatch):
    assert (
        {"compare", "contours", "cohort", "commission", "ctv", "check-dvh"}
        >= set(completed("dvhkit co", 1, monkeypatch))
        >= {"compare", "contours", "cohort", "commission"}
    )
    assert completed("dvhkit contours appro", 2, monkeypatch) == ["approve", "approvals"]
    assert "--metric" in completed("dvhkit dvh --met", 2, monkeypatch)


def test_a_command_that_is_not_there_is_told_with_its_neighbour(dvhkit):
    ended = dvhkit("audti")
    assert ended.code == 2
    assert "audit" in ended.err
