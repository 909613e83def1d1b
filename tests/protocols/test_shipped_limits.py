"""Shipped tables against numbers typed from their sources by hand, and against what must not be in them."""

import pytest

from dvhkit.findings import Level
from dvhkit.model.plan import Prescription
from dvhkit.protocols.checks.dose import DoseCheck
from dvhkit.protocols.checks.joint import is_joint
from dvhkit.protocols.evaluate import evaluate_protocol
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.files.load import list_protocols, load_protocol
from dvhkit.protocols.files.rules import Protocol
from dvhkit.protocols.lint.protocol import lint_protocol
from dvhkit.results.audit import MetricResult, Verdict

TG101, QUANTEC, HYTEC = (load_protocol(i) for i in ("tg101-2010", "quantec-2010", "hytec-2021"))


def limits(protocol: Protocol, structure: str, metric: str) -> dict[object, str]:
    """Goals by number of fractions (or dose per fraction) of the rules on a structure and metric."""
    found = {}
    for rule in protocol.rules:
        if str(rule.structure) == structure and rule.quantity == metric:
            counts = rule.fractionation.counts
            key = tuple(sorted(counts)) if counts else rule.fractionation.dose_per_fraction_gy
            found.setdefault(key, []).append(str(rule.goal))
    return {key: goals[0] if len(goals) == 1 else goals for key, goals in found.items()}


TG101_CELLS = [  # structure, metric, limits in Gy for 1, 3 and 5 fractions (Benedict 2010, Table III)
    ("SpinalCord", "D0.035cc[Gy]", (14, 21.9, 30)),
    ("SpinalCord", "D0.35cc[Gy]", (10, 18, 23)),
    ("SpinalCord", "D1.2cc[Gy]", (7, 12.3, 14.5)),
    ("Brainstem", "D0.035cc[Gy]", (15, 23.1, 31)),
    ("OpticPathway", "D0.2cc[Gy]", (8, 15.3, 23)),
    ("Esophagus", "D5cc[Gy]", (11.9, 17.7, 19.5)),
    ("Heart", "D15cc[Gy]", (16, 24, 32)),
    ("GreatVes", "D10cc[Gy]", (31, 39, 47)),
    ("BrachialPlex_L or BrachialPlex_R", "D3cc[Gy]", (14, 20.4, 27)),
    ("Stomach", "D10cc[Gy]", (11.2, 16.5, 18)),
    ("Duodenum", "D0.035cc[Gy]", (12.4, 22.2, 32)),
    ("Duodenum", "D10cc[Gy]", (9, 11.4, 12.5)),
    ("Colon", "D20cc[Gy]", (14.3, 24, 25)),
    ("Skin", "D10cc[Gy]", (23, 30, 36.5)),
    ("PenileBulb", "D0.035cc[Gy]", (34, 42, 50)),
    ("Kidney_Hilums", "D66.7%[Gy]", (10.6, 18.6, 23)),
]


@pytest.mark.parametrize(("structure", "metric", "cells"), TG101_CELLS)
def test_tg101(structure, metric, cells):
    expected = {(n,): f"<= {cell:g} Gy" for n, cell in zip((1, 3, 5), cells, strict=True)}
    assert limits(TG101, structure, metric) == expected


@pytest.mark.parametrize(
    ("structure", "metric", "cells"),
    [
        ("Lungs", "DC1500cc[Gy]", {(1,): "<= 7 Gy", (5,): "<= 12.5 Gy"}),
        ("Lungs", "DC1000cc[Gy]", {(1,): "<= 7.4 Gy", (5,): "<= 13.5 Gy"}),
        ("Liver", "DC700cc[Gy]", {(1,): "<= 9.1 Gy"}),
        ("Kidney_Cortex", "DC200cc[Gy]", {(1,): "<= 8.4 Gy", (5,): "<= 17.5 Gy"}),
    ],
)
def test_tg101_cells_that_copies_disagree_on_are_left_out_and_listed(structure, metric, cells):
    assert limits(TG101, structure, metric) == cells
    assert any("copies disagree" in note for note in TG101.notes)


CONVENTIONAL = (1.8, 2.0)
QUANTEC_ROWS = [  # Marks 2010, Table 1
    ("Brainstem", "Max[Gy]", CONVENTIONAL, ["< 54 Gy", "< 64 Gy"]),
    ("Parotids", "Mean[Gy]", CONVENTIONAL, ["< 25 Gy", "< 39 Gy"]),
    ("one of Parotid_L, Parotid_R", "Mean[Gy]", CONVENTIONAL, "< 20 Gy"),
    ("Lungs", "V20Gy[%]", CONVENTIONAL, "<= 30 %"),
    ("Heart", "V25Gy[%]", CONVENTIONAL, "< 10 %"),
    ("Esophagus", "V50Gy[%]", CONVENTIONAL, "< 40 %"),
    ("Kidneys", "V28Gy[%]", CONVENTIONAL, "< 20 %"),
    ("Rectum", "V75Gy[%]", CONVENTIONAL, "< 15 %"),
    ("Bladder", "V80Gy[%]", CONVENTIONAL, "<= 15 %"),
    ("Bag_Bowel", "V45Gy[cc]", CONVENTIONAL, "< 195 cc"),
    ("Liver-GTV", "DC700cc[Gy]", (3, 4, 5), "< 15 Gy"),
    ("Liver-GTV", "Mean[Gy]", (3,), ["< 13 Gy", "< 15 Gy"]),
    ("Brain", "V12Gy[cc]", (1,), "< 5 cc"),
]


@pytest.mark.parametrize(("structure", "metric", "fractionation", "goals"), QUANTEC_ROWS)
def test_quantec(structure, metric, fractionation, goals):
    assert limits(QUANTEC, structure, metric)[fractionation] == goals


@pytest.mark.parametrize(
    ("structure", "metric", "fractions", "goals"),
    [
        ("SpinalCord", "D0.035cc[Gy]", (3,), "<= 20.3 Gy"),
        ("SpinalCord", "D0.035cc[Gy]", (5,), "<= 25.3 Gy"),
        ("Brain", "V12Gy[cc]", (1,), ["<= 5 cc", "<= 10 cc", "<= 15 cc"]),
        ("Lungs-GTV", "Mean[Gy]", (3, 4, 5), "<= 8 Gy"),
        ("Liver-GTV", "DC700cc[Gy]", (3, 4, 5, 6), ["< 15 Gy", "< 17 Gy"]),
    ],
)
def test_hytec(structure, metric, fractions, goals):
    assert limits(HYTEC, structure, metric)[fractions] == goals


def test_no_row_of_the_tables_was_lost():
    """71 rows of QUANTEC less 14 points of curves and one that no metric says; 139 + 7 of TG-101."""
    assert (len(QUANTEC.rules), len(TG101.rules), len(HYTEC.rules)) == (56, 146, 31)


@pytest.mark.parametrize("protocol", [TG101, QUANTEC, HYTEC], ids=lambda p: p.id)
def test_every_limit_on_an_organ_names_its_fractionation(protocol):
    """A limit in EQD2 holds for any."""
    checks = [rule for rule in protocol.rules if isinstance(rule.check, DoseCheck)]
    assert all(rule.fractionation for rule in checks if rule.check.metric.effect is None)


class AllAlike:
    """A case that has every structure, with the same value for whatever is asked."""

    def __init__(self, fractions, dose_gy, value=0.0):
        self._fractions, self.dose_gy, self.value = fractions, dose_gy, value

    def structures(self):
        names = ("SpinalCord", "Lung_L", "Lung_R", "Liver", "GTV", "PTV", "Heart", "Kidney_L", "Kidney_R", "Brain")
        types = {"GTV": "GTV", "PTV": "PTV"}
        return tuple(StructureFact(name=n, number=i, rt_roi_type=types.get(n, "ORGAN")) for i, n in enumerate(names))

    def metric(self, roi, metric):
        return MetricResult(roi=str(roi), metric=str(metric), unit=metric.unit.value, value=self.value)

    def image(self):
        return None

    def prescriptions(self):
        return (Prescription(dose_gy=self.dose_gy, roi_number=None, origin="test"),)

    def fractions(self):
        return self._fractions


def _all_pass(group, rows):
    passes = (Verdict.PASS, Verdict.NOT_APPLICABLE)
    return all(row.verdict in passes for row in rows if row.group == group)


@pytest.mark.parametrize("protocol_id", [info.id for info in list_protocols()])
@pytest.mark.parametrize(("fractions", "dose_gy"), [(1, 20.0), (5, 50.0), (30, 60.0), (None, 60.0)])
@pytest.mark.requirement("R7")
def test_nothing_passes_that_was_not_computed_and_everything_else_says_why(protocol_id, fractions, dose_gy):
    protocol = load_protocol(protocol_id)
    rows = evaluate_protocol(protocol, AllAlike(fractions, dose_gy))
    joint = [row for row in rows if is_joint(row)]
    assert [row.rule_id for row in joint] == [group.id for group in protocol.groups]
    assert all(row.verdict is not Verdict.PASS or _all_pass(row.group, rows) for row in joint)
    rows = [row for row in rows if not is_joint(row)]
    assert {row.rule_id for row in rows} == {rule.id for rule in protocol.rules}
    for row in rows:
        decided = row.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.VARIATION)
        assert decided == (row.value is not None and row.reason_code is None)
        assert decided or (row.reason and row.reason_code)


@pytest.mark.parametrize("protocol", [TG101, HYTEC, QUANTEC], ids=lambda p: p.id)
def test_limits_of_another_fractionation_are_not_applied(protocol):
    """A plan of 10 fractions of 5 Gy is neither conventional nor in 1 to 6 fractions."""
    assert {row.verdict for row in evaluate_protocol(protocol, AllAlike(10, 50.0))} <= {
        Verdict.NOT_APPLICABLE, Verdict.NOT_EVALUABLE,
    }  # fmt: skip


def test_five_fractions_bring_only_their_own_rows_of_tg101():
    rows = [r for r in evaluate_protocol(TG101, AllAlike(5, 50.0)) if r.verdict is not Verdict.NOT_APPLICABLE]
    assert rows
    assert all(row.rule_id.endswith("-5fx") for row in rows)


@pytest.mark.parametrize("protocol_id", [info.id for info in list_protocols()])
def test_shipped_names_are_known(protocol_id):
    found = lint_protocol(load_protocol(protocol_id))
    assert not [f for f in found if f.code in ("unknown-name", "needless-alias", "no-source", "unknown-source")]
    assert all(f.level is not Level.SERIOUS for f in found)
