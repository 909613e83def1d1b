"""Limits that depend on the target's volume, and the highest prescription of a ladder: by hand, and at their edges."""

import pytest

from dvhkit.errors import ProtocolError, Reason
from dvhkit.findings import Level
from dvhkit.model.plan import Prescription
from dvhkit.protocols.converters.own_yaml import protocol_yaml
from dvhkit.protocols.evaluate import evaluate_protocol
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.files.load import load_protocol
from dvhkit.protocols.lint.protocol import lint_protocol
from dvhkit.results.audit import MetricResult, Verdict

TABLE = """\
rules:
  - id: R50
    structure: {type: PTV, each: true}
    metric: R50
    goal: "< by volume"
    by_volume_cc: [[2, 6.0, 7.5], [10, 5.0, 6.5], [20, 4.5, 5.5]]
    source: Paper
    status: P
"""
NO_METRIC = TABLE.replace("    structure: {type: PTV, each: true}\n", "").replace(
    "metric: R50", "property: plan.energy"
)
LADDER = """\
rules:
  - id: L
    structure: Liver-GTV
    ladder:
      - {prescription_gy: 50, limits: {"Mean[Gy]": "<= 13 Gy", "Veff[%]": "< 25 %"}}
      - {prescription_gy: 45, limits: {"Mean[Gy]": "<= 15 Gy", "Veff[%]": "< 30 %"}}
      - {prescription_gy: 30, limits: {"Mean[Gy]": "<= 16 Gy", "Veff[%]": "< 55 %"}}
    goal: ">= prescription"
    source: Paper
    status: P
"""


class Facts:
    """A case whose metrics are stated: value, or value with band."""

    def __init__(self, values, rx_gy=50.0, fractions=5):
        self.values, self.rx_gy, self._fractions = values, rx_gy, fractions

    def structures(self):
        return (
            StructureFact(name="PTV", number=1, rt_roi_type="PTV"),
            StructureFact(name="Liver-GTV", number=2, rt_roi_type="ORGAN"),
        )

    def metric(self, roi, metric):
        found = self.values.get(metric.canonical)
        if found is None:
            return MetricResult(
                roi=str(roi), metric=metric.canonical, unit=metric.unit.value, value=None,
                reason_code=Reason.NO_DOSE.value, reason="there is no dose.",
            )  # fmt: skip
        value, low, high = found if isinstance(found, tuple) else (found, found, found)
        return MetricResult(
            roi=str(roi), metric=metric.canonical, unit=metric.unit.value, value=value, low=low, high=high
        )

    def image(self):
        return None

    def prescriptions(self):
        if self.rx_gy is None:
            return ()
        return (Prescription(dose_gy=self.rx_gy, roi_number=None, origin="test"),)

    def fractions(self):
        return self._fractions


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "p.yaml"
        path.write_text(
            f'id: p\nversion: "1"\ntitle: t\nsources: [{{key: Paper, citation: a paper}}]\n{text}', encoding="utf-8"
        )
        return load_protocol(path)

    return load


@pytest.mark.parametrize(
    ("volume_cc", "r50", "goal", "verdict"),
    [
        (2.0, 5.9, "< 6", Verdict.PASS),
        (2.0, 6.0, "< 6", Verdict.VARIATION),
        (2.0, 7.5, "< 6", Verdict.FAIL),
        (6.0, 5.4, "< 5.5", Verdict.PASS),  # half way between 2 and 10 cc
        (6.0, 5.6, "< 5.5", Verdict.VARIATION),
        (15.0, 4.7, "< 4.75", Verdict.PASS),
        (20.0, 4.6, "< 4.5", Verdict.VARIATION),
    ],
)
def test_the_limit_is_read_off_by_volume_linear_in_between(load, volume_cc, r50, goal, verdict):
    (row,) = evaluate_protocol(load(TABLE), Facts({"R50": r50, "Volume[cc]": volume_cc}))
    assert (row.goal, row.verdict) == (goal, verdict)
    assert row.margin == pytest.approx(float(goal.split()[1]) - r50)
    assert f"{volume_cc:g} cc" in row.note


@pytest.mark.parametrize("volume_cc", [1.9, 20.1, 500.0])
def test_beyond_the_table_nothing_is_extrapolated(load, volume_cc):
    (row,) = evaluate_protocol(load(TABLE), Facts({"R50": 1.0, "Volume[cc]": volume_cc}))
    assert (row.verdict, row.value) == (Verdict.NOT_EVALUABLE, None)
    assert "2 to 20 cc" in row.reason


def test_a_structure_whose_volume_is_not_known_has_no_limit(load):
    (row,) = evaluate_protocol(load(TABLE), Facts({"R50": 1.0}))
    assert row.verdict is Verdict.NOT_EVALUABLE


@pytest.mark.parametrize(
    ("rx_gy", "mean_gy", "veff_pct", "highest", "verdict"),
    [
        (50.0, 12.9, 24.0, 50.0, Verdict.PASS),
        (50.0, 13.0, 24.0, 50.0, Verdict.PASS),
        (50.0, 13.0, 25.0, 45.0, Verdict.FAIL),  # the effective volume binds: it is below 25 % or it is not
        (50.0, 14.0, 20.0, 45.0, Verdict.FAIL),  # 14 > 13; at 45 Gy it is 12.6
        (45.0, 12.6, 29.0, 45.0, Verdict.PASS),  # at 50 Gy it is 14
        (30.0, 7.0, 20.0, 50.0, Verdict.PASS),  # at 50 Gy it is 11.7
        (42.0, 12.0, 20.0, 45.0, Verdict.PASS),  # between two rungs; at 50 Gy it is 14.3
        (47.0, 14.0, 20.0, 45.0, Verdict.FAIL),
        (50.0, 25.0, 20.0, 30.0, Verdict.FAIL),  # at 45 Gy it is 22.5, at 30 Gy 15
    ],
)
def test_the_highest_prescription_of_the_ladder(load, rx_gy, mean_gy, veff_pct, highest, verdict):
    (row,) = evaluate_protocol(load(LADDER), Facts({"Mean[Gy]": mean_gy, "Veff[%]": veff_pct}, rx_gy))
    assert (row.value, row.unit, row.verdict) == (highest, "Gy", verdict)
    assert row.goal == f">= {rx_gy:g} Gy"
    assert row.margin == pytest.approx(highest - rx_gy)


def test_the_note_names_what_binds(load):
    (row,) = evaluate_protocol(load(LADDER), Facts({"Mean[Gy]": 14.0, "Veff[%]": 20.0}))
    assert "at 50 Gy Mean[Gy] would be 14, not <= 13 Gy" in row.note


def test_a_plan_below_the_ladder_fails_with_what_binds(load):
    (row,) = evaluate_protocol(load(LADDER), Facts({"Mean[Gy]": 30.0, "Veff[%]": 80.0}))
    assert (row.verdict, row.value) == (Verdict.FAIL, None)
    assert "not even 30 Gy" in row.reason
    assert "Veff[%] would be 80, not < 55 %" in row.reason


def test_a_band_that_reaches_another_rung_is_indeterminate(load):
    facts = Facts({"Mean[Gy]": (13.2, 12.8, 13.4), "Veff[%]": 20.0})
    (row,) = evaluate_protocol(load(LADDER), facts)
    assert (row.value, row.low, row.high) == (45.0, 45.0, 50.0)
    assert row.verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts({"Mean[Gy]": 10.0, "Veff[%]": 20.0}, rx_gy=None), Reason.NO_PRESCRIPTION),
        (Facts({"Mean[Gy]": 10.0}), Reason.NO_DOSE),
        (Facts({}), Reason.NO_DOSE),
    ],
)
def test_what_the_ladder_lacks_is_a_reason(load, facts, reason):
    (row,) = evaluate_protocol(load(LADDER), facts)
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, reason)


def test_an_unverified_ladder_is_shown_and_judges_nothing(load):
    text = LADDER.replace("status: P", "status: B")
    for mean_gy, would_be in ((10.0, "a pass"), (30.0, "a fail")):
        (row,) = evaluate_protocol(load(text), Facts({"Mean[Gy]": mean_gy, "Veff[%]": 20.0}))
        assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.UNVERIFIED)
        assert would_be in row.reason
        assert "limit not verified" in row.note


def test_the_shipped_ladder_on_a_plan_that_its_first_rung_allows():
    facts = Facts({"Mean[Gy]": 12.0, "Veff[%]": 24.0, "DC700cc[Gy]": 5.0})
    rows = {row.rule_id: row for row in evaluate_protocol(load_protocol("rtog-1112"), facts)}
    assert rows["Highest-prescription"].value == 50.0
    assert rows["Liver-Veff-50Gy"].value == 24.0
    assert rows["Liver-Veff-45Gy"].verdict is Verdict.NOT_APPLICABLE
    assert all(row.verdict in (Verdict.NOT_EVALUABLE, Verdict.NOT_APPLICABLE) for row in rows.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE.replace("< by volume", "< 5"), "by volume"),
        (TABLE.replace("[10, 5.0, 6.5]", "[30, 5.0, 6.5]"), "must rise"),
        (TABLE.replace("[10, 5.0, 6.5]", "[10, 5.0]"), "rows alike"),
        (TABLE.replace("[2, 6.0, 7.5], [10, 5.0, 6.5], ", ""), "at least two rows"),
        (TABLE.replace("[2, 6.0", "[0, 6.0"), "must rise"),
        (TABLE.replace('goal: "< by volume"', 'goal: "< by volume"\n    variation: "< 8"'), "third column"),
        (NO_METRIC, "by_volume_cc belongs to a metric"),
        (LADDER.replace(">= prescription", ">= 50 Gy"), "'>= prescription'"),
        (LADDER.replace("prescription_gy: 45", "prescription_gy: 55"), "must fall"),
        (LADDER.replace('"Veff[%]": "< 30 %"', '"V20Gy[%]": "< 30 %"'), "does not scale"),
        (LADDER.replace('"Mean[Gy]": "<= 15 Gy"', '"EQD2_3:Mean[Gy]": "<= 15 Gy"'), "does not scale"),
        (LADDER.replace('"Mean[Gy]": "<= 15 Gy", ', ""), "same metrics"),
        (LADDER.replace('"Mean[Gy]": "<= 15 Gy"', '"Mean[Gy]": "<= 15 cc"'), "in cc"),
        (LADDER.replace('goal: ">= prescription"', 'goal: ">= prescription"\n    variation: 40'), "has no variation"),
        (LADDER.replace("structure: Liver-GTV\n", "title: no structure\n"), "belong together"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(load, text, said):
    with pytest.raises(ProtocolError, match=said) as caught:
        load(text)
    assert caught.value.where.startswith("line ")


@pytest.mark.parametrize("text", [TABLE, LADDER])
def test_they_survive_being_written(load, tmp_path, text):
    protocol = load(text)
    path = tmp_path / "again.yaml"
    path.write_text(protocol_yaml(protocol), encoding="utf-8")
    again = load_protocol(path)
    assert [(r.check, r.goal, r.variation) for r in again.rules] == [
        (r.check, r.goal, r.variation) for r in protocol.rules
    ]


@pytest.mark.parametrize(
    ("text", "code", "level"),
    [
        (TABLE.replace("[10, 5.0, 6.5]", "[10, 6.5, 7.6]"), "table-order", Level.WARNING),
        (TABLE.replace("[10, 5.0, 6.5]", "[10, 5.0, 4.5]"), "variation-stricter", Level.SERIOUS),
        (LADDER.replace("<= 13 Gy", "<= 16 Gy"), "ladder-order", Level.WARNING),
        (LADDER.replace("prescription_gy: 50", "prescription_gy: 240"), "unit-slip", Level.SERIOUS),
    ],
)
def test_slips_in_tables_are_found(load, text, code, level):
    assert (level, code) in {(finding.level, finding.code) for finding in lint_protocol(load(text))}


@pytest.mark.parametrize("text", [TABLE, LADDER])
def test_sound_tables_are_clean(load, text):
    found = lint_protocol(load(text))
    assert [finding for finding in found if finding.level is Level.SERIOUS] == []
    assert {finding.code for finding in found} <= {"unknown-name", "no-fractionation"}
