"""The house keeps its rooms: how many files a folder holds, how names begin, how long functions are, who imports whom.

Where a rule does not hold yet, what breaks it is listed here: such a list only ever becomes shorter.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "dvhkit"
MOST_FILES, MOST_OF_A_PREFIX, MOST_LINES, MOST_PARAMETERS = 15, 3, 40, 10

CROWDED: set[str] = set()
# Kernels with more parameters than a reader can hold.
WIDE_KERNELS = {"_node_levels", "_note_parts", "_sections", "_step_levels"}
# Modules that import each other: the solid asks the field for its volume.
CIRCLES = {
    ("dvhkit.engine.field", "dvhkit.engine.solid"),
}
# Commands whose bodies still do more than options, job, view, exit code.
LONG_COMMANDS: set[str] = set()


def modules(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]


def folders() -> list[Path]:
    return [HOUSE, *(f for f in sorted(HOUSE.rglob("*")) if f.is_dir() and f.name != "__pycache__")]


def functions(path: Path) -> list[ast.FunctionDef]:
    return [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef)]


def test_no_folder_holds_more_than_fifteen_files():
    crowded = {str(f.relative_to(HOUSE)) for f in folders() if len(modules(f)) > MOST_FILES}
    assert crowded <= CROWDED


def test_no_more_than_three_files_of_a_folder_begin_with_the_same_word():
    found = []
    for folder in folders():
        begun = Counter(path.stem.split("_")[0] for path in modules(folder) if "_" in path.stem.lstrip("_"))
        found += [f"{folder.relative_to(HOUSE)}/{word}_*" for word, count in begun.items() if count > MOST_OF_A_PREFIX]
    assert found == []


def body_lines(function: ast.FunctionDef) -> int:
    """Return the lines that do something: neither options, which are one a line, nor the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_function_of_the_command_line_is_longer_than_forty_lines():
    long = {
        f"{path.relative_to(HOUSE / 'cli')}: {f.name}"
        for path in sorted((HOUSE / "cli").rglob("*.py"))
        for f in functions(path)
        if body_lines(f) > MOST_LINES
    }
    assert long <= LONG_COMMANDS


def test_a_kernel_takes_ten_parameters_at_most():
    wide = {
        f.name
        for path in sorted((HOUSE / "engine" / "kernels").rglob("*.py"))
        for f in functions(path)
        if len(f.args.args) > MOST_PARAMETERS
    }
    assert wide <= WIDE_KERNELS


def imported(path: Path, known: set[str]) -> set[str]:
    """Return the modules of the house that a file imports anywhere in it, under TYPE_CHECKING and in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dvhkit"):
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (below & known) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("dvhkit.")}
    return found & known


def test_no_modules_import_each_other():
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in HOUSE.rglob("*.py")}
    paths = {name.removesuffix(".__init__"): path for path, name in names.items() if path.parent != HOUSE}
    known = set(paths)
    below = {name: imported(path, known) - {name} for name, path in paths.items()}

    def reached(name: str) -> set[str]:
        seen: set[str] = set()
        left = [*below[name]]
        while left:
            if (one := left.pop()) not in seen:
                seen.add(one)
                left += below[one]
        return seen

    strange = [n for n in below if n in reached(n) and not any(n.startswith(pair) for pair in CIRCLES)]
    assert strange == []


# Engine modules that no test names: each is reached through others, and wants a test of its own.
UNNAMED = {
    "contours.runs", "distance", "field.faces", "field.joined", "kernels.drawn.chords", "kernels.field.bins",
    "kernels.solid.level", "kernels.solid.reconstruct", "mask_outline", "sampled",
    "solid.links", "solid.parts", "solid.window",
}  # fmt: skip


def test_every_module_of_the_engine_is_named_in_a_test():
    written = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("*.py") if p != Path(__file__))
    bare = set()
    for path in (HOUSE / "engine").rglob("*.py"):
        parent, leaf = ".".join(path.parent.relative_to(ROOT).parts), path.stem
        if leaf != "__init__" and f"{parent}.{leaf}" not in written and f"from {parent} import {leaf}" not in written:
            bare.add(f"{parent}.{leaf}".removeprefix("dvhkit.engine."))
    assert bare <= UNNAMED


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("dvhkit.protocols.evaluate", "numba shapely pydicom"),
        ("dvhkit.protocols.files.load", "numba shapely pydicom"),
        ("dvhkit.protocols.lint.protocol", "numba shapely pydicom"),
        ("dvhkit.metrics.evaluate", "numba shapely pydicom"),
        ("dvhkit.results.audit", "numpy numba shapely pydantic"),
        ("dvhkit.outputs.records", "numpy numba shapely pydantic"),
        ("dvhkit.cli.app", "numpy numba shapely pydicom rich"),
    ],
)
def test_what_a_room_needs_not_is_not_loaded_with_it(module, never):
    program = f"import sys, {module}; print(sorted(set({never.split()!r}) & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
