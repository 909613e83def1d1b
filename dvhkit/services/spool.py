"""Where received objects lie: whole or not at all, under names that no sender chooses.

::

    SPOOL/objects/<study>/<instance>.dcm     what was received; names are hashes of the UIDs
    SPOOL/conflicts/<study>/<instance>-<hash>.dcm   another object under a UID that is taken
    SPOOL/incoming/                          being written; emptied at every start
    SPOOL/run/                               one run of `dvhkit audit` with every study
    SPOOL/state/<study>.json                 which objects have been audited
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from dvhkit.errors import InputError

# Digits and dots, at most 64 (PS3.5 section 9). Leading zeros are wrong, and harmless.
_UID = re.compile(r"[0-9](?:[0-9.]{0,62}[0-9])?")
_KEY_LENGTH = 32


class Kept(StrEnum):
    """What became of an object."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


class RefusedError(InputError):
    """An object that is not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a spool takes: bytes of one object, and bytes of disk that must stay free."""

    object_bytes: int = 4 << 30
    free_bytes: int = 1 << 30


def key_of(uid: str) -> str:
    """Return the name under which a UID is kept. Raises `RefusedError` for what is no UID."""
    if not _UID.fullmatch(uid):
        raise RefusedError("it bears no valid UID.")
    return hashlib.sha256(uid.encode("ascii")).hexdigest()[:_KEY_LENGTH]


class Spool:
    """A folder of received objects; several threads may store at once."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.root, self.limits = root, limits or Limits()
        self._objects, self._incoming = str(root / "objects"), str(root / "incoming")
        for name in ("objects", "conflicts", "incoming", "run", "state"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for rest in (root / "incoming").iterdir():
            rest.unlink()  # never acknowledged: whoever sent it will send it again

    def store(self, head: bytes, body: bytes | bytearray, *, study_uid: str, instance_uid: str) -> Kept:
        """Keep an object: the bytes of its file, head and data set.

        Raises
        ------
        RefusedError
            For UIDs that are none, and beyond the limits.
        OSError
            If the disk does not take it; nothing is left behind then.
        """
        study, instance = key_of(study_uid), key_of(instance_uid)
        size = len(head) + len(body)
        if size > self.limits.object_bytes:
            raise RefusedError(f"it has {size} bytes, more than are taken.")
        if shutil.disk_usage(self._incoming).free - size < self.limits.free_bytes:
            raise RefusedError("the disk has too little space left.")
        folder = f"{self._objects}/{study}"
        target = f"{folder}/{instance}.dcm"
        draft = f"{self._incoming}/{uuid.uuid4().hex}"
        try:
            with open(draft, "xb", buffering=0) as file:  # noqa: PTH123 -- a path object costs as much as the file
                _write_all(file, head, body)
            try:
                # A link never replaces: of two senders of one UID the second finds the name taken.
                os.link(draft, target)
            except FileNotFoundError:
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103
                os.link(draft, target)
        except FileExistsError:
            return self._second(Path(draft), Path(target), study, instance)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft)  # noqa: PTH108
        return Kept.STORED

    def _second(self, draft: Path, target: Path, study: str, instance: str) -> Kept:
        digest = _digest(draft)
        if digest == _digest(target):
            return Kept.DUPLICATE
        folder = self.root / "conflicts" / study
        folder.mkdir(exist_ok=True)
        apart = folder / f"{instance}-{digest[:16]}.dcm"
        if not apart.exists():
            draft.replace(apart)
        return Kept.CONFLICT

    def studies(self) -> list[str]:
        """Return the keys of all studies."""
        return sorted(folder.name for folder in (self.root / "objects").iterdir() if folder.is_dir())

    def folder(self, study: str) -> Path:
        """Return where the objects of a study lie."""
        return self.root / "objects" / study

    def conflicts(self, study: str) -> int:
        """Return how many objects of a study came under a UID that another one has."""
        folder = self.root / "conflicts" / study
        return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0

    def fingerprint(self, study: str) -> str:
        """Return a hash of which objects a study has: instances never change once they are kept."""
        names = sorted(path.name for path in self.folder(study).iterdir())
        return hashlib.sha256("\n".join(names).encode()).hexdigest()

    def audited(self, study: str) -> bool:
        """Whether a study has been audited with all objects that it has now."""
        try:
            state = json.loads((self.root / "state" / f"{study}.json").read_text())
        except (OSError, ValueError):
            return False
        return isinstance(state, dict) and state.get("fingerprint") == self.fingerprint(study)

    def mark_audited(self, study: str, fingerprint: str) -> None:
        """Remember that the objects of `fingerprint` have been audited."""
        draft = self.root / "incoming" / uuid.uuid4().hex
        draft.write_text(json.dumps({"fingerprint": fingerprint}))
        draft.replace(self.root / "state" / f"{study}.json")


def _write_all(file: BinaryIO, head: bytes, body: bytes | bytearray) -> None:
    """Write both in one call to the system, and what it left over in more: it takes at most 2 GiB at once."""
    written = os.writev(file.fileno(), [head, body])
    rest = memoryview(body)[max(0, written - len(head)) :]
    if written < len(head):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    while rest:
        count = file.write(rest)
        rest = rest[count:]


def _digest(path: Path) -> str:
    """Return the hash of the data set: heads differ by who wrote them."""
    from dvhkit.services.wire import data_set_offset

    with path.open("rb") as file:
        head = file.read(4096)
        file.seek(data_set_offset(head))
        return hashlib.file_digest(file, "sha256").hexdigest()
