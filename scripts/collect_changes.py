"""Move the fragments of changes/ into CHANGELOG.md: `make changelog`, for a release `make changelog VERSION=0.2.0`.

A fragment is a file NAME.KIND.md; see changes/README.md.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADINGS = {
    "numbers": "Numbers",
    "added": "Added",
    "changed": "Changed",
    "fixed": "Fixed",
    "removed": "Removed",
}
_UNRELEASED = "## Unreleased\n"
_NAME = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)\.(?P<kind>[a-z]+)\.md")


def fragments(folder: Path) -> dict[Path, str]:
    """Return the kind of each fragment by its path; raises `ValueError` for a file that is none."""
    found = {}
    for path in sorted(folder.glob("*")):
        if path.name == "README.md":
            continue
        match = _NAME.fullmatch(path.name)
        if match is None or match["kind"] not in HEADINGS:
            raise ValueError(f"{path.name} is not called NAME.KIND.md with one of {', '.join(HEADINGS)}.")
        if not path.read_text("utf-8").strip():
            raise ValueError(f"{path.name} is empty.")
        found[path] = match["kind"]
    return found


def collected(changelog: str, texts: list[tuple[str, str]]) -> str:
    """Return the changelog with the texts, pairs of kind and words, at the top of their headings under Unreleased."""
    if changelog.count(_UNRELEASED) != 1:
        raise ValueError("CHANGELOG.md has no heading '## Unreleased', or several.")
    before, rest = changelog.split(_UNRELEASED)
    body, *later = re.split(r"(?m)^(?=## )", rest, maxsplit=1)
    for kind in reversed(HEADINGS):
        words = [text for of, text in texts if of == kind]
        if words:
            body = _added(body, f"### {HEADINGS[kind]}\n", "".join(map(_bullet, words)))
    return before + _UNRELEASED + body + "".join(later)


def released(changelog: str, version: str, day: str) -> str:
    """Return the changelog with what was unreleased as a release, and an empty Unreleased above it."""
    return changelog.replace(_UNRELEASED, f"{_UNRELEASED}\n## {version} ({day})\n", 1)


def _added(body: str, heading: str, bullets: str) -> str:
    if heading in body:
        return body.replace(f"{heading}\n", f"{heading}\n{bullets}", 1)
    return f"\n{heading}\n{bullets}{body}"


def _bullet(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 120, initial_indent="- ", subsequent_indent="  ") + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default="", help="name the release as well")
    version = parser.parse_args().version
    path = ROOT / "CHANGELOG.md"
    found = fragments(ROOT / "changes")
    text = collected(path.read_text("utf-8"), [(kind, file.read_text("utf-8")) for file, kind in found.items()])
    if version:
        text = released(text, version, datetime.now(UTC).date().isoformat())
    path.write_text(text, "utf-8")
    for file in found:
        file.unlink()
    print(f"CHANGELOG.md: {len(found)} fragments" + (f", released as {version}" if version else ""))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
