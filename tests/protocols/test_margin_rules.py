"""Rules on drawn margins: which structures belong together, and whose verdict it is."""

import pytest

from dvhkit.errors import Reason
from dvhkit.protocols.checks.limits import parse_limit
from dvhkit.protocols.checks.margin import expected_margin
from dvhkit.protocols.evaluate import MarginFact, StructureFact, evaluate_protocol
from dvhkit.protocols.facts import PairFact
from dvhkit.protocols.files.load import load_protocol
from dvhkit.results.audit import Verdict
from dvhkit.units import Unit


class Drawn:
    """A case with targets whose PTVs were drawn `margin_mm` round their CTVs."""

    def __init__(self, *names, margin_mm=4.0):
        self.names, self.margin_mm, self.asked = names, margin_mm, []

    def structures(self):
        return tuple(StructureFact(name=n, number=i, rt_roi_type=n[:3]) for i, n in enumerate(self.names))

    def metric(self, roi, metric):
        raise AssertionError("a rule on margins asks for no metric")

    def image(self):
        return None

    def prescriptions(self):
        return ()

    def fractions(self):
        return None

    def pairs(self, inners, outers):
        """By name alone; several without one of their name are rivals."""
        if len(inners) == len(outers) == 1:
            return (PairFact(inner=inners[0], outer=outers[0], how="the only two"),)
        made = []
        for inner in inners:
            same = [o for o in outers if o.name[3:] == inner.name[3:]]
            rest = tuple(o.name for o in outers[1:])
            made.append(PairFact(inner=inner, outer=(same or outers)[0], how="", rivals=() if same else rest))
        return tuple(made)

    def margin(self, inner, outer, expect):
        self.asked.append((inner.name, outer.name, expect))
        low, high = (float(part) for part in expect.split("=")[-1].split(".."))
        verdict = Verdict.PASS if low <= self.margin_mm <= high else Verdict.FAIL
        band = {"low_mm": self.margin_mm - 0.5, "high_mm": self.margin_mm + 0.5}
        return MarginFact(verdict=verdict, value_mm=self.margin_mm, note=f"{self.margin_mm:g} mm all round", **band)


@pytest.fixture
def judge(tmp_path):
    def judge(facts, *, rule="goal: 2..5 mm", margin="from: {type: CTV, each: true}, to: {type: PTV, each: true}"):
        path = tmp_path / "p.yaml"
        path.write_text(f'id: p\nversion: "1"\ntitle: t\nrules:\n  - {{id: M, margin: {{{margin}}}, {rule}}}\n')
        return evaluate_protocol(load_protocol(path), facts)

    return judge


@pytest.mark.parametrize(("margin_mm", "verdict", "margin"), [(4, Verdict.PASS, 1), (7, Verdict.FAIL, -2)])
def test_a_drawn_margin_is_judged(judge, margin_mm, verdict, margin):
    (row,) = judge(Drawn("CTV", "PTV", margin_mm=margin_mm))
    assert (row.verdict, row.value, row.margin, row.unit) == (verdict, margin_mm, margin, "mm")
    assert (row.low, row.high) == (margin_mm - 0.5, margin_mm + 0.5)
    assert row.roi == "CTV to PTV"
    assert "all round" in row.note


def test_a_margin_outside_the_goal_may_be_an_allowed_variation(judge):
    (row,) = judge(Drawn("CTV", "PTV"), rule="goal: 5..10 mm, variation: 3..10 mm")
    assert row.verdict is Verdict.VARIATION


def test_the_margin_along_one_axis_is_asked_for_as_such(judge):
    facts = Drawn("CTV", "PTV")
    judge(facts, margin="from: CTV, to: PTV, direction: AP")
    assert facts.asked == [("CTV", "PTV", "AP=2..5")]


def test_targets_of_one_name_belong_together(judge):
    facts = Drawn("PTV_2", "CTV_1", "CTV_2", "PTV_1", "GTV")
    rows = judge(facts)
    assert [row.roi for row in rows] == ["CTV_2 to PTV_2", "CTV_1 to PTV_1"]
    assert {row.verdict for row in rows} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("CTV", "PTV_1", "PTV_2"), Reason.AMBIGUOUS_STRUCTURE),
        (("PTV",), Reason.NO_STRUCTURE),
        (("CTV",), Reason.NO_STRUCTURE),
    ],
)
def test_what_does_not_plainly_belong_together_is_not_judged(judge, names, reason):
    (row,) = judge(Drawn(*names))
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, reason)
    assert row.reason


def test_structures_made_of_others_have_no_drawn_margin(judge):
    (row,) = judge(Drawn("CTV", "GTV", "PTV"), margin="from: CTV - GTV, to: PTV")
    assert row.reason_code == Reason.NOT_IMPLEMENTED


def test_an_unverified_margin_is_measured_and_not_judged(judge):
    (row,) = judge(Drawn("CTV", "PTV"), rule="goal: 2..5 mm, status: B")
    assert (row.verdict, row.reason_code, row.value) == (Verdict.NOT_EVALUABLE, Reason.UNVERIFIED, 4.0)


def test_what_a_margin_check_is_asked():
    assert expected_margin(parse_limit(">= 5", unit=Unit.MM), "") == "5..100"
    assert expected_margin(parse_limit("<= 5", unit=Unit.MM), "CC") == "CC=0..5"
    assert expected_margin(parse_limit("== 10", unit=Unit.MM), "") == "10..10"
