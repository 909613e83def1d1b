"""Shipped protocols on plans of planning systems: each rule is judged on a computed number, or says why not."""

import pytest

import dvhkit
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.protocols.checks.joint import is_joint
from dvhkit.protocols.evaluate import evaluate_protocol
from dvhkit.protocols.files.load import list_protocols, load_protocol
from dvhkit.results.audit import Verdict

DECIDED = (Verdict.PASS, Verdict.VARIATION, Verdict.FAIL)
CONTEXT = {"concurrent_chemotherapy": False, "tumour_site": "prostate", "technique": "imrt"}


def judged(rows, protocol_id):
    protocol = load_protocol(protocol_id)
    assert {row.rule_id for row in rows if is_joint(row)} == {group.id for group in protocol.groups}
    rows = [row for row in rows if not is_joint(row)]
    assert {row.rule_id for row in rows} == {rule.id for rule in protocol.rules}
    for row in rows:
        if row.verdict in DECIDED and row.goal.startswith("one of "):
            assert row.note.startswith("the plan: "), row  # a word: no number, and no distance from the goal
        elif row.verdict in DECIDED:
            assert row.value is not None, row
            assert row.margin is not None, row
        else:
            assert row.reason, row
    return {row.rule_id: row for row in rows}


@pytest.mark.real
@pytest.mark.parametrize("plan", ["alderson_vmat", "breast_tps_dvh"])
def test_every_rule_of_every_protocol_is_judged_or_says_why_not(real_data, plan):
    numbers = CaseNumbers(dvhkit.read_case(real_data / plan))  # computes each DVH once for all protocols
    for info in list_protocols():
        judged(evaluate_protocol(load_protocol(info.id), numbers, CONTEXT), info.id)


@pytest.mark.real
def test_quantec_on_a_prostate_sized_plan_in_conventional_fractions(real_data):
    """The plan's 60 Gy taken as 30 fractions of 2 Gy: rectum and bladder are judged, on the numbers of their DVHs."""
    case = dvhkit.read_case(real_data / "alderson_vmat")
    context = CONTEXT | {"prescription": {"dose_gy": 60.0, "fractions": 30}}
    rows = judged(dvhkit.audit_case(case, "quantec-2010", context=context).rules, "quantec-2010")
    for rule_id, roi, metric in (
        ("Rectum-V50Gy", "Rectum", "V50Gy[%]"),
        ("Rectum-V60Gy", "Rectum", "V60Gy[%]"),
        ("Bladder-V65Gy", "Bladder", "V65Gy[%]"),
    ):
        row = rows[rule_id]
        assert row.verdict in DECIDED
        assert (row.roi, row.quantity) == (roi, metric)
        assert row.value == dvhkit.evaluate_metric(case, roi, metric).value
    assert rows["Bladder-Max"].verdict is Verdict.NOT_APPLICABLE  # that is for bladder cancer
    assert rows["Lungs-V20Gy"].reason_code == "no-structure"
    assert rows["Liver-GTV-DC700cc-3-5fx"].verdict is Verdict.NOT_APPLICABLE


@pytest.mark.real
def test_aliases_find_the_femoral_heads_of_a_planning_system(real_data):
    """TG-101 in five fractions: FemoralHead_L is Femur_Head_L by alias, and both sides are judged."""
    case = dvhkit.read_case(real_data / "alderson_vmat")
    rx, known = {"prescription": {"dose_gy": 35.0, "fractions": 5}}, ["dose-far-from-prescription"]
    record = dvhkit.audit_case(case, "tg101-2010", context=rx, accept=known)
    rows = [row for row in record.rules if row.rule_id == "Femur_Head-D10cc-5fx"]
    assert [(row.roi, row.verdict in DECIDED) for row in rows] == [("FemoralHead_L", True), ("FemoralHead_R", True)]
    assert all("alias" in row.note for row in rows)
