"""The commands do what their help says, on the shipped plan."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dvhkit import cli as _cli  # noqa: F401 -- the package itself stays importable
from dvhkit.metrics.expression import DEFAULT_METRICS

PROTOCOL = "oligoprogressive-liver-2025"


@pytest.fixture(scope="module")
def context_file(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.rootpath) / "test_data" / "liver_sbrt_context.yaml"


def test_every_command_has_help_with_an_example(dvhkit):
    for words in (["audit"], ["dvh"], ["inspect"], ["protocol", "list"], ["protocol", "show"], ["protocol", "check"]):
        ended = dvhkit(*words, "--help")
        assert ended.code == 0
        assert "Example:" in ended.out
        assert "dvhkit " + " ".join(words) in ended.out


def test_dvh_json_rows_have_the_published_form(dvhkit, demo_case_dir):
    ended = dvhkit("dvh", demo_case_dir, "--roi", "PTV", "--metric", "D95%[Gy]", "--metric", "mean", "--json", "-")
    assert ended.code == 0
    document = json.loads(ended.out)
    assert document["schema"] == "dvhkit/metrics/1"
    first, second = document["rows"]
    assert {"roi", "metric", "value", "unit", "reason"} <= first.keys()
    assert (first["roi"], first["metric"], first["unit"], first["reason"]) == ("PTV", "D95%[Gy]", "Gy", None)
    assert second["metric"] == "Mean[Gy]"
    assert 0 < first["value"] < second["value"]


def test_dvh_without_names_gives_every_roi_the_usual_metrics(dvhkit, demo_case_dir):
    import dvhkit as api

    document = json.loads(dvhkit("dvh", demo_case_dir, "--json", "-").out)
    names = api.read_case(demo_case_dir).structures.names
    assert [row["roi"] for row in document["rows"][:: len(DEFAULT_METRICS)]] == list(names)
    empty = [row for row in document["rows"] if row["value"] is None]
    assert empty
    assert all(row["reason"] for row in empty)


def test_dvh_writes_csv_and_curves(dvhkit, demo_case_dir, tmp_path):
    metrics, curves = tmp_path / "new" / "m.csv", tmp_path / "c.csv"
    assert dvhkit("dvh", demo_case_dir, "--roi", "PTV", "--csv", metrics, "--curves", curves).code == 0
    rows = list(csv.DictReader(io.StringIO(metrics.read_text())))
    assert [row["metric"] for row in rows] == list(DEFAULT_METRICS)
    points = list(csv.DictReader(io.StringIO(curves.read_text())))
    percent = [float(p["volume_pct"]) for p in points]
    assert percent[0] == pytest.approx(100)
    assert percent[-1] == 0
    assert percent == sorted(percent, reverse=True)


def test_dvh_takes_files_by_hand_instead_of_a_folder(dvhkit, demo_case_dir):
    by_hand = dvhkit(
        "dvh",
        *("--rtstruct", demo_case_dir / "RTSTRUCT.dcm", "--rtdose", demo_case_dir / "RTDOSE.dcm"),
        *("--roi", "PTV", "--metric", "D95%[Gy]", "--json", "-"),
    )
    by_folder = dvhkit("dvh", demo_case_dir, "--roi", "PTV", "--metric", "D95%[Gy]", "--json", "-")
    assert json.loads(by_hand.out)["rows"] == json.loads(by_folder.out)["rows"]
    codes = {finding["code"] for finding in json.loads(by_hand.out)["findings"]}
    assert {"no-image", "no-plan"} <= codes


def test_a_prescription_by_hand_overrides_the_plan_and_is_named(dvhkit, demo_case_dir):
    words = ["dvh", demo_case_dir, "--roi", "PTV", "--metric", "V100%[%]", "--json", "-"]
    plans, own = (json.loads(dvhkit(*words, *more).out)["rows"][0] for more in ([], ["--rx", "10"]))
    assert own["value"] == pytest.approx(100)
    assert own["value"] > plans["value"]
    assert "given by the user" in own["note"]


def test_an_expression_is_less_than_its_whole(dvhkit, demo_case_dir):
    words = ["--roi", "Liver", "--roi", "Liver - GTV", "--roi", "GTV", "--metric", "Volume[cc]", "--json", "-"]
    whole, rest, gtv = (row["value"] for row in json.loads(dvhkit("dvh", demo_case_dir, *words).out)["rows"])
    # Booleans keep each operand's slices, so inside the liver the volumes must add up.
    assert rest == pytest.approx(whole - gtv, rel=2e-3)


def test_audit_writes_its_files_and_ends_by_naming_them(dvhkit, demo_case_dir, context_file, tmp_path):
    out = tmp_path / "out"
    ended = dvhkit("audit", demo_case_dir, "--protocol", PROTOCOL, "--context", context_file, "--out", out)
    assert ended.code == 1
    assert sorted(p.name for p in out.iterdir()) == ["audit.json", "index.html", "report.html", "store", "summary.csv"]
    for name in ("audit.json", "summary.csv", "report.html", "index.html"):
        assert name in ended.out[-600:]
    verdicts = {r["rule_id"]: r["verdict"] for r in json.loads((out / "audit.json").read_text())["cases"][0]["rules"]}
    assert {"pass", "fail"} <= set(verdicts.values())
    assert verdicts["W25-C2"] == "pass"
    assert verdicts["W25-M3"] == "fail"  # the planted fault of the demo's PTV
    page = (out / "report.html").read_text()
    assert "<svg" in page
    body = page.split("<body", 1)[1]
    # Sources are cited by their addresses, and SVG has its name from one; nothing is loaded.
    for known in ("https://doi.org", "https://clinicaltrials.gov", "http://www.w3.org/2000/svg"):
        body = body.replace(known, "")
    assert "http" not in body


def test_the_liver_limit_waits_for_the_clinical_context(dvhkit, demo_case_dir, tmp_path):
    dvhkit("audit", demo_case_dir, "--protocol", PROTOCOL, "--out", tmp_path)
    rules = {r["rule_id"]: r for r in json.loads((tmp_path / "audit.json").read_text())["cases"][0]["rules"]}
    assert rules["W25-C2"]["verdict"] == "not-evaluable"
    assert "child_pugh_b7_worse" in rules["W25-C2"]["reason"]


def test_audit_ends_with_0_when_every_rule_is_met(dvhkit, demo_case_dir, tmp_path):
    easy = tmp_path / "easy.yaml"
    easy.write_text(
        "id: easy\nversion: '1'\ntitle: Easy\nrules:\n"
        "  - {id: A, title: Some dose, structure: {name: PTV}, metric: 'Mean[Gy]', goal: '>= 1 Gy'}\n"
    )
    assert dvhkit("audit", demo_case_dir, "--protocol", easy, "--out", tmp_path / "out").code == 0


def test_a_case_that_fails_does_not_stop_the_rest(dvhkit, demo_case_dir, tmp_path):
    for name in ("a", "b"):  # the first fails
        shutil.copytree(demo_case_dir, tmp_path / "plans" / name)
        _rename_uids(tmp_path / "plans" / name, name)
    dose = tmp_path / "plans" / "a" / "RTDOSE.dcm"
    dose.write_bytes(dose.read_bytes()[:20000])
    out = tmp_path / "out"
    ended = dvhkit("audit", tmp_path / "plans", "--protocol", PROTOCOL, "--out", out, "--jobs", 1)
    assert ended.code == 1
    rows = list(csv.DictReader(io.StringIO((out / "summary.csv").read_text())))
    verdicts = {case: {r["verdict"] for r in rows if r["case"] == case} for case in {r["case"] for r in rows}}
    assert len(verdicts) == 2
    failed = [case for case, seen in verdicts.items() if seen == {"error"}]
    assert len(failed) == 1
    assert failed[0].startswith("a")


def _rename_uids(folder: Path, salt: str) -> None:
    """Make the copy another patient's plan: every UID of its own gets a suffix."""
    import pydicom
    from pydicom.uid import UID

    suffix = f".{ord(salt)}"
    own_root = str(pydicom.dcmread(folder / "RTPLAN.dcm", stop_before_pixels=True).SOPInstanceUID).rsplit(".", 1)[0]

    def rename(dataset: pydicom.Dataset, element: pydicom.DataElement) -> None:
        if element.VR == "UI" and element.value and str(element.value).startswith(own_root):
            element.value = UID(str(element.value)[: 64 - len(suffix)] + suffix)

    for path in folder.glob("*.dcm"):
        ds = pydicom.dcmread(path)
        ds.walk(rename)
        ds.PatientID = f"COPY-{salt}"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(path)


def test_inspect_tells_what_is_there_and_how_it_links(dvhkit, demo_case_dir):
    ended = dvhkit("inspect", demo_case_dir)
    assert ended.code == 0
    for word in ("RTSTRUCT", "RTDOSE", "RTPLAN", "referenced by"):
        assert word in ended.out
    document = json.loads(dvhkit("inspect", demo_case_dir, "--json", "-").out)
    assert document["schema"] == "dvhkit/inventory/1"
    assert len(document["triples"]) == 1
    assert document["triples"][0]["problem"] is None


def test_inspect_never_tells_the_patients_name(dvhkit, demo_case_dir):
    import pydicom

    ds = pydicom.dcmread(demo_case_dir / "RTPLAN.dcm")
    for ended in (dvhkit("inspect", demo_case_dir), dvhkit("inspect", demo_case_dir, "--json", "-")):
        assert str(ds.PatientName) not in ended.out
        assert str(ds.PatientID) not in ended.out


def test_protocol_list_show_check(dvhkit, tmp_path):
    assert PROTOCOL in dvhkit("protocol", "list").out
    shown = dvhkit("protocol", "show", PROTOCOL).out
    assert "DC700cc[Gy]" in shown
    assert "child_pugh_b7_worse" in shown
    sound = tmp_path / "sound.yaml"
    sound.write_text(
        "id: sound\nversion: '1'\ntitle: Sound\nrules:\n"
        "  - {id: A, title: Dose, structure: {name: PTV}, metric: 'D95%[Gy]', goal: '>= 47.5 Gy'}\n"
    )
    ended = dvhkit("protocol", "check", sound)
    assert ended.code == 0
    assert "sound" in ended.out


def test_help_does_not_load_the_engine():
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\nsys.argv = ['dvhkit', '--help']\nfrom dvhkit.cli.app import main\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "print([m for m in ('numba', 'pandas', 'pydicom', 'shapely') if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip().endswith("[]")


def test_inspect_anonymous_tells_no_path_no_uid_and_no_free_text(dvhkit, demo_case_dir, tmp_path):
    import pydicom

    folder = tmp_path / "Doe_John_4711"
    shutil.copytree(demo_case_dir, folder)
    (folder / "RTSTRUCT.dcm").rename(folder / "RS_DOE_JOHN.dcm")
    plain, hidden = (dvhkit("inspect", folder, "--json", "-", *more).out for more in ([], ["--anonymous"]))
    uid = str(pydicom.dcmread(folder / "RTPLAN.dcm", stop_before_pixels=True).SOPInstanceUID)
    for tell_tale in ("Doe_John", "DOE_JOHN", uid, "RTPLAN.dcm"):
        assert tell_tale in plain
        assert tell_tale not in hidden
    assert len(json.loads(hidden)["triples"]) == 1
    assert "Doe_John" not in dvhkit("inspect", folder, "--anonymous").out
