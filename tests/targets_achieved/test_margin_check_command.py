"""`dvhkit margin check` and the rule on margins, on files."""

import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from dvhkit.cli.targets.margin_check import check
from dvhkit.errors import InputError
from dvhkit.jobs.audit import audit_case
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.readers.case import read_case
from dvhkit.results.audit import Verdict
from dvhkit.targets.achieved.check import achieved_margin
from dvhkit.targets.regions.expression import RoiRef


@pytest.fixture(scope="module")
def run() -> Callable[..., SimpleNamespace]:
    app = typer.Typer()
    app.command()(check)

    def run(*words: object) -> SimpleNamespace:
        ended = CliRunner().invoke(app, [str(w) for w in words], env={"COLUMNS": "110"})
        if isinstance(ended.exception, Exception) and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return SimpleNamespace(code=ended.exit_code, out=ended.stdout)

    return run


@pytest.fixture(scope="module")
def demo(request):
    return read_case(request.getfixturevalue("demo_case_dir"))


def test_the_planted_fault_of_the_demo_is_found(run, demo_case_dir):
    ended = run(demo_case_dir, "--inner", "CTV", "--outer", "PTV", "--expect", "2..5", "--json", "-")
    document = json.loads(ended.out)
    assert ended.code == 1
    assert document["verdict"] == "fail"
    assert document["recipe"] == "5 mm all round"
    assert set(document["directions"]) == {"left", "right", "anterior", "posterior", "superior", "inferior"}
    assert set(document["recovered_mm"]) == set(document["directions"])
    for name, mm in document["recovered_mm"].items():
        assert mm == pytest.approx(5.0, abs=1.5 if name in ("superior", "inferior") else 0.3)
    (crop,) = document["crops"]
    assert crop["explained"] is False
    # Planted towards (0.86, 0.22, -0.46) from (-90, 2, -4): 1 mm is left of 5.
    x, y, z = (p - c for p, c in zip(crop["place"]["point_mm"], (-90.0, 2.0, -4.0), strict=True))
    cosine = (0.86 * x + 0.22 * y - 0.46 * z) / (x * x + y * y + z * z) ** 0.5
    assert cosine > 0.8
    assert crop["margin_mm"] == pytest.approx(1.0, abs=0.4)
    assert document["missing_cc"] > 0.1
    assert document["outside_cc"] == 0


def test_structures_from_one_file_alone_and_by_number(run, demo_case_dir, tmp_path):
    ended = run("--rtstruct", demo_case_dir / "RTSTRUCT.dcm", "--inner", "#3", "--outer", "#4", "--expect", "4..6")
    assert ended.code == 0, ended.out
    assert "GTV to CTV: PASS" in ended.out
    assert "5 mm all round" in ended.out


def test_all_pairs_are_checked_where_none_is_named(run, demo_case_dir):
    document = json.loads(run(demo_case_dir, "--expect", "2..5", "--json", "-").out)
    assert [(p["inner"], p["outer"]) for p in document["pairs"]] == [("GTV", "CTV"), ("CTV", "PTV")]
    # The range is that of the PTV: a CTV has its own.
    assert [p["verdict"] for p in document["pairs"]] == ["not-evaluable", "fail"]
    assert all(link["kept"] for link in document["containment"])
    assert document["verdict"] == "fail"


def test_a_folder_gets_the_result_and_its_pictures(run, demo_case_dir, tmp_path):
    run(demo_case_dir, "--inner", "CTV", "--outer", "PTV", "--out", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["margin.json", "margin.png", "margin.svg"]


def test_setup_errors_stand_beside_the_recovered_margin(run, demo_case_dir):
    words = ["--inner", "CTV", "--outer", "PTV", "--systematic", "2", "--random", "2,2,3", "--min-d98", "47.5"]
    view = json.loads(run(demo_case_dir, *words, "--json", "-").out)["setup_error"]
    assert view["van_herk_mm"]["superior-inferior"] == pytest.approx(7.1)
    assert 0.5 < view["probability"] < 1


def test_an_empty_structure_is_not_evaluable_and_no_crash(run, demo_case_dir):
    document = json.loads(run(demo_case_dir, "--inner", "Bowel_Small", "--outer", "PTV", "--json", "-").out)
    assert document["verdict"] == "not-evaluable"
    assert "no contour" in document["reasons"][0]
    assert document["missing_cc"] is None


@pytest.mark.parametrize(
    "words",
    [
        ["--inner", "CTV"],
        ["--inner", "CTV", "--outer", "PVT"],
        ["--inner", "CTV", "--outer", "PTV", "--expect", "5..2"],
        ["--inner", "CTV", "--outer", "PTV", "--systematic", "x"],
        ["--inner", "CTV", "--outer", "PTV", "--min-d98", "40"],
    ],
)
def test_what_cannot_be_meant_is_refused(run, demo_case_dir, words):
    with pytest.raises(InputError):
        run(demo_case_dir, *words)


def test_the_rule_on_margins_fails_the_demo_and_says_where(demo):
    record = audit_case(demo, "oligoprogressive-liver-2025", context={"child_pugh_b7_worse": True})
    (row,) = [r for r in record.rules if r.rule_id == "W25-M3"]
    assert row.verdict is Verdict.FAIL
    assert row.value == pytest.approx(1.0, abs=0.4)
    assert row.low <= row.value <= row.high
    assert "left" in row.reason
    assert "5 mm all round" in row.note
    assert "superior" in row.note


def test_a_margin_that_cannot_be_measured_is_a_reason_of_the_rule(demo):
    empty, ptv = (demo.structures[name] for name in ("Bowel_Small", "PTV"))
    fact = CaseNumbers(demo).margin(RoiRef(empty.number, empty.name), RoiRef(ptv.number, ptv.name), "2..5")
    assert fact.verdict is Verdict.NOT_EVALUABLE
    assert fact.reason_code == "empty-structure"


@pytest.mark.real
def test_a_clinical_target_shows_its_margin_and_both_its_cuts(real_data):
    case = read_case(real_data / "breast_tps_dvh")
    inner, outer = case.structures["Tumor Bed"], case.structures["Tumor Bed Block"]
    check_ = achieved_margin(inner, outer, others=tuple(case.structures))
    assert check_.recipe == "10 mm all round"
    cuts = {c.structure: c.gap_mm for c in check_.crops if c.explained}
    assert cuts["Lt Lung"] == pytest.approx(5, abs=0.6)
    assert cuts["BODY"] == pytest.approx(-5, abs=0.6)


def test_a_margin_that_nobody_asked_for_is_headed_measured_and_a_short_direction_is_no_bare_pass(run, demo_case_dir):
    measured = run(demo_case_dir, "--inner", "GTV", "--outer", "CTV")
    assert "GTV to CTV: MEASURED" in measured.out
    assert "NOT" not in measured.out.splitlines()[0]
    asked = run(demo_case_dir, "--inner", "CTV", "--outer", "PTV", "--expect", "2..5")
    by_name = {line.split()[0]: line for line in asked.out.splitlines() if line}
    assert asked.out.count("% of the surface") == 1, "one place, one share"
    assert by_name["left"].rstrip().endswith("pass, short")
    assert by_name["right"].rstrip().endswith("pass")
