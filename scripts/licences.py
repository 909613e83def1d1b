"""Write docs/licences.md: every direct dependency, by extra, with the licence that its own metadata states."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Stated by their projects; these need libraries of the system, and so may be missing where this page is made.
_KNOWN = {"weasyprint": "BSD-3-Clause"}
_DEVELOPERS = ("dev", "docs", "notebooks", "all")


def dependencies() -> list[tuple[str, str]]:
    """Return (name, extra) of every direct dependency that users install; the extra is empty for those of an audit."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    named = [(_name(text), extra) for extra, texts in groups.items() if extra not in _DEVELOPERS for text in texts]
    return [(name, extra) for name, extra in named if name != project["name"]]


def licence(name: str) -> str:
    """Return what the installed package says of its licence, in a few words."""
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        return _KNOWN.get(name, "not installed here")
    trove = [line.split(" :: ")[-1] for line in stated.get_all("Classifier") or [] if line.startswith("License ::")]
    text = stated.get("License-Expression") or ", ".join(trove) or (stated.get("License") or "").split("\n")[0]
    return text[:80].replace("|", "/") or "not stated"


def page() -> str:
    rows = [f"| {name} | {extra or 'always'} | {licence(name)} |" for name, extra in dependencies()]
    head = (
        "# Licences of what dvhkit uses\n\nAs the packages' own metadata state them; none is shipped with dvhkit. Made "
        "by `make licences`; what they need in turn is in the bill of materials that `make sbom` writes.\n\n"
    )
    return head + "| package | extra | licence |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _name(text: str) -> str:
    return re.split(r"[\[<>=!~ ;]", text, maxsplit=1)[0]


if __name__ == "__main__":
    (ROOT / "docs" / "licences.md").write_text(page(), "utf-8")
