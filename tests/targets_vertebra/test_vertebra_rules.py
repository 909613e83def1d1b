"""Every involvement pattern of every profile, held against a second reading of the rules written without the tables."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from dvhkit.errors import InputError
from dvhkit.targets.vertebra.profiles import RuleTableError, load_profile, profile_paths
from dvhkit.targets.vertebra.rules import Compartment, Extent, FlagLevel, evaluate_rules, parse_compartment

B, S = "body", "spinous"
ALL = tuple(c.value for c in Compartment)
PATTERNS = [frozenset(p) for p in chain.from_iterable(combinations(ALL, n) for n in range(9))]
WANG = ("wang2025-lamina", "wang2025-strict", "wang2025-lenient")
PROFILES = (*WANG, "isrc-cox2012")


def post(side):
    return {f"pedicle_{side}", f"transverse_{side}", f"lamina_{side}"}


def parts(i, side):
    return f"pedicle_{side}" in i, f"transverse_{side}" in i, f"lamina_{side}" in i


def wang(i, needs_spinous):
    """The prose: the body when touched; a side of the arch when any of it is touched; the spinous process by switch."""
    required, optional = set(i), set()
    touched = [side for side in "LR" if any(parts(i, side))]
    for side in touched:
        required |= post(side)
    if touched:
        (required if needs_spinous(i) else optional).add(S)
    if S in i:
        required |= {"lamina_L", "lamina_R"}
        if not touched:
            optional |= {"pedicle_L", "pedicle_R"}
    return required, optional - required


def lamina_switch(i):
    return "lamina_L" in i or "lamina_R" in i


def strict_switch(i):
    return True


def lenient_switch(i):
    return any(la and not p and not t for p, t, la in (parts(i, "L"), parts(i, "R")))


def cox(i):
    sectors = {1: {B}, 2: {"pedicle_L"}, 3: {"transverse_L", "lamina_L"}, 4: {S}}
    sectors |= {5: {"transverse_R", "lamina_R"}, 6: {"pedicle_R"}}
    gives = {1: {1}, 2: {2, 3}, 3: {2, 3, 4}, 5: {4, 5, 6}, 6: {5, 6}}
    required, optional = set(i), set()
    for number, members in sectors.items():
        if members & i:
            # For the spinous process the table names the laminae only, half of sectors 3 and 5.
            required |= (
                {S, "lamina_L", "lamina_R"} if number == 4 else set().union(*(sectors[n] for n in gives[number]))
            )
    if {"pedicle_L", "pedicle_R"} & i and B not in i:
        optional = {B}
    return required, optional


READINGS = {
    "wang2025-lamina": lambda i: wang(i, lamina_switch),
    "wang2025-strict": lambda i: wang(i, strict_switch),
    "wang2025-lenient": lambda i: wang(i, lenient_switch),
    "isrc-cox2012": cox,
}


def evaluate(profile, pattern, **options):
    return evaluate_rules(load_profile(profile), (Compartment(c) for c in pattern), **options)


@pytest.mark.parametrize("profile", PROFILES)
def test_all_256_patterns_agree_with_an_independent_reading(profile):
    for pattern in PATTERNS:
        outcome = evaluate(profile, pattern)
        required, optional = READINGS[profile](pattern)
        assert set(outcome.required) == required, (profile, sorted(pattern))
        assert set(outcome.optional) == optional, (profile, sorted(pattern))


@pytest.mark.parametrize("profile", PROFILES)
def test_mirrored_involvement_gives_the_mirrored_answer(profile):
    for pattern in PATTERNS:
        one = evaluate(profile, pattern)
        other = evaluate(profile, [Compartment(c).mirrored for c in pattern])
        for name in ("required", "optional"):
            assert {c.mirrored for c in getattr(one, name)} == set(getattr(other, name))
        assert one.rules == other.rules
        assert sorted(f.code for f in one.flags) == sorted(f.code for f in other.flags)


def shrinking(profile):
    """Return (pattern, part that joins it, what is then no longer required) for all that shrinks."""
    required = {pattern: set(evaluate(profile, pattern).required) for pattern in PATTERNS}
    return {
        (pattern, more, frozenset(lost))
        for pattern in PATTERNS
        for more in set(ALL) - pattern
        if (lost := required[pattern] - required[pattern | {more}])
    }


@pytest.mark.parametrize("profile", ["wang2025-lamina", "wang2025-strict", "isrc-cox2012"])
def test_what_is_required_only_grows_with_involvement(profile):
    assert not shrinking(profile)


def test_what_is_required_only_grows_by_the_lenient_profile_but_for_just_this():
    # Its definition requires the spinous process for a lamina without pedicle or transverse process of its side, and
    # leaves it open with one: so the tumour that reaches the first of these lets it go, unless it holds tumour itself
    # or the other side asks for it. No other part, and no other step, ever shrinks what is required.
    expected = set()
    for side, other in ("LR", "RL"):
        for pattern in PATTERNS:
            alone = parts(pattern, side) == (False, False, True)
            asked_elsewhere = S in pattern or parts(pattern, other) == (False, False, True)
            if alone and not asked_elsewhere:
                expected |= {(pattern, f"{kind}_{side}", frozenset({S})) for kind in ("pedicle", "transverse")}
    assert len(expected) == 56
    assert shrinking("wang2025-lenient") == expected


@pytest.mark.parametrize("profile", PROFILES)
def test_required_holds_the_involved_and_excludes_the_optional(profile):
    for pattern in PATTERNS:
        outcome = evaluate(profile, pattern)
        assert set(outcome.involved) == pattern
        assert set(outcome.involved) <= set(outcome.required)
        assert not set(outcome.required) & set(outcome.optional)


def test_profiles_are_ordered_from_lenient_to_strict():
    for pattern in PATTERNS:
        lenient, lamina, strict = (
            set(evaluate(p, pattern).required) for p in ("wang2025-lenient", "wang2025-lamina", "wang2025-strict")
        )
        assert lenient <= lamina <= strict


@pytest.mark.parametrize(
    ("involved", "rules"),
    [
        ("body", "R1"),
        ("pedicle_L", "R2"),
        ("transverse_R", "R2"),
        ("lamina_R", "R3"),
        ("pedicle_L pedicle_R", "R2 R4"),
        ("body pedicle_L", "R1 R2"),
        ("pedicle_L pedicle_R lamina_L", "R2 R3 R5"),
        ("spinous", "R6"),
        ("body spinous", "R1 R6"),
        ("spinous lamina_L", "R3 V7"),
    ],
)
def test_default_profile_names_the_rules_that_fired(involved, rules):
    assert evaluate("wang2025-lamina", involved.split()).rules == tuple(rules.split())


def test_spinous_with_arch_and_tumour_outside_ask_for_review():
    assert [f.code for f in evaluate("wang2025-lamina", [S, "lamina_L"]).flags] == ["spinous-with-arch"]
    outside = evaluate("wang2025-lamina", [B], extents=[Extent.OUTSIDE])
    assert [(f.level, f.code) for f in outside.flags] == [(FlagLevel.REVIEW, "gtv-outside-bone")]
    assert [f.code for f in evaluate("wang2025-lamina", []).flags] == ["nothing-involved"]


def test_circumferential_ctv_gets_the_advice_of_the_consensus_unless_tumour_is_all_round():
    def codes(pattern, **options):
        return {f.code for f in evaluate("wang2025-lamina", pattern, **options).flags}

    assert "circumferential-ctv" in codes([B, "pedicle_L", "lamina_R"])
    assert "circumferential-ctv" in codes([B, "pedicle_L", "pedicle_R"])  # once the optional spinous process is in
    assert "circumferential-ctv" not in codes([B, "pedicle_L"])
    assert "circumferential-ctv" not in codes([B, "pedicle_L", "pedicle_R", S])


def test_a_choice_is_recorded_and_only_what_is_optional_can_be_chosen():
    outcome = evaluate("wang2025-lamina", ["pedicle_L"], include=[Compartment.SPINOUS])
    assert outcome.included == (Compartment.SPINOUS,)
    assert Compartment.SPINOUS in outcome.target
    with pytest.raises(InputError, match="spinous"):
        evaluate("wang2025-lamina", ["pedicle_L"], include=[Compartment.BODY])


def test_consensus_asks_where_in_the_body_the_tumour_lies():
    def required(*extents):
        return set(evaluate("isrc-cox2012", [B], extents=extents).required)

    assert required() == {B}
    assert required(Extent.BODY_LEFT) == {B, "pedicle_L", "transverse_L"}
    assert required(Extent.BODY_DIFFUSE) == {B, "pedicle_L", "transverse_L", "pedicle_R", "transverse_R"}
    assert "body-extent-unknown" in {f.code for f in evaluate("isrc-cox2012", [B]).flags}


def test_each_row_says_where_it_comes_from():
    for name in profile_paths():
        for row in load_profile(name).rows:
            assert row.source
            assert row.status in {"P", "C", "S1", "B"}


def test_reason_names_rows():
    outcome = evaluate("wang2025-lamina", ["pedicle_L"])
    assert outcome.because_of(Compartment.LAMINA_L) == "required by V2(L)"
    assert outcome.because_of(Compartment.SPINOUS) == "left to the oncologist by V2(L)"
    assert outcome.because_of(Compartment.BODY) == "no rule asks for it"


def test_unknown_compartment_is_refused_with_the_nearest_name():
    assert parse_compartment(" Pedicle_l ") is Compartment.PEDICLE_L
    with pytest.raises(InputError, match="lamina_L"):
        parse_compartment("lamia_L")


GOOD = """id: own
version: "1"
title: Own
rows:
  - id: A
    rule: A
    title: a
    when: {any: [body]}
    require: [body]
    source: own
    status: C
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "fragment"),
    [
        ("require: [body]", "requires: [body]", 9, "did you mean 'require'"),
        ("require: [body]", "require: [bod]", 9, "did you mean 'body'"),
        ("{any: [body]}", "{some: [body]}", 8, "any, all or none"),
        ("{any: [body]}", "{any: []}", 8, "not empty"),
        ("{any: [body]}", "{any: [pedicle]}", 8, "no compartment"),
        ("status: C", "status: Q", 11, "status"),
        ("    source: own\n", "", 5, "'source' is missing"),
        ("require: [body]", "each_side: 1", 9, "true or false"),
        ("    require: [body]\n", "", 5, "require, offer or flag"),
        ("require: [body]", "require: [outside]", 9, "no compartment"),
        ("require: [body]", "flag: {level: loud, code: x, text: y}", 9, "level"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(tmp_path, old, new, line, fragment):
    assert old in GOOD
    path = tmp_path / "own.yaml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(RuleTableError, match=fragment) as caught:
        load_profile(path)
    assert caught.value.where == f"line {line}"


def test_own_table_is_read_and_unknown_id_suggests_one(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_profile(path).rows[0].require == {Compartment.BODY}
    with pytest.raises(RuleTableError, match="wang2025-strict"):
        load_profile("wang2025-strikt")
