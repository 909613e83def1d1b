"""Bytes as they come over the network: file heads around them, and the few tags that a receiver needs."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

_STUDY_UID = 0x0020000D
# StudyInstanceUID stands near the beginning; pixel data and contours behind it need not be looked at.
_PEEK_BYTES = 1 << 16
_IMPLICIT, _DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
# PS3.5 table 7.1-1.
_LONG_FORMS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_OPEN_LENGTH = 0xFFFFFFFF


def file_head(*, sop_class: str, sop_instance: str, transfer_syntax: str, calling: str) -> bytes:
    """Return preamble and file meta information (PS3.10 section 7.1)."""
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID

    uids = ((0x02, sop_class), (0x03, sop_instance), (0x10, transfer_syntax), (0x12, PYDICOM_IMPLEMENTATION_UID))
    parts = [struct.pack("<HH2sHL2s", 2, 1, b"OB", 0, 2, b"\x00\x01")]
    parts += [_short(element, b"UI", uid, b"\x00") for element, uid in uids]
    parts.append(_short(0x16, b"AE", calling[:16], b" "))
    body = b"".join(parts)
    return b"\x00" * 128 + b"DICM" + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(body)) + body


def _short(element: int, vr: bytes, text: str, pad: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    value += pad * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def data_set_offset(head: bytes) -> int:
    """Return where the data set of a file begins: behind group 2, whose length its first element states."""
    if len(head) < 144 or head[128:132] != b"DICM":
        return 0
    return int(144 + struct.unpack("<I", head[140:144])[0])


def study_uid(body: bytes | bytearray, transfer_syntax: str) -> str:
    """Return the StudyInstanceUID of an encoded data set; empty where it has none or cannot be read."""
    if transfer_syntax == _DEFLATED:
        try:
            body = zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, _PEEK_BYTES)
        except zlib.error:
            return ""
    found = _scanned(body, transfer_syntax)
    return _parsed(body, transfer_syntax) if found is None else found


def _scanned(body: bytes | bytearray, transfer_syntax: str) -> str | None:
    """Return the UID from elements of known lengths alone; None where a sequence of open length comes before."""
    order = ">" if transfer_syntax == _BIG_ENDIAN else "<"
    is_explicit = transfer_syntax != _IMPLICIT
    at = 0
    while at + 12 <= len(body):
        group, element = struct.unpack_from(order + "HH", body, at)
        if not is_explicit:
            begin, length = at + 8, struct.unpack_from(order + "L", body, at + 4)[0]
        elif bytes(body[at + 4 : at + 6]) in _LONG_FORMS:
            begin, length = at + 12, struct.unpack_from(order + "L", body, at + 8)[0]
        else:
            begin, length = at + 8, struct.unpack_from(order + "H", body, at + 6)[0]
        if length == _OPEN_LENGTH or begin + length > len(body):
            return None
        if (group << 16) + element >= _STUDY_UID:
            is_it = (group << 16) + element == _STUDY_UID
            return bytes(body[begin : begin + length]).decode("ascii", "replace").strip("\x00 ") if is_it else ""
        at = begin + length
    return None


def _parsed(body: bytes | bytearray, transfer_syntax: str) -> str:
    """Return the UID as pydicom finds it."""
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
