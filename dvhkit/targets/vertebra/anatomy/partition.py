"""One whole vertebra cut into its eight compartments by geometry alone; what is unsure is said.

The definitions, since anatomy books draw no planes: the body ends at the front of the canal; the pedicle runs from
there to where the bone beside the canal grows taller or the canal begins to close behind; bone further out than the
pillar's outer wall is transverse process; the spinous process begins in the midline where most of the laminae's
thickness lies in front; all else, articular processes included, is lamina.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import frozen_array
from dvhkit.model.grid import Grid
from dvhkit.targets.vertebra.anatomy.cuts import Cuts, find_cuts
from dvhkit.targets.vertebra.anatomy.frame import Mask, VertebraFrame, find_frame, mask_points_mm, without_slits
from dvhkit.targets.vertebra.anatomy.local import LocalVolume, to_local_volume
from dvhkit.targets.vertebra.anatomy.neck import NeckCuts, find_neck, neck_sides
from dvhkit.targets.vertebra.anatomy.pieces import largest_piece
from dvhkit.targets.vertebra.rules import Compartment

Labels = NDArray[np.uint8]

# Number of each compartment in label arrays; 0 is none.
PART_NUMBER = {part: n for n, part in enumerate(Compartment, start=1)}

# In front of the back wall, the pedicle's root is sought this far.
_SHOULDER_MM = 10.0
_SHOULDER_FRAC = 0.75
# Below this likeness of the two halves the midline is in doubt; phantoms and healthy vertebrae reach 0.94.
_ALIKE_LEAST = 0.85
# One side of the arch at most this much larger than the other.
_UNEVEN_MOST = 2.0
_PIECE_LEAST_FRAC = 0.01
# What is left of the laminae's outer rim where there is no spinous process is no longer than this.
_STUMP_MM = 6.0
# Of its width, a body is 0.5 to 0.75 high.
_TALL_FRAC = 0.95
# A mask that holds more of the canal than this was drawn round it, not along the bone.
_FILLED_FRAC = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Partition:
    """A vertebra cut into compartments.

    Attributes
    ----------
    labels : (n_planes, n_rows, n_columns) uint8
        PART_NUMBER of the compartment of each voxel, 0 outside the vertebra.
    near_cut_frac
        Fraction of each compartment within 2 mm of a cut: there the choice of the plane decides.
    """

    labels: Labels
    frame: VertebraFrame
    cuts: Cuts
    near_cut_frac: dict[Compartment, float]
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", frozen_array(self.labels, dtype=np.uint8))


def partition_vertebra(mask: Mask, grid: Grid, *, canal: Mask | None = None, level: str = "") -> Partition:
    """Cut one whole vertebra into its compartments.

    Parameters
    ----------
    mask, canal : (n_planes, n_rows, n_columns) bool
        The vertebra, and the spinal canal or cord where it was drawn; both on `grid`.
    level
        Such as T07; C1 and the sacrum are refused, since they are built otherwise.

    Raises
    ------
    GeometryError
        Where the canal cannot be found, or the level has no body and arch to tell apart.
    """
    _check_level(level)
    mask, was_filled = _without_canal(mask, canal)
    whole, pieces = _whole_piece(mask)
    frame = find_frame(whole, grid, canal)
    # A slit would cut a process in two halves, one of which would be given away as a stray piece.
    volume = to_local_volume(mask if frame.arch_closed else without_slits(mask, grid), grid, frame)
    cuts = find_cuts(volume)
    neck = _neck(volume, cuts, level)
    local = _tidy(_assign(volume, cuts, neck))
    labels = np.zeros(mask.shape, dtype=np.uint8)
    index = volume.index_of(mask_points_mm(mask, grid))
    labels[mask] = local[index[:, 0], index[:, 1], index[:, 2]]
    _fill_rim(labels, mask)
    doubts = _doubts(frame, neck, mask, level, pieces, was_filled=was_filled, too_tall=_is_too_tall(volume, cuts))
    findings = (*doubts, *_odd_parts(labels))
    return Partition(labels=labels, frame=frame, cuts=cuts, near_cut_frac=_near_cut(local), findings=findings)


def _neck(volume: LocalVolume, cuts: Cuts, level: str) -> NeckCuts | None:
    """Return the cuts of the neck for cervical levels; where no level is said, if foramina are seen on both sides."""
    if level and not _is_cervical(level):
        return None
    return find_neck(volume, cuts.wall_v, cuts.pedicle_w, assume=bool(level))


def _is_cervical(level: str) -> bool:
    return level.upper().startswith("C")


def _check_level(level: str) -> None:
    if has_no_compartments(level):
        raise no_usual_level(level)


def has_no_compartments(level: str) -> bool:
    """Whether a level, such as C1 or S01, or ``sacrum``, is built otherwise than in body and arch."""
    return bool(re.fullmatch(r"c0?1|s0?[1-5]?|atlas|sacrum", level.strip().casefold()))


def no_usual_level(level: str) -> GeometryError:
    """Return the refusal of the atlas and the sacrum."""
    return GeometryError(
        f"{level} has no body and arch of the usual kind, so it cannot be cut into compartments by geometry.",
        remedy="Draw the compartments as structures of their own.",
    )


def _without_canal(mask: Mask, canal: Mask | None) -> tuple[Mask, bool]:
    """Return the mask without the canal where it was drawn over it, and whether it was."""
    if canal is None:
        return mask, False
    beside = canal & np.any(mask, axis=(1, 2), keepdims=True)
    both = beside & mask
    filled = np.count_nonzero(both) > _FILLED_FRAC * np.count_nonzero(beside)
    return (mask & ~canal, True) if filled else (mask, False)


def _whole_piece(mask: Mask) -> tuple[Mask, int]:
    """Return the largest connected piece, and the number of pieces that are no specks."""
    whole, sizes = largest_piece(mask, corners=True)
    if len(sizes) == 0:
        raise GeometryError(
            "the vertebra is empty.",
            remedy="Check its name, the image it was drawn on, and that it is more than the canal.",
        )
    return whole, int(np.count_nonzero(sizes > _PIECE_LEAST_FRAC * sizes.sum()))


def _assign(volume: LocalVolume, cuts: Cuts, neck: NeckCuts | None = None) -> Labels:
    """Give each cube of bone to a compartment by the cuts alone; earlier parts take precedence."""
    _, v, u = np.meshgrid(volume.w_mm, volume.v_mm, volume.u_mm, indexing="ij", sparse=True)
    left, side = np.broadcast_to(u >= 0, volume.mask.shape), np.abs(u)
    wall_u = np.where(u >= 0, cuts.pedicle_u[0], cuts.pedicle_u[1])
    crest = (v >= cuts.root_v[:, None, None]) & (side <= cuts.spinous_half + 0.5)
    behind = (v >= cuts.outer_v[:, None, None]) & (side < max(3 * cuts.spinous_half, 10.0))
    rules: tuple[tuple[Mask, Compartment], ...]
    if neck is None:
        rules = (
            (_shoulders(volume, cuts), Compartment.PEDICLE_L),
            (v < cuts.wall_v, Compartment.BODY),
            (crest | behind, Compartment.SPINOUS),
            (side > wall_u, Compartment.TRANSVERSE_L),
            (v < cuts.lamina_v, Compartment.PEDICLE_L),
            (volume.mask, Compartment.LAMINA_L),
        )
    else:
        inside, pillars = neck_sides(volume, neck)
        rules = (
            (_shoulders(volume, cuts) & inside, Compartment.PEDICLE_L),
            (inside & (v < cuts.wall_v), Compartment.BODY),
            (crest | behind, Compartment.SPINOUS),
            (pillars & (side < wall_u), Compartment.LAMINA_L),
            (inside & (v < neck.pillar_v), Compartment.PEDICLE_L),
            (volume.mask, Compartment.TRANSVERSE_L),
        )
    labels = np.zeros(volume.mask.shape, dtype=np.uint8)
    for where, part in rules:
        fresh = volume.mask & (labels == 0) & where
        labels[fresh & left] = PART_NUMBER[part]
        labels[fresh & ~left] = PART_NUMBER[part.mirrored]
    _drop_stump(labels, volume, left)
    return labels


def _drop_stump(labels: Labels, volume: LocalVolume, left: Mask) -> None:
    """Give a spinous process that hardly leaves the laminae back to them: it was removed, or was eaten away."""
    spinous = labels == PART_NUMBER[Compartment.SPINOUS]
    rows = np.repeat(volume.v_mm, spinous.sum(axis=(0, 2)))
    if len(rows) and np.percentile(rows, 95) - np.percentile(rows, 5) < _STUMP_MM:
        labels[spinous & left] = PART_NUMBER[Compartment.LAMINA_L]
        labels[spinous & ~left] = PART_NUMBER[Compartment.LAMINA_R]


def _shoulders(volume: LocalVolume, cuts: Cuts) -> Mask:
    """Return where, in front of the back wall, columns are no taller than the pedicle: that is still its root."""
    _, v, u = np.meshgrid(volume.w_mm, volume.v_mm, volume.u_mm, indexing="ij", sparse=True)
    canal = float(np.abs(volume.frame.canal_uv[:, 0]).max())
    low, high = cuts.pedicle_w
    beyond = (volume.w_mm < low - 1.0) | (volume.w_mm > high + 1.0)
    within = np.asarray(~np.any(volume.mask[beyond], axis=0))
    # Where pedicle and body are about as tall, height tells nothing: the whole belongs to the body.
    within &= volume.mask.sum(axis=0) < _SHOULDER_FRAC * cuts.body_height
    near = (v < cuts.wall_v) & (v > cuts.wall_v - _SHOULDER_MM) & (np.abs(u) > 0.6 * canal)
    return np.asarray(near & within[None])


def _tidy(labels: Labels) -> Labels:
    """Give what is cut off from its compartment to the neighbour it touches."""
    kept = np.zeros_like(labels)
    for number in np.unique(labels[labels > 0]):
        kept[largest_piece(labels == number)[0]] = number
    spread_labels(kept, labels > 0)
    # What touches nothing keeps the compartment of its place.
    return np.where((kept == 0) & (labels > 0), labels, kept)


def spread_labels(labels: Labels, mask: Mask) -> None:
    """Let labels grow into the rest of `mask`, one voxel at a time, through faces."""
    while True:
        open_ = mask & (labels == 0)
        grown = np.zeros_like(labels)
        for neighbour in _neighbours(labels):
            np.copyto(grown, neighbour, where=open_ & (grown == 0))
        if not grown.any():
            return
        labels[open_] = grown[open_]


def _neighbours(labels: Labels) -> list[Labels]:
    """Return the six arrays whose voxels hold the label of the neighbour on one side; 0 beyond the edge."""
    padded = np.pad(labels, 1)
    middle = slice(1, -1)
    shifted = []
    for axis in range(3):
        for where in (slice(0, -2), slice(2, None)):
            window = [middle, middle, middle]
            window[axis] = where
            shifted.append(padded[tuple(window)])
    return shifted


def _fill_rim(labels: Labels, mask: Mask) -> None:
    """Label the voxels whose centre fell just outside the filled cubes."""
    if np.any(mask & (labels == 0)):
        spread_labels(labels, mask)


def _near_cut(local: Labels) -> dict[Compartment, float]:
    near = np.zeros(local.shape, dtype=np.bool_)
    for neighbour in _neighbours(local):
        near |= (neighbour > 0) & (neighbour != local)
    wider = near.copy()
    for neighbour in _neighbours((near * local).astype(np.uint8)):
        wider |= neighbour == local
    wider &= local > 0
    sizes = {part: int((local == n).sum()) for part, n in PART_NUMBER.items()}
    return {
        part: float((wider & (local == PART_NUMBER[part])).sum()) / size if size else 1.0
        for part, size in sizes.items()
    }


def _doubts(
    frame: VertebraFrame,
    neck: NeckCuts | None,
    mask: Mask,
    level: str,
    pieces: int,
    *,
    was_filled: bool,
    too_tall: bool,
) -> tuple[Finding, ...]:
    """Return what makes the cut less sure than usual."""
    faces = [mask.take(end, axis=axis).any() for axis in range(3) for end in (0, -1)]
    told = (
        (not frame.canal_seen, "vertebra-canal-drawn", _CANAL_DRAWN),
        (not frame.arch_closed, "vertebra-arch-open", _ARCH_OPEN),
        (frame.mirror_frac < _ALIKE_LEAST, "vertebra-uneven", _MIDLINE.format(100 * frame.mirror_frac)),
        (any(faces), "vertebra-cropped", _CROPPED),
        (was_filled, "vertebra-canal-filled", _FILLED),
        (too_tall, "vertebra-too-tall", _TOO_TALL),
        (pieces > 1, "vertebra-in-pieces", _PIECES.format(pieces)),
        (neck is not None and neck.foramina_seen, "vertebra-cervical", _CERVICAL),
        (neck is not None and not neck.foramina_seen, "vertebra-cervical-unseen", _CERVICAL_UNSEEN),
    )
    return tuple(
        Finding(level=Level.WARNING, code=code, message=text, where=level) for holds, code, text in told if holds
    )


_CANAL_DRAWN = (
    "The mask has no hole to see through, so the canal was taken from the drawing alone. Check the cut between body, "
    "pedicles and laminae."
)
_ARCH_OPEN = "The arch has a gap; it was bridged to find the canal. Check the mask, and the compartments near the gap."
_MIDLINE = (
    "The halves of the vertebra are alike to {:.0f} % only, so the midline is in doubt. Check left and right parts."
)
_CROPPED = "The vertebra reaches the edge of the image, so parts of it may be missing. Check the compartments."
_TOO_TALL = (
    "The body is taller than one vertebra's: two levels may be fused, or stand in one mask. Check every compartment, "
    "or draw one level alone."
)
_FILLED = "The vertebra was drawn over the canal, which was taken out of it. Check the outline of the bone."
_PIECES = "The vertebra is in {} pieces; the axes were found from the largest. Check the mask."
_CERVICAL = (
    "A cervical vertebra: the holes of its transverse processes were seen, and told the parts beside the body. "
    "Its pedicles are small; check every compartment."
)
_CERVICAL_UNSEEN = (
    "A cervical vertebra whose transverse processes show no holes: pedicles and transverse processes were parted where "
    "the holes usually lie. Check every compartment."
)


def _is_too_tall(volume: LocalVolume, cuts: Cuts) -> bool:
    """Whether the bone in front of the canal is about as tall as wide, end to end, as no single body is."""
    w, _, u = np.nonzero(volume.mask & (volume.v_mm < cuts.wall_v - 3.0)[None, :, None])
    if len(w) == 0:
        return False
    height, width = (float(np.ptp(np.percentile(mm, (2, 98)))) for mm in (volume.w_mm[w], volume.u_mm[u]))
    return height > _TALL_FRAC * width


def _odd_parts(labels: Labels) -> tuple[Finding, ...]:
    """Return which compartments are missing, and which sides differ more than sides do."""
    sizes = {part: int((labels == n).sum()) for part, n in PART_NUMBER.items()}
    missing = [part for part, size in sizes.items() if size == 0]
    pairs = [(p, p.mirrored) for p in sizes if p.value.endswith("_L") and sizes[p] and sizes[p.mirrored]]
    uneven = [p for p, q in pairs if not 1 / _UNEVEN_MOST <= sizes[p] / sizes[q] <= _UNEVEN_MOST]
    found = []
    if missing:
        text = f"No bone was found for {', '.join(missing)}. Check the mask."
        found.append(Finding(level=Level.WARNING, code="vertebra-part-missing", message=text))
    if uneven:
        names = ", ".join(p.value[:-2] for p in uneven)
        text = f"The two sides differ more than twofold in volume: {names}. Check the compartments."
        found.append(Finding(level=Level.WARNING, code="vertebra-sides-differ", message=text))
    return tuple(found)
