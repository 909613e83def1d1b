"""Response over time against the published rules: sums, tables of overall response, best response and confirmation."""

from __future__ import annotations

import pytest

from dvhkit.errors import InputError
from dvhkit.jobs.contours.response import judge_responses
from dvhkit.targets.compare.response import best_overall, confirmed_best, non_target_response, overall_response

# Sums of one target after a baseline of the first; the response of each later visit. None: not measured.
SUMS = [
    ([100, 69], ["PR"]),
    ([100, 70], ["PR"]),
    ([100, 71], ["SD"]),
    ([100, 119], ["SD"]),
    ([100, 120], ["PD"]),
    ([100, 0], ["CR"]),
    ([20, 24], ["SD"]),  # 20 %, but 4 mm
    ([20, 25], ["PD"]),
    ([165, 63, 65], ["PR", "PR"]),  # the worked example of the RECIST group
    ([100, 50, 60], ["PR", "PD"]),
    ([100, 50, 59], ["PR", "PR"]),
    ([100, 80, 90], ["SD", "SD"]),
    ([100, 80, 96], ["SD", "PD"]),
    ([100, 60, 75], ["PR", "PD"]),
    ([100, 12, 15], ["PR", "PR"]),  # 25 %, but 3 mm
    ([100, 0, 8], ["CR", "PD"]),  # back after CR
    ([100, None], ["NE"]),
    ([100, None, 65], ["NE", "PR"]),
    ([100, 40, None, 45], ["PR", "NE", "PR"]),
    ([100, 110, 121], ["SD", "PD"]),
    ([12, 5], ["PR"]),
    ([30, 36], ["PD"]),
]
# Target, non-target, new lesion, overall: tables 1 and 2 of Eisenhauer 2009.
TABLE = [
    ("CR", "CR", False, "CR"),
    ("CR", "none", False, "CR"),
    ("CR", "NON-CR/NON-PD", False, "PR"),
    ("CR", "NE", False, "PR"),
    ("PR", "NON-CR/NON-PD", False, "PR"),
    ("PR", "NE", False, "PR"),
    ("PR", "CR", False, "PR"),
    ("SD", "NON-CR/NON-PD", False, "SD"),
    ("SD", "NE", False, "SD"),
    ("NE", "NON-CR/NON-PD", False, "NE"),
    ("PD", "CR", False, "PD"),
    ("PR", "PD", False, "PD"),
    ("CR", "CR", True, "PD"),
    ("SD", "none", True, "PD"),
    ("none", "CR", False, "CR"),
    ("none", "NON-CR/NON-PD", False, "NON-CR/NON-PD"),
    ("none", "NE", False, "NE"),
    ("none", "PD", False, "PD"),
    ("none", "CR", True, "PD"),
]
# Responses at days 60, 120, ... (or as given); best as read; best that a later one confirms.
COURSES = [
    (["CR", "CR"], "CR", "CR"),
    (["CR", "NE", "CR"], "CR", "CR"),
    (["CR", "NE", "NE", "CR"], "CR", "SD"),
    (["CR", "PD"], "CR", "SD"),
    (["CR"], "CR", "SD"),
    (["PR", "PR"], "PR", "PR"),
    (["PR", "CR"], "CR", "PR"),
    (["PR", "CR", "CR"], "CR", "CR"),
    (["PR", "NE", "PR"], "PR", "PR"),
    (["PR", "NE", "NE", "PR"], "PR", "SD"),
    (["PR", "SD", "PR"], "PR", "SD"),
    (["PR", "SD"], "PR", "SD"),
    (["PR", "PD"], "PR", "SD"),
    (["PR"], "PR", "SD"),
    (["SD", "SD"], "SD", "SD"),
    (["SD", "PD"], "SD", "SD"),
    (["PD"], "PD", "PD"),
    (["PD", "CR", "CR"], "PD", "PD"),
    (["NE", "NE"], "NE", "NE"),
    (["NE", "PD"], "PD", "PD"),
    (["NE", "PR", "PR"], "PR", "PR"),
    (["NON-CR/NON-PD", "PD"], "NON-CR/NON-PD", "NON-CR/NON-PD"),
    (["SD", "PR", "PR", "PD"], "PR", "PR"),
    (["CR", "PR", "PR"], "CR", "PR"),
    ([], "NE", "NE"),
]
EARLY = [
    ([(30, "SD"), (60, "PD")], "PD", "PD"),
    ([(30, "PR"), (60, "PD")], "PR", "PD"),
    ([(30, "PR"), (50, "PR")], "PR", "SD"),  # 20 days later confirms nothing
    ([(30, "PR"), (58, "PR")], "PR", "PR"),
    ([(30, "SD")], "NE", "NE"),
    ([(30, "NON-CR/NON-PD"), (60, "PD")], "PD", "PD"),
]


def table_of(sums, tmp_path):
    lines = ["date,lesion,role,mm,state"]
    for n, mm in enumerate(sums):
        lines.append(f"2024-{n + 1:02d}-01,L1,target,{'' if mm is None else mm},{'ne' if mm is None else ''}")
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(("sums", "wanted"), SUMS)
def test_sums_respond_as_the_rules_say(sums, wanted, tmp_path):
    (course,) = judge_responses(table_of(sums, tmp_path)).patients
    assert [p.overall for p in course.time_points[1:]] == wanted


@pytest.mark.parametrize(("target", "non_target", "new", "wanted"), TABLE)
def test_overall_response_is_that_of_the_tables(target, non_target, new, wanted):
    assert overall_response(target, non_target, new_lesion=new) == wanted


@pytest.mark.parametrize(("responses", "best", "confirmed"), COURSES)
def test_best_response_with_and_without_confirmation(responses, best, confirmed):
    dated = [(60 * (n + 1), r) for n, r in enumerate(responses)]
    assert best_overall(dated, sd_days=42) == best
    assert confirmed_best(dated, confirm_days=28, sd_days=42)[0] == confirmed


@pytest.mark.parametrize(("dated", "best", "confirmed"), EARLY)
def test_early_visits_count_as_the_windows_say(dated, best, confirmed):
    assert best_overall(dated, sd_days=42) == best
    assert confirmed_best(dated, confirm_days=28, sd_days=42)[0] == confirmed


def test_there_are_sixty_courses_and_more():
    assert len(SUMS) + len(TABLE) + len(COURSES) + len(EARLY) >= 60


def test_a_pr_after_a_cr_is_told():
    assert confirmed_best([(60, "CR"), (120, "PR")], confirm_days=28, sd_days=42)[1]


def test_non_targets_and_their_unknowns():
    assert non_target_response(["gone", "gone"]) == "CR"
    assert non_target_response(["gone", "present"]) == "NON-CR/NON-PD"
    assert non_target_response(["ne", "progressed"]) == "PD"
    assert non_target_response(["ne", "gone"]) == "NE"


def test_nodes_are_gone_below_ten_millimetres_and_still_add_up(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "date,lesion,role,mm,state\n2024-01-01,L1,target,30,\n2024-01-01,N1,node,20,\n"
        "2024-03-01,L1,target,,gone\n2024-03-01,N1,node,9,\n"
    )
    (course,) = judge_responses(path).patients
    assert course.time_points[1].overall == "CR"
    assert course.time_points[1].sum_mm == 9.0


def test_the_band_of_readers_says_what_else_a_call_could_be(tmp_path):
    (course,) = judge_responses(table_of([100, 72], tmp_path)).patients
    last = course.time_points[1]
    assert last.overall == "SD"
    assert set(last.could_be) == {"PR", "SD"}
    low, high = last.band_pct
    assert low < -28 < high


def test_viable_diameters_give_mrecist_and_the_state_before_radiotherapy(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "date,lesion,role,mm,viable_mm\n2024-01-01,L1,target,50,40\n2024-03-01,L1,target,50,0\n2024-05-01,L1,target,50,0\n"
    )
    (course,) = judge_responses(path).patients
    assert [p.overall for p in course.time_points[1:]] == ["SD", "SD"]
    assert [p.m_overall for p in course.time_points[1:]] == ["CR", "CR"]
    assert course.m_best_overall == "CR"


@pytest.mark.parametrize("line", ["2024-13-01,L1,target,10", "2024-01-01,L1,thing,10", "2024-01-01,L1,target,ten"])
def test_a_line_that_cannot_be_read_is_named(line, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"date,lesion,role,mm\n{line}\n")
    with pytest.raises(InputError) as caught:
        judge_responses(path)
    assert "line 2" in str(caught.value)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_spreadsheets_with_decimal_commas_are_read(tmp_path, mark):
    rows = [
        ["date", "lesion", "role", "mm"],
        ["2024-01-01", "A", "target", "50,5"],
        ["2024-03-01", "A", "target", "30"],
    ]
    (tmp_path / "t.csv").write_text("\n".join(mark.join(row) for row in rows))
    points = judge_responses(tmp_path / "t.csv").patients[0].time_points
    assert [p.sum_mm for p in points] == [50.5, 30.0]


@pytest.mark.parametrize(
    ("line", "words"),
    [("2024-01-01,A,target,52", "line 3.*twice: it stands on line 2"), ("2024-01-01,,target,52", "names no lesion")],
)
def test_a_lesion_told_twice_on_a_day_or_without_a_name_is_refused(tmp_path, line, words):
    (tmp_path / "t.csv").write_text(f"date,lesion,role,mm\n2024-01-01,A,target,50\n{line}\n")
    with pytest.raises(InputError, match=words):
        judge_responses(tmp_path / "t.csv")


def test_new_at_baseline_and_changed_roles_are_told_and_an_unsure_new_lesion_is_no_progress(tmp_path):
    rows = ["2024-01-01,A,target,50,", "2024-01-01,B,new,12,", "2024-03-01,A,non-target,50,", "2024-03-01,C,new,,ne"]
    (tmp_path / "t.csv").write_text("\n".join(["date,lesion,role,mm,state", *rows]))
    found = judge_responses(tmp_path / "t.csv").patients[0]
    assert found.time_points[-1].overall == "SD"
    assert [w.split(":")[0] for w in found.warnings] == [
        "new at baseline, which nothing can be",
        "role changes between dates",
    ]
