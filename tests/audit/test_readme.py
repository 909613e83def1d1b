"""What the README shows works as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_ten_lines_of_python_run(monkeypatch, tmp_path, capsys):
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert len([line for line in block.splitlines() if line.strip()]) <= 12
    (tmp_path / "test_data").symlink_to(ROOT / "test_data")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert "PTV" in capsys.readouterr().out
    assert (tmp_path / "ptv_curve.csv").stat().st_size > 1000


@pytest.mark.parametrize("page", sorted(p.name for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]))
def test_every_relative_link_leads_somewhere(page):
    # `make docs` makes some pages of its own, and holds their links itself.
    made = set(re.findall(r"\b[\w-]+\.md\b", (ROOT / "mkdocs.yml").read_text()))
    path = next(p for p in (ROOT / page, ROOT / "docs" / page) if p.exists())
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")) and target not in made:
            assert (path.parent / target).exists(), f"{page} links to {target}"
