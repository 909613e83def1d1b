"""The loop with a real archive: stored in Orthanc, moved to us, audited, filed back, fetched again, all equal."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from dvhkit.cli.app import app
from dvhkit.outputs.dicom.encapsulated_pdf import write_encapsulated_pdf
from dvhkit.outputs.records import read_audit
from dvhkit.services.sender import fetch, send

PROTOCOL = "oligoprogressive-liver-2025"
_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Listener:
    """A running `dvhkit listen`."""

    process: subprocess.Popen
    port: int
    spool: Path

    def told(self) -> dict:
        """Return the next line that it prints."""
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def listener(tmp_path_factory) -> Iterator[Listener]:
    spool = tmp_path_factory.mktemp("spool")
    words = ["--out", spool, "--port", "0", "--quiet-time", "60", "--min-free-mb", "1", "--protocol", PROTOCOL]
    process = subprocess.Popen(
        [sys.executable, "-m", "dvhkit", "listen", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    port = int(process.stderr.readline().split(":")[1].split()[0])
    yield Listener(process, port, spool)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, listener) -> Iterator[tuple[int, int]]:
    """A running Orthanc on the loopback address: its DICOM and its HTTP port."""
    if shutil.which("Orthanc") is None or not _DICOMWEB.exists():
        message = "Orthanc with its DICOMweb plugin is not installed (Debian: orthanc, orthanc-dicomweb)"
        pytest.fail(message) if os.environ.get("DVHKIT_REQUIRE_ORTHANC") else pytest.skip(message)
    folder, dicom, http = tmp_path_factory.mktemp("orthanc"), free_port(), free_port()
    settings = {
        "StorageDirectory": str(folder), "IndexDirectory": str(folder), "Plugins": [str(_DICOMWEB)],
        "DicomAet": "ORTHANC", "DicomPort": dicom, "HttpPort": http, "RemoteAccessAllowed": False,
        "DicomCheckCalledAet": False, "DicomAlwaysAllowMove": True, "DicomModalitiesInDatabase": False,
        "DicomModalities": {
            "dvhkit": ["DVHKIT", "127.0.0.1", listener.port], "asker": ["ASKER", "127.0.0.1", free_port()],
        },
        "DicomWeb": {"Enable": True},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    process = subprocess.Popen(
        ["Orthanc", str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(http, process)
        yield dicom, http
    finally:
        process.terminate()
        process.wait(20)


def wait_for(http: int, process: subprocess.Popen) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/system", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("Orthanc did not start")


def move(port: int, study: str) -> int:
    """Have the archive send a study to us (C-MOVE); return how many objects it says it sent."""
    from pynetdicom import AE
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move

    entity = AE(ae_title="ASKER")
    entity.add_requested_context(Move)
    association = entity.associate("127.0.0.1", port, ae_title="ORTHANC")
    assert association.is_established
    wanted = pydicom.Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", study
    *_, (last, _) = association.send_c_move(wanted, "DVHKIT", Move)
    association.release()
    return int(last.NumberOfCompletedSuboperations)


def objects(folder: Path) -> dict[str, pydicom.Dataset]:
    return {str(ds.SOPInstanceUID): ds for ds in map(pydicom.dcmread, sorted(folder.rglob("*.dcm")))}


def test_a_plan_set_and_all_that_is_written_come_back_equal(orthanc, listener, demo_case_dir, tmp_path):
    dicom, http = orthanc
    files = sorted(demo_case_dir.rglob("*.dcm"))
    original = objects(demo_case_dir)
    (study,) = {str(ds.StudyInstanceUID) for ds in original.values()}
    assert send(files, "127.0.0.1", dicom, "ORTHANC").sent == len(files)
    assert move(dicom, study) == len(files)
    told = listener.told()
    assert (told["event"], told["study"]) == ("audited", study)
    assert told["exit"] in (0, 1)
    assert objects(listener.spool / "objects") == original
    (audited,) = read_audit((listener.spool / "run" / "audit.json").read_text())
    assert audited.protocol_id == PROTOCOL
    assert audited.rules
    assert "Verdicts" in (listener.spool / "run" / "report.html").read_text()

    made = tmp_path / "made"
    made.mkdir()
    run = CliRunner().invoke
    words = ["dvh", str(demo_case_dir), "--roi", "PTV", "--rtdose-out", str(made / "dose.dcm")]
    assert run(app, words).exit_code == 0
    words = ["margin", "grow", str(demo_case_dir), "--roi", "GTV", "--margin", "3", "--out", str(made / "rs.dcm")]
    assert run(app, words).exit_code == 0
    pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    write_encapsulated_pdf(made / "pdf.dcm", pdf, source=demo_case_dir / "RTPLAN.dcm", title="Audit")
    filed = objects(made)
    assert {str(ds.StudyInstanceUID) for ds in filed.values()} == {study}
    assert send(sorted(made.iterdir()), "127.0.0.1", dicom, "ORTHANC").sent == 3

    found = fetch(f"http://127.0.0.1:{http}/dicom-web", study, tmp_path / "back")
    assert found.is_whole
    assert len(found.got) == len(found.stated) == len(files) + 3
    back = objects(tmp_path / "back")
    assert back == {**original, **filed}
    (document,) = [ds for ds in back.values() if ds.Modality == "DOC"]
    assert document.EncapsulatedDocument[: document.EncapsulatedDocumentLength] == pdf
