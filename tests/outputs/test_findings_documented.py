"""Table, docs and source of findings say the same: every code, its levels, and what it withholds."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from dvhkit.findings import KINDS, Level, Withholds

_ROOT = Path(__file__).parents[2]
_PACKAGE = _ROOT / "dvhkit"
_DOCS = _ROOT / "docs" / "findings.md"
# Remarks on protocol files explain themselves, and no case ever bears them.
_ABOUT_FILES = ("protocols/lint", "protocols/converters", "findings/")
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


@cache
def _trees() -> dict[str, ast.Module]:
    paths = {path.relative_to(_PACKAGE).as_posix(): path for path in _PACKAGE.rglob("*.py")}
    return {name: ast.parse(path.read_text()) for name, path in paths.items() if not name.startswith(_ABOUT_FILES)}


def _called(call: ast.Call) -> str:
    func = call.func
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


@cache
def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@cache
def _makers(tree: ast.Module) -> set[str]:
    """Return the functions of a file that hand a code of their caller's to `Finding`."""
    if "Finding" not in map(_called, _calls(tree)):
        return set()
    return {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for call in _calls(function)
        if _called(call) == "Finding"
        and any(k.arg == "code" and not isinstance(k.value, ast.Constant) for k in call.keywords)
    }


def _codes(trees: dict[str, ast.Module]) -> set[str]:
    found = set()
    for tree in trees.values():
        makers = _makers(tree) | {"Finding"}
        for call in _calls(tree):
            if _called(call) in makers:
                parts = [*call.args, *(k.value for k in call.keywords if k.arg == "code")]
                found |= {p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)}
    return {text for text in found if _CODE.fullmatch(text)}


def _rows() -> dict[str, tuple[str, str]]:
    """Return the levels and what is withheld of each code, as the docs have them."""
    text = _DOCS.read_text(encoding="utf-8")
    return {m[1]: (m[2], m[3]) for m in re.finditer(r"^\| `([a-z0-9-]+)` \| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)}


def _levels(trees: dict[str, ast.Module]) -> set[tuple[str, str]]:
    """Return code and level of each finding whose call states both."""
    found = set()
    for tree in trees.values():
        makers = _makers(tree) | {"Finding"}
        for call in (c for c in _calls(tree) if _called(c) in makers):
            parts = [*call.args, *(k.value for k in call.keywords if k.arg in ("level", "code"))]
            levels = [p.attr for p in parts if isinstance(p, ast.Attribute) and ast.unparse(p.value) == "Level"]
            codes = [p.value for p in parts if isinstance(p, ast.Constant) and p.value in KINDS]
            if len(levels) == len(codes) == 1:
                found.add((codes[0], levels[0].lower()))
    return found


def test_docs_and_table_have_the_same_codes_levels_and_what_is_withheld() -> None:
    table = {code: (", ".join(level.value for level in k.levels), k.withholds.value) for code, k in KINDS.items()}
    assert _rows() == table


def test_every_finding_bears_a_level_that_the_table_gives_its_code() -> None:
    stated = _levels(_trees())
    assert len(stated) > 60  # the search still finds them
    assert {(code, level) for code, level in stated if level not in {x.value for x in KINDS[code].levels}} == set()


def test_only_what_can_be_serious_withholds_anything() -> None:
    for kind in KINDS.values():
        assert kind.withholds is Withholds.NOTHING or Level.SERIOUS in kind.levels, kind.code


def test_every_code_of_a_finding_is_documented() -> None:
    documented = set(re.findall(r"^\| `([a-z0-9-]+)`", _DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    used = _codes(_trees())
    assert len(used) > 60  # the search still finds them
    assert used - documented == set()


def test_no_code_is_documented_that_nothing_bears() -> None:
    documented = set(re.findall(r"^\| `([a-z0-9-]+)`", _DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    texts = {
        node.value
        for tree in _trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert documented - texts == set()
