"""Which plan a case is, by what its files state."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dvhkit.results.audit import PlanIdentity

if TYPE_CHECKING:
    from dvhkit.model.case import Case


def plan_identity(case: Case, *, identify: bool = False) -> PlanIdentity:
    """Return what joins a record with the plan in other systems; name and ID of the patient only if asked for."""
    plan, dose = case.plan, case.dose
    of_plan = plan is not None and bool(plan.planning_system)
    system = plan if of_plan else dose
    name, patient_id = _patient(case) if identify else ("", "")
    return PlanIdentity(
        plan_label=plan.label if plan else "",
        plan_uid=plan.sop_instance_uid if plan else "",
        dose_uids=tuple(s.sop_instance_uid for s in case.sources if s.role == "RTDOSE" and s.sop_instance_uid),
        structure_set_uid=case.structures.sop_instance_uid,
        approval_status=plan.approval_status if plan else "",
        approval_date=_iso(plan.approval_date) if plan else "",
        planning_system=system.planning_system if system else "",
        planning_system_version=system.planning_system_version if system else "",
        machines=tuple(dict.fromkeys(b.machine for b in plan.beams if b.machine)) if plan else (),
        fractions=case.fractions,
        dose_type=dose.dose_type.value if dose else "",
        dose_summation=dose.summation_type if dose else "",
        dose_comment=dose.comment if dose else "",
        patient_name=name,
        patient_id=patient_id,
    )


def _patient(case: Case) -> tuple[str, str]:
    from dvhkit.readers.patient import read_patient

    files = [s.path for s in case.sources if s.role in ("RTPLAN", "RTSTRUCT")]
    return read_patient(files[-1]) if files else ("", "")


def _iso(stored: str) -> str:
    match = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", stored.strip())
    return "-".join(match.groups()) if match else ""
