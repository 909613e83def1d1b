"""Fixtures of the archive's tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_plans import PROTOCOL, Audit, audit_with, write_plan


@pytest.fixture
def protocol_file(tmp_path: Path) -> Path:
    path = tmp_path / "three.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    return path


@pytest.fixture
def audit(protocol_file: Path) -> Audit:
    """Return what audits folders into a run, in this process."""
    return audit_with(protocol_file)


@pytest.fixture(scope="session")
def three_plans_written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive")
    for n in (1, 2, 3):
        write_plan(root / f"case-{n}")
    return root


@pytest.fixture
def three_plans(three_plans_written: Path, tmp_path: Path) -> Path:
    """A copy of three sound plans, to be changed at will."""
    return Path(shutil.copytree(three_plans_written, tmp_path / "plans"))


@pytest.fixture(scope="session")
def audited_once(three_plans_written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the three sound plans; to be looked at, not to be changed."""
    folder = tmp_path_factory.mktemp("audited")
    (folder / "three.yaml").write_text(PROTOCOL, encoding="utf-8")
    audit_with(folder / "three.yaml")(three_plans_written, folder / "run")
    return folder / "run"


@pytest.fixture
def audited(audited_once: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be gone on with over `three_plans`."""
    return Path(shutil.copytree(audited_once, tmp_path / "run"))
