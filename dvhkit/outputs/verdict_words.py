"""How a verdict is said: a word and a sign, so that colour is never needed to understand it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dvhkit.findings import Level, in_doubt
from dvhkit.outputs.language import has_message, say
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


def _look(*, symbol: str, ascii_symbol: str, tone: str, urgency: int) -> VerdictLook:
    return VerdictLook(word="", symbol=symbol, ascii_symbol=ascii_symbol, tone=tone, urgency=urgency)


_LOOKS = {
    "error": _look(symbol="✗", ascii_symbol="x", tone="bad", urgency=0),
    "fail": _look(symbol="✗", ascii_symbol="x", tone="bad", urgency=1),
    "indeterminate": _look(symbol="±", ascii_symbol="+-", tone="open", urgency=2),
    "not-evaluable": _look(symbol="?", ascii_symbol="?", tone="open", urgency=3),
    "variation": _look(symbol="≈", ascii_symbol="~", tone="warn", urgency=5),
    "waived": _look(symbol="○", ascii_symbol="o", tone="warn", urgency=6),
    "pass": _look(symbol="✓", ascii_symbol="+", tone="good", urgency=7),
    "not-applicable": _look(symbol="–", ascii_symbol="-", tone="mute", urgency=8),
}
_URGENCY_OF_UNKNOWN = 4
_LONGEST_GIST = 240


def look_of(verdict: str) -> VerdictLook:
    """Return how to show `verdict`, also one that this version does not know."""
    known = _LOOKS.get(verdict)
    if known is not None:
        return replace(known, word=say(f"verdict.{verdict}"))
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
        return Headline(text=say("headline.error"), tone="bad", symbol="✗")
    counts = Counter(rule.verdict.value for rule in record.rules)
    judged, n_rules = len(record.judged), len(record.rules)
    doubt, withheld = _doubt(record), sum(bool(rule.withheld) for rule in record.rules)
    if counts["fail"]:
        also = say("headline.also_withheld", n=withheld, finding=doubt) if doubt and withheld else ""
        text = say("headline.failed", n=counts["fail"])
        return Headline(text="; ".join(part for part in (text, also) if part), tone="bad", symbol="✗")
    if doubt:
        what = "headline.rules_withheld" if withheld else "headline.withheld"
        return Headline(text=say(what, n=withheld, finding=doubt), tone="bad", symbol="✗")
    if not judged:
        return Headline(text=_with_ways_out(say("headline.none_applied"), record), tone="open", symbol="?")
    settled = counts["pass"] + counts["variation"] + counts["waived"]
    if settled < judged:
        return Headline(text=say("headline.not_judged", n=judged - settled), tone="open", symbol="?")
    if record.is_mostly_unjudged:
        met = say("headline.few_met", n=n_rules, judged=judged)
        return Headline(text=_with_ways_out(met, record), tone="open", symbol="?")
    doubts = in_doubt(record.findings, {accepted.code for accepted in record.accepted})
    met_all = _all_met(counts, judged)
    if doubts:
        gist, code = clean(doubts[0].gist, longest=_LONGEST_GIST), doubts[0].code
        text = say("headline.in_doubt", met=met_all.text, finding=gist, code=code)
        return Headline(text=text, tone="warn", symbol="≈")
    return met_all


def _all_met(counts: Counter[str], judged: int) -> Headline:
    if judged > counts["pass"]:
        allowed = [
            say(f"headline.n_{verdict}", n=counts[verdict]) for verdict in ("variation", "waived") if counts[verdict]
        ]
        key = "headline.met_or_waived" if counts["waived"] else "headline.met_but"
        return Headline(text=say(key, but=", ".join(allowed)), tone="warn", symbol="≈")
    return Headline(text=say("headline.met", n=judged), tone="good", symbol="✓")


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


def _with_ways_out(text: str, record: AuditRecord) -> str:
    """Return a headline with what would let more rules be judged."""
    ways = dict.fromkeys(rule.way_out for rule in record.with_way_out)
    if not ways:
        return text
    more = say("headline.more_with", n=len(record.with_way_out), way=say("headline.or").join(ways))
    return f"{text}; {more}"


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
    return [(look_of(v).tone, _counted(v, counts[v])) for v in order]


def _counted(verdict: str, n: int) -> str:
    key = f"counted.{verdict}"
    return say(key, n=n) if has_message(key) else f"{n} {look_of(verdict).word}"


def by_urgency(rules: Iterable[RuleResult]) -> list[RuleResult]:
    """Return the rules as a reviewer wants them: what needs a decision first, then by priority, then as they came."""
    return sorted(rules, key=lambda rule: (look_of(rule.verdict.value).urgency, rule.priority))


def points_text(points: float, most: float | None) -> str:
    """Return points out of the most that there are: ``7.5 of 10``."""
    return f"{points:.4g}" if most is None else say("score.of", points=f"{points:.4g}", most=f"{most:.4g}")


def score_text(score: Score | None) -> str:
    """Return a total score in words, empty where no rule has one."""
    if score is None:
        return ""
    points = points_text(score.points, score.possible)
    if score.missing:
        return say("score.missing", points=points, n=score.missing, of=score.rules)
    return say("score.points", points=points)
