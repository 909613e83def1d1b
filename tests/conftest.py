"""Shared fixtures: where third-party plans lie, and the rule that CI never skips them."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The same examples everywhere and each time: what passes here passes there. `--hypothesis-profile=search` looks for new
# ones.
settings.register_profile("steady", derandomize=True)
settings.register_profile("search", derandomize=False, print_blob=True)
settings.load_profile("steady")

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


# Here commands, pages and rules are tried, most on the shipped plan, and the engine has tests of its own.
_ENGINE_IS_NOT_TRIED = {"cli", "docs", "outputs", "protocols"}
_dvhs: dict[bytes, Any] = {}


@pytest.fixture(autouse=True)
def _each_dvh_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute the DVH of the same contours in the same dose once a session, where the engine is not what is tried."""
    if request.path.parent.name not in _ENGINE_IS_NOT_TRIED:
        return
    from dvhkit.engine import dvh

    whole = dvh.compute_dvh

    def compute_dvh(structure: Any, dose: Any, **options: Any) -> Any:
        key = hashlib.sha256(pickle.dumps((structure, dose, sorted(options.items())))).digest()
        if key not in _dvhs:
            _dvhs[key] = whole(structure, dose, **options)
        return _dvhs[key]

    monkeypatch.setattr(dvh, "compute_dvh", compute_dvh)
