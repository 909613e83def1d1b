"""The report: complete, self-contained, and deaf to what names say."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from enum import StrEnum
from html.parser import HTMLParser

import pytest
from any_records import records
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_records import BROKEN, CURVES, FINDINGS, GOOD, HOSTILE_NAMES, LIVER, METRICS, RULES

from dvhkit.outputs.report.case_report import html_report
from dvhkit.results.audit import AuditRecord, MetricResult, Verdict

VOID = {"wbr", "meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a browser would see of a page: tags with attributes, texts by tag, and whether all tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw = {"script": "", "style": ""}
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        where = self._open[-1] if self._open else ""
        if where == "script" and "type" in self.tags[-1][1]:
            return  # the words of the script: data, which no browser runs
        if where in self.raw:
            self.raw[where] += data
        else:
            self.text += data + " "

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", self.text)


def hostile_record(name: str) -> AuditRecord:
    def poisoned(rule: object) -> object:
        keys = (
            "rule_id",
            "title",
            "roi",
            "quantity",
            "goal",
            "variation",
            "unit",
            "reason",
            "source",
            "status",
            "note",
        )
        return replace(rule, **dict.fromkeys(keys, name))

    return replace(
        LIVER,
        case=name,
        protocol_title=name,
        protocol_id=name,
        prescription=name,
        context={name: name, "list": [name]},
        rules=tuple(poisoned(rule) for rule in RULES),
        metrics=tuple(replace(m, roi=name, metric=name, unit=name, reason=name, note=name) for m in METRICS),
        findings=tuple(replace(f, message=name, where=name, code=name) for f in FINDINGS),
        curves=tuple(replace(c, roi=name, roi_type=name) for c in CURVES),
        provenance=replace(
            LIVER.provenance,
            dvhkit_version=name,
            created_utc=name,
            engine=name,
            protocol_sha256=name,
            libraries={name: name},
            inputs=tuple(replace(f, path=name, role=name, sha256=name) for f in LIVER.provenance.inputs),
        ),
    )


def test_one_case_shows_verdicts_values_limits_reasons_and_sources() -> None:
    words = Page(html_report([LIVER])).words
    assert "liver_sbrt ✗ 1 rule failed 1 failed 1 not evaluable 1 within variation 6 passed 1 not applicable" in words
    assert "60 Gy in 10 fractions to PTV (RTPLAN)" in words
    assert "2026-11-21 21:40 UTC" in words
    # The row of the failed rule, as it is read out: verdict, rule, structure, measure, value, goal, margin.
    assert "✗ fail Duodenum: near-maximum dose Duodenum D0.03cc[Gy] 33 .49 Gy ≤ 30 Gy −3 .49 Gy" in words
    assert "57 .41 Gy 57.02 to 57.81 ≥ 60 Gy variation ≥ 57 Gy −2 .59 Gy" in words
    assert "This version of dvhkit does not measure margins yet." in words
    assert "2 to 5 mm" in words
    assert "AAPM TG-101, Table III" in words
    assert "read in the primary source (P)" in words
    assert words.index("✗ fail") < words.index("? not evaluable") < words.index("≈ variation") < words.index("✓ pass")


def test_findings_context_metrics_and_provenance_are_there() -> None:
    words = Page(html_report([LIVER])).words
    assert words.index("serious") < words.index("warning") < words.index("info")
    assert "liver_metastasis yes prior_radiotherapy no" in words
    assert "Lens_L has 0.03214 cc with dose, less than the 2 cc asked for." in words
    assert LIVER.provenance.protocol_sha256 in words
    assert "numba 0.62.1, numpy 2.3.4, pydicom 3.0.1, shapely 2.1.2" in words
    assert "not a medical device" in words
    assert "qualified person" in words


def test_many_files_of_a_role_become_one_line_with_the_documented_hash() -> None:
    words = Page(html_report([LIVER])).words
    images = sorted(f.sha256 for f in LIVER.provenance.inputs if f.role == "CT")
    assert hashlib.sha256("\n".join(images).encode()).hexdigest() in words
    assert "64 files, liver_sbrt/ct_000.dcm to liver_sbrt/ct_063.dcm" in words
    assert "1f" * 32 in words


def test_the_plot_has_a_line_and_a_legend_entry_a_structure_and_a_triangle_a_limit() -> None:
    page = Page(html_report([LIVER]))
    assert page.count("polyline") == len(CURVES)
    assert page.count("polygon") == 2 * 5  # in the plot, and in the list of limits
    assert page.count("button") == len(CURVES) + 8  # and four for groups, four for axes
    assert "Dose (Gy)" in page.words
    assert "Volume (%)" in page.words
    for curve in CURVES:
        assert curve.roi in page.words


def test_metrics_that_fill_a_table_are_one_with_reasons_below() -> None:
    page = Page(html_report([LIVER]))
    assert "Structure Volume[cc] D98%[Gy] Mean[Gy] V100%[%] D2cc[Gy] PTV 48 .66" in page.words
    assert "Lens_L D2cc[Gy] Lens_L has 0.03214 cc with dose" in page.words


def test_what_is_said_of_many_values_alike_is_told_once() -> None:
    rows = tuple(
        MetricResult(roi=roi, metric=metric, unit="Gy", value=None, reason="there is no dose", reason_code="no-dose")
        for roi in ("A", "B", "C")
        for metric in ("Max[Gy]", "Mean[Gy]")
    )
    words = Page(html_report([replace(LIVER, metrics=rows)])).words
    assert words.count("There is no dose") == 1
    assert "A, B, C Max[Gy], Mean[Gy]" in words


def test_metrics_of_many_kinds_are_a_list() -> None:
    rows = [replace(METRICS[0], roi=f"S{i}", metric=f"D{i}%[Gy]") for i in range(1, 10)] + [METRICS[-1]]
    page = Page(html_report([replace(LIVER, metrics=tuple(rows))]))
    assert "S1 D1%[Gy] 48 .66 cc S2 D2%[Gy] 48 .66 cc" in page.words
    assert "Lens_L D2cc[Gy] – Lens_L has 0.03214 cc with dose" in page.words


def test_two_structures_of_one_name_keep_their_own_numbers() -> None:
    rows = [replace(METRICS[0], value=v, metric=m) for v in (1.25, 2.75) for m in ("Mean[Gy]", "Max[Gy]")]
    words = Page(html_report([replace(LIVER, metrics=tuple(rows))])).words
    assert words.count("1 .25") == words.count("2 .75") == 2


def test_several_cases_have_an_overview_with_a_link_to_each() -> None:
    page = Page(html_report([LIVER, BROKEN, GOOD]))
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    anchors = [attrs["id"] for tag, attrs in page.tags if tag == "article"]
    assert links == [f"#{anchor}" for anchor in anchors]
    assert len(set(anchors)) == 3
    assert "3 cases" in page.words
    assert BROKEN.error in page.words
    assert "All rules met" in page.words


def test_every_class_that_the_page_uses_has_a_style() -> None:
    page = Page(html_report([replace(LIVER, curves=CURVES * 2), BROKEN, GOOD]))
    used = {name for _, attrs in page.tags for name in (attrs.get("class") or "").split()}
    styled = set(re.findall(r"\.([A-Za-z][\w-]*)", page.raw["style"]))
    assert used - styled == set()
    assert {"target", "many", "met", "unmet"} <= used


def test_ids_are_unique_over_all_cases() -> None:
    ids = [attrs["id"] for _, attrs in Page(html_report([LIVER, LIVER, GOOD])).tags if "id" in attrs]
    assert len(ids) == len(set(ids)) > 3


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "No case was audited"),
        ([BROKEN], "Could not be audited"),
        ([replace(GOOD, rules=())], "No rule applied to this case"),
        ([replace(GOOD, rules=(RULES[-1],))], "No rule applied to this case"),
        ([replace(GOOD, rules=(RULES[0], RULES[8]))], "1 rule could not be judged"),
        ([replace(GOOD, rules=(RULES[0], RULES[2]))], "All rules met: 1 within allowed variation"),
        ([replace(GOOD, curves=(), metrics=(), context=None, provenance=None, prescription="")], "All rules met"),
    ],
)
def test_empty_and_odd_records_are_said_in_words(records: list[AuditRecord], said: str) -> None:
    assert said in Page(html_report(records)).words


def test_a_verdict_of_a_later_version_is_shown_by_its_word() -> None:
    class Later(StrEnum):
        NEW = "left-to-the-board"

    rules = tuple(replace(RULES[0], verdict=verdict) for verdict in (Verdict.INDETERMINATE, Later.NEW))
    words = Page(html_report([replace(GOOD, rules=rules)])).words
    assert "± indeterminate" in words
    assert "• left to the board" in words
    assert "2 rules could not be judged" in words


def test_the_page_asks_the_network_for_nothing_and_its_policy_forbids_it() -> None:
    text = html_report([LIVER, BROKEN])
    page = Page(text)
    assert not {"src", "srcset", "action", "formaction", "data", "style"} & {k for _, attrs in page.tags for k in attrs}
    assert all(attrs["href"].startswith("#") for _, attrs in page.tags if "href" in attrs)
    assert not {"link", "iframe", "object", "embed", "img", "base", "form"} & {tag for tag, _ in page.tags}
    assert "url(" not in page.raw["style"]
    assert "@import" not in page.raw["style"]
    assert "http" not in page.raw["script"]
    (policy,) = [a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_adds_a_tag_an_attribute_or_a_hidden_character(name: str) -> None:
    text = html_report([hostile_record(name), hostile_record(name)])
    tame = html_report([hostile_record("A"), hostile_record("A")])
    page, expected = Page(text), Page(tame)
    # The same rules judged on other names: the markers and labels of the plot may differ, nothing else.
    drawn = {"polygon", "text", "title", "wbr"}
    assert [t for t, _ in page.tags if t not in drawn] == [t for t, _ in expected.tags if t not in drawn]
    assert not any(attr.startswith("on") for _, attrs in page.tags for attr in attrs)
    assert page.raw == expected.raw
    assert page.count("script") == 2  # the words of the script, and the script
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert len(text) < 2 * len(tame) + 200_000


def test_templates_in_names_are_not_run() -> None:
    assert "{{ 7*7 }}" in Page(html_report([replace(LIVER, case="{{ 7*7 }}")])).words


def test_curves_of_doses_that_no_axis_spans_give_a_sound_page() -> None:
    huge = replace(
        LIVER.curves[0], dose_gy=(0.0, 8.98846567431158e307), volume_pct=(100.0, 0.0), low_pct=(), high_pct=()
    )
    small = replace(huge, dose_gy=(-0.5, 0.0))
    assert Page(html_report([replace(LIVER, curves=(huge, small))])).words


@settings(max_examples=150, deadline=None)
@given(st.lists(records, max_size=2))
def test_any_record_gives_a_sound_page(written: list[AuditRecord]) -> None:
    page = Page(html_report(written))
    assert page.count("article") == len(written)
    assert page.count("polyline") == sum(len(c.dose_gy) > 1 for r in written for c in r.curves)


def test_the_same_records_give_the_same_page() -> None:
    assert html_report([LIVER, BROKEN]) == html_report(iter([LIVER, BROKEN]))
