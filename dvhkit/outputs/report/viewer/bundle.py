"""A scene as two texts in a page: a small JSON object that says what there is, and one text with all arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dvhkit.model.roi_kinds import is_body
from dvhkit.model.structure import ContourKind
from dvhkit.outputs.language import say
from dvhkit.outputs.pictures.colours import screen_colours
from dvhkit.outputs.report.viewer.codec import deflate, letters, pack_counts, pack_image
from dvhkit.outputs.report.viewer.squares import wanted_squares
from dvhkit.outputs.text import clean, clean_name

if TYPE_CHECKING:
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.dose import Dose
    from dvhkit.model.grid import Grid
    from dvhkit.model.structure import Contour, Structure
    from dvhkit.results.scene import Scene

# What a page may weigh with everything; base 85 and the rest of the page are counted in.
MOST_PAGE_BYTES = 7_900_000
_REST_OF_PAGE_BYTES = 300_000
_LEAST_IMAGE_BYTES = 300_000
_LETTERS_PER_BYTE = 1.25
# Contours travel in hundredths of a millimetre.
_CONTOUR_STEP_MM = 0.01
# A contour whose points leave its plane by more lies oblique to the planes that are shown.
_FLAT_MM = 0.5
# Doses stored in finer steps than this (32 bit) are rounded to it: a hundredth of what is printed.
_FINEST_GY = 2e-5
_LONGEST_NAME = 64
_LONGEST_REMARK = 400
_TARGETS = frozenset({"PTV", "CTV", "GTV", "ITV"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What the viewer's script reads: `facts` is JSON without any ``<``, `arrays` base-85 letters.

    `remarks` are sentences on what is not shown.
    """

    facts: str
    arrays: str
    remarks: tuple[str, ...]


class _Arrays:
    """Chunks one after the other; each is known by where it begins and how long it is."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def add(self, chunk: bytes) -> tuple[int, int]:
        begin = self.size
        self._parts.append(chunk)
        self.size += len(chunk)
        return begin, len(chunk)

    def text(self) -> str:
        return letters(b"".join(self._parts))


def make_bundle(scene: Scene, *, taken_bytes: int = 0) -> Bundle:
    """Return everything that the viewer shows of `scene`, no more than some 7.9 MB with the page around it.

    Dose and contours go in as they are; the image takes what room is left (see `pack_image`).
    """
    arrays, remarks = _Arrays(), list(scene.remarks)
    colours = screen_colours(s.color_rgb for s in scene.structures)
    rois = [_roi(s, c, scene.grid, arrays, remarks) for s, c in zip(scene.structures, colours, strict=True)]
    doses = [_dose(dose, arrays) for dose in (scene.dose, scene.dose_b) if dose is not None]
    image = _image(scene, arrays, remarks, taken_bytes)
    facts: dict[str, Any] = {
        "grid": _grid(scene.grid),
        "image": image,
        "doses": doses,
        "labels": [clean(scene.label_a, longest=80), clean(scene.label_b, longest=80)],
        "rois": rois,
        "levels": [float(level) for level in scene.levels_gy],
        "rx": scene.prescription_gy,
        "spots": [
            {"rule": s.rule, "roi": clean_name(s.roi, _LONGEST_NAME), "kind": s.kind, "at": s.point_mm, "gy": s.dose_gy}
            for s in scene.spots
        ],
    }
    # Within a script element only '<' could begin something.
    text = json.dumps(facts, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    shown = tuple(clean(remark, longest=_LONGEST_REMARK) for remark in remarks)
    return Bundle(facts=text, arrays=arrays.text(), remarks=shown)


def _grid(grid: Grid) -> dict[str, Any]:
    return {
        "origin": grid.origin_mm.tolist(),
        "axes": grid.axes.tolist(),
        "spacing": grid.spacing_mm.tolist(),
        "offsets": [round(float(offset), 6) for offset in grid.offsets_mm],
        "rows": grid.n_rows,
        "columns": grid.n_columns,
    }


def _image(scene: Scene, arrays: _Arrays, remarks: list[str], taken_bytes: int) -> dict[str, Any] | None:
    if scene.values is None:
        return None
    room = (MOST_PAGE_BYTES - _REST_OF_PAGE_BYTES - taken_bytes) / _LETTERS_PER_BYTE - arrays.size
    wanted = wanted_squares(scene)
    packed, held = pack_image(
        scene.values, most_bytes=max(_LEAST_IMAGE_BYTES, int(room)), exactly=[squares for _, squares in wanted]
    )
    if packed.tissue_error > 0:
        exact, left = (
            [clean_name(name, _LONGEST_NAME) for name, _ in part if name] for part in (wanted[:held], wanted[held:])
        )
        remarks.append(
            _rounded_text(packed.tissue_error, scene.value_unit or say("remark.units"), exact=exact, left=left)
        )
    return {
        "modality": clean(scene.modality, longest=16),
        "unit": scene.value_unit,
        "wide": packed.is_wide,
        "first": packed.first,
        "step": packed.step,
        "values": packed.values,
        "errors": packed.errors,
        "lows": packed.lows,
        "chunks": [arrays.add(chunk) for chunk in packed.chunks],
        # Where the exact squares of each plane begin, and how many there are.
        "exact": [(arrays.add(chunk)[0], count) for count, chunk in packed.exact],
    }


def _rounded_text(within: float, unit: str, *, exact: list[str], left: list[str]) -> str:
    """Return what is said of an image that is not exact as a whole: how far off it is, and in which structures not."""
    key = "remark.exact_in" if left else "remark.exact_but_outline"
    return say(key if exact else "remark.rounded", within=f"{within:g}", unit=unit, rois=", ".join(exact))


def _dose(dose: Dose, arrays: _Arrays) -> dict[str, Any]:
    """Return a dose as whole multiples of its own quantum, so that the page interpolates the very same numbers."""
    # By planes: a dose has tens of megabytes, and each step of the whole as many again.
    planes = dose.values_gy
    lowest, highest = float(planes.min(initial=0.0)), float(planes.max(initial=0.0))
    top = max(-lowest, highest)
    step = max(dose.quantum_gy, _FINEST_GY, top / 2**29)
    if not all(np.allclose(np.rint(p / step) * step, p, rtol=0.0, atol=_FINEST_GY) for p in planes):
        # A sum of doses has no quantum of its own.
        step = max(_FINEST_GY, top / 2**29)
    low = float(np.rint(lowest / step))
    chunk = arrays.add(pack_counts(np.rint(plane / step) - low for plane in planes))
    return {**_grid(dose.grid), "step": step, "low": low, "chunk": chunk}


def _roi(structure: Structure, colour: str, grid: Grid, arrays: _Arrays, remarks: list[str]) -> dict[str, Any]:
    """Return a structure's contours along the grid's axes: axis, place along it, and where each contour ends."""
    flat, oblique = [], 0
    for contour in structure.contours:
        placed = _placed(contour, grid)
        if placed is None:
            oblique += len(contour.points_mm) > 0
        else:
            flat.append(placed)
    name = clean_name(structure.name, _LONGEST_NAME) or f"#{structure.number}"
    if oblique:
        remarks.append(say("remark.oblique", roi=name, n=oblique))
    points = np.concatenate([p for _, _, _, p in flat]) if flat else np.empty((0, 2), dtype=np.int64)
    steps = np.diff(points, axis=0, prepend=np.zeros((1, 2), dtype=np.int64)) if len(points) else points
    outlines = _varints(steps.ravel())
    kind = structure.rt_roi_type
    return {
        "name": name,
        "number": structure.number,
        "color": colour,
        "type": clean(kind, longest=20),
        "group": "target" if kind in _TARGETS else "outline" if is_body(structure.name, kind) else "organ",
        "axis": [axis for axis, _, _, _ in flat],
        "at": [at for _, at, _, _ in flat],
        "closed": [int(closed) for _, _, closed, _ in flat],
        "ends": np.cumsum([len(p) for _, _, _, p in flat]).tolist(),
        "chunk": [*arrays.add(deflate(outlines)), len(outlines)],
    }


def _placed(contour: Contour, grid: Grid) -> tuple[int, float, bool, np.ndarray] | None:
    """Return a contour's axis (0 along columns, 1 along rows, 2 the normal), its place there, and its other two."""
    if not len(contour.points_mm) or not np.all(np.isfinite(contour.points_mm)):
        return None
    along: FloatArray = grid.to_grid_mm(contour.points_mm)
    reach = np.ptp(along, axis=0)
    axis = 2 if reach[2] <= _FLAT_MM else int(reach.argmin())
    if reach[axis] > _FLAT_MM:
        return None
    others = [a for a in range(3) if a != axis]
    points = np.rint(along[:, others] / _CONTOUR_STEP_MM).astype(np.int64)
    closed = contour.kind.is_closed and contour.kind is not ContourKind.POINT and len(points) >= 3
    return axis, round(float(np.mean(along[:, axis])), 3), closed, points


def _varints(numbers: np.ndarray) -> bytes:
    """Return signed whole numbers in seven bits a byte, the lowest first, a set high bit meaning that more follow."""
    folded = ((numbers << 1) ^ (numbers >> 63)).astype(np.uint64)
    out = np.zeros((len(folded), 6), dtype=np.uint8)
    used = np.zeros((len(folded), 6), dtype=bool)
    for place in range(6):
        rest = folded >> np.uint64(7 * place)
        used[:, place] = (rest > 0) | (place == 0)
        more = rest > 127
        out[:, place] = (rest & np.uint64(127)).astype(np.uint8) | (more.astype(np.uint8) << 7)
    return out[used].tobytes()
