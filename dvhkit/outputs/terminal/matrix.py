"""Cases × rules in the terminal: the rules that failed most first, then the cases with most failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

# One letter a verdict, from the worst: a rule on several structures shows the worst of them.
_LETTERS = {
    "fail": ("F", "bold red"),
    "indeterminate": ("?", "yellow"),
    "not-evaluable": ("n", "yellow"),
    "variation": ("v", "cyan"),
    "waived": ("w", "cyan"),
    "pass": ("·", "green"),
    "not-applicable": (" ", "dim"),
}
_WORST_FIRST = list(_LETTERS)
_MOST_RULES, _MOST_CASES = 12, 15

Cell = tuple[str, str, str]  # case ID, rule ID, verdict


def matrix_view(cells: Iterable[Cell], errors: Mapping[str, str]) -> list[RenderableType]:
    """Return the matrix of a run as renderables.

    Parameters
    ----------
    cells
        Case ID, rule ID and verdict of each row of a rule.
    errors
        Cases that could not be judged, with the reason.
    """
    from rich.text import Text

    worst = _worst(cells)
    by_rule = _by_rule(worst)
    shown = [rule for rule, counts in by_rule.items() if counts.keys() - {"not-applicable"}][:_MOST_RULES]
    if not shown:
        return []
    cases = sorted(worst, key=lambda case: (_badness(worst[case]), case))
    parts: list[RenderableType] = [_rules_table(by_rule, shown), _cases_table(worst, cases[:_MOST_CASES], shown)]
    if len(cases) > _MOST_CASES or errors:
        more = max(len(cases) - _MOST_CASES, 0)
        parts.append(Text(f"  {more} more cases are in the summary; {len(errors)} could not be judged.", style="dim"))
    return parts


def _worst(cells: Iterable[Cell]) -> dict[str, dict[str, str]]:
    worst: dict[str, dict[str, str]] = {}
    for case, rule, verdict in cells:
        known = worst.setdefault(case, {}).get(rule)
        if known is None or _WORST_FIRST.index(verdict) < _WORST_FIRST.index(known):
            worst[case][rule] = verdict
    return worst


def _by_rule(worst: Mapping[str, Mapping[str, str]]) -> dict[str, Counter[str]]:
    """Return how many cases came to each verdict, by rule: the rules that failed most first."""
    counts: dict[str, Counter[str]] = {}
    for rules in worst.values():
        for rule, verdict in rules.items():
            counts.setdefault(rule, Counter())[verdict] += 1

    def rank(item: tuple[str, Counter[str]]) -> tuple[int, int, str]:
        rule, found = item
        return -found["fail"], -found["indeterminate"] - found["not-evaluable"], rule

    return dict(sorted(counts.items(), key=rank))


def _badness(rules: Mapping[str, str]) -> tuple[int, int]:
    found = Counter(rules.values())
    return -found["fail"], -found["indeterminate"] - found["not-evaluable"]


def _rules_table(by_rule: Mapping[str, Counter[str]], shown: Sequence[str]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title="Rules, those that failed most first", title_justify="left")
    for n, heading in enumerate(("", "rule", "failed", "open", "met", "met %")):
        table.add_column(heading, justify="left" if n < 2 else "right")
    for n, rule in enumerate(shown):
        found = by_rule[rule]
        met = found["pass"] + found["variation"] + found["waived"]
        undecided = found["indeterminate"] + found["not-evaluable"]
        judged = met + found["fail"]
        share = f"{100 * met / judged:.0f}" if judged else "–"
        table.add_row(_column(n), clean(rule), str(found["fail"]), str(undecided), str(met), share)
    return table


def _cases_table(worst: Mapping[str, Mapping[str, str]], cases: Sequence[str], shown: Sequence[str]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    title = "Cases: F failed, ? in doubt, n not evaluable, v variation, w waived, · met"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("case")
    for n in range(len(shown)):
        table.add_column(_column(n), justify="center")
    for case in cases:
        letters = [_LETTERS.get(worst[case].get(rule, "not-applicable"), (" ", "")) for rule in shown]
        table.add_row(clean(case), *(Text(letter, style=style) for letter, style in letters))
    return table


def _column(n: int) -> str:
    return chr(ord("a") + n)
