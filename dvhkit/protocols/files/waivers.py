"""Waivers: a physician lets a failed rule stand, with name, date and reason, in a file beside the plan.

::

    waivers:
      - rule: W25-D1
        roi: PTV_2                  # optional: this structure only
        by: A. Physician, radiation oncologist
        date: 2025-03-14
        reason: duodenum touches the target; dose lowered to keep D0.035cc
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.protocols.checks.joint import is_joint, rejoined
from dvhkit.protocols.files.rules import Protocol
from dvhkit.protocols.naming.names import fold, nearest
from dvhkit.results.audit import RuleResult, Verdict
from dvhkit.yaml_text import Place, YamlDocument, read_yaml

_NEEDED = ("rule", "by", "date", "reason")
_ALLOWED = (*_NEEDED, "roi")
# A verdict that could not be reached cannot be waived: nobody knows what would be accepted.
_WAIVED = (Verdict.FAIL, Verdict.INDETERMINATE)
_LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One waiver; `roi` empty for every structure of the rule."""

    rule: str
    by: str
    date: str
    reason: str
    roi: str = ""

    def __str__(self) -> str:
        return f"waived by {self.by} on {self.date}: {self.reason}"


def load_waivers(path: Path | str, protocol: Protocol) -> tuple[Waiver, ...]:
    """Return the waivers of a file, checked against the protocol that they are for.

    Raises
    ------
    InputError
        With file and line: an unknown rule, one that may not be waived, a waiver without name, date or reason.
    """
    document = read_yaml(Path(path), error=InputError)
    for key in document.data:
        if key != "waivers":
            raise _bad(document, (key,), f"the key {key!r} is not known here; there is only 'waivers'")
    listed = document.data.get("waivers")
    if not isinstance(listed, list) or not listed:
        raise _bad(document, ("waivers",), "list the waivers under `waivers:`")
    return tuple(_waiver(document, ("waivers", i), item, protocol) for i, item in enumerate(listed))


def apply_waivers(rows: Iterable[RuleResult], waivers: Iterable[Waiver]) -> tuple[RuleResult, ...]:
    """Return `rows` with each failed or indeterminate one that is waived marked as such; numbers and margin stay."""
    listed = tuple(waivers)
    return rejoined(tuple(_apply(row, listed) for row in rows))


def _apply(row: RuleResult, waivers: tuple[Waiver, ...]) -> RuleResult:
    if is_joint(row):
        return row  # its rules are waived, not the group
    waiver = next((w for w in waivers if w.rule == row.rule_id and (not w.roi or fold(w.roi) == fold(row.roi))), None)
    if waiver is None or row.verdict not in _WAIVED:
        return row
    was = f"{row.verdict.value}: {row.reason}" if row.reason else row.verdict.value
    return replace(row, verdict=Verdict.WAIVED, reason=f"{waiver} (was {was})")


def _waiver(document: YamlDocument, place: Place, item: object, protocol: Protocol) -> Waiver:
    if not isinstance(item, dict):
        raise _bad(document, place, "a waiver has the keys rule, by, date and reason")
    for key in item:
        if key not in _ALLOWED:
            near = nearest(str(key), _ALLOWED)
            raise _bad(document, (*place, key), f"the key {key!r} is not known here" + _did_you_mean(near))
    for key in _NEEDED:
        if key not in item:
            raise _bad(document, place, f"the waiver lacks {key!r}: a waiver says what, who, when and why")
    for key, value in item.items():
        if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT:
            raise _bad(document, (*place, key), f"{key!r} must be a text of at most {_LONGEST_TEXT} characters")
    _check_rule(document, (*place, "rule"), item["rule"], protocol)
    _check_date(document, (*place, "date"), item["date"])
    return Waiver(**{key: value.strip() for key, value in item.items()})


def _check_rule(document: YamlDocument, place: Place, rule_id: str, protocol: Protocol) -> None:
    rule = next((r for r in protocol.rules if r.id == rule_id.strip()), None)
    if rule is None:
        near = nearest(rule_id, [r.id for r in protocol.rules])
        raise _bad(document, place, f"the protocol has no rule {rule_id!r}" + _did_you_mean(near))
    if not rule.waivable:
        raise _bad(document, place, f"the protocol does not allow the rule {rule_id} to be waived")


def _check_date(document: YamlDocument, place: Place, text: str) -> None:
    try:
        known = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()) is not None and date.fromisoformat(text.strip())
    except ValueError:
        known = False
    if not known:
        raise _bad(document, place, f"{text!r} is no date; write 2025-03-14")


def _did_you_mean(near: str | None) -> str:
    return f". Did you mean {near!r}?" if near else ""


def _bad(document: YamlDocument, place: Place, message: str) -> InputError:
    end = "" if message.endswith("?") else "."
    return InputError(f"{message}{end}", path=document.path, where=f"line {document.line_of(place)}")
