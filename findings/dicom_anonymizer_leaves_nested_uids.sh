#!/usr/bin/env bash
# dicom-anonymizer 2.1.0: UIDs inside sequences stay as they were while those at the top level are replaced, so that
# structures no longer refer to the image's slices, series and frame of reference, and the old UIDs are still there.
# Seen: FrameOfReferenceUID of CT, RTSTRUCT and RTDOSE is new and the same in all three; the frame of reference, series
# and slice UIDs that the RTSTRUCT's sequences hold, and the plan UID in the RTDOSE, are the original ones.
# Whoever links an anonymised plan by UID finds nothing; by frame of reference only the top-level UID helps.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'dicom-anonymizer==2.1.0' 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from dicomanonymizer import anonymize
from synthetic import circle, np, uid, write_ct, write_dose, write_structures

work = Path(sys.argv[1])
(work / "out").mkdir()
write_ct(work / "in", slices=3)
write_structures(work / "in/RS.dcm", [("GTV", "GTV", [(0, "CLOSED_PLANAR", circle(5))])], slices=3)
write_dose(work / "in/RD.dcm", np.ones((3, 6, 8)), origin=(-7, -5, 0), offsets=[0, 2, 4])
anonymize(str(work / "in"), str(work / "out"), {}, True)
ct, rs, rd = (pydicom.dcmread(work / "out" / name) for name in ("CT000.dcm", "RS.dcm", "RD.dcm"))
frame = rs.ReferencedFrameOfReferenceSequence[0]
nested = {
    "frame of reference": (frame.FrameOfReferenceUID, uid("frame"), ct.FrameOfReferenceUID),
    "series": (
        frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].SeriesInstanceUID,
        uid("series", "ct"),
        ct.SeriesInstanceUID,
    ),
    "slice": (
        rs.ROIContourSequence[0].ContourSequence[0].ContourImageSequence[0].ReferencedSOPInstanceUID,
        uid("ct", 0),
        ct.SOPInstanceUID,
    ),
}
print("dicom-anonymizer", version("dicom-anonymizer"))
for what, (held, original, new) in nested.items():
    print(f"{what}: nested is the original {held == original}, equals the image's new one {held == new}")
    assert held == original != new
assert ct.FrameOfReferenceUID == rs.FrameOfReferenceUID == rd.FrameOfReferenceUID != uid("frame")
assert rd.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == uid("plan")
PY
