"""Names are matched, never guessed; expressions are read as they are written."""

import pytest

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.files.rules import Protocol
from dvhkit.protocols.naming.names import match_name, structures_of_type, suggestions
from dvhkit.protocols.naming.regions import Made, parse_region
from dvhkit.protocols.naming.select import select
from dvhkit.protocols.naming.selector import StructureSelector
from dvhkit.targets.regions.expression import Name, Operation, RoiRef, is_expression


def facts(*names, types=()):
    kinds = dict(zip(names, types, strict=False))
    return tuple(StructureFact(name=n, number=i, rt_roi_type=kinds.get(n, "")) for i, n in enumerate(names, 1))


def names(match):
    return [s.name for s in match.found]


def test_the_exact_name_wins_over_a_likeness():
    assert names(match_name("PTV", facts("ptv", "PTV", "P TV"))) == ["PTV"]


def test_case_and_blanks_do_not_matter():
    match = match_name("SpinalCord", facts("spinal cord", "Lung_L"))
    assert names(match) == ["spinal cord"]
    assert "spinal cord" in match.how


def test_an_alias_counts_only_if_the_name_is_not_there():
    assert names(match_name("SpinalCord", facts("Cord", "SpinalCord"), ["Cord"])) == ["SpinalCord"]
    assert names(match_name("SpinalCord", facts("CORD"), ["Cord"])) == ["CORD"]


def test_what_merely_looks_alike_is_suggested_and_not_used():
    structures = facts("SpinalCord_PRV05", "Spinal_Cord", "Lung_L")
    assert not match_name("SpinalCord", structures).found
    assert "Did you mean" in suggestions("SpinalCord", structures)
    assert "Spinal_Cord" in suggestions("SpinalCord", structures)


def test_hostile_names_stay_on_one_line():
    assert "\n" not in suggestions("Liver", facts("a\nb", "x" * 64))
    assert suggestions("Liver", ()) == "The structure set is empty."
    assert suggestions("Qqq", facts(*"abcdefghijkl")).endswith("and 4 more.")


def test_two_that_differ_in_case_only_are_ambiguous():
    assert len(match_name("Cord", facts("cord", "CORD")).found) == 2


@pytest.mark.parametrize(
    "name", ["PTV", "PTV1", "PTVp", "PTVn2", "PTV_High", "PTV_Mid01", "PTV_5040", "PTV 60", "PTV_60Gy", "PTV_50p4Gy",
             "PTV_High-05", "PTV!", "ptv_low"]
)  # fmt: skip
def test_target_names_after_tg_263(name):
    assert names(structures_of_type("PTV", facts(name, "Ring"))) == [name]


@pytest.mark.parametrize("name", ["PTV_Ring", "zPTV", "PTV+3mm", "PTV opt", "Lungs-PTV", "NS_PTV", "PTVeval"])
def test_helpers_for_planning_are_no_targets(name):
    assert not structures_of_type("PTV", facts(name)).found


def test_the_type_decides_and_the_name_fills_in():
    structures = facts("Boost", "PTV_Low", "PTV_Old", "GTV", types=("PTV", "", "CONTROL", "GTV"))
    assert names(structures_of_type("PTV", structures)) == ["Boost", "PTV_Low"]
    untyped = facts("PTV", "PTV_Ring", types=("ORGAN", "ORGAN"))
    match = structures_of_type("PTV", untyped)
    assert names(match) == ["PTV"]
    assert "by name" in match.how


REGIONS = [
    ("Liver", Name("Liver")),
    ("Liver-GTV", Name("Liver-GTV")),
    ("Kidney Left", Name("Kidney Left")),
    ("GTV", Name("GTV")),
    ('"GTV"', Name("GTV", quoted=True)),
    ("Liver - GTV", Operation("-", Name("Liver"), Name("GTV"))),
    ("Lung_L | Lung R", Operation("|", Name("Lung_L"), Name("Lung R"))),
    ("Lung_L|Lung_R", Operation("|", Name("Lung_L"), Name("Lung_R"))),
    ("A & B", Operation("&", Name("A"), Name("B"))),
    ("A - B - C", Operation("-", Operation("-", Name("A"), Name("B")), Name("C"))),
    ("A - (B | C)", Operation("-", Name("A"), Operation("|", Name("B"), Name("C")))),
    ('"Kidney (left)" - B', Operation("-", Name("Kidney (left)"), Name("B"))),
]


@pytest.mark.parametrize(("text", "expression"), REGIONS)
def test_structure_expressions(text, expression):
    assert parse_region(text) == expression
    assert is_expression(text) == isinstance(expression, Operation)


@pytest.mark.parametrize("text", ["", "  ", "- A", "A -  ", "A | | B", "(A", "A)", "()", "A (B)", "((((("])
def test_broken_expressions_are_refused(text):
    with pytest.raises(ValueError, match="structure expression"):
        parse_region(text)


PROTOCOL = Protocol(id="p", version="1", title="t", rules=(), aliases=(("Liver", ("Leber",)),))
NORMAL_LIVER = StructureSelector(name="Liver-GTV", derived=parse_region("Liver - GTV"), derived_text="Liver - GTV")


def test_a_drawn_structure_is_preferred_to_a_derived_one():
    (target,) = select(NORMAL_LIVER, PROTOCOL, facts("Liver", "GTV", "liver-gtv"))
    assert target.region == RoiRef(3, "liver-gtv")


def test_normal_liver_is_the_liver_less_every_gtv():
    structures = facts("Leber", "GTV1", "GTV2", "PTV", types=("ORGAN", "GTV", "GTV", "PTV"))
    (target,) = select(NORMAL_LIVER, PROTOCOL, structures)
    gtvs = Operation("|", RoiRef(2, "GTV1"), RoiRef(3, "GTV2"))
    assert target.region == Made(Operation("-", RoiRef(1, "Leber"), gtvs), "Liver - GTV")
    assert "Liver-GTV" in target.note


def reason(selector, structures):
    with pytest.raises(NotEvaluable) as caught:
        select(selector, PROTOCOL, structures)
    return caught.value.reason, str(caught.value)


def test_what_cannot_be_derived_says_which_part_is_missing():
    code, message = reason(NORMAL_LIVER, facts("Liver", "PTV", types=("ORGAN", "PTV")))
    assert code is Reason.NO_STRUCTURE
    assert "type GTV" in message
    code, message = reason(NORMAL_LIVER, facts("Livr", "GTV", types=("ORGAN", "GTV")))
    assert code is Reason.NO_STRUCTURE
    assert "'Livr'" in message


def test_several_of_a_type_are_each_judged_or_ambiguous():
    structures = facts("PTV1", "PTV2", types=("PTV", "PTV"))
    targets = select(StructureSelector(rt_roi_type="PTV", each=True), PROTOCOL, structures)
    assert [str(t.region) for t in targets] == ["PTV1", "PTV2"]
    code, message = reason(StructureSelector(rt_roi_type="PTV"), structures)
    assert code is Reason.AMBIGUOUS_STRUCTURE
    assert "'PTV1' (number 1)" in message


def test_of_several_names_each_that_is_there_is_judged():
    both = StructureSelector(any_of=("Lung_L", "Lung_R", "Lung_X"))
    targets = select(both, PROTOCOL, facts("lung_r", "Heart", "Lung_L"))
    assert [str(t.region) for t in targets] == ["Lung_L", "lung_r"]
    code, message = reason(both, facts("Heart"))
    assert code is Reason.NO_STRUCTURE
    assert "Lung_L or Lung_R or Lung_X" in message
    assert reason(both, facts("Lung_L", "lung_r", "LUNG_R"))[0] is Reason.AMBIGUOUS_STRUCTURE


def test_empty_gtvs_take_nothing_away_and_empty_ones_only_leave_no_region():
    liver = StructureFact(name="Liver", number=1)
    empty = StructureFact(name="GTV_old", number=2, rt_roi_type="GTV", is_empty=True)
    drawn = StructureFact(name="GTV", number=3, rt_roi_type="GTV")
    (target,) = select(NORMAL_LIVER, PROTOCOL, (liver, empty, drawn))
    assert target.region.tree == Operation("-", RoiRef(1, "Liver"), RoiRef(3, "GTV"))
    assert reason(NORMAL_LIVER, (liver, empty))[0] is Reason.EMPTY_STRUCTURE


def test_an_empty_drawn_structure_gives_way_to_the_derived_one():
    structures = (
        StructureFact(name="Liver-GTV", number=1, is_empty=True),
        StructureFact(name="Liver", number=2),
        StructureFact(name="GTV", number=3, rt_roi_type="GTV"),
    )
    (target,) = select(NORMAL_LIVER, PROTOCOL, structures)
    assert isinstance(target.region, Made)


def test_a_short_name_is_suggested_only_where_it_is_part_of_the_other():
    facts = [StructureFact(name=n, number=i) for i, n in enumerate(("PTV", "Cord", "Liver"), 1)]
    assert "Did you mean" not in suggestions("OpticChiasm", facts)
    assert suggestions("SpinalCord", facts) == "Did you mean 'Cord'?"
