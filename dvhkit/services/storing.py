"""C-STORE as fast as the wire: whole fragments into one buffer, an answer as soon as the object is kept.

pynetdicom negotiates, times out, releases and aborts. Between, its reactor polls each connection every millisecond and
takes a message apart in blocks of 4 kB; an association that is established is therefore served here, by blocking reads
(PS3.8 section 9.3, PS3.7 sections 9.3.1 and 9.3.5). Whatever is no P-DATA-TF is handed back to pynetdicom.
"""

from __future__ import annotations

import io
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

_P_DATA = 0x04
_C_STORE, _C_ECHO, _ANSWER, _NO_DATA_SET = 0x0001, 0x0030, 0x8000, 0x0101
_SUCCESS, _NOT_KNOWN, _TOO_LARGE = 0x0000, 0x0211, 0xA700
_COMMAND_MOST = 1 << 16
# What is no P-DATA-TF is an abort or a release, of ten bytes.
_OTHER_MOST = 1 << 16
_BLOCK = 1 << 20
_BUFFER = 1 << 18
# While an association is served here its reactor has nothing to do but to see whether we end it.
_RESTING_S = 0.1
_SERVED = "Sta6"
# pynetdicom (3.0.4) as a sender lets a second thread look for messages while it begins to send: where that thread is
# held up, it takes an answer that comes at once, and the sender waits in vain. Nobody else is kept waiting.
_HASTY_SENDER = "1.2.826.0.1.3680043.9.3811."
_ANSWER_AFTER_S = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One object as it came: `body` is the encoded data set."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    calling: str
    body: bytearray


class _BrokenError(Exception):
    """What came is no PDU that belongs here."""


@dataclass
class _Message:
    """A message in the making."""

    command: bytearray = field(default_factory=bytearray)
    body: bytearray = field(default_factory=bytearray)
    is_too_large: bool = False


def leave_reading_to_us(event: Any) -> None:  # noqa: ANN401 -- pynetdicom's event
    """Keep pynetdicom from reading a connection while its association is established (for EVT_CONN_OPEN)."""
    dul = event.assoc.dul
    own = dul._is_transport_event
    dul.handed_back = threading.Event()

    def is_transport_event() -> bool:
        if dul.handed_back.is_set() or dul.state_machine.current_state != _SERVED:
            return bool(own())
        dul.handed_back.wait(_RESTING_S)
        return False

    dul._is_transport_event = is_transport_event


def serve(association: Any, keep: Callable[[Offered], int], most_bytes: int) -> None:  # noqa: ANN401 -- pynetdicom's
    """Serve an association until it is released, aborted or quiet for too long (for EVT_ESTABLISHED).

    Parameters
    ----------
    keep
        Keeps an object and returns the status to answer with; called in the association's own thread.
    most_bytes
        Of one data set; a larger one is read to its end and refused.
    """
    dul = association.dul
    sock = dul.socket.socket
    try:
        sock.settimeout(association.network_timeout)
        with io.BufferedReader(_Prompt(sock), _BUFFER) as stream:
            _Served(association, sock, stream, keep, most_bytes).run()
    except TimeoutError:
        pass  # pynetdicom's own clock says so, too, and aborts
    except _BrokenError:
        dul.event_queue.put("Evt19")
    except (OSError, ValueError):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)  # that the peer knows it, too
        dul.event_queue.put("Evt17")
    finally:
        dul.handed_back.set()


class _Prompt(io.RawIOBase):
    """What comes over a connection, its receipt acknowledged to the peer's TCP at once.

    Senders that leave Nagle's algorithm on (DCMTK) hold the rest of an object back until what went before is
    acknowledged, and a TCP that has just answered takes 40 ms for that: ten times as long as all else (Linux only).
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._option = getattr(socket, "TCP_QUICKACK", None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 -- a writable buffer
        if self._option is not None:
            self._sock.setsockopt(socket.IPPROTO_TCP, self._option, 1)
        return self._sock.recv_into(buffer)


class _Served:
    def __init__(
        self,
        association: Any,  # noqa: ANN401 -- pynetdicom's
        sock: socket.socket,
        stream: BinaryIO,
        keep: Callable[[Offered], int],
        most_bytes: int,
    ) -> None:
        self._association, self._sock, self._stream = association, sock, stream
        self._keep, self._most_bytes = keep, most_bytes
        implementation = str(association.requestor.implementation_class_uid or "")
        self._answer_after_s = _ANSWER_AFTER_S if implementation.startswith(_HASTY_SENDER) else 0.0
        self._syntaxes = {c.context_id: str(c.transfer_syntax[0]) for c in association.accepted_contexts}
        self._calling = str(association.requestor.ae_title)
        self._message = _Message()

    def run(self) -> None:
        while True:
            head = self._exactly(6)
            kind, length = head[0], struct.unpack(">L", head[2:])[0]
            if kind != _P_DATA:
                self._hand_back(head, length)
                return
            while length:
                length -= self._take_value(length)

    def _hand_back(self, head: bytes, length: int) -> None:
        if length > _OTHER_MOST:
            raise _BrokenError
        dul = self._association.dul
        try:
            pdu, event = dul._decode_pdu(bytearray(head + self._exactly(length)))
        except Exception as error:
            raise _BrokenError from error
        dul._recv_pdu.put(pdu)
        dul.event_queue.put(event)

    def _take_value(self, left: int) -> int:
        """Read one presentation data value; return how many bytes of the PDU it took."""
        if left < 6:
            raise _BrokenError
        length, context, flags = struct.unpack(">LBB", self._exactly(6))
        if length < 2 or length + 4 > left or context not in self._syntaxes:
            raise _BrokenError
        message, size = self._message, length - 2
        if flags & 1:
            if len(message.command) + size > _COMMAND_MOST:
                raise _BrokenError
            message.command += self._exactly(size)
        elif message.is_too_large or len(message.body) + size > self._most_bytes:
            message.is_too_large = True
            deque(self._blocks(size), maxlen=0)
        else:
            for block in self._blocks(size):
                message.body += block
        if flags & 2:
            self._end_of_part(context, is_command=bool(flags & 1))
        return int(length + 4)

    def _end_of_part(self, context: int, *, is_command: bool) -> None:
        command = _elements(self._message.command)
        has_data = _number(command, 0x0800) != _NO_DATA_SET
        if is_command and has_data:
            return
        came_s = time.monotonic()
        kind = _number(command, 0x0100)
        status = _SUCCESS if kind == _C_ECHO else _NOT_KNOWN
        if kind == _C_STORE:
            status = _TOO_LARGE if self._message.is_too_large else self._keep(self._offered(context, command))
        self._message = _Message()
        early_s = came_s + self._answer_after_s - time.monotonic()
        if early_s > 0:
            time.sleep(early_s)
        self._sock.sendall(_answer(context, kind, command, status))

    def _offered(self, context: int, command: dict[int, bytes]) -> Offered:
        return Offered(
            sop_class=_text(command, 0x0002),
            sop_instance=_text(command, 0x1000),
            transfer_syntax=self._syntaxes[context],
            calling=self._calling,
            body=self._message.body,
        )

    # -- bytes

    def _exactly(self, count: int) -> bytes:
        found = self._stream.read(count)
        if len(found) < count:
            raise ConnectionError("the peer is gone")
        return found

    def _blocks(self, count: int) -> Iterator[bytes]:
        """Yield so many bytes, a block at a time: a length may be a lie, and no room is made for it beforehand."""
        while count:
            block = min(count, _BLOCK)
            yield self._exactly(block)
            count -= block


def _elements(command: bytearray) -> dict[int, bytes]:
    """Return the elements of a command set, Implicit VR Little Endian, by their number in group 0."""
    found, at = {}, 0
    while at + 8 <= len(command):
        group, element, length = struct.unpack_from("<HHL", command, at)
        if group or at + 8 + length > len(command):
            raise _BrokenError
        found[element] = bytes(command[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def _number(command: dict[int, bytes], element: int) -> int:
    value = command.get(element, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else 0


def _text(command: dict[int, bytes], element: int) -> str:
    return command.get(element, b"").decode("ascii", "replace").strip("\x00 ")


def _answer(context: int, kind: int, command: dict[int, bytes], status: int) -> bytes:
    """Return the response to a message as a P-DATA-TF."""
    parts = {
        0x0002: command.get(0x0002, b""),
        0x0100: struct.pack("<H", kind | _ANSWER),
        0x0120: command.get(0x0110, b"\x00\x00"),
        0x0800: struct.pack("<H", _NO_DATA_SET),
        0x0900: struct.pack("<H", status),
    }
    if kind == _C_STORE:
        parts[0x1000] = command.get(0x1000, b"")
    encoded = b"".join(struct.pack("<HHL", 0, n, len(value)) + value for n, value in parts.items())
    encoded = struct.pack("<HHLL", 0, 0, 4, len(encoded)) + encoded
    return struct.pack(">BBLLBB", _P_DATA, 0, len(encoded) + 6, len(encoded) + 2, context, 3) + encoded
