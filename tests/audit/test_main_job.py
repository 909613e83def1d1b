"""The main job on real plans: numbers agree with the planning systems that made them."""

from __future__ import annotations

import numpy as np
import pytest

import dvhkit

PROTOCOL = "oligoprogressive-liver-2025"


@pytest.mark.real
@pytest.mark.parametrize(
    ("roi", "metric", "planned_gy", "rel"),
    # Values of the planning system; what its own DVH resolution and slice rules leave open is the tolerance.
    [("PTV", "Mean[Gy]", 60.07, 0.003), ("PTV", "D95%[Gy]", 58.62, 0.005), ("Rectum", "Mean[Gy]", 15.58, 0.01)],
)
def test_alderson_agrees_with_its_planning_system(real_data, roi, metric, planned_gy, rel):
    case = dvhkit.read_case(real_data / "alderson_vmat")
    assert dvhkit.evaluate_metric(case, roi, metric).value == pytest.approx(planned_gy, rel=rel)


@pytest.mark.real
def test_alderson_plan_dose_is_not_added_to_its_beam_dose(real_data):
    case = dvhkit.read_case(real_data / "alderson_vmat")
    assert case.dose.summation_type == "PLAN"
    assert len([s for s in case.sources if s.role == "RTDOSE"]) == 1
    assert float(case.dose.values_gy.max()) < 1.1 * case.prescriptions[0].dose_gy


@pytest.mark.real
@pytest.mark.parametrize(("roi", "rel"), [("Heart", 0.01), ("Lt Lung", 0.01), ("Tumor Bed", 0.01), ("Breast", 0.015)])
def test_breast_means_agree_with_the_stored_dvhs(real_data, roi, rel):
    case = dvhkit.read_case(real_data / "breast_tps_dvh")
    number = case.structures[roi].number
    stored = next(d for d in case.dose.stored_dvhs if d.roi_number == number)
    # Mean dose is the area under the cumulative curve.
    stored_mean_gy = float(np.trapezoid(stored.volume_pct / 100, stored.dose_gy) + stored.dose_gy[0])
    assert dvhkit.evaluate_metric(case, roi, "Mean[Gy]").value == pytest.approx(stored_mean_gy, rel=rel)


@pytest.mark.real
def test_an_empty_roi_is_reported_not_crashed_on(real_data):
    case = dvhkit.read_case(real_data / "breast_tps_dvh")
    empty = [s.name for s in case.structures if s.is_empty]
    assert empty
    for name in empty:
        result = dvhkit.evaluate_metric(case, name, "Mean[Gy]")
        assert (result.value, result.reason_code) == (None, "empty-structure")
    assert any(finding.where == name or name in finding.message for finding in case.findings for name in empty)


@pytest.mark.real
@pytest.mark.parametrize("name", ["alderson_vmat", "breast_tps_dvh", "proton_cube"])
def test_real_plans_are_audited_to_the_end(real_data, name):
    record = dvhkit.audit_case(dvhkit.read_case(real_data / name), PROTOCOL)
    assert len(record.rules) >= 6
    assert all(rule.reason for rule in record.rules if rule.value is None)
    assert record.provenance.inputs


def test_dose_and_structures_alone_are_enough_and_what_is_missing_is_said(demo_case_dir):
    whole = dvhkit.read_case(demo_case_dir)
    alone = dvhkit.read_case(rtstruct=demo_case_dir / "RTSTRUCT.dcm", rtdose=demo_case_dir / "RTDOSE.dcm")
    assert alone.image is None
    assert alone.plan is None
    assert {"no-image", "no-plan"} <= {f.code for f in alone.findings}
    for roi in ("PTV", "Liver", "SpinalCord"):
        pair = [dvhkit.evaluate_metric(case, roi, "Mean[Gy]").value for case in (whole, alone)]
        assert pair[0] == pair[1]


def test_structures_without_dose_still_have_volumes(demo_case_dir, tmp_path):
    import shutil

    shutil.copy(demo_case_dir / "RTSTRUCT.dcm", tmp_path)
    case = dvhkit.read_case(tmp_path)
    assert dvhkit.evaluate_metric(case, "PTV", "Volume[cc]").value > 1
    lacking = dvhkit.evaluate_metric(case, "PTV", "Mean[Gy]")
    assert (lacking.value, lacking.reason_code) == (None, "no-dose")


def test_the_context_prescription_overrides_the_plans(demo_case_dir):
    case = dvhkit.read_case(demo_case_dir)
    record = dvhkit.audit_case(case, PROTOCOL, context={"prescription": {"dose_gy": 40.0, "fractions": 8}})
    bed10 = next(rule for rule in record.rules if rule.rule_id == "W25-D1")
    assert bed10.value == pytest.approx(60.0)
    assert "context file" in record.prescription


def test_a_context_key_that_no_rule_asks_for_is_a_finding(demo_case_dir):
    record = dvhkit.audit_case(dvhkit.read_case(demo_case_dir), PROTOCOL, context={"child_pugh_b7_wors": True})
    assert "unused-context" in {f.code for f in record.findings}


def test_results_become_pandas_tables(demo_case_dir):
    case = dvhkit.read_case(demo_case_dir)
    record = dvhkit.audit_case(case, PROTOCOL)
    assert list(record.to_frame()["rule_id"]) == [rule.rule_id for rule in record.rules]
    curve = dvhkit.compute_dvh(case, "PTV").to_frame()
    assert curve["volume_pct"].iloc[0] == pytest.approx(100)
    rows = dvhkit.to_frame([dvhkit.evaluate_metric(case, "PTV", m) for m in ("D95%[Gy]", "Mean[Gy]")])
    assert list(rows["metric"]) == ["D95%[Gy]", "Mean[Gy]"]


def test_an_audit_of_the_same_files_gives_the_same_numbers(demo_case_dir):
    first, second = (dvhkit.audit_case(dvhkit.read_case(demo_case_dir), PROTOCOL) for _ in range(2))
    assert first.rules == second.rules
    assert first.metrics == second.metrics
    assert first.provenance.inputs == second.provenance.inputs


@pytest.mark.parametrize(
    ("roi", "law"),
    [
        ("(PTV + 5mm) - PTV", lambda v: 20 < v < 60),
        ("PTV - PTV", lambda v: v is None),
        ("PTV & #3", lambda v: v == pytest.approx(14.55, rel=0.03)),
        ('"Kidney_L" | Kidney_R', lambda v: v == pytest.approx(282.2, rel=0.01)),
    ],
)
def test_one_grammar_of_expressions_is_used_where_a_structure_is_named(demo_case_dir, roi, law):
    case = dvhkit.read_case(demo_case_dir)
    assert law(dvhkit.evaluate_metric(case, roi, "Volume[cc]").value)


def test_a_rule_may_derive_its_structure_with_a_margin(demo_case_dir, tmp_path):
    protocol = tmp_path / "p.yaml"
    protocol.write_text(
        "id: p\nversion: '1'\ntitle: P\nrules:\n"
        "  - {id: A, title: Shell, structure: {name: Shell, derived: '(PTV + 5mm) - PTV'}, metric: 'Mean[Gy]', "
        "goal: '<= 50 Gy'}\n"
    )
    (rule,) = dvhkit.audit_case(dvhkit.read_case(demo_case_dir), protocol).rules
    assert 20 < rule.value < 50


def test_every_value_lies_in_its_band(demo_case_dir):
    record = dvhkit.audit_case(dvhkit.read_case(demo_case_dir), PROTOCOL)
    banded = [row for row in record.metrics if row.value is not None]
    assert banded
    assert all(row.low <= row.value <= row.high for row in banded)
