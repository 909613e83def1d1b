"""Everything of a case into the dose's frame of reference, or left out and told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from dvhkit.errors import LinkError
from dvhkit.findings import Finding, Level
from dvhkit.model.dose import Dose
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import Structure, StructureSet
from dvhkit.readers.registration import RigidMap, move_image, move_structure, read_rigid_map
from dvhkit.readers.wording import counted, listed


@dataclass(slots=True)
class FrameJoiner:
    """Brings structures and image into the frame of reference of a dose, by registrations where UIDs differ."""

    dose: Dose
    registrations: tuple[Path, ...]

    def structures(self, structures: StructureSet, findings: list[Finding]) -> StructureSet:
        """Return the structures in the dose's frame; those that no registration joins to it without contours.

        Raises
        ------
        LinkError
            If nothing that was drawn can be brought there, or registrations contradict each other.
        """
        frame = self.dose.frame_of_reference_uid
        if not frame:
            return structures
        moved: list[str] = []
        lost: list[str] = []
        members = tuple(self._structure(s, moved, lost) for s in structures)
        if lost and not any(s.contours for s in members):
            raise LinkError(
                "the structures lie in another frame of reference than the dose, and no registration joins the two.",
                path=structures.path,
                remedy="Choose files of one frame with --rtstruct and --rtdose, or add the registration (REG).",
            )
        findings += _told(moved, lost)
        return replace(
            structures, structures=members, frame_of_reference_uid=frame if moved else structures.frame_of_reference_uid
        )

    def _structure(self, structure: Structure, moved: list[str], lost: list[str]) -> Structure:
        frame = self.dose.frame_of_reference_uid
        if structure.frame_of_reference_uid in ("", frame) or not structure.contours:
            return structure
        rigid = self._rigid_map(structure.frame_of_reference_uid)
        if rigid is None:
            lost.append(structure.name)
            return replace(structure, contours=())
        moved.append(structure.name)
        return move_structure(structure, rigid, frame)

    def image(self, image: ImageSeries, findings: list[Finding]) -> ImageSeries:
        """Return the image in the dose's frame where a registration joins the two, else as it is, told."""
        frame = self.dose.frame_of_reference_uid
        if not frame or image.frame_of_reference_uid in ("", frame):
            return image
        rigid = self._rigid_map(image.frame_of_reference_uid)
        if rigid is not None:
            return move_image(image, rigid, frame)
        message = "The image lies in another frame of reference than the dose: only its spacing is of use."
        findings.append(Finding(level=Level.WARNING, code="image-in-other-frame", message=message))
        return image

    def _rigid_map(self, source: str) -> RigidMap | None:
        target = self.dose.frame_of_reference_uid
        found = [(path, read_rigid_map(path, source=source, target=target)) for path in self.registrations]
        maps = [(path, rigid) for path, rigid in found if rigid is not None]
        if not maps:
            return None
        first = maps[0][1]
        for path, rigid in maps[1:]:
            if not first.agrees_with(rigid):
                raise LinkError(
                    f"this registration and {maps[0][0].name} join the same frames of reference differently.",
                    path=path,
                    remedy="Leave only the right one among the files.",
                )
        return first


def _told(moved: list[str], lost: list[str]) -> list[Finding]:
    findings = []
    if moved:
        message = (
            "Moved by a rigid registration into the dose's frame of reference, from the one they were drawn in: "
            f"{counted(len(moved), 'structure')} ({listed(moved)})."
        )
        findings.append(Finding(level=Level.WARNING, code="registration-applied", message=message))
    if lost:
        message = (
            "Without contours here, since they were drawn in another frame of reference than that of the dose: "
            f"{counted(len(lost), 'structure')} ({listed(lost)}). Copy them to the planning image, or add the "
            "registration (REG)."
        )
        findings.append(Finding(level=Level.SERIOUS, code="roi-in-other-frame", message=message, rois=tuple(lost)))
    return findings
