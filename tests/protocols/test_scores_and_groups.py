"""Points by straight lines between those stated; rules that must hold together; both survive our own format."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvhkit.errors import ProtocolError
from dvhkit.model.dvh import Dvh
from dvhkit.outputs.records import audit_document
from dvhkit.protocols.checks.score import ScoreCurve
from dvhkit.protocols.converters.own_yaml import protocol_yaml
from dvhkit.protocols.evaluate import StructureFact, evaluate_protocol
from dvhkit.protocols.files.load import load_protocol
from dvhkit.protocols.files.waivers import Waiver, apply_waivers
from dvhkit.results.audit import AuditRecord, MetricResult, Score, Verdict

HEAD = 'id: p\nversion: "1"\ntitle: t\n'


class Case:
    """A case whose structures have the mean doses given; None is a structure without a value."""

    def __init__(self, fractions=None, **means_gy):
        self.means_gy, self._fractions = means_gy, fractions

    def structures(self):
        return tuple(StructureFact(name=n, number=i, rt_roi_type="ORGAN") for i, n in enumerate(self.means_gy, 1))

    def metric(self, roi, metric):
        value = self.means_gy[str(roi)]
        lack = {} if value is not None else {"reason_code": "no-dose", "reason": "there is no dose."}
        return MetricResult(roi=str(roi), metric=str(metric), unit="Gy", value=value, **lack)

    def image(self):
        return None

    def prescriptions(self):
        return ()

    def fractions(self):
        return self._fractions


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "p.yaml"
        path.write_text(HEAD + text)
        return load_protocol(path)

    return load


def rule(name, extra=""):
    return (
        f'  - {{id: {name}, structure: {name}, metric: "Mean[Gy]", goal: "<= 10 Gy", variation: "<= 12 Gy"{extra}}}\n'
    )


def record(rows):
    return AuditRecord(case="c", protocol_id="p", protocol_version="1", protocol_title="t", rules=tuple(rows))


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-9, 9)), min_size=2, max_size=6, unique_by=lambda k: k[0]),
       st.floats(-60, 60))  # fmt: skip
def test_points_are_those_of_linear_interpolation(knots, value):
    knots = sorted((float(x), float(y)) for x, y in knots)
    xs, ys = zip(*knots, strict=True)
    assert ScoreCurve(tuple(knots))(value) == pytest.approx(float(np.interp(value, xs, ys)), abs=1e-12)
    assert [ScoreCurve(tuple(knots))(x) for x in xs] == list(ys)


@pytest.mark.parametrize(
    ("score", "why"),
    [
        ("[[10, 5]]", "from 2 to 50"),
        ("[[10, 5], [10, 0]]", "rise"),
        ("[[15, 0], [10, 5]]", "rise"),
        ("[[1, 2, 3]]", "2"),
    ],
)
def test_a_score_that_means_nothing_is_refused_with_its_line(load, score, why):
    with pytest.raises(ProtocolError, match=why) as caught:
        load("rules:\n" + rule("A", f", score: {score}"))
    assert caught.value.where == "line 5"


def test_the_total_counts_what_could_not_be_measured_as_possible_and_what_does_not_apply_not_at_all(load):
    protocol = load(
        "rules:\n"
        + rule("A", ", score: [[8, 6], [12, 0]]")
        + rule("B", ", score: [[0, 10], [20, 0]]")
        + rule("C", ", score: [[0, 4], [20, 0]]")
        + rule("D", ", score: [[0, 100], [20, 0]], fractions: 3")
        + rule("E", ", score: [[0, 7], [20, 0]], source: x, status: B")
        + rule("F")
    )
    audit = record(evaluate_protocol(protocol, Case(fractions=5, A=9.0, B=15.0, C=None, D=0.0, E=0.0, F=1.0)))
    assert [r.score for r in audit.rules] == [4.5, 2.5, None, None, None, None]
    assert audit.score() == Score(points=7.0, possible=27.0, rules=4, missing=2)
    assert audit_document([audit])["cases"][0]["score"] == {"points": 7.0, "possible": 27.0, "rules": 4, "missing": 2}
    assert json.dumps(audit_document([audit]))


def test_without_scored_rules_there_is_no_total(load):
    assert record(evaluate_protocol(load("rules:\n" + rule("A")), Case(A=1.0))).score() is None


GROUPED = (
    'groups: {AB: "A and B together"}\nrules:\n' + rule("A", ", group: AB, waivable: true")
    + rule("B", ", group: AB") + rule("C")
)  # fmt: skip


@pytest.mark.parametrize(
    ("a_gy", "b_gy", "verdict", "reason"),
    [
        (9.0, 9.0, Verdict.PASS, None),
        (9.0, 11.0, Verdict.VARIATION, "B is within variation only."),
        (13.0, 9.0, Verdict.FAIL, "A failed."),
        (13.0, None, Verdict.FAIL, "A failed."),
        (13.0, 13.0, Verdict.FAIL, "A failed; B failed."),
        (9.0, None, Verdict.NOT_EVALUABLE, "B could not be evaluated."),
    ],
)
def test_a_group_passes_only_if_all_of_it_passes(load, a_gy, b_gy, verdict, reason):
    rows = evaluate_protocol(load(GROUPED), Case(A=a_gy, B=b_gy, C=50.0))
    assert [row.rule_id for row in rows] == ["A", "B", "AB", "C"]
    assert (rows[2].verdict, rows[2].reason, rows[2].title) == (verdict, reason, "A and B together")
    assert (rows[2].reason_code == "no-dose") is (verdict is Verdict.NOT_EVALUABLE)


def test_a_rule_of_a_group_that_does_not_apply_is_left_out_and_counted(load):
    text = GROUPED.replace("group: AB, waivable: true", "group: AB, fractions: 3")
    rows = evaluate_protocol(load(text), Case(fractions=5, A=50.0, B=11.0, C=1.0))
    assert (rows[0].verdict, rows[2].verdict) == (Verdict.NOT_APPLICABLE, Verdict.VARIATION)
    assert "1 of its 2 rows do not apply" in rows[2].reason
    nothing = evaluate_protocol(
        load(text.replace("group: AB}", "group: AB, fractions: 3}")), Case(fractions=5, A=1.0, B=1.0, C=1.0)
    )
    assert nothing[2].verdict is Verdict.NOT_APPLICABLE


def test_a_group_follows_a_waiver_of_its_rule(load):
    rows = evaluate_protocol(load(GROUPED), Case(A=13.0, B=9.0, C=1.0))
    waiver = Waiver(rule="A", by="A. Physician", date="2025-03-14", reason="r")
    waived = apply_waivers(rows, [waiver])
    assert [row.verdict for row in waived] == [Verdict.WAIVED, Verdict.PASS, Verdict.WAIVED, Verdict.PASS]
    assert record(waived).all_met
    assert apply_waivers(rows, [replace(waiver, rule="AB")])[2].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rules:\n" + rule("A", ", group: AB"), "no title"),
        ("groups: {AB: t}\nrules:\n" + rule("A", ", group: AB"), "at least two"),
        ("groups: {A: t}\nrules:\n" + rule("A", ", group: A") + rule("B", ", group: A"), "has the id"),
    ],
)
def test_a_group_needs_a_title_two_rules_and_a_name_of_its_own(load, text, why):
    with pytest.raises(ProtocolError, match=why):
        load(text)


def test_scores_and_groups_survive_our_own_format(load, tmp_path):
    first = load(
        'groups: {AB: "A and B"}\nrules:\n'
        + rule("A", ", group: AB, score: [[1, 2.5], [3, 0]]")
        + rule("B", ", group: AB")
    )
    path = tmp_path / "again.yaml"
    path.write_text(protocol_yaml(first))
    again = load_protocol(path)
    assert again.groups == first.groups
    assert [(r.score, r.group) for r in again.rules] == [(r.score, r.group) for r in first.rules]


def test_a_prescription_of_one_target_survives_our_own_format(load, tmp_path):
    first = load('rules:\n  - {id: A, structure: PTV_High, property: prescription.dose, goal: ">= 60 Gy"}\n')
    path = tmp_path / "again.yaml"
    path.write_text(protocol_yaml(first))
    assert load_protocol(path).rules[0].check == first.rules[0].check


def rectum(*volumes_pct):
    """A rectum of 100 cc with such volumes at 50, 60, 65, 70 and 75 Gy."""
    steps = np.diff([0.0, *volumes_pct[::-1]])[::-1]
    parts = np.array([100.0 - volumes_pct[0], *steps])
    doses = np.array([0.0, 55.0, 62.0, 67.0, 72.0, 76.0])
    return Dvh(roi="Rectum", dose_gy=doses, part_cc=parts, volume_cc=100.0, min_gy=0.0, max_gy=76.0)


@pytest.mark.parametrize(
    ("volumes_pct", "verdict"),
    [((49, 34, 24, 19, 14), Verdict.PASS), ((49, 34, 24, 19, 16), Verdict.FAIL), ((51, 34, 24, 19, 14), Verdict.FAIL)],
)
def test_quantec_judges_the_rectum_by_five_limits_together(volumes_pct, verdict):
    from test_evaluate_protocol import Facts, rx

    facts = Facts(dvhs=[rectum(*volumes_pct)], rx=[rx(78.0)], fractions=39)
    rows = {row.rule_id: row for row in evaluate_protocol(load_protocol("quantec-2010"), facts, {})}
    assert rows["Rectum-volumes"].verdict is verdict
    assert rows["Rectum-V60Gy"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.PASS),
        ({"cord_cumulative_eqd2_2_gy": 70.5}, Verdict.FAIL),
        ({"cord_sbrt_share": 0.51}, Verdict.FAIL),
        ({"cord_interval_months": 4}, Verdict.FAIL),
        ({"cord_interval_months": None}, Verdict.NOT_EVALUABLE),
        ({"cord_previously_irradiated": False}, Verdict.NOT_APPLICABLE),
    ],
)
def test_cord_reirradiation_needs_all_four_conditions(change, verdict):
    from test_evaluate_protocol import Facts, dvh, rx

    context = {"cord_previously_irradiated": True, "cord_cumulative_eqd2_2_gy": 60, "cord_sbrt_share": 0.4,
               "cord_interval_months": 12} | change  # fmt: skip
    # 12 Gy in 5 fractions of 2.4 Gy: EQD2 at 2 Gy is 12 (2.4 + 2) / 4 = 13.2 Gy, below 25 Gy.
    facts = Facts(dvhs=[dvh("ThecalSac", [5.0, 12.0], [1.0, 1.0])], rx=[rx(30.0)], fractions=5)
    real = facts.metric
    from dvhkit.metrics.evaluate import evaluate_metric

    facts.metric = lambda roi, metric: (
        evaluate_metric(metric, facts.dvhs.get(str(roi)), roi=str(roi), fractions=5)
        if str(roi) == "ThecalSac"
        else real(roi, metric)
    )
    context = {key: value for key, value in context.items() if value is not None}
    rows = {row.rule_id: row for row in evaluate_protocol(load_protocol("hytec-2021"), facts, context)}
    assert rows["ThecalSac-reirradiation"].verdict is verdict
    if verdict is Verdict.PASS:
        assert rows["ThecalSac-this-course"].value == pytest.approx(13.2)


def test_the_unverified_ladder_is_measured_and_judges_nothing():
    from test_evaluate_protocol import Facts, dvh, rx

    for dose_gy, rule_id in ((50.0, "Liver-Mean-50Gy"), (27.5, "Liver-Mean-27.5Gy")):
        facts = Facts(dvhs=[dvh("Liver-GTV", [12.0, 14.0], [600.0, 600.0])], rx=[rx(dose_gy)], fractions=5)
        rows = {row.rule_id: row for row in evaluate_protocol(load_protocol("rtog-1112"), facts, {})}
        ladder = {name: row for name, row in rows.items() if name.startswith("Liver-Mean")}
        assert ladder[rule_id].value == pytest.approx(13.0)
        assert (ladder[rule_id].verdict, ladder[rule_id].reason_code) == (Verdict.NOT_EVALUABLE, "unverified-limit")
        assert all(row.verdict is Verdict.NOT_APPLICABLE for name, row in ladder.items() if name != rule_id)
        assert not any(row.verdict in (Verdict.PASS, Verdict.FAIL) for row in rows.values())
