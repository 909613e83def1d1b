"""Changelog fragments and the register of changed numbers: nothing lost, nothing unsaid."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import collect_changes  # noqa: E402
from site_pages import numbers  # noqa: E402

CHANGELOG = "# Changelog\n\n## Unreleased\n\n### Added\n\n- Old.\n\n## 0.1.0 (2026-01-01)\n\n### Added\n\n- First.\n"


def test_the_fragments_of_this_project_are_named_as_they_should_be():
    collect_changes.fragments(ROOT / "changes")


def test_fragments_stand_under_their_headings_and_all_else_stays():
    text = collect_changes.collected(CHANGELOG, [("added", "New\nthing."), ("numbers", "Ends are longer.")])
    assert text == (
        "# Changelog\n\n## Unreleased\n\n### Numbers\n\n- Ends are longer.\n\n### Added\n\n- New thing.\n- Old.\n\n"
        "## 0.1.0 (2026-01-01)\n\n### Added\n\n- First.\n"
    )
    assert collect_changes.collected(CHANGELOG, []) == CHANGELOG


def test_a_release_takes_what_was_unreleased():
    text = collect_changes.released(CHANGELOG, "0.2.0", "2026-12-01")
    assert "## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n### Added\n\n- Old.\n" in text


@pytest.mark.parametrize(("name", "words"), [("x.story.md", "text"), ("x.md", "text"), ("x.added.md", "  ")])
def test_what_is_no_fragment_is_refused(tmp_path, name, words):
    (tmp_path / name).write_text(words)
    with pytest.raises(ValueError, match=r"NAME\.KIND|empty"):
        collect_changes.fragments(tmp_path)


@pytest.mark.requirement("R10")
def test_every_version_of_the_numbers_says_what_it_changed(monkeypatch):
    assert all(len(row.what) > 20 for row in numbers.changes(ROOT))
    monkeypatch.setattr(numbers, "NUMERICS_VERSION", numbers.NUMERICS_VERSION + 1)
    with pytest.raises(ValueError, match="a row for each"):
        numbers.changes(ROOT)
