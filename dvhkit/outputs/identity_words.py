"""Which plan a record is about, and what was vouched for, in words: UIDs by their ends, which tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvhkit.outputs.language import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.results.audit import Acceptance, PlanIdentity

_UID_END = 12


def plan_words(identity: PlanIdentity | None) -> str:
    """Return label, approval, planning system, machine and short UIDs of a plan in one line."""
    return "; ".join(text for _, text in plan_facts(identity))


def plan_facts(identity: PlanIdentity | None) -> list[tuple[str, str]]:
    """Return what is known of a plan as pairs of a word and a text; nothing that is not stated."""
    if identity is None:
        return []
    approval = " ".join(part for part in (identity.approval_status, identity.approval_date) if part)
    system = " ".join(part for part in (identity.planning_system, identity.planning_system_version) if part)
    fractions = say("fact.n_fractions", n=identity.fractions) if identity.fractions else ""
    dose = " ".join(part for part in (identity.dose_type, identity.dose_summation) if part)
    patient = ", ".join(part for part in (identity.patient_name, identity.patient_id) if part)
    rows = (
        (say("fact.patient"), patient),
        (say("fact.plan"), _with_uid(f"plan {identity.plan_label}".strip(), identity.plan_uid)),
        (say("fact.approval"), approval),
        (say("fact.system"), system),
        (say("fact.machine"), ", ".join(identity.machines)),
        (say("fact.fractions"), fractions),
        (say("fact.dose"), _with_uid(f"dose {dose}".strip(), *identity.dose_uids[:1])),
        (say("fact.dose_comment"), identity.dose_comment),
    )
    return [(word, text) for word, text in rows if text]


def accepted_words(accepted: Iterable[Acceptance]) -> str:
    """Return which findings were vouched for, by whom and why; empty where none was."""
    said = [f"{a.code} ({a.by}{f': {a.reason}' if a.reason else ''})" for a in accepted]
    return f"Accepted: {', '.join(said)}" if said else ""


def short_uid(uid: str) -> str:
    """Return the end of a UID: its beginning names the maker and is the same for all."""
    return uid if len(uid) <= _UID_END else f"…{uid[-_UID_END:]}"


def _with_uid(text: str, uid: str = "", *_: str) -> str:
    if not uid:
        return "" if text in ("plan", "dose") else text
    return f"{text} ({short_uid(uid)})"
