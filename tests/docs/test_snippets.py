"""What documentation shows can be typed: imports are there, examples run, docstrings print what they say."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "test_data" / "liver_sbrt"
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])


def snippets():
    for page in PAGES:
        for number, found in enumerate(re.findall(r"(?m)^ *```python\n(.*?)^ *```", page.read_text("utf-8"), re.S), 1):
            lines = found.splitlines()
            indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
            yield pytest.param("\n".join(line[indent:] for line in lines) + "\n", id=f"{page.stem}-{number}")


def named(tree):
    """Yield module and name of every import from dvhkit, and of every attribute of `dvhkit` itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dvhkit"):
            yield from ((node.module, alias.name) for alias in node.names)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "dvhkit":
            yield "dvhkit", node.attr


@pytest.mark.parametrize("code", list(snippets()))
def test_everything_that_a_snippet_names_is_there(code):
    for module, name in named(ast.parse(code)):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def examples():
    for path in sorted((ROOT / "dvhkit").rglob("*.py")):
        if ">>>" in path.read_text("utf-8"):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("module", list(examples()))
def test_docstrings_print_what_they_say(module, tmp_path, monkeypatch):
    (tmp_path / "plans").symlink_to(DEMO)
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.slow
@pytest.mark.parametrize("code", [s for s in snippets() if s.id.split("-")[0] in {"margin", "margins", "phantoms"}])
def test_snippets_run_on_the_demo_plan(code, tmp_path, monkeypatch):
    if "measured.csv" in code:
        pytest.skip("needs what another program measured")
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "case7").symlink_to(DEMO)
    (tmp_path / "test_data").symlink_to(DEMO.parent)
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "snippet.py"
    source.write_text(code.replace("SpinalCanal", "SpinalCord"), "utf-8")
    assert runpy.run_path(os.fspath(source))
