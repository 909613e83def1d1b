"""The index of a run: one page of cases by rules that sorts, filters and searches without a server.

All data are one JSON text in the page, in which texts that many cases share stand once; the script draws only the rows
that are in sight. Names are set as texts, never as HTML, and the page's policy allows no request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dvhkit.outputs.language import Catalogue, say, speaking
from dvhkit.outputs.number_format import limit_text, parted
from dvhkit.outputs.report.page import page_environment, page_policy, page_source, page_words
from dvhkit.outputs.text import clean, clean_name
from dvhkit.results.audit import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dvhkit.results.run_index import IndexedCase, IndexedRule

_LONGEST_NAME = 80
_LONGEST_TEXT = 300
# One letter a verdict in the page's data, in this order from the worst.
_LETTERS = {
    Verdict.FAIL: "F",
    Verdict.INDETERMINATE: "I",
    Verdict.NOT_EVALUABLE: "N",
    Verdict.VARIATION: "V",
    Verdict.WAIVED: "W",
    Verdict.PASS: "P",
    Verdict.NOT_APPLICABLE: "-",
}
# A verdict of a later version counts as not judged.
_UNKNOWN_LETTER = "N"
_DIGITS, _BAND_DIGITS = ".7g", ".5g"


def index_html(cases: Iterable[IndexedCase], *, language: str | Catalogue | None = None) -> str:
    """Return the index of a run as a self-contained page of HTML, in a language."""
    with speaking(language):
        return _index_html(list(cases))


def _index_html(listed: list[IndexedCase]) -> str:
    styles = page_source("report.css") + page_source("index.css")
    script = page_source("say.js") + page_source("index.js")
    data = _Data()
    # JSON without any '<', which is all that means something in a script element.
    facts = json.dumps(data.of(listed), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    page = page_environment().get_template("index.html.j2")
    return page.render(
        title=say("page.cases", n=len(listed), shown=parted(len(listed))),
        # Not escaped: our own files, and what is escaped here.
        styles=Markup(styles),
        script=Markup(script),
        policy=page_policy(styles, script),
        **page_words("index", "head", "report", "counted_one", "number"),
        facts=Markup(facts.replace("<", "\\u003c")),
    )


class _Texts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._places: dict[str, int] = {}

    def number(self, text: str, *, longest: int = _LONGEST_TEXT) -> int:
        found = self._numbers.get(text)
        if found is None:
            # Raw texts that look alike once they are clean stay one text.
            shown = clean(text, longest=longest)
            found = self._numbers[text] = self._places.setdefault(shown, len(self._places))
        return found

    def listed(self) -> list[str]:
        return list(self._places)


class _Data:
    def __init__(self) -> None:
        self.reasons, self.messages, self.protocols = _Texts(), _Texts(), _Texts()
        self.columns: dict[str, dict[str, Any]] = {}
        self.tests: dict[tuple[str, ...], int] = {}
        self.test_rows: list[list[Any]] = []
        self.patterns: dict[tuple[int, ...], int] = {}
        self.codes: dict[tuple[str, str], int] = {}

    def of(self, cases: Sequence[IndexedCase]) -> dict[str, Any]:
        """Return everything that the page's script reads."""
        rows = [self._case(case) for case in cases]
        return {
            "columns": list(self.columns.values()),
            "tests": self.test_rows,
            "patterns": [list(pattern) for pattern in self.patterns],
            "reasons": self.reasons.listed(),
            "messages": self.messages.listed(),
            "codes": [list(code) for code in self.codes],
            "protocols": self.protocols.listed(),
            "cases": rows,
        }

    def _case(self, case: IndexedCase) -> list[Any]:
        outcome, way, count = case.outcome()
        pattern = tuple(self._test(rule) for rule in case.rules)
        return [
            clean_name(case.case_id, _LONGEST_NAME),
            _site(case.case_id),
            outcome,
            say(f"case.{way}", n=count),
            self.protocols.number(case.protocol_id, longest=_LONGEST_NAME),
            clean(case.prescription, longest=_LONGEST_NAME),
            clean(case.error or "", longest=_LONGEST_TEXT),
            case.report,
            self.patterns.setdefault(pattern, len(self.patterns)),
            "".join(_LETTERS.get(rule.verdict, _UNKNOWN_LETTER) for rule in case.rules),  # type: ignore[call-overload]
            [_short(rule.value) for rule in case.rules],
            _bands(case.rules),
            [self.reasons.number(rule.reason) if rule.reason else -1 for rule in case.rules],
            [[self._code(f.code, f.level), self.messages.number(f.message)] for f in case.findings],
        ]

    def _test(self, rule: IndexedRule) -> int:
        key = (rule.rule_id, rule.title, rule.roi, rule.quantity, rule.goal, rule.variation, rule.unit)
        known = self.tests.get(key)
        if known is not None:
            return known
        column = self.columns.get(rule.rule_id)
        if column is None:
            column = self.columns[rule.rule_id] = {
                "at": len(self.columns),
                "id": clean_name(rule.rule_id, _LONGEST_NAME),
                "title": clean(rule.title or rule.rule_id, longest=_LONGEST_TEXT),
            }
        self.tests[key] = len(self.test_rows)
        names = (clean_name(rule.roi, _LONGEST_NAME), clean_name(rule.quantity, _LONGEST_NAME))
        limits = (clean(limit_text(limit), longest=_LONGEST_NAME) for limit in (rule.goal, rule.variation))
        title = clean(rule.title or rule.rule_id, longest=_LONGEST_TEXT)
        self.test_rows.append([column["at"], *names, *limits, clean(rule.unit, longest=16), title])
        return self.tests[key]

    def _code(self, code: str, level: str) -> int:
        return self.codes.setdefault((clean_name(code, _LONGEST_NAME), clean(level, longest=16)), len(self.codes))


def _site(case_id: str) -> str:
    """Return the outermost folder that a case lies in: its site, where an archive has a folder for each."""
    site, slash, _ = case_id.replace("\\", "/").partition("/")
    return clean_name(site, _LONGEST_NAME) if slash else ""


def _short(value: float | None, digits: str = _DIGITS) -> float | None:
    return None if value is None else float(format(value, digits))


def _bands(rules: Sequence[IndexedRule]) -> list[float | None] | int:
    """Return the ends of all bands, a low one and a high one for each rule; 0 where there are none."""
    if all(rule.low is None and rule.high is None for rule in rules):
        return 0
    return [_short(end, _BAND_DIGITS) for rule in rules for end in (rule.low, rule.high)]
