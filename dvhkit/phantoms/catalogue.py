"""Named phantoms with known DVHs: write one, compute its DVHs with any system, hold them against `truth_rows`.

Adding one is a function that returns a `CataloguePhantom` and a line in `_BUILDERS`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvhkit.errors import InputError, OutputError
from dvhkit.phantoms.dicom_set import write_set
from dvhkit.phantoms.linear_sets import LINEAR_SPACINGS_MM, linear_set
from dvhkit.phantoms.phantom_set import PhantomSet
from dvhkit.phantoms.radial_sets import gaussian_set, radiosurgery_set
from dvhkit.phantoms.truth_rows import RoiTruth, TruthRow, truth_rows

SCHEMA = "dvhkit/phantom-truth/1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CataloguePhantom:
    """A phantom and what a perfect DVH calculator would say of it.

    Attributes
    ----------
    source
        Who used such a phantom first.
    rows
        The true metrics of every structure.
    """

    name: str
    title: str
    source: str
    phantom: PhantomSet
    truths: tuple[RoiTruth, ...]
    rows: tuple[TruthRow, ...]


Builder = Callable[[], tuple[PhantomSet, tuple[RoiTruth, ...]]]
_NELMS = "after Nelms et al. 2015, doi 10.1118/1.4923175"
_STANLEY = "after Stanley et al. 2021, doi 10.1002/mp.14645"
_WALKER = "after Walker and Byrne 2025, doi 10.1016/j.meddos.2024.06.002"


def _linear(direction: str, slice_mm: float) -> Builder:
    return lambda: linear_set(direction=direction, slice_mm=slice_mm)


def _spheres(diameter_mm: float, slice_mm: float) -> Builder:
    return lambda: radiosurgery_set(diameter_mm=diameter_mm, slice_mm=slice_mm)


def _gaussian(radius_mm: float) -> Builder:
    return lambda: gaussian_set(radius_mm=radius_mm)


_LINEAR_TITLES = {
    "si": "a dozen solids in a dose that grows from head to feet",
    "ap": "a dozen solids in a dose that grows from back to front",
    "oblique": "a dozen solids in a dose that grows askew to every axis",
}
_BUILDERS: dict[str, tuple[str, str, Builder]] = {
    **{
        f"linear-{way}-{mm}mm": (f"{title}, {mm} mm slices", _NELMS, _linear(way, float(mm)))
        for way, title in _LINEAR_TITLES.items()
        for mm in LINEAR_SPACINGS_MM
    },
    **{
        f"spheres-{diameter}mm-slice-{mm}mm": (
            f"small targets of {diameter} mm at ten places between voxels, steep dose, {mm} mm slices",
            _STANLEY,
            _spheres(float(diameter), float(mm)),
        )
        for diameter in (3, 5, 7, 10, 15, 20)
        for mm in (1, 2)
    },
    **{
        f"gaussian-r{radius}mm": (
            f"a sphere of radius {radius} mm in a Gaussian dose, drawn on and between slices",
            _WALKER,
            _gaussian(float(radius)),
        )
        for radius in (2, 3, 5, 9)
    },
}


def phantom_titles() -> dict[str, str]:
    """Return the names in the catalogue, and what each is."""
    return {name: title for name, (title, _, _) in _BUILDERS.items()}


def make_phantom(name: str) -> CataloguePhantom:
    """Return the phantom of that name; raises `InputError` for a name that is not in the catalogue."""
    if name not in _BUILDERS:
        raise InputError(f"there is no phantom {name!r}.", remedy="There are: " + ", ".join(_BUILDERS) + ".")
    title, source, build = _BUILDERS[name]
    phantom, truths = build()
    rows = tuple(row for truth in truths for row in truth_rows(truth))
    return CataloguePhantom(name=name, title=title, source=source, phantom=phantom, truths=truths, rows=rows)


def write_phantom(folder: Path | str, name: str) -> tuple[Path, ...]:
    """Write a phantom's DICOM files, ``truth.json`` and ``truth.csv`` into `folder`; return what was written."""
    made = make_phantom(name)
    target = Path(folder)
    paths = write_set(target, made.phantom)
    as_json, as_csv = target / "truth.json", target / "truth.csv"
    try:
        as_json.write_text(truth_text(made), encoding="utf-8")
        with as_csv.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(TruthRow._fields)
            writer.writerows(made.rows)
    except OSError as error:
        raise OutputError(
            f"the truth cannot be written: {error.strerror or error}.", path=target, remedy="Choose another folder."
        ) from error
    return (*paths, as_json, as_csv)


def truth_text(made: CataloguePhantom) -> str:
    """Return the truth as JSON."""
    record = {
        "schema": SCHEMA,
        "phantom": made.name,
        "title": made.title,
        "source": made.source,
        "rows": [row._asdict() for row in made.rows],
    }
    return json.dumps(record, indent=1) + "\n"
