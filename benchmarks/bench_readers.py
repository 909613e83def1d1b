"""Time the readers against plain pydicom: ``bench_readers.py [FOLDER]``.

FOLDER holds one case (image, structures, plan, doses); without it the shipped plan is taken. Besides, a structure set
of 20 MB is made and read. Times are the best of several runs, with files in the cache of the operating system.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian
from timing import ROOT, best, table

from dvhkit.readers.archive.index import scan
from dvhkit.readers.archive.roles import Role
from dvhkit.readers.case import read_case
from dvhkit.readers.rtstruct import read_structures


def bench_case(folder: Path) -> list[list[object]]:
    """Return the rows of one case."""
    index = scan(folder)
    images = [entry.path for entry in index.of_role(Role.IMAGE)]
    roles = (Role.RTSTRUCT, Role.RTPLAN, Role.RTDOSE)
    objects = [entry.path for role in roles for entry in index.of_role(role)]

    def plain() -> None:
        for path in images:
            pydicom.dcmread(path, stop_before_pixels=True)
        for path in objects:
            pydicom.dcmread(path)

    ours, theirs = best(lambda: read_case(folder), 15), best(plain, 15)
    what = f"case of {len(images)} slices and {len(objects)} RT objects"
    return [
        [f"{what}: pydicom, headers and RT objects, nothing decoded", 1e3 * theirs, 1.0],
        [f"{what}: dvhkit, found, linked, decoded, checked", 1e3 * ours, ours / theirs],
    ]


def large_structure_set(path: Path, megabytes: int = 20) -> None:
    """Write a structure set of rings of 250 points, as large as asked for."""
    rng = np.random.default_rng(0)
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.3", "RTSTRUCT"
    data.StructureSetROISequence, data.ROIContourSequence = Sequence([]), Sequence([])
    written, number = 0, 0
    while written < megabytes * 1e6:
        number += 1
        roi, item = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, f"ROI {number}", "1.2.4"
        item.ReferencedROINumber, item.ContourSequence = number, Sequence([])
        for z in range(150):
            points = np.column_stack([rng.uniform(-200, 200, (250, 2)), np.full(250, 2.0 * z)])
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 250
            contour.ContourData = [f"{v:.3f}" for v in points.ravel()]
            written += sum(len(v) + 1 for v in map(str, contour.ContourData))
            item.ContourSequence.append(contour)
        data.StructureSetROISequence.append(roi)
        data.ROIContourSequence.append(item)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.save_as(path, enforce_file_format=True)


def bench_structures() -> list[list[object]]:
    """Return the rows of a large structure set."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "structures"
        large_structure_set(path)

        def plain() -> None:
            data = pydicom.dcmread(path)
            for roi in data.ROIContourSequence:
                for contour in roi.ContourSequence:
                    np.array(contour.ContourData, dtype=float)

        ours, theirs = best(lambda: read_structures(path), 3), best(plain, 2)
        what = f"structure set of {path.stat().st_size / 1e6:.0f} MB"
        return [
            [f"{what}: pydicom, every contour into an array", 1e3 * theirs, 1.0],
            [f"{what}: dvhkit", 1e3 * ours, ours / theirs],
        ]


def report(folder: Path = ROOT / "test_data" / "liver_sbrt") -> str:
    """Return the table of one run."""
    return table(["what", "ms", "times pydicom"], [*bench_case(folder), *bench_structures()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "test_data" / "liver_sbrt")
    print(report(parser.parse_args().folder))


if __name__ == "__main__":
    main()
