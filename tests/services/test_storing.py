"""Associations are served by blocking reads: every message is answered, and what is none ends its association alone."""

import io
import socket
import struct
import sys
import threading
import time
import zlib
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from dvhkit.services.receiver import Listening, Receiver
from dvhkit.services.spool import Limits, Spool
from dvhkit.services.storing import _Prompt
from dvhkit.services.wire import file_head, study_uid

IMPLICIT, BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"


@pytest.fixture
def receiver(tmp_path):
    running = Receiver(
        Spool(tmp_path / "spool", Limits(object_bytes=4000, free_bytes=0)), Listening(port=0), lambda *_: None
    )
    yield running
    running.stop()


@pytest.fixture
def association(receiver):
    entity = AE()
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    entity.add_requested_context(Verification)
    found = entity.associate("127.0.0.1", receiver.port)
    assert found.is_established
    yield found
    if found.is_established:
        found.release()


def a_slice(size: int) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = CTImageStorage, generate_uid(), "1.2.3"
    ds.ImageComments = "x" * size
    return ds


def test_an_echo_is_answered_and_objects_before_and_behind_it_are_kept(association, tmp_path):
    assert association.send_c_store(a_slice(10)).Status == 0
    assert association.send_c_echo().Status == 0
    assert association.send_c_store(a_slice(10)).Status == 0
    assert len(list((tmp_path / "spool" / "objects").rglob("*.dcm"))) == 2


def test_an_object_that_is_too_large_is_refused_and_the_next_one_is_taken(association, tmp_path):
    assert association.send_c_store(a_slice(5000)).Status == 0xA700
    assert association.send_c_store(a_slice(10)).Status == 0
    assert len(list((tmp_path / "spool").rglob("*.dcm"))) == 1


@pytest.mark.parametrize(
    "pdu",
    [
        struct.pack(">BBLLBB", 4, 0, 6, 500, 1, 3),  # a value longer than its PDU
        struct.pack(">BBLLBB", 4, 0, 6, 2, 99, 3),  # a context that was not agreed upon
        struct.pack(">BBL", 4, 0, 3) + b"\x00\x00\x00",  # a PDU too short for a value
        struct.pack(">BBL", 77, 0, 4) + b"\x00\x00\x00\x00",  # no kind of PDU
    ],
)
def test_what_is_no_message_ends_its_own_association_alone(association, receiver, tmp_path, pdu):
    association._reactor_checkpoint.clear()  # keep the sender's own reactor off the connection
    association.dul.socket.socket.sendall(pdu)
    other = AE()
    other.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    beside = other.associate("127.0.0.1", receiver.port)
    assert beside.send_c_store(a_slice(10)).Status == 0
    beside.release()
    association._reactor_checkpoint.set()
    association.abort()
    assert len(list((tmp_path / "spool").rglob("*.dcm"))) == 1


@pytest.mark.parametrize("syntax", [IMPLICIT, ExplicitVRLittleEndian, BIG_ENDIAN, DEFLATED])
@pytest.mark.parametrize("is_open", [False, True])
def test_the_study_is_found_in_every_encoding_behind_sequences_of_any_length(syntax, is_open):
    ds = a_slice(10)
    item = Dataset()
    item.StudyInstanceUID = "9.9"  # of another object
    ds.ReferencedStudySequence = [item]
    ds["ReferencedStudySequence"].is_undefined_length = is_open
    buffer = BytesIO()
    implicit, little = syntax == IMPLICIT, syntax != BIG_ENDIAN
    del ds.file_meta
    pydicom.dcmwrite(buffer, ds, implicit_vr=implicit, little_endian=little, overwrite=True)
    body = buffer.getvalue()
    if syntax == DEFLATED:
        body = zlib.compress(body, wbits=-15)
    assert study_uid(body, syntax) == "1.2.3"
    assert study_uid(body[:20], syntax) == ""


def test_the_head_of_a_file_is_read_by_pydicom():
    head = file_head(sop_class="1.2.3", sop_instance="1.2.3.45", transfer_syntax=IMPLICIT, calling="SENDER")
    read = pydicom.dcmread(BytesIO(head), force=True).file_meta
    assert (read.MediaStorageSOPClassUID, read.MediaStorageSOPInstanceUID) == ("1.2.3", "1.2.3.45")
    assert (read.TransferSyntaxUID, read.SourceApplicationEntityTitle) == (IMPLICIT, "SENDER")


@pytest.mark.skipif(sys.platform != "linux", reason="delayed acknowledgement is set by TCP_QUICKACK")
def test_a_sender_that_writes_in_small_parts_is_acknowledged_at_once():
    took_s = []
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as sender:
        own, _ = door.accept()
        with own, io.BufferedReader(_Prompt(own)) as stream:

            def answer_each():
                while stream.read(300):
                    own.sendall(b"answer")

            answering = threading.Thread(target=answer_each)
            answering.start()
            for _ in range(12):
                began_s = time.perf_counter()
                for size in (12, 124, 164):  # Nagle's algorithm holds the second until the first is acknowledged
                    sender.sendall(b"x" * size)
                assert sender.recv(6) == b"answer"
                took_s.append(time.perf_counter() - began_s)
            sender.shutdown(socket.SHUT_RDWR)
            answering.join(10)
    assert sorted(took_s)[4] < 0.03  # Linux delays acknowledgements by 40 ms
