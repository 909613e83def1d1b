"""Lint: a sound protocol is clean, and each planted slip is found by its code."""

import pytest

from dvhkit.findings import Level
from dvhkit.protocols.files.load import list_protocols, load_protocol
from dvhkit.protocols.lint.protocol import lint_protocol

SOUND = """\
id: sound
version: "1"
title: Sound
sources: [{key: Paper, citation: a paper}]
context: {b7: {type: bool, meaning: worse liver}}
aliases: {SpinalCord: [Cord], Kidney_L: [Left kidney], Kidney_R: [Right kidney]}
rules:
  - {id: T1, structure: {type: PTV, each: true}, metric: "V100%[%]", goal: ">= 95 %", variation: ">= 90 %",
     fractions: 5, source: Paper, status: P, title: Target coverage}
  - {id: C1, structure: SpinalCord, metric: "D0.35cc[Gy]", goal: "<= 23 Gy", fractions: 5, source: Paper, status: P}
  - {id: C2, structure: SpinalCord, metric: "D0.035cc[Gy]", goal: "<= 30 Gy", fractions: 5, source: Paper, status: P}
  - {id: C3, structure: SpinalCord, metric: "D0.035cc[Gy]", goal: "<= 21.9 Gy", fractions: 3, source: Paper, status: P}
  - {id: L1, structure: {name: Liver-GTV, derived: Liver - GTV}, metric: "DC700cc[Gy]", goal: "<= 15 Gy",
     variation: "<= 17 Gy", fractions: 3..5, when: {b7: true}, source: Paper, status: P}
  - {id: L2, structure: Lungs, metric: "V20Gy[%]", goal: "<= 30 %", dose_per_fraction_gy: 1.8..2.0,
     source: Paper, status: T}
  - {id: K1, structure: Kidney_L, metric: "Mean[Gy]", goal: "<= 18 Gy", fractions: 5, source: Paper, status: S2,
     title: left kidney}
  - {id: I1, property: image.slice_spacing, goal: <= 3 mm, source: Paper, status: P}
"""

SLIPS = [  # what is sound, what stands there instead, the code that must be found
    ('variation: ">= 90 %"', 'variation: ">= 97 %"', "variation-stricter"),
    ('variation: "<= 17 Gy"', 'variation: "<= 14 Gy"', "variation-stricter"),
    ('variation: "<= 17 Gy"', 'variation: ">= 17 Gy"', "variation-direction"),
    ('variation: "<= 17 Gy"', 'variation: "<= 15 Gy"', "variation-equal"),
    ('variation: "<= 17 Gy"', 'variation: "<= 25 Gy"', "variation-far"),
    ("DC700cc[Gy]", "D700cc[Gy]", "hot-for-cold"),
    ("D0.35cc[Gy]", "DC0.35cc[Gy]", "cold-for-hot"),
    ('goal: "<= 15 Gy"', 'goal: ">= 15 Gy"', "direction"),
    ('"DC700cc[Gy]", goal: "<= 15 Gy",\n     variation: "<= 17 Gy"', '"CV15Gy[cc]", goal: "<= 700 cc"', "direction"),
    ('goal: "<= 30 %"', 'goal: ">= 30 %"', "direction"),
    ('goal: "<= 30 Gy"', 'goal: ">= 30 Gy"', "direction"),
    ('goal: ">= 95 %", variation: ">= 90 %"', 'goal: "<= 95 %"', "direction"),
    ('"Mean[Gy]", goal: "<= 18 Gy"', '"Min[Gy]", goal: "<= 18 Gy"', "direction"),
    ('goal: "<= 23 Gy"', 'goal: "<= 2300"', "unit-slip"),
    ('goal: "<= 23 Gy"', 'goal: "<= 0.023"', "unit-slip"),
    ('goal: "<= 30 %"', 'goal: "<= 0.3"', "unit-slip"),
    ("V20Gy[%]", "V2000Gy[%]", "unit-slip"),
    ("D0.035cc[Gy]", "D0.035%[Gy]", "unit-slip"),
    ("V20Gy[%]", "V20%[%]", "relative-dose"),
    ("V100%[%]", "V100Gy[%]", "unit-slip"),
    ('"V100%[%]", goal: ">= 95 %", variation: ">= 90 %"', '"D95cc[Gy]", goal: ">= 50"', "unit-slip"),
    ("<= 3 mm", "<= 0.03 mm", "unit-slip"),
    ("D0.35cc[Gy]", "D350cc[Gy]", "above-organ-size"),
    ('"V20Gy[%]", goal: "<= 30 %"', '"V20Gy[cc]", goal: "<= 30000"', "above-organ-size"),
    ('goal: "<= 30 %"', 'goal: "<= 100 %"', "vacuous"),
    ('"V100%[%]", goal: ">= 95 %", variation: ">= 90 %"', '"CI_Paddick", goal: "<= 1.2"', "vacuous"),
    ('"V100%[%]", goal: ">= 95 %", variation: ">= 90 %"', '"CI_Paddick", goal: ">= 1.2"', "impossible"),
    ('"V100%[%]", goal: ">= 95 %", variation: ">= 90 %"', '"CI_Paddick", goal: ">= 0.8"', None),
    ('goal: ">= 95 %"', 'goal: ">= 105 %"', "impossible"),
    ('goal: ">= 95 %"', 'goal: ">= 100 %"', "brittle"),
    ("id: C2, structure: SpinalCord, metric: \"D0.035cc[Gy]\", goal: \"<= 30 Gy\"",
     "id: C2, structure: SpinalCord, metric: \"D0.35cc[Gy]\", goal: \"<= 23 Gy\"", "duplicate-rule"),
    ("D0.035cc[Gy]\", goal: \"<= 30 Gy\"", "D0.35cc[Gy]\", goal: \"<= 25 Gy\"", "two-limits"),
    ('goal: "<= 23 Gy"', 'goal: "<= 33 Gy"', "ladder"),
    ('goal: "<= 21.9 Gy"', 'goal: "<= 30 Gy"', "same-limit-fractions"),
    ('goal: "<= 21.9 Gy"', 'goal: "<= 32 Gy"', "falling-limit"),
    ('goal: "<= 23 Gy", fractions: 5', 'goal: "<= 23 Gy"', "no-fractionation"),
    ("dose_per_fraction_gy: 1.8..2.0", "dose_per_fraction_gy: 1.8..2.0, fractions: 5", "mixed-fractionation"),
    ('goal: "<= 23 Gy", fractions: 5', 'goal: "<= 70 Gy", fractions: 1', "other-fractionation"),
    ("title: Target coverage", "title: coverage at least 98 %", "title-number"),
    ("structure: SpinalCord, metric: \"D0.35cc", "structure: SpinlCord, metric: \"D0.35cc", "unknown-name"),
    ("title: left kidney", "title: right kidney", "side"),
    ("[Left kidney]", "[Right kidney]", "side"),
    ("[Left kidney]", "[Kidney]", None),
    ("SpinalCord: [Cord]", "SpinalCord: [Cord, Lungs]", "alias-swaps"),
    ("Kidney_R: [Right kidney]", "Brainstem: [Cord]", "alias-twice"),
    ("SpinalCord: [Cord]", "SpinalCord: [spinal cord]", "needless-alias"),
    ("source: Paper, status: T", "status: T", "no-source"),
    ("source: Paper, status: T", "source: Other, status: T", "unknown-source"),
    ("source: Paper, status: T", "source: Paper", "no-status"),
    ("source: Paper, status: T", "source: Paper, status: B", "unverified"),
    ("when: {b7: true}, ", "", "unused-context"),
    ("[{key: Paper, citation: a paper}]", "[{key: Paper, citation: a}, {key: Unread, citation: b}]", "unused-source"),
]  # fmt: skip


@pytest.fixture
def lint(tmp_path):
    def lint(text):
        path = tmp_path / "p.yaml"
        path.write_text(text)
        return lint_protocol(load_protocol(path))

    return lint


def test_a_sound_protocol_is_clean(lint):
    assert lint(SOUND) == ()


@pytest.mark.parametrize(("sound", "slip", "code"), SLIPS)
def test_a_planted_slip_is_found(lint, sound, slip, code):
    assert sound in SOUND
    found = lint(SOUND.replace(sound, slip, 1))
    codes = {finding.code for finding in found}
    assert codes == set() if code is None else code in codes
    assert all(finding.message.endswith((".", "?")) for finding in found)


def test_findings_come_in_the_order_of_lines_and_say_where(lint):
    text = SOUND.replace('goal: "<= 23 Gy"', 'goal: "<= 2300"').replace('variation: "<= 17 Gy"', "variation: 14")
    lines = [int(f.where.removeprefix("line ").split(",")[0]) for f in lint(text) if f.where.startswith("line")]
    assert lines == sorted(lines)
    assert {"line 10, rule C1", "line 13, rule L1"} <= {f.where for f in lint(text)}


@pytest.mark.parametrize("protocol_id", [info.id for info in list_protocols()])
def test_shipped_protocols_have_no_slips(protocol_id):
    found = lint_protocol(load_protocol(protocol_id))
    assert [f for f in found if f.level is Level.SERIOUS] == []
