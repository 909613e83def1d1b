"""Masks of any origin, one structure a mask: NIfTI, NRRD and MetaImage, folders of them, label maps, DICOM SEG.

Whatever the file's own axes are, a mask comes with the matrix from its voxel indices to patient coordinates (LPS, mm).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import InputError
from dvhkit.extras import needs_extra
from dvhkit.model.arrays import FloatArray

_NIFTI = (".nii", ".nii.gz")
_SUFFIXES = (*_NIFTI, ".nrrd", ".nhdr", ".mha", ".mhd")
_MOST_VOXELS = 1 << 30
_MOST_LABELS = 2000
# Direction cosines in files are single floats: more than this and the axes are sheared.
_SHEAR_ATOL = 1e-3
_CARET_LABEL = re.compile(rb'<Label\b[^>]*?\bKey="(\d+)"[^>]*>\s*(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?\s*</Label>', re.S)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mask:
    """One structure as voxels.

    Attributes
    ----------
    values : (k, j, i)
        Bool, or the share of each voxel as float32 in 0..1.
    to_lps : (3, 4)
        Matrix from (i, j, k, 1) to patient coordinates in mm.
    volume_cc
        Voxels inside times the volume of one; of occupied shares their sum.
    frame_of_reference_uid
        Of the space that a DICOM SEG is in; other formats do not say.
    """

    name: str
    values: NDArray[Any]
    to_lps: FloatArray
    volume_cc: float
    source: str
    frame_of_reference_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Volume:
    """A file's voxels ``[k, j, i]``, or ``[k, j, i, layer]``, and the segments that it names itself."""

    values: NDArray[Any]
    to_lps: FloatArray
    segments: tuple[_Named, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    name: str
    label: int
    layer: int = 0


def parse_mask_option(text: str) -> tuple[str, Path, int | None]:
    """Return name (empty: from the file), path and label of ``NAME=FILE``, ``NAME=FILE#3``, ``FILE`` or ``FOLDER``."""
    if Path(text).exists():
        return "", Path(text), None
    name, equals, rest = text.partition("=")
    if not equals:
        name, rest = "", text
    path, hash_sign, label = rest.rpartition("#")
    if hash_sign and label.isdigit() and not Path(rest).exists():
        return name.strip(), Path(path), int(label)
    return name.strip(), Path(rest), None


def read_masks(name: str, path: Path, label: int | None, table: dict[int, str] | None) -> Iterator[Mask]:
    """Yield the masks of a file or a folder.

    Parameters
    ----------
    name
        Of the structure; empty for the file's name, or for those of its labels.
    label
        The only label to take.
    table
        Names of labels, from `readers.files.label_table`; otherwise what the file says itself.

    Raises
    ------
    InputError
        If nothing usable is there: wrong format, no geometry, sheared axes, several labels for one name.
    """
    if path.is_dir():
        yield from _folder(path, name, table)
        return
    if not path.is_file():
        raise InputError("there is no such file.", path=path, remedy="Give masks as NAME=FILE.")
    from dvhkit.readers.masks.segmentation import is_dicom

    if is_dicom(path):
        yield from _dicom_seg(path, name, label)
        return
    if not path.name.lower().endswith(_SUFFIXES):
        raise InputError("it is no mask.", path=path, remedy=f"Give DICOM SEG or one of {', '.join(_SUFFIXES)}.")
    volume = _volume(path)
    _checked_axes(volume.to_lps, path)
    if volume.values.ndim == 4:
        yield from _by_layer(volume, path, name=name, label=label)
        return
    named = table or {s.label: s.name for s in volume.segments}
    yield from _by_label(volume.values, volume.to_lps, path, name=name, label=label, named=named)


def _folder(path: Path, prefix: str, table: dict[int, str] | None) -> Iterator[Mask]:
    """Yield each file of a folder under its own name, as TotalSegmentator writes them, and each segment of SEGs."""
    from dvhkit.readers.masks.segmentation import is_segmentation

    there = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    files = [p for p in there if p.name.lower().endswith(_SUFFIXES) or is_segmentation(p)]
    if not files:
        endings = ", ".join(_SUFFIXES)
        raise InputError(
            "the folder holds no masks.", path=path, remedy=f"Masks are DICOM SEG, or their names end in {endings}."
        )
    for file in files:
        yield from read_masks(prefix + _stem(file) if prefix else "", file, None, table)


def _stem(path: Path) -> str:
    name = path.name
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def _volume(path: Path) -> _Volume:
    if path.name.lower().endswith(_NIFTI):
        return _nifti(path)
    with needs_extra("masks"):
        import SimpleITK

    itk: Any = SimpleITK
    try:
        image = itk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            "it cannot be read as a volume; it may be cut off.", path=path, remedy="Copy it again."
        ) from error
    segments = _slicer_segments(image)
    layers = image.GetNumberOfComponentsPerPixel()
    if image.GetDimension() != 3 or (layers != 1 and not segments):
        size = " x ".join(map(str, image.GetSize()))
        raise InputError(
            f"it is {size} with {layers} values a voxel, not one 3-D volume.",
            path=path,
            remedy="Save one mask or one label map.",
        )
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    to_lps = np.column_stack([axes, image.GetOrigin()])
    return _Volume(values=itk.GetArrayFromImage(image), to_lps=to_lps, segments=segments)


def _slicer_segments(image: Any) -> tuple[_Named, ...]:  # noqa: ANN401 -- a SimpleITK image
    """Return what a ``.seg.nrrd`` says of its segments; those that share voxels lie in layers of their own."""

    def told(n: int, what: str) -> str:
        key = f"Segment{n}_{what}"
        return str(image.GetMetaData(key)).strip() if image.HasMetaDataKey(key) else ""

    return tuple(
        _Named(name=told(n, "Name"), label=int(told(n, "LabelValue")), layer=int(told(n, "Layer") or 0))
        for n in range(_MOST_LABELS)
        if told(n, "Name") and told(n, "LabelValue").isdigit() and (told(n, "Layer") or "0").isdigit()
    )


def _nifti(path: Path) -> _Volume:
    try:
        import nibabel
    except ImportError as error:
        raise InputError(
            "NIfTI masks need nibabel.", path=path, remedy="Install it with: pip install 'dvhkit[masks]'."
        ) from error
    try:
        image: Any = nibabel.load(path)
        shape = image.shape
        if int(np.prod(shape)) > _MOST_VOXELS:
            raise InputError("it holds more voxels than can be read.", path=path)
        stored = np.asarray(image.dataobj)
    except (OSError, ValueError, EOFError, nibabel.filebasedimages.ImageFileError) as error:
        raise InputError(
            "it cannot be read as NIfTI; it may be cut off.", path=path, remedy="Copy it again."
        ) from error
    while stored.ndim > 3 and stored.shape[-1] == 1:
        stored = stored[..., 0]
    if stored.ndim != 3:
        raise InputError(f"it is {' x '.join(map(str, shape))}, not one 3-D volume.", path=path)
    unit = {"meter": 1000.0, "micron": 0.001}.get(image.header.get_xyzt_units()[0], 1.0)
    # NIfTI counts towards right, anterior, superior; DICOM towards left, posterior, superior.
    to_lps = np.diag([-1.0, -1.0, 1.0]) @ image.affine[:3] * unit
    named = {}
    for extension in image.header.extensions:
        content = extension.get_content()
        content = content if isinstance(content, bytes) else str(content).encode()
        named.update({int(key): name.decode("utf-8", "replace") for key, name in _CARET_LABEL.findall(content)})
    segments = tuple(_Named(name=name, label=number) for number, name in named.items() if number > 0)
    return _Volume(values=stored.transpose(2, 1, 0), to_lps=to_lps, segments=segments)


def _checked_axes(to_lps: FloatArray, path: Path) -> None:
    if not np.isfinite(to_lps).all():
        raise InputError("its place in the patient is not a number.", path=path)
    axes = to_lps[:, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if np.any(lengths <= 0):
        raise InputError("its voxels have no size.", path=path)
    unit = axes / lengths
    if np.abs(unit.T @ unit - np.eye(3)).max() > _SHEAR_ATOL:
        raise InputError(
            "its axes are sheared: they do not stand at right angles.",
            path=path,
            remedy="Resample it onto the image first.",
        )


def _by_layer(volume: _Volume, path: Path, *, name: str, label: int | None) -> Iterator[Mask]:
    """Yield the segments of a file with several layers, in which they may share voxels."""
    chosen = [s for s in volume.segments if label in (None, s.label) and s.layer < volume.values.shape[3]]
    if not chosen:
        raise InputError(f"it has no segment {label}.", path=path)
    if name and len(chosen) > 1:
        own = next((s for s in chosen if s.name == name), None)
        if own is None:
            names = ", ".join(s.name for s in chosen[:20])
            raise InputError(
                f"it holds {len(chosen)} segments for the one name {name!r}: {names}.",
                path=path,
                remedy="Take all without a name, or one by its own name.",
            )
        chosen = [own]
    for segment in chosen:
        inside = volume.values[..., segment.layer] == segment.label
        yield _binary(inside, volume.to_lps, path, name or segment.name)


def _by_label(
    values: NDArray[Any], to_lps: FloatArray, path: Path, *, name: str, label: int | None, named: dict[int, str]
) -> Iterator[Mask]:
    if values.dtype.kind not in "biuf":
        raise InputError("its values are no numbers.", path=path)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError("it holds values that are no numbers.", path=path)
    if values.dtype.kind == "f" and np.any(values != np.rint(values)):
        yield _fractional(values, to_lps, path, name=name)
        return
    present = [int(v) for v in np.unique(values) if v > 0]
    if len(present) > _MOST_LABELS:
        raise InputError(f"it holds {len(present)} different values and is no label map.", path=path)
    if label is not None:
        if label not in present:
            raise InputError(f"it holds no voxel of label {label}.", path=path, remedy=f"There are {present[:20]}.")
        yield _binary(values == label, to_lps, path, name or named.get(label, f"label {label}"))
    elif len(present) <= 1 and (name or (present in ([], [1], [255]) and not set(present) & set(named))):
        yield _binary(values > 0, to_lps, path, name or _stem(path))
    elif name:
        raise InputError(
            f"it holds {len(present)} labels for the one name {name!r}.",
            path=path,
            remedy=f"Take one with {name}={path.name}#{present[0]}, or all without a name.",
        )
    else:
        for number in present:
            yield _binary(values == number, to_lps, path, named.get(number, f"{_stem(path)} {number}"))


def _binary(inside: NDArray[np.bool_], to_lps: FloatArray, path: Path, name: str) -> Mask:
    voxel_cc = abs(float(np.linalg.det(to_lps[:, :3]))) / 1000.0
    return Mask(
        name=name, values=inside, to_lps=to_lps, volume_cc=float(np.count_nonzero(inside)) * voxel_cc, source=path.name
    )


def _fractional(values: NDArray[Any], to_lps: FloatArray, path: Path, *, name: str, occupancy: bool = False) -> Mask:
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1.0 + 1e-6:
        raise InputError(
            f"its values run from {low:.4g} to {high:.4g}; a mask of shares runs from 0 to 1.",
            path=path,
            remedy="Give a mask, not an image.",
        )
    voxel_cc = abs(float(np.linalg.det(to_lps[:, :3]))) / 1000.0
    counted = float(values.sum(dtype=np.float64)) if occupancy else float(np.count_nonzero(values >= 0.5))
    return Mask(
        name=name or _stem(path),
        values=values.astype(np.float32),
        to_lps=to_lps,
        volume_cc=counted * voxel_cc,
        source=path.name,
    )


def _dicom_seg(path: Path, name: str, label: int | None) -> Iterator[Mask]:
    from dvhkit.readers.masks.segmentation import read_segmentation

    found = read_segmentation(path, fractions=True)
    chosen = [s for s in found.segments if label in (None, s.number)]
    if not chosen:
        raise InputError(f"it has no segment {label}.", path=path)
    if name and len(chosen) > 1:
        remedy = f"Take one with {name}={path.name}#{chosen[0].number}, or all without a name."
        raise InputError(f"it holds {len(chosen)} segments for the one name {name!r}.", path=path, remedy=remedy)
    grid = found.places.grid
    steps = [grid.spacing_mm[0], grid.spacing_mm[1], grid.plane_spacing_mm]
    origin = grid.origin_mm + grid.normal * float(grid.offsets_mm[0])
    to_lps = np.column_stack([grid.axes.T * np.array(steps), origin])
    for segment in chosen:
        own = name or segment.label.strip() or segment.meaning or f"segment {segment.number}"
        values = found.shares(segment.number)
        if values.dtype.kind == "f":
            mask = _fractional(values, to_lps, path, name=own, occupancy=found.occupancy)
        else:
            mask = _binary(values, to_lps, path, own)
        yield replace(mask, frame_of_reference_uid=found.frame_of_reference_uid)
