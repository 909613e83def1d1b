"""Read a folder with pydicom and nothing else: CT headers, the dose's pixels, every contour's numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import pydicom


def main() -> None:
    numbers = 0
    for path in sorted(Path(sys.argv[1]).iterdir()):
        if path.name.startswith("CT_"):
            pydicom.dcmread(path, stop_before_pixels=True)
        elif path.name.startswith("RTDOSE"):
            numbers += pydicom.dcmread(path).pixel_array.size
        else:
            for roi in pydicom.dcmread(path).ROIContourSequence:
                for contour in roi.ContourSequence:
                    numbers += len(contour.ContourData)
    print(numbers)


if __name__ == "__main__":
    main()
