import threading

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from dvhkit.services.receiver import Listening, Receiver
from dvhkit.services.sender import Tls, send
from dvhkit.services.spool import Kept, Limits, RefusedError, Spool, key_of

STUDY, ONE = "1.2.3", "1.2.3.4"


def files_under(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("uid", ["", "../../etc/passwd", "1.2/3", "1.2\x00", "a" * 10, "1" * 65, ".1", "1.", "1.2\n"])
def test_what_is_no_uid_is_refused_and_nothing_is_written(tmp_path, uid):
    spool = Spool(tmp_path / "spool")
    for pair in ({"study_uid": uid, "instance_uid": ONE}, {"study_uid": STUDY, "instance_uid": uid}):
        with pytest.raises(RefusedError):
            spool.store(b"head", b"body", **pair)
    assert files_under(tmp_path) == []


def test_copies_count_once_and_corrections_are_kept_apart(tmp_path):
    spool = Spool(tmp_path)
    told = [spool.store(b"", body, study_uid=STUDY, instance_uid=ONE) for body in (b"first", b"first", b"other")]
    assert told == [Kept.STORED, Kept.DUPLICATE, Kept.CONFLICT]
    assert [p.read_bytes() for p in files_under(tmp_path / "objects")] == [b"first"]
    assert [p.read_bytes() for p in files_under(tmp_path / "conflicts")] == [b"other"]


def test_objects_beyond_the_limits_are_refused(tmp_path):
    with pytest.raises(RefusedError, match="bytes"):
        Spool(tmp_path, Limits(object_bytes=3, free_bytes=0)).store(b"", b"body", study_uid=STUDY, instance_uid=ONE)
    with pytest.raises(RefusedError, match="disk"):
        Spool(tmp_path, Limits(free_bytes=1 << 60)).store(b"", b"body", study_uid=STUDY, instance_uid=ONE)
    assert files_under(tmp_path) == []


def test_what_was_half_written_is_forgotten_and_what_was_kept_is_not(tmp_path):
    Spool(tmp_path).store(b"", b"body", study_uid=STUDY, instance_uid=ONE)
    (tmp_path / "incoming" / "half").write_bytes(b"bo")
    spool = Spool(tmp_path)
    assert (spool.studies(), files_under(tmp_path / "incoming")) == ([key_of(STUDY)], [])
    assert not spool.audited(key_of(STUDY))
    spool.mark_audited(key_of(STUDY), spool.fingerprint(key_of(STUDY)))
    assert Spool(tmp_path).audited(key_of(STUDY))
    spool.store(b"", b"more", study_uid=STUDY, instance_uid="1.2.5")
    assert not spool.audited(key_of(STUDY))


def slices(folder, count, study):
    for n in range(count):
        ds = pydicom.Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = CTImageStorage, generate_uid(), study
        ds.PatientID, ds.InstanceNumber, ds.Rows, ds.Columns = "x", n, 2, 2
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.save_as(folder / f"{n}.dcm", enforce_file_format=True)


def test_senders_at_once_lose_nothing_and_every_data_set_is_as_it_was_sent(tmp_path):
    spool, arrived = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    receiver = Receiver(spool, Listening(port=0), lambda study, kept: arrived.append((study, kept)))
    try:
        sent, port = [], receiver.port
        for n in range(3):
            folder = tmp_path / f"sender{n}"
            folder.mkdir()
            slices(folder, 8, f"1.2.3.{n}")
            task = threading.Thread(
                target=lambda f=folder: sent.append(send(sorted(f.iterdir()), "127.0.0.1", port, "DVHKIT").sent)
            )
            task.start()
            sent.append(task)
        for task in [t for t in sent if isinstance(t, threading.Thread)]:
            task.join(30)
    finally:
        receiver.stop()
    assert sum(n for n in sent if isinstance(n, int)) == 24
    assert len(arrived) == 24
    original = {
        pydicom.dcmread(p).SOPInstanceUID: pydicom.dcmread(p) for p in files_under(tmp_path) if "sender" in str(p)
    }
    kept = {pydicom.dcmread(p).SOPInstanceUID: pydicom.dcmread(p) for p in files_under(tmp_path / "spool" / "objects")}
    assert kept == original


def test_an_object_that_is_not_answered_is_sent_once_more_and_those_behind_it_are_too(tmp_path, monkeypatch):
    spool, asked = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    keep = Receiver._keep

    def abort_at_the_second(self, offered):
        asked.append(offered.sop_instance)
        if len(asked) == 2:
            raise ConnectionError
        return keep(self, offered)

    monkeypatch.setattr(Receiver, "_keep", abort_at_the_second)
    receiver = Receiver(spool, Listening(port=0), lambda *_: None)
    try:
        slices(tmp_path, 4, STUDY)
        sent = send(sorted(tmp_path.glob("*.dcm")), "127.0.0.1", receiver.port, "DVHKIT")
    finally:
        receiver.stop()
    assert (sent.sent, sent.failed) == (4, {})
    assert len(asked) == 5
    assert len(files_under(tmp_path / "spool" / "objects")) == 4


def test_callers_that_are_not_allowed_are_turned_away(tmp_path):
    from dvhkit.errors import InputError

    spool = Spool(tmp_path / "spool", Limits(free_bytes=0))
    receiver = Receiver(spool, Listening(port=0, allowed=("CLINIC",)), lambda *_: None)
    try:
        slices(tmp_path, 1, STUDY)
        with pytest.raises(InputError, match="does not take"):
            send([tmp_path / "0.dcm"], "127.0.0.1", receiver.port, "DVHKIT", calling="STRANGER")
        assert send([tmp_path / "0.dcm"], "127.0.0.1", receiver.port, "DVHKIT", calling="CLINIC").sent == 1
    finally:
        receiver.stop()


def test_with_tls_a_caller_who_speaks_plainly_is_turned_away(tmp_path):
    import shutil
    import subprocess

    from dvhkit.errors import InputError

    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", "req", *words, *names], check=True, capture_output=True)
    spool, arrived = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    listening = Listening(port=0, tls_certificate=certificate, tls_key=key)
    receiver = Receiver(spool, listening, lambda study, kept: arrived.append(kept))
    try:
        slices(tmp_path, 1, STUDY)
        with pytest.raises(InputError):
            send([tmp_path / "0.dcm"], "127.0.0.1", receiver.port, "DVHKIT")
        tls = Tls(authority=certificate)
        assert send([tmp_path / "0.dcm"], "localhost", receiver.port, "DVHKIT", tls=tls).sent == 1
        with pytest.raises(InputError, match="cannot be used"):
            send([tmp_path / "0.dcm"], "localhost", receiver.port, "DVHKIT", tls=Tls(authority=key))
    finally:
        receiver.stop()
    assert arrived == [Kept.STORED]
