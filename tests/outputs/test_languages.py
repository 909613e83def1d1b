"""Pages speak through one catalogue of messages: nothing of ours is outside it, and it holds nothing idle."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_records import BROKEN, LIVER
from scenes import cube_scene
from test_accessible import RULES

import dvhkit.outputs
from dvhkit.errors import InputError
from dvhkit.outputs.language import Catalogue, catalogue, languages, say, say_markup, speaking
from dvhkit.outputs.number_format import parted
from dvhkit.outputs.records import audit_document, json_text
from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.report.compared import compared_page
from dvhkit.outputs.runs.cohort_page import cohort_html
from dvhkit.outputs.runs.index_page import index_html
from dvhkit.results.cohort import Cohort
from dvhkit.results.run_index import IndexedCase, IndexedFinding
from dvhkit.results.scene import Spot

HERE = Path(dvhkit.outputs.__file__).parent
SOURCES = {p: p.read_text(encoding="utf-8") for s in ("*.py", "*.js", "*.j2") for p in HERE.rglob(s)}
# say("key", …), say(a ? "key" : "key"), and keys whose end is a value: say("area." + x), say(f"area.{x}").
SAID = re.compile(r"""\bsay\((?=([^()]*))""")
KEY = re.compile(r"""["']([a-z_]+\.[a-zA-Z0-9_.-]*)""")
SCENE = cube_scene("HFS")
SPOT = Spot(
    rule=0, roi="Cube", quantity="Max[Gy]", kind="hottest place", dose_gy=50.0,
    point_mm=tuple((SCENE.grid.origin_mm + np.array([31.0, 23.0, 20.0])).tolist()),
)  # fmt: skip


def keys_in_code() -> set[str]:
    said = {key for text in SOURCES.values() for part in SAID.findall(text) for key in KEY.findall(part)}
    # Keys that are chosen first and said then.
    chosen = {key for text in SOURCES.values() for key in KEY.findall(text) if key in catalogue("en").messages}
    return said | chosen | {f"{area}." for text in SOURCES.values() for area in re.findall(r'f"([a-z_]+)\.\{', text)}


def test_every_key_that_is_said_has_a_message_and_every_message_is_said() -> None:
    keys, messages = keys_in_code(), catalogue("en").messages
    assert len(keys) > 200
    stems = {key for key in keys if key not in messages}
    stems |= {"second.", "report.show_end_", "report.at"}
    assert {s for s in stems if not any(key.startswith(s) for key in messages)} == set()
    assert {s for s in stems if not s.endswith((".", "_", "report.at"))} == set()
    assert {key for key in messages if key not in keys and not key.startswith(tuple(stems))} == set()


@pytest.mark.parametrize("language", languages())
def test_each_language_has_every_message_with_the_same_places(language: str) -> None:
    english, own = catalogue("en").messages, catalogue(language).messages
    assert set(own) == set(english)
    for key, message in english.items():
        forms, theirs = ([m] if isinstance(m, str) else list(m.values()) for m in (message, own[key]))
        assert isinstance(own[key], str) == isinstance(message, str), key
        for form in theirs:
            assert form.strip(), key
            assert set(re.findall(r"\{\w+\}", form)) == set(re.findall(r"\{\w+\}", forms[-1])), key


def test_messages_are_escaped_and_filled_and_a_language_that_is_not_there_is_told() -> None:
    assert say("page.cases", n=1, shown="1") == "1 case"
    assert say("page.cases", n=5000, shown=parted(5000)) == "5\u202f000 cases"
    assert say_markup("report.variation", limit="< <b>") == "variation &lt; &lt;b&gt;"
    with pytest.raises(InputError, match="tlh"), speaking("tlh"):
        pass


PSEUDO = Catalogue(
    "fr",
    {
        key: f"⟦{m}⟧" if isinstance(m, str) else {form: f"⟦{text}⟧" for form, text in m.items()}
        for key, m in catalogue("en").messages.items()
    },
)
COHORT = Cohort(n_cases=3, bands=(), pass_rates=(), distributions=(), outliers=(), excluded=(("c", "why"),))
INDEXED = IndexedCase(
    case_id="a/b", rules=RULES, protocol_id="P", findings=(IndexedFinding("code", "info", "Message."),)
)
PAGES = {
    "report": lambda: html_report([LIVER], scene=replace(SCENE, spots=(SPOT,)), language=PSEUDO),
    "reports": lambda: html_report([LIVER, BROKEN], language=PSEUDO),
    "short": lambda: html_report([LIVER, BROKEN], short=True, language=PSEUDO),
    "compared": lambda: compared_page(LIVER, LIVER, replace(SCENE, dose_b=SCENE.dose), language=PSEUDO),
    "index": lambda: index_html([INDEXED, replace(INDEXED, case_id="b/c")], language=PSEUDO),
    "cohort": lambda: cohort_html(COHORT, language=PSEUDO),
}
# The texts of a page, those of one block together, and of all attributes that are read out or shown.
TEXTS = """() => {
  const blocks = new Map(), found = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest(".hash")) continue;
    const block = node.parentElement.closest("p, li, td, th, dd, dt, h1, h2, h3, figcaption, button, label, summary, option, text, title, div, script, style");
    if (!block || /SCRIPT|STYLE/i.test(block.tagName) || block.closest("noscript")) continue;
    blocks.set(block, (blocks.get(block) || "") + node.textContent);
  }
  document.querySelectorAll("*").forEach((one) => ["title", "aria-label", "alt", "placeholder", "data-word"].forEach((name) => { if (one.hasAttribute(name)) found.push(one.getAttribute(name)); }));
  return [...found, ...blocks.values()];
}"""  # noqa: E501 -- a script
# Units and words that are the same in every language, and the letters of the verdicts side by side.
NEUTRAL = {"gy", "cc", "mm", "hu", "dvhkit", "utc", "pfviwn"}


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{2,}", text.lower())


def outside(text: str) -> str:
    """What of a text stands in no brackets; a message that was cut to length has lost its closing one."""
    while "⟦" in text:
        start = text.rindex("⟦")
        end = text.find("⟧", start)
        text = text[:start] + " " + (text[end + 1 :] if end >= 0 else "")
    return text


@pytest.mark.parametrize("kind", PAGES)
def test_every_text_of_a_page_that_is_no_data_comes_from_the_catalogue(open_page: Any, kind: str) -> None:
    opened = open_page(PAGES[kind]())
    if kind == "index":
        opened.page.locator(".line").first.click()
    texts = opened.ask(TEXTS)
    data = " ".join([json_text(audit_document([LIVER, BROKEN])), str(INDEXED), str(COHORT), SCENE.structures[0].name])
    known = NEUTRAL | set(words_of(data))
    strange = {word for text in texts for word in words_of(outside(text))} - known
    assert strange == set()
    assert opened.ask("() => document.documentElement.lang") == "fr"
    assert sum(text.startswith("⟦") for text in texts) > 8
    assert opened.complaints == []
