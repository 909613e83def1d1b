"""Copies of DICOM objects without identity: the table of PS3.15 annex E, with links, frames and structure names kept.

The table is the one of `dicom-anonymizer`. That library applies it to the outermost data set only; here each item of
each sequence is cleaned by the same rules, and texts of which the table says nothing (DoseComment, BeamName) go, too.
UIDs are replaced by hashes under a key, so that links hold over all objects and a second run with the same key gives
the same UIDs.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from dvhkit.errors import InputError
from dvhkit.outputs.files import write_bytes_whole

Dates = Literal["table", "keep", "shift"]

# What an RT object means without saying whose it is. Names of structures may hold anything: see the command's help.
_KEPT = frozenset({"ROIName", "RTROIInterpretedType", "SOPClassUID", "Modality", "PositionReferenceIndicator"})
# Texts that the table leaves as they are and that say what was made, how and with what. All others may hold a name.
_TEXTS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_TECHNICAL = frozenset({
    "CodeMeaning", "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "ConvolutionKernel", "LongCodeValue",
    "LUTExplanation", "Manufacturer", "ManufacturerModelName", "MappingResourceName", "PatientID", "PatientName",
    "RescaleType", "SegmentAlgorithmName", "SegmentLabel", "SequenceName", "SoftwareVersions",
    "WindowCenterWidthExplanation",
})  # fmt: skip
# Sequences that hold the links of a set; their items are cleaned and kept.
_LINKS = ("Referenced", "RTReferenced", "Source", "Predecessor")
_REMOVED_LINKS = frozenset({"ReferencedPatientSequence", "ReferencedPerformedProcedureStepSequence"})
_STANDARD_ROOT = "1.2.840.10008."
_SHIFT_DAYS = 3650
_DATE_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Deidentified:
    """What was written, and which files were left out."""

    written: int
    left_out: tuple[str, ...]


def deidentify(files: Iterable[Path], out: Path, *, key: bytes, dates: Dates = "table") -> Deidentified:
    """Write a copy without identity of each DICOM file.

    Parameters
    ----------
    key
        Secret from which new UIDs, IDs and the shift of dates come.
    dates
        As the table has it, kept, or shifted by one number of days for all objects of a patient.

    Raises
    ------
    InputError
        If there is no DICOM file, or the library that holds the table is not installed.
    """
    rules, made = _rules(), list[Path]()
    try:
        return _copies(files, out, made, rules=rules, key=key, dates=dates)
    except BaseException:
        # A second run without a key makes other names and UIDs: half a set beside it would be another patient.
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _copies(
    files: Iterable[Path], out: Path, made: list[Path], *, rules: Rules, key: bytes, dates: Dates
) -> Deidentified:
    """Write the copies, and note in `made` which of them are new."""
    written, left_out = 0, []
    for path in files:
        try:
            found = pydicom.dcmread(path)
        except (InvalidDicomError, OSError, ValueError, AttributeError, KeyError, NotImplementedError):
            left_out.append(path.name)
            continue
        if "SOPInstanceUID" not in found:  # a DICOMDIR names every patient
            left_out.append(path.name)
            continue
        _Cleaner(rules, key, dates, str(found.get("PatientID", ""))).clean(found)
        buffer = BytesIO()
        found.save_as(buffer, enforce_file_format=True)
        name = hashlib.sha256(str(found.SOPInstanceUID).encode()).hexdigest()[:24]
        modality = "".join(c for c in str(found.get("Modality", "")) if c.isalnum())[:16] or "DICOM"
        copy = out / f"{modality}_{name}.dcm"
        is_new = not copy.exists()
        write_bytes_whole(copy, buffer.getvalue())
        if is_new:
            made.append(copy)
        written += 1
    if not written:
        raise InputError("there is no DICOM file to de-identify.", remedy="Name a folder with DICOM files.")
    return Deidentified(written=written, left_out=tuple(left_out))


Rules = dict[int, Callable[[Dataset, tuple[int, int]], None]]


def _rules() -> Rules:
    """Return the table's action for each tag; repeating groups are removed whole by `_Cleaner`."""
    try:
        from dicomanonymizer.simpledicomanonymizer import initialize_actions
    except ImportError as error:
        raise InputError(
            "de-identification needs dicom-anonymizer.", remedy="Install it with: pip install 'dvhkit[deid]'."
        ) from error
    return {tag[0] << 16 | tag[1]: action for tag, action in initialize_actions().items() if len(tag) == 2}


class _Cleaner:
    """Cleans the objects of one patient."""

    def __init__(self, rules: Rules, key: bytes, dates: Dates, patient_id: str) -> None:
        self._rules, self._key, self._dates = rules, key, dates
        self._pseudonym = "ID-" + self._hash("patient", patient_id)[:16].upper()
        self._days = 1 + int(self._hash("days", patient_id)[:12], 16) % _SHIFT_DAYS

    def _hash(self, kind: str, text: str) -> str:
        return hmac.new(self._key, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()

    def clean(self, found: Dataset) -> None:
        """Take the identity out of an object, in place."""
        found.remove_private_tags()
        for item in list(_every(found)):
            self._item(item)
        found.PatientID, found.PatientName = self._pseudonym, self._pseudonym
        found.PatientIdentityRemoved = "YES"
        found.DeidentificationMethod = "PS3.15 table E.1-1; links and structure names kept (dvhkit)"
        if self._dates != "table":
            found.LongitudinalTemporalInformationModified = "UNMODIFIED" if self._dates == "keep" else "MODIFIED"
        uid = str(found.SOPInstanceUID)
        meta = found.file_meta
        for element in list(meta):
            if element.keyword not in ("MediaStorageSOPClassUID", "TransferSyntaxUID", "FileMetaInformationVersion"):
                del meta[element.tag]
        meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(uid)

    def _item(self, item: Dataset) -> None:
        for tag in list(item.keys()):
            group = tag.group & 0xFF00
            if group in (0x5000, 0x6000):  # curves and overlays: repeating groups of pictures and words
                del item[tag]
                continue
            element = item[tag]
            if element.VR == "UI":
                element.value = self._uids(element.value)
            elif element.keyword in _KEPT or self._is_link(element):
                continue
            elif element.VR in ("DA", "DT", "TM") and self._dates != "table" and element.keyword != "PatientBirthDate":
                if self._dates == "shift" and element.VR != "TM":
                    element.value = self._shifted(element.value)
            elif int(tag) in self._rules:
                self._rules[int(tag)](item, (tag.group, tag.element))
            elif not element.keyword:
                del item[tag]  # nobody knows what it says
            elif element.VR in _TEXTS and element.keyword not in _TECHNICAL:
                element.value = ""

    def _is_link(self, element: Any) -> bool:  # noqa: ANN401 -- pydicom's element
        return bool(element.VR == "SQ" and element.keyword.startswith(_LINKS) and element.keyword not in _REMOVED_LINKS)

    def _uids(self, value: Any) -> Any:  # noqa: ANN401 -- one text or several
        if isinstance(value, str) or value is None:
            return self._uid(str(value or ""))
        return [self._uid(str(uid)) for uid in value]

    def _uid(self, uid: str) -> str:
        # Classes and syntaxes of the standard are words, not identities.
        if not uid or uid.startswith(_STANDARD_ROOT):
            return uid
        return f"2.25.{int(self._hash('uid', uid)[:32], 16)}"

    def _shifted(self, value: Any) -> Any:  # noqa: ANN401 -- one text or several
        if value and not isinstance(value, str) and hasattr(value, "__iter__"):
            return [self._shifted(str(v)) for v in value]
        text = str(value or "")
        digits = text[:_DATE_DIGITS]
        try:
            moved = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) - timedelta(days=self._days)
        except (ValueError, OverflowError):
            return ""  # a date that is none says more than it should
        return f"{moved:%Y%m%d}{text[_DATE_DIGITS:]}"


def _every(found: Dataset) -> Iterator[Dataset]:
    """Yield each item of each sequence, the innermost first, and the data set itself last."""
    for element in found:
        if element.VR == "SQ":
            for item in element.value or []:
                yield from _every(item)
    yield found
