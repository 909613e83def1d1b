"""Rules that must hold together: one more row a group, whose verdict is that of the worst of its rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dvhkit.errors import Reason
from dvhkit.protocols.files.rules import Group, Protocol
from dvhkit.results.audit import RuleResult, Verdict

# What decides where several hold together, the first that occurs: one failure settles it, whatever else is open.
_DECIDES = (
    Verdict.FAIL,
    Verdict.NOT_EVALUABLE,
    Verdict.INDETERMINATE,
    Verdict.WAIVED,
    Verdict.VARIATION,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)
_IS = {
    Verdict.FAIL: "failed",
    Verdict.NOT_EVALUABLE: "could not be evaluated",
    Verdict.INDETERMINATE: "is indeterminate",
    Verdict.WAIVED: "was waived",
    Verdict.VARIATION: "is within variation only",
    Verdict.NOT_APPLICABLE: "does not apply",
}


def with_joint_rows(protocol: Protocol, rows: Sequence[RuleResult]) -> tuple[RuleResult, ...]:
    """Return `rows` with one more for each group of rules, right after the last of its rules."""
    out = list(rows)
    for group in protocol.groups:
        members = [row for row in rows if row.group == group.id]
        if members:
            last = max(i for i, row in enumerate(out) if row.group == group.id)
            out.insert(last + 1, _joint_row(group, members))
    return tuple(out)


def rejoined(rows: Sequence[RuleResult]) -> tuple[RuleResult, ...]:
    """Return `rows` with the verdict of each group renewed, after one of its rules was waived."""
    return tuple(_decided(row, _members(row.group, rows)) if is_joint(row) else row for row in rows)


def is_joint(row: RuleResult) -> bool:
    """Whether `row` is that of a group."""
    return bool(row.group) and row.rule_id == row.group


def _members(group: str, rows: Iterable[RuleResult]) -> list[RuleResult]:
    return [row for row in rows if row.group == group and not is_joint(row)]


def _joint_row(group: Group, members: Sequence[RuleResult]) -> RuleResult:
    rois = list(dict.fromkeys(row.roi for row in members if row.roi))
    plain = RuleResult(
        rule_id=group.id,
        title=group.title,
        roi=rois[0] if len(rois) == 1 else "",
        quantity="all of " + ", ".join(dict.fromkeys(row.rule_id for row in members)),
        goal="all hold",
        variation="",
        value=None,
        unit="",
        verdict=Verdict.NOT_EVALUABLE,
        source=members[0].source if len({row.source for row in members}) == 1 else "",
        priority=min(row.priority for row in members),
        group=group.id,
    )
    return _decided(plain, members)


def _decided(row: RuleResult, members: Sequence[RuleResult]) -> RuleResult:
    """Return the row of a group with what its members come to."""
    applying = [row for row in members if row.verdict is not Verdict.NOT_APPLICABLE] or list(members)
    verdict = min((row.verdict for row in applying), key=_DECIDES.index)
    deciding = [row.rule_id for row in applying if row.verdict is verdict]
    code: str | None = next((row.reason_code for row in applying if row.verdict is verdict and row.reason_code), None)
    if verdict is Verdict.NOT_APPLICABLE:
        code = Reason.NOT_APPLICABLE.value
    if verdict is Verdict.PASS:
        return replace(row, verdict=verdict, reason=None, reason_code=None)
    reason = "; ".join(f"{rule_id} {_IS[verdict]}" for rule_id in dict.fromkeys(deciding))
    left_out = len(members) - len(applying)
    also = f"; {left_out} of its {len(members)} rows do not apply" if left_out else ""
    return replace(row, verdict=verdict, reason=f"{reason}{also}.", reason_code=code)
