"""Which numbers changed from release to release: from docs/numbers.yml, and what the changelog says of numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from dvhkit.engine.numerics import NUMERICS_VERSION
from site_pages.text import cell, table

_HEAD = """# Numbers that changed

The numbers of this version are **numerics version {now}**. A run's store names the version of its numbers; results of
another version are computed anew, and `dvhkit diff` then tells the version as a cause.

After an update, see what it means for your plans and this installation:

    dvhkit commission --out commissioning-new --compare commissioning --plans FOLDER
    dvhkit diff OLD-RUN NEW-RUN

## By version of the numbers

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersChange:
    """What one version of the numbers changed."""

    version: int
    since: str
    what: str
    affects: str
    size: str


def changes(root: Path) -> list[NumbersChange]:
    """Return the register, oldest first; raises `ValueError` if it does not end with the version in force."""
    rows = [NumbersChange(**row) for row in YAML(typ="safe").load(root / "docs" / "numbers.yml")]
    if [row.version for row in rows] != list(range(1, NUMERICS_VERSION + 1)):
        raise ValueError(f"docs/numbers.yml must have a row for each numerics version from 1 to {NUMERICS_VERSION}.")
    return rows


def told(root: Path) -> list[tuple[str, str]]:
    """Return release and text of what the changelog has under its headings "Numbers"."""
    text = (root / "CHANGELOG.md").read_text("utf-8")
    found = []
    for release in re.split(r"(?m)^## ", text)[1:]:
        name, _, body = release.partition("\n")
        for part in re.split(r"(?m)^### ", body)[1:]:
            heading, _, bullets = part.partition("\n")
            if heading.strip() == "Numbers":
                found += [(name.strip(), " ".join(b.split())) for b in re.split(r"(?m)^- ", bullets)[1:]]
    return found


def page(root: Path) -> str:
    """Return the Markdown of the page."""
    rows = [
        (str(row.version), cell(row.since), cell(row.what), cell(row.affects), cell(row.size))
        for row in reversed(changes(root))
    ]
    text = _HEAD.format(now=NUMERICS_VERSION) + table(
        ("version", "since release", "what", "whom it affects", "how much"), rows
    )
    words = told(root)
    if words:
        text += "\n## As the changelog tells it\n\n" + table(
            ("release", "what"), [(cell(a), cell(b)) for a, b in words]
        )
    return text
