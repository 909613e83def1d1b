"""What the scripts in findings/ show about other programs, from their own first lines."""

from __future__ import annotations

from pathlib import Path

from site_pages.text import cell, table

_HEAD = """# Other programs, as found

Each row is a script in `findings/` that installs the named versions in a temporary folder and shows what they do with a
small valid file, without dvhkit. It ends with 0 while that is so, and fails when a version behaves otherwise. What it
means for your files is told in [Other readers](interop.md).

"""


def described(folder: Path) -> list[tuple[str, str]]:
    """Return name and description of every script: the comment that it begins with."""
    rows = []
    for path in sorted(folder.glob("*.sh")):
        comment = []
        for line in path.read_text("utf-8").splitlines()[1:]:
            if not line.startswith("#"):
                break
            comment.append(line.lstrip("# "))
        rows.append((path.name, " ".join(comment)))
    return rows


def page(folder: Path) -> str:
    """Return the Markdown of the table."""
    rows = [(f"`findings/{name}`", cell(text)) for name, text in described(folder)]
    return _HEAD + table(("script", "what it shows"), rows)
