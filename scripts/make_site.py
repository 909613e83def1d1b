"""Gather docs/ and the pages made from the code, and build the site: `make docs`.

The result is build/site/index.html. Nothing is fetched, by the build or by the pages. A warning, a broken link or a
missing anchor stops the build.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from site_pages import commands, limits, metrics, numbers, outside, requirements

ROOT = Path(__file__).resolve().parents[1]
# Files beside docs/ that the site shows too, and what they are called there.
BESIDE = {
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "test_data/README.md": "demo-data.md",
    "examples/README.md": "examples.md",
}
_LINK = re.compile(r"\]\((\.\./)+([^)#\s]+)")


def write_sources(folder: Path) -> None:
    """Write every page of the site as Markdown into a folder, which must be empty or missing."""
    shutil.copytree(ROOT / "docs", folder, dirs_exist_ok=True)
    for path in folder.glob("*.md"):
        path.write_text(_inside(path.read_text("utf-8")), "utf-8")
    for source, name in BESIDE.items():
        (folder / name).write_text(_alone((ROOT / source).read_text("utf-8")), "utf-8")
    for name, text in made_pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def made_pages() -> dict[str, str]:
    """Return path and Markdown of the pages that are made from the code."""
    return {
        **commands.pages(),
        **metrics.pages(),
        "limits.md": limits.page(ROOT),
        "numbers-changed.md": numbers.page(ROOT),
        "requirements.md": requirements.page(ROOT),
        "other-programs.md": outside.page(ROOT / "findings"),
    }


def _inside(text: str) -> str:
    """Let links that leave docs/ lead to the page's copy in the site, or to nothing where there is none."""
    return _LINK.sub(lambda found: f"]({BESIDE.get(found[2], 'index.md')}", text)


def _alone(text: str) -> str:
    """Return a page from beside docs/ with its links as words: they lead to files that the site does not hold."""
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text))


def _settings(sources: Path) -> str:
    """Return mkdocs.yml with the pages made from the code in its navigation."""
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    for part in ("commands", "metric"):
        first = ("overview.md",) if part == "commands" else ("index.md",)
        names = sorted(path.name for path in (sources / part).glob("*.md"))
        pages = ", ".join(f"{part}/{name}" for name in sorted(names, key=lambda name: name not in first))
        text = text.replace(f'"*{part}"', f"[{pages}]" if part == "commands" else f"Every metric: [{pages}]")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    out = parser.parse_args().out.resolve()
    sources = out / "docs"
    shutil.rmtree(sources, ignore_errors=True)
    write_sources(sources)
    (out / "mkdocs.yml").write_text(_settings(sources), "utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(out / "mkdocs.yml")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    code = subprocess.run([*command, "-d", str(out / "site")], check=False, env=quiet).returncode
    if code == 0:
        print(f"The site is {out / 'site' / 'index.html'}; its search works when served: make docs-serve")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
