"""What a case is read from: the files of one triple, why they were chosen, and how the case is called."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from dvhkit.errors import DvhkitError
from dvhkit.findings import Finding, Level
from dvhkit.readers.archive.index import FileEntry
from dvhkit.readers.linking.dose_sets import Assembly, DoseSet

# As much of a DoseComment as tells doses apart in a list.
_LONGEST_COMMENT = 40


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
    dose_fault, is_fault_of_frames
        The problem, where it is that of the dose alone: without the dose the case can be read. Whether it is that dose
        and structures lie in unlike frames of reference.
    registrations
        Spatial registrations that join the frames of dose and structures.
    same_frame
        The user vouches that dose and structures share a frame of reference, whatever their UIDs say.
    dose_comment
        DoseComment, which may be all that tells the doses of one plan apart.
    plan_beside
        The one plan without a dose that lies beside a dose which names another: not the case's own, but what it is
        held against, so that the dose of another plan is not judged as this one's.
    segmentations, masks
        DICOM SEG files, and ``NAME=FILE`` of other masks, that become structures beside those of `rtstruct`.
    image_entries, beam_doses
        Headers of the image slices; doses to compare with `rtdose`, never to add.
    """

    label: str
    rtstruct: Path | None
    rtdose: tuple[Path, ...] = ()
    rtplan: Path | None = None
    image: tuple[Path, ...] = ()
    assembly: Assembly = Assembly.ONE
    registrations: tuple[Path, ...] = ()
    same_frame: bool = False
    links: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    problem: DvhkitError | None = field(default=None, compare=False)
    dose_fault: DvhkitError | None = field(default=None, compare=False)
    is_fault_of_frames: bool = False
    image_entries: tuple[FileEntry, ...] = field(default=(), repr=False)
    beam_doses: tuple[Path, ...] = field(default=(), repr=False)
    dose_comment: str = ""
    plan_beside: Path | None = None
    segmentations: tuple[Path, ...] = ()
    masks: tuple[str, ...] = ()

    @property
    def drawn_in(self) -> tuple[Path, ...]:
        """The files that the structures come from: structure set, segmentations, masks."""
        from dvhkit.readers.masks.label_maps import parse_mask_option

        own = (self.rtstruct,) if self.rtstruct is not None else ()
        return (*own, *self.segmentations, *(parse_mask_option(text)[1] for text in self.masks))

    def without_dose(self) -> CaseFiles:
        """Return the files less a dose that cannot be used, and a finding that says so; as they are where it can."""
        if self.dose_fault is None:
            return self
        return replace(
            self,
            rtdose=(),
            beam_doses=(),
            problem=None,
            dose_fault=None,
            findings=(*self.findings, unusable_dose(self.dose_fault)),
        )

    def describe(self) -> str:
        """Return the files in one line, as candidates are listed."""
        drawn_in = " + ".join(path.name for path in self.drawn_in[:3])
        parts = [f"structures {drawn_in}" if drawn_in else "no structures"]
        comment = f" ({self.dose_comment[:_LONGEST_COMMENT]!r})" if self.dose_comment else ""
        doses = "dose " + " + ".join(path.name for path in self.rtdose[:3]) + comment
        parts.append(doses if self.rtdose else "no dose")
        if self.rtplan:
            parts.append(f"plan {self.rtplan.name}")
        return f"{self.label}: " + ", ".join(parts)


def unusable_dose(fault: DvhkitError) -> Finding:
    """Return the finding that a dose was left out, and why."""
    where = Path(fault.path).name if fault.path else ""
    place = f"{fault.where} " if fault.where else ""
    message = f"The dose cannot be used and is left out: {place}{fault.message} {fault.remedy or ''}".strip()
    return Finding(level=Level.SERIOUS, code="dose-unusable", message=message, where=where)


@dataclass(slots=True)
class Draft:
    """A triple in the making."""

    dose: DoseSet | None = None
    plan: FileEntry | None = None
    plan_beside: FileEntry | None = None
    structures: FileEntry | None = None
    image: tuple[FileEntry, ...] = ()
    registrations: tuple[FileEntry, ...] = ()
    segmentations: tuple[FileEntry, ...] = ()
    same_frame: bool = False
    links: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    problem: DvhkitError | None = None
    dose_fault: DvhkitError | None = None
    is_fault_of_frames: bool = False

    @property
    def entries(self) -> list[FileEntry]:
        """The objects but for the image: dose files, plan, segmentations, structure set."""
        doses = self.dose.entries if self.dose else ()
        return [e for e in (*doses, self.plan, *self.segmentations, self.structures) if e is not None]

    def note(self, level: Level, code: str, message: str, where: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(level=level, code=code, message=message, where=where))


def frames_of(structures: FileEntry) -> tuple[str, ...]:
    """Return the frames of reference that a structure set names, its own first."""
    own = (structures.frame_of_reference_uid,) if structures.frame_of_reference_uid else ()
    return own + structures.structures().frame_uids


def label_cases(cases: list[CaseFiles], root: Path) -> tuple[CaseFiles, ...]:
    """Name cases by the folder that holds their files, relative to the root; by dose file too where that is shared."""
    folders = [_label(case, root) for case in cases]
    count = Counter(folders)
    named = []
    for case, folder in zip(cases, folders, strict=True):
        owner = next(p for p in (*case.rtdose[:1], case.rtplan, *case.drawn_in, *case.image[:1], root) if p is not None)
        named.append(replace(case, label=folder if count[folder] == 1 else f"{folder}/{owner.stem}"))
    return tuple(sorted(named, key=lambda c: (c.label, c.rtdose, c.drawn_in)))


def _label(case: CaseFiles, root: Path) -> str:
    own = (case.rtstruct, *case.segmentations)
    files = [p for p in (*own, *case.rtdose, case.rtplan, *case.image) if p is not None] or [root / "none"]
    common = Path(os.path.commonpath([path.absolute().parent for path in files]))
    base = root.absolute() if root.is_dir() else root.absolute().parent
    if common != base and base in common.parents:
        return common.relative_to(base).as_posix()
    return (base if base == common else common).resolve().name or "case"


def territories(drafts: list[Draft], root: Path) -> list[Path]:
    """Return the widest folder under `root` that belongs to each case alone, or else the one that it lies in.

    Folders decide nothing about what belongs together, but a broken file has no UID to go by.
    """
    homes = [draft.entries[-1].path.absolute().parent if draft.entries else root for draft in drafts]
    count = Counter(folder for home in homes for folder in (home, *home.parents))
    found = []
    for home in homes:
        alone = [folder for folder in (home, *home.parents) if count[folder] == 1 and folder.is_relative_to(root)]
        found.append(alone[-1] if alone else home)
    return found
