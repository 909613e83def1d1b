"""The documentation site: made from the code, with an answer to every question that newcomers ask first."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from site_crawl import crawl

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import make_site  # noqa: E402
from site_pages import limits, metrics, outside, requirements  # noqa: E402

# What somebody types into the search box, the page that answers, and words of the answer there.
QUESTIONS = [
    ("install all extras pip", "index.md", "pip install '.[all]'"),
    ("container docker read-only user", "index.md", "docker run --rm --read-only"),
    ("is it a medical device", "intended-use.md", "no medical device"),
    ("audit 200 plans all cores", "howto.md", "--jobs 8"),
    ("write a protocol for my clinic", "howto.md", "dvhkit protocol new"),
    ("constraint table excel into protocol", "howto.md", "dvhkit protocol convert"),
    ("compare DVHs with the planning system", "howto.md", "dvhkit check-dvh"),
    ("compare two observers contours", "howto.md", "dvhkit contours compare"),
    ("which margin was really drawn", "howto.md", "dvhkit margin check"),
    ("add the doses of two plans EQD2", "howto.md", "dvhkit sum"),
    ("export masks NIfTI", "howto.md", "dvhkit export"),
    ("SQL query of results", "archive.md", "dvhkit query"),
    ("what changed between two runs", "archive.md", "dvhkit diff"),
    ("deidentify plans keep links", "services.md", "dvhkit deidentify"),
    ("receive plans over DICOM listen", "services.md", "dvhkit listen"),
    ("exit code 2", "commands/overview.md", "unusable input"),
    ("D95% written metric grammar", "metrics.md", "D95%[Gy]"),
    ("outside dose grid uncovered exclude", "metrics.md", "uncovered"),
    ("Paddick conformity index", "metric/CI_Paddick.md", "Paddick"),
    ("NTCP LKB model", "metric/NTCP_LKB.md", "TD50"),
    ("accept a finding site file", "findings.md", "--accept CODE"),
    ("several-plans finding meaning", "findings.md", "several-plans"),
    ("limits standing compared with", "limits.md", "not verified"),
    ("SOP classes read conformance", "conformance.md", "RT Structure Set"),
    ("commission installation signatures", "commissioning.md", "dvhkit commission"),
    ("phantom load planning system grade", "phantoms.md", "dvhkit phantom grade"),
    ("LPS RAS axes mirrored", "pitfalls.md", "LPS and RAS"),
    ("half voxel shift index centre", "pitfalls.md", "half voxels"),
    ("holes filled other programs", "interop.md", "holes are filled"),
    ("requirement risk test table", "requirements.md", "risk if it fails"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    make_site.write_sources(folder)
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.md")}


def words(text):
    return [word.rstrip("s") for word in re.findall(r"[a-z0-9]+", text.lower())]


@pytest.fixture(scope="module")
def found(pages):
    """A plain word search as sites have one: rare words weigh more, titles thrice, long pages less."""
    counts = {name: Counter(words(text) + 8 * words(" ".join(text.splitlines()[:1]))) for name, text in pages.items()}
    spread = Counter(word for count in counts.values() for word in count)

    def search(question):
        def score(name):
            count = counts[name]
            return sum(
                math.log(1 + len(counts) / spread[word]) * count[word] / (count[word] + 1 + sum(count.values()) / 2000)
                for word in words(question)
                if word in count
            )

        return sorted((name for name in counts if name != "changelog.md"), key=score, reverse=True)

    return search


def test_there_are_thirty_questions():
    assert len({question for question, _, _ in QUESTIONS}) == 30


@pytest.mark.parametrize(("question", "page", "answer"), QUESTIONS)
def test_a_question_finds_its_page_among_the_first_five_and_the_answer_on_it(pages, found, question, page, answer):
    assert answer in pages[page]
    assert page in found(question)[:5]


def test_every_command_every_metric_and_every_finding_has_its_place(pages):
    from typer.main import get_command

    from dvhkit.cli.app import app
    from dvhkit.findings.table import KINDS
    from dvhkit.metrics import registry

    commands = list(get_command(app).commands)
    assert [name for name in commands if f"commands/{name}.md" not in pages] == []
    assert all(f"({name}.md" in pages["commands/overview.md"] for name in commands)
    named = [row.name for row in (*registry.specs(), *registry.indices())]
    assert [name for name in named if f"({name}.md)" not in pages["metric/index.md"]] == []
    assert [code for code in KINDS if f"`{code}`" not in pages["findings.md"]] == []


def test_every_metric_has_its_formula_and_its_edges(pages):
    from dvhkit.metrics import registry

    named = {row.name for row in (*registry.specs(), *registry.indices())}
    formulas = metrics.formulas()
    assert set(formulas) == named
    for name, (formula, edges) in formulas.items():
        assert f"    {formula}\n" in pages[f"metric/{name}.md"]
        assert edges.endswith("."), name


def test_every_requirement_is_shown_by_a_test():
    rows = requirements.requirements(ROOT)
    assert [row.code for row in rows if not row.tests] == []


@pytest.mark.requirement("R8")
def test_no_limit_is_called_verified_without_a_named_check():
    assert limits.unchecked(ROOT) == []
    assert all(len(row.compared_with) > 20 for row in limits.checks(ROOT))
    assert [row.source for row in limits.checks(ROOT) if not row.copies] == []


@pytest.mark.requirement("R8")
def test_every_limit_of_the_tables_has_the_status_that_its_copies_give_it():
    assert limits.untrue(ROOT) == []
    assert {name: len(cells) for name, cells in limits.printed(ROOT).items()} == {
        "quantec-2010": 56,  # every rule
        "tg101-2010": 149,  # all but two rules on lungs, and five cells that are left out since copies differ
        "hytec-2021": 31,
    }


@pytest.mark.parametrize(
    ("prints", "status"),
    [
        ({}, "B"),
        ({"one": [5.0]}, "S1"),
        ({"one": [5.0, 10.0]}, "S1"),
        ({"one": [5.0, 10.0], "two": [5.0]}, "S1"),  # the second has no variation
        ({"one": [5.0, 10.0], "two": [5.0, 10.0]}, "S2"),
        ({"one": [5.0, 10.0], "two": [5.0, 12.0]}, "X"),
        ({"one": [5.0, 10.0], "two": [5.0, 10.0], "three": [6.0]}, "X"),
        ({"written": [5.0, 10.0]}, "T"),
        ({"article": [5.0, 10.0], "one": [5.0]}, "P"),
        ({"article": [5.0], "one": [5.0, 10.0]}, "S1"),
    ],
)
def test_the_standing_of_a_limit_follows_from_what_copies_print(prints, status):
    kinds = {**dict.fromkeys(("one", "two", "three"), "secondary"), "written": "transcription", "article": "primary"}
    bounds = [5.0] if prints == {"one": [5.0]} else [5.0, 10.0]
    assert limits.standing(bounds, prints, kinds) == status


def test_every_script_about_other_programs_says_what_it_shows_and_stands_in_the_table(pages):
    rows = outside.described(ROOT / "findings")
    assert len(rows) >= 12
    for name, text in rows:
        assert len(text) > 120, name
        assert cell_of(name) in pages["other-programs.md"]


def cell_of(name):
    return f"`findings/{name}`"


def test_the_tests_that_interop_names_are_there(pages):
    named = re.findall(r"`([a-z_/0-9]+\.py)::(test_\w+)`", pages["interop.md"])
    assert len(named) >= 18
    missing = [n for n in named if f"def {n[1]}(" not in (ROOT / "tests" / n[0]).read_text("utf-8")]
    assert missing == []


@pytest.mark.slow
def test_the_site_is_built_offline_without_a_warning(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["make_site.py", "--out", str(tmp_path)])
    assert make_site.main() == 0
    assert "WARNING" not in capfd.readouterr().err
    html = "".join(path.read_text("utf-8") for path in (tmp_path / "site").rglob("*.html"))
    assert re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*(?:src|href)=\"https?:", html) == []
    clicks, dead = crawl(tmp_path / "site")
    assert dead == []
    assert_two_clicks(tmp_path / "site", {name for name, n in clicks.items() if n <= 2})


def assert_two_clicks(site, near):
    """Every command's help, every metric and every finding code is on a page within two clicks of the first."""
    from typer.main import get_command

    from dvhkit.cli.app import app
    from dvhkit.findings.table import KINDS
    from dvhkit.metrics import registry

    assert {f"commands/{name}.html" for name in get_command(app).commands} - near == set()
    assert {f"metric/{row.name}.html" for row in (*registry.specs(), *registry.indices())} - near == set()
    told = "".join((site / name).read_text("utf-8") for name in near if name.startswith("findings"))
    assert [code for code in KINDS if f"<code>{code}</code>" not in told] == []
