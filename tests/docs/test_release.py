"""What goes with a release: versions that agree, licences of all that is used, an image without rights."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import licences  # noqa: E402
import wheel_smoke  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_citation_has_the_version_and_licence_of_the_project():
    cited = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert (cited["version"], cited["license"], cited["title"][:6]) == (
        PROJECT["version"],
        PROJECT["license"],
        "dvhkit",
    )


def test_all_brings_every_extra_that_users_can_ask_for():
    extras = PROJECT["optional-dependencies"]
    by_extra, structured_reports = extras["all"]
    named = set(re.search(r"\[(.+)\]", by_extra)[1].split(","))
    # pdf needs libraries of the system, the others are for developers; sr has no wheel on Python 3.14.
    assert named == set(extras) - {"all", "dev", "docs", "notebooks", "pdf", "sr"}
    assert [structured_reports] == [f"{line}; python_version < '3.14'" for line in extras["sr"]]


def test_every_dependency_stands_with_its_licence():
    text = (ROOT / "docs" / "licences.md").read_text("utf-8")
    missing = [name for name, extra in licences.dependencies() if f"| {name} | {extra or 'always'} |" not in text]
    assert missing == []
    assert "not stated" not in text
    assert "not installed" not in text


def test_the_image_runs_without_rights_and_starts_the_command():
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    last_user = [line for line in lines if line.startswith("USER")][-1]
    assert last_user.split()[1] not in {"root", "0"}
    assert lines.index(last_user) > max(k for k, line in enumerate(lines) if line.startswith("RUN"))
    assert 'ENTRYPOINT ["dvhkit-start"]' in lines


def test_the_image_may_have_another_base_and_keeps_nothing_of_a_home():
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert re.findall(r"(?m)^FROM (\S+)", text) == ["${BASE}", "${BASE}"]
    audit = next(step for step in re.split(r"\nRUN ", text) if step.startswith("mkdir /tmp/made"))
    assert "HOME=/tmp/made" in audit
    assert "rm -rf /tmp/data /tmp/made" in audit
    assert "test ! -e /tmp/.config" in audit


def test_the_start_script_makes_kernels_writable_once_and_hands_arguments_on(tmp_path):
    program = tmp_path / "dvhkit"
    program.write_text('#!/bin/sh\necho "$NUMBA_CACHE_DIR" "$@"\n')
    program.chmod(0o755)
    (tmp_path / "kernels").mkdir()
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    command = [ROOT / "scripts" / "container_start.sh", "audit", "a folder"]
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert said == f"{tmp_path / 'kernels'} audit a folder\n"


@pytest.mark.slow
def test_the_wheel_audits_in_a_clean_environment(tmp_path):
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel_smoke.smoke(wheel, tmp_path) == 0
