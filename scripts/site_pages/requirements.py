"""The table requirement → risk → test, from docs/requirements.yml and the markers in the tests."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from site_pages.text import cell, table

_HEAD = """# Requirements, risks, tests

What must hold, what follows if it does not, and the tests that show it: those that bear
`@pytest.mark.requirement("...")`. They are the first to look at, not the only ones.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What must hold, what could happen to a patient or a study if it did not, and the tests that show it."""

    code: str
    text: str
    risk: str
    tests: tuple[str, ...]


def requirements(root: Path) -> list[Requirement]:
    """Return every requirement with its tests; a marker that names none raises."""
    stated = YAML(typ="safe").load(root / "docs" / "requirements.yml")
    marked = _marked(root / "tests")
    unknown = sorted(set(marked) - {row["id"] for row in stated})
    if unknown:
        raise ValueError(f"tests are marked with requirements that docs/requirements.yml does not have: {unknown}")
    return [
        Requirement(code=row["id"], text=row["requirement"], risk=row["risk"], tests=tuple(marked.get(row["id"], ())))
        for row in stated
    ]


def page(root: Path) -> str:
    """Return the Markdown of the table."""
    rows = [
        (cell(row.code), cell(row.text), cell(row.risk), "<br>".join(f"`{test}`" for test in row.tests) or "none yet")
        for row in requirements(root)
    ]
    return _HEAD + table(("", "requirement", "risk if it fails", "shown by"), rows)


def _marked(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text("utf-8")
        if "mark.requirement" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                for code in _codes(node):
                    found.setdefault(code, []).append(f"{path.relative_to(folder).as_posix()}::{node.name}")
    return found


def _codes(node: ast.FunctionDef) -> list[str]:
    return [
        argument.value
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "requirement"
        for argument in mark.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
