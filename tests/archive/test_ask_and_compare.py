"""query, table, diff and cohort over small stores whose numbers are known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_plans import PROTOCOL, Audit, audit_with, write_plan

from dvhkit.archive.cohort import bands_document, cohort_of, curve_table, read_bands, wilson_interval
from dvhkit.archive.diff import diff_runs, parse_tolerance
from dvhkit.archive.plans_csv import options_for, read_plans
from dvhkit.archive.storage.query import query, store_at, verdict_table, write_xlsx
from dvhkit.errors import InputError
from dvhkit.jobs.batch import AuditOptions
from dvhkit.outputs.runs.run_diff import diff_document, diff_markdown, diff_view
from dvhkit.protocols.files.load import load_protocol


@pytest.fixture
def two_runs(two_runs_once: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run, and one after: case 1 got a colder dose, case 2 a smaller organ, case 3 went, case 4 came."""
    shutil.copytree(two_runs_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "a", tmp_path / "b"


@pytest.fixture(scope="module")
def two_runs_once(audited_once: Path, three_plans_written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two-runs")
    plans = Path(shutil.copytree(three_plans_written, tmp_path_factory.mktemp("changed") / "plans"))
    for name in ("a", "b"):
        shutil.copytree(audited_once, folder / name)
    write_plan(plans / "case-1", dose_gy=44.0)
    write_plan(plans / "case-2", organ_mm=4.0)
    shutil.rmtree(plans / "case-3")
    write_plan(plans / "case-4")
    audit_with(audited_once.parent / "three.yaml")(plans, folder / "b")
    return folder


def test_diff_tells_each_change_with_its_cause(two_runs):
    found = diff_runs(*two_runs)
    assert (found.only_a, found.only_b, found.n_compared) == (("case-3",), ("case-4",), 2)
    verdicts = [(c.case_id, c.rule_id, c.old, c.new, c.cause) for c in found.changed if c.kind == "verdict"]
    assert verdicts == [
        ("case-1", "D95", "pass", "fail", ("dose",)),
        ("case-2", "Vol", "pass", "fail", ("contours",)),
    ]
    assert [c.kind for c in found.changed[:2]] == ["verdict", "verdict"]
    numbers = {(c.case_id, c.roi, c.metric): c for c in found.changed if c.kind == "metric"}
    assert numbers["case-1", "PTV", "D95%[Gy]"].cause == ("dose",)
    assert numbers["case-1", "PTV", "D95%[Gy]"].new == pytest.approx(44.0, rel=1e-3)
    # The PTV of case 2 was not touched: none of its numbers is another.
    assert {roi for case, roi, _ in numbers if case == "case-2"} == {"Organ"}
    assert all(c.cause == ("contours",) for (case, *_), c in numbers.items() if case == "case-2")
    assert ("case-1", "PTV", "Volume[cc]") not in numbers


def test_diff_of_protocols_blames_the_rule_that_changed_and_no_number(
    three_plans, tmp_path, audit: Audit, protocol_file, audited_once
):
    protocol_file.write_text(PROTOCOL.replace(">= 47 Gy", ">= 51 Gy"), encoding="utf-8")
    audit(three_plans, tmp_path / "b")
    found = diff_runs(audited_once, tmp_path / "b")
    assert {(c.kind, c.rule_id, c.old, c.new, c.cause) for c in found.changed} == {
        ("verdict", "D95", "pass", "fail", ("protocol rule",))
    }


def test_diff_as_json_has_the_promised_names_and_markdown_escapes(two_runs):
    found = diff_runs(*two_runs)
    document = json.loads(json.dumps(diff_document(found)))
    assert document["schema"] == "dvhkit/diff/1"
    assert document["only_a"] == ["case-3"]
    assert {"case_id", "kind", "rule_id", "old", "new", "cause"} <= document["changed"][0].keys()
    metric = next(c for c in document["changed"] if c["kind"] == "metric")
    assert {"roi", "metric"} <= metric.keys()
    assert "| case-1 | D95 | PTV | D95%\\[Gy\\] | pass | fail | dose |" in diff_markdown(found)
    assert diff_view(found)


def test_a_run_does_not_differ_from_itself_and_tolerance_is_by_unit(two_runs):
    assert diff_runs(two_runs[0], two_runs[0]).changed == ()
    wide = diff_runs(*two_runs, tolerance=parse_tolerance(["Gy=10", "1"]))
    assert {c.kind for c in wide.changed} == {"verdict"}
    with pytest.raises(InputError):
        parse_tolerance(["Gy="])


def test_query_answers_and_reads_nothing_else(two_runs, tmp_path):
    rows = query(two_runs[1], "SELECT rule_id, count(*) n FROM rules WHERE verdict = 'pass' GROUP BY 1 ORDER BY 1")
    assert rows.objects() == [{"rule_id": "D95", "n": 2}, {"rule_id": "Dmax", "n": 3}, {"rule_id": "Vol", "n": 2}]
    columns = set(query(two_runs[0], "SELECT * FROM rules LIMIT 0").columns)
    columns |= set(query(two_runs[0], "SELECT * FROM findings LIMIT 0").columns)
    promised = "case_id roi metric value low high unit rule_id verdict reason_code finding_code"
    assert set(promised.split()) <= columns
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(InputError):
        query(two_runs[0], f"SELECT * FROM read_csv('{secret}')")
    with pytest.raises(InputError, match="not understood"):
        query(two_runs[0], "SELECT nonsense FROM rules")


def test_parquet_parts_open_directly(two_runs):
    import pandas as pd

    frame = pd.read_parquet(two_runs[0] / "store" / "metrics")
    assert {"case_id", "roi", "metric", "value", "low", "high", "unit"} <= set(frame.columns)
    assert frame["case_id"].nunique() == 3


def test_a_workbook_holds_each_row_and_no_formula(two_runs, tmp_path):
    from io import BytesIO

    from openpyxl import load_workbook

    with store_at(two_runs[0]) as store:
        table = verdict_table(store)
    table = table.set_column(0, "case_id", [["=1+1"] * table.num_rows])
    sheet = load_workbook(BytesIO(write_xlsx(table, tmp_path / "t.xlsx"))).active
    assert sheet.max_row == table.num_rows + 1 == 10
    assert sheet["A2"].data_type == "s"


def test_bands_are_percentiles_of_the_curves(tmp_path, audit: Audit):
    doses = [40.0, 44.0, 48.0, 52.0, 56.0]
    for n, dose in enumerate(doses):
        write_plan(tmp_path / "plans" / f"case-{n}", dose_gy=dose)
    audit(tmp_path / "plans", tmp_path / "run")
    cohort = cohort_of(tmp_path / "run")
    band = next(b for b in cohort.bands if b.roi == "PTV")
    # In an even dose a DVH is a step: at a dose below d of the k-th case, all cases from k on receive it.
    at_46 = [row[int(np.searchsorted(band.dose_gy, 46.0))] for row in band.volume_pct]
    assert at_46 == pytest.approx([0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 100.0], abs=1e-6)
    assert band.n == 5
    mean = next(d for d in cohort.distributions if (d.roi, d.metric) == ("PTV", "Mean[Gy]"))
    assert mean.values == pytest.approx([40, 41.6, 44, 48, 52, 54.4, 56], rel=2e-3)
    rate = next(r for r in cohort.pass_rates if r.rule_id == "D95")
    # 40 Gy, evenly, where 50 Gy are prescribed is no dose to judge.
    assert (rate.n_met, rate.n_judged) == (3, 4)
    shared = tmp_path / "bands.json"
    shared.write_text(json.dumps(bands_document(cohort)))
    assert "case" not in shared.read_text()
    assert {b.roi for b in read_bands(shared)} == {"PTV", "Organ"}
    frame = curve_table(tmp_path / "run", ["ptv"])
    assert set(frame["case_id"]) == {f"case-{n}" for n in range(5)}
    assert set(frame["roi"]) == {"PTV"}


def test_outliers_lead_to_their_reports_and_names_are_escaped():
    from dvhkit.outputs.runs.cohort_page import cohort_html
    from dvhkit.results.cohort import Cohort, Outlier

    odd = [
        Outlier(case_id=case, roi="PTV<b>", metric="Mean[Gy]", unit="Gy", value=9.0, median=1.0, robust_z=8.0)
        for case in ("a & b", "c")
    ]
    cohort = Cohort(n_cases=2, bands=(), distributions=(), pass_rates=(), outliers=tuple(odd), excluded=(("d", "why"),))
    page = cohort_html(cohort, links={"a & b": "run/reports/a b.html", "d": "run/reports/d.html"})
    assert '<td><a href="run/reports/a%20b.html">a &amp; b</a></td>' in page
    assert '<td><a href="run/reports/d.html">d</a></td>' in page
    assert "<td>c</td>" in page
    assert "<b>" not in page


def test_wilson_interval_is_that_of_the_textbook():
    # 15 of 50 and 0 of 10: Newcombe 1998 (Stat Med 17:857) prints 15/148 as 0.0624 to 0.1605.
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.fixture
def base(protocol_file: Path) -> AuditOptions:
    return AuditOptions(protocol=load_protocol(protocol_file))


def test_plans_csv_gives_each_case_its_protocol_and_context(tmp_path, base, protocol_file):
    path = tmp_path / "plans.csv"
    path.write_text(f"case;protocol;rx_gy;child_pugh_b7_worse;note\na;{protocol_file};48;yes;x\nb;;;;\n")
    options, name_of = options_for(read_plans(path), base, load_protocol, ["a", "b", "c"], has_protocol=True)
    assert options[name_of["a"]].rx_gy == 48.0
    assert options[name_of["a"]].context == {"child_pugh_b7_worse": True}
    assert options[name_of["b"]].context == {}
    assert options[name_of["c"]] is base


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("name,protocol\nx,y\n", 1, "no column 'case'"),
        ("case,rx_gy\na,50\nz,50\n", 3, "no case 'z'"),
        ("case,rx_gy\na,50\na,48\n", 3, "on line 2 already"),
        ("case,rx_gy\n,50\n", 2, "no name"),
        ("case,rx_gy\na,5000\n", 2, "rx_gy is 5000"),
        ("case,rx_gy\na,fifty\n", 2, "no number"),
        ("case,fractions\na,2.5\n", 2, "fractions is 2.5"),
        ("case,protocol\na,none-such\n", 2, "none-such"),
        ("case,chld_pugh_b7_worse\na,true\n", 1, "chld_pugh_b7_worse"),
        ("case,child_pugh_b7_worse\na,maybe\n", 2, "'maybe'"),
        ("case\na,b\n", 2, "2 cells in 1 columns"),
    ],
)
def test_a_bad_row_of_plans_csv_is_refused_by_its_line(tmp_path, base, text, line, word):
    path = tmp_path / "plans.csv"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        options_for(read_plans(path), base, load_protocol, ["a", "b"], has_protocol=True)
    assert f"line {line}" in str(refused.value)
    assert word in str(refused.value)
