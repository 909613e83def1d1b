"""What is odd about a plan, a dose or a folder is decided, shown and never silent; and which plan it was is said."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from planted_sets import PLANES_MM, in_other_frame, right_gy, target, write_planted
from typer.testing import CliRunner

from dvhkit.cli.app import app
from dvhkit.errors import InputError
from dvhkit.findings import Level
from dvhkit.jobs.audit import audit_case
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.prescription import with_user_prescription
from dvhkit.model.dose import DoseType
from dvhkit.outputs.csv_text import summary_csv
from dvhkit.outputs.records import audit_document, json_text
from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.verdict_words import headline, idle_groups
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.protocols.files.load import load_protocol
from dvhkit.readers.case import find_cases, read_case, read_files
from dvhkit.results.audit import Verdict


@pytest.fixture(scope="module")
def lenient(tmp_path_factory):
    file = tmp_path_factory.mktemp("protocol") / "p.yaml"
    file.write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n'
        '  - {id: Organ, structure: Organ, metric: "Max[Gy]", goal: "<= 90000 Gy"}\n'
        '  - {id: Size, structure: Organ, metric: "Volume[cc]", goal: ">= 0.1 cc"}\n'
    )
    return load_protocol(file)


def judged(folder, protocol, **options):
    return audit_case(read_case(folder), protocol, **options)


def of_code(record, code):
    return next(f for f in record.findings if f.code == code)


def approved(plan):
    plan.ApprovalStatus, plan.ReviewDate, plan.ReviewTime, plan.ReviewerName = "APPROVED", "20260131", "120000", "QA"
    plan.PatientName, plan.PatientID = "Doe^Jane", "4711"


def test_one_rule_of_many_is_not_green_and_the_others_are_grouped_with_the_way_out(tmp_path, lenient):
    rules = "".join(
        f'  - {{id: r{n}, structure: Organ, metric: "Mean[Gy]", goal: "<= 90 Gy", dose_per_fraction_gy: 1.8..2.0}}\n'
        for n in range(3)
    )
    file = tmp_path / "many.yaml"
    file.write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n'
        '  - {id: one, structure: Organ, metric: "Max[Gy]", goal: "<= 90000 Gy"}\n' + rules
    )
    case = with_user_prescription(read_case(write_planted(tmp_path / "set", "photon")), rx_gy=60.0, fractions=20)
    record = audit_case(case, load_protocol(file))
    said = headline(record)
    assert said.tone != "good"
    assert said.text.startswith("1 of 4 rules applied: met")
    assert "--eqd2" in said.text
    assert not record.all_met
    ((count, why),) = idle_groups(record.rules)
    assert (count, "--eqd2" in why) == (3, True)
    assert audit_case(case, load_protocol(file), eqd2_alpha_beta_gy=3.0).all_met


def test_report_csv_and_json_say_which_plan_it_is_and_who_only_if_asked(tmp_path, lenient):
    folder = write_planted(tmp_path, "photon", change={"RTPLAN": approved, "RTDOSE": approved, "RTSTRUCT": approved})
    case = read_case(folder)
    record = audit_case(case, lenient)
    stated = json.loads(json_text(audit_document([record])))["cases"][0]["identity"]
    assert (stated["plan_label"], stated["approval_status"], stated["approval_date"]) == (
        "MADE_photon", "APPROVED", "2026-01-31",
    )  # fmt: skip
    assert stated["plan_uid"] == case.plan.sop_instance_uid
    assert stated["planning_system"]
    assert (stated["fractions"], stated["machines"], stated["patient_name"]) == (30, ["DEMO_LINAC"], "")
    row = next(csv.DictReader(io.StringIO(summary_csv([record]))))
    assert (row["plan_uid"], row["approval_status"]) == (stated["plan_uid"], "APPROVED")
    assert [row["dose_uid"]] == stated["dose_uids"]
    page = html_report([record])
    assert all(word in page for word in ("MADE_photon", "APPROVED", "2026-01-31", "DEMO_LINAC"))
    assert stated["plan_uid"] not in page, "shortened for people"
    assert stated["plan_uid"][-8:] in page
    assert "Doe" not in page
    named = audit_case(case, lenient, identify=True)
    assert (named.identity.patient_id, "Jane" in html_report([named])) == ("4711", True)


def test_three_scenario_doses_of_one_plan_are_cases_told_apart_by_their_comment(tmp_path, lenient):
    for n, comment in enumerate(("nominal", "density +3.5 %", "density -3.5 %")):

        def scenario(dose, comment=comment, n=n):
            dose.DoseComment = comment
            dose.SOPInstanceUID = dose.file_meta.MediaStorageSOPInstanceUID = f"2.25.77{n}"

        made = write_planted(
            tmp_path / str(n), "proton", (1 + 0.01 * n) * right_gy("proton"), change={"RTDOSE": scenario}
        )
        for file in made.iterdir():
            (tmp_path / "all").mkdir(exist_ok=True)
            is_dose = "RD" in file.name.upper() or "dose" in file.name.lower()
            file.replace(tmp_path / "all" / (f"{n}_{file.name}" if is_dose else file.name))
    records = [audit_case(read_files(files), lenient) for files in find_cases(tmp_path / "all")]
    assert sorted(r.identity.dose_comment for r in records) == ["density +3.5 %", "density -3.5 %", "nominal"]
    for record in records:
        told = of_code(record, "several-doses-of-plan")
        assert repr(record.identity.dose_comment) in told.message
        assert record.identity.dose_comment in html_report([record])
    with pytest.raises(InputError, match="nominal"):
        read_case(tmp_path / "all")


def in_one_frame(data):
    for element in data.iterall():
        if element.keyword in ("FrameOfReferenceUID", "ReferencedFrameOfReferenceUID"):
            element.value = "2.25.4242"


ONE_FRAME = dict.fromkeys(("RTDOSE", "RTSTRUCT", "RTPLAN"), in_one_frame)


def test_a_physical_proton_dose_is_not_added_to_photons_without_a_word(tmp_path):
    write_planted(tmp_path / "photons", "photon", change=ONE_FRAME)
    write_planted(tmp_path / "physical", "proton", dose_type=DoseType.PHYSICAL, change=ONE_FRAME)
    write_planted(tmp_path / "weighted", "proton", change=ONE_FRAME)

    def ended(other, *options):
        asked = ["sum", tmp_path / "photons", tmp_path / other, "--roi", "Organ", "--metric", "Max[Gy]", *options]
        return CliRunner().invoke(app, [str(word) for word in asked])

    told = ended("physical")
    assert told.exit_code == 1
    assert "marked PHYSICAL" in " ".join(told.output.split())
    assert ended("physical", "--accept", "unlike-radiation-summed").exit_code == 0
    right = ended("weighted")
    assert right.exit_code == 0, right.exception
    assert "weighted by RBE" in right.output
    assert "marked PHYSICAL" not in " ".join(right.output.split())


def test_limits_are_not_held_against_an_effective_dose_of_photons(tmp_path, lenient):
    folder = write_planted(tmp_path, "photon", dose_type=DoseType.EFFECTIVE)
    record = judged(folder, lenient)
    assert (record.all_met, headline(record).tone) == (False, "bad")
    assert (record.rules[0].verdict, record.rules[0].reason_code) == (Verdict.NOT_EVALUABLE, "effective-dose")
    assert "--accept-effective" in record.rules[0].reason
    assert record.rules[1].verdict is Verdict.PASS, "a volume needs no dose"
    assert judged(folder, lenient, accept_effective=True).all_met


def test_files_of_two_patients_are_judged_in_nothing(tmp_path, lenient):
    def other(data):
        data.PatientID, data.PatientName, data.PatientBirthDate = "999", "Other^One", "19500101"

    record = judged(write_planted(tmp_path, "photon", change={"RTDOSE": other}), lenient)
    assert of_code(record, "patients-differ").level is Level.SERIOUS
    assert [r.withheld for r in record.rules] == [("patients-differ",)] * 2
    assert not record.all_met


def test_a_dose_of_another_frame_is_refused_and_vouching_for_it_is_told(tmp_path, lenient):
    folder = write_planted(tmp_path, "photon", change={"RTDOSE": in_other_frame})
    with pytest.raises(InputError, match="frame"):
        read_case(folder)
    vouched = audit_case(read_case(folder, same_frame=True), lenient)
    assert of_code(vouched, "frame-of-reference-vouched").level is Level.SERIOUS


def test_a_dose_of_another_plan_is_not_joined_to_the_one_that_lies_beside_it(tmp_path, lenient):
    def of_another(dose):
        dose.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = "2.25.123456789"

    record = judged(write_planted(tmp_path, "photon", change={"RTDOSE": of_another}), lenient)
    told = of_code(record, "plan-absent")
    assert "--rtplan" in told.message
    assert record.identity.plan_label == ""
    # It fits the plan beside it, as after an archive gave new UIDs: in doubt. Of other doses nothing is judged.
    assert of_code(record, "dose-of-other-plan").level is Level.WARNING
    assert headline(record).tone == "warn"
    elsewhere = right_gy("photon", centre=(45.0, 0.0, 12.0))
    folder = write_planted(tmp_path / "other", "photon", elsewhere, change={"RTDOSE": of_another})
    other = judged(folder, lenient)
    assert of_code(other, "dose-of-other-plan").level is Level.SERIOUS
    assert (headline(other).tone, other.all_met) == ("bad", False)
    assert other.rules[0].withheld == ("dose-of-other-plan",)
    named = audit_case(read_case(folder, rtplan=next(folder.glob("*PLAN*"))), lenient)
    assert "dose-of-other-plan" not in {f.code for f in named.findings}
    # Without a plan beside it there is nothing to hold it against.
    next(folder.glob("*PLAN*")).unlink()
    assert "dose-of-other-plan" not in {f.code for f in judged(folder, lenient).findings}


def test_a_prescription_unlike_the_plans_own_is_a_finding(tmp_path, lenient):
    case = read_case(write_planted(tmp_path, "photon"))
    told = of_code(
        audit_case(with_user_prescription(case, rx_gy=54.0, fractions=None), lenient), "prescription-differs"
    )
    assert "54" in told.message
    assert "60" in told.message
    same = audit_case(with_user_prescription(case, rx_gy=60.0, fractions=30), lenient)
    assert "prescription-differs" not in {f.code for f in same.findings}


def test_a_finding_is_told_once_an_roi_whatever_is_measured_of_it(tmp_path, lenient):
    file = tmp_path / "p.yaml"
    file.write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n'
        + "".join(
            f'  - {{id: r{n}, structure: "{roi}", metric: "{metric}", goal: ">= 0 {unit}"}}\n'
            for n, (roi, metric, unit) in enumerate(
                [("Organ", "D95%[Gy]", "Gy"), ("Organ", "V1Gy[%]", "%"), ("Organ - PTV", "Max[Gy]", "Gy"),
                 ("Organ - PTV", "Mean[Gy]", "Gy"), ("PTV", "D98%[Gy]", "Gy")]
            )
        )
    )  # fmt: skip

    def gap(structures):
        for item in structures.ROIContourSequence:
            if item.ReferencedROINumber == 8:
                del item.ContourSequence[len(item.ContourSequence) // 2]

    record = judged(write_planted(tmp_path / "set", "photon", change={"RTSTRUCT": gap}), load_protocol(file))
    told = [(f.code, f.where) for f in record.findings]
    assert ("slice-missing", "Organ") in told
    assert " in one place (" in of_code(record, "slice-missing").message
    assert len(told) == len(set(told))
    assert np.all([f.message for f in record.findings])


def test_an_audit_takes_several_folders_and_leaves_out_what_lies_beyond_the_grid_if_asked(tmp_path):
    (tmp_path / "p.yaml").write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n  - {id: O, structure: Edge, metric: "Mean[Gy]", goal: "<= 900 Gy"}\n'
    )
    # The grid ends 82 mm from its middle.
    edge = structure("Edge", 8, sphere((0.0, 76.0, 0.0), 14.0), PLANES_MM, n_points=24)
    folders = [write_planted(tmp_path / kind, kind, structures=(target(), edge)) for kind in ("photon", "hdr")]

    def verdicts(*options):
        out = tmp_path / f"out{len(options)}"
        words = ["audit", *folders, "--protocol", tmp_path / "p.yaml", "--out", out, "--jobs", "1", *options]
        ended = CliRunner().invoke(app, [str(word) for word in words])
        cases = json.loads((out / "audit.json").read_text())["cases"]
        return ended.exit_code, [case["rules"][0]["verdict"] for case in cases]

    assert verdicts() == (1, ["not-evaluable"] * 2)
    assert verdicts("--uncovered", "exclude") == (0, ["pass"] * 2)


def test_two_targets_apart_are_no_gap_in_their_union(tmp_path):
    two = (target("PTV_1", 1, 12.0, (0.0, 0.0, -36.0)), target("PTV_2", 2, 12.0, (0.0, 0.0, 36.0)))
    folder = write_planted(tmp_path, "photon", structures=two)
    words = [
        "dvh",
        folder,
        "--roi",
        "PTV_1 | PTV_2",
        "--roi",
        "PTV_1",
        "--metric",
        "Volume[cc]",
        "--no-band",
        "--json",
        "-",
    ]
    ended = CliRunner().invoke(app, [str(word) for word in words])
    document = json.loads(ended.stdout)
    whole, one = (row["value"] for row in document["rows"])
    assert whole == pytest.approx(2 * one, rel=1e-3)
    assert "slice-missing" not in {f["code"] for f in document["findings"]}


def test_what_a_target_takes_out_of_an_organ_is_no_missing_slice_and_what_the_organ_lacks_is(tmp_path):
    rois = (target("PTV", 1, 14.0), structure("Cord", 2, sphere((0.0, 0.0, 0.0), 30.0), PLANES_MM, n_points=24))
    narrow = replace(
        rois[1],
        contours=tuple(replace(c, points_mm=c.points_mm * np.array([0.1, 0.1, 1.0])) for c in rois[1].contours),
    )

    def codes(roi, structures):
        case = read_case(write_planted(tmp_path / str(len(structures[1].contours)), "photon", structures=structures))
        numbers = CaseNumbers(case, with_bands=False)
        numbers.dvh(numbers.region(roi))
        return {f.code for f in numbers.findings()}

    assert "slice-missing" not in codes("Cord - PTV", (rois[0], narrow))
    middle = len(narrow.contours) - 2
    gap = replace(narrow, contours=(*narrow.contours[:middle], *narrow.contours[middle + 1 :]))
    assert "slice-missing" in codes("Cord - PTV", (rois[0], gap))
