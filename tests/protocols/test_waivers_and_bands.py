"""Waivers need a name, a date and a reason; a band that crosses a limit is no verdict."""

from dataclasses import replace

import pytest

from dvhkit.errors import InputError
from dvhkit.protocols.evaluate import StructureFact, evaluate_protocol
from dvhkit.protocols.files.load import load_protocol
from dvhkit.protocols.files.waivers import Waiver, apply_waivers, load_waivers
from dvhkit.results.audit import AuditRecord, MetricResult, RuleResult, Verdict

TRIAL = load_protocol("oligoprogressive-liver-2025")


def row(rule_id="W25-D1", roi="PTV", verdict=Verdict.FAIL, **keys):
    plain = RuleResult(
        rule_id=rule_id, title="t", roi=roi, quantity="q", goal=">= 60 Gy", variation="", value=59.5, unit="Gy",
        verdict=verdict, margin=-0.5,
    )  # fmt: skip
    return replace(plain, **keys)


WAIVER = Waiver(rule="W25-D1", by="A. Physician", date="2025-03-14", reason="duodenum")


def record(rows):
    return AuditRecord(case="c", protocol_id="p", protocol_version="1", protocol_title="t", rules=tuple(rows))


def test_a_failed_rule_is_waived_and_keeps_its_numbers():
    (waived,) = apply_waivers([row()], [WAIVER])
    assert waived.verdict is Verdict.WAIVED
    assert (waived.value, waived.margin) == (59.5, -0.5)
    assert waived.reason == "waived by A. Physician on 2025-03-14: duodenum (was fail)"
    assert record([waived]).all_met
    assert not record([row()]).all_met


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.VARIATION, Verdict.NOT_EVALUABLE, Verdict.NOT_APPLICABLE])
def test_only_a_failure_or_an_open_verdict_can_be_waived(verdict):
    assert apply_waivers([row(verdict=verdict)], [WAIVER]) == (row(verdict=verdict),)
    assert apply_waivers([row(verdict=Verdict.INDETERMINATE)], [WAIVER])[0].verdict is Verdict.WAIVED


def test_a_waiver_for_one_structure_leaves_the_others():
    only = replace(WAIVER, roi="ptv 2")
    rows = apply_waivers([row(roi="PTV1"), row(roi="PTV2"), row(rule_id="W25-I1", roi="PTV2")], [only])
    assert [r.verdict for r in rows] == [Verdict.FAIL, Verdict.WAIVED, Verdict.FAIL]


GOOD = "waivers:\n  - rule: W25-D1\n    by: A. Physician\n    date: 2025-03-14\n    reason: duodenum\n"


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "waivers.yaml"
        path.write_text(text)
        return load_waivers(path, TRIAL)

    return load


def test_a_waiver_file(load):
    assert load(GOOD) == (WAIVER,)


@pytest.mark.parametrize(
    ("good", "bad", "line", "fragment"),
    [
        ("W25-D1", "W25-D01", 2, "Did you mean 'W25-D1'"),
        ("W25-D1", "W25-C2", 2, "does not allow"),
        ("    by: A. Physician\n", "", 2, "'by'"),
        ("    reason: duodenum\n", "", 2, "'reason'"),
        ("2025-03-14", "14.3.2025", 4, "no date"),
        ("2025-03-14", "2025-02-30", 4, "no date"),
        ("duodenum", "''", 5, "'reason'"),
        ("duodenum", "7", 5, "'reason'"),
        ("    by:", "    bye:", 3, "Did you mean 'by'"),
        ("waivers:", "waiver:", 1, "'waivers'"),
    ],
)
def test_a_broken_waiver_file_names_its_line(load, good, bad, line, fragment):
    with pytest.raises(InputError) as caught:
        load(GOOD.replace(good, bad))
    assert caught.value.where == f"line {line}"
    assert fragment in str(caught.value)


class OnePtv:
    def __init__(self, value, low, high):
        self.result = MetricResult(roi="PTV", metric="D95%[Gy]", unit="Gy", value=value, low=low, high=high)

    def structures(self):
        return (StructureFact(name="PTV", number=1, rt_roi_type="PTV"),)

    def metric(self, roi, metric):
        return self.result

    def image(self):
        return None

    def prescriptions(self):
        return ()

    def fractions(self):
        return None


@pytest.mark.parametrize(
    ("goal", "variation", "value", "low", "high", "verdict"),
    [
        ("<= 15 Gy", "<= 17 Gy", 14.0, 13.0, 15.0, Verdict.PASS),
        ("< 15 Gy", "<= 17 Gy", 14.0, 13.0, 15.0, Verdict.INDETERMINATE),
        ("<= 15 Gy", "<= 17 Gy", 16.0, 15.1, 17.0, Verdict.VARIATION),
        ("<= 15 Gy", "<= 17 Gy", 16.0, 14.9, 17.0, Verdict.INDETERMINATE),
        ("<= 15 Gy", "<= 17 Gy", 17.5, 16.9, 18.0, Verdict.INDETERMINATE),
        ("<= 15 Gy", "<= 17 Gy", 18.0, 17.1, 19.0, Verdict.FAIL),
        ("<= 15 Gy", None, 15.5, 15.1, 15.9, Verdict.FAIL),
        ("<= 15 Gy", None, 15.5, 14.9, 15.9, Verdict.INDETERMINATE),
        ("2..5 Gy", None, 3.0, 2.5, 4.5, Verdict.PASS),
        ("2..5 Gy", None, 3.0, 1.5, 4.5, Verdict.INDETERMINATE),
        ("2..5 Gy", None, 1.5, 1.0, 6.0, Verdict.INDETERMINATE),  # both ends fail, what lies between passes
        ("2..5 Gy", None, 1.5, 1.0, 1.9, Verdict.FAIL),
        ("2..5 Gy", "1..6 Gy", 0.5, 0.2, 7.0, Verdict.INDETERMINATE),
        ("2..5 Gy", "1..6 Gy", 1.5, 1.2, 1.9, Verdict.VARIATION),
    ],
)
def test_a_band_counts_whole(tmp_path, goal, variation, value, low, high, verdict):
    extra = f', variation: "{variation}"' if variation else ""
    path = tmp_path / "p.yaml"
    path.write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n'
        f'  - {{id: R, structure: PTV, metric: "D95%[Gy]", goal: "{goal}"{extra}}}\n'
    )
    (result,) = evaluate_protocol(load_protocol(path), OnePtv(value, low, high))
    assert result.verdict is verdict
    assert record([result]).all_met == (verdict in (Verdict.PASS, Verdict.VARIATION))


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (50.5, 50.1, 50.9, Verdict.PASS),
        (50.5, 49.9, 51.1, Verdict.INDETERMINATE),
        (49.5, 49.1, 49.9, Verdict.VARIATION),
        (49.5, 48.9, 50.1, Verdict.INDETERMINATE),
        (47.4, 47.3, 47.6, Verdict.INDETERMINATE),
        (46.0, 45.9, 46.1, Verdict.FAIL),
        (50.5, None, None, Verdict.PASS),
    ],
)
def test_a_band_across_a_limit_is_indeterminate(tmp_path, value, low, high, verdict):
    path = tmp_path / "p.yaml"
    path.write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n'
        '  - {id: R, structure: PTV, metric: "D95%[Gy]", goal: ">= 50 Gy", variation: ">= 47.5 Gy"}\n'
    )
    (result,) = evaluate_protocol(load_protocol(path), OnePtv(value, low, high))
    assert result.verdict is verdict
    assert (result.value, result.low, result.high) == (value, low, high)
    assert (result.reason is not None) == (verdict is Verdict.INDETERMINATE)
    assert record([result]).all_met == (verdict in (Verdict.PASS, Verdict.VARIATION))
