"""What a result depends on: one digest a part, so that a difference can be told by its cause."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.engine.numerics import NUMERICS_VERSION
from dvhkit.readers.files.digest import file_sha256

if TYPE_CHECKING:
    from dvhkit.jobs.batch import AuditOptions
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure
    from dvhkit.readers.case import CaseFiles

# Parts of a key, each by the word that a difference is told with, in the order of telling.
CAUSES = ("contours", "dose", "plan", "image", "links", "protocol rule", "context", "options", "engine")
_HELD = ("protocol", "context", "engine")


@dataclass(frozen=True, slots=True)
class Key:
    """The digests that a result depends on, by cause."""

    parts: tuple[tuple[str, str], ...]

    @property
    def whole(self) -> str:
        """One digest of all."""
        return digest(json.dumps(self.parts))

    def unlike(self, other: Mapping[str, str]) -> tuple[str, ...]:
        """Return the causes in which `other` (digests by cause) differs."""
        return tuple(cause for cause, value in self.parts if other.get(cause) != value)


def digest(text: str) -> str:
    """Return a short digest of a text: 128 bits, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def key_of(files: CaseFiles, options: AuditOptions, hashes: FileHashes) -> Key:
    """Return the key of a case; raises `OSError` where one of its files is no longer there.

    RT objects count by content, the image by its geometry alone: its pixels take part in no number.
    """
    files_of = {
        "contours": list(files.drawn_in),
        "dose": [*files.rtdose, *files.beam_doses],
        "plan": [path for path in (files.rtplan, files.plan_beside) if path is not None],
        "links": list(files.registrations),
    }
    parts = {cause: "+".join(hashes.of(path) for path in paths) for cause, paths in files_of.items()}
    parts["dose"] += str(files.assembly.value)
    told = [(f.code, f.message) for f in files.findings]
    parts["links"] += digest(repr((told, files.same_frame, str(files.problem or ""))))
    parts["image"] = digest(repr(sorted(repr(e.header) for e in files.image_entries)))
    parts |= options_parts(options)
    return Key(tuple((cause, parts[cause]) for cause in CAUSES))


def options_parts(options: AuditOptions) -> dict[str, str]:
    """Return the digests of what was asked for, by cause."""
    protocol = options.protocol
    rest = [(f.name, repr(getattr(options, f.name))) for f in fields(options) if f.name not in _HELD]
    rules = [(rule.id, rule.status) for rule in protocol.rules]
    return {
        "protocol rule": digest(repr((protocol.sha256, rules, protocol.aliases))),
        "context": digest(json.dumps(dict(options.context), sort_keys=True, default=str)),
        "options": digest(repr(rest)),
        "engine": digest(f"{options.engine or 'default'}|{NUMERICS_VERSION}"),
    }


class FileHashes:
    """SHA-256 of files, each read once: a file whose size, times and place have not changed is not read again.

    Parameters
    ----------
    known
        What `kept` returned in an earlier run.
    """

    # A file changed within this time of being read may bear the same time stamp as before.
    _RACY_NS = 2_000_000_000

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known or {})
        self._seen: dict[Path, str] = {}
        self._kept: dict[str, str] = {}

    def of(self, path: Path) -> str:
        """Return the digest of a file."""
        found = self._seen.get(path)
        if found is not None:
            return found
        status = path.stat()
        stamp = f"{path}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}|{status.st_ino}"
        name = digest(stamp)
        found = self._known.get(name)
        if found is None:
            found = file_sha256(path)[:32]
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > self._RACY_NS:
            self._kept[name] = found
        self._seen[path] = found
        return found

    def kept(self) -> dict[str, str]:
        """Return what can be trusted in the next run: digests by file, size, times and place."""
        return dict(self._kept)


def contours_digest(structure: Structure) -> str:
    """Return a digest of what was drawn: points and kinds of the contours, whatever the structure is called."""
    h = hashlib.sha256()
    for contour in structure.contours:
        h.update(contour.kind.value.encode())
        h.update(np.ascontiguousarray(contour.points_mm, dtype="<f8").data)
    return h.hexdigest()[:32]


def content_digests(case: Case, drawn: Sequence[str]) -> dict[str, str]:
    """Return digests of what was read of each object, by cause, without the UIDs and dates that each export gives anew.

    Files of equal content are no cause of a difference, whatever their bytes are. `drawn` holds the `contours_digest`
    of each structure.
    """
    dose, plan = case.dose, case.plan
    h = hashlib.sha256()
    if dose is not None:
        grid = dose.grid
        h.update(repr((dose.dose_type, dose.summation_type, grid.shape_zyx)).encode())
        for array in (dose.values_gy, grid.origin_mm, grid.axes, grid.spacing_mm, grid.offsets_mm):
            h.update(np.ascontiguousarray(array, dtype="<f8").data)  # uncopied: a dose has tens of megabytes
    stated = None if plan is None else (plan.prescriptions, plan.fraction_groups, plan.beams, plan.approval_status)
    return {
        "contours": digest(
            repr([(s.number, s.name, s.rt_roi_type, own) for s, own in zip(case.structures, drawn, strict=True)])
        ),
        "dose": h.hexdigest()[:32],
        "plan": digest(repr(stated)),
    }
