"""The loop with a real archive: stored in Orthanc, moved to us, filed back, fetched over DICOMweb, all equal."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from dvhkit.cli.app import app
from dvhkit.outputs.dicom.encapsulated_pdf import write_encapsulated_pdf
from dvhkit.services.receiver import Listening, Receiver
from dvhkit.services.sender import fetch, send
from dvhkit.services.spool import Kept, Limits, Spool

_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def listener(tmp_path_factory) -> Iterator[tuple[Receiver, Spool, list[Kept]]]:
    spool, arrived = Spool(tmp_path_factory.mktemp("spool"), Limits(free_bytes=0)), []
    receiver = Receiver(spool, Listening(port=0), lambda _, kept: arrived.append(kept))
    yield receiver, spool, arrived
    receiver.stop()


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
            "dvhkit": ["DVHKIT", "127.0.0.1", listener[0].port], "asker": ["ASKER", "127.0.0.1", free_port()],
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
    _, spool, arrived = listener
    files = sorted(demo_case_dir.rglob("*.dcm"))
    original = objects(demo_case_dir)
    (study,) = {str(ds.StudyInstanceUID) for ds in original.values()}
    assert send(files, "127.0.0.1", dicom, "ORTHANC").sent == len(files)
    assert move(dicom, study) == len(files)
    assert len(arrived) == len(files)
    assert objects(spool.root / "objects") == original

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

    got, stated = fetch(f"http://127.0.0.1:{http}/dicom-web", study, tmp_path / "back")
    assert (got, stated) == (len(files) + 3, len(files) + 3)
    back = objects(tmp_path / "back")
    assert back == {**original, **filed}
    (document,) = [ds for ds in back.values() if ds.Modality == "DOC"]
    assert document.EncapsulatedDocument[: document.EncapsulatedDocumentLength] == pdf
