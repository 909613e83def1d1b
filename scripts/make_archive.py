"""Write a synthetic archive: N varied, linked liver plans, some with a planted fault, and the truth about each.

OUT/plans/        a folder a case, as planning systems of different habits export
OUT/truth.csv     case, fault (empty where there is none), and by what an audit tells it
OUT/metrics.csv   case, roi, metric, value: closed forms, of the cases whose fault leaves them true
OUT/plans.csv     case, protocol and clinical context, for `dvhkit audit --plans`

The same N and seed give the same bytes. Nothing of it was ever a patient.

Usage: python scripts/make_archive.py N OUT [--seed S] [--faults SHARE] [--clinical]
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo_archive.contours import structure_set
from demo_archive.faults import FAULTS, Fault
from demo_archive.multiframe import multiframe_series
from demo_archive.patient import Patient, make_patient

from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.dicom.dose import build_dose
from dvhkit.phantoms.dicom.image import build_slices
from dvhkit.phantoms.dicom.modules import save
from dvhkit.phantoms.dicom.plan import build_plan
from dvhkit.phantoms.dicom.uids import SetUids

PROTOCOL = "oligoprogressive-liver-2025"
# How files are called and spread, as seen in exports.
_SUFFIXES = (".dcm", ".dcm", "", ".DCM")
_LAYOUTS = ("flat", "flat", "by modality")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a synthetic archive of radiotherapy plans.")
    parser.add_argument("n", type=int, metavar="N", help="how many cases")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.2, metavar="SHARE", help="share of cases with a fault (0.2)")
    parser.add_argument("--clinical", action="store_true", help="30 structures of 177,000 points, without faults")
    wish = parser.parse_args()
    if wish.n < 1 or not 0 <= wish.faults <= 1 or wish.seed < 0:
        parser.error("N is at least 1, SHARE lies between 0 and 1, the seed is not negative")
    if wish.clinical:
        write_clinical(wish.n, wish.out, wish.seed)
    else:
        write_archive(wish.n, wish.out, wish.seed, wish.faults)
    print(f"{wish.n} cases in {wish.out / 'plans'}; the truth is in {wish.out / 'truth.csv'}")


def write_archive(n: int, out: Path, seed: int = 0, share: float = 0.2) -> None:
    """Write `n` cases; a `share` of them has one fault each, every kind as often as any other."""
    faults = planted(n, seed, share)
    truth, metrics, plans = [], [], []
    for number, fault in enumerate(faults, start=1):
        rng = np.random.default_rng((seed, number))
        patient = make_patient(f"case-{number:05d}", rng)
        write_case(out / "plans" / patient.name, patient, FAULTS.get(fault), rng)
        truth.append((patient.name, fault, FAULTS[fault].told_by if fault else ""))
        metrics += [(patient.name, *row) for row in patient.truth()] if not fault else []
        plans.append((patient.name, PROTOCOL, 2, str(bool(rng.random() < 0.2)).lower()))
    _write_csv(out / "truth.csv", ("case", "fault", "told_by"), truth)
    _write_csv(out / "metrics.csv", ("case", "roi", "metric", "value"), metrics)
    _write_csv(out / "plans.csv", ("case", "protocol", "contour_approvers", "child_pugh_b7_worse"), plans)


def planted(n: int, seed: int, share: float) -> list[str]:
    """Return the fault of each case, empty for most; kinds follow each other until the share is full."""
    rng = np.random.default_rng(seed)
    kinds = [str(kind) for kind in rng.permutation(list(FAULTS))]
    faults = [kinds[k % len(kinds)] for k in range(round(n * share))]
    return [str(fault) for fault in rng.permutation([*faults, *[""] * (n - len(faults))])]


def write_case(folder: Path, patient: Patient, fault: Fault | None, rng: np.random.Generator) -> None:
    """Write one case in one of the usual layouts, with its fault if it has one."""
    if fault is not None:
        patient = fault.patient(patient)
    objects = list(_objects(patient))
    if fault is not None:
        objects = fault.objects(objects)
    suffix, layout = str(rng.choice(_SUFFIXES)), str(rng.choice(_LAYOUTS))
    for stem, ds in objects:
        place = folder / str(ds.Modality) if layout == "by modality" else folder
        save(ds, place / f"{stem}{suffix}")
    if fault is not None:
        fault.files(folder)


def _objects(patient: Patient) -> Iterator[tuple[str, Dataset]]:
    phantom = patient.phantom
    assert phantom.image is not None
    assert phantom.plan is not None
    uids = SetUids(phantom)
    make = multiframe_series if patient.is_multiframe else build_slices
    images = make(phantom, uids, phantom.image)
    yield from ((f"CT_{n:03d}", ds) for n, ds in enumerate(images, start=1))
    yield "RTSTRUCT", structure_set(phantom, uids, is_multiframe=patient.is_multiframe)
    yield "RTPLAN", build_plan(phantom, uids, phantom.plan)
    yield "RTDOSE", build_dose(phantom, uids, 0)


def write_clinical(n: int, out: Path, seed: int) -> None:
    """Write cases of clinical size: all unlike, none with a fault."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
    import clinical_case

    base = clinical_case.phantom()
    for number in range(1, n + 1):
        name = f"case-{number:05d}"
        dose = base.doses[0]
        factor = 1.0 + 0.02 * float(np.random.default_rng((seed, number)).uniform(-1, 1))
        doses = (replace(dose, values_gy=dose.values_gy * factor),)
        write_set(out / "plans" / name, replace(base, label=name, patient_id=f"SYN-{name.upper()}", doses=doses))
    _write_csv(out / "truth.csv", ("case", "fault", "told_by"), [(f"case-{k:05d}", "", "") for k in range(1, n + 1)])


def _write_csv(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
