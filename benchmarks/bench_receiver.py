"""How fast plan sets are received: `dvhkit listen` beside pynetdicom's own storescp app, the same senders for both.

    python benchmarks/bench_receiver.py [--sets 200] [--rounds 2]

Four senders store at once: DCMTK's `dcmsend` where it is installed, which costs next to nothing, else `dvhkit send`.
After each round every object is counted, and the hash of its data set compared with what was sent.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
        folder = root / f"set{n:03}"
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
        ds.ROIContourSequence = [_drawn(n) for n in range(20)]
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
            digest = hashlib.sha256(ds.get("PixelData", b""))
            for element in ds.iterall():
                if element.VR not in ("SQ", "OW"):
                    digest.update(f"{element.tag}{element.value!r}".encode())
            found[str(ds.SOPInstanceUID)] = digest.hexdigest()
    return found


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rate(command: list[str], port: int, sets: list[list[Path]]) -> tuple[float, float]:
    """Return objects a second that a receiver takes from all senders at once, and its own milliseconds an object."""
    receiver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        spent = processor_s(receiver.pid)
        began = time.monotonic()
        senders = [_sender(port, [folder[0].parent for folder in sets[n::SENDERS]]) for n in range(SENDERS)]
        for sender in senders:
            if sender.wait():
                raise SystemExit("a sender failed")
        seconds = time.monotonic() - began
        spent = processor_s(receiver.pid) - spent
    finally:
        receiver.terminate()
        receiver.wait(60)
    count = sum(map(len, sets))
    return count / seconds, 1000 * spent / count


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


def _sender(port: int, folders: list[Path]) -> subprocess.Popen[bytes]:
    own = shutil.which("dcmsend")
    words = [own, "-aec", "DVHKIT", "127.0.0.1", str(port), "+sd", "--no-halt", *map(str, folders)]
    if own is None:
        words = [sys.executable, "-m", "dvhkit", "send", *map(str, folders), f"127.0.0.1:{port}", "DVHKIT"]
    return subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Measure both, in turns, and say what became of each object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        sets = write_sets(root / "sent", asked.sets)
        sent = hashes(root / "sent")
        size_mb = sum(path.stat().st_size for files in sets for path in files) / 1e6
        print(f"{asked.sets} plan sets, {len(sent)} objects, {size_mb:.0f} MB, {SENDERS} senders")
        best = {"storescp": 0.0, "dvhkit listen": 0.0}
        for turn in range(asked.rounds):
            for name in list(best):
                port, out = free_port(), root / f"{name.split()[0]}{turn}"
                objects_a_s, own_ms = rate(_command(name, port, out), port, sets)
                best[name] = max(best[name], objects_a_s)
                kept = out / "objects" if name != "storescp" else out
                found = hashes(kept)
                lost = sent.keys() - found.keys()
                changed = sum(found.get(uid) != digest for uid, digest in sent.items())
                fate = f"lost {len(lost)}, changed {changed}"
                print(f"  {name}: {objects_a_s:.0f} objects/s, own {own_ms:.2f} ms an object; {fate}", flush=True)
                shutil.rmtree(out)
        print(f"ratio {best['dvhkit listen'] / best['storescp']:.1f}")


def _command(name: str, port: int, out: Path) -> list[str]:
    if name == "storescp":
        return [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-q", "-aet", "DVHKIT", "-od", str(out)]
    words = ["listen", "--out", str(out), "--port", str(port), "--quiet-time", "3600", "--min-free-mb", "1"]
    return [sys.executable, "-m", "dvhkit", *words]


if __name__ == "__main__":
    main()
