"""Shared fixtures: where third-party plans lie, and the rule that CI never skips them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of third-party plans; a test that asks for it is skipped with a reason where it is absent."""
    folder = Path(os.environ.get("DVHKIT_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"third-party plans are not at {folder}; set DVHKIT_REAL_DATA"
        if os.environ.get("DVHKIT_REQUIRE_REAL"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def demo_case_dir() -> Path:
    """The shipped synthetic liver SBRT plan."""
    return ROOT / "test_data" / "liver_sbrt"
