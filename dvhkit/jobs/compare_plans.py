"""Two plans of one patient, held against one protocol, and what a page shows of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dvhkit.jobs.batch import AuditOptions, audit_one
from dvhkit.jobs.pictures.scene import gather_scene
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.results.audit import AuditRecord
    from dvhkit.results.scene import Scene

_LONGEST_LABEL = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanComparison:
    """The records of two plans, and A's patient with both doses."""

    record_a: AuditRecord
    record_b: AuditRecord
    scene: Scene


def compare_plans(case_a: Case, case_b: Case, options: AuditOptions) -> PlanComparison:
    """Audit two plans with the same options and gather what is drawn of them.

    Where B's dose shares no frame of reference with A's structures it is not drawn over them, and the scene says so.
    """
    label_a, label_b = clean(case_a.label, longest=_LONGEST_LABEL), clean(case_b.label, longest=_LONGEST_LABEL)
    if label_a == label_b:
        label_a, label_b = f"{label_a} (A)", f"{label_b} (B)"
    records = [replace(audit_one(case, options), case=label) for case, label in ((case_a, label_a), (case_b, label_b))]
    scene = gather_scene(case_a, None, engine=options.engine)
    remarks = [*scene.remarks, f"Contours are those of A, {label_a}."]
    dose_b = case_b.dose
    own, other = case_a.structures.frame_of_reference_uid, dose_b.frame_of_reference_uid if dose_b is not None else ""
    if dose_b is None:
        remarks.append("B has no dose that could be drawn.")
    elif own and other and own != other:
        remarks.append("B's dose is in another frame of reference than A's structures and is not drawn over them.")
        dose_b = None
    if scene.dose is None and dose_b is not None:
        remarks.append("A has no dose, so that of B is not drawn either.")
        dose_b = None
    scene = replace(scene, dose_b=dose_b, label_a=f"A: {label_a}", label_b=f"B: {label_b}", remarks=tuple(remarks))
    return PlanComparison(record_a=records[0], record_b=records[1], scene=scene)
