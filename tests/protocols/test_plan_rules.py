"""Rules on the plan: technique from what control points say, energy, machine, beams, approval."""

from dataclasses import replace

import pytest

import dvhkit
from dvhkit.errors import ProtocolError, Reason
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.model.plan import Beam, Plan
from dvhkit.protocols.converters.own_yaml import protocol_yaml
from dvhkit.protocols.evaluate import evaluate_protocol
from dvhkit.protocols.files.load import load_protocol
from dvhkit.protocols.lint.protocol import lint_protocol
from dvhkit.results.audit import Verdict

ARC = Beam(
    number=1,
    name="a",
    beam_type="DYNAMIC",
    radiation_type="PHOTON",
    nominal_energies=(6.0,),
    machine="Edge 1",
    delivery_type="TREATMENT",
    gantry_rotation="CW",
    leaves_move=True,
)
SETUP = replace(ARC, number=9, delivery_type="SETUP", nominal_energies=(2.5,), gantry_rotation="NONE")
OPEN_ARC = replace(ARC, leaves_move=None)
FIELD = replace(ARC, number=3, beam_type="STATIC", gantry_rotation="NONE", leaves_move=False)
ION = replace(FIELD, scan_mode="MODULATED", radiation_type="PROTON", nominal_energies=(100.0, 120.5))


class Planned:
    """A case that is a plan and nothing else."""

    def __init__(self, *beams, approval="APPROVED", is_ion=False):
        self._plan = Plan(
            sop_instance_uid="1",
            label="p",
            is_ion=is_ion,
            approval_status=approval,
            referenced_structure_set_uid="",
            prescriptions=(),
            fraction_groups=(),
            beams=beams,
        )

    def plan(self):
        return self._plan

    def structures(self):
        return ()

    def metric(self, roi, metric):
        raise AssertionError("a rule on the plan asks for no metric")

    def image(self):
        return None

    def prescriptions(self):
        return ()

    def fractions(self):
        return None


def protocol(tmp_path, rule):
    path = tmp_path / "p.yaml"
    path.write_text(f'id: p\nversion: "1"\ntitle: t\nrules:\n  - {{id: R, {rule}}}\n')
    return load_protocol(path)


@pytest.fixture
def judge(tmp_path):
    return lambda rule, facts: evaluate_protocol(protocol(tmp_path, rule), facts)


@pytest.mark.parametrize(
    ("beams", "goal", "verdict", "said"),
    [
        ([ARC, SETUP], "VMAT", Verdict.PASS, "VMAT"),
        ([ARC], "vmat, IMRT", Verdict.PASS, "VMAT"),
        ([ARC], "IMRT", Verdict.FAIL, "VMAT"),
        ([ARC, FIELD], "VMAT", Verdict.FAIL, "VMAT and static"),
        ([ARC, FIELD], "VMAT, static", Verdict.PASS, "VMAT and static"),
        ([replace(ARC, gantry_rotation="NONE")], "IMRT", Verdict.PASS, "IMRT"),
        ([replace(FIELD, leaves_move=True)], "IMRT", Verdict.PASS, "IMRT"),
        ([replace(ARC, leaves_move=False)], "VMAT", Verdict.FAIL, "arc"),
        ([replace(ARC, beam_type="STATIC", leaves_move=None, gantry_rotation="CC")], "arc", Verdict.PASS, "arc"),
        ([OPEN_ARC], "VMAT", Verdict.NOT_EVALUABLE, "VMAT or arc"),
        ([OPEN_ARC], "VMAT, arc", Verdict.PASS, "VMAT or arc"),
        ([OPEN_ARC], "static, IMRT", Verdict.FAIL, "VMAT or arc"),
        ([OPEN_ARC, FIELD], "VMAT", Verdict.FAIL, "static"),
    ],
)
def test_the_technique_is_what_gantry_and_leaves_do(judge, beams, goal, verdict, said):
    (row,) = judge(f"property: plan.technique, goal: 'one of {goal}'", Planned(*beams))
    assert row.verdict is verdict
    assert said in row.note
    assert row.value is None
    assert (verdict is Verdict.PASS) == (row.reason is None)


@pytest.mark.parametrize(
    ("mode", "goal", "verdict"),
    [
        ("MODULATED", "ion scanning", Verdict.PASS),
        ("MODULATED_SPEC", "ion broad beam", Verdict.FAIL),
        ("NONE", "ion broad beam", Verdict.PASS),
        ("", "ion scanning", Verdict.NOT_EVALUABLE),
        ("ODD", "ion scanning", Verdict.NOT_EVALUABLE),
    ],
)
def test_ion_beams_go_by_their_scan_mode(judge, mode, goal, verdict):
    facts = Planned(replace(ION, scan_mode=mode), is_ion=True)
    (row,) = judge(f"property: plan.technique, goal: one of {goal}", facts)
    assert row.verdict is verdict


@pytest.mark.parametrize(
    ("rule", "beams"),
    [
        ("property: plan.technique, goal: one of VMAT", [replace(ARC, gantry_rotation="")]),
        ("property: plan.technique, goal: one of VMAT", [ARC, replace(FIELD, beam_type="", leaves_move=None)]),
        ("property: plan.technique, goal: one of VMAT", [SETUP]),
        ("property: plan.energy, goal: == 6", [replace(ARC, nominal_energies=())]),
        ("property: plan.machine, goal: one of Edge", [replace(ARC, machine=" ")]),
        ("property: plan.beam_count, goal: <= 3", []),
    ],
)
def test_what_the_plan_does_not_say_is_not_judged(judge, rule, beams):
    (row,) = judge(rule, Planned(*beams))
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.NO_PLAN)
    assert row.reason


def test_without_a_plan_or_facts_on_it_nothing_is_judged(judge):
    facts = Planned()
    facts._plan = None
    for rule in (
        "plan.technique, goal: one of VMAT",
        "plan.approval, goal: one of APPROVED",
        "plan.energy, goal: 5..7",
    ):
        (row,) = judge(f"property: {rule}", facts)
        assert row.reason_code == Reason.NO_PLAN


def test_every_energy_has_its_verdict_and_set_up_beams_have_none(judge):
    rows = judge("property: plan.energy, goal: == 6", Planned(ARC, replace(FIELD, nominal_energies=(10.0,)), SETUP))
    assert [(r.value, r.verdict) for r in rows] == [(6.0, Verdict.PASS), (10.0, Verdict.FAIL)]
    assert "photon, beam 1" in rows[0].note
    (row,) = judge("property: plan.beam_count, goal: <= 2", Planned(ARC, FIELD, SETUP))
    assert (row.value, row.verdict) == (2.0, Verdict.PASS)


def test_machine_and_approval(judge):
    (row,) = judge("property: plan.machine, goal: 'one of EDGE 1, Edge 2'", Planned(ARC, SETUP))
    assert row.verdict is Verdict.PASS
    (row,) = judge("property: plan.machine, goal: one of Edge 2", Planned(ARC))
    assert (row.verdict, row.reason) == (Verdict.FAIL, "the plan has Edge 1.")
    rule = "property: plan.approval, goal: one of APPROVED, variation: 'one of APPROVED, UNAPPROVED'"
    for status, verdict in (("APPROVED", Verdict.PASS), ("UNAPPROVED", Verdict.VARIATION), ("REJECTED", Verdict.FAIL)):
        assert judge(rule, Planned(approval=status))[0].verdict is verdict
    assert judge(rule, Planned(approval=""))[0].reason_code == Reason.NO_PLAN


def test_an_unverified_word_never_passes_a_plan(judge):
    (row,) = judge("property: plan.technique, goal: one of VMAT, status: B", Planned(ARC))
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.UNVERIFIED)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("property: plan.technique, goal: one of VMTA", "never 'VMTA'"),
        ("property: plan.technique, goal: <= 6", "one of"),
        ("property: plan.technique, goal: 'one of VMAT,'", "one of"),
        ("property: plan.energy, goal: one of 6", "cannot be read"),
        ("property: plan.technique, goal: one of VMAT, score: [[1, 2], [2, 3]]", "points are for numbers"),
        ("property: plan.tecnique, goal: one of VMAT", "Did you mean 'plan.technique'"),
    ],
)
def test_goals_that_are_none_are_refused(tmp_path, rule, said):
    with pytest.raises(ProtocolError, match=said):
        protocol(tmp_path, rule)


def test_words_survive_our_own_format_and_a_wider_variation_is_no_slip(tmp_path):
    rule = "property: plan.technique, goal: one of VMAT, variation: 'one of VMAT, IMRT', source: x, status: P"
    first = protocol(tmp_path, rule)
    assert lint_protocol(first) == ()
    again = tmp_path / "again.yaml"
    again.write_text(protocol_yaml(first))
    assert [(r.goal, r.variation) for r in load_protocol(again).rules] == [(r.goal, r.variation) for r in first.rules]
    narrow = protocol(tmp_path, rule.replace("'one of VMAT, IMRT'", "one of IMRT"))
    assert "variation-stricter" in {f.code for f in lint_protocol(narrow)}


def test_the_demo_against_what_describes_the_study(demo_case_dir):
    """Its two arcs turn and are DYNAMIC, but the plan stores no leaf positions."""
    rows = {
        r.rule_id: r
        for r in evaluate_protocol(load_protocol("song-2025"), CaseNumbers(dvhkit.read_case(demo_case_dir)))
    }
    assert rows["S25-I6-energy"].verdict is Verdict.PASS
    assert rows["S25-I6-technique"].verdict is Verdict.NOT_EVALUABLE
    assert "VMAT or arc" in rows["S25-I6-technique"].note
    assert rows["S25-I6-technique"].priority == 9
