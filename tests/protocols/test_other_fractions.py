"""Limits and fractions: EQD2 where it is asked for, sums of courses, effective doses; never applied in silence."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import dvhkit
from dvhkit.cli.app import app
from dvhkit.errors import InputError, ProtocolError, Reason
from dvhkit.jobs.audit import audit_case
from dvhkit.jobs.sums.cases import course_of, sum_cases
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.metrics.expression import parse_metric
from dvhkit.metrics.summed import metric_of_sum
from dvhkit.model.case import SummedDose
from dvhkit.model.dvh import Dvh
from dvhkit.model.plan import Prescription
from dvhkit.protocols.evaluate import evaluate_protocol
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.files.load import load_protocol
from dvhkit.results.audit import Verdict


def uniform(dose_gy, volume_cc=100.0):
    return Dvh(
        roi="SpinalCord", dose_gy=np.array([dose_gy]), part_cc=np.array([volume_cc]), volume_cc=volume_cc,
        min_gy=dose_gy, max_gy=dose_gy,
    )  # fmt: skip


class Facts:
    """A cord with a uniform dose."""

    def __init__(self, dose_gy, rx=(), fractions=None, summed=None, foreign=None):
        self.dvh, self.rx, self._fractions = uniform(dose_gy), rx, fractions
        self._summed, self._foreign = summed, foreign

    def structures(self):
        return (StructureFact(name="SpinalCord", number=1, rt_roi_type="ORGAN"),)

    def metric(self, roi, metric):
        return evaluate_metric(
            metric, self.dvh, roi=str(roi), prescription=self.prescriptions(), fractions=self._fractions
        )

    def image(self):
        return None

    def prescriptions(self):
        return tuple(Prescription(dose_gy=dose, roi_number=None, origin="test") for dose in self.rx)

    def fractions(self):
        return self._fractions

    def summed(self):
        return self._summed

    def foreign_dose(self):
        return self._foreign


@pytest.fixture
def judge(tmp_path):
    def judge(keys, facts, **options):
        path = tmp_path / "p.yaml"
        path.write_text(
            'id: p\nversion: "1"\ntitle: t\nrules:\n  - {id: R, structure: SpinalCord, metric: "Max[Gy]", '
            f'goal: "<= 50 Gy", source: S, status: P, {keys}}}\n',
            encoding="utf-8",
        )
        (row,) = evaluate_protocol(load_protocol(path), facts, **options)
        return row

    return judge


CONVENTIONAL = "dose_per_fraction_gy: 1.8..2.0"


def test_other_fractions_are_not_applied_unless_asked_for(judge):
    row = judge(CONVENTIONAL, Facts(45.0, rx=(45.0,), fractions=15))
    assert (row.verdict, row.value) == (Verdict.NOT_APPLICABLE, None)
    assert "3 Gy per fraction" in row.reason


@pytest.mark.parametrize(("where", "alpha_beta"), [("option", 2.0), ("rule", 2.0), ("both", 2.0)])
def test_asked_for_they_are_held_against_eqd2_and_say_so(judge, where, alpha_beta):
    # 45 Gy in 15 fractions of 3 Gy: 45 (3 + 2) / 4 = 56.25 Gy.
    keys = CONVENTIONAL + ("" if where == "option" else f", alpha_beta_gy: {alpha_beta}")
    option = {"option": alpha_beta, "both": 10.0}.get(where)
    row = judge(keys, Facts(45.0, rx=(45.0,), fractions=15), eqd2_alpha_beta_gy=option)
    assert row.value == pytest.approx(56.25)
    assert (row.verdict, row.quantity) == (Verdict.FAIL, "EQD2_2:Max[Gy]")
    assert "converted, since the limit is for 1.8..2.0 Gy per fraction" in row.note
    assert "alpha/beta 2 Gy, 15 fractions" in row.note


def test_at_its_own_fractions_nothing_is_converted(judge):
    row = judge(CONVENTIONAL, Facts(45.0, rx=(45.0,), fractions=25), eqd2_alpha_beta_gy=2.0)
    assert (row.value, row.quantity, row.verdict) == (45.0, "Max[Gy]", Verdict.PASS)


def test_unlike_prescriptions_are_converted_voxel_by_voxel(judge):
    facts = Facts(45.0, rx=(60.0, 54.0), fractions=30)
    assert judge(CONVENTIONAL, Facts(45.0, rx=(60.0, 45.0), fractions=30)).reason_code == Reason.AMBIGUOUS_PRESCRIPTION
    assert judge(CONVENTIONAL, facts).verdict is Verdict.PASS  # 1.8 and 2 Gy are both inside
    row = judge(CONVENTIONAL, Facts(45.0, rx=(60.0, 45.0), fractions=30), eqd2_alpha_beta_gy=3.0)
    assert row.value == pytest.approx(45 * (1.5 + 3) / 5)


@pytest.mark.parametrize("facts", [Facts(45.0, rx=(45.0,)), Facts(45.0)])
def test_without_fractions_there_is_nothing_to_convert_with(judge, facts):
    row = judge(CONVENTIONAL, facts, eqd2_alpha_beta_gy=2.0)
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.NO_FRACTIONS)


def test_limits_for_a_number_of_fractions_are_never_converted(judge):
    row = judge("fractions: 5", Facts(20.0, rx=(45.0,), fractions=15), eqd2_alpha_beta_gy=2.0)
    assert row.verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    "keys", ["fractions: 5, alpha_beta_gy: 2", "alpha_beta_gy: 2", "dose_per_fraction_gy: 3, alpha_beta_gy: 2"]
)
def test_an_alpha_beta_that_cannot_be_used_is_refused(judge, keys):
    with pytest.raises(ProtocolError, match="2 Gy per fraction"):
        judge(keys, Facts(1.0))


PHYSICAL = SummedDose(description="sum", fractions=30, dose_per_fraction_gy=2.0)
UNLIKE = SummedDose(description="sum")
IN_EQD2 = SummedDose(description="sum", eqd2_alpha_beta_gy=2.0)


@pytest.mark.parametrize(
    ("keys", "summed", "verdict"),
    [
        (CONVENTIONAL, PHYSICAL, Verdict.PASS),
        ("fractions: 30", PHYSICAL, Verdict.PASS),
        ("fractions: 25", PHYSICAL, Verdict.NOT_APPLICABLE),
        ("dose_per_fraction_gy: 3", PHYSICAL, Verdict.NOT_APPLICABLE),
        (CONVENTIONAL, UNLIKE, Verdict.NOT_APPLICABLE),
        ("fractions: 30", UNLIKE, Verdict.NOT_APPLICABLE),
        (CONVENTIONAL, IN_EQD2, Verdict.PASS),
        ("fractions: 5", IN_EQD2, Verdict.NOT_APPLICABLE),
        (CONVENTIONAL + ", fractions: 25..35", IN_EQD2, Verdict.NOT_APPLICABLE),
        ("dose_per_fraction_gy: 3", IN_EQD2, Verdict.NOT_APPLICABLE),
        ("priority: 2", PHYSICAL, Verdict.PASS),
        ("priority: 2", IN_EQD2, Verdict.PASS),
        ("per_course: true", PHYSICAL, Verdict.NOT_APPLICABLE),
        ("per_course: true", IN_EQD2, Verdict.NOT_APPLICABLE),
    ],
)
def test_a_sum_of_courses_meets_only_limits_for_its_own_fractions(judge, keys, summed, verdict):
    row = judge(keys, Facts(45.0, summed=summed), eqd2_alpha_beta_gy=3.0)
    assert row.verdict is verdict
    assert row.reason if verdict is Verdict.NOT_APPLICABLE else "of the sum of courses" in row.note


@pytest.mark.parametrize(
    ("metric", "summed", "asked", "has_meaning"),
    [
        ("Max[Gy]", PHYSICAL, "Max[Gy]", True),
        ("EQD2_2:Max[Gy]", IN_EQD2, "Max[Gy]", True),
        ("EQD2_3:Max[Gy]", IN_EQD2, None, False),
        ("BED_2:Max[Gy]", IN_EQD2, None, False),
        ("EQD2_2:Max[Gy]", PHYSICAL, None, False),
    ],
)
def test_what_a_metric_means_on_a_sum(metric, summed, asked, has_meaning):
    found, why_not = metric_of_sum(parse_metric(metric), summed)
    assert (why_not == "") is has_meaning
    if has_meaning:
        assert found.canonical == asked


def test_an_effective_dose_passes_no_limit_in_gy(judge):
    row = judge(CONVENTIONAL, Facts(1.0, rx=(50.0,), fractions=25, foreign="the dose is effective."))
    assert (row.verdict, row.reason_code, row.value) == (Verdict.NOT_EVALUABLE, Reason.EFFECTIVE_DOSE, None)


@pytest.fixture(scope="module")
def demo():
    from pathlib import Path

    return dvhkit.read_case(Path(__file__).resolve().parents[2] / "test_data" / "liver_sbrt")


def test_an_effective_dose_of_photons_is_held_back_and_vouched_for(demo, tmp_path):
    from dataclasses import replace

    from dvhkit.model.dose import DoseType

    path = tmp_path / "p.yaml"
    path.write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n'
        '  - {id: Mean, structure: Kidney_R, metric: "Mean[Gy]", goal: "<= 50 Gy"}\n'
        '  - {id: Size, structure: Kidney_R, metric: "Volume[cc]", goal: ">= 1 cc"}\n',
        encoding="utf-8",
    )
    effective = replace(demo, dose=replace(demo.dose, dose_type=DoseType.EFFECTIVE))
    mean, size = audit_case(effective, path).rules
    assert (mean.verdict, mean.reason_code) == (Verdict.NOT_EVALUABLE, Reason.EFFECTIVE_DOSE)
    assert size.verdict is Verdict.PASS
    assert [row.verdict for row in audit_case(effective, path, accept_effective=True).rules] == [Verdict.PASS] * 2
    ions = replace(effective, plan=replace(effective.plan, is_ion=True))
    assert audit_case(ions, path).rules[0].verdict is Verdict.PASS


def test_a_case_with_a_sum_says_what_it_is_and_has_no_prescription(demo):
    twice = [
        course_of(demo, label="plan 1"),
        course_of(demo, label="plan 2", fractions_delivered=4, fractions_planned=5),
    ]
    physical = sum_cases([demo, demo], twice)
    assert (physical.summed.fractions, physical.summed.dose_per_fraction_gy) == (9, 10.0)
    assert physical.prescriptions == ()
    assert physical.findings[0].code == "dose-added-twice"
    np.testing.assert_allclose(physical.dose.values_gy, 1.8 * demo.dose.values_gy)
    in_eqd2 = sum_cases([demo, demo], twice, eqd2_alpha_beta_gy=3.0)
    assert (in_eqd2.summed.fractions, in_eqd2.summed.eqd2_alpha_beta_gy) == (None, 3.0)
    d = demo.dose.values_gy
    np.testing.assert_allclose(in_eqd2.dose.values_gy, 1.8 * d * (d / 5 + 3) / 5)


@pytest.fixture
def protocol(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n'
        '  - {id: Five, structure: Kidney_R, metric: "Mean[Gy]", goal: "<= 50 Gy", fractions: 5}\n'
        '  - {id: Ten, structure: Kidney_R, metric: "Mean[Gy]", goal: "<= 50 Gy", fractions: 10}\n'
        '  - {id: Two, structure: Kidney_R, metric: "Mean[Gy]", goal: "<= 50 Gy", dose_per_fraction_gy: 1.8..2.0}\n'
        '  - {id: Any, structure: Kidney_R, metric: "Mean[Gy]", goal: "<= 50 Gy"}\n'
        '  - {id: Rx, structure: PTV, metric: "V100%[%]", goal: ">= 1 %"}\n'
        '  - {id: BED, property: prescription.bed10, goal: ">= 60 Gy"}\n',
        encoding="utf-8",
    )
    return path


def audit(tmp_path, *words):
    ended = CliRunner().invoke(app, ["audit", *map(str, words), "--out", str(tmp_path / "out")])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    record = json.loads((tmp_path / "out" / "audit.json").read_text())["cases"][0]
    return {row["rule_id"]: row for row in record["rules"]}, record, ended


def test_the_command_audits_a_physical_sum(demo_case_dir, tmp_path, protocol):
    rows, record, ended = audit(tmp_path, demo_case_dir, "--add", demo_case_dir, "--protocol", protocol)
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {
        "Five": "not-applicable", "Ten": "pass", "Two": "not-applicable", "Any": "pass", "Rx": "not-evaluable",
        "BED": "not-evaluable",
    }  # fmt: skip
    alone = dvhkit.evaluate_metric(dvhkit.read_case(demo_case_dir), "Kidney_R", "Mean[Gy]").value
    assert rows["Ten"]["value"] == pytest.approx(2 * alone, rel=1e-9)
    assert record["prescription"].startswith("sum in physical dose of plan 1 (5 of 5 fractions)")
    assert {f["code"] for f in record["findings"]} >= {"dose-added-twice"}
    assert not any("/" in entry["path"] for entry in record["provenance"]["inputs"])
    assert ended.exit_code == 1


def test_the_command_audits_a_sum_in_eqd2(demo_case_dir, tmp_path, protocol):
    words = (demo_case_dir, "--add", f"{demo_case_dir}@4/5", "--add-eqd2", "3", "--protocol", protocol, "--rx", "90")
    rows, record, _ = audit(tmp_path, *words)
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {
        "Five": "not-applicable", "Ten": "not-applicable", "Two": "pass", "Any": "pass", "Rx": "pass",
        "BED": "not-evaluable",
    }  # fmt: skip
    assert "in EQD2 with alpha/beta 3 Gy" in rows["Two"]["note"]
    assert "EQD2 with alpha/beta 3 Gy" in record["prescription"]


def test_the_command_refuses_what_cannot_be_added(demo_case_dir, tmp_path, protocol):
    for words, said in (
        ((demo_case_dir, "--add", f"{demo_case_dir}@30"), "unlike fractions"),
        ((demo_case_dir, "--add-eqd2", "3"), "nothing to add"),
        ((demo_case_dir, "--unlike-fractions"), "nothing to add"),
        ((demo_case_dir, "--add", demo_case_dir, "--fractions", "5"), "--fractions is for one plan"),
        ((demo_case_dir, "--add", f"{demo_case_dir}@6/5"), "cannot have been given"),
    ):
        with pytest.raises(InputError, match=said):
            audit(tmp_path, *words, "--protocol", protocol)


def test_the_command_converts_conventional_limits(demo_case_dir, tmp_path, protocol):
    rows, _, _ = audit(tmp_path, demo_case_dir, "--protocol", protocol, "--eqd2", "3")
    assert rows["Two"]["quantity"] == "EQD2_3:Mean[Gy]"
    truth = dvhkit.evaluate_metric(dvhkit.read_case(demo_case_dir), "Kidney_R", "EQD2_3:Mean[Gy]").value
    assert rows["Two"]["value"] == pytest.approx(truth, rel=1e-12)
    assert rows["Ten"]["verdict"] == "not-applicable"
