"""Which files belong together: dose → plan → structure set → image → frame of reference, by UID.

Folders and file names decide nothing. Each choice is written down in plain language; where more than one is open the
candidates are listed and nothing is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dvhkit.errors import DicomReadError, LinkError
from dvhkit.findings import Level
from dvhkit.readers.archive.index import DicomIndex, FileEntry
from dvhkit.readers.archive.lookup import Lookup
from dvhkit.readers.archive.roles import Role
from dvhkit.readers.linking.case_files import CaseFiles, Draft, frames_of, label_cases, territories
from dvhkit.readers.linking.dose_sets import Assembly, DoseSet, chosen_dose, dose_sets
from dvhkit.readers.linking.link_image import add_image
from dvhkit.readers.linking.oddities import note_missing, note_oddities
from dvhkit.readers.wording import candidates_text, shown

_CHOOSE_STRUCTURES = "Choose the structure set with --rtstruct."


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Files that the user chose by hand; they override what the UIDs say.

    `same_frame` vouches that dose and structures share a frame of reference although their UIDs differ. `bare`: the
    structures come from elsewhere, and no structure set is looked for.
    """

    rtstruct: FileEntry | None = None
    rtdose: FileEntry | None = None
    rtplan: FileEntry | None = None
    image: tuple[FileEntry, ...] | None = None
    same_frame: bool = False
    bare: bool = False


def link(index: DicomIndex, choice: Choice | None = None) -> tuple[CaseFiles, ...]:
    """Return every triple in `index`, ordered by label.

    A structure set without dose is a triple too, unless it shares its frame of reference with one that has a dose:
    then it is most likely another version and only noted there. A triple whose files cannot be used together carries
    its `problem`.
    """
    return _Linker(index, choice or Choice()).run()


class _Linker:
    def __init__(self, index: DicomIndex, choice: Choice) -> None:
        self.index = index
        self.choice = choice
        self.lookup = Lookup(index)

    def run(self) -> tuple[CaseFiles, ...]:
        drafts = [self._from_dose(dose) for dose in self._dose_sets()]
        drafts = self._fitting_choice(drafts)
        drafts += self._without_dose(drafts)
        homes = territories(drafts, self.index.root.absolute())
        for draft, folder in zip(drafts, homes, strict=True):
            add_image(draft, self.lookup, self.choice.image, root=self.index.root)
            note_missing(draft)
            note_oddities(draft, folder, self.lookup, self.index.root)
            self._blame_unreadable(draft, folder)
        return label_cases([self._finish(draft) for draft in drafts], self.index.root)

    def _shown(self, entry: FileEntry) -> str:
        return shown(entry.path, self.index.root)

    def _same_identity(self, what: str, found: Sequence[FileEntry], option: str) -> LinkError:
        names = " and ".join(map(self._shown, found))
        return LinkError(
            f"{len(found)} {what} bear the same SOP instance UID but differ: {names}.",
            path=found[0].path,
            remedy=f"Choose one with {option}.",
        )

    # -- dose → plan → structure set

    def _dose_sets(self) -> list[DoseSet]:
        if self.choice.rtdose is not None:
            return [chosen_dose(self.choice.rtdose)]
        headers = {uid: plans[0].plan() for uid, plans in self.lookup.plans.items()}
        return dose_sets(self.index.of_role(Role.RTDOSE), headers)

    def _from_dose(self, dose: DoseSet) -> Draft:
        draft = Draft(dose=dose, dose_fault=dose.problem, findings=list(dose.findings))
        self._add_plan(draft)
        if not self.choice.bare:
            self._add_structures(draft)
        if draft.structures is not None:
            self._require_one_frame(draft)
        else:  # the image may need one
            frame = dose.entries[0].frame_of_reference_uid
            draft.registrations = tuple(self.lookup.registrations_of.get(frame, ()))
        return draft

    def _add_plan(self, draft: Draft) -> None:
        assert draft.dose is not None
        if self.choice.rtplan is not None:
            draft.plan = self.choice.rtplan
            draft.links.append(f"plan {draft.plan.path.name}: chosen by the user")
            meant = draft.dose.header.plan_uids
            if meant and draft.plan.sop_instance_uid not in meant:
                message = "The dose refers to another plan than the one that the user chose: its prescription is used."
                draft.note(Level.WARNING, "plan-vouched", message, draft.plan.path.name)
            return
        dose = draft.dose.entries[0]
        uids = dose.dose().plan_uids
        found = [plan for uid in uids for plan in self.lookup.plans.get(uid, [])]
        if len(uids) > 1:
            draft.note(Level.WARNING, "several-plans", f"The dose is the sum of {len(uids)} plans; none is its own.")
        elif len(found) == 1:
            draft.plan = found[0]
            draft.links.append(f"plan {found[0].path.name}: referenced by dose {dose.path.name}")
        elif len(found) > 1:
            draft.problem = draft.problem or self._same_identity("plans", found, "--rtplan")
        elif uids:
            message = "The plan that the dose refers to is not there, so its prescription and fractions are unknown."
            candidates = self._candidates(dose)
            message += candidates_text([self._shown(plan) for plan in candidates])
            dosed = {uid for entry in self.index.of_role(Role.RTDOSE) for uid in entry.dose().plan_uids}
            free = [plan for plan in candidates if plan.sop_instance_uid not in dosed]
            draft.plan_beside = free[0] if len(free) == 1 else None
            draft.note(Level.WARNING, "plan-absent", message, dose.path.name)

    def _candidates(self, dose: FileEntry) -> list[FileEntry]:
        """Return which plans may be the one that a dose means: what an archive's "modify" leaves has another UID."""
        return [
            plan
            for plan in self.index.of_role(Role.RTPLAN)
            if plan.study_uid == dose.study_uid
            and plan.patient_key == dose.patient_key
            and plan.frame_of_reference_uid in ("", dose.frame_of_reference_uid)
        ]

    def _add_structures(self, draft: Draft) -> None:
        assert draft.dose is not None
        if self.choice.rtstruct is not None:
            draft.structures = self.choice.rtstruct
            draft.links.append(f"structure set {draft.structures.path.name}: chosen by the user")
            return
        dose = draft.dose.entries[0]
        by_plan, owner_of_plan = self._structure_sets_of_plans(draft)
        by_dose = dose.dose().structure_set_uids
        for owner, uids in ((owner_of_plan, by_plan), ("dose", by_dose)):
            found = [entry for uid in uids for entry in self.lookup.structures.get(uid, [])]
            if len(found) > 1:
                draft.problem = draft.problem or self._same_identity("structure sets", found, "--rtstruct")
                return
            if found:
                draft.structures = found[0]
                draft.links.append(f"structure set {found[0].path.name}: referenced by the {owner}")
                if owner != "dose" and by_dose and found[0].sop_instance_uid not in by_dose:
                    message = "Dose and plan refer to different structure sets; that of the plan is used."
                    draft.note(Level.WARNING, "structure-set-disagrees", message, dose.path.name)
                return
        if by_plan or by_dose:
            why = "the one it refers to is not there"
        elif dose.dose().plan_uids and draft.plan is None:
            why = "the plan that would name it is not there"
        else:
            why = "it refers to none"
        self._structures_by_frame(draft, dose, why)

    def _structure_sets_of_plans(self, draft: Draft) -> tuple[tuple[str, ...], str]:
        """Return the structure sets that the plan of a dose refers to, and who refers to them in words.

        For a sum they are those of its plans, if all are here and agree.
        """
        assert draft.dose is not None
        if draft.plan is not None:
            return draft.plan.plan().structure_set_uids, "plan"
        uids = draft.dose.header.plan_uids
        if len(uids) > 1 and all(uid in self.lookup.plans for uid in uids):
            named = {plan.plan().structure_set_uids for uid in uids for plan in self.lookup.plans[uid]}
            if len(named) == 1:
                return next(iter(named)), "plans of the sum"
        return (), "plan"

    def _structures_by_frame(self, draft: Draft, dose: FileEntry, why: str) -> None:
        """Fall back on the one structure set in the dose's frame of reference, and say so."""
        frame = dose.frame_of_reference_uid
        keys = (frame, "") if frame else tuple(self.lookup.structures_in)
        near = list({e.path: e for key in keys for e in self.lookup.structures_in.get(key, [])}.values())
        if len(near) > 1:
            near = [entry for entry in near if entry.patient_key == dose.patient_key] or near
        if len(near) == 1:
            draft.structures = near[0]
            draft.links.append(f"structure set {near[0].path.name}: the only one in the dose's frame of reference")
            message = (
                f"The dose is joined to the only structure set in its frame of reference, since {why}. "
                "Check that they belong together, or choose with --rtstruct."
            )
            draft.note(Level.WARNING, "linked-by-frame", message, dose.path.name)
            return
        segmentations = [] if near else self.lookup.segmentations_in.get(frame, [])
        if segmentations:
            self._take_segmentations(draft, segmentations)
            return
        names = ", ".join(self._shown(entry) for entry in near[:8]) + (", ..." if len(near) > 8 else "")
        if near:
            reason = f"{why}, and {len(near)} structure sets share its frame of reference: {names}."
        elif self.lookup.structures:
            reason = f"{why}, and no structure set shares its frame of reference."
        else:
            reason = "there is no structure set."
        remedy = (
            _CHOOSE_STRUCTURES
            if self.lookup.structures
            else "Put the structure set into the folder, or name it with --rtstruct."
        )
        problem = LinkError(f"the dose has no structures: {reason}", path=dose.path, remedy=remedy)
        draft.problem = draft.problem or problem

    def _take_segmentations(self, draft: Draft, found: Sequence[FileEntry]) -> None:
        """Let segmentations stand for the structure set that is not there."""
        draft.segmentations = tuple(found)
        for entry in found:
            draft.links.append(f"segmentation {entry.path.name}: there is no structure set in its frame of reference")
        message = "There is no structure set: the segments of the DICOM SEG are the structures."
        draft.note(Level.INFO, "structures-from-segmentation", message, found[0].path.name)

    def _require_one_frame(self, draft: Draft) -> None:
        assert draft.dose is not None
        assert draft.structures is not None
        dose, frames = draft.dose.entries[0], frames_of(draft.structures)
        frame = dose.frame_of_reference_uid
        if not frame or not frames:
            message = "Dose or structure set has no FrameOfReferenceUID; they are taken to share one."
            draft.note(Level.WARNING, "frame-of-reference-missing", message, dose.path.name)
            return
        # The image may need one even where the structures do not.
        draft.registrations = tuple(self.lookup.registrations_of.get(frame, ()))
        joining = [r for r in draft.registrations if _joins(r, frame, frames)]
        if frame in frames:
            draft.links.append("dose and structures share one frame of reference")
        elif self.choice.same_frame:
            draft.same_frame = True
            message = "Dose and structures lie in different frames of reference; the user vouches that they are one."
            draft.note(Level.SERIOUS, "frame-of-reference-vouched", message, dose.path.name)
        elif joining:
            names = ", ".join(self._shown(r) for r in joining)
            draft.links.append(f"registration {names}: joins the frames of structures and dose")
        else:
            draft.is_fault_of_frames = draft.dose_fault is None
            draft.dose_fault = draft.dose_fault or LinkError(
                f"dose and structure set {self._shown(draft.structures)} lie in different frames of reference, so "
                "their coordinates do not compare, and no registration joins the two.",
                path=dose.path,
                where="FrameOfReferenceUID (0020,0052)",
                remedy="Choose files of one frame with --rtstruct and --rtdose, add the registration (REG), or vouch "
                "for them with --same-frame.",
            )

    def _fitting_choice(self, drafts: list[Draft]) -> list[Draft]:
        """Keep the doses that fit the structure set or plan chosen by hand."""
        if self.choice.rtdose is not None:
            return drafts
        if self.choice.rtplan is not None:
            uid = self.choice.rtplan.sop_instance_uid
            drafts = _prefer(drafts, [d for d in drafts if d.dose and uid in d.dose.header.plan_uids])
        if self.choice.rtstruct is not None:
            drafts = [d for d in drafts if (d.problem or d.dose_fault) is None] or drafts
            drafts = _prefer(drafts, [d for d in drafts if self._natural_structures(d)])
        return drafts

    def _natural_structures(self, draft: Draft) -> bool:
        assert self.choice.rtstruct is not None
        assert draft.dose is not None
        uid = self.choice.rtstruct.sop_instance_uid
        by_plan = draft.plan.plan().structure_set_uids if draft.plan else ()
        return uid in (*by_plan, *draft.dose.header.structure_set_uids)

    # -- structure sets that have no dose

    def _without_dose(self, drafts: list[Draft]) -> list[Draft]:
        if self.choice.bare:
            return [] if drafts else [Draft()]
        if self.choice.rtdose is not None:
            return []
        used = {id(d.structures) for d in drafts if d.structures}
        dosed: dict[tuple[str, str], list[Draft]] = {}
        for draft in drafts:
            if draft.structures is not None and (draft.problem or draft.dose_fault) is None:
                for key in _patient_frames(draft.structures):
                    dosed.setdefault(key, []).append(draft)
        added = []
        for entry in (self.choice.rtstruct,) if self.choice.rtstruct else self.index.of_role(Role.RTSTRUCT):
            if id(entry) in used:
                continue
            siblings = {id(d): d for key in _patient_frames(entry) for d in dosed.get(key, [])}
            for draft in siblings.values():
                message = f"Structure set {self._shown(entry)} of the same frame has no dose and is left out."
                draft.note(Level.INFO, "structure-set-without-dose", message, entry.path.name)
            if not siblings:
                added += self._plans_without_dose(entry)
        self._note_unused_plans(drafts)
        return added + self._segmentations_alone(drafts)

    def _segmentations_alone(self, drafts: list[Draft]) -> list[Draft]:
        """Return a case for the segmentations of each frame of a patient without a structure set, where no dose is."""
        sets = self.index.of_role(Role.RTSTRUCT)
        drawn = {entry.patient_key for entry in sets} | {frame for entry in sets for frame in frames_of(entry)}
        taken = {entry.path for draft in drafts for entry in draft.segmentations}
        added = []
        for entries in self.lookup.segmentations_in.values():
            found = [e for e in entries if drawn.isdisjoint((e.patient_key, e.frame_of_reference_uid))]
            found = [e for e in found if e.path not in taken]
            if found and self.choice.rtstruct is None:
                added.append(draft := Draft())
                self._take_segmentations(draft, found)
        return added

    def _plans_without_dose(self, structures: FileEntry) -> list[Draft]:
        found = self.lookup.plans_on.get(structures.sop_instance_uid, [])
        if self.choice.rtplan is not None:
            found = [self.choice.rtplan]
        plans: list[FileEntry | None] = [*found] or [None]
        drafts = []
        for plan in plans:
            draft = Draft(structures=structures, plan=plan)
            if plan is not None:
                draft.links.append(f"plan {plan.path.name}: refers to structure set {structures.path.name}")
            drafts.append(draft)
        return drafts

    def _note_unused_plans(self, drafts: list[Draft]) -> None:
        planned = {d.plan.path for d in drafts if d.plan}
        dosed = {uid for dose in self.index.of_role(Role.RTDOSE) for uid in dose.dose().plan_uids}
        for draft in drafts:
            if draft.structures is None or draft.dose is None:
                continue
            for plan in self.lookup.plans_on.get(draft.structures.sop_instance_uid, []):
                if plan.path not in planned and plan.sop_instance_uid not in dosed:
                    message = f"Plan {self._shown(plan)} refers to the same structure set, but has no dose here."
                    draft.note(Level.INFO, "plan-without-dose", message, plan.path.name)

    # -- the end

    def _blame_unreadable(self, draft: Draft, folder: Path) -> None:
        """Name a broken file beside a case that lacks its dose, its structures or its plan as the likely reason."""
        plan_lost = draft.dose is not None and draft.plan is None and len(draft.dose.header.plan_uids) == 1
        near = self.lookup.unreadable_under.get(folder)
        bare = self.choice.bare or bool(draft.segmentations)
        lacking = draft.dose is None or (draft.structures is None and not bare)
        if near and (lacking or plan_lost):
            draft.problem = DicomReadError(
                near[0].reason,
                path=near[0].path,
                remedy=f"{near[0].remedy or ''} Or take it away, to go on without it.".strip(),
            )

    def _finish(self, draft: Draft) -> CaseFiles:
        doses = draft.dose.entries if draft.dose else ()
        # Where the files do not go together for other reasons, too, leaving the dose out would not help.
        whole = draft.structures is not None or bool(draft.segmentations) or self.choice.bare
        dose_fault = draft.dose_fault if draft.problem is None and whole else None
        return CaseFiles(
            label="",
            rtstruct=draft.structures.path if draft.structures else None,
            segmentations=tuple(entry.path for entry in draft.segmentations),
            rtdose=tuple(entry.path for entry in doses),
            dose_comment=draft.dose.header.comment if draft.dose else "",
            rtplan=draft.plan.path if draft.plan else None,
            plan_beside=draft.plan_beside.path if draft.plan_beside else None,
            image=tuple(entry.path for entry in draft.image),
            assembly=draft.dose.assembly if draft.dose else Assembly.ONE,
            links=tuple(draft.links),
            findings=tuple(draft.findings),
            problem=draft.dose_fault or draft.problem,
            dose_fault=dose_fault,
            is_fault_of_frames=draft.is_fault_of_frames,
            registrations=tuple(entry.path for entry in draft.registrations),
            same_frame=draft.same_frame,
            image_entries=draft.image,
            beam_doses=tuple(entry.path for entry in draft.dose.parts) if draft.dose else (),
        )


def _joins(registration: FileEntry, frame: str, frames: Sequence[str]) -> bool:
    joined = registration.registration().frame_uids
    return frame in joined and any(other in joined for other in frames if other != frame)


def _patient_frames(structures: FileEntry) -> list[tuple[str, str]]:
    return [(structures.patient_key, frame) for frame in dict.fromkeys(frames_of(structures))]


def _prefer(drafts: list[Draft], better: list[Draft]) -> list[Draft]:
    return better or drafts
