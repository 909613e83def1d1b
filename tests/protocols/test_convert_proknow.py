"""ProKnow scorecards: who owns the equality, and what is lost on the way."""

import json

import pytest

from dvhkit.errors import ProtocolError
from dvhkit.protocols.converters.proknow_json import proknow_json, read_proknow
from dvhkit.protocols.files.load import load_protocol


@pytest.fixture
def read(tmp_path):
    def read(data):
        path = tmp_path / "card.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        return read_proknow(path)

    return read


def card(*items):
    return {"computed": list(items), "custom": []}


def item(kind="MEAN_DOSE_ROI", argument=None, objectives=None):
    bins = objectives or [{"label": "PASS", "max": 20}, {"label": "FAIL"}]
    return {"type": kind, "roi_name": "Heart", "arg_1": argument, "arg_2": None, "objectives": bins}


@pytest.mark.parametrize(
    ("kind", "argument", "metric"),
    [
        ("DOSE_VOLUME_PERCENT_ROI", 95, "D95%[Gy]"),
        ("DOSE_VOLUME_CC_ROI", 0.03, "D0.03cc[Gy]"),
        ("DOSE_VOLUME_MINUS_CC_ROI", 700, "DC700cc[Gy]"),
        ("VOLUME_PERCENT_DOSE_ROI", 20, "V20Gy[%]"),
        ("VOLUME_CC_DOSE_ROI", 12.5, "V12.5Gy[cc]"),
        ("MAX_DOSE_ROI", None, "Max[Gy]"),
        ("VOLUME", None, "Volume[cc]"),
        ("VOLUME_OF_REGRET", 50, "Regret(at=50Gy)[cc]"),
        ("CONFORMATION_NUMBER", 47.5, "CI_Paddick(at=47.5Gy)"),
        ("CONFORMALITY_INDEX", 50, "CI_RTOG(at=50Gy)"),
        ("HOMOGENEITY_INDEX", 50, "HI_Spread(hot=1%,cold=99%,over=50Gy)"),
        ("INHOMOGENEITY_INDEX", None, "HI_MaxMinMean"),
    ],
)
def test_their_metrics(read, kind, argument, metric):
    protocol, findings = read(card(item(kind, argument)))
    assert (protocol.rules[0].quantity, findings) == (metric, ())


@pytest.mark.parametrize(
    ("bins", "goal", "variation"),
    [
        ([{"label": "PASS", "max": 20}, {"label": "FAIL"}], "<= 20 Gy", "None"),
        ([{"label": "PASS"}, {"label": "FAIL", "min": 20}], "< 20 Gy", "None"),
        (
            [{"label": "IDEAL", "max": 20}, {"label": "OK", "max": 25}, {"label": "BAD"}],
            "<= 20 Gy",
            "<= 25 Gy",
        ),
        ([{"label": "FAIL"}, {"label": "PASS", "min": 50}], ">= 50 Gy", "None"),
        ([{"label": "FAIL", "max": 50}, {"label": "PASS"}], "> 50 Gy", "None"),
        ([{"label": "FAIL"}, {"label": "minor", "min": 47.5}, {"label": "PASS", "min": 50}], ">= 50 Gy", ">= 47.5 Gy"),
    ],
)
def test_the_bin_that_states_a_bound_owns_it(read, bins, goal, variation):
    (rule,) = read(card(item(objectives=bins)))[0].rules
    assert (str(rule.goal), str(rule.variation)) == (goal, variation)


@pytest.mark.parametrize("kind", ["VOLUME_CC_DOSE_RANGE_ROI", "VOLUME_PERCENT_DOSE_RANGE_ROI"])
def test_a_range_of_doses_has_two_arguments_and_comes_back(read, tmp_path, kind):
    protocol, findings = read(card(item(kind, 10) | {"arg_2": 20.5}))
    assert findings == ()
    (rule,) = protocol.rules
    assert rule.quantity == f"VRange(from=10Gy,to=20.5Gy)[{'cc' if 'CC' in kind else '%'}]"
    text, _ = proknow_json(protocol)
    (again,) = json.loads(text)["computed"]
    assert (again["type"], again["arg_1"], again["arg_2"]) == (kind, 10, 20.5)


@pytest.mark.parametrize(
    ("labels", "edges", "goal", "variation"),
    [
        (["IDEAL [5]", "GOOD [3]", "ACCEPTABLE [1]", "UNACCEPTABLE [0]"], [10, 20, 30], "<= 20 Gy", "<= 30 Gy"),
        (["GOOD", "MARGINAL", "FAIL", "FAIL BADLY"], [10, 20, 30], "<= 10 Gy", "<= 20 Gy"),
        (["FAIL", "UNACCEPTABLE", "ACCEPTABLE", "IDEAL"], [10, 20, 30], "> 30 Gy", "> 20 Gy"),
    ],
)
def test_more_than_three_bins_are_read_as_goal_and_variation_and_said_to_be(read, labels, edges, goal, variation):
    bins = [{"label": label} for label in labels]
    for one, edge in zip(bins, edges, strict=False):
        one["max"] = edge
    protocol, findings = read(card(item(objectives=bins)))
    (rule,) = protocol.rules
    assert (str(rule.goal), str(rule.variation)) == (goal, variation)
    assert any("4 bins" in finding.message for finding in findings)
    assert any("jump" in finding.message for finding in findings) == ("[5]" in labels[0])


@pytest.mark.parametrize(
    ("bad", "fragment"),
    [
        (item("CONFORMATION_NUMBER"), "no number"),
        (item("CUMULATIVE_METERSET"), "no counterpart"),
        (item("INTEGRAL_DOSE_ROI"), "no counterpart"),
        (item("VOLUME_CC_DOSE_RANGE_ROI", 10), "no number"),
        (item("DOSE_VOLUME_CC_ROI", "many"), "no number"),
        (item("DOSE_VOLUME_CC_ROI", True), "no number"),
        (item() | {"roi_name": ""}, "no ROI"),
        (item(objectives=[{"label": "A", "max": 1}, {"label": "B"}]), "good one"),
        (item(objectives=[{"label": "PASS", "max": 1}, {"label": "FAIL", "min": 1}]), "do not meet"),
        (item(objectives=[{"label": "PASS"}, {"label": "FAIL"}]), "do not meet"),
        (item(objectives=[{"label": "PASS"}]), "from 2 to 10"),
        ("metric", "no mapping"),
    ],
)
def test_what_cannot_be_read_is_listed(read, bad, fragment):
    protocol, (finding,) = read(card(item(), bad))
    assert len(protocol.rules) == 1
    assert fragment in finding.message
    assert finding.where == "computed metric 2"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"computed": []}', "{", "[" * 100_000, '{"computed": 5}', "\ufeff1"])
def test_what_is_no_scorecard_is_refused(read, text):
    with pytest.raises(ProtocolError):
        read(text)


@pytest.mark.parametrize("protocol_id", ["tg101-2010", "quantec-2010", "oligoprogressive-liver-2025"])
def test_there_and_back_keeps_what_the_format_holds(tmp_path, protocol_id):
    protocol = load_protocol(protocol_id)
    text, findings = proknow_json(protocol)
    path = tmp_path / "card.json"
    path.write_text(text, encoding="utf-8")
    lost = {f.where for f in findings if "the rule" in f.message}
    held = [(r.quantity, r.goal, r.variation) for r in protocol.rules if r.where not in lost]
    if held:
        back, unread = read_proknow(path)
        assert unread == ()
        assert [(r.quantity, r.goal, r.variation) for r in back.rules] == held
    assert len(held) + len(lost) == len(protocol.rules)
