"""`dvhkit fetch` against an archive that answers short, wrong, late or with errors."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from dvhkit.errors import InputError, OutputError
from dvhkit.services import sender

STUDY = "1.2.826.0.1.3680043.8.498.7"


def an_object(n: int, study: str = STUDY) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"{STUDY}.{n}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID = study
    made.Rows = made.Columns = 16
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 15, 0, 1
    made.PixelData = np.arange(256, dtype="<u2").tobytes()
    out = BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


@contextmanager
def archive(parts, *, stated=2, status=200, cut=0, rows=None):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            is_search = self.path.split("?")[0].endswith("/instances")
            if is_search:
                found = [{"00080018": {"vr": "UI", "Value": [f"{STUDY}.{n}"]}} for n in range(stated)]
                body, kind = json.dumps(found if rows is None else rows).encode(), "application/dicom+json"
            else:
                body = b"".join(b"\r\n--B\r\nContent-Type: application/dicom\r\n\r\n" + part for part in parts)
                body, kind = body + b"\r\n--B--", 'multipart/related; type="application/dicom"; boundary=B'
            self.send_response(200 if is_search else status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - (0 if is_search else cut)])

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(sender, "_WAIT_MS", 1)


def test_all_objects_come_and_are_counted(tmp_path):
    with archive([an_object(0), an_object(1)]) as url:
        found = sender.fetch(url, STUDY, tmp_path)
    assert found.is_whole
    assert len(found.got) == len(list(tmp_path.iterdir())) == 2


def test_an_archive_that_gives_fewer_than_it_states_or_others_is_told_by_the_count(tmp_path):
    for parts in ([an_object(0)], [an_object(0), an_object(7)], [an_object(0), an_object(0)]):
        with archive(parts) as url:
            assert not sender.fetch(url, STUDY, tmp_path).is_whole
    with archive([], stated=0) as url:
        assert not sender.fetch(url, STUDY, tmp_path).is_whole


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"parts": [], "status": 500}, "HTTP status 500. 0 of 2"),
        ({"parts": [], "status": 503}, "HTTP status 503. 0 of 2"),
        ({"parts": [], "status": 404}, "HTTP status 404. 0 of 2"),
        ({"parts": [an_object(0), an_object(1)], "cut": 300}, "came before"),
        ({"parts": [an_object(0), an_object(1)[:-200]]}, "cut off. 1 of 2"),
        ({"parts": [an_object(0), an_object(1, study="1.2.3")]}, "another study. 1 of 2"),
        ({"parts": [an_object(0), b"rubbish" * 40]}, "1 of 2"),
        ({"parts": [], "rows": [{"00080018": {"vr": "UI"}}]}, "0 of 0"),
        ({"parts": [], "rows": {"error": "no"}}, "0 of 0"),
    ],
)
def test_what_goes_wrong_is_one_line_with_the_count_of_what_came(tmp_path, answer, words):
    with archive(**answer) as url, pytest.raises(InputError) as caught:
        sender.fetch(url, STUDY, tmp_path)
    assert words in caught.value.message
    assert STUDY not in caught.value.message
    assert "\n" not in caught.value.message
    for path in tmp_path.iterdir():  # what came is whole
        assert len(pydicom.dcmread(path).PixelData) == 512


def test_where_nobody_listens_that_is_said(tmp_path):
    with archive([]) as url:
        pass
    with pytest.raises(InputError, match="nobody answers"):
        sender.fetch(url, STUDY, tmp_path)


def test_a_full_disk_is_told_with_the_count(tmp_path, monkeypatch):
    from dvhkit.outputs import files

    whole = files.write_bytes_whole

    def full_after_one(path, data):
        if any(tmp_path.iterdir()):
            raise OutputError("The file cannot be written (No space left on device).", path=path)
        whole(path, data)

    monkeypatch.setattr(files, "write_bytes_whole", full_after_one)
    with archive([an_object(0), an_object(1)]) as url, pytest.raises(OutputError, match="No space") as caught:
        sender.fetch(url, STUDY, tmp_path)
    assert "1 of 2 objects came before" in caught.value.message
