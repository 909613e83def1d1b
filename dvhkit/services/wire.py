"""Bytes as they come over the network: file heads around them, and the few tags that a receiver needs."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

_STUDY_UID = 0x0020000D
# StudyInstanceUID stands near the beginning; pixel data and contours behind it need not be looked at.
_PEEK_BYTES = 1 << 16


def file_head(*, sop_class: str, sop_instance: str, transfer_syntax: str, calling: str) -> bytes:
    """Return preamble and file meta information (PS3.10 section 7.1)."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_file_meta_info
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class), UID(sop_instance)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.SourceApplicationEntityTitle = calling[:16]
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta, enforce_standard=True)
    return b"\x00" * 128 + b"DICM" + buffer.getvalue()


def data_set_offset(head: bytes) -> int:
    """Return where the data set of a file begins: behind group 2, whose length its first element states."""
    if len(head) < 144 or head[128:132] != b"DICM":
        return 0
    return int(144 + struct.unpack("<I", head[140:144])[0])


def study_uid(body: bytes, transfer_syntax: str) -> str:
    """Return the StudyInstanceUID of an encoded data set; empty where it has none or cannot be read."""
    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    syntax = UID(transfer_syntax)

    def is_past(tag: Any, _vr: object, _length: int) -> bool:  # noqa: ANN401 -- pydicom's tag
        return int(tag) > _STUDY_UID

    for part in (body[:_PEEK_BYTES], body):
        try:
            found = read_dataset(
                BytesIO(part), syntax.is_implicit_VR, syntax.is_little_endian, stop_when=is_past, bytelength=len(part)
            )
            uid = str(found.get("StudyInstanceUID", "") or "").strip("\x00 ")
        except Exception:  # noqa: BLE001 -- whatever a hostile data set raises, it is refused
            uid = ""
        if uid or len(body) <= _PEEK_BYTES:
            return uid
    return ""
