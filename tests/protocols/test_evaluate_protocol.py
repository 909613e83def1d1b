"""Verdicts: pass, variation, fail, not evaluable and not applicable, each for the right reason."""

import numpy as np
import pytest

from dvhkit.errors import InputError, ProtocolError, Reason
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.model.dvh import Dvh
from dvhkit.model.plan import Prescription
from dvhkit.protocols.checks.limits import Limit, parse_limit
from dvhkit.protocols.evaluate import CaseFacts, ImageFacts, StructureFact, evaluate_protocol
from dvhkit.protocols.files.context import load_context, unknown_keys
from dvhkit.protocols.files.load import load_protocol
from dvhkit.results.audit import Verdict
from dvhkit.targets.regions.expression import RoiRef
from dvhkit.units import Unit

LIVER_TRIAL = "oligoprogressive-liver-2025"


def dvh(roi, dose_gy, part_cc, volume_cc=None):
    dose_gy, part_cc = np.asarray(dose_gy, float), np.asarray(part_cc, float)
    return Dvh(
        roi=roi,
        dose_gy=dose_gy,
        part_cc=part_cc,
        volume_cc=part_cc.sum() if volume_cc is None else volume_cc,
        min_gy=float(dose_gy.min()),
        max_gy=float(dose_gy.max()),
    )


class Facts:
    """A case made of DVHs, without DICOM or voxels."""

    def __init__(self, *, dvhs=(), types=None, image=None, rx=(), fractions=None):
        self.dvhs = {h.roi: h for h in dvhs}
        self.types, self._image, self.rx, self._fractions = types or {}, image, rx, fractions

    def structures(self):
        drawn = (n for n in self.dvhs if " - " not in n)
        return tuple(
            StructureFact(name=n, number=i, rt_roi_type=self.types.get(n, "ORGAN")) for i, n in enumerate(drawn, 1)
        )

    def metric(self, roi, metric):
        return evaluate_metric(metric, self.dvhs.get(str(roi)), roi=str(roi), prescription=self.rx)

    def image(self):
        return self._image

    def prescriptions(self):
        return self.rx

    def fractions(self):
        return self._fractions


def rx(dose_gy, roi_number=None):
    return Prescription(dose_gy=dose_gy, roi_number=roi_number, origin="test")


@pytest.fixture
def judge(tmp_path):
    """Rows of a protocol with the rules `text`, held against facts."""

    def judge(text, facts, context=None, **options):
        path = tmp_path / "p.yaml"
        path.write_text(f'id: p\nversion: "1"\ntitle: t\n{text}')
        return evaluate_protocol(load_protocol(path), facts, context, **options)

    return judge


def rule(**keys):
    lines = "\n".join(f"    {key}: {value}" for key, value in keys.items())
    return f"rules:\n  - id: R\n{lines}\n"


def the(rows, rule_id):
    (row,) = (r for r in rows if r.rule_id == rule_id)
    return row


def test_the_interface_is_one_that_a_plain_class_can_meet():
    assert isinstance(Facts(), CaseFacts)


D95 = {"structure": "PTV", "metric": '"D95%[Gy]"', "goal": '">= 50 Gy"', "variation": '">= 47.5 Gy"'}


@pytest.mark.parametrize(
    ("dose_gy", "verdict", "margin"),
    [
        (51.0, Verdict.PASS, 1.0),
        (50.0, Verdict.PASS, 0.0),
        (49.9999999, Verdict.PASS, 0.0),  # 2e-9: the rounding of DoseGridScaling, not a lower dose
        (49.99, Verdict.VARIATION, -0.01),
        (47.5, Verdict.VARIATION, -2.5),
        (47.4, Verdict.FAIL, -2.6),
    ],
)
def test_goal_variation_and_margin(judge, dose_gy, verdict, margin):
    (row,) = judge(rule(**D95), Facts(dvhs=[dvh("PTV", [dose_gy], [30.0])]))
    assert row.verdict is verdict
    assert row.value == dose_gy
    assert row.margin == pytest.approx(margin, abs=1e-6)
    assert (row.roi, row.quantity, row.goal, row.variation, row.unit) == (
        "PTV", "D95%[Gy]", ">= 50 Gy", ">= 47.5 Gy", "Gy",
    )  # fmt: skip


LIMITS = [
    ("<= 15", 15.0, True),
    ("<= 15", 15.0000001, True),
    ("<= 15", 15.001, False),
    ("< 15", 15.0, False),
    ("< 15", 15.0000001, False),
    ("< 15", 14.9999999, False),
    ("< 15", 14.999, True),
    ("> 95", 95.0, False),
    ("> 95", 95.1, True),
    ("2..5", 2.0, True),
    ("2..5", 5.0, True),
    ("2..5", 5.1, False),
    ("2..5", 1.9, False),
    ("== 10", 10.0, True),
    ("== 10", 10.1, False),
    (">= 0", 0.0, True),
    ("≤ 15 Gy", 15.0, True),
]


@pytest.mark.parametrize(("text", "value", "met"), LIMITS)
def test_values_at_a_bound(text, value, met):
    limit = parse_limit(text, unit=Unit.GY)
    assert limit.is_met(value) is met
    assert parse_limit(str(limit), unit=Unit.GY) == limit


def test_margin_of_a_range_is_that_to_the_nearer_bound():
    limit = Limit(low=2, high=5, unit=Unit.MM)
    assert [limit.margin(v) for v in (1, 2, 3, 4.5, 6)] == [-1, 0, 1, 0.5, -1]


# --- the liver trial -------------------------------------------------------------------------------------------------

IMAGE = ImageFacts(slice_spacing_mm=2.0, pixel_spacing_mm=(0.9765625, 0.9765625))
B7 = {"child_pugh_b7_worse": True}


def liver_case(liver, **keys):
    """PTV, two GTVs and a liver whose DVH less the GTVs is `liver`."""
    dvhs = [dvh("Liver", [10], [2000]), dvh("GTV1", [50], [9]), dvh("GTV2", [50], [9]), dvh("PTV", [50], [30])]
    types = {"GTV1": "GTV", "GTV2": "GTV", "PTV": "PTV"}
    given = {"image": IMAGE, "rx": (rx(50.0),), "fractions": 5} | keys
    return Facts(dvhs=[*dvhs, liver], types=types, **given)


def normal_liver(dose_gy, part_cc, volume_cc=None):
    return dvh("Liver - GTV", dose_gy, part_cc, volume_cc)


def ramp(top_gy):
    """1,500 cc with dose rising linearly from 0: the coldest 700 cc end at top * 7 / 15."""
    n = 30_000
    return normal_liver((np.arange(n) + 0.5) * top_gy / n, np.full(n, 1500 / n))


@pytest.mark.parametrize(
    ("liver", "verdict", "value"),
    [
        (normal_liver([15.0], [1500]), Verdict.PASS, 15.0),
        (normal_liver([15.01], [1500]), Verdict.FAIL, 15.01),
        (ramp(32.0), Verdict.PASS, 32 * 7 / 15),
        (ramp(32.3), Verdict.FAIL, 32.3 * 7 / 15),
        (normal_liver([0, 60], [700, 800]), Verdict.PASS, 0.0),
        (normal_liver([0, 60], [699, 801]), Verdict.FAIL, 60.0),
    ],
)
def test_liver_limit_has_its_closed_form(liver, verdict, value):
    row = the(evaluate_protocol(load_protocol(LIVER_TRIAL), liver_case(liver), B7), "W25-C2")
    assert row.verdict is verdict
    assert row.value == pytest.approx(value, abs=32.3 / 30_000)  # one step of the ramp
    assert row.margin == pytest.approx(15 - row.value)
    assert row.roi == "Liver - GTV"


@pytest.mark.parametrize("volume_cc", [690.0, 700.0])
def test_a_liver_too_small_to_spare_700_cc_fails_and_says_so(volume_cc):
    case = liver_case(normal_liver([0.0], [volume_cc]))
    row = the(evaluate_protocol(load_protocol(LIVER_TRIAL), case, B7), "W25-C2")
    assert row.verdict is Verdict.FAIL
    assert row.reason_code == Reason.VOLUME_TOO_SMALL
    assert "insufficient volume" in row.reason
    assert row.value is None


def test_a_liver_half_outside_the_dose_grid_is_not_judged():
    case = liver_case(normal_liver([3.0], [750.0], volume_cc=1500.0))
    row = the(evaluate_protocol(load_protocol(LIVER_TRIAL), case, B7), "W25-C2")
    assert row.verdict is Verdict.NOT_EVALUABLE
    assert row.reason_code == Reason.OUTSIDE_DOSE_GRID
    assert "750 cc (50 %)" in row.reason


@pytest.mark.parametrize(
    ("context", "verdict", "reason"),
    [
        ({}, Verdict.NOT_EVALUABLE, Reason.NO_CONTEXT),
        ({"child_pugh_b7_worse": False}, Verdict.NOT_APPLICABLE, Reason.NOT_APPLICABLE),
        ({"child_pugh_b7_worse": "true"}, Verdict.NOT_EVALUABLE, Reason.NO_CONTEXT),
        ({"child_pugh_b7_worse": 1}, Verdict.NOT_EVALUABLE, Reason.NO_CONTEXT),
        ({"child_pugh_b7_worse": True}, Verdict.PASS, None),
    ],
)
def test_the_liver_limit_needs_the_clinical_context(context, verdict, reason):
    row = the(evaluate_protocol(load_protocol(LIVER_TRIAL), liver_case(ramp(30.0)), context), "W25-C2")
    assert (row.verdict, row.reason_code) == (verdict, reason)
    assert verdict is Verdict.PASS or "child_pugh_b7_worse" in row.reason


@pytest.mark.parametrize(
    ("image", "slices", "pixels"),
    [
        (ImageFacts(slice_spacing_mm=2.999999, pixel_spacing_mm=(1.0, 1.0)), Verdict.PASS, Verdict.PASS),
        (ImageFacts(slice_spacing_mm=3.0009, pixel_spacing_mm=(1.0009, 0.5)), Verdict.PASS, Verdict.PASS),
        (ImageFacts(slice_spacing_mm=3.04, pixel_spacing_mm=(0.5, 1.01)), Verdict.FAIL, Verdict.FAIL),
        (ImageFacts(slice_spacing_mm=5.0, pixel_spacing_mm=(1.2695, 1.2695)), Verdict.FAIL, Verdict.FAIL),
        (ImageFacts(slice_spacing_mm=None, pixel_spacing_mm=(1.0, 1.0)), Verdict.NOT_EVALUABLE, Verdict.PASS),
        (None, Verdict.NOT_EVALUABLE, Verdict.NOT_EVALUABLE),
    ],
)
def test_imaging_limits(image, slices, pixels):
    rows = evaluate_protocol(load_protocol(LIVER_TRIAL), liver_case(ramp(30), image=image), B7)
    assert the(rows, "W25-I1").verdict is slices
    assert the(rows, "W25-I2").verdict is pixels


BED10 = [  # total dose, fractions, BED with alpha/beta 10: D (1 + d / 10)
    (30, 3, 60.0), (45, 3, 112.5), (54, 3, 151.2), (35, 5, 59.5), (40, 5, 72.0), (50, 5, 100.0), (48, 4, 105.6),
    (40, 8, 60.0), (60, 8, 105.0), (50, 10, 75.0), (30, 10, 39.0), (50, 25, 60.0), (60, 20, 78.0), (60, 30, 72.0),
    (70, 28, 87.5), (27.5, 11, 34.375), (20, 1, 60.0), (16, 1, 41.6), (24, 3, 43.2), (55, 5, 115.5),
]  # fmt: skip


@pytest.mark.parametrize(("dose_gy", "fractions", "bed_gy"), BED10)
def test_biologically_effective_dose(dose_gy, fractions, bed_gy):
    case = liver_case(ramp(30), rx=(rx(float(dose_gy)),), fractions=fractions)
    row = the(evaluate_protocol(load_protocol(LIVER_TRIAL), case, B7), "W25-D1")
    assert row.value == pytest.approx(bed_gy)
    assert row.verdict is (Verdict.PASS if bed_gy >= 60 else Verdict.FAIL)
    assert row.margin == pytest.approx(bed_gy - 60)


def test_each_prescription_is_judged_under_its_targets_name():
    case = liver_case(ramp(30), rx=(rx(50.0, 4), rx(35.0, 2)))
    rows = [r for r in evaluate_protocol(load_protocol(LIVER_TRIAL), case, B7) if r.rule_id == "W25-D1"]
    assert [(r.roi, r.verdict) for r in rows] == [("PTV", Verdict.PASS), ("GTV1", Verdict.FAIL)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"rx": ()}, Reason.NO_PRESCRIPTION),
        ({"rx": (rx(0.0),)}, Reason.NO_PRESCRIPTION),
        ({"rx": (rx(float("nan")),)}, Reason.NO_PRESCRIPTION),
        ({"fractions": None}, Reason.NO_FRACTIONS),
        ({"fractions": 0}, Reason.NO_FRACTIONS),
    ],
)
def test_without_prescription_or_fractions_nothing_passes(given, reason):
    row = the(evaluate_protocol(load_protocol(LIVER_TRIAL), liver_case(ramp(30), **given), B7), "W25-D1")
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, reason)


def test_every_ptv_must_be_covered():
    half = dvh("PTV2", [49, 51], [10, 10])
    case = liver_case(ramp(30))
    case.dvhs["PTV2"], case.types["PTV2"] = half, "PTV"
    rows = [r for r in evaluate_protocol(load_protocol(LIVER_TRIAL), case, B7) if r.rule_id == "S25-D8"]
    assert [(r.roi, r.verdict, r.value) for r in rows] == [
        ("PTV", Verdict.PASS, 100.0), ("PTV2", Verdict.FAIL, 50.0),
    ]  # fmt: skip
    assert "50 Gy (test)" in rows[0].note


def test_a_case_with_nothing_at_all_is_judged_without_a_single_pass():
    rows = evaluate_protocol(load_protocol(LIVER_TRIAL), Facts())
    assert {r.verdict for r in rows} == {Verdict.NOT_EVALUABLE}
    assert all(r.reason for r in rows)
    assert all(r.reason_code in set(Reason) for r in rows)


def test_drawn_margins_say_that_they_are_not_judged():
    row = the(evaluate_protocol(load_protocol(LIVER_TRIAL), liver_case(ramp(30)), B7), "W25-M3")
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.NOT_IMPLEMENTED)


# --- what protocols can ask in general -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left_gy", "right_gy", "verdict", "roi"),
    [
        (15, 40, Verdict.PASS, "Parotid_L"),
        (40, 15, Verdict.PASS, "Parotid_R"),
        (15, 12, Verdict.PASS, "Parotid_R"),
        (40, 30, Verdict.FAIL, "Parotid_R"),
        (15, None, Verdict.PASS, "Parotid_L"),
        (40, None, Verdict.NOT_EVALUABLE, "Parotid_L"),
    ],
)
def test_one_of_two_may_be_enough(judge, left_gy, right_gy, verdict, roi):
    keys = {"structure": "{any_of: [Parotid_L, Parotid_R], need: one}", "metric": "Mean[Gy]", "goal": "< 20 Gy"}
    doses = {"Parotid_L": left_gy, "Parotid_R": right_gy}
    facts = Facts(dvhs=[dvh(name, [dose], [30]) for name, dose in doses.items() if dose is not None])
    (row,) = judge(rule(**keys), facts)
    assert (row.verdict, row.roi) == (verdict, roi)
    assert "is enough" in row.note


def test_a_missing_structure_is_not_judged_and_names_what_is_there(judge):
    (row,) = judge(rule(**D95), Facts(dvhs=[dvh("PTV_60", [50], [1])]))
    assert (row.verdict, row.reason_code, row.value) == (Verdict.NOT_EVALUABLE, Reason.NO_STRUCTURE, None)
    assert "PTV_60" in row.reason


def test_small_structures_are_judged_by_no_hot_volume_they_lack(judge):
    keys = {"structure": "Lens", "metric": "D2cc[Gy]", "goal": "<= 7 Gy"}
    (row,) = judge(rule(**keys), Facts(dvhs=[dvh("Lens", [1.0], [0.2])]))
    assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.VOLUME_TOO_SMALL)


@pytest.mark.parametrize("status", ["S1", "C", "X", "B"])
@pytest.mark.requirement("R8")
def test_an_unverified_limit_never_passes_or_fails(judge, status):
    for dose_gy in (60.0, 1.0):
        facts = Facts(dvhs=[dvh("PTV", [dose_gy], [1])])
        (row,) = judge(rule(**D95, status=status), facts)
        assert (row.verdict, row.reason_code) == (Verdict.NOT_EVALUABLE, Reason.UNVERIFIED)
        assert row.value == dose_gy
        assert row.margin == dose_gy - 50
        assert judge(rule(**D95, status=status), facts, exclude_unverified=True) == ()


@pytest.mark.parametrize("status", ["P", "T", "S2"])
def test_a_verified_limit_is_judged(judge, status):
    (row,) = judge(rule(**D95, status=status), Facts(dvhs=[dvh("PTV", [60], [1])]), exclude_unverified=True)
    assert row.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("keys", "fractions", "dose_gy", "verdict", "reason"),
    [
        ({"fractions": "[3, 5]"}, 5, 50.0, Verdict.PASS, None),
        ({"fractions": "3..5"}, 4, 50.0, Verdict.PASS, None),
        ({"fractions": "[3, 5]"}, 4, 50.0, Verdict.NOT_APPLICABLE, Reason.NOT_APPLICABLE),
        ({"fractions": "5"}, None, 50.0, Verdict.NOT_EVALUABLE, Reason.NO_FRACTIONS),
        ({"dose_per_fraction_gy": "1.8..2.0"}, 25, 50.0, Verdict.PASS, None),
        ({"dose_per_fraction_gy": "1.8..2.0"}, 28, 50.4, Verdict.PASS, None),
        ({"dose_per_fraction_gy": "1.8..2.0"}, 5, 50.0, Verdict.NOT_APPLICABLE, Reason.NOT_APPLICABLE),
        ({"dose_per_fraction_gy": "1.8..2.0"}, 25, None, Verdict.NOT_EVALUABLE, Reason.NO_PRESCRIPTION),
    ],
)
def test_a_limit_is_not_applied_to_another_fractionation(judge, keys, fractions, dose_gy, verdict, reason):
    facts = Facts(dvhs=[dvh("PTV", [60], [1])], fractions=fractions, rx=(rx(dose_gy),) if dose_gy else ())
    (row,) = judge(rule(**D95, **keys), facts)
    assert (row.verdict, row.reason_code) == (verdict, reason)


@pytest.mark.parametrize(
    ("doses_gy", "verdict", "reason"),
    [
        ((50.0, 45.0), Verdict.PASS, None),
        ((60.0, 55.0), Verdict.NOT_APPLICABLE, Reason.NOT_APPLICABLE),
        ((60.0, 50.0), Verdict.NOT_EVALUABLE, Reason.AMBIGUOUS_PRESCRIPTION),
    ],
)
def test_several_targets_may_agree_on_the_fractionation(judge, doses_gy, verdict, reason):
    facts = Facts(dvhs=[dvh("PTV", [60], [1])], fractions=25, rx=tuple(rx(d) for d in doses_gy))
    (row,) = judge(rule(**D95, dose_per_fraction_gy="1.8..2.0"), facts)
    assert (row.verdict, row.reason_code) == (verdict, reason)


def test_a_rule_that_is_ruled_out_needs_no_further_context(judge):
    text = "context: {a: {type: bool, meaning: x}, b: {type: text, meaning: y}}\n"
    text += rule(**D95, when="{a: true, b: yes please}")
    facts = Facts(dvhs=[dvh("PTV", [60], [1])])
    assert judge(text, facts, {"a": False})[0].verdict is Verdict.NOT_APPLICABLE
    assert judge(text, facts, {"b": "no"})[0].verdict is Verdict.NOT_APPLICABLE
    assert judge(text, facts, {"a": True})[0].reason_code == Reason.NO_CONTEXT
    assert judge(text, facts, {"a": True, "b": "yes please"})[0].verdict is Verdict.PASS
    assert judge(text, facts, {"a": True, "b": " Yes Please"})[0].verdict is Verdict.PASS


def test_rules_on_context_and_on_prescription(judge):
    text = (
        "context: {score: {type: number, meaning: a score}}\n"
        'rules:\n  - {id: A, property: context.score, goal: "<= 7"}\n'
        '  - {id: B, property: prescription.dose_per_fraction, goal: ">= 5 Gy"}\n'
        '  - {id: C, property: prescription.fractions, goal: "3..10"}\n'
        '  - {id: D, property: prescription.dose, goal: "24..50 Gy"}\n'
        '  - {id: E, property: prescription.eqd2_10, goal: ">= 50 Gy"}\n'
    )
    rows = judge(text, Facts(rx=(rx(48.0),), fractions=10), {"score": 8})
    assert [r.value for r in rows] == [8, 4.8, 10, 48, pytest.approx(59.2)]
    assert [r.verdict for r in rows] == [Verdict.FAIL, Verdict.FAIL, Verdict.PASS, Verdict.PASS, Verdict.PASS]
    for unusable in (True, "8", float("nan"), None):
        assert judge(text, Facts(), {"score": unusable})[0].reason_code == Reason.NO_CONTEXT


def test_rois_are_asked_for_by_number(judge):
    asked = []

    class Spy(Facts):
        def metric(self, roi, metric):
            asked.append(roi)
            return super().metric(roi, metric)

    judge(rule(**D95), Spy(dvhs=[dvh("ptv", [60], [1])]))
    assert asked == [RoiRef(1, "ptv")]


# --- the context file ------------------------------------------------------------------------------------------------


@pytest.fixture
def context_file(tmp_path):
    def write(text):
        path = tmp_path / "context.yaml"
        path.write_text(text)
        return path

    return write


def test_a_context_file(context_file):
    text = "child_pugh_b7_worse: true\nscore: 7\nsite: left lobe\nprescription: {dose_gy: 50, fractions: 5}\n"
    context = load_context(context_file(text))
    assert context == {
        "child_pugh_b7_worse": True, "score": 7, "site": "left lobe", "prescription": {"dose_gy": 50, "fractions": 5},
    }  # fmt: skip
    assert len(unknown_keys(load_protocol(LIVER_TRIAL), context)) == 2


def test_a_slip_in_a_context_key_is_pointed_out():
    (sentence,) = unknown_keys(load_protocol(LIVER_TRIAL), {"child_pugh_b7_wors": True})
    assert "Did you mean 'child_pugh_b7_worse'" in sentence


@pytest.mark.parametrize(
    ("text", "line", "fragment"),
    [
        ("a: 1\nb: [1]\n", 2, "'b'"),
        ("a:\n", 1, "'a'"),
        ("a: 1\na: 2\n", 2, "second time"),
        ("Child Pugh: 7\n", 1, "small letters"),
        ("a: 1\nprescription: 50\n", 2, "dose_gy"),
        ("prescription: {dose_gy: -1}\n", 1, "dose_gy"),
        ("prescription: {dose_gy: 5000, fractions: 5}\n", 1, "Gy"),
        ("prescription:\n  dose_gy: 50\n  fraction: 5\n", 3, "Did you mean 'fractions'"),
        ("prescription:\n  dose_gy: 50\n  fractions: 5.5\n", 3, "whole number"),
        ("- a\n", 1, "key: value"),
        ("", 1, "empty"),
    ],
)
def test_a_broken_context_file_names_its_line(context_file, text, line, fragment):
    with pytest.raises(InputError) as caught:
        load_context(context_file(text))
    assert caught.value.where == f"line {line}"
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value", "percent"),
    [
        ("<= 20 Gy", 15.0, 25.0), ("<= 20 Gy", 21.0, -5.0), (">= 50 Gy", 55.0, 10.0), (">= 50 Gy", 49.0, -2.0),
        ("2..5 Gy", 2.5, 25.0), ("2..5 Gy", 4.5, 10.0), ("2..5 Gy", 6.0, -20.0), ("<= 0 Gy", 1.0, None),
    ],
)  # fmt: skip
def test_the_margin_in_percent_is_of_the_bound_it_is_taken_from(text, value, percent):
    assert parse_limit(text, unit=Unit.GY).margin_pct(value) == (None if percent is None else pytest.approx(percent))


def test_a_row_states_its_margin_in_percent(judge):
    facts = Facts(dvhs=[dvh("PTV", [55.0], [1.0])])
    (row,) = judge(rule(**D95 | {"goal": '">= 50 Gy"'}), facts)
    assert (row.margin, row.margin_pct) == (pytest.approx(5.0), pytest.approx(10.0))


@pytest.mark.parametrize(
    ("target", "goal", "verdicts"),
    [
        ("PTV_High", ">= 60 Gy", {"PTV_High": Verdict.PASS}),
        ("PTV_Low", "54..54 Gy", {"PTV_Low": Verdict.PASS}),
        ("PTV_Low", ">= 60 Gy", {"PTV_Low": Verdict.FAIL}),
        ("{type: PTV, each: true}", ">= 60 Gy", {"PTV_High": Verdict.PASS, "PTV_Low": Verdict.FAIL}),
    ],
)
def test_a_rule_may_be_on_the_prescription_of_one_target(judge, target, goal, verdicts):
    names = ("PTV_High", "PTV_Low", "Cord")
    types = {"PTV_High": "PTV", "PTV_Low": "PTV"}
    facts = Facts(dvhs=[dvh(n, [60], [1]) for n in names], types=types, rx=(rx(60.0, 1), rx(54.0, 2)), fractions=30)
    rows = judge(rule(structure=target, property="prescription.dose", goal=f'"{goal}"'), facts)
    assert {row.roi: row.verdict for row in rows} == verdicts
    (other,) = judge(rule(structure="Cord", property="prescription.dose", goal='">= 1 Gy"'), facts)
    assert (other.verdict, other.reason_code) == (Verdict.NOT_EVALUABLE, Reason.NO_PRESCRIPTION)


def test_the_dose_grid_may_be_limited(judge):
    class WithGrid(Facts):
        spacing = (2.0, 2.0, 3.0)

        def dose_spacing_mm(self):
            return self.spacing

    fine, coarse, none = WithGrid(), WithGrid(), WithGrid()
    coarse.spacing, none.spacing = (2.0, 2.0, 3.5), None
    text = rule(property="dose.grid_spacing", goal="<= 3 mm")
    rows = [judge(text, facts)[0] for facts in (fine, coarse, none, Facts())]
    assert [row.verdict for row in rows] == [Verdict.PASS, Verdict.FAIL, Verdict.NOT_EVALUABLE, Verdict.NOT_EVALUABLE]
    assert [row.reason_code for row in rows[2:]] == [Reason.NO_DOSE] * 2
    assert rows[0].note == "2 x 2 x 3 mm"


def test_a_structure_stands_with_no_other_property(judge):
    with pytest.raises(ProtocolError, match="belong together"):
        judge(rule(structure="PTV", property="image.slice_spacing", goal="<= 3 mm"), Facts())
