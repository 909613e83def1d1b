"""Label maps of vertebrae (NIfTI, NRRD, MetaImage): read into patient coordinates, understood by a table."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError, InputError
from dvhkit.extras import needs_extra
from dvhkit.model.arrays import frozen_array
from dvhkit.model.grid import Grid
from dvhkit.targets.vertebra.labels.names import parse_level
from dvhkit.targets.vertebra.rules import Compartment
from dvhkit.yaml_text import Plain, read_yaml

ARCH = "arch"
_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_MOST_VOXELS = 1_000_000_000


class LabelTableError(InputError):
    """A label table that cannot be used: file, line, reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """What the numbers of a label map mean.

    Attributes
    ----------
    vertebrae
        Level, such as L03, by number.
    regions
        Compartment, or ``arch`` for pedicles and laminae in one, by number; empty where there are no sub-regions.
    canal
        Numbers of the spinal canal or cord.
    sacrum
        Numbers of the sacrum and its segments, which have no compartments.
    """

    id: str
    title: str
    source: str
    vertebrae: dict[int, str]
    regions: dict[int, Compartment | str]
    canal: tuple[int, ...]
    sacrum: tuple[int, ...] = ()

    def number_of(self, level: str) -> int | None:
        """Return the number of a level, or None."""
        return next((number for number, name in self.vertebrae.items() if name == level), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelMap:
    """A label map in patient coordinates; `labels` is [k, j, i] on `grid`.

    `frame_of_reference_uid` is empty where the file does not say, as NIfTI and NRRD never do.
    """

    grid: Grid
    labels: NDArray[np.uint16]
    path: Path
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", frozen_array(self.labels, dtype=np.uint16))


def read_label_map(path: Path | str) -> LabelMap:
    """Return the label map in a NIfTI, NRRD or MetaImage file, its axes turned to left, back and up.

    NIfTI counts to the right and forwards and DICOM to the left and backwards; the reader takes care of that, and of
    axes stored in any order.

    Raises
    ------
    InputError
        If the file cannot be read, is no 3-D image, or holds values that are no labels.
    """
    path = Path(path)
    if not path.name.casefold().endswith(_SUFFIXES):
        raise InputError(
            "this is no label map that can be read.", path=path, remedy=f"Use {', '.join(_SUFFIXES)}, or a DICOM SEG."
        )
    if not path.is_file():
        raise InputError("there is no such file.", path=path, remedy="Check the name.")
    image, values = _read_upright(path)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    spacing = image.GetSpacing()
    try:
        grid = Grid(
            origin_mm=np.array(image.GetOrigin()),
            axes=direction.T,
            spacing_mm=np.array(spacing[:2]),
            offsets_mm=np.arange(values.shape[0]) * spacing[2],
            n_rows=values.shape[1],
            n_columns=values.shape[2],
        )
    except GeometryError as bad:
        raise InputError(f"the label map has no usable geometry: {bad.message}", path=path) from bad
    return LabelMap(grid=grid, labels=_as_labels(values, path), path=path)


def _read_upright(path: Path) -> tuple[Any, NDArray[Any]]:
    with needs_extra("masks"):
        import SimpleITK

    itk: Any = SimpleITK
    try:
        reader = itk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        size = reader.GetSize()
        if len([n for n in size if n > 1]) > 3 or len(size) < 3 or int(np.prod(size)) > _MOST_VOXELS:
            raise InputError(f"the label map is {' x '.join(map(str, size))}, not a 3-D image.", path=path)
        image = reader.Execute()
        if image.GetDimension() == 4:
            image = image[:, :, :, 0]
        if image.GetNumberOfComponentsPerPixel() != 1:
            raise InputError("the label map has several values a voxel.", path=path, remedy="Save one number a voxel.")
        image = itk.DICOMOrient(image, "LPS")
    except RuntimeError as bad:
        reason = str(bad).strip().splitlines()[-1][:200] if str(bad).strip() else "unknown"
        raise InputError(f"the label map cannot be read: {reason}", path=path) from bad
    return image, itk.GetArrayFromImage(image)


def _as_labels(values: NDArray[Any], path: Path) -> NDArray[np.uint16]:
    whole = np.round(values)
    if (
        not np.all(np.isfinite(values))
        or np.any(np.abs(values - whole) > 1e-3)
        or whole.min() < 0
        or whole.max() > 65535
    ):
        raise InputError(
            "the values are no labels (whole numbers from 0).",
            path=path,
            remedy="Use a label map, resampled with nearest neighbour, not an image or a probability map.",
        )
    return np.asarray(whole, dtype=np.uint16)


@lru_cache(maxsize=1)
def table_paths() -> dict[str, Path]:
    """Return the shipped label tables by ID."""
    folder = Path(str(files("dvhkit.targets"))) / "data" / "vertebra" / "labels"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_label_table(id_or_path: str | Path) -> LabelTable:
    """Return the shipped label table of that ID, or the one in that YAML file.

    Raises
    ------
    LabelTableError
        With file and line of the fault; or with the nearest ID.
    """
    shipped = table_paths()
    path = shipped.get(str(id_or_path), Path(id_or_path))
    if path.suffix.casefold() not in (".yaml", ".yml"):
        near = get_close_matches(str(id_or_path), shipped, n=1, cutoff=0.4)
        asked = f"Did you mean {near[0]!r}? " if near else ""
        raise LabelTableError(
            f"there is no label table {str(id_or_path)[:60]!r}.", remedy=f"{asked}There are: {', '.join(shipped)}."
        )
    document = read_yaml(path, error=LabelTableError)

    def refuse(key: str, why: str) -> LabelTableError:
        return LabelTableError(why, path=path, where=f"line {document.line_of((key,))}")

    unknown = set(document.data) - {"id", "title", "source", "vertebrae", "regions", "canal", "sacrum"}
    if unknown:
        raise refuse(min(unknown), f"the key {min(unknown)[:40]!r} is not known here.")
    vertebrae = {n: parse_level(str(word)) for n, word in _numbered(document.data.get("vertebrae"), refuse).items()}
    if not vertebrae or None in vertebrae.values():
        raise refuse("vertebrae", "'vertebrae' must give a level such as L3 for each number.")
    regions = {n: _region(str(w), refuse) for n, w in _numbered(document.data.get("regions", {}), refuse).items()}
    canal, sacrum = (_numbers(document.data.get(key, []), key, refuse) for key in ("canal", "sacrum"))
    return LabelTable(
        id=str(document.data.get("id", path.stem)),
        title=str(document.data.get("title", "")),
        source=str(document.data.get("source", "")),
        vertebrae={n: level for n, level in vertebrae.items() if level},
        regions=regions,
        canal=canal,
        sacrum=sacrum,
    )


def _numbers(node: Plain, key: str, refuse: Any) -> tuple[int, ...]:  # noqa: ANN401 -- a local factory of errors
    if not isinstance(node, list) or not all(isinstance(n, int) for n in node):
        raise refuse(key, f"{key!r} must be a list of numbers.")
    return tuple(int(n) for n in node if isinstance(n, int))


def _numbered(node: Plain, refuse: Any) -> dict[int, Plain]:  # noqa: ANN401 -- a local factory of errors
    if not isinstance(node, dict) or not all(key.isdigit() for key in node):
        raise refuse("vertebrae", "a label table must map numbers to names.")
    return {int(key): value for key, value in node.items()}


def _region(word: str, refuse: Any) -> Compartment | str:  # noqa: ANN401
    if word == ARCH:
        return word
    try:
        return Compartment(word)
    except ValueError:
        raise refuse(
            "regions", f"{word[:40]!r} is no compartment; there are: {', '.join(Compartment)}, arch."
        ) from None
