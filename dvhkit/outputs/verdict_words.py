"""How a verdict is said: a word and a sign, so that colour is never needed to understand it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvhkit.findings import Level, in_doubt
from dvhkit.outputs.text import clean
from dvhkit.results.audit import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dvhkit.results.audit import AuditRecord, RuleResult, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLook:
    """How one verdict is shown.

    Attributes
    ----------
    word, symbol, ascii_symbol
        Shown together; the last where a terminal knows ASCII only.
    tone
        One of ``bad``, ``warn``, ``open``, ``good``, ``mute``: the colour's name.
    urgency
        0 is looked at first.
    """

    word: str
    symbol: str
    ascii_symbol: str
    tone: str
    urgency: int


_LOOKS = {
    "error": VerdictLook(word="error", symbol="✗", ascii_symbol="x", tone="bad", urgency=0),
    "fail": VerdictLook(word="fail", symbol="✗", ascii_symbol="x", tone="bad", urgency=1),
    "indeterminate": VerdictLook(word="indeterminate", symbol="±", ascii_symbol="+-", tone="open", urgency=2),
    "not-evaluable": VerdictLook(word="not evaluable", symbol="?", ascii_symbol="?", tone="open", urgency=3),
    "variation": VerdictLook(word="variation", symbol="≈", ascii_symbol="~", tone="warn", urgency=5),
    "waived": VerdictLook(word="waived", symbol="○", ascii_symbol="o", tone="warn", urgency=6),
    "pass": VerdictLook(word="pass", symbol="✓", ascii_symbol="+", tone="good", urgency=7),
    "not-applicable": VerdictLook(word="not applicable", symbol="–", ascii_symbol="-", tone="mute", urgency=8),
}
_URGENCY_OF_UNKNOWN = 4
_LONGEST_GIST = 240
# What a headline says of rules with each verdict, after their number.
_COUNTED = {
    "fail": "failed",
    "not-evaluable": "not evaluable",
    "variation": "within variation",
    "pass": "passed",
    "not-applicable": "not applicable",
}


def look_of(verdict: str) -> VerdictLook:
    """Return how to show `verdict`, also one that this version does not know."""
    known = _LOOKS.get(verdict)
    if known is not None:
        return known
    word = clean(verdict, longest=24).replace("-", " ")
    return VerdictLook(word=word, symbol="•", ascii_symbol="*", tone="open", urgency=_URGENCY_OF_UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What a case comes to in one line: `tone` and `symbol` as in `VerdictLook`."""

    text: str
    tone: str
    symbol: str


def headline(record: AuditRecord) -> Headline:  # noqa: PLR0911 -- one a case
    """Return what `record` comes to; a case without one judged rule is never called good."""
    if record.error is not None:
        return Headline(text="Could not be audited", tone="bad", symbol="✗")
    counts = Counter(rule.verdict.value for rule in record.rules)
    judged = len(record.judged)
    doubt = _doubt(record)
    if counts["fail"]:
        withheld = sum(bool(rule.withheld) for rule in record.rules)
        also = f"; {withheld} withheld: {doubt}" if doubt and withheld else ""
        return Headline(text=_rules(counts["fail"], "failed") + also, tone="bad", symbol="✗")
    if doubt:
        withheld = sum(bool(rule.withheld) for rule in record.rules)
        what = _rules(withheld, "not judged") if withheld else "Not judged"
        return Headline(text=f"{what}: {doubt}", tone="bad", symbol="✗")
    if not judged:
        return Headline(text=f"No rule applied to this case{_ways_out(record)}", tone="open", symbol="?")
    settled = counts["pass"] + counts["variation"] + counts["waived"]
    if settled < judged:
        return Headline(text=f"{_rules(judged - settled, '')} could not be judged".strip(), tone="open", symbol="?")
    if record.is_mostly_unjudged:
        met = f"{judged} of {_rules(len(record.rules), 'applied')}: met"
        return Headline(text=f"{met}{_ways_out(record)}", tone="open", symbol="?")
    doubts = in_doubt(record.findings, {accepted.code for accepted in record.accepted})
    if doubts:
        told = f"{clean(doubts[0].gist, longest=_LONGEST_GIST)} ({doubts[0].code})"
        return Headline(
            text=f"{_all_met(counts, judged).text}, but the dose is in doubt: {told}", tone="warn", symbol="≈"
        )
    return _all_met(counts, judged)


def _all_met(counts: Counter[str], judged: int) -> Headline:
    if judged > counts["pass"]:
        allowed = ((counts["variation"], "within allowed variation"), (counts["waived"], "waived"))
        met = "All rules met or waived" if counts["waived"] else "All rules met"
        return Headline(text=f"{met}: {', '.join(f'{n} {w}' for n, w in allowed if n)}", tone="warn", symbol="≈")
    return Headline(text="All rules met" if judged > 1 else "The one rule is met", tone="good", symbol="✓")


def _doubt(record: AuditRecord) -> str:
    """Return the finding that withholds numbers, in its first sentence and by its code; empty where none does."""
    codes = {code for rule in record.rules for code in rule.withheld} | {f.code for f in record.withholding}
    found = next((f for f in record.findings if f.code in codes and f.level is Level.SERIOUS), None)
    return "" if found is None else f"{clean(found.gist, longest=_LONGEST_GIST)} ({found.code})"


def short_reason(reason: str | None, withheld: Sequence[str]) -> str:
    """Return why a row stands as it does; what a finding withholds points to that, which is told once."""
    if not withheld:
        return reason or ""
    more = f" and {len(withheld) - 1} more" if len(withheld) > 1 else ""
    return f"withheld by {withheld[0]}{more}, told below; --accept vouches for it"


def _ways_out(record: AuditRecord) -> str:
    """Return what would let more rules be judged, for the end of a headline."""
    ways = dict.fromkeys(rule.way_out for rule in record.with_way_out)
    return f"; {len(record.with_way_out)} more with {' or '.join(ways)}" if ways else ""


def idle_groups(rules: Iterable[RuleResult]) -> list[tuple[int, str]]:
    """Return why rules do not apply, each reason once with its number of rules and the way out, the most first."""
    # The row of a group says what its rules say.
    idle = [r for r in rules if r.verdict is Verdict.NOT_APPLICABLE and (not r.group or r.rule_id != r.group)]
    counts = Counter((rule.reason or "", rule.way_out) for rule in idle)
    texts = [
        (n, f"{clean(reason, longest=_LONGEST_GIST).removesuffix('.')}{f': {way}' if way else ''}")
        for (reason, way), n in counts.items()
    ]
    return sorted(texts, key=lambda group: -group[0])


def count_phrases(rules: Iterable[RuleResult]) -> list[tuple[str, str]]:
    """Return how many rules came to each verdict that occurs, as ``(tone, "2 failed")``, most urgent first."""
    counts = Counter(rule.verdict.value for rule in rules)
    order = sorted(counts, key=lambda verdict: look_of(verdict).urgency)
    return [(look_of(v).tone, f"{counts[v]} {_COUNTED.get(v, look_of(v).word)}") for v in order]


def by_urgency(rules: Iterable[RuleResult]) -> list[RuleResult]:
    """Return the rules as a reviewer wants them: what needs a decision first, then by priority, then as they came."""
    return sorted(rules, key=lambda rule: (look_of(rule.verdict.value).urgency, rule.priority))


def _rules(count: int, verb: str) -> str:
    return f"{count} rule{'' if count == 1 else 's'} {verb}".strip()


def points_text(points: float, most: float | None) -> str:
    """Return points out of the most that there are: ``7.5 of 10``."""
    return f"{points:.4g}" if most is None else f"{points:.4g} of {most:.4g}"


def score_text(score: Score | None) -> str:
    """Return a total score in words, empty where no rule has one."""
    if score is None:
        return ""
    open_rules = f"; {score.missing} of {score.rules} scored rules have no score" if score.missing else ""
    return f"{points_text(score.points, score.possible)} points{open_rules}"
