"""What there is to do: every case under the named folders, and each other object with the reason why it is none."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from dvhkit.archive.storage.keys import digest
from dvhkit.errors import InputError
from dvhkit.readers.archive.index import DicomIndex, FileEntry, find_files, index_files, scan
from dvhkit.readers.archive.roles import OBJECT_OF, Role
from dvhkit.readers.linking.case_files import CaseFiles
from dvhkit.readers.linking.choose import Chosen, choose_files, find_cases_in, holds_plans

__all__ = [
    "DicomIndex",
    "ObjectRow",
    "ScanProgress",
    "WorkList",
    "files_under",
    "list_named",
    "list_plans",
    "make_work_list",
    "parse_shard",
    "scan",
    "tree_stamp",
]

# Called with the number of files whose header was read, and of all files.
ScanProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """One object (or image series, or file that is none), the case that it is part of, or why of none.

    `path` is below the folder that was named; `n_files` counts the slices of an image series.
    """

    path: str
    role: str
    n_files: int
    case_id: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkList:
    """All cases by ID, in order, and all objects.

    Attributes
    ----------
    root
        The folder that holds every named one.
    patients
        By case, a digest that tells patients apart; to be shown only after `identity.pseudonym`.
    stamp
        `tree_stamp` of the files.
    """

    root: Path
    cases: dict[str, CaseFiles]
    objects: tuple[ObjectRow, ...]
    patients: dict[str, str]
    stamp: str | None


def make_work_list(
    paths: Sequence[Path],
    *,
    progress: ScanProgress | None = None,
    seen: Callable[[FileEntry], None] | None = None,
    beside: bool = False,
) -> WorkList:
    """Return what there is to do under `paths`; each file is opened once, for its header, and shown to `seen`.

    `beside`: one folder is called from the folder that it is in, as one of several is.

    Raises
    ------
    InputError
        If there is nothing at a path, or no structure set and no dose at all.
    """
    root, files = files_under(paths, beside=beside)
    stamp = tree_stamp(files)
    report = None if progress is None else (lambda count: progress(count, len(files)))
    index = index_files(files, root=root, progress=report, seen=seen)
    return _listed(index, paths[0] if len(paths) == 1 else None, stamp)


def list_plans(index: DicomIndex) -> WorkList | None:
    """Return the work list of an index that holds several plans; None where one plan is meant."""
    return _listed(index, None, None) if holds_plans(index) else None


def list_named(path: Path, **chosen: Unpack[Chosen]) -> WorkList:
    """Return the work list of the one case under `path` that files chosen by hand make; errors as of `read_case`."""
    files = choose_files(path, **chosen)
    if files.problem is not None:
        raise files.problem
    root = path if path.is_dir() else path.parent
    return WorkList(root=root, cases={files.label: files}, objects=(), patients={}, stamp=None)


def _listed(index: DicomIndex, only: Path | None, stamp: str | None) -> WorkList:
    root = index.root
    cases = _named(find_cases_in(index, only), root)
    key_of = {entry.path: entry.patient_key for entry in index.entries}
    patients = {name: key_of.get(next(iter((*c.drawn_in, *c.rtdose)), root), "") for name, c in cases.items()}
    return WorkList(root=root, cases=cases, objects=tuple(_objects(index, cases)), patients=patients, stamp=stamp)


def files_under(paths: Sequence[Path], *, beside: bool = False) -> tuple[Path, list[Path]]:
    """Return the folder that all of `paths` share, and the files at or under them."""
    for path in paths:
        if not path.exists():
            raise InputError("there is no such file or folder.", path=path, remedy="Check the name.")
    if len(paths) == 1 and not beside:
        root = paths[0] if paths[0].is_dir() else paths[0].parent
        return root, find_files(root)
    root = Path(os.path.commonpath([str(_base(path.absolute(), beside=beside)) for path in paths]))
    found = {file: None for path in paths for file in find_files(path.absolute())}
    return root, sorted(found)


def _base(path: Path, *, beside: bool) -> Path:
    return path if path.is_dir() and not beside else path.parent


def tree_stamp(files: Iterable[Path], *, now_ns: int | None = None) -> str | None:
    """Return a digest of the names, sizes, times and places of files; None where one changed a moment ago.

    Equal stamps mean that no file was added, taken away or changed: headers need not be read again.
    """
    h = hashlib.sha256()
    newest = 0
    for file in files:
        try:
            s = os.stat(file)  # noqa: PTH116 -- archives hold many files
        except OSError:
            return None
        h.update(f"{file}|{s.st_size}|{s.st_mtime_ns}|{s.st_ctime_ns}|{s.st_ino}\n".encode("utf-8", "surrogateescape"))
        newest = max(newest, s.st_mtime_ns, s.st_ctime_ns)
    now = time.time_ns() if now_ns is None else now_ns
    return None if now - newest < 2_000_000_000 else h.hexdigest()


def shard_of(case_id: str, n_shards: int) -> int:
    """Return which of `n_shards` (counted from 1) a case belongs to: by its ID alone, so on every machine the same."""
    return int(digest(case_id)[:12], 16) % n_shards + 1


def parse_shard(text: str) -> tuple[int, int]:
    """Return ``i/n`` as two numbers, 1 ≤ i ≤ n; raises `InputError`."""
    first, _, second = text.partition("/")
    if first.strip().isdecimal() and second.strip().isdecimal() and 1 <= int(first) <= int(second):
        return int(first), int(second)
    raise InputError(f"a shard is written i/n, such as 3/40, not {text[:40]!r}.", remedy="Count shards from 1.")


def _named(cases: Iterable[CaseFiles], root: Path) -> dict[str, CaseFiles]:
    """Return the cases by their labels; where two have one label, the places of their files tell them apart."""
    found: dict[str, CaseFiles] = {}
    for files in cases:
        name = files.label
        if name in found:
            places = [_below(path, root) for path in (*files.drawn_in, files.rtplan, *files.rtdose) if path is not None]
            name = f"{name}~{digest('|'.join(places))[:8]}"
        found[name] = replace(files, label=name)
    return dict(sorted(found.items()))


def _objects(index: DicomIndex, cases: dict[str, CaseFiles]) -> Iterable[ObjectRow]:
    owner: dict[Path, str] = {}
    for case_id, files in cases.items():
        single = (*files.drawn_in, files.rtplan, *files.rtdose, *files.registrations, *files.beam_doses, *files.image)
        owner.update((path, case_id) for path in reversed(single) if path is not None and path not in owner)
    series: dict[str, list[FileEntry]] = {}
    for entry in index.entries:
        if entry.role is Role.IMAGE:
            series.setdefault(entry.series_uid, []).append(entry)
        else:
            yield _row(index, entry.path, entry.role.value, owner.get(entry.path), _reason(entry))
    for slices in series.values():
        user = next((owner[e.path] for e in slices if e.path in owner), None)
        row = _row(index, slices[0].path, slices[0].modality, user, OBJECT_OF[Role.IMAGE].unused)
        yield replace(row, n_files=len(slices))
    for lost in index.unreadable:
        yield _row(index, lost.path, "unreadable", None, lost.reason)
    for kept, copy in index.duplicates:
        yield _row(index, copy, "copy", owner.get(kept), f"byte for byte the same as {_below(kept, index.root)}")
    indexed = {entry.path for entry in index.entries}
    for first, other in index.conflicts:
        if other not in indexed:
            yield _row(index, other, "conflict", None, f"bears the UID of {_below(first, index.root)}, but differs")
    for path in index.not_dicom:
        yield _row(index, path, "not DICOM", None, "it is no DICOM object")


def _reason(entry: FileEntry) -> str:
    row = OBJECT_OF.get(entry.role)
    return row.unused if row is not None else f"{entry.modality or 'it'} is nothing that is judged"


def _row(index: DicomIndex, path: Path, role: str, case_id: str | None, reason: str) -> ObjectRow:
    return ObjectRow(
        path=_below(path, index.root),
        role=role,
        n_files=1,
        case_id=case_id,
        reason=None if case_id is not None and role != "copy" else reason,
    )


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
