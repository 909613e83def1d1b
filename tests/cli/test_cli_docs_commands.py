"""Commands and Python that the README and the documentation show run as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pydicom
import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
# What the examples call their plans: the demo plan stands for each.
PLANS = ("case7", "first", "boost")
SETS = ("RS.dcm", "RS_a.dcm", "RS_b.dcm", "RS_c.dcm", "RS_first.dcm", "RS_second.dcm", "reference.dcm")
NAMED = dict.fromkeys(SETS, "RTSTRUCT.dcm")
NAMED["RD.dcm"] = "RTDOSE.dcm"


def blocks(path: Path, language: str) -> list[str]:
    """Return the code blocks of a page that are marked with `language`; empty stands for none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block for marked, block in fenced if marked == language]


def commands(path: Path) -> list[str]:
    """Return the lines of a page's code blocks that call dvhkit, without those that only show the form."""
    lines = [line for block in blocks(path, "sh") + blocks(path, "") for line in block.splitlines()]
    ours = [line for line in lines if line.startswith("dvhkit ") and line.split()[1] not in NEEDS_OTHERS]
    ours = [line for line in ours if not set(FILES_OF_OTHERS) & set(line.split())]
    return [line for line in ours if "PATH" not in line and "[--" not in line]


@pytest.fixture
def clinic(tmp_path, monkeypatch, demo_case_dir):
    """Stand in a folder with plans as the examples name them; `many` holds one plan only, to keep a batch short."""
    (tmp_path / "plans").mkdir()
    for name in PLANS:
        (tmp_path / "plans" / name).symlink_to(demo_case_dir, target_is_directory=True)
    (tmp_path / "test_data").symlink_to(ROOT / "test_data", target_is_directory=True)
    for name, stored in NAMED.items():
        shutil.copy(demo_case_dir / stored, tmp_path / name)
    for name in ("RS_b.dcm", "RS_c.dcm"):  # other observers' sets, not copies of one
        drawn = pydicom.dcmread(tmp_path / name)
        drawn.SOPInstanceUID = drawn.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        drawn.save_as(tmp_path / name)
    shutil.copy(ROOT / "dvhkit" / "protocols" / "criteria" / "example.yaml", tmp_path / "grades.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What waits for a sender, or reads files of other programs; each has tests of its own.
NEEDS_OTHERS = ("listen", "send", "fetch", "import", "check-dvh", "phantom", "commission")
FILES_OF_OTHERS = ("--tps", "--mask", "--seg")
# Commands that ask a run, which the pages call `results`.
ASKING = ("query", "table", "diff", "cohort", "index")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, demo_case_dir):
    """Return what stands in the folder `results` after the demo plan was audited once."""
    kept = tmp_path_factory.mktemp("run") / "results"

    def made(dvhkit) -> Path:
        if not kept.exists():
            dvhkit("audit", str(demo_case_dir), "--protocol", "tg101-2010", "--out", str(kept))
        return kept

    return made


def run_as_shown(dvhkit, line: str, run_folder) -> None:
    words = shlex.split(line, comments=True)
    if words[1] in ASKING:
        shutil.copytree(run_folder(dvhkit), "results")
    if "approvals.json" in words and "approve" not in words:
        dvhkit("contours", "approve", "RS.dcm", "--record", "approvals.json", "--reviewer", "RO1", "--grade", "GTV=pp")
    if words[1] == "audit":
        (Path("plans") / "boost").unlink()
        (Path("plans") / "first").unlink()
    ended = dvhkit(*words[1:])
    assert ended.code <= 1, ended.err  # 1: the demo plan breaks some rules on purpose
    for option in ("--out", "--csv"):
        if option in words:
            assert Path(words[words.index(option) + 1]).exists()


@pytest.mark.parametrize("line", commands(README))
def test_the_commands_of_the_readme_run(dvhkit, clinic, run_folder, line):
    run_as_shown(dvhkit, line, run_folder)


@pytest.mark.parametrize("line", [c for page in sorted((ROOT / "docs").glob("*.md")) for c in commands(page)])
def test_the_commands_of_the_documentation_run(dvhkit, clinic, run_folder, line):
    run_as_shown(dvhkit, line, run_folder)


@pytest.mark.parametrize("page", ["margins.md", "margin-check.md", "protocols.md", "outputs.md", "archive.md"])
def test_the_python_of_the_documentation_runs(dvhkit, clinic, run_folder, page):
    if page == "archive.md":
        shutil.copytree(run_folder(dvhkit), "results")
    if page == "outputs.md":
        dvhkit("audit", "plans/case7", "--protocol", "song-2025", "--out", "results")
    shown = blocks(ROOT / "docs" / page, "python")
    assert shown
    for block in shown:
        exec(compile(block, page, "exec"), {})


def test_the_pages_show_commands():
    shown = [c for page in (README, *(ROOT / "docs").glob("*.md")) for c in commands(page)]
    assert len(shown) > 12
