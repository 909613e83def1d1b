"""Fixtures of the archive's tests."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from small_plans import PROTOCOL, Audit, write_plan

from dvhkit.archive.run import RunOptions, RunReport, run_archive
from dvhkit.jobs.batch import AuditOptions
from dvhkit.protocols.files.load import load_protocol


@pytest.fixture
def protocol_file(tmp_path: Path) -> Path:
    path = tmp_path / "three.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    return path


@pytest.fixture
def audit(protocol_file: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Return what audits folders into a run, in this process."""
    monkeypatch.setenv("DVHKIT_IDENTITY_KEY", "a secret of the tests")

    def run(plans: Path, out: Path, how: RunOptions | None = None, **asked: object) -> RunReport:
        def options_of(case_ids: Sequence[str]) -> tuple[dict[str, AuditOptions], dict[str, str]]:
            options = AuditOptions(protocol=load_protocol(protocol_file), **asked)  # type: ignore[arg-type]
            return {"": options}, dict.fromkeys(case_ids, "")

        return run_archive([plans], out, options_of, how or RunOptions(jobs=0))

    return run


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
