"""Which files belong together: dose → plan → structure set → image → frame of reference, by UID.

Folders and file names decide nothing. Each choice is written down in plain language; where more than one is open the
candidates are listed and nothing is chosen.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dvhkit.errors import DicomReadError, DvhkitError, LinkError
from dvhkit.findings import Finding, Level
from dvhkit.readers.dose_sets import Assembly, DoseSet, dose_sets
from dvhkit.readers.index import DicomIndex, FileEntry, Role

_CHOOSE_STRUCTURES = "Choose the structure set with --rtstruct."


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFiles:
    """The files of one (structure set, plan, dose) triple and of the image behind it.

    Attributes
    ----------
    label
        How reports call the case: from where it lies.
    rtdose
        The files of the dose; how they come together says `assembly`. Empty where there is no dose.
    links
        Why these files were chosen, one sentence a choice.
    problem
        Why they cannot be read as a case; None if they can. `read_files` raises it.
    image_entries, beam_doses
        Headers of the image slices; doses to compare with `rtdose`, never to add.
    """

    label: str
    rtstruct: Path | None
    rtdose: tuple[Path, ...] = ()
    rtplan: Path | None = None
    image: tuple[Path, ...] = ()
    assembly: Assembly = Assembly.ONE
    links: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    problem: DvhkitError | None = field(default=None, compare=False)
    image_entries: tuple[FileEntry, ...] = field(default=(), repr=False)
    beam_doses: tuple[Path, ...] = field(default=(), repr=False)

    def describe(self) -> str:
        """Return the files in one line, as candidates are listed."""
        parts = [f"structures {self.rtstruct.name}" if self.rtstruct else "no structures"]
        parts.append("dose " + " + ".join(path.name for path in self.rtdose[:3]) if self.rtdose else "no dose")
        if self.rtplan:
            parts.append(f"plan {self.rtplan.name}")
        return f"{self.label}: " + ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Files that the user chose by hand; they override what the UIDs say."""

    rtstruct: FileEntry | None = None
    rtdose: FileEntry | None = None
    rtplan: FileEntry | None = None
    image: tuple[FileEntry, ...] | None = None


@dataclass(slots=True)
class _Draft:
    """A triple in the making."""

    dose: DoseSet | None = None
    plan: FileEntry | None = None
    structures: FileEntry | None = None
    image: tuple[FileEntry, ...] = ()
    links: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    problem: DvhkitError | None = None

    def note(self, level: Level, code: str, message: str, where: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(level=level, code=code, message=message, where=where))


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
        self.structures = index.of_role(Role.RTSTRUCT)
        self.plans = index.of_role(Role.RTPLAN)
        self.series: dict[str, list[FileEntry]] = {}
        for entry in index.of_role(Role.IMAGE):
            if "LOCALIZER" not in entry.image().image_type:
                self.series.setdefault(entry.series_uid, []).append(entry)

    def run(self) -> tuple[CaseFiles, ...]:
        drafts = [self._from_dose(dose) for dose in self._dose_sets()]
        drafts = self._fitting_choice(drafts)
        drafts += self._without_dose(drafts)
        for draft in drafts:
            self._add_image(draft)
            self._note_missing(draft)
            self._blame_unreadable(draft)
        return _label([self._finish(draft) for draft in drafts], self.index.root)

    # -- dose → plan → structure set

    def _dose_sets(self) -> list[DoseSet]:
        if self.choice.rtdose is not None:
            return [_chosen_dose(self.choice.rtdose)]
        headers = {plan.sop_instance_uid: plan.plan() for plan in self.plans}
        return dose_sets(self.index.of_role(Role.RTDOSE), headers)

    def _from_dose(self, dose: DoseSet) -> _Draft:
        draft = _Draft(dose=dose, problem=dose.problem, findings=list(dose.findings))
        self._add_plan(draft)
        self._add_structures(draft)
        if draft.structures is not None:
            self._require_one_frame(draft)
        return draft

    def _add_plan(self, draft: _Draft) -> None:
        assert draft.dose is not None
        if self.choice.rtplan is not None:
            draft.plan = self.choice.rtplan
            draft.links.append(f"plan {draft.plan.path.name}: chosen by the user")
            return
        dose = draft.dose.entries[0]
        uids = dose.dose().plan_uids
        found = [plan for plan in self.plans if plan.sop_instance_uid in uids]
        if len(uids) > 1:
            draft.note(Level.WARNING, "several-plans", f"The dose is the sum of {len(uids)} plans; none is its own.")
        elif len(found) == 1:
            draft.plan = found[0]
            draft.links.append(f"plan {found[0].path.name}: referenced by dose {dose.path.name}")
        elif len(found) > 1:
            draft.problem = draft.problem or _same_identity("plans", found, "--rtplan")
        elif uids:
            message = "The plan that the dose refers to is not there, so its prescription and fractions are unknown."
            draft.note(Level.WARNING, "plan-absent", message, dose.path.name)

    def _add_structures(self, draft: _Draft) -> None:
        assert draft.dose is not None
        if self.choice.rtstruct is not None:
            draft.structures = self.choice.rtstruct
            draft.links.append(f"structure set {draft.structures.path.name}: chosen by the user")
            return
        dose = draft.dose.entries[0]
        by_plan = draft.plan.plan().structure_set_uids if draft.plan else ()
        by_dose = dose.dose().structure_set_uids
        for owner, uids in (("plan", by_plan), ("dose", by_dose)):
            found = [entry for entry in self.structures if entry.sop_instance_uid in uids]
            if len(found) > 1:
                draft.problem = draft.problem or _same_identity("structure sets", found, "--rtstruct")
                return
            if found:
                draft.structures = found[0]
                draft.links.append(f"structure set {found[0].path.name}: referenced by the {owner}")
                if owner == "plan" and by_dose and found[0].sop_instance_uid not in by_dose:
                    message = "Dose and plan refer to different structure sets; that of the plan is used."
                    draft.note(Level.WARNING, "structure-set-disagrees", message, dose.path.name)
                return
        self._structures_by_frame(draft, dose, referenced=bool(by_plan or by_dose))

    def _structures_by_frame(self, draft: _Draft, dose: FileEntry, *, referenced: bool) -> None:
        """Fall back on the one structure set in the dose's frame of reference, and say so."""
        frame = dose.frame_of_reference_uid
        near = [entry for entry in self.structures if not frame or frame in _frames(entry) or not _frames(entry)]
        why = "the one it refers to is not there" if referenced else "it refers to none"
        if len(near) == 1:
            draft.structures = near[0]
            draft.links.append(f"structure set {near[0].path.name}: the only one in the dose's frame of reference")
            message = (
                f"The dose is joined to the only structure set in its frame of reference, since {why}. "
                "Check that they belong together, or choose with --rtstruct."
            )
            draft.note(Level.WARNING, "linked-by-frame", message, dose.path.name)
            return
        names = ", ".join(entry.path.name for entry in near[:8]) + (", ..." if len(near) > 8 else "")
        if near:
            reason = f"{why}, and {len(near)} structure sets share its frame of reference: {names}."
        elif self.structures:
            reason = f"{why}, and no structure set shares its frame of reference."
        else:
            reason = f"{why}, and there is no structure set at all." if referenced else "there is no structure set."
        remedy = (
            _CHOOSE_STRUCTURES
            if self.structures
            else "Put the structure set into the folder, or name it with --rtstruct."
        )
        problem = LinkError(f"the dose has no structures: {reason}", path=dose.path, remedy=remedy)
        draft.problem = draft.problem or problem

    def _require_one_frame(self, draft: _Draft) -> None:
        assert draft.dose is not None
        assert draft.structures is not None
        dose, frames = draft.dose.entries[0], _frames(draft.structures)
        if not dose.frame_of_reference_uid or not frames:
            message = "Dose or structure set has no FrameOfReferenceUID; they are taken to share one."
            draft.note(Level.WARNING, "frame-of-reference-missing", message, dose.path.name)
        elif dose.frame_of_reference_uid not in frames:
            draft.problem = draft.problem or LinkError(
                f"dose and structure set {draft.structures.path.name} lie in different frames of reference, so their "
                "coordinates do not compare.",
                path=dose.path,
                where="FrameOfReferenceUID (0020,0052)",
                remedy="Choose files of one frame with --rtstruct and --rtdose.",
            )
        else:
            draft.links.append("dose and structures share one frame of reference")

    def _fitting_choice(self, drafts: list[_Draft]) -> list[_Draft]:
        """Keep the doses that fit the structure set or plan chosen by hand."""
        if self.choice.rtdose is not None:
            return drafts
        if self.choice.rtplan is not None:
            uid = self.choice.rtplan.sop_instance_uid
            drafts = _prefer(drafts, [d for d in drafts if d.dose and uid in d.dose.header.plan_uids])
        if self.choice.rtstruct is not None:
            drafts = [d for d in drafts if d.problem is None] or drafts
            drafts = _prefer(drafts, [d for d in drafts if self._natural_structures(d)])
        return drafts

    def _natural_structures(self, draft: _Draft) -> bool:
        assert self.choice.rtstruct is not None
        assert draft.dose is not None
        uid = self.choice.rtstruct.sop_instance_uid
        by_plan = draft.plan.plan().structure_set_uids if draft.plan else ()
        return uid in (*by_plan, *draft.dose.header.structure_set_uids)

    # -- structure sets that have no dose

    def _without_dose(self, drafts: list[_Draft]) -> list[_Draft]:
        used = {id(d.structures) for d in drafts if d.structures}
        dosed = [d for d in drafts if d.structures is not None and d.problem is None]
        candidates = (self.choice.rtstruct,) if self.choice.rtstruct else self.structures
        if self.choice.rtdose is not None:
            candidates = ()
        added = []
        for entry in candidates:
            if id(entry) in used:
                continue
            siblings = [d for d in dosed if d.structures and set(_frames(d.structures)) & set(_frames(entry))]
            for draft in siblings:
                message = f"Structure set {entry.path.name} of the same frame has no dose and is left out."
                draft.note(Level.INFO, "structure-set-without-dose", message, entry.path.name)
            if not siblings:
                added += self._plans_without_dose(entry)
        self._note_unused_plans(drafts)
        return added

    def _plans_without_dose(self, structures: FileEntry) -> list[_Draft]:
        found = [p for p in self.plans if structures.sop_instance_uid in p.plan().structure_set_uids]
        if self.choice.rtplan is not None:
            found = [self.choice.rtplan]
        plans: list[FileEntry | None] = [*found] or [None]
        drafts = []
        for plan in plans:
            draft = _Draft(structures=structures, plan=plan)
            if plan is not None:
                draft.links.append(f"plan {plan.path.name}: refers to structure set {structures.path.name}")
            drafts.append(draft)
        return drafts

    def _note_unused_plans(self, drafts: list[_Draft]) -> None:
        planned = {id(d.plan) for d in drafts if d.plan}
        for plan in self.plans:
            for draft in drafts:
                shared = draft.structures and draft.structures.sop_instance_uid in plan.plan().structure_set_uids
                if id(plan) not in planned and shared and draft.dose:
                    message = f"Plan {plan.path.name} refers to the same structure set, but has no dose here."
                    draft.note(Level.INFO, "plan-without-dose", message, plan.path.name)

    # -- structure set → image

    def _add_image(self, draft: _Draft) -> None:
        if self.choice.image is not None:
            draft.image = self.choice.image
            draft.links.append("image: chosen by the user")
            return
        if draft.structures is None:
            return
        header, frames = draft.structures.structures(), _frames(draft.structures)
        named = [uid for uid in header.series_uids if uid in self.series]
        how = "referenced by the structure set"
        if not named:
            named = [uid for uid, slices in self.series.items() if slices[0].frame_of_reference_uid in frames]
            how = "the only one in the structure set's frame of reference"
        if len(named) > 1:
            named = self._narrow(named, draft) or named
        if len(named) == 1:
            self._take_series(draft, named[0], how)
        elif named:
            message = f"{len(named)} image series could belong to the structure set. Choose one with --image."
            draft.note(Level.WARNING, "image-ambiguous", message, draft.structures.path.name)

    def _narrow(self, uids: list[str], draft: _Draft) -> list[str]:
        """Prefer the series in the dose's frame of reference, then CT, then the one whose slices are named."""
        assert draft.structures is not None
        frame = draft.dose.entries[0].frame_of_reference_uid if draft.dose else ""
        images = draft.structures.structures().image_uids
        tests = (
            lambda s: bool(frame) and s[0].frame_of_reference_uid == frame,
            lambda s: s[0].modality == "CT",
            lambda s: any(entry.sop_instance_uid in images for entry in s),
        )
        for test in tests:
            uids = [uid for uid in uids if test(self.series[uid])] or uids
        return uids

    def _take_series(self, draft: _Draft, uid: str, how: str) -> None:
        assert draft.structures is not None
        slices = self.series[uid]
        draft.image = tuple(slices)
        draft.links.append(f"image series of {len(slices)} {slices[0].modality} files: {how}")
        if how.startswith("the only"):
            message = "The image series that the structure set refers to is not there; one in the same frame is used."
            draft.note(Level.WARNING, "image-linked-by-frame", message)
        wanted = draft.structures.structures().image_uids
        missing = len(wanted - {entry.sop_instance_uid for entry in slices})
        if missing and how.startswith("referenced"):
            message = f"{missing} of {len(wanted)} image slices that the structure set refers to are not there."
            draft.note(Level.WARNING, "image-slices-missing", message)

    # -- the end

    def _note_missing(self, draft: _Draft) -> None:
        if draft.dose is None:
            message = "There is no dose: only volumes can be told."
            draft.note(Level.WARNING, "no-dose", message)
        if draft.plan is None:
            message = "There is no plan: prescription, fractions and beams are unknown."
            draft.note(Level.INFO, "no-plan", message)
        if not draft.image and not any(f.code == "image-ambiguous" for f in draft.findings):
            message = "There is no image: slice spacing is taken from the contours."
            draft.note(Level.INFO, "no-image", message)
        mine = {e.path for e in (*(draft.dose.entries if draft.dose else ()), draft.plan, draft.structures) if e}
        for first, other in self.index.conflicts:
            if {first, other} & mine:
                message = f"{first.name} and {other.name} claim to be the same object, but differ."
                draft.note(Level.SERIOUS, "same-uid-differs", message, other.name)

    def _blame_unreadable(self, draft: _Draft) -> None:
        """Name a broken file beside a dose without structures, or structures without dose, as the likely reason."""
        present = draft.structures or (draft.dose.entries[0] if draft.dose else None)
        if present is None or (draft.structures and draft.dose):
            return
        near = [item for item in self.index.unreadable if self._beside(item.path, present.path)]
        if near:
            first = near[0]
            draft.problem = DicomReadError(
                first.reason,
                path=first.path,
                remedy=f"{first.remedy or ''} Or take it away, to go on without it.".strip(),
            )

    def _beside(self, path: Path, other: Path) -> bool:
        folder = other.parent
        return folder in path.parents or (folder != self.index.root and folder.parent in path.parents)

    def _finish(self, draft: _Draft) -> CaseFiles:
        doses = draft.dose.entries if draft.dose else ()
        return CaseFiles(
            label="",
            rtstruct=draft.structures.path if draft.structures else None,
            rtdose=tuple(entry.path for entry in doses),
            rtplan=draft.plan.path if draft.plan else None,
            image=tuple(entry.path for entry in draft.image),
            assembly=draft.dose.assembly if draft.dose else Assembly.ONE,
            links=tuple(draft.links),
            findings=tuple(draft.findings),
            problem=draft.problem,
            image_entries=draft.image,
            beam_doses=tuple(entry.path for entry in draft.dose.parts) if draft.dose else (),
        )


def _chosen_dose(entry: FileEntry) -> DoseSet:
    kind = entry.dose().summation_type
    findings: tuple[Finding, ...] = ()
    if kind not in ("PLAN", "MULTI_PLAN", "PLAN_OVERVIEW"):
        message = f"DoseSummationType of the chosen dose is {kind or 'missing'}: it may be part of the treatment only."
        findings = (Finding(level=Level.WARNING, code="dose-may-be-partial", message=message, where=entry.path.name),)
    return DoseSet(entries=(entry,), assembly=Assembly.ONE, findings=findings)


def _frames(structures: FileEntry) -> tuple[str, ...]:
    own = (structures.frame_of_reference_uid,) if structures.frame_of_reference_uid else ()
    return own + structures.structures().frame_uids


def _same_identity(what: str, found: Sequence[FileEntry], option: str) -> LinkError:
    names = " and ".join(entry.path.name for entry in found)
    return LinkError(
        f"{len(found)} {what} bear the same SOP instance UID but differ: {names}.",
        path=found[0].path,
        remedy=f"Choose one with {option}.",
    )


def _prefer(drafts: list[_Draft], better: list[_Draft]) -> list[_Draft]:
    return better or drafts


def _label(cases: list[CaseFiles], root: Path) -> tuple[CaseFiles, ...]:
    """Name cases by the folder that holds their files, relative to the root; by dose file too where that is shared."""
    folders = [_folder(case, root) for case in cases]
    named = []
    for case, folder in zip(cases, folders, strict=True):
        label = folder
        if folders.count(folder) > 1:
            owner = case.rtdose[0] if case.rtdose else case.rtplan or case.rtstruct
            assert owner is not None
            label = f"{folder}/{owner.stem}"
        named.append(replace(case, label=label))
    return tuple(sorted(named, key=lambda c: (c.label, c.rtdose, str(c.rtstruct))))


def _folder(case: CaseFiles, root: Path) -> str:
    files = [p for p in (case.rtstruct, *case.rtdose, case.rtplan, *case.image) if p is not None]
    common = Path(os.path.commonpath([path.absolute().parent for path in files]))
    base = root.absolute() if root.is_dir() else root.absolute().parent
    if common != base and base in common.parents:
        return common.relative_to(base).as_posix()
    return (base if base == common else common).resolve().name or "case"
