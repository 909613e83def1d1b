"""Rules on how targets lie in each other, on boxes whose outside volumes are known."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from dvhkit.errors import ProtocolError, Reason
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.model.structure import Contour, Structure
from dvhkit.protocols.converters.own_yaml import protocol_yaml
from dvhkit.protocols.evaluate import evaluate_protocol
from dvhkit.protocols.files.load import load_protocol
from dvhkit.results.audit import Verdict

SLICE_MM = 2.5
CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)


def box(name, low, high, slices, *, number=1, kind=None):
    """A box on slices 2.5 mm apart; the grid is shifted and sides are unequal."""
    low, high = np.array(low, float), np.array(high, float)
    shift = np.array([-31.5, 12.0])
    contours = []
    for k in range(*slices):
        xy = shift + low + CORNERS * (high - low)
        contours.append(Contour(points_mm=np.column_stack([xy, np.full(4, SLICE_MM * k - 7.0)])))
    return Structure(number=number, name=name, contours=tuple(contours), rt_roi_type=kind or name[:3])


GTV = box("GTV", (10, 10), (30, 24), (10, 18))
CTV = box("CTV", (5, 5), (35, 29), (8, 20), number=2)
PTV = box("PTV", (0, 0), (40, 34), (6, 22), number=3)
BODY = box("Body", (-60, -60), (90, 90), (0, 30), number=4, kind="EXTERNAL")
OUT_GTV = box("GTV", (10, 10), (40, 24), (10, 18))  # 5 mm of it lie to the left of the CTV


class Numbers(CaseNumbers):
    """A case of contours alone."""

    def __init__(self, *drawn):
        structures = SimpleNamespace(structures=drawn)
        super().__init__(
            SimpleNamespace(
                image=None,
                slice_spacing_mm=None,
                structures=structures,
                prescriptions=(),
                fractions=None,
                dose=None,
                summed=None,
                findings=(),
            )
        )

    def structures(self):
        return ()


def protocol(tmp_path, rule):
    path = tmp_path / "p.yaml"
    path.write_text(f'id: p\nversion: "1"\ntitle: t\nrules:\n  - {{id: T, {rule}}}\n')
    return load_protocol(path)


@pytest.fixture
def judge(tmp_path):
    def judge(*drawn, target="containment", goal="<= 0.01 cc", more=""):
        return evaluate_protocol(protocol(tmp_path, f"target: {target}, goal: {goal}{more}"), Numbers(*drawn))

    return judge


def test_a_chain_that_holds_is_a_row_a_link(judge):
    rows = judge(GTV, CTV, PTV, BODY)
    assert [(r.roi, r.value, r.verdict) for r in rows] == [
        ("GTV in CTV", 0.0, Verdict.PASS),
        ("CTV in PTV", 0.0, Verdict.PASS),
        ("PTV in Body", 0.0, Verdict.PASS),
    ]
    assert {r.unit for r in rows} == {"cc"}


def test_what_lies_outside_is_measured_and_placed(judge):
    """The part beyond the CTV is 5 x 14 mm on 8 slices of 2.5 mm: 1.4 cc; its grid of nodes rounds by some percent."""
    row = judge(OUT_GTV, CTV, PTV, BODY)[0]
    assert (row.roi, row.verdict) == ("GTV in CTV", Verdict.FAIL)
    assert row.value == pytest.approx(5 * 14 * 8 * SLICE_MM / 1000, rel=0.05)
    assert "GTV lie outside CTV" in row.reason
    depth_mm = float(re.search(r"up to ([0-9.]+) mm at z = ", row.reason)[1])
    assert 4.5 <= depth_mm <= 5.0  # the nodes that measure it lie inside what is outside


def test_a_looser_goal_and_a_variation_count(judge):
    assert judge(OUT_GTV, CTV, target="GTV in CTV", goal="<= 2 cc")[0].verdict is Verdict.PASS
    row = judge(OUT_GTV, CTV, target="GTV in CTV", more=", variation: <= 2 cc")[0]
    assert row.verdict is Verdict.VARIATION
    assert "lie outside CTV" in row.reason


def test_one_link_is_judged_alone(judge):
    (row,) = judge(GTV, CTV, PTV, BODY, target="CTV in PTV")
    assert row.roi == "CTV in PTV"


def test_a_target_that_several_hold_is_not_judged(judge):
    wide = box("CTV_b", (2, 2), (38, 31), (7, 21), number=5)
    narrow = box("CTV_a", (5, 5), (35, 29), (8, 20), number=6)
    row = judge(GTV, wide, narrow)[0]
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.AMBIGUOUS_STRUCTURE)
    assert "CTV_a" in row.reason
    assert "CTV_b" in row.reason


@pytest.mark.parametrize(
    ("drawn", "said"), [((CTV, PTV), "no GTV is drawn"), ((GTV, PTV), "GTV could lie in"), ((), "no GTV")]
)
def test_without_its_structures_nothing_is_judged(judge, drawn, said):
    (row,) = judge(*drawn, target="GTV in CTV")
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.NO_STRUCTURE)
    assert said in row.reason


def test_contours_that_coincide_hold_each_other(judge):
    same = box("CTV", (10, 10), (30, 24), (10, 18), number=2)
    (row,) = judge(GTV, same, target="GTV in CTV")
    assert (row.value, row.verdict) == (0.0, Verdict.PASS)


def test_an_unverified_limit_never_fails_a_target(judge):
    (row,) = judge(OUT_GTV, CTV, target="GTV in CTV", more=", status: B")
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.UNVERIFIED)


def test_facts_that_know_no_targets_say_so(tmp_path):
    class Bare:
        def fractions(self):
            return None

        def prescriptions(self):
            return ()

    (row,) = evaluate_protocol(protocol(tmp_path, "target: containment, goal: <= 0.01 cc"), Bare())
    assert row.reason_code == Reason.NOT_IMPLEMENTED


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("target: PTV in CTV, goal: <= 1 cc", "drawn round a PTV is EXTERNAL"),
        ("target: contained, goal: <= 1 cc", "target"),
        ("target: containment, goal: <= 1 mm", "comes in cc"),
        ("target: containment, metric: 'Mean[Gy]', structure: PTV, goal: <= 1", "exactly one of"),
    ],
)
def test_targets_that_are_none_are_refused(tmp_path, rule, said):
    with pytest.raises(ProtocolError, match=said):
        protocol(tmp_path, rule)


@pytest.mark.parametrize("target", ["containment", "GTV in CTV"])
def test_a_target_rule_survives_our_own_format(tmp_path, target):
    first = protocol(tmp_path, f"target: {target}, goal: <= 0.01 cc")
    again = tmp_path / "again.yaml"
    again.write_text(protocol_yaml(first))
    assert load_protocol(again).rules[0].check == first.rules[0].check
