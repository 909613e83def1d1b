"""How fast plan sets are received: `dvhkit listen` beside pynetdicom's own storescp app, the same senders for both.

    python benchmarks/bench_receiver.py [--sets 200] [--rounds 3] [--sender dcmsend|storescu|pynetdicom|dvhkit]

Four senders store at once. `nothing kept` is the floor: a receiver that answers at once and writes nothing, so what it
takes is the senders' own time. After each round every object is counted, and the hash of its values compared with what
was sent. What was received stays until the end: ext4 looks for free inodes beside lately deleted ones, for minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTDoseStorage, RTPlanStorage, RTStructureSetStorage

SENDERS = 4
CT_SLICES = 12
CT_SIZE = 256


def write_sets(root: Path, count: int) -> list[list[Path]]:
    """Write plan sets, each in a study of its own: an RTPLAN, an RTSTRUCT, an RTDOSE and a short CT."""
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 4096, (CT_SIZE, CT_SIZE), dtype=np.uint16).tobytes()
    made = []
    for n in range(count):
        folder = root / f"sender{n % SENDERS}" / f"set{n:03}"
        folder.mkdir(parents=True)
        classes = [RTPlanStorage, RTStructureSetStorage, RTDoseStorage, *[CTImageStorage] * CT_SLICES]
        made.append([_write(folder / f"{k:02}.dcm", n, k, sop_class, pixels) for k, sop_class in enumerate(classes)])
    return made


def _write(path: Path, study: int, number: int, sop_class: str, pixels: bytes) -> Path:
    ds = pydicom.Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, f"1.2.826.0.1.3680043.8.498.{study}.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.826.0.1.3680043.8.498.{study}", f"1.2.3.{study}.{min(number, 3)}"
    ds.PatientID, ds.PatientName, ds.InstanceNumber = f"B{study}", "", number
    if sop_class == RTStructureSetStorage:
        ds.StructureSetLabel = "BENCH"
        ds.ROIContourSequence = [_drawn(n) for n in range(4)]
    elif sop_class != RTPlanStorage:
        ds.Rows = ds.Columns = CT_SIZE
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = 15, 0, 1
        ds.PhotometricInterpretation, ds.PixelData = "MONOCHROME2", pixels
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
    return path


def _drawn(number: int) -> pydicom.Dataset:
    roi, contour = pydicom.Dataset(), pydicom.Dataset()
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 200
    contour.ContourData = [f"{v:.2f}" for v in np.linspace(-100, 100, 600)]
    roi.ReferencedROINumber, roi.ContourSequence = number, [contour] * 5
    return roi


def hashes(root: Path) -> dict[str, str]:
    """Return the hash of each object's values under a folder by its instance UID.

    Of values and not of bytes: DCMTK writes padding and lengths of sequences anew before it sends.
    """
    found = {}
    for path in root.rglob("*"):
        if path.is_file():
            ds = pydicom.dcmread(path)
            digest = hashlib.sha256()
            _digest(ds, digest)
            found[str(ds.SOPInstanceUID)] = digest.hexdigest()
    return found


def _digest(ds: pydicom.Dataset, digest: Any) -> None:  # noqa: ANN401 -- a hashlib object
    for tag in sorted(ds.keys()):
        digest.update(f"({tag}".encode())
        if pydicom.datadict.dictionary_VR(tag) != "SQ":
            value = ds.get_item(tag).value
            digest.update((value if isinstance(value, bytes) else str(value).encode()).rstrip(b" \x00"))
        else:
            for item in ds[tag].value:
                _digest(item, digest)
                digest.update(b";")
        digest.update(b")")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rate(receiver: list[str], port: int, sent: Path, sender: str) -> tuple[float, float]:
    """Return seconds that all senders at once take, and the receiver's own processor seconds in them."""
    running = subprocess.Popen(receiver, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        spent_s = processor_s(running.pid)
        began_s = time.monotonic()
        words = [_sender(sender, port, sent / f"sender{n}") for n in range(SENDERS)]
        senders = [subprocess.Popen(w, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for w in words]
        codes = [one.wait() for one in senders]
        if any(codes):
            raise SystemExit("a sender failed")
        return time.monotonic() - began_s, processor_s(running.pid) - spent_s
    finally:
        running.terminate()
        running.wait(60)


def processor_s(pid: int) -> float:
    """Return the processor time that a process has used; 0 where /proc does not tell."""
    try:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the receiver does not listen")


def _sender(name: str, port: int, folder: Path) -> list[str]:
    where = ["127.0.0.1", str(port)]
    if name in ("dcmsend", "storescu"):
        halt = ["--no-halt"] if name == "dcmsend" else []
        return [name, "-aec", "DVHKIT", *where, "+sd", "+r", *halt, str(folder)]
    if name == "pynetdicom":
        return [
            sys.executable,
            "-m",
            "pynetdicom",
            "storescu",
            *where,
            "-q",
            "-aec",
            "DVHKIT",
            "-r",
            "-cx",
            str(folder),
        ]
    return [sys.executable, "-m", "dvhkit", "send", str(folder), ":".join(where), "DVHKIT"]


def _receiver(name: str, port: int, out: Path) -> list[str]:
    if name == "storescp":
        return [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-q", "-aet", "DVHKIT", "-od", str(out)]
    if name == "nothing kept":
        return [sys.executable, __file__, "--sink", str(port)]
    words = ["listen", "--out", str(out), "--port", str(port), "--quiet-time", "3600", "--min-free-mb", "1"]
    return [sys.executable, "-m", "dvhkit", *words]


def sink(port: int) -> None:
    """Answer every object at once and keep none, until somebody ends us."""
    from dvhkit.services import receiver
    from dvhkit.services.spool import Spool

    receiver.Receiver._keep = lambda _self, _offered: 0  # type: ignore[method-assign]
    receiver.Receiver(Spool(Path(tempfile.mkdtemp())), receiver.Listening(port=port), lambda *_: None)
    threading.Event().wait()


def main() -> None:
    """Measure all receivers, in turns, and say what became of each object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sender", default="dcmsend" if shutil.which("dcmsend") else "dvhkit")
    parser.add_argument("--sink", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.sink is not None:
        sink(asked.sink)
    with tempfile.TemporaryDirectory() as made:
        measure(Path(made), asked.sets, asked.rounds, asked.sender)


def measure(root: Path, set_count: int, rounds: int, sender: str) -> None:
    """Print rates, processor times and the fate of every object; SystemExit where one is lost or changed."""
    sets = write_sets(root / "sent", set_count)
    sent = hashes(root / "sent")
    size_mb = sum(path.stat().st_size for files in sets for path in files) / 1e6
    print(f"{set_count} plan sets, {len(sent)} objects, {size_mb:.0f} MB, {SENDERS} senders ({sender})")
    rates: dict[str, list[tuple[float, float]]] = {"storescp": [], "dvhkit listen": [], "nothing kept": []}
    for turn in range(rounds):
        for name, told in rates.items():
            port, out = free_port(), root / f"{name.split()[0]}{turn}"
            seconds, own_s = rate(_receiver(name, port, out), port, root / "sent", sender)
            told.append((len(sent) / seconds, 1000 * own_s / len(sent)))
            fate = "" if name == "nothing kept" else _fate(sent, out / "objects" if name != "storescp" else out)
            print(f"  {name}: {told[-1][0]:.0f} objects/s, own {told[-1][1]:.2f} ms an object{fate}", flush=True)
    middle = {name: [statistics.median(column) for column in zip(*told, strict=True)] for name, told in rates.items()}
    ours, theirs, floor = middle["dvhkit listen"], middle["storescp"], middle["nothing kept"]
    print(
        f"medians: {theirs[0]:.0f}, {ours[0]:.0f}, {floor[0]:.0f} objects/s: {ours[0] / theirs[0]:.1f} times storescp"
    )
    print(f"own processor time of storescp: {theirs[1] / ours[1]:.1f} times ours")


def _fate(sent: dict[str, str], kept: Path) -> str:
    found = hashes(kept)
    lost = sent.keys() - found.keys()
    changed = sum(uid in found and found[uid] != digest for uid, digest in sent.items())
    if lost or changed:
        raise SystemExit(f"lost {len(lost)}, changed {changed}")
    return f"; all {len(found)} as sent"


if __name__ == "__main__":
    main()
