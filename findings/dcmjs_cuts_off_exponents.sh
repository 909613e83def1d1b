#!/usr/bin/env bash
# dcmjs 0.51.1 (npm) cuts decimal texts to the 16 characters that DICOM allows, exponent and all. A contour turned by 90
# degrees has x = 6.3273213848146725e-16 mm where it crosses the axis; the file says 6.32732138481467 mm. A DoseGridScaling
# of 1.5110708778000002e-8 becomes 1.5110708778: doses a hundred million times too high. A line on the console says
# "Truncating value"; nothing is thrown.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys

from synthetic import circle, np, write_dose, write_structures

write_structures(sys.argv[1] + "/structures.dcm", [("A", "PTV", [(3, "CLOSED_PLANAR", circle(10.3333))])])
rising = np.arange(60.0).reshape(3, 4, 5)
write_dose(sys.argv[1] + "/dose.dcm", rising, origin=(-4, -3, -2), offsets=[0, 2, 4])
PY
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" 'dcmjs@0.51.1' >/dev/null
cat > turn.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import dcmjs from "dcmjs";

const { DicomMessage, DicomMetaDictionary } = dcmjs.data;
function read(path) {
  const bytes = fs.readFileSync(path);
  return DicomMessage.readFile(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
function changed(path, change) {
  const file = read(path);
  const data = DicomMetaDictionary.naturalizeDataset(file.dict);
  const asked = change(data);
  file.dict = DicomMetaDictionary.denaturalizeDataset(data);
  fs.writeFileSync("out.dcm", Buffer.from(file.write()));
  return [asked, DicomMetaDictionary.naturalizeDataset(read("out.dcm").dict)];
}
const [x, structures] = changed("structures.dcm", (data) => {
  const contour = data.ROIContourSequence[0].ContourSequence[0];
  const points = [...contour.ContourData];
  const [cos, sin] = [Math.cos(Math.PI / 2), Math.sin(Math.PI / 2)];
  for (let i = 0; i < points.length; i += 3) {
    const [a, b] = [points[i], points[i + 1]];
    points[i] = a * cos - b * sin;
    points[i + 1] = a * sin + b * cos;
  }
  contour.ContourData = points;
  return points[0];
});
const written = structures.ROIContourSequence[0].ContourSequence[0].ContourData[0];
const [scaling, dose] = changed("dose.dcm", (data) => (data.DoseGridScaling *= 1.1));
console.log("dcmjs 0.51.1: x asked", x, "written", written, "; scaling asked", scaling, "written", dose.DoseGridScaling);
assert(Math.abs(x) < 1e-12 && Math.abs(written - 6.32732138481467) < 1e-9);
assert(scaling < 2e-8 && Math.abs(dose.DoseGridScaling / scaling - 1e8) < 100);
JS
node turn.mjs 2>/dev/null | grep -v '^Truncating'
