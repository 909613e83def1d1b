import json

import pytest

from dvhkit.errors import InputError
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.read import read_case
from dvhkit.metrics.expression import parse_metric
from dvhkit.phantoms.grading import beyond, grade, read_measured, read_truth
from dvhkit.phantoms.sets.catalogue import make_phantom, write_phantom
from dvhkit.phantoms.truth_rows import TruthRow

TRUTH = (
    TruthRow("A", "solid", "Mean[Gy]", 20.0, "Gy"),
    TruthRow("A", "solid", "Max[Gy]", 30.0, "Gy"),
    TruthRow("A", "stack", "Mean[Gy]", 21.0, "Gy"),
    TruthRow("B", "solid", "Mean[Gy]", 0.0, "Gy"),
)


def test_deviations_are_in_percent_of_the_truth_and_missing_values_count():
    rows = grade(TRUTH, {("A", "Mean[Gy]"): 20.5, ("A", "Max[Gy]"): 29.7})
    assert [(d.truth.roi, d.truth.metric, d.measured) for d in rows] == [
        ("A", "Mean[Gy]", 20.5),
        ("A", "Max[Gy]", 29.7),
        ("B", "Mean[Gy]", None),
    ]
    assert rows[0].deviation_pct == pytest.approx(2.5)
    assert rows[1].deviation_pct == pytest.approx(-1.0)
    assert rows[2].deviation_pct is None
    assert beyond(rows, 2.0) == 2  # the mean of A, and B that has no value
    assert beyond(rows, 3.0) == 1


def test_each_reading_is_graded_by_itself():
    (row,) = grade(TRUTH, {("A", "Mean[Gy]"): 21.0}, reading="stack")
    assert row.deviation_pct == pytest.approx(0.0)


def test_truth_comes_back_from_its_file_and_grades_itself_without_fault(tmp_path):
    write_phantom(tmp_path, "gaussian-r2mm")
    rows = read_truth(tmp_path / "truth.json")
    assert rows == make_phantom("gaussian-r2mm").rows
    perfect = {(r.roi, r.metric): r.value for r in rows if r.reading == "solid"}
    graded = grade(rows, perfect)
    assert len(graded) == len(perfect)
    assert beyond(graded, 0.0) == 0


def test_measured_values_come_from_json_or_csv(tmp_path):
    as_json, as_csv = tmp_path / "m.json", tmp_path / "m.csv"
    rows = [
        {"roi": "A", "metric": "Mean[Gy]", "value": 20.5, "unit": "Gy", "reason": None},
        {"roi": "A", "metric": "D2cc[Gy]", "value": None, "unit": "Gy", "reason": "volume-too-small"},
    ]
    as_json.write_text(json.dumps({"schema": "dvhkit/metrics/1", "rows": rows}), encoding="utf-8")
    as_csv.write_text("\ufeffroi,metric,value\nA,Mean[Gy],20.5\nA,D2cc[Gy],\n", encoding="utf-8")
    assert read_measured(as_json) == read_measured(as_csv) == {("A", "Mean[Gy]"): 20.5}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.json", "not json"),
        ("m.json", '{"rows": 3}'),
        ("m.json", '{"rows": [{"roi": "A"}]}'),
        ("m.csv", "roi,metric\nA,Mean[Gy]\n"),
        ("m.csv", "roi,metric,value\nA,Mean[Gy],much\n"),
        ("m.csv", "roi,metric,value\n"),
    ],
)
def test_a_table_that_cannot_be_read_says_what_is_needed(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="roi, metric and value"):
        read_measured(tmp_path / name)


def test_a_truth_that_is_missing_or_incomplete_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_truth(tmp_path / "none.json")
    (tmp_path / "truth.json").write_text('{"rows": [{"roi": "A"}]}', encoding="utf-8")
    with pytest.raises(InputError, match="not complete"):
        read_truth(tmp_path / "truth.json")


def test_the_examples_of_the_manual_run(tmp_path, monkeypatch, capsys, request):
    text = (request.config.rootpath / "docs" / "phantoms.md").read_text(encoding="utf-8")
    grading, own = (block.split("```")[0] for block in text.split("```python\n")[1:])
    monkeypatch.chdir(tmp_path)
    exec(own, {})
    assert float(capsys.readouterr().out) > 40.0 - 14.0
    assert (tmp_path / "my_cone" / "RTDOSE.dcm").is_file()
    write_phantom("out/linear-si-3mm", "linear-si-3mm")
    (tmp_path / "measured.csv").write_text("roi,metric,value\nSphere,Mean[Gy],16.8\n", encoding="utf-8")
    exec(grading, {})
    line = next(t.split() for t in capsys.readouterr().out.splitlines() if t.startswith("Sphere Mean[Gy]"))
    assert [float(v) for v in line[2:]] == pytest.approx([16.0, 16.8, 5.0])


@pytest.mark.parametrize("name", ["linear-si-3mm", "linear-oblique-3mm"])
def test_no_number_of_our_own_phantoms_is_withheld(name, tmp_path):
    write_phantom(tmp_path, name)
    case = read_case(tmp_path)
    numbers = CaseNumbers(case, with_bands=False)
    regions = [numbers.region(structure) for structure in ("Sphere", "Cone", "Islands")]
    rows = [numbers.metric(region, parse_metric(text)) for region in regions for text in ("D95%[Gy]", "Mean[Gy]")]
    assert [f.code for f in numbers.findings()] == []
    assert not any(row.withheld for row in rows)
