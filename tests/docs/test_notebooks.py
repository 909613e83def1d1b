"""The notebooks of examples/: sound and stripped always, executed in the slow run."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import dvhkit

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def cells_of(path):
    return json.loads(path.read_text("utf-8"))["cells"]


def test_every_notebook_is_named_in_the_readme():
    text = (EXAMPLES / "README.md").read_text("utf-8")
    assert len(NOTEBOOKS) >= 5
    assert re.findall(r"`(\d\d_\w+\.ipynb)`", text) == [path.name for path in NOTEBOOKS]


def test_a_notebook_is_valid_python_without_outputs_and_names_only_what_dvhkit_has(notebook):
    code = [cell for cell in cells_of(notebook) if cell["cell_type"] == "code"]
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
    tree = ast.parse("\n".join("".join(cell["source"]) for cell in code))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "dvhkit"
    }
    assert used
    assert [name for name in used if name not in dvhkit.__all__] == []


@pytest.mark.slow
def test_a_notebook_runs(notebook, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    document = nbformat.read(notebook, as_version=4)
    nbformat.validate(document)
    nbclient.NotebookClient(document, timeout=600, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
