"""`dvhkit dvh --compare-profiles` tells what each convention of the engine makes of the same plan."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dvhkit.engine.options import PROFILES

TWO = ("--roi", "PTV", "--metric", "Volume[cc]", "--metric", "D95%[Gy]")


@pytest.fixture
def document(dvhkit, demo_case_dir):
    ended = dvhkit("dvh", demo_case_dir, *TWO, "--compare-profiles", "--json", "-")
    assert ended.code == 0
    return json.loads(ended.out)


def test_each_row_says_which_profile_it_is_of(document):
    assert document["schema"] == "dvhkit/metrics/1"
    found = [(row["profile"], row["roi"], row["metric"]) for row in document["rows"]]
    assert found == [(name, "PTV", metric) for name in PROFILES for metric in ("Volume[cc]", "D95%[Gy]")]


@pytest.mark.parametrize("name", list(PROFILES))
def test_a_row_has_the_number_that_engine_alone_gives(document, dvhkit, demo_case_dir, name):
    alone = json.loads(dvhkit("dvh", demo_case_dir, *TWO, "--engine", name, "--json", "-").out)["rows"]
    compared = [row for row in document["rows"] if row["profile"] == name]
    assert [row["value"] for row in compared] == [row["value"] for row in alone]


def test_the_spread_runs_from_least_to_greatest_and_no_caps_mean_least_volume(document):
    for spread in document["spread"]:
        values = [row["value"] for row in document["rows"] if row["metric"] == spread["metric"]]
        assert (spread["low"], spread["high"]) == (min(values), max(values))
    volumes = {row["profile"]: row["value"] for row in document["rows"] if row["metric"] == "Volume[cc]"}
    assert volumes["prism-no-cap"] == min(volumes.values())
    assert volumes["prism-no-cap"] < volumes["prism"]


def test_the_table_has_a_column_a_profile(dvhkit, demo_case_dir):
    ended = dvhkit("dvh", demo_case_dir, *TWO, "--compare-profiles")
    assert ended.code == 0
    for part in ("reference", "shape-", "half-slice", "prism-", "no-cap", "spread", "D95%[Gy]"):
        assert part in ended.out


def test_a_structure_without_contours_is_told_not_counted(dvhkit, demo_case_dir):
    words = ("dvh", demo_case_dir, "--roi", "Bowel_Small", *TWO, "--compare-profiles")
    document = json.loads(dvhkit(*words, "--json", "-").out)
    assert {row["roi"] for row in document["rows"] if row["value"] is None} == {"Bowel_Small"}
    assert {spread["roi"] for spread in document["spread"] if spread["low"] is None} == {"Bowel_Small"}
    assert dvhkit(*words).out.count("Bowel_Small: the structure is empty") == 1


@pytest.mark.parametrize("option", [("--engine", "prism"), ("--csv", "-"), ("--curves", "-")])
def test_options_of_one_profile_are_refused(dvhkit, demo_case_dir, option):
    ended = dvhkit("dvh", demo_case_dir, *TWO, "--compare-profiles", *option)
    assert (ended.code, ended.out) == (2, "")
    assert option[0] in ended.err


def test_help_lists_the_profiles_and_imports_no_numba(dvhkit):
    text = " ".join(dvhkit("dvh", "--help").out.replace("│", " ").split())
    assert ", ".join(PROFILES) in text
    program = "import sys; import dvhkit.cli.app, dvhkit.cli.one_plan.dvh; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_spread_is_not_cut_off_on_eighty_columns(dvhkit, demo_case_dir, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = dvhkit("dvh", demo_case_dir, "--roi", "Body", "--metric", "Volume[cc]", "--compare-profiles").out
    written = json.loads(
        dvhkit("dvh", demo_case_dir, "--roi", "Body", "--metric", "Volume[cc]", "--compare-profiles", "--json", "-").out
    )
    (spread,) = written["spread"]
    reference = next(row["value"] for row in written["rows"] if row["profile"] == "reference")
    assert f"{100 * (spread['high'] - spread['low']) / reference:.2f}" in shown
