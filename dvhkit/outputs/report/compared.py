"""Pages of the viewer beside the case report: two plans of one patient rule by rule, and the viewer alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from markupsafe import Markup

from dvhkit.outputs.language import Catalogue, say, speaking
from dvhkit.outputs.number_format import limit_text, signed, with_unit
from dvhkit.outputs.report.article import ink_class, ink_rules, inks_of
from dvhkit.outputs.report.case_report import viewer_script
from dvhkit.outputs.report.numbers import NumberView, rule_value
from dvhkit.outputs.report.page import page_environment, page_policy, page_source, page_words
from dvhkit.outputs.report.plot import DrawnCurve, DvhPlot, plot_curves
from dvhkit.outputs.report.seal import inputs_of, record_sha256, seal_lines, sealed
from dvhkit.outputs.report.viewer.bundle import make_bundle
from dvhkit.outputs.report.views import CaseView, case_view
from dvhkit.outputs.text import clean, clean_name
from dvhkit.outputs.verdict_words import VerdictLook, look_of
from dvhkit.results.audit import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.results.audit import AuditRecord, RuleResult
    from dvhkit.results.scene import Scene

_LONGEST_NAME = 64
_LONGEST_TEXT = 300
# How a curve's name ends here, " (A)", and what tells B's curve from A's.
_LETTER_PART = 4
_B_DASH = "7 3"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRule:
    """One rule with both plans: what each came to, what B has more than A, and which lies better."""

    title: str
    what: str
    goal: str
    look_a: VerdictLook | None
    look_b: VerdictLook | None
    value_a: NumberView | None
    value_b: NumberView | None
    change: str
    better: str
    reasons: list[str]
    flips: bool
    urgency: int


def viewer_page(scene: Scene, *, title: str, language: str | Catalogue | None = None) -> str:
    """Return a page with nothing but the slice viewer, for notebooks."""
    with speaking(language):
        return _page(scene, title=title, bare=True, remarks=True)


def compared_page(
    record_a: AuditRecord, record_b: AuditRecord, scene: Scene, *, language: str | Catalogue | None = None
) -> str:
    """Return the report of two plans of one patient: rule by rule, with both doses in the viewer and both DVHs.

    Parameters
    ----------
    scene
        The patient with A's contours, `dose` that of A and `dose_b` that of B.
    language
        In which the page is written, None for the one of the environment variable DVHKIT_LANGUAGE, else English; what
        the records say themselves stays as it is.
    """
    with speaking(language):
        return _compared_page(record_a, record_b, scene)


def _compared_page(record_a: AuditRecord, record_b: AuditRecord, scene: Scene) -> str:
    sides = [
        {"letter": letter, "view": case_view(record, anchor=letter)}
        for letter, record in (("A", record_a), ("B", record_b))
    ]
    digest = record_sha256([record_a, record_b])
    names = [side["view"].name for side in sides if isinstance(side["view"], CaseView)]
    return _page(
        scene,
        title=say("compared.title", a=names[0], b=names[1]),
        remarks=True,
        sides=sides,
        rows=compared_rules(record_a, record_b),
        plot=_both_curves(record_a, record_b),
        seal=Markup(seal_lines(inputs_of([record_a, record_b]), digest)),
        digest=digest,
    )


def _page(scene: Scene, *, title: str, remarks: bool, plot: DvhPlot | None = None, **given: object) -> str:
    bundle = make_bundle(scene)
    styles = page_source("report.css") + page_source("viewer.css") + ink_rules(inks_of([plot]))
    script = page_source("say.js") + page_source("report.js") + viewer_script()
    page = page_environment().get_template("viewer.html.j2")
    defaults = {"sides": [], "rows": [], "bare": False, "seal": "", "digest": ""}
    html = page.render(
        **{**defaults, **given},
        **page_words("dvh", "viewer", "window"),
        title=clean(title, longest=_LONGEST_TEXT),
        styles=Markup(styles),
        script=Markup(script),
        policy=page_policy(styles, script),
        ink_class=ink_class,
        plot=plot,
        remarks=bundle.remarks if remarks else (),
        # JSON without any '<', and letters that mean nothing to HTML.
        bundle={"facts": Markup(bundle.facts), "arrays": Markup(bundle.arrays)},
    )
    return sealed(html) if given.get("seal") else html


def compared_rules(record_a: AuditRecord, record_b: AuditRecord) -> list[ComparedRule]:
    """Return the rules of two records side by side, those whose verdicts differ first."""
    by_key = [{(r.rule_id, r.roi, r.quantity): r for r in record.rules} for record in (record_a, record_b)]
    keys = list(dict.fromkeys(key for rules in by_key for key in rules))
    rows = [_compared(by_key[0].get(key), by_key[1].get(key)) for key in keys]
    return sorted((row for row in rows if row is not None), key=lambda row: (not row.flips, row.urgency))


def _compared(a: RuleResult | None, b: RuleResult | None) -> ComparedRule | None:
    either = a or b
    if either is None or all(r is None or r.verdict is Verdict.NOT_APPLICABLE for r in (a, b)):
        return None
    looks = [look_of(r.verdict.value) if r is not None else None for r in (a, b)]
    change, better = _change(a, b)
    goals = dict.fromkeys(limit_text(r.goal) for r in (a, b) if r is not None and r.goal)
    return ComparedRule(
        title=clean(either.title or either.rule_id, longest=_LONGEST_TEXT),
        what=clean_name(f"{either.roi} {either.quantity}".strip(), _LONGEST_NAME),
        goal=clean(" / ".join(goals), longest=_LONGEST_NAME),
        look_a=looks[0],
        look_b=looks[1],
        value_a=rule_value(a) if a is not None else None,
        value_b=rule_value(b) if b is not None else None,
        change=change,
        better=better,
        reasons=_reasons(a, b),
        flips=a is None or b is None or a.verdict is not b.verdict,
        urgency=min(look.urgency for look in looks if look is not None),
    )


def _change(a: RuleResult | None, b: RuleResult | None) -> tuple[str, str]:
    """Return what B has more than A, and which lies better; empty where one has no value."""
    if a is None or b is None or a.value is None or b.value is None or a.unit != b.unit:
        return "", ""
    change = with_unit(signed(b.value - a.value, a.unit, value=a.value).replace("-", "−"), a.unit)
    if a.withheld or b.withheld or a.margin is None or b.margin is None or a.goal != b.goal:
        return change, ""
    if a.value == b.value:
        return change, say("compared.same")
    if _overlap(a, b):
        return change, say("compared.overlap")
    if a.margin == b.margin:
        return change, ""
    return change, "A" if a.margin > b.margin else "B"


def _overlap(a: RuleResult, b: RuleResult) -> bool:
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return False
    return a.low <= b.high and b.low <= a.high


def _reasons(a: RuleResult | None, b: RuleResult | None) -> list[str]:
    """Return why a verdict is as it is, for A and B; once where both have the same reason."""
    said = [(letter, clean(r.reason, longest=_LONGEST_TEXT)) for letter, r in (("A", a), ("B", b)) if r and r.reason]
    if len(said) == 2 and said[0][1] == said[1][1]:
        return [say("compared.both", reason=said[0][1])]
    return [say("compared.one", plan=letter, reason=reason) for letter, reason in said]


def _both_curves(record_a: AuditRecord, record_b: AuditRecord) -> DvhPlot | None:
    """Return both plans' DVHs of the structures that both have; without any, of all of A and B."""
    shared = {c.roi for c in record_a.curves} & {c.roi for c in record_b.curves}
    drawn = [
        replace(curve, roi=f"{curve.roi} ({letter})")
        for letter, record in (("A", record_a), ("B", record_b))
        for curve in record.curves
        if not shared or curve.roi in shared
    ]
    plot = plot_curves(sorted(drawn, key=lambda curve: curve.roi))
    return plot and replace(plot, curves=_one_colour_a_structure(plot.curves))


def _one_colour_a_structure(curves: Sequence[DrawnCurve]) -> list[DrawnCurve]:
    """Return the curves with one colour a structure, those of A in full lines, those of B dashed."""
    first = {curve.full_name[:-_LETTER_PART]: curve.ink for curve in reversed(curves)}
    return [
        replace(c, ink=replace(first[c.full_name[:-_LETTER_PART]], dash="" if c.full_name.endswith("(A)") else _B_DASH))
        for c in curves
    ]
