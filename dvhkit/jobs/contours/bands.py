"""What structures of a cohort are like, and which structure of one set is unlike them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import DvhkitError, InputError
from dvhkit.findings import Level
from dvhkit.jobs.contours.structure_sets import read_drawn
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.naming.recognise import recognise
from dvhkit.results.contours.checks import BANDS_SCHEMA, Band, ContourBands, ContourFinding, StructureBands

if TYPE_CHECKING:
    from dvhkit.model.structure import StructureSet
    from dvhkit.targets.compare.checks.drawn import Drawn

# Medians of fewer say little.
LEAST_SETS = 8
# So many standard deviations of the logarithm, estimated from the median deviation: 1 of 2,000 of a normal cohort.
_SIGMAS = 3.5
_MAD_TO_SIGMA = 1.4826
# A cohort drawn by a template has no spread: a twentieth is no fault.
_LEAST_SIGMA = 0.02
_MOST_BYTES = 20_000_000
FEATURES = {"volume_cc": "cc", "height_mm": "mm", "width_mm": "mm", "depth_mm": "mm", "parts": "parts"}


def features_of(drawn: Drawn) -> dict[str, float]:
    """Return what of a drawn structure is compared with a cohort."""
    size = drawn.box_mm[1] - drawn.box_mm[0]
    gap = drawn.gap_mm or 0.0
    most = max(len(level.pieces) for level in drawn.levels)
    return {
        "volume_cc": drawn.volume_cc,
        "height_mm": float(size[2]) + gap,
        "width_mm": float(size[0]),
        "depth_mm": float(size[1]),
        "parts": float(most),
    }


def make_bands(paths: Sequence[Path]) -> ContourBands:
    """Return the usual ranges of structures in a cohort, by TG-263 name where it is known.

    Sets that cannot be read are named in `left_out`.

    Raises
    ------
    InputError
        If no structure occurs in enough sets.
    """
    from dvhkit.targets.compare.checks.drawn import drawn_of

    found: dict[str, list[dict[str, float]]] = {}
    left_out: list[str] = []
    for path in paths:
        try:
            structures = read_drawn(path).structures
        except DvhkitError as error:
            left_out.append(f"{path.name}: {error.message}")
            continue
        for structure, name in zip(structures, _names(structures), strict=True):
            drawn = drawn_of(structure)
            if drawn.levels and not drawn.problem:
                found.setdefault(name, []).append(features_of(drawn))
    made = {name: _bands(rows) for name, rows in sorted(found.items()) if len(rows) >= LEAST_SETS}
    if not made:
        raise InputError(f"no structure occurs in {LEAST_SETS} sets or more.", remedy="Name more sets.")
    return ContourBands(structures=made, left_out=tuple(left_out))


def _names(structures: StructureSet) -> list[str]:
    facts = [StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type) for s in structures]
    return [row.standard or s.name.strip() for row, s in zip(recognise(facts), structures, strict=True)]


def _bands(rows: Sequence[dict[str, float]]) -> StructureBands:
    bands = {}
    for feature in FEATURES:
        values = np.log([max(row[feature], 1e-6) for row in rows])
        middle = float(np.median(values))
        sigma = max(_LEAST_SIGMA, _MAD_TO_SIGMA * float(np.median(np.abs(values - middle))))
        bands[feature] = Band(low=exp(middle - _SIGMAS * sigma), high=exp(middle + _SIGMAS * sigma))
    return StructureBands(n=len(rows), **bands)


def read_bands(path: Path) -> ContourBands:
    """Return the bands in a file: for each structure ``{"volume_cc": [low, high], ...}``; features may be left out.

    Raises
    ------
    InputError
        If it holds no such bands.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError("is larger than any file of bands.", path=path)
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}).", path=path) from error
    except ValueError as error:
        raise InputError(f"is no JSON: {error}.", path=path) from error
    told = document.get("structures") if isinstance(document, dict) else None
    if not isinstance(told, dict) or document.get("schema", BANDS_SCHEMA) != BANDS_SCHEMA:
        raise InputError("holds no bands of structures.", path=path, remedy="Make one with: dvhkit contours bands.")
    return ContourBands(structures={str(name): _read_one(str(name), entry, path) for name, entry in told.items()})


def _read_one(name: str, entry: object, path: Path) -> StructureBands:
    if not isinstance(entry, dict) or set(entry) - {"n", *FEATURES}:
        raise InputError(f"the entry of {name[:60]!r} is no band of {', '.join(FEATURES)}.", path=path)
    bands: dict[str, Band] = {}
    for feature, ends in entry.items():
        if feature == "n":
            continue
        good = isinstance(ends, list) and len(ends) == 2 and all(isinstance(v, int | float) for v in ends)
        if not good or not 0 <= ends[0] <= ends[1]:
            raise InputError(f"{feature} of {name[:60]!r} is no [low, high].", path=path)
        bands[feature] = Band(low=float(ends[0]), high=float(ends[1]))
    count = entry.get("n", 0)
    return StructureBands(n=count if isinstance(count, int) else 0, **bands)


def against_cohort(members: Sequence[tuple[Drawn, str]], bands: ContourBands) -> Iterator[ContourFinding]:
    """Yield the structures that are unlike those of a cohort; each with its standard name."""
    by_name = {name.strip().casefold(): band for name, band in bands.structures.items()}
    for drawn, standard in members:
        own = by_name.get(standard.casefold()) or by_name.get(drawn.name.strip().casefold())
        if own is None or not drawn.levels or drawn.problem:
            continue
        level = drawn.levels[len(drawn.levels) // 2]
        for feature, value in features_of(drawn).items():
            band = getattr(own, feature)
            if band is None or band.low <= value <= band.high:
                continue
            unit, of = FEATURES[feature], f" of {own.n} sets" if own.n else ""
            what = feature.rsplit("_", 1)[0]
            yield ContourFinding(
                code="outside-cohort",
                roi=drawn.name,
                severity=Level.WARNING,
                slice_mm=drawn.slice_mm(level.w_mm),
                place_mm=drawn.inside_of(level.area, level.w_mm) if level.area.area > 0 else None,
                message=f"{what} {value:.4g} {unit}; the cohort{of} has {band.low:.4g} to {band.high:.4g}",
            )


def bands_text(bands: ContourBands) -> str:
    """Return bands as the JSON that `read_bands` takes."""
    structures = {
        name: {"n": one.n}
        | {f: [band.low, band.high] for f in FEATURES if (band := getattr(one, f)) is not None}
        for name, one in bands.structures.items()
    }  # fmt: skip
    return json.dumps({"schema": BANDS_SCHEMA, "structures": structures}, indent=2, ensure_ascii=False) + "\n"
