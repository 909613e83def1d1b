"""Make test_data/: a synthetic liver SBRT patient as CT, RTSTRUCT, RTPLAN and RTDOSE, and its clinical context.

Nothing of it was ever a patient. Every run gives the same bytes.

Usage: python scripts/make_demo_data.py [FOLDER]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo_liver import dose, image, structures, targets

from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomImage, PhantomSet, arc_plan, axial_grid

ROOT = Path(__file__).resolve().parents[1]
GANTRY_DEG = [float(a % 360) for a in range(181, 391, 10)]
CONTEXT = """\
# What the DICOM files of the demo cannot say. Invented, like the patient.
child_pugh_b7_worse: true  # Child-Pugh B7 with evidence of worse liver function: the stricter liver limit applies
"""


def demo_patient() -> PhantomSet:
    grid = axial_grid(
        shape_zyx=(image.N_SLICES, image.N_ROWS, image.N_COLUMNS),
        spacing_xyz_mm=(image.PIXEL_MM, image.PIXEL_MM, image.SLICE_MM),
        first_xyz_mm=image.FIRST_MM,
    )
    dose_grid = axial_grid(
        shape_zyx=(88, 90, 140),
        spacing_xyz_mm=(dose.GRID_MM,) * 3,
        first_xyz_mm=(-174.0, -113.0, -114.0),
    )
    isocentre = tuple(float(v) for v in targets.CENTRE_MM)
    return PhantomSet(
        label="liver_sbrt",
        structures=structures.structures(grid.origin_mm[2] + grid.offsets_mm),
        image=PhantomImage(grid=grid, values_hu=image.ct_numbers(grid), rle=True),
        plan=arc_plan(
            dose_gy=dose.PRESCRIPTION_GY,
            fractions=dose.FRACTIONS,
            roi_number=structures.PTV_NUMBER,
            label="LIVER_SBRT_50",
            isocentre_mm=isocentre,
            approval_status="APPROVED",
        ),
        doses=(
            PhantomDose(
                grid=dose_grid, values_gy=dose.dose_gy(dose_grid, GANTRY_DEG), bits=16, quantum_gy=dose.QUANTUM_GY
            ),
        ),
        patient_name="DEMO^LIVER",
        patient_id="DEMO-0001",
        contour_decimals=3,
    )


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "test_data"
    folder = target / "liver_sbrt"
    if folder.exists():
        shutil.rmtree(folder)
    paths = write_set(folder, demo_patient())
    (target / "liver_sbrt_context.yaml").write_text(CONTEXT, encoding="utf-8")
    size_mb = sum(p.stat().st_size for p in paths) / 1e6
    print(f"{len(paths)} files, {size_mb:.1f} MB, in {folder}")


if __name__ == "__main__":
    main()
