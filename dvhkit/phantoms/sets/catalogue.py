"""Named phantoms with known DVHs: write one, compute its DVHs with any system, hold them against `truth_rows`.

Adding one is a function that returns a `CataloguePhantom` and a line in `_BUILDERS`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dvhkit.errors import InputError, OutputError
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.linear_sets import LINEAR_SPACINGS_MM, linear_set
from dvhkit.phantoms.sets.phantom_set import PhantomSet
from dvhkit.phantoms.sets.radial_sets import gaussian_set, radiosurgery_set
from dvhkit.phantoms.sets.target_sets import margin_set, pair_set, setup_set
from dvhkit.phantoms.sets.vertebra_set import SHAPES, vertebra_set
from dvhkit.phantoms.solids import Vector
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
    rows: tuple[TruthRow, ...]


Builder = Callable[[], tuple[PhantomSet, tuple[TruthRow, ...]]]
_NELMS = "after Nelms et al. 2015, doi 10.1118/1.4923175"
_STANLEY = "after Stanley et al. 2021, doi 10.1002/mp.14645"
_WALKER = "after Walker and Byrne 2025, doi 10.1016/j.meddos.2024.06.002"


def _linear(direction: str, slice_mm: float) -> Builder:
    return lambda: _with_rows(*linear_set(direction=direction, slice_mm=slice_mm))


def _spheres(diameter_mm: float, slice_mm: float) -> Builder:
    return lambda: _with_rows(*radiosurgery_set(diameter_mm=diameter_mm, slice_mm=slice_mm))


def _gaussian(radius_mm: float) -> Builder:
    return lambda: _with_rows(*gaussian_set(radius_mm=radius_mm))


def _vertebra(kind: str, tilt_deg: Vector) -> Builder:
    return lambda: vertebra_set(kind=kind, tilt_deg=tilt_deg)


def _margin(margin_mm: float) -> Builder:
    return lambda: margin_set(margin_mm=margin_mm)


def _pair(shift_mm: Vector, grown_mm: float) -> Builder:
    return lambda: pair_set(shift_mm=shift_mm, grown_mm=grown_mm)


def _setup(shift_mm: Vector) -> Builder:
    return lambda: setup_set(shift_mm=shift_mm)


def _with_rows(phantom: PhantomSet, truths: tuple[RoiTruth, ...]) -> tuple[PhantomSet, tuple[TruthRow, ...]]:
    return phantom, tuple(row for truth in truths for row in truth_rows(truth))


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
    **{
        f"vertebra-{kind}{suffix}": (
            f"a {kind} vertebra of known compartments with a lesion in its left pedicle{words}, 2 mm slices",
            "our own",
            _vertebra(kind, tilt),
        )
        for kind in SHAPES
        for suffix, words, tilt in (("", "", (0.0, 0.0, 0.0)), ("-tilted", ", tilted", (12.0, 8.0, 15.0)))
    },
    **{
        f"margin-{mm}mm": (
            f"GTV, CTV and PTV with {mm} mm between them, 2 mm slices",
            "our own",
            _margin(mm),
        )
        for mm in (2, 3, 5)
    },
    "pair-shifted": ("one sphere drawn twice, 5 mm apart, 2 mm slices", "our own", _pair((3.0, -4.0, 0.0), 0.0)),
    "pair-shifted-si": ("one sphere drawn twice, 3 mm apart along z, 2 mm slices", "our own", _pair((0, 0, 3.0), 0.0)),
    "pair-nested": ("one sphere inside another, 3 mm apart everywhere, 2 mm slices", "our own", _pair((0, 0, 0), 3.0)),
    **{
        f"setup-{name}": (f"a target as planned and set up 4 mm too far {words}", "our own", _setup(shift))
        for name, words, shift in (
            ("left", "left", (4.0, 0.0, 0.0)),
            ("posterior", "to the back", (0.0, 4.0, 0.0)),
            ("superior", "to the head", (0.0, 0.0, 4.0)),
        )
    },
}


def phantom_titles() -> dict[str, str]:
    """Return the names in the catalogue, and what each is."""
    return {name: title for name, (title, _, _) in _BUILDERS.items()}


def require_phantom(name: str) -> None:
    """Raise `InputError` for a name that is not in the catalogue."""
    if name not in _BUILDERS:
        raise InputError(f"there is no phantom {name!r}.", remedy="There are: " + ", ".join(_BUILDERS) + ".")


def make_phantom(name: str) -> CataloguePhantom:
    """Return the phantom of that name; raises `InputError` for a name that is not in the catalogue."""
    require_phantom(name)
    title, source, build = _BUILDERS[name]
    phantom, rows = build()
    # The label takes part in the UIDs, so phantoms of other names never share one.
    return CataloguePhantom(name=name, title=title, source=source, phantom=replace(phantom, label=name), rows=rows)


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
