"""What is usually done with masks: fill contours on image slices, look the dose up in them, sort."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import clinical_case
import numpy as np
import SimpleITK
from clinical_case import SLICE_MM
from skimage.draw import polygon2mask
from timing import command

from dvhkit.model.dose import Dose
from dvhkit.model.structure import Structure

Metrics = dict[str, dict[str, float]]
_N_PLANES, _N_ROWS, _N_COLUMNS = clinical_case.CT_SHAPE_ZYX
_FIRST_MM = -255.5
_VOXEL_CC = SLICE_MM / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program's times in s and what it found; `skipped` says why where there is nothing."""

    name: str
    masks_s: float | None = None
    dvhs_s: float | None = None
    metrics: Metrics | None = None
    skipped: str = ""


def of_doses(hottest_first: np.ndarray) -> dict[str, float]:
    """Return the metrics of a structure from the doses of its voxels."""
    n = len(hottest_first)
    return {
        "Volume": n * _VOXEL_CC,
        "Mean": float(hottest_first.mean()) if n else float("nan"),
        "D95%": float(hottest_first[min(n - 1, int(0.95 * n))]) if n else float("nan"),
        "D2%": float(hottest_first[int(0.02 * n)]) if n else float("nan"),
    }


def dose_on_ct(dose: Dose) -> np.ndarray:
    """Return the dose on the image's voxels, trilinear, by SimpleITK."""
    image = SimpleITK.GetImageFromArray(dose.values_gy)
    image.SetOrigin([float(v) for v in dose.grid.origin_mm])
    image.SetSpacing([*(float(v) for v in dose.grid.spacing_mm), float(np.diff(dose.grid.offsets_mm)[0])])
    onto = SimpleITK.Image([_N_COLUMNS, _N_ROWS, _N_PLANES], SimpleITK.sitkUInt8)
    onto.SetOrigin([_FIRST_MM, _FIRST_MM, 0.0])
    onto.SetSpacing([1.0, 1.0, SLICE_MM])
    return SimpleITK.GetArrayFromImage(SimpleITK.Resample(image, onto, SimpleITK.Transform(), SimpleITK.sitkLinear))


def skimage_masks(structures: Iterable[Structure]) -> list[tuple[str, np.ndarray]]:
    """Fill every contour on its slice with scikit-image, holes by exclusive or."""
    found = []
    for drawn in structures:
        mask = np.zeros(clinical_case.CT_SHAPE_ZYX, dtype=bool)
        for contour in drawn.contours:
            plane = round(contour.points_mm[0, 2] / SLICE_MM)
            mask[plane] ^= polygon2mask((_N_ROWS, _N_COLUMNS), contour.points_mm[:, 1::-1] - _FIRST_MM)
        found.append((drawn.name, mask))
    return found


def from_masks(masks: Iterable[tuple[str, np.ndarray]], given: np.ndarray) -> Metrics:
    return {name: of_doses(np.sort(given[mask])[::-1]) for name, mask in masks}


def skimage_peer(structures: list[Structure], dose: Dose) -> Peer:
    start = time.perf_counter()
    masks = skimage_masks(structures)
    filled = time.perf_counter()
    metrics = from_masks(masks, dose_on_ct(dose))
    return Peer(
        name="scikit-image masks, SimpleITK dose, numpy DVH",
        masks_s=filled - start,
        dvhs_s=time.perf_counter() - start,
        metrics=metrics,
    )


def rt_utils_peer(folder: Path, names: list[str], dose: Dose) -> Peer:
    """Fill with rt-utils (OpenCV); reading the files is not counted."""
    from rt_utils import RTStructBuilder

    name = "rt-utils (OpenCV) masks, SimpleITK dose, numpy DVH"
    with tempfile.TemporaryDirectory() as slices, redirect_stdout(StringIO()):
        for path in folder.glob("CT_*"):
            (Path(slices) / path.name).symlink_to(path)
        read = RTStructBuilder.create_from(slices, str(folder / "RTSTRUCT.dcm"))
        start = time.perf_counter()
        masks = [(n, np.ascontiguousarray(np.moveaxis(read.get_roi_mask_by_name(n), 2, 0))) for n in names]
        filled = time.perf_counter()
        metrics = from_masks(masks, dose_on_ct(dose))
    return Peer(name=name, masks_s=filled - start, dvhs_s=time.perf_counter() - start, metrics=metrics)


def plastimatch_peer(folder: Path) -> Peer:
    """Let plastimatch's two commands make masks and DVHs; both read and write files, as it does not come otherwise."""
    name = "plastimatch (two commands, with files)"
    program = shutil.which("plastimatch")
    if program is None:
        return Peer(name=name, skipped="not installed; Debian has it as package plastimatch")
    with tempfile.TemporaryDirectory() as place:
        masks, names, dose, csv = (Path(place) / n for n in ("masks.nrrd", "names.txt", "dose.nrrd", "dvh.csv"))
        start = time.perf_counter()
        command(program, "convert", "--input", folder, "--output-ss-img", masks, "--output-ss-list", names,
                "--output-dose-img", dose)  # fmt: skip
        filled = time.perf_counter()
        command(program, "dvh", "--input-ss-img", masks, "--input-ss-list", names, "--input-dose", dose,
                "--output-csv", csv, "--num-bins", 7000, "--bin-width", 0.01, "--normalization", "vox")  # fmt: skip
        done = time.perf_counter()
        metrics = _plastimatch_metrics(csv)
    return Peer(name=name, masks_s=filled - start, dvhs_s=done - start, metrics=metrics)


def _plastimatch_metrics(csv: Path) -> Metrics:
    head, *lines = csv.read_text().splitlines()
    values = np.array([[float(v) for v in line.split(",")] for line in lines if line])
    dose_gy = values[:, 0]
    found = {}
    for name, above in zip(head.split(",")[1:], values[:, 1:].T, strict=True):
        total = above[0]
        mean = float(np.sum((above[1:] + above[:-1]) / 2 * np.diff(dose_gy)) / total)
        at = {f"D{p}%": float(np.interp(-p / 100 * total, -above, dose_gy)) for p in (95, 2)}
        found[name.strip()] = {"Volume": float(total * _VOXEL_CC), "Mean": mean, **at}
    return found
